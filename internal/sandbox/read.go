package sandbox

import (
	"strconv"
	"strings"
)

// resourceAnswer shows a resource, as far as attributes and excludedAttributes ask.
func (s *Sandbox) resourceAnswer(q *request, status int, v view) answer {
	in := q.params()
	p := newProjection(v.t, in["attributes"], in["excludedattributes"])
	a := answer{status: status, header: []string{
		"Content-Type", scimType,
		"ETag", s.rules.etag(v.rev),
		"Location", s.location(q, v),
	}}
	a.body = s.rules.render(make([]byte, 0, len(v.rev.doc)+512), v, q.site, p)
	return a
}

func (s *Sandbox) location(q *request, v view) string {
	return s.rules.location(q, v)
}

func (d *dialect) location(q *request, v view) string { return q.site.location(d, v.t, v.rev.id) }

// read serves GET of one resource.
func (s *Sandbox) read(q *request, t *resourceType, id string) (answer, error) {
	v, err := s.dir.get(t, id)
	if err != nil {
		return answer{}, err
	}
	if tag := q.r.Header.Get("If-None-Match"); tag != "" && matchesTag(tag, s.rules.etag(v.rev)) {
		return answer{status: 304, header: []string{"ETag", s.rules.etag(v.rev)}}, nil
	}
	return s.resourceAnswer(q, 200, v), nil
}

func (d *directory) get(t *resourceType, id string) (view, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.collection(t)
	e := c.byID[id]
	if e == nil {
		return view{}, notFound(t.name, id)
	}
	return d.look(c, e.rev), nil
}

// matchesTag compares a header's entity tags, weak or strong, with ours. SCIM
// uses weak tags with If-Match (RFC 7644 §3.14), so W/ is no obstacle.
func matchesTag(header, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimSpace(t)
		if t == "*" || strings.TrimPrefix(t, "W/") == tag {
			return true
		}
	}
	return false
}

// list serves a query over one type of resources.
func (s *Sandbox) list(q *request, t *resourceType, in params) (answer, error) {
	l, err := s.rules.parseListing(t, in)
	if err != nil {
		return answer{}, err
	}
	if s.rules.checkList != nil {
		if err := s.rules.checkList(q, t, l); err != nil {
			return answer{}, err
		}
	}
	pg := s.dir.page(t, l)
	return answer{status: 200, header: []string{"Content-Type", scimType}, body: s.renderPage(q, l, pg)}, nil
}

// page is a part of a listing.
type page struct {
	total int
	start int
	views []view
}

func (d *directory) page(t *resourceType, l *listing) page {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.collection(t)
	found := d.find(c, l)
	pg := page{total: found.len(), start: l.start}
	end := min(l.start-1+l.count, found.len())
	for i := l.start - 1; i < end; i++ {
		pg.views = append(pg.views, d.look(c, found.at(i).rev))
	}
	return pg
}

func (s *Sandbox) renderPage(q *request, l *listing, pg page) []byte {
	b := make([]byte, 0, 256+1280*len(pg.views))
	b = append(b, `{"schemas":["`+listURN+`"],"totalResults":`...)
	b = strconv.AppendInt(b, int64(pg.total), 10)
	b = append(b, `,"startIndex":`...)
	b = strconv.AppendInt(b, int64(pg.start), 10)
	b = append(b, `,"itemsPerPage":`...)
	b = strconv.AppendInt(b, int64(len(pg.views)), 10)
	b = append(b, `,"Resources":[`...)
	for i, v := range pg.views {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.rules.render(b, v, q.site, l.proj)
	}
	return append(b, "]}"...)
}
