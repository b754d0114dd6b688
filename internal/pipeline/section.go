package pipeline

import "fmt"

// section is one listing of an export, everything under one filter: how far its
// reading has come, and what speaks for its completeness. It is kept with the
// pages, so that resume goes on with it.
type section struct {
	Index int   `json:"section"`
	Since int64 `json:"since"`          // where the section's pages begin
	Pass  int   `json:"pass,omitempty"` // readings before this one

	place
	manner
	tally
	seams

	Grade   string   `json:"grade,omitempty"` // when it is done
	Reasons []string `json:"reasons,omitempty"`
}

// place is how far a reading has come: the page that was read last ended with a
// resource at an index, where the next one begins; or it named a cursor.
type place struct {
	Next    int    `json:"next,omitempty"`
	LastID  string `json:"last,omitempty"`
	LastKey string `json:"key,omitempty"`
	First   string `json:"first,omitempty"` // what the first page began with
	Cursor  string `json:"cursor,omitempty"`
	Reached bool   `json:"reached,omitempty"` // the last page had room for more than there is
	Ended   bool   `json:"ended,omitempty"`   // nothing follows it
}

// after moves the place behind a page.
func (p *place) after(s *sheet) {
	last := s.items[len(s.items)-1]
	p.Next, p.LastID, p.LastKey = s.end()-1, last.id, last.key
	p.Reached = len(s.items) < s.asked && s.end() > s.TotalResults
}

// manner is in which way, and in which order, the pages are had.
type manner struct {
	SortBy    string   `json:"sortBy,omitempty"`
	Order     ordering `json:"order,omitempty"` // in which all pages came
	ByCursor  bool     `json:"byCursor,omitempty"`
	ByName    bool     `json:"byName,omitempty"`    // by partitions of the names
	OnePage   bool     `json:"onePage,omitempty"`   // all came in the first page
	ByOne     bool     `json:"byOne,omitempty"`     // pages of one, which cannot overlap
	Restarted int      `json:"restarted,omitempty"` // cursors that have expired
}

// tally is how many resources there are, and how many the directory claims.
type tally struct {
	Began     int64 `json:"began"`   // claimed by the first page
	Claimed   int64 `json:"claimed"` // by the last
	NoTotal   bool  `json:"noTotal,omitempty"`
	Drifted   bool  `json:"drifted,omitempty"` // a page states another total than the first
	Fresh     int64 `json:"fresh"`             // distinct resources
	Late      int64 `json:"late,omitempty"`    // of them, those that no page has shown, but the search for changes
	Repeated  int64 `json:"repeated,omitempty"`
	Pages     int64 `json:"pages"`
	Unchanged bool  `json:"unchanged,omitempty"` // the directory shows that nothing was changed meanwhile
}

// begins takes in the total of the first page.
func (t *tally) begins(s *sheet) { t.Began, t.NoTotal = int64(s.TotalResults), !s.HasTotal }

// states takes in the total of any page.
func (t *tally) states(s *sheet) {
	t.Pages++
	t.Drifted = t.Drifted || !s.HasTotal || int64(s.TotalResults) != t.Began
}

// seams is how the pages of a reading fit together.
type seams struct {
	Shifted int   `json:"shifted,omitempty"` // pages that did not begin with the last of the one before
	Full    int   `json:"full,omitempty"`    // resources on the largest page, of any reading
	Uneven  int   `json:"uneven,omitempty"`  // smaller ones that were not the last
	Mended  int   `json:"mended,omitempty"`
	Open    int   `json:"open,omitempty"` // places in a row that could not be mended
	Gaps    []gap `json:"gaps,omitempty"`
}

// measure notes the size of a page. more says that others follow it, so that
// there is no reason for it to be small.
func (m *seams) measure(size int, more bool) {
	m.Full = max(m.Full, size)
	if size < m.Full && more {
		m.Uneven++
	}
}

// leaveOpen notes an interval in which resources may be missing. One that begins
// within a page of the one before is part of it.
func (m *seams) leaveOpen(from, to, page int) {
	const why = "pages that do not meet"
	m.Open++
	if n := len(m.Gaps); n > 0 && m.Gaps[n-1].Why == why && m.Gaps[n-1].To >= from-page {
		m.Gaps[n-1].To = max(to, m.Gaps[n-1].To)
		return
	}
	m.Gaps = append(m.Gaps, gap{From: min(from, to), To: max(from, to), Why: why})
}

// gap notes another reason why a listing cannot be called whole.
func (m *seams) gap(format string, args ...any) {
	m.Gaps = append(m.Gaps, gap{Why: fmt.Sprintf(format, args...)})
}

// even says that all pages met at once.
func (m *seams) even() bool { return m.Shifted == 0 && m.Uneven == 0 && len(m.Gaps) == 0 }

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
	s.place = place{}
	s.seams = seams{Full: s.Full}
	s.Order = anyOrdering
}

// whole says that the pages tell their end themselves: each states the same
// total, they meet and brought that many, and the last had room for more. Then
// the total needs no asking.
func (s *section) whole() bool {
	return s.Reached && !s.Drifted && s.Pass == 0 && !s.ByOne && s.even() && s.Fresh == s.Began
}
