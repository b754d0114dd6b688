package pipeline

import (
	"context"
	"fmt"
	"reflect"

	"scimbulk/internal/scim"
)

// aheadPage is a page that was read before it was known to be needed.
type aheadPage struct {
	of   scim.ListOptions
	page *scim.Page
}

// Ahead reads the first page as it has to be asked for where the directory can
// sort, while it is still being asked whether it can: one round trip less, of
// the few that other workers cannot share. Run and WriteTo use the page if they
// need the same; if not, it was one request in vain. It must be done before they
// begin. An error is left to them.
func (e *Export) Ahead(ctx context.Context) {
	guess := *e
	guess.Config.Sort = true
	q := guess.options()
	q.SortBy = sortByID
	q.Attributes = guess.asked(sortByID)
	if filters := guess.filters(); len(filters) > 0 {
		q.Filter = filters[0]
	}
	trial := q
	trial.Trial = true // whoever may not need a page does not wait for it
	if page, err := e.Client.List(ctx, e.Endpoint, trial); err == nil {
		e.ahead = &aheadPage{q, page}
	}
}

// first reads the first page for those who decide by it whether to read on: Run
// begins with it then.
func (e *Export) first(ctx context.Context) (*scim.Page, error) {
	q := e.options()
	page, err := e.Client.List(ctx, e.Endpoint, q)
	if err != nil {
		return nil, fmt.Errorf("asking the directory for its %s: %w", e.Endpoint, err)
	}
	e.ahead = &aheadPage{q, page}
	return page, nil
}

// list reads a page, unless it was read ahead. It is safe for concurrent use once
// the first page has been read.
func (x *listing) list(ctx context.Context, q scim.ListOptions) (*scim.Page, error) {
	if a := x.ahead; a != nil {
		x.ahead = nil
		if reflect.DeepEqual(a.of, q) {
			return a.page, nil
		}
	}
	return x.Client.List(ctx, x.Endpoint, q)
}
