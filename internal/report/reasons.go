package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Reasons counts why rows were rejected, whatever line or value they name.
type Reasons struct {
	counts  map[Reason]int64
	example map[Reason]string   // the first one, word for word
	rows    map[Reason][]string // the first few, as people find them
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

// namedLines is how many rows of a reason are named by their line, and
// longestReason how many characters of it people are shown: rejects.csv has all.
const (
	namedLines    = 3
	longestReason = 300
)

// Add counts a reject. key is "" where nobody knows it any more.
func (r *Reasons) Add(line int64, key, class, detail string) {
	if r.counts == nil {
		r.counts, r.example, r.rows = map[Reason]int64{}, map[Reason]string{}, map[Reason][]string{}
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
	if len(r.rows[reason]) < namedLines {
		r.rows[reason] = append(r.rows[reason], rowName(line, key))
	}
}

func rowName(line int64, key string) string {
	name := fmt.Sprintf("line %d", line)
	if key != "" {
		name += " (" + harmless(cutTo(key, longestKey)) + ")"
	}
	return name
}

// Counted is a reason with how often it was given, and the first few rows.
type Counted struct {
	Reason
	Rows  int64
	First []string
}

// Commonest returns the reasons, the commonest first. One that was given once
// is given as it was.
func (r *Reasons) Commonest() []Counted {
	var all []Counted
	for reason, n := range r.counts {
		c := Counted{Reason: reason, Rows: n, First: r.rows[reason]}
		if n == 1 {
			c.Text = r.example[reason]
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Counted) int {
		return cmp.Or(-cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Text, b.Text))
	})
	return all
}

// Class is the rejects of one class.
type Class struct {
	Name    string
	Rows    int64
	Reasons []Counted
}

// Classes returns the reasons by class, the commonest first.
func (r *Reasons) Classes() []*Class {
	var classes []*Class
	for _, reason := range r.Commonest() {
		at := slices.IndexFunc(classes, func(c *Class) bool { return c.Name == reason.Class })
		if at < 0 {
			at = len(classes)
			classes = append(classes, &Class{Name: reason.Class})
		}
		classes[at].Rows += reason.Rows
		classes[at].Reasons = append(classes[at].Reasons, reason)
	}
	slices.SortStableFunc(classes, func(a, b *Class) int { return -cmp.Compare(a.Rows, b.Rows) })
	return classes
}

// shownReasons is how many reasons for rejects are named at a time.
const shownReasons = 10

// firstReasons are those that are shown, and what the others come to, "" for
// none.
func firstReasons(all []Counted) (shown []Counted, others string) {
	if len(all) <= shownReasons {
		return all, ""
	}
	shown, rest := all[:shownReasons], all[shownReasons:]
	var n int64
	for _, c := range rest {
		n += c.Rows
	}
	return shown, fmt.Sprintf("and %s for %s", moreRows(n), countText(int64(len(rest)), "other reason"))
}

func moreRows(n int64) string {
	if n == 1 {
		return "1 more row"
	}
	return fmt.Sprintf("%d more rows", n)
}

// shown is the reason as people are shown it.
func (r *Reason) shown() string { return harmless(cutTo(r.Text, longestReason)) }

// where names the rows of a reason: all of them, or the first few.
func (c *Counted) where() string {
	text := strings.Join(c.First, ", ")
	if more := c.Rows - int64(len(c.First)); more > 0 {
		text += fmt.Sprintf(" and %s", moreRows(more))
	}
	return text
}
