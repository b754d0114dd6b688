package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// TestTextSpool reads texts back in any order, while others are added.
func TestTextSpool(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Just(strings.Repeat("long ", 300)), rapid.Just(strings.Repeat("x", tailSize/2)), rapid.Just("\xff\x00"))
	rapid.Check(t, func(rt *rapid.T) {
		var spool textSpool
		defer spool.discard()
		var kept []string
		var places []int64
		for range rapid.IntRange(1, 30).Draw(rt, "texts") {
			kept = append(kept, text.Draw(rt, "text"))
			at, err := spool.add(kept[len(kept)-1])
			if err != nil {
				rt.Fatal(err)
			}
			places = append(places, at)
			i := rapid.IntRange(0, len(kept)-1).Draw(rt, "which")
			if got, err := spool.text(places[i]); got != kept[i] || err != nil {
				rt.Errorf("text %d of %d: %q, %v; want %q", i, len(kept), got, err, kept[i])
			}
		}
		if _, err := spool.text(spool.size + int64(len(spool.tail))); err == nil {
			rt.Error("there is a text behind the last one")
		}
	})
}

// TestChunks finds entries where they were put.
func TestChunks(t *testing.T) {
	var c chunks[uint32]
	first := c.add(0)
	for i := range uint32(3 * chunkSize) {
		if at := c.add(i + 1); at != c.at(i+1) {
			t.Fatalf("entry %d lies in two places", i+1)
		}
	}
	if first != c.at(0) {
		t.Error("the first entry has moved")
	}
	for number, entry := range c.all() {
		if number != *entry {
			t.Fatalf("entry %d is %d", number, *entry)
		}
	}
}

// TestFirstSteps: what a row has come to is known again at its second step, but
// for what nobody will look at.
func TestFirstSteps(t *testing.T) {
	created := Result{
		Key: "anna", Op: plan.Upsert, Outcome: Created, Class: ClassData, Detail: "a manager\x00 of \u20ac", Doubt: true, Partial: true,
		Names: map[string]string{"1": "boss"}, Begun: true, Lame: true, Resource: "User", Joins: []string{"a"}, Leaves: []string{"b"},
		ID: "7", Status: 201, ScimType: "uniqueness", Attempts: 3, CorrelationID: "c", turnedOff: true, promised: "(the id of line 2)",
		Change: plan.Change{Action: plan.ActCreate, ID: "7", After: scim.Object{"userName": "anna", "n": scim.Number("1.50")}},
	}
	var s seconds
	defer func() { s.texts.discard() }()
	noPatch := &Import{DryRun: true, Rules: plan.Rules{NoPatch: true}}
	for number, result := range map[int64]Result{1: {ID: "9", Outcome: Unchanged, Change: plan.Change{Action: plan.ActNothing, ID: "9"}}, secondsPage - 1: {}, secondsPage: created, 5 * secondsPage: created} {
		w := &row{run: &run{Import: noPatch}, task: &task{row: &rows.Row{Number: number}}, step: 4}
		text, err := w.firstStep(&result)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.put(number, text); err != nil {
			t.Fatal(err)
		}
		want := result
		want.step = 4
		got, err := s.of(number)
		if diff := cmp.Diff(&want, got, cmp.AllowUnexported(Result{}), cmpopts.IgnoreFields(Result{}, "mark")); diff != "" || err != nil {
			t.Errorf("row %d: %v\n%s", number, err, diff)
		}
	}
	for _, number := range []int64{0, 2, secondsPage + 1, 2 * secondsPage, 99 * secondsPage} {
		if got, err := s.of(number); got != nil || err != nil {
			t.Errorf("row %d, which has no second step: %+v, %v", number, got, err)
		}
	}
}
