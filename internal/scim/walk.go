package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
)

// Gap reports that a listing claimed more resources than its pages brought.
type Gap struct {
	Endpoint      Endpoint
	Seen, Claimed int
	// Reason is what the pages looked like when they stopped bringing news.
	Reason string
}

func (g *Gap) Error() string {
	return fmt.Sprintf("listing %s is incomplete: the server claims %d, its pages brought %d (%s)",
		g.Endpoint, g.Claimed, g.Seen, g.Reason)
}

// All lists every resource once. It advances by what it received, follows
// cursors where the server gives them, and ends when a page brings nothing new:
// totals and page sizes have been seen to be wrong in either direction. An
// error ends the listing; a [Gap] comes after the last resource.
//
// Count is the page size here, 0 or less for the provider's own.
func (c *Client) All(ctx context.Context, e Endpoint, q ListOptions) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		w := newWalk(c.profile, e, q)
		for !w.done {
			page, err := c.List(ctx, e, w.options)
			if err != nil {
				if w.shrink(err) {
					continue
				}
				yield(Resource{}, err)
				return
			}
			for _, r := range w.advance(page) {
				if !yield(r, nil) {
					return
				}
			}
		}
		if gap := w.gap(); gap != nil {
			yield(Resource{}, gap)
		}
	}
}

// walk is the state of a listing between two pages.
type walk struct {
	endpoint Endpoint
	smallest int // a page that every provider grants
	options  ListOptions
	done     bool

	// seen holds a hash of each id: eight bytes a resource. Two ids of one
	// hash would lose a resource about once in thirty million listings of a
	// million, and the total would tell.
	seen map[uint64]struct{}
	seed maphash.Seed

	claimed  int // the total on the last page that brought news
	hasTotal bool
	reason   string
	byCursor bool
	barren   int // cursor pages in a row without news
}

func newWalk(p Profile, e Endpoint, q ListOptions) *walk {
	if q.Count <= 0 {
		q.Count = p.PageSizeFor(e, q.Attributes, q.ExcludedAttributes)
	}
	if p.MaxPageSize > 0 {
		q.Count = min(q.Count, p.MaxPageSize)
	}
	if q.StartIndex < 1 {
		q.StartIndex = 1
	}
	return &walk{
		endpoint: e,
		smallest: max(1, p.PageSize),
		options:  q,
		seen:     map[uint64]struct{}{},
		seed:     maphash.MakeSeed(),
	}
}

// shrink asks for smaller pages after the provider refused a large one.
func (w *walk) shrink(err error) bool {
	var fault *Error
	if !errors.As(err, &fault) || !fault.Oversized || w.options.Count <= w.smallest {
		return false
	}
	w.options.Count = max(w.smallest, w.options.Count/2)
	return true
}

// advance returns what is new on a page, and moves to the next one.
func (w *walk) advance(page *Page) []Resource {
	var fresh []Resource
	for _, r := range page.Resources {
		if w.isNew(r) {
			fresh = append(fresh, r)
		}
	}
	if page.HasTotal && (len(fresh) > 0 || len(w.seen) == 0) {
		w.claimed, w.hasTotal = page.TotalResults, true
	}
	if page.NextCursor != "" || w.byCursor {
		w.followCursor(page, len(fresh))
		return fresh
	}
	w.followIndex(page, len(fresh))
	return fresh
}

func (w *walk) isNew(r Resource) bool {
	var h uint64
	if r.ID != "" {
		h = maphash.String(w.seed, r.ID)
	} else {
		h = maphash.Bytes(w.seed, r.Raw)
	}
	if _, known := w.seen[h]; known {
		return false
	}
	w.seen[h] = struct{}{}
	return true
}

// followIndex moves on by the resources received, never by those asked for or
// announced (RFC 7644 §3.4.2.4).
func (w *walk) followIndex(page *Page, fresh int) {
	w.options.StartIndex += len(page.Resources)
	w.options.Cursor = nil
	switch {
	case len(page.Resources) == 0:
		w.done, w.reason = true, "the next page was empty"
	case fresh == 0:
		w.done, w.reason = true, "the next page brought nothing new: the server may ignore startIndex, or change the order between pages"
	}
}

// followCursor ends with the page that has no next one (RFC 9865 §2). A page
// may be empty on the way, but not for ever.
func (w *walk) followCursor(page *Page, fresh int) {
	const patience = 3
	w.barren++
	if fresh > 0 {
		w.barren = 0
	}
	previous := w.options.Cursor
	switch {
	case page.NextCursor == "":
		w.done, w.reason = true, "the server named no further page"
	case previous != nil && *previous == page.NextCursor, w.barren >= patience:
		w.done, w.reason = true, "the server's cursor leads nowhere"
	}
	next := page.NextCursor
	w.byCursor, w.options.Cursor = true, &next
}

func (w *walk) gap() error {
	if !w.hasTotal || len(w.seen) >= w.claimed {
		return nil
	}
	return &Gap{Endpoint: w.endpoint, Seen: len(w.seen), Claimed: w.claimed, Reason: w.reason}
}
