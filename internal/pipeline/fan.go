package pipeline

import (
	"context"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/scim"
)

// fan reads the pages of a listing in parallel and gives them back in order.
// It holds at most twice as many pages as there are workers.
type fan struct {
	*listing
	step  int  // resources on a full page
	stuck bool // the directory ignores startIndex
}

// part is the resources of one interval, on their way.
type part struct {
	start, want int
	resources   []scim.Resource
	done        chan struct{}
}

// run reads from start to total and returns the index behind the last resource.
func (f *fan) run(ctx context.Context, start, total int) (next int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, f.Workers) + 1) // the workers, and who starts them
	parts := make(chan *part, max(1, f.Workers))
	g.Go(func() error {
		defer close(parts)
		for at := start; at <= total; at += f.step {
			p := &part{start: at, want: min(f.step, total-at+1), done: make(chan struct{})}
			select {
			case parts <- p:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			g.Go(func() error { return f.fetch(ctx, p) })
		}
		return nil
	})
	var failed error
	for p := range parts {
		if err := f.accept(ctx, p); err != nil && failed == nil {
			failed = err
			cancel(err)
		}
	}
	err = g.Wait()
	if failed != nil {
		err = failed
	}
	return max(start, total+1), err
}

// accept takes a part over once it is there.
func (f *fan) accept(ctx context.Context, p *part) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if len(p.resources) > 0 && firstID(p.resources) == f.first {
		f.stuck = true
	}
	_, err := f.take(p.resources)
	return err
}

// fetch reads one interval. A page that is shorter than asked for is followed
// by another request for the rest: an interval ends where it ends, or where the
// directory has nothing more.
func (f *fan) fetch(ctx context.Context, p *part) error {
	for got := 0; got < p.want; {
		q := f.options(p.start + got)
		q.Count = p.want - got
		page, err := f.page(ctx, q)
		if err != nil {
			return err
		}
		if len(page.Resources) == 0 {
			break
		}
		got += len(page.Resources)
		p.resources = append(p.resources, page.Resources...)
	}
	close(p.done)
	return nil
}
