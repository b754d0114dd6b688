package pipeline

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// stretch is one interval of a listing on its way: the pages from an index up to
// another, both included.
type stretch struct {
	from, to int
	sheets   []*sheet
	done     chan struct{}
}

// spread reads on from the resource at an index, which begins the next page, up
// to where a page asks for more than the total: several pages at a time, taken
// over in their order. It holds up to twice as many pages as there are workers, so
// that none of them waits for a page to be decoded, or for one that is late; the
// client sees to it that no more requests are under way than there are workers.
// What closes the listing is asked while the last pages are under way.
func (x *listing) spread(ctx context.Context, from, total int, closing func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	held := x.held()
	waiting := make(chan *stretch, held)
	todo := make(chan *stretch)
	for range held + 1 {
		g.Go(func() error { return x.fetchAll(ctx, todo, total) })
	}
	g.Go(func() error {
		defer close(waiting)
		defer close(todo)
		for from <= total && x.take.Err() == nil {
			p := &stretch{from: from, to: from + max(overlap+1, x.size.size()) - 1, done: make(chan struct{})}
			for _, next := range []chan *stretch{waiting, todo} {
				select {
				case next <- p:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			if p.to > total {
				g.Go(func() error { return closing(ctx) })
				break
			}
			from = p.to + 1 - overlap
		}
		return nil
	})
	var failed error
	for p := range waiting {
		if failed != nil {
			continue
		}
		if failed = x.takeOver(ctx, p); failed != nil {
			cancel(failed)
		}
	}
	err := g.Wait()
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return x.interrupted()
}

// aheadBytes is about how much is held of pages beyond one a worker.
const aheadBytes = 2 << 20

// held is how many pages may be under way: two a worker, or less than that where
// they are large.
func (x *listing) held() int {
	page := 0
	for _, it := range x.last {
		page += len(it.line)
	}
	page = page / max(1, len(x.last)) * x.size.mayBecome()
	workers := max(1, x.Workers)
	return workers + max(1, min(workers, aheadBytes/max(1, min(page, largestPageBytes))))
}

// takeOver joins the pages of a stretch once they are there.
func (x *listing) takeOver(ctx context.Context, p *stretch) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for _, s := range p.sheets {
		if err := x.join(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// fetchAll reads stretches as they come: the first first, since the others wait
// for it.
func (x *listing) fetchAll(ctx context.Context, todo <-chan *stretch, total int) error {
	for p := range todo {
		if err := x.fetch(ctx, p, total); err != nil {
			return err
		}
	}
	return nil
}

// fetch reads one stretch. A page that is shorter than asked for is followed by
// another for the rest, which begins where it ended: pages are counted by what
// they hold (RFC 7644 §3.4.2.4).
func (x *listing) fetch(ctx context.Context, p *stretch, total int) error {
	for at := p.from; ; {
		q := x.options(at)
		q.Count = max(q.Count, p.to-at+1) // all of it, since some come short by a number
		if at == p.from {
			q.Count = p.to - at + 1
		}
		s, err := x.page(ctx, q)
		if err != nil {
			return err
		}
		if len(s.items) == 0 {
			break
		}
		if rest := p.to - at + 1; rest < len(s.items) {
			s.items, s.few = s.items[:rest], true
		}
		p.sheets = append(p.sheets, s)
		if s.end() > p.to || s.end() > total {
			break
		}
		at = max(at+1, s.end()-overlap)
	}
	close(p.done)
	return nil
}
