package pipeline

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/scim"
)

// inactivePeople finds those whom some directories leave out of a listing.
const inactivePeople = "active eq false"

// closing is what is asked about a listing besides its pages.
type closing struct {
	*changes
	asked bool
}

func (x *listing) newClosing() *closing { return &closing{changes: x.newChanges()} }

// askEarly asks while the last pages are under way, where it is known by then
// what has to be found.
func (c *closing) askEarly(ctx context.Context) error {
	if c.known == "" && c.wanted() {
		return nil
	}
	c.asked = true
	return c.askAll(ctx)
}

func (c *closing) askAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.changes.ask(ctx) })
	g.Go(func() error { return c.askHidden(ctx) })
	return g.Wait()
}

// finish reads the end of the listing once more: whether something follows it,
// how many resources there are now, and what has changed since the beginning.
func (x *listing) finish(ctx context.Context, c *closing) error {
	var end *sheet
	g, group := errgroup.WithContext(ctx)
	if x.s.Ended = x.s.whole(); !x.s.Ended {
		g.Go(func() (err error) {
			end, err = x.page(group, x.options(x.s.Next))
			return err
		})
	}
	if !c.asked {
		c.changes = x.newChanges()
		g.Go(func() error { return c.askAll(group) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if end != nil {
		if err := x.tail(ctx, end); err != nil {
			return err
		}
	}
	if !x.s.Ended {
		x.s.Gaps = append(x.s.Gaps, gap{From: x.s.Next, To: x.s.Next + 1, Why: "the end of the listing was not found"})
	}
	return c.merge(ctx)
}

// whole says that the pages tell their end themselves: each states the same
// total, they meet and brought that many, and the last had room for more. Then
// the total needs no asking.
func (s *section) whole() bool {
	return s.Reached && !s.Drifted && s.Pass == 0 && !s.ByOne && s.Shifted == 0 && s.Uneven == 0 && len(s.Gaps) == 0 &&
		s.Fresh == s.Began
}

// tail reads on from the last resource for as long as more comes: the total may
// have been capped, or have grown. The page that holds that resource alone is
// the end.
func (x *listing) tail(ctx context.Context, s *sheet) (err error) {
	for again := 0; ; {
		x.s.Claimed, x.s.NoTotal = int64(s.TotalResults), x.s.NoTotal || !s.HasTotal
		over, err := x.beyondEnd(ctx, s)
		if err != nil {
			return err
		}
		if over && x.s.ByOne {
			x.s.Ended = true
			return nil
		}
		if over {
			return x.shrunk(ctx, s.TotalResults)
		}
		fresh, last := x.s.Fresh, x.s.LastID
		if err := x.join(ctx, s); err != nil {
			return err
		}
		next := x.s.Next
		switch {
		case fresh < x.s.Fresh:
			if again = 0; x.s.ByOne {
				next++
			}
		case last != x.s.LastID: // something came before the end, and moved it
			if again++; again > maxRepairs {
				return nil
			}
			next = max(next, s.at+1)
		case x.s.Fresh == x.s.Claimed:
			x.s.Ended = true
			return nil
		default: // where pages come short, one resource is not yet the end
			x.s.Ended = true
			if again++; again > maxRepairs {
				return nil
			}
			next++
		}
		if err := x.interrupted(); err != nil {
			return err
		}
		if s, err = x.page(ctx, x.options(next)); err != nil {
			return err
		}
		if !x.s.Ended {
			continue
		}
		if over, err := x.beyondEnd(ctx, s); over || err != nil {
			return err
		}
		x.s.ByOne, x.s.Ended = true, false
	}
}

// beyondEnd says whether a page is one that lies behind the last resource: an
// empty one or, on some servers, the first again. Where the first page comes
// whatever startIndex says, the error is errNoStart.
func (x *listing) beyondEnd(ctx context.Context, s *sheet) (bool, error) {
	if len(s.items) == 0 || !x.startsOver(s) {
		return len(s.items) == 0, nil
	}
	q := x.options(2)
	q.Count = 1
	second, err := x.page(ctx, q)
	if err == nil && x.s.Fresh > 1 && second.firstID() == x.s.First {
		err = errNoStart
	}
	return true, err
}

// shrunk reads the last page of a listing that ends earlier than it did.
func (x *listing) shrunk(ctx context.Context, total int) error {
	s, err := x.page(ctx, x.options(max(1, min(total, x.s.Next)-x.size.size()/2)))
	if err != nil || len(s.items) == 0 || x.startsOver(s) {
		return err
	}
	if err := x.join(ctx, s); err != nil {
		return err
	}
	x.s.Ended = s.end() > s.TotalResults
	x.s.Claimed = int64(s.TotalResults)
	return nil
}

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

// askHidden asks for inactive people, whom the listing may not show.
func (x *listing) askHidden(ctx context.Context) error {
	if !x.Thorough || x.inactive != nil || x.s.Index > 0 || x.Endpoint != scim.Users || x.Profile.InactiveFilter != "" || x.Inactive == InactiveExclude {
		return nil
	}
	page, err := x.Client.List(ctx, x.Endpoint, scim.ListOptions{
		Filter: both(x.Filter, inactivePeople), StartIndex: 1, Count: 1, Attributes: []string{"id", "active"},
	})
	if err == nil {
		x.inactive = page
	}
	return unlessRefused(ctx, err)
}

// findHidden sees whether the listing hides inactive people.
func (x *listing) findHidden(ctx context.Context) error {
	if err := x.askHidden(ctx); err != nil || x.inactive == nil || len(x.inactive.Resources) == 0 {
		return err
	}
	r := x.inactive.Resources[0]
	o, err := scim.DecodeObject(r.Raw)
	if _, active, _ := scim.Member(o, "active"); err != nil || active != false {
		return nil // the filter is ignored
	}
	_, known, err := x.ids.find(idOf(r.ID, r.Raw))
	x.Hidden = err == nil && !known
	return err
}

// withoutStart reads on where startIndex is ignored: by cursor, or name by name.
func (x *listing) withoutStart(ctx context.Context) error {
	x.s.again()
	x.s.Pass--
	x.last = nil
	if first, err := x.openCursor(ctx); err == nil && first != nil {
		return x.follow(ctx)
	} else if err != nil && !refused(err) {
		return err
	}
	x.s.ByCursor, x.s.ByName = false, true
	return x.byName(ctx)
}
