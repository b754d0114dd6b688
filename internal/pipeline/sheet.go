package pipeline

import (
	"context"
	"fmt"
	"strings"

	"scimbulk/internal/scim"
)

// item is one resource of a page.
type item struct {
	id, key string       // key is what the pages are sorted by
	line    []byte       // JSON without line breaks, nil where nobody keeps it
	keep    func() error // what was seen of it; nil where nobody looks
	leftOut bool         // it is read, and not exported
	raw     scim.Resource
}

// sheet is one page as it was read: the resources from an index on.
type sheet struct {
	at    int
	asked int
	items []item
	few   bool // fewer were asked for than a page holds, or some are left out
	*scim.Page
}

func (s *sheet) end() int { return s.at + len(s.items) }

func (s *sheet) firstID() string {
	if len(s.items) == 0 {
		return ""
	}
	return s.items[0].id
}

// idOf identifies a resource: by its id, or by all of it where a server sends
// none.
func idOf(id string, text []byte) string {
	if id != "" {
		return id
	}
	return string(text)
}

// options ask for a page from an index on.
func (x *listing) options(start int) scim.ListOptions {
	q := x.Export.options()
	q.Filter, q.SortBy, q.StartIndex, q.Count, q.Attributes = x.filter, x.s.SortBy, start, x.size.size(), x.asked(x.s.SortBy)
	return q
}

// page reads one page, and a smaller one where the directory refuses a large
// one. It is safe for concurrent use.
func (x *listing) page(ctx context.Context, q scim.ListOptions) (*sheet, error) {
	q.Trial = q.Count > x.size.proven()
	for {
		page, err := x.list(ctx, q)
		if again := 0; err != nil {
			if again = x.size.refused(q.Count, err); again == 0 {
				return nil, err
			}
			q.Count, q.Trial = again, false
			continue
		}
		bytes := 0
		for _, r := range page.Resources {
			bytes += len(r.Raw)
		}
		got := len(page.Resources)
		more := page.NextCursor != "" || q.Cursor == nil && q.StartIndex+got-1 < page.TotalResults
		x.size.came(q.Count, got, bytes, page.Response.Took, more)
		s, err := x.sheet(q.StartIndex, page)
		if err == nil {
			s.asked, s.few = q.Count, got >= q.Count
		}
		return s, err
	}
}

// sheet makes the resources of a page ready to be kept. It is safe for
// concurrent use.
func (x *listing) sheet(at int, page *scim.Page) (*sheet, error) {
	s := &sheet{at: at, items: make([]item, len(page.Resources)), Page: page}
	for i, r := range page.Resources {
		it, err := x.item(r)
		if err != nil {
			return nil, fmt.Errorf("resource %s of the directory cannot be read: %w", r.ID, err)
		}
		s.items[i] = it
	}
	page.Resources = nil
	return s, nil
}

func (x *listing) item(r scim.Resource) (it item, err error) {
	it.line, err = scim.OneLine(r.Raw)
	if err != nil {
		return it, err
	}
	it.id = idOf(r.ID, it.line)
	if x.emit != nil {
		it.raw = r
	}
	sortBy := x.sortBy.Load().(string)
	it.key = it.id
	local := x.tellsApart()
	if sortBy != "" && sortBy != sortByID || local {
		object, err := scim.DecodeObjectView(it.line)
		if err != nil {
			return it, err
		}
		if sortBy != sortByID {
			it.key = keyIn(object, sortBy)
		}
		_, active, _ := scim.Member(object, "active")
		it.leftOut = local && (active == false) != (x.Inactive == InactiveOnly)
	}
	if x.selection != nil {
		kept, ignored, err := x.selection.apply(it.line)
		if err != nil {
			return it, err
		}
		it.line = kept
		if ignored {
			x.ignored.Store(true)
		}
	}
	if x.see == nil || it.leftOut {
		return it, nil
	}
	object, err := scim.DecodeObjectView(it.line)
	if err == nil {
		it.keep = x.see(object)
	}
	return it, err
}

// tellsApart says whether active and inactive people, who come in one listing, are
// told apart here.
func (e *Export) tellsApart() bool {
	return e.Endpoint == scim.Users && (e.Inactive == InactiveOnly || e.Inactive == InactiveExclude)
}

// keyIn is the text at a path of one or two names.
func keyIn(o scim.Object, path string) string {
	name, sub, _ := strings.Cut(path, ".")
	return textIn(o, scim.Path{Attr: name, Sub: sub})
}
