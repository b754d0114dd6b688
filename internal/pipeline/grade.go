package pipeline

import (
	"fmt"

	"scimbulk/internal/scim"
)

// Grades of completeness, best first.
const (
	// GradeA: every resource that existed unchanged during the whole export is
	// in it exactly once.
	GradeA = "A"
	// GradeB: every resource is in it once and the totals speak for it, but the
	// order of the pages is not proven.
	GradeB = "B"
	// GradeC: something does not agree.
	GradeC = "C"
)

// judge grades a section. A is given for a proof only: pages in an order that
// was checked, each beginning with the resource that the one before ended with,
// up to a last one that nothing follows, and as many as the directory claimed
// before and after; or all in one page; or by cursor, as many as were claimed
// before and after, with nothing changed or made in the meantime, so that nothing
// can have taken the place of something that was missed.
func (s *section) judge(e scim.Endpoint) (grade string, reasons []string) {
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	agree := !s.NoTotal && s.Shifted == 0 && s.Uneven == 0 && s.Fresh-s.Late == s.Began && s.Began == s.Claimed && len(s.Gaps) == 0
	switch {
	case s.open():
		for _, g := range s.Gaps {
			say("%s", g)
		}
		if s.Uneven > 0 {
			say("%d pages in the middle came shorter than others, and the directory claimed %d %s before and %d after: %d were read", s.Uneven, s.Began, e, s.Claimed, s.Fresh)
		}
		if s.short() {
			say("the directory claims %d %s, and %d readings of its pages brought %d", s.Claimed, e, 1+s.Pass, s.Fresh)
		} else if s.moved() {
			say("%d %s came on more than one page and the directory's total (%d) cannot be trusted: others may be on none", s.Repeated, e, s.Claimed)
		}
		return GradeC, reasons
	case agree && s.OnePage && s.Ended && !s.ByCursor && !s.ByName:
		grade = GradeA
		say("all %d %s came in one page", s.Fresh, e)
	case agree && s.chained() && s.SortBy != "" && s.Order != 0:
		grade = GradeA
		say("%d %s in %d pages sorted by %s, each beginning with the last of the one before; the total was the same before and after", s.Fresh, e, s.Pages, s.SortBy)
	case agree && s.ByCursor && s.Ended && s.Repeated == 0 && s.Unchanged && s.Restarted == 0:
		grade = GradeA
		say("%d %s by cursor, as many as were claimed before and after; nothing was changed in the meantime", s.Fresh, e)
	default:
		grade = GradeB
		s.doubts(e, say)
	}
	return grade, reasons
}

// chained says that all pages met, to the end.
func (s *section) chained() bool {
	return len(s.Gaps) == 0 && s.Ended && !s.ByOne && !s.ByCursor && !s.ByName
}

// short says that fewer resources were read than there must have been all the
// time.
func (s *section) short() bool {
	least := s.Claimed
	if s.chained() {
		least = min(s.Began, s.Claimed) // what came meanwhile may be on no page
	}
	return !s.NoTotal && s.Fresh < least
}

// open says that a mismatch remains.
func (s *section) open() bool {
	if s.short() || s.moved() {
		return true
	}
	for _, g := range s.Gaps {
		if g.To == 0 {
			return true
		}
	}
	return (len(s.Gaps) > 0 || s.Uneven > 0 && !s.ByOne) && (s.NoTotal || s.Fresh != s.Claimed || s.Fresh != s.Began)
}

// doubts says why a section without gaps is not proven to be whole.
func (s *section) doubts(e scim.Endpoint, say func(string, ...any)) {
	switch {
	case s.ByName:
		say("%d %s by the beginnings of their names; the order of pages is not to be had", s.Fresh, e)
	case s.ByCursor:
		say("%d %s by cursor; that nothing was changed in the meantime is not proven", s.Fresh, e)
	case s.SortBy == "" || s.Order == 0:
		say("every resource once; the order of the pages is not proven to be stable")
	default:
		say("%d %s in %d pages sorted by %s", s.Fresh, e, s.Pages, s.SortBy)
	}
	switch {
	case s.NoTotal:
		say("the directory states no total of its %s", e)
	case s.Fresh == s.Began && s.Began == s.Claimed:
		say("totals agree")
	case s.Fresh > max(s.Began, s.Claimed):
		say("the pages brought %d %s, more than the %d that the directory claims: its total proves nothing, or some have gone", s.Fresh, e, s.Claimed)
	default:
		say("the directory claimed %d %s before and %d after, and %d were read: some came or went in the meantime", s.Began, e, s.Claimed, s.Fresh)
	}
	if s.Shifted > 0 && s.SortBy != "" && s.Order != 0 {
		say("%d pages did not begin where the one before ended: resources came, went or are hidden", s.Shifted)
	}
	if s.Uneven > 0 {
		say("%d pages in the middle came shorter than others", s.Uneven)
	}
	if len(s.Gaps) > 0 {
		say("%d places where pages do not meet were made up for by reading again", len(s.Gaps))
	}
}

// result sums the sections up.
func (x *listing) result() *Listing {
	l := &Listing{Grade: GradeA, Newer: x.Newer}
	for _, s := range x.Done {
		l.Claimed += s.Claimed
		l.Read += s.Fresh
		l.Repeated += s.Repeated
		l.Pages += s.Pages
		l.Cursor = l.Cursor || s.ByCursor
		l.Grade = max(l.Grade, s.Grade)
		l.Reasons = append(l.Reasons, s.Reasons...)
		if s.Grade == GradeC {
			l.Gaps = append(l.Gaps, s.Reasons...)
		}
	}
	if x.ignored.Load() {
		l.Reasons = append(l.Reasons, "the directory sends attributes that were not asked for; they were left out here")
	}
	if x.Newer > 0 {
		l.Reasons = append(l.Reasons, fmt.Sprintf("%d were changed in the meantime and read again", x.Newer))
	}
	if x.Hidden {
		l.Reasons = append(l.Reasons, "the directory's plain listing hides inactive people: they were listed apart")
	}
	l.Read = x.count()
	return l
}
