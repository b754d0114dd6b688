package report

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// change is a decision on a row, with the differences given as path, old, new.
func change(action plan.Action, differences ...any) plan.Change {
	c := plan.Change{Action: action, ID: "id-1", Version: `W/"1"`}
	for i := 0; i < len(differences); i += 3 {
		path := differences[i].(string)
		c.Differences = append(c.Differences, plan.Difference{Path: path, Old: differences[i+1], New: differences[i+2], Secret: path == "password"})
		c.Patch = append(c.Patch, scim.PatchOperation{Op: "replace", Path: path, Value: differences[i+2]})
	}
	return c
}

func TestReview(t *testing.T) {
	in, people := input(t, "in.csv", threePeople)
	for _, tc := range []struct {
		name   string
		result pipeline.Result
		screen string // the line on the terminal, "" for none
		file   string // how the line in the plan begins
	}{
		{"an update", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", "Clerk", "Head clerk", "active", true, false, "nickName", "Al", nil)},
			`~ update     line 2     ann  title "Clerk" → "Head clerk", active true → false, nickName "Al" → nothing`,
			`{"line":2,"op":"update","resource":"User","key":"ann","id":"id-1","version":"W/\"1\"","before":{"active":true,"nickName":"Al","title":"Clerk"},"after":{"active":false,"nickName":null,"title":"Head clerk"},"patch":[`},
		{"a long value", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, strings.Repeat("é", 60))},
			`~ update     line 2     ann  title "` + strings.Repeat("é", 38) + `…`, ""},
		{"a list", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "emails", nil, []any{scim.Object{"type": "work", "value": "a@b"}, scim.Object{"value": "c@d"}})},
			`~ update     line 2     ann  emails [work: "a@b", "c@d"]`, ""},
		{"a secret", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T", "password", nil, "hunter2")},
			`~ update     line 2     ann  title "T", password (secret)`,
			`{"line":2,"op":"update","resource":"User","key":"ann","id":"id-1","version":"W/\"1\"","before":{"title":null},"after":{"title":"T"},"patch":[`},
		{"a delete", pipeline.Result{Outcome: pipeline.Deleted, Change: change(plan.ActDelete)},
			`- delete     line 2     ann`, `{"line":2,"op":"delete","resource":"User","key":"ann","id":"id-1","version":"W/\"1\""`},
		{"a reject", pipeline.Result{Outcome: pipeline.Rejected, Class: "data", Detail: "no date\nand more", Change: change(plan.ActReject)},
			`! reject     line 2     ann  data: no date`, ""},
		{"nothing", pipeline.Result{Outcome: pipeline.Unchanged, Change: change(plan.ActNothing)}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			files, err := NewFiles(dir, in, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			var screen bytes.Buffer
			r, err := NewReview(dir, PlanHeader{Format: PlanFormat, Resource: "User"}, files, &screen, false)
			if err != nil {
				t.Fatal(err)
			}
			tc.result.Row, tc.result.Key = people[0], "ann"
			if err := r.Record(&tc.result); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(screen.String(), "\n"); got != tc.screen && strings.TrimSpace(got) != tc.screen {
				t.Errorf("shows\n%s\nwant\n%s", got, tc.screen)
			}
			saved, err := os.ReadFile(r.Path())
			if err != nil {
				t.Fatal(err)
			}
			_, line, _ := strings.Cut(string(saved), "\n")
			if !strings.HasPrefix(line, tc.file) {
				t.Errorf("saves\n%s\nwant\n%s", line, tc.file)
			}
			if strings.Contains(string(saved)+screen.String(), "hunter2") {
				t.Errorf("a secret is shown or saved: %s", saved)
			}
		})
	}
}

func TestReviewShowsSoManyAndNoMore(t *testing.T) {
	in, people := input(t, "in.csv", threePeople)
	dir := t.TempDir()
	files, err := NewFiles(dir, in, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	r, err := NewReview(dir, PlanHeader{}, files, &screen, true)
	if err != nil {
		t.Fatal(err)
	}
	for range shownChanges + 17 {
		if err := r.Record(&pipeline.Result{Row: people[0], Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T")}); err != nil {
			t.Fatal(err)
		}
	}
	s := &Summary{Target: "here", Rows: Rows{Read: 217, Updated: 217}}
	s.SetWrites(map[string]int64{"PATCH": 217})
	if err := r.WriteTotals(&screen, s); err != nil {
		t.Fatal(err)
	}
	got := screen.String()
	if n := strings.Count(got, "~ update"); n != shownChanges {
		t.Errorf("%d changes shown", n)
	}
	for _, want := range []string{"\x1b[33m~ update", "… and 17 more", "Plan for here, 217 rows: 217 to update.", "would send 217 writes (217 PATCH)", r.Path()} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in what is shown", want)
		}
	}
}
