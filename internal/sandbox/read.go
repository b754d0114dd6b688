package sandbox

import "strings"

// resourceAnswer shows a resource, as far as attributes and excludedAttributes ask.
func (s *Sandbox) resourceAnswer(q *request, status int, v view) answer {
	if s.faults.hit("stale-etag") {
		stale := *v.rev
		stale.version--
		v.rev = &stale
	}
	a := answer{status: status, header: []string{
		"Content-Type", scimType,
		"ETag", s.rules.etag(v.rev),
		"Location", q.site.location(s.rules, v.t, v.rev.id),
	}}
	a.body = s.rules.render(make([]byte, 0, len(v.rev.doc)+512), v, q.site, q.proj)
	return a
}

// read serves GET of one resource.
func (s *Sandbox) read(q *request, t *resourceType, id string) (answer, error) {
	v, err := s.dir.get(t, id, q.proj)
	if err != nil {
		return answer{}, err
	}
	if tag := q.r.Header.Get("If-None-Match"); tag != "" && matchesTag(tag, s.rules.etag(v.rev)) {
		return answer{status: 304, header: []string{"ETag", s.rules.etag(v.rev)}}, nil
	}
	return s.resourceAnswer(q, 200, v), nil
}

func (d *directory) get(t *resourceType, id string, p projection) (view, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.collection(t)
	e := c.byID[id]
	if e == nil {
		return view{}, notFound(t.name, id)
	}
	return d.look(c, e.rev, p), nil
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
