package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Reasons counts why rows were rejected, whatever line or value they name.
type Reasons struct {
	counts  map[Reason]int64
	example map[Reason]string // the first one, word for word
}

// Reason is a kind of reject.
type Reason struct{ Class, Text string }

// mostReasons bounds what is kept apart: a directory that puts the time in its
// error messages must not fill the memory.
const mostReasons = 1000

var (
	place  = regexp.MustCompile(`^[^"]*?:\d+(:\d+)?: `)
	quoted = regexp.MustCompile(`"[^"]*"`)
	number = regexp.MustCompile(`\b\d+\b`)
)

// Add counts a reject.
func (r *Reasons) Add(class, detail string) {
	if r.counts == nil {
		r.counts, r.example = map[Reason]int64{}, map[Reason]string{}
	}
	first, _, _ := strings.Cut(detail, "\n")
	first = place.ReplaceAllString(first, "")
	// What follows in brackets is the hint, which is the same for all.
	what, hint, hinted := strings.Cut(first, " (")
	what = quoted.ReplaceAllString(what, `"…"`)
	what = number.ReplaceAllString(what, "…")
	if hinted {
		what += " (" + hint
	}
	reason := Reason{class, what}
	if _, known := r.counts[reason]; !known && len(r.counts) >= mostReasons {
		reason.Text, first = "other reasons", "other reasons"
	}
	if r.counts[reason]++; r.counts[reason] == 1 {
		r.example[reason] = first
	}
}

// Commonest returns the commonest reasons, at most n, with their counts. One
// that was given once is given as it was.
func (r *Reasons) Commonest(n int) ([]Reason, []int64) {
	var reasons []Reason
	for reason := range r.counts {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b Reason) int {
		return cmp.Or(-cmp.Compare(r.counts[a], r.counts[b]), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Text, b.Text))
	})
	reasons = reasons[:min(n, len(reasons))]
	counts := make([]int64, len(reasons))
	for i, reason := range reasons {
		counts[i] = r.counts[reason]
		if counts[i] == 1 {
			reasons[i].Text = r.example[reason]
		}
	}
	return reasons, counts
}
