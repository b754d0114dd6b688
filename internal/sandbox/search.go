package sandbox

import (
	"slices"
	"strings"
)

// search serves POST …/.search (RFC 7644 §3.4.3) for one type of resources,
// or with a nil type for all of them.
func (s *Sandbox) search(q *request, t *resourceType) (answer, error) {
	if q.r.Method != "POST" {
		return answer{}, notAllowed(q, "POST")
	}
	body, err := q.object()
	if err != nil {
		return answer{}, err
	}
	if !slices.ContainsFunc(body.list("schemas"), func(u any) bool { return u == searchURN }) {
		return answer{}, badSyntax("schemas must hold %s", searchURN)
	}
	in, err := searchParams(body)
	if err != nil {
		return answer{}, err
	}
	if t == nil {
		return s.listAll(q, in)
	}
	return s.list(q, t, in)
}

// searchParams turns a SearchRequest into the parameters of a query.
func searchParams(body *object) (params, error) {
	in := params{}
	for _, m := range body.members {
		name := strings.ToLower(m.name)
		switch v := m.value.(type) {
		case nil:
		case string:
			in[name] = v
		case number:
			in[name] = string(v)
		case []any:
			if name == "schemas" {
				continue
			}
			var list []string
			for _, e := range v {
				text, ok := e.(string)
				if !ok {
					return nil, badValue("%s must hold strings", m.name)
				}
				list = append(list, text)
			}
			in[name] = strings.Join(list, ",")
		default:
			return nil, badValue("%s has a value of the wrong type", m.name)
		}
	}
	return in, nil
}

// listAll queries users and groups together (RFC 7644 §3.4.2.1). A filter on
// an attribute that only one of them has finds none of the other.
func (s *Sandbox) listAll(q *request, in params) (answer, error) {
	delete(in, "cursor")
	var lists []*listing
	types := []*resourceType{s.rules.user, s.rules.group}
	var refused error
	for _, t := range types {
		l, err := s.rules.parseListing(t, t, in)
		if err != nil {
			refused, l = err, nil
		}
		lists = append(lists, l)
	}
	if lists[0] == nil && lists[1] == nil {
		return answer{}, refused
	}
	pg := s.dir.pageOfAll(types, lists)
	shown := lists[0]
	if shown == nil {
		shown = lists[1]
	}
	return answer{status: 200, header: []string{"Content-Type", scimType}, body: s.renderPage(q, shown, pg)}, nil
}

// pageOfAll pages through the users that were found and then the groups.
func (d *directory) pageOfAll(types []*resourceType, lists []*listing) page {
	d.mu.RLock()
	defer d.mu.RUnlock()
	pg := page{}
	var left, skip int
	for i, t := range types {
		l := lists[i]
		if l == nil {
			continue
		}
		if pg.start == 0 {
			pg.start, left, skip = l.start, l.count, l.start-1
		}
		c := d.collection(t)
		found := d.find(c, l)
		pg.total += found.len()
		for k := skip; k < found.len() && left > 0; k++ {
			pg.views = append(pg.views, d.look(c, found.at(k).rev, l.proj))
			left--
		}
		skip = max(skip-found.len(), 0)
	}
	return pg
}
