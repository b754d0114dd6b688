package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/scim"
)

const (
	// maxRepairs is how often something that does not agree is read again: the
	// pages around a place where two do not meet, a whole listing, a listing by
	// cursors that have expired.
	maxRepairs = 3
	// overlap is how many resources each page shares with the one before: the
	// proof that nothing slipped through between the two.
	overlap = 1

	sortByID      = "id"
	sortByName    = "userName"
	sortByCreated = "meta.created"
)

// errNoStart ends the reading by index: the directory sends its first page
// whatever startIndex asks for.
var errNoStart = errors.New("the directory sends its first page whatever startIndex asks for")

// section is one listing of an export, everything under one filter: how far its
// reading has come, and what speaks for its completeness. It is kept with the
// pages, so that resume goes on with it.
type section struct {
	Index int   `json:"section"`
	Since int64 `json:"since"` // where the section's pages begin

	// The page that was read last ended with a resource at an index, where the
	// next one begins; or it named a cursor.
	Next    int    `json:"next,omitempty"`
	LastID  string `json:"last,omitempty"`
	LastKey string `json:"key,omitempty"`
	First   string `json:"first,omitempty"`
	Cursor  string `json:"cursor,omitempty"`

	SortBy string   `json:"sortBy,omitempty"`
	Order  ordering `json:"order,omitempty"` // in which all pages came

	Began     int64    `json:"began"` // totals: of the first page, of the last
	Claimed   int64    `json:"claimed"`
	NoTotal   bool     `json:"noTotal,omitempty"`
	Fresh     int64    `json:"fresh"`          // distinct resources
	Late      int64    `json:"late,omitempty"` // of them, those that no page has shown, but the search for changes
	Repeated  int64    `json:"repeated,omitempty"`
	Pages     int64    `json:"pages"`
	Pass      int      `json:"pass,omitempty"`    // readings before this one
	Shifted   int      `json:"shifted,omitempty"` // pages that did not begin with the last of the one before
	Full      int      `json:"full,omitempty"`    // resources on the largest page
	Uneven    int      `json:"uneven,omitempty"`  // smaller ones that were not the last
	Mended    int      `json:"mended,omitempty"`
	Open      int      `json:"open,omitempty"`    // places in a row that could not be mended
	Ended     bool     `json:"ended,omitempty"`   // nothing follows the last page
	Reached   bool     `json:"reached,omitempty"` // the page that was read last had room for more than there is
	Drifted   bool     `json:"drifted,omitempty"` // a page states another total than the first
	ByCursor  bool     `json:"byCursor,omitempty"`
	ByName    bool     `json:"byName,omitempty"`    // by partitions of the names
	OnePage   bool     `json:"onePage,omitempty"`   // all came in the first page
	ByOne     bool     `json:"byOne,omitempty"`     // pages of one, which cannot overlap
	Restarted int      `json:"restarted,omitempty"` // cursors that have expired
	Unchanged bool     `json:"unchanged,omitempty"` // the directory shows that nothing was changed meanwhile
	Gaps      []gap    `json:"gaps,omitempty"`      // of this pass
	Grade     string   `json:"grade,omitempty"`     // when it is done
	Reasons   []string `json:"reasons,omitempty"`
}

// gap is an interval in which resources may be missing, or another reason why a
// listing cannot be called whole.
type gap struct {
	From int    `json:"from,omitempty"`
	To   int    `json:"to,omitempty"`
	Why  string `json:"why"`
}

func (g gap) String() string {
	if g.To == 0 {
		return g.Why
	}
	return fmt.Sprintf("between the resources %d and %d: %s", g.From, g.To, g.Why)
}

// progress is what is kept with the pages.
type progress struct {
	Section *section   `json:"at"`
	Done    []*section `json:"done,omitempty"`
	Started time.Time  `json:"started,omitzero"` // by the directory's clock
	Newer   int64      `json:"newer,omitempty"`  // resources that were changed meanwhile, and read again
	Hidden  bool       `json:"hidden,omitempty"` // inactive people are listed apart
}

// listing is an export under way.
type listing struct {
	*Export
	pages     *Pages
	ids       *idIndex
	selection *selection
	emit      func(scim.Resource) error // each resource, when it is first read
	see       See                       // each that is exported, in each version
	onward    func() error              // called when pages were taken over; may be nil

	progress
	s        *section // progress.Section
	filter   string
	last     []item // the page before
	size     *pageSize
	sortBy   atomic.Value    // s.SortBy, for the workers
	ignored  atomic.Bool     // the selection of attributes
	inactive *scim.Page      // one of the inactive people, once asked for
	take     context.Context // done when no further page is to be read
}

func newListing(e *Export, pages *Pages) *listing {
	x := &listing{
		Export: e, pages: pages, ids: pages.indexed(pages.idAt),
		selection: newSelection(e.Attributes, e.ExcludedAttributes),
		size:      newPageSize(e.firstPageSize(), e.mostPageSize()),
	}
	x.sortBy.Store("")
	return x
}

// run reads everything. When take is done no further pages are asked for; those
// in hand are kept, and the error is ErrInterrupted.
func (x *listing) run(take, ctx context.Context) (*Listing, error) {
	x.take = take
	x.Meter.Phase.Store(PhaseRead)
	for i := len(x.Done); i < len(x.sections()); i++ {
		x.filter = x.sections()[i]
		if x.Section == nil {
			x.Section = &section{Index: i, Since: x.pages.size}
		}
		x.s = x.Section
		x.sortBy.Store(x.s.SortBy)
		if err := x.read(ctx); err != nil {
			return nil, err
		}
		if i == 0 {
			if err := x.findHidden(ctx); err != nil {
				return nil, err
			}
		}
		x.s.Grade, x.s.Reasons = x.s.judge(x.Endpoint)
		x.Done, x.Section, x.last = append(x.Done, x.s), nil, nil
		if err := x.keep(); err != nil {
			return nil, err
		}
	}
	return x.result(), nil
}

// sections are the filters of the listings, with that of people whom the plain
// listing turned out to hide.
func (x *listing) sections() []string {
	filters := x.filters()
	if x.Hidden {
		filters = append(filters, both(x.Filter, inactivePeople))
	}
	return filters
}

// read reads one section, from where it was left.
func (x *listing) read(ctx context.Context) error {
	err := x.readOnce(ctx)
	for err == nil && x.s.Pass < maxRepairs && x.s.lacking() && !x.s.ByName {
		x.s.again()
		x.last = nil
		err = x.readOnce(ctx)
	}
	return err
}

// lacking says whether another reading may bring what is missing.
func (s *section) lacking() bool {
	return len(s.Gaps) > 0 && (s.NoTotal || s.Fresh < s.Claimed) || s.short() || s.moved()
}

// moved says that resources came twice where pages do not meet, and that the
// total is no help.
func (s *section) moved() bool {
	return (len(s.Gaps) > 0 || s.ByOne && s.Repeated > 0) && s.Fresh > s.Claimed
}

// again begins another reading of the section.
func (s *section) again() {
	s.Pass++
	s.Next, s.LastID, s.LastKey, s.Cursor, s.Gaps, s.Open, s.Ended = 0, "", "", "", nil, 0, false
	s.Shifted, s.Mended, s.Uneven = 0, 0, 0
	s.Order = anyOrdering
}

func (x *listing) readOnce(ctx context.Context) error {
	total := int(max(x.s.Began, x.s.Claimed))
	if x.s.Next == 0 && x.s.Cursor == "" && !x.s.ByName {
		first, err := x.open(ctx)
		if err != nil || len(first.items) == 0 {
			x.s.Ended, x.s.OnePage = true, true
			return err
		}
		total = first.TotalResults
	}
	switch {
	case x.s.ByName:
		return x.byName(ctx)
	case x.s.ByCursor:
		return x.follow(ctx)
	}
	if x.last == nil { // resumed
		x.last = []item{{id: x.s.LastID, key: x.s.LastKey}}
	}
	c := x.newClosing()
	err := x.spread(ctx, x.s.Next, total, c.askEarly)
	if err == nil {
		err = x.finish(ctx, c)
	}
	if errors.Is(err, errNoStart) {
		return x.withoutStart(ctx)
	}
	return err
}

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
	if x.s.Pass == 0 {
		x.s.Began, x.s.NoTotal = int64(first.TotalResults), !first.HasTotal
		if x.Started.IsZero() {
			x.Started = first.Response.Date
		}
	}
	x.s.Claimed = int64(first.TotalResults)
	x.s.First = first.firstID()
	x.Meter.Total.Store(max(x.Meter.Total.Load(), x.count()+int64(first.TotalResults)))
	x.s.OnePage = x.s.Pass == 0 && len(first.items) >= first.TotalResults && first.HasTotal
	x.s.ByOne = len(first.items) == 1 && first.TotalResults > 1
	if first.NextCursor != "" {
		x.s.ByCursor, x.s.Cursor = true, first.NextCursor
	}
	return first, x.join(ctx, first)
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

// options ask for a page from an index on.
func (x *listing) options(start int) scim.ListOptions {
	q := x.Export.options()
	q.Filter, q.SortBy, q.StartIndex, q.Count, q.Attributes = x.filter, x.s.SortBy, start, x.size.size(), x.asked(x.s.SortBy)
	return q
}

// page reads one page, and a smaller one where the directory refuses a large
// one. It is safe for concurrent use.
func (x *listing) page(ctx context.Context, q scim.ListOptions) (*sheet, error) {
	q.Trial = q.Count > x.size.proven()
	for {
		page, err := x.list(ctx, q)
		if again := 0; err != nil {
			if again = x.size.refused(q.Count, err); again == 0 {
				return nil, err
			}
			q.Count, q.Trial = again, false
			continue
		}
		bytes := 0
		for _, r := range page.Resources {
			bytes += len(r.Raw)
		}
		got := len(page.Resources)
		more := page.NextCursor != "" || q.Cursor == nil && q.StartIndex+got-1 < page.TotalResults
		x.size.came(q.Count, got, bytes, page.Response.Took, more)
		s, err := x.sheet(q.StartIndex, page)
		if err == nil {
			s.asked, s.few = q.Count, got >= q.Count
		}
		return s, err
	}
}

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
	last := s.items[len(s.items)-1]
	x.last = s.items
	x.s.Drifted = x.s.Drifted || !s.HasTotal || int64(s.TotalResults) != x.s.Began
	x.s.Reached = len(s.items) < s.asked && s.end() > s.TotalResults
	x.s.Pages++
	x.s.Full = max(x.s.Full, len(s.items))
	if len(s.items) < x.s.Full && s.end() <= s.TotalResults && !s.few && !x.s.ByCursor && !x.s.ByName {
		x.s.Uneven++
	}
	x.s.Next, x.s.LastID, x.s.LastKey = s.end()-1, last.id, last.key
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
		x.leaveOpen(from, to)
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
	x.leaveOpen(from, to)
	return nil
}

// leaveOpen notes an interval in which resources may be missing.
func (x *listing) leaveOpen(from, to int) {
	const why = "pages that do not meet"
	x.s.Open++
	if n := len(x.s.Gaps); n > 0 && x.s.Gaps[n-1].Why == why && x.s.Gaps[n-1].To >= from-x.size.size() {
		x.s.Gaps[n-1].To = max(to, x.s.Gaps[n-1].To)
		return
	}
	x.s.Gaps = append(x.s.Gaps, gap{From: min(from, to), To: max(from, to), Why: why})
}

// add keeps a resource that is new, or newer than it was. shared says that it
// is where two pages overlap.
func (x *listing) add(it *item, shared bool) error {
	if shared && string(it.line) == string(x.last[len(x.last)-1].line) {
		return nil
	}
	place, known, err := x.ids.find(it.id)
	switch {
	case err != nil:
		return err
	case !known:
		return x.addNew(it)
	case place < x.s.Since: // it came under another filter before
		x.s.Fresh++
		return x.revise(place, it, true)
	case !shared && x.s.Pass == 0:
		x.s.Repeated++
	}
	return x.revise(place, it, false)
}

func (x *listing) addNew(it *item) error {
	place, err := x.pages.add(*it)
	if err == nil {
		err = x.ids.put(it.id, place)
	}
	if err != nil {
		return err
	}
	x.s.Fresh++
	if x.emit != nil {
		if err := x.emit(it.raw); err != nil {
			return err
		}
	}
	return x.show(it)
}

func (x *listing) show(it *item) error {
	keep := it.keep
	if keep == nil {
		return nil
	}
	it.keep = nil
	return keep()
}

// revise keeps another version of a resource, unless it is older than the one
// that is there.
func (x *listing) revise(place int64, it *item, always bool) error {
	line, err := x.pages.at(place)
	if err != nil {
		return err
	}
	have := resource(line)
	if have == nil || it.leftOut {
		return nil
	}
	differs := string(have) != string(it.line)
	if !differs && !always || differs && older(it.line, have) {
		return nil
	}
	if place, err = x.pages.replace(place, *it); err != nil {
		return err
	}
	if differs {
		x.Newer++
	}
	if err := x.ids.put(it.id, place); err != nil {
		return err
	}
	return x.show(it)
}

// older compares the times of two versions of a resource. Of two that tell none,
// the one that was read later is the newer.
func older(a, b []byte) bool {
	return timeBefore(modified(a), modified(b))
}

func modified(text []byte) string {
	o, err := scim.DecodeObject(text)
	if err != nil {
		return ""
	}
	return keyIn(o, "meta.lastModified")
}

// count counts the resources so far.
func (x *listing) count() int64 { return int64(x.ids.n) }

func (x *listing) gap(format string, args ...any) {
	x.s.Gaps = append(x.s.Gaps, gap{Why: fmt.Sprintf(format, args...)})
}

// interrupted says whether no further pages are to be read.
func (x *listing) interrupted() error {
	if x.take.Err() == nil {
		return nil
	}
	return context.Cause(x.take)
}

// keep writes how far the reading has come behind the pages, and has it noted.
func (x *listing) keep() error {
	if x.onward != nil {
		if err := x.onward(); err != nil {
			return err
		}
	}
	if x.Note == nil {
		return nil
	}
	text, err := json.Marshal(&x.progress)
	if err != nil {
		return err
	}
	if _, err := x.pages.line([]byte{lineState}, text); err != nil {
		return err
	}
	m, err := x.pages.mark()
	if err != nil {
		return err
	}
	m.Read = x.count()
	return x.Note(m)
}
