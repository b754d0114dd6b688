package pipeline

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/scim"
)

// changes finds what was changed since the export began, where the directory
// can tell.
type changes struct {
	*listing
	known string // when somebody was changed who has to be found
	since string
	first *sheet // of what has changed; nil where that cannot be known
}

func (x *listing) newChanges() *changes {
	c := &changes{listing: x}
	if len(x.last) > 0 && x.last[0].line != nil {
		c.known = modified(x.last[0].line)
	}
	return c
}

// wanted says whether changes are to be looked for.
func (c *changes) wanted() bool {
	return c.Thorough && !c.Started.IsZero() && c.s.Pass == 0 && !c.s.OnePage && !namesPath(c.ExcludedAttributes, "meta.lastModified")
}

// ask looks for changes. A directory that does not know the filter may refuse
// it, ignore it, or find nothing at all, which is why somebody whose change is
// known has to be found too. While one page was read, nothing much can change.
func (c *changes) ask(ctx context.Context) error {
	if !c.wanted() {
		return nil
	}
	c.since = c.Started.Add(-clockSlack).UTC().Format(time.RFC3339)
	var first *sheet
	var known bool
	g, group := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		first, err = c.after(group, 1)
		return unlessRefused(group, err)
	})
	g.Go(func() (err error) {
		known, err = c.knowsFilter(group)
		return unlessRefused(group, err)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if first != nil && (known || len(first.items) > 0) {
		c.first = first
	}
	return nil
}

// knowsFilter says whether the filter finds somebody who must be found.
func (c *changes) knowsFilter(ctx context.Context) (bool, error) {
	if c.known == "" {
		return false, nil
	}
	q := scim.ListOptions{Filter: both(c.filter, `meta.lastModified ge "`+c.known+`"`), Count: 1, StartIndex: 1, Attributes: []string{"id", "meta"}}
	page, err := c.Client.List(ctx, c.Endpoint, q)
	if err != nil || len(page.Resources) == 0 {
		return false, err
	}
	return !timeBefore(modified(page.Resources[0].Raw), c.known), nil
}

// after reads a page of what was changed since the export began. It returns nil
// where some of that is older: the filter is ignored.
func (c *changes) after(ctx context.Context, start int) (*sheet, error) {
	q := c.options(start)
	q.Filter, q.SortBy = both(c.filter, `meta.lastModified ge "`+c.since+`"`), ""
	if q.Attributes != nil && !namesPath(q.Attributes, "meta") {
		q.Attributes = append(slices.Clone(q.Attributes), "meta")
	}
	page, err := c.Client.List(ctx, c.Endpoint, q)
	if err != nil {
		return nil, err
	}
	for _, r := range page.Resources {
		if at := modified(r.Raw); at == "" || timeBefore(at, c.since) {
			return nil, nil
		}
	}
	return c.sheet(start, page)
}

// unlessRefused passes on what ends the run; a directory that refuses a question
// has nothing to say.
func unlessRefused(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil && refused(err) {
		return nil
	}
	return err
}

// merge takes over what has changed.
func (c *changes) merge(ctx context.Context) error {
	if c.first == nil {
		return nil
	}
	c.s.Unchanged = len(c.first.items) == 0
	for s := c.first; s != nil && len(s.items) > 0; {
		for i := range s.items {
			if err := c.addChanged(&s.items[i]); err != nil {
				return err
			}
		}
		if s.end() > s.TotalResults {
			break
		}
		if err := c.interrupted(); err != nil {
			return err
		}
		var err error
		if s, err = c.after(ctx, s.end()); err != nil {
			return unlessRefused(ctx, err)
		}
	}
	return c.keep()
}

// addChanged keeps a resource that was changed, or made, since the export began.
// One that no page has shown is counted apart: it is no proof that the pages
// were whole.
func (c *changes) addChanged(it *item) error {
	place, known, err := c.ids.find(it.id)
	switch {
	case err != nil:
		return err
	case known:
		return c.revise(place, it, false)
	}
	c.s.Late++
	return c.addNew(it)
}
