package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// mostTexts bounds how many different warnings are kept apart.
const mostTexts = 20

// tally counts texts.
type tally struct {
	counts map[string]int64
	others int64 // of texts beyond those
}

func (t *tally) add(text string) {
	if _, known := t.counts[text]; !known && len(t.counts) == mostTexts {
		t.others++
		return
	}
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[text]++
}

// lines are the texts with their counts, the most frequent first.
func (t *tally) lines() []string {
	texts := slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(a, b))
	})
	for i, text := range texts {
		texts[i] = fmt.Sprintf("%s (%s)", text, rowCount(t.counts[text]))
	}
	if t.others > 0 {
		texts = append(texts, fmt.Sprintf("further warnings (%s)", rowCount(t.others)))
	}
	return texts
}

func rowCount(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return grouped(n) + " rows"
}

// Findings are what the rows so far have shown, a line each: what was taken
// from cells, what looks like damage, and what was left out of rows.
func (mp *Mapper) Findings() []string {
	var list []string
	if done := mp.hygiene.String(); done != "" {
		list = append(list, done)
	}
	list = append(list, mp.Suspicions()...)
	return append(list, mp.warnings.lines()...)
}
