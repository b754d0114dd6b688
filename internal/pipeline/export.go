package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// What an export does with inactive people.
const (
	InactiveInclude = "include"
	InactiveExclude = "exclude"
	InactiveOnly    = "only"
)

// Export reads all resources of one type.
type Export struct {
	Client             *scim.Client
	Profile            scim.Profile
	Endpoint           scim.Endpoint
	Filter             string
	Attributes         []string
	ExcludedAttributes []string
	Inactive           string
	PageSize           int // 0: the provider's own
	Workers            int
	Meter              *Meter
	Layout             Layout // of a CSV file; nil: one column a path
}

// Listing is what an export has found, and how whole it is.
type Listing struct {
	Claimed  int64    // what the directory says it holds, after the last page
	Read     int64    // distinct resources
	Repeated int64    // resources that came on more than one page
	Gaps     []string // why the listing cannot be called whole
	Notes    []string // what else there is to say of it
	Cursor   bool     // the pages were read one after the other, by cursor
}

// Whole says whether every resource that the directory claims was read.
func (l *Listing) Whole() bool { return len(l.Gaps) == 0 }

// maxRepairs is how often a listing whose totals do not agree is read again.
const maxRepairs = 3

// Run reads the directory and hands each resource to emit once, in the order of
// its pages, from one goroutine. The resource is emit's to keep.
func (e *Export) Run(ctx context.Context, emit func(scim.Resource) error) (*Listing, error) {
	x := &listing{Export: e, ids: newIDSet(), emit: emit, result: &Listing{}}
	e.Meter.Phase.Store(PhaseRead)
	for _, filter := range e.filters() {
		if err := x.list(ctx, filter); err != nil {
			return x.result, err
		}
	}
	return x.result, nil
}

// filters are the listings that make up the export: some providers list their
// inactive people apart.
func (e *Export) filters() []string {
	apart := e.Profile.InactiveFilter
	if apart == "" || e.Endpoint != scim.Users {
		return []string{e.Filter}
	}
	inactive := apart
	if e.Filter != "" {
		inactive = "(" + e.Filter + ") and " + apart
	}
	switch e.Inactive {
	case InactiveExclude:
		return []string{e.Filter}
	case InactiveOnly:
		return []string{inactive}
	}
	return []string{e.Filter, inactive}
}

// listing is an export under way.
type listing struct {
	*Export
	ids    *idSet
	emit   func(scim.Resource) error
	result *Listing
	filter string
	first  string // id of the first resource of the first page
	fresh  int64  // distinct resources under the present filter
	moved  int64  // of them, those that came twice while the pages were read once
}

// list reads everything under one filter, and again where the totals do not
// prove that nothing slipped through between two pages.
func (x *listing) list(ctx context.Context, filter string) error {
	x.filter, x.fresh, x.moved = filter, 0, 0
	var claimed int64
	for pass := range 1 + maxRepairs {
		repeated := x.result.Repeated
		if err := x.pages(ctx); err != nil {
			return err
		}
		if pass == 0 {
			x.moved = x.result.Repeated - repeated
		}
		total, known, err := x.total(ctx)
		if err != nil {
			return err
		}
		claimed = total
		if len(x.result.Gaps) > 0 || x.proven(claimed, known) {
			x.result.Claimed += claimed
			return nil
		}
	}
	x.result.Claimed += claimed
	if x.fresh < claimed {
		x.gap("the directory claims %d %s, and %d readings of its pages brought %d", claimed, x.Endpoint, 1+maxRepairs, x.fresh)
	} else {
		x.gap("%d %s came on more than one page and the directory's total (%d) cannot be trusted: others may be on none", x.moved, x.Endpoint, claimed)
	}
	return nil
}

// proven says whether the pages can be believed to have brought everything: as
// many resources as the directory claims or, where its total says less than its
// pages bring, pages without one resource that moved.
func (x *listing) proven(claimed int64, known bool) bool {
	switch {
	case known && x.fresh == claimed:
		return true
	case known && x.fresh < claimed, x.moved > 0:
		return false
	case known:
		x.note("the pages brought %d %s, more than the %d that the directory claims: its total proves nothing", x.fresh, x.Endpoint, claimed)
	default:
		x.note("the directory states no total of its %s", x.Endpoint)
	}
	return true
}

func (x *listing) note(format string, args ...any) {
	x.result.Notes = append(x.result.Notes, fmt.Sprintf(format, args...))
}

func (x *listing) gap(format string, args ...any) {
	x.result.Gaps = append(x.result.Gaps, fmt.Sprintf(format, args...))
}

// options ask for the first page.
func (e *Export) options() scim.ListOptions {
	count := e.PageSize
	if count <= 0 {
		count = e.Profile.PageSizeFor(e.Endpoint, e.Attributes, e.ExcludedAttributes)
	}
	if e.Profile.MaxPageSize > 0 {
		count = min(count, e.Profile.MaxPageSize)
	}
	return scim.ListOptions{
		Filter: e.Filter, StartIndex: 1, Count: count, Attributes: e.asked(), ExcludedAttributes: e.ExcludedAttributes,
	}
}

func (x *listing) options(start int) scim.ListOptions {
	q := x.Export.options()
	q.Filter, q.StartIndex = x.filter, start
	return q
}

// asked are the attributes to ask for. Whoever leaves people out by whether they
// are active has to see that.
func (e *Export) asked() []string {
	if len(e.Attributes) == 0 || e.Inactive == InactiveInclude || e.Endpoint != scim.Users {
		return e.Attributes
	}
	return append(slices.Clone(e.Attributes), "active")
}

// total asks how many resources there are now. Servers that do not say, or that
// send everything where nothing was asked for, are believed as far as they go.
func (x *listing) total(ctx context.Context) (claimed int64, known bool, err error) {
	q := x.options(1)
	q.Count = 0
	page, err := x.Client.List(ctx, x.Endpoint, q)
	if err != nil {
		return 0, false, err
	}
	return int64(page.TotalResults), page.HasTotal, nil
}

// pages reads the pages once: the first alone, which shows the true page size
// and the total, then the others in parallel, then on until one is empty.
func (x *listing) pages(ctx context.Context) error {
	first, err := x.page(ctx, x.options(1))
	if err != nil {
		return err
	}
	if first.HasTotal {
		x.Meter.Total.Store(max(x.Meter.Total.Load(), x.result.Read+int64(first.TotalResults)))
	}
	if _, err := x.take(first.Resources); err != nil || len(first.Resources) == 0 {
		return err
	}
	if first.NextCursor != "" {
		return x.cursors(ctx, first.NextCursor)
	}
	step, total := len(first.Resources), first.TotalResults
	x.first = firstID(first.Resources)
	f := &fan{listing: x, step: step}
	next, err := f.run(ctx, 1+step, total)
	if err != nil {
		return err
	}
	if f.stuck {
		x.gap("the directory sends its first page whatever startIndex asks for")
		return nil
	}
	return x.tail(ctx, next)
}

// page reads one page, and a smaller one where the directory refuses a large
// one.
func (x *listing) page(ctx context.Context, q scim.ListOptions) (*scim.Page, error) {
	for {
		page, err := x.Client.List(ctx, x.Endpoint, q)
		var failed *scim.Error
		if err == nil || q.Count <= 1 || !errors.As(err, &failed) || !failed.Oversized {
			return page, err
		}
		q.Count /= 2
	}
}

func firstID(resources []scim.Resource) string {
	if len(resources) == 0 {
		return ""
	}
	return resources[0].ID
}

// tail reads on where the total says that nothing more is: it may have been
// capped, or have grown.
func (x *listing) tail(ctx context.Context, start int) error {
	for {
		page, err := x.page(ctx, x.options(start))
		if err != nil {
			return err
		}
		fresh, err := x.take(page.Resources)
		if err != nil {
			return err
		}
		if fresh == 0 {
			x.result.Repeated -= int64(len(page.Resources)) // read past the end, and not moved
			return x.checkEnd(ctx, page.Resources)
		}
		start += len(page.Resources)
	}
}

// checkEnd makes sure that a page which brought nothing new means the end. Some
// directories send their last page again; others send the first one whatever
// startIndex asks for, and that is no end.
func (x *listing) checkEnd(ctx context.Context, page []scim.Resource) error {
	if len(page) == 0 {
		return nil
	}
	q := x.options(2)
	q.Count = 1
	second, err := x.page(ctx, q)
	if err != nil {
		return err
	}
	if x.fresh > 1 && firstID(second.Resources) == x.first {
		x.gap("the directory sends its first page whatever startIndex asks for")
	}
	return nil
}

// cursors follows the cursors of RFC 9865, which lead from page to page.
func (x *listing) cursors(ctx context.Context, cursor string) error {
	x.result.Cursor = true
	for cursor != "" {
		q := x.options(0)
		q.Cursor = &cursor
		page, err := x.page(ctx, q)
		if err != nil {
			return err
		}
		fresh, err := x.take(page.Resources)
		if err != nil {
			return err
		}
		if fresh == 0 && page.NextCursor == cursor {
			x.gap("the directory's cursor leads nowhere")
			return nil
		}
		cursor = page.NextCursor
	}
	return nil
}

// take emits what is new on a page, and says how much that was.
func (x *listing) take(resources []scim.Resource) (fresh int, err error) {
	for _, r := range resources {
		if !x.ids.add(idOf(r)) {
			x.result.Repeated++
			continue
		}
		fresh++
		x.fresh++
		x.result.Read++
		if err := x.emit(r); err != nil {
			return fresh, err
		}
	}
	x.Meter.Done.Store(x.result.Read)
	return fresh, nil
}

// idOf is the id of a resource, or all of it where a server sends none.
func idOf(r scim.Resource) string {
	if r.ID != "" {
		return r.ID
	}
	return string(r.Raw)
}

// IncompleteError says that an export has gaps.
type IncompleteError struct{ Gaps []string }

func (e *IncompleteError) Error() string {
	return "the export is incomplete: " + strings.Join(e.Gaps, "; ")
}
