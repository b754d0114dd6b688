package journal

import (
	"testing"
	"time"
)

// TestSteps: what a line has come to ends its intents so far, stays what it was
// first, and is no outcome.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	log, err := Create(dir, Header{Run: "test"})
	if err != nil {
		t.Fatal(err)
	}
	intend := func(line int64, step int, op string) {
		if err := log.Intend(t.Context(), []Intent{{Line: line, Step: step, Op: op, At: time.Unix(1, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	steps := func(list ...Outcome) {
		if err := log.Steps(list); err != nil {
			t.Fatal(err)
		}
	}
	intend(2, 0, "create")
	intend(3, 0, "update")
	intend(4, 0, "create")
	steps(Outcome{Line: 2, Outcome: Created}, Outcome{Line: 3, Outcome: Updated, Class: "inactive"})
	intend(2, 70, "add")
	intend(3, 70, "add")
	steps(Outcome{Line: 2, Outcome: Updated})
	if err := log.Done([]Outcome{{Line: 4, Outcome: Created}}, Stats{}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int64]Outcome{2: {Line: 2, Outcome: Created}, 3: {Line: 3, Outcome: Updated, Class: "inactive"}} {
		got, ok := state.Step(line)
		if _, done := state.Done(line); !ok || got != want || done {
			t.Errorf("line %d has come to %v, want %v", line, got, want)
		}
	}
	if _, ok := state.Step(4); ok {
		t.Error("line 4 has an outcome, and a step nevertheless")
	}
	doubts := state.InDoubt()
	if len(doubts) != 1 || doubts[0].Line != 3 || doubts[0].Op != "add" {
		t.Errorf("in doubt are %v, want the membership of line 3", doubts)
	}
	if state.Skipped != 0 || state.Rows() != 1 {
		t.Errorf("%d skipped, %d rows", state.Skipped, state.Rows())
	}
}
