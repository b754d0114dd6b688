package scim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// askVersions reads one user three times.
func (p *prober) askVersions(ctx context.Context) {
	if len(p.people) == 0 {
		return
	}
	id := p.people[0].ID
	resp, err := p.c.Get(ctx, Users, id, ReadOptions{})
	if err != nil {
		p.unknown("etag", refusedBriefly(err))
		return
	}
	meta := metaVersion(resp.Resource)
	p.noteETag(resp.ETag, meta)
	if resp.Resource.Version == "" {
		return
	}
	for _, version := range []string{resp.Resource.Version, resp.ETag} {
		again, err := p.c.Get(ctx, Users, id, ReadOptions{IfNoneMatch: version})
		if err == nil && again.NotModified {
			p.fine("not-modified", "yes")
			return
		}
		if version == resp.ETag || resp.ETag == "" {
			break
		}
	}
	p.note("not-modified", "no", "")
}

// metaVersion is meta.version as it was sent.
func metaVersion(r Resource) string {
	o, err := DecodeObject(r.Raw)
	if err != nil {
		return ""
	}
	_, v, _ := Member(o, "meta")
	meta, _ := v.(Object)
	_, v, _ = Member(meta, "version")
	switch v := v.(type) {
	case string:
		return v
	case Number:
		return string(v)
	}
	return ""
}

func (p *prober) noteETag(header, meta string) {
	switch {
	case header == "" && meta == "":
		p.trap("etag", "none", "nothing tells a change between reading and writing", "")
		return
	case header == "":
		p.note("etag", "no header, meta.version alone", "")
	case strings.HasPrefix(header, "W/"):
		p.fine("etag", "weak")
	default:
		p.fine("etag", "strong")
	}
	switch {
	case header == "" || meta == "":
	case header == meta:
		p.fine("etag-meta", "yes")
	case quoteETag(header) == quoteETag(meta):
		p.note("etag-meta", "yes, but for the quotes", "scimbulk adds them")
	default:
		p.trap("etag-meta", "no: they are two different things", "If-Match is sent with meta.version", "")
	}
}

// quotaText is what the headers of the last answer come to.
func quotaText(q Quota) string {
	text := fmt.Sprintf("%d left", q.Remaining)
	if q.Limit > 0 {
		text = fmt.Sprintf("%d of %d left", q.Remaining, q.Limit)
	}
	return text + ", all of them again in " + q.Reset.Round(time.Second).String()
}

// askLimits reports what the headers of all answers had to say.
func (p *prober) askLimits() {
	w := p.watch
	switch {
	case len(w.odd) > 0:
		p.trap("content-type", "no: "+strings.Join(w.odd, ", "), "scimbulk looks at the body instead", "")
	default:
		p.fine("content-type", "yes")
	}
	switch {
	case len(w.limits) == 0:
		p.note("rate-headers", "none", "the pace is found by trial; --rate N keeps below a limit that you know")
	case !w.quota.Known:
		p.note("rate-headers", w.limitText()+", not understood", "the pace is found by trial; --rate N keeps below a limit that you know")
	default:
		p.fine("rate-headers", w.limitText()+": "+quotaText(w.quota))
	}
	throttled := w.statuses[http.StatusTooManyRequests] + w.statuses[http.StatusServiceUnavailable] - p.tooLarge
	switch {
	case w.retryAfter != "":
		p.fine("retry-after", fmt.Sprintf("yes: %q", w.retryAfter))
	case throttled > 0:
		p.note("retry-after", fmt.Sprintf("not in the answers that asked to wait (%d)", throttled), "scimbulk waits longer each time")
	default:
		p.note("retry-after", "no request was held back", "")
	}
}
