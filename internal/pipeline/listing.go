package pipeline

import (
	"context"
	"errors"
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
)

// errNoStart ends the reading by index: the directory sends its first page
// whatever startIndex asks for.
var errNoStart = errors.New("the directory sends its first page whatever startIndex asks for")

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

// withoutStart reads on where startIndex is ignored: by cursor, or name by name.
func (x *listing) withoutStart(ctx context.Context) error {
	x.s.again()
	x.s.Pass--
	x.last = nil
	if first, err := x.openCursor(ctx); err == nil && first != nil {
		return x.follow(ctx)
	} else if err != nil && !refused(err) {
		return err
	}
	x.s.ByCursor, x.s.ByName = false, true
	return x.byName(ctx)
}

// count counts the resources so far.
func (x *listing) count() int64 { return int64(x.ids.n) }

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
