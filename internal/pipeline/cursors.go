package pipeline

import (
	"context"
	"errors"

	"scimbulk/internal/scim"
)

// openCursor reads the first page by cursor (RFC 9865). It returns nil where the
// directory has no cursors.
func (x *listing) openCursor(ctx context.Context) (*sheet, error) {
	x.s.SortBy = ""
	x.sortBy.Store("")
	start := ""
	q := x.options(0)
	q.Cursor = &start
	first, err := x.page(ctx, q)
	if err != nil {
		return nil, err
	}
	last := first.NextCursor == ""
	if last && first.HasTotal && len(first.items) < first.TotalResults || last && !x.Config.CursorsOnly {
		return nil, nil
	}
	x.s.ByCursor, x.s.Cursor, x.s.Ended = true, first.NextCursor, last
	x.begun(first)
	if len(first.items) == 0 {
		return first, nil
	}
	return first, x.accept(first)
}

// follow goes from page to page by cursor. A cursor that has expired, as it may
// between two sessions, makes it begin again: what it has is passed over.
func (x *listing) follow(ctx context.Context) error {
	for barren := 0; x.s.Cursor != ""; {
		if err := x.interrupted(); err != nil {
			return err
		}
		cursor := x.s.Cursor
		q := x.options(0)
		q.Cursor = &cursor
		s, err := x.page(ctx, q)
		if expired(err) && x.s.Restarted < maxRepairs {
			x.s.Restarted++
			empty := ""
			q.Cursor = &empty
			s, err = x.page(ctx, q)
		}
		if err != nil {
			return err
		}
		fresh := x.s.Fresh
		x.s.Cursor = s.NextCursor
		if s.HasTotal {
			x.s.Claimed = int64(s.TotalResults)
		}
		if len(s.items) > 0 {
			if err := x.accept(s); err != nil {
				return err
			}
		}
		if barren++; x.s.Fresh > fresh || x.s.Restarted > 0 {
			barren = 0
		}
		if s.NextCursor == cursor || barren > maxRepairs {
			x.s.gap("the directory's cursor leads nowhere")
			return nil
		}
	}
	x.s.Ended = true
	return x.recount(ctx)
}

// recount asks for the total once more, and for what has changed. Where the
// directory refuses a page of none, what it has said last stands.
func (x *listing) recount(ctx context.Context) error {
	if !x.s.NoTotal {
		q := x.options(1)
		q.Count = 0
		if x.Config.CursorsOnly {
			start := ""
			q.Cursor = &start
		}
		page, err := x.Client.List(ctx, x.Endpoint, q)
		if err := unlessRefused(ctx, err); err != nil {
			return err
		}
		if err == nil && page.HasTotal {
			x.s.Claimed = int64(page.TotalResults)
		}
	}
	changed := x.newChanges()
	if err := changed.ask(ctx); err != nil {
		return err
	}
	return changed.merge(ctx)
}

// expired says that a cursor can be used no more (RFC 9865 §4).
func expired(err error) bool {
	var fault *scim.Error
	return errors.As(err, &fault) && (fault.ScimType == "expiredCursor" || fault.ScimType == "invalidCursor" || fault.Status == 410)
}
