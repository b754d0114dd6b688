package report

import (
	"fmt"
	"strings"
	"testing"
)

func TestReasonsAreCountedByKind(t *testing.T) {
	var r Reasons
	r.Add(2, "ann", "data", `people.csv:17: Status: "Probation" is neither true nor false (use true/false or 1/0)`)
	r.Add(2, "ann", "data", `people.csv:19: Status: "Tuesday" is neither true nor false (use true/false or 1/0)`)
	r.Add(2, "ann", "duplicate", "line 6 has the same key and comes first (--on-duplicate apply carries all of them out)")
	r.Add(2, "ann", "data", "people.csv:20: the row has 4 cells, the header has 3\nand more")
	reasons := r.Commonest()[:2]
	want := []struct {
		Reason
		n int64
	}{
		{Reason{"data", `Status: "…" is neither true nor false (use true/false or 1/0)`}, 2},
		{Reason{"data", "the row has 4 cells, the header has 3"}, 1},
	}
	for i, w := range want {
		if reasons[i].Reason != w.Reason || reasons[i].Rows != w.n {
			t.Errorf("reason %d is %d × %v, want %d × %v", i, reasons[i].Rows, reasons[i].Reason, w.n, w.Reason)
		}
	}
}

func TestReasonsByClass(t *testing.T) {
	var r Reasons
	for line := range int64(5) {
		r.Add(line+2, "ann", "duplicate", fmt.Sprintf("line %d has the same key", line+1))
	}
	for kind := range 3 + shownReasons {
		r.Add(10, "", "data", "fault "+strings.Repeat("x", kind))
	}
	classes := r.Classes()
	if len(classes) != 2 || classes[0].Name != "data" || classes[0].Rows != 13 || classes[1].Rows != 5 {
		t.Fatalf("%+v", classes)
	}
	if shown, others := firstReasons(classes[0].Reasons); len(shown) != shownReasons || others != "and 3 more rows for 3 other reasons" {
		t.Errorf("%d shown, %q", len(shown), others)
	}
	if got := classes[1].Reasons[0].where(); got != "line 2 (ann), line 3 (ann), line 4 (ann) and 2 more rows" {
		t.Errorf("where: %s", got)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var r Reasons
	for i := range 3 * mostReasons {
		r.Add(2, "ann", "server", "at "+string(rune('一'+i)))
	}
	if got := len(r.counts); got > mostReasons+1 {
		t.Errorf("%d reasons are kept apart, want %d and one for the others", got, mostReasons)
	}
}
