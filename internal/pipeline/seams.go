package pipeline

import "context"

// join takes a page that follows the one before, and makes sure that the two
// meet: that nothing lies between them.
func (x *listing) join(ctx context.Context, s *sheet) error {
	if len(s.items) == 0 {
		return nil
	}
	if x.startsOver(s) {
		if s.at <= s.TotalResults {
			return errNoStart
		}
		return nil // it lies behind the last resource
	}
	if x.last == nil || x.s.ByOne || same(s.items[0], x.last[len(x.last)-1]) {
		return x.accept(s)
	}
	x.s.Shifted++
	if !meet(x.last, s.items) {
		if err := x.mend(ctx, s); err != nil {
			return err
		}
	}
	return x.accept(s)
}

// startsOver says whether a page further on begins as the first one did.
func (x *listing) startsOver(s *sheet) bool {
	return s.at > 1 && s.firstID() == x.s.First && x.last != nil && !same(s.items[0], x.last[len(x.last)-1])
}

// accept keeps the resources of a page, and how far the reading has come.
func (x *listing) accept(s *sheet) error {
	if x.s.SortBy != "" {
		x.s.Order = x.s.Order.narrowed(s.items)
	}
	for i := range s.items {
		shared := i == 0 && x.last != nil && same(x.last[len(x.last)-1], s.items[0])
		if err := x.add(&s.items[i], shared); err != nil {
			return err
		}
	}
	x.last = s.items
	x.s.states(s)
	x.s.after(s)
	x.s.measure(len(s.items), s.end() <= s.TotalResults && !s.few && !x.s.ByCursor && !x.s.ByName)
	x.Meter.Done.Store(x.count())
	return x.keep()
}

// same says whether two pages show one resource in one place of their order.
func same(a, b item) bool { return a.id == b.id && a.key == b.key }

// meet says whether two pages overlap: one begins or ends inside the other, and
// whatever is on both comes in the same order, in the same place of the order.
// Then every resource that stayed where it was is on one of them, or lies outside
// both.
func meet(a, b []item) bool {
	at := make(map[string]int, len(a))
	for i, it := range a {
		at[it.id] = i
	}
	last, ends, begins := -1, false, false
	for i, it := range b {
		place, shared := at[it.id]
		if !shared || a[place].key != it.key {
			continue
		}
		if place <= last {
			return false
		}
		last, begins, ends = place, begins || i == 0, place == len(a)-1
	}
	return begins || ends
}

// mend reads the pages around a place where two do not meet, because something
// came or went before it while they were read.
func (x *listing) mend(ctx context.Context, next *sheet) error {
	from, to := x.s.Next+1, next.at
	if x.s.Open >= maxRepairs {
		x.s.leaveOpen(from, to, x.size.size())
		return nil
	}
	at := max(1, next.at-x.size.size()/2)
	for range maxRepairs {
		s, err := x.page(ctx, x.options(at))
		if err != nil {
			return err
		}
		if len(s.items) == 0 || !meet(x.last, s.items) {
			at = max(1, at-x.size.size()/2)
			continue
		}
		if err := x.accept(s); err != nil {
			return err
		}
		if meet(s.items, next.items) {
			x.s.Open = 0
			x.s.Mended++
			return nil
		}
		at = s.end() - 1
	}
	x.s.leaveOpen(from, to, x.size.size())
	return nil
}
