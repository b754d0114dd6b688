package pipeline

import (
	"context"
	"errors"

	"scimbulk/internal/scim"
)

const (
	sortByID      = "id"
	sortByName    = "userName"
	sortByCreated = "meta.created"
)

// open reads the first page, in an order that can be checked if the directory
// can sort.
func (x *listing) open(ctx context.Context) (first *sheet, err error) {
	if x.s.ByCursor || x.Config.CursorsOnly && x.Thorough {
		if first, err = x.openCursor(ctx); first != nil || err != nil {
			return first, err
		}
		x.s.ByCursor = false // it has none after all
	}
	for _, sortBy := range x.orders() {
		x.s.SortBy, x.s.Order = sortBy, anyOrdering
		x.sortBy.Store(sortBy)
		q := x.options(1)
		q.Count -= q.Count / 4 * x.s.Pass // so that pages end elsewhere than before
		first, err = x.page(ctx, q)
		if err != nil && sortBy != "" && refused(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sortBy == "" || anyOrdering.narrowed(first.items) != 0 {
			break
		}
	}
	x.begun(first)
	x.s.First = first.firstID()
	x.Meter.Total.Store(max(x.Meter.Total.Load(), x.count()+int64(first.TotalResults)))
	x.s.OnePage = x.s.Pass == 0 && len(first.items) >= first.TotalResults && first.HasTotal
	x.s.ByOne = len(first.items) == 1 && first.TotalResults > 1
	if first.NextCursor != "" {
		x.s.ByCursor, x.s.Cursor = true, first.NextCursor
	}
	return first, x.join(ctx, first)
}

// begun takes in what the first page says of the whole.
func (x *listing) begun(first *sheet) {
	x.s.Claimed = int64(first.TotalResults)
	if x.s.Pass > 0 {
		return
	}
	x.s.begins(first)
	if x.Started.IsZero() {
		x.Started = first.Response.Date
	}
}

// orders are the orders to try, the last being the directory's own.
func (x *listing) orders() []string {
	switch {
	case x.s.Pass > 0:
		return []string{x.s.SortBy}
	case !x.Thorough || !x.Config.Sort:
		return []string{""}
	}
	orders := []string{sortByID}
	for _, name := range []string{sortByName, sortByCreated} {
		if (name != sortByName || x.Endpoint == scim.Users) && !namesPath(x.ExcludedAttributes, name) {
			orders = append(orders, name)
		}
	}
	return append(orders, "")
}

// refused says that the directory did not take a query.
func refused(err error) bool {
	var fault *scim.Error
	return errors.As(err, &fault) && fault.Status >= 400 && fault.Status != 401 && fault.Status != 429
}
