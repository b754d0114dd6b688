package pipeline

import (
	"context"

	"golang.org/x/sync/errgroup"
)

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
