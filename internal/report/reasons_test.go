package report

import "testing"

func TestReasonsAreCountedByKind(t *testing.T) {
	var r Reasons
	r.Add("data", `people.csv:17: Status: "Probation" is neither true nor false (use true/false or 1/0)`)
	r.Add("data", `people.csv:19: Status: "Tuesday" is neither true nor false (use true/false or 1/0)`)
	r.Add("duplicate", "line 6 has the same key and comes first (--on-duplicate apply carries all of them out)")
	r.Add("data", "people.csv:20: the row has 4 cells, the header has 3\nand more")
	reasons, counts := r.Commonest(2)
	want := []struct {
		Reason
		n int64
	}{
		{Reason{"data", `Status: "…" is neither true nor false (use true/false or 1/0)`}, 2},
		{Reason{"data", "the row has 4 cells, the header has 3"}, 1},
	}
	if len(reasons) != len(want) {
		t.Fatalf("got %d reasons, want %d", len(reasons), len(want))
	}
	for i, w := range want {
		if reasons[i] != w.Reason || counts[i] != w.n {
			t.Errorf("reason %d is %d × %v, want %d × %v", i, counts[i], reasons[i], w.n, w.Reason)
		}
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var r Reasons
	for i := range 3 * mostReasons {
		r.Add("server", "at "+string(rune('一'+i)))
	}
	if got := len(r.counts); got > mostReasons+1 {
		t.Errorf("%d reasons are kept apart, want %d and one for the others", got, mostReasons)
	}
}
