package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"scimbulk/internal/rows"
)

// TestRowSpool reads rows back in any order, as they were.
func TestRowSpool(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Just(strings.Repeat("long ", 300)), rapid.Just("\xff\x00"))
	rapid.Check(t, func(rt *rapid.T) {
		spool, err := newRowSpool()
		if err != nil {
			rt.Fatal(err)
		}
		defer spool.close()
		var kept []rows.Row
		var places []int64
		for range rapid.IntRange(1, 20).Draw(rt, "rows") {
			row := rows.Row{
				Number: rapid.Int64Min(0).Draw(rt, "number"), Line: rapid.Int64Min(0).Draw(rt, "line"), Offset: rapid.Int64Min(0).Draw(rt, "offset"),
			}
			if n := rapid.IntRange(0, 6).Draw(rt, "cells"); n > 0 {
				row.Cells = rapid.SliceOfN(text, n, n).Draw(rt, "text")
			}
			if rapid.Bool().Draw(rt, "an object") {
				row.Object = []byte(`{"group":"a"}`)
			}
			if rapid.Bool().Draw(rt, "faulty") {
				row.Err = &rows.Error{File: "f", Line: row.Line, Column: 3, Message: text.Draw(rt, "message"), Hint: "h"}
			}
			at, err := spool.add(&row)
			if err != nil {
				rt.Fatal(err)
			}
			kept, places = append(kept, row), append(places, at)
		}
		if err := spool.flush(); err != nil {
			rt.Fatal(err)
		}
		for _, i := range rapid.Permutation(seq(len(kept))).Draw(rt, "order") {
			got, err := spool.row(places[i])
			if err != nil {
				rt.Fatal(err)
			}
			if d := cmp.Diff(&kept[i], got); d != "" {
				rt.Errorf("row %d: %s", i, d)
			}
		}
	})
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
