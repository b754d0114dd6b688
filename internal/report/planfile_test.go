package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

func updateLine(line int64, id, path, value string) *plan.Line {
	return &plan.Line{
		Line: line, Op: plan.ActUpdate, Resource: "User", Key: id, ID: id, Before: scim.Object{path: "new"}, After: scim.Object{path: value},
		Patch: []scim.PatchOperation{{Op: "replace", Path: path, Value: value}},
	}
}

// TestUndoFile: what sessions have kept, crashes included, comes back in the
// opposite order and once.
func TestUndoFile(t *testing.T) {
	dir := t.TempDir()
	header := PlanHeader{Format: PlanFormat, Target: "t", Provider: "rfc", Resource: "User", Match: "userName"}
	keep := func(lines ...*plan.Line) {
		t.Helper()
		u, err := OpenUndo(dir, header)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if err := u.Keep(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, UndoFile)
	keep(updateLine(2, "a", "title", "Agent"), updateLine(2, "a", "manager", "b"), updateLine(4, "d", "title", "in doubt after its create"))
	tear(t, path, `{"line":9,"op":"upd`)
	lost := updateLine(5, "e", "title", "Agent")
	lost.Lost = []string{"password"}
	keep(updateLine(2, "a", "title", "Lead"), &plan.Line{Line: 3, Op: plan.ActCreate, Resource: "User", Key: "c", ID: "c", Body: scim.Object{"userName": "c"}},
		&plan.Line{Line: 4, Op: plan.ActDelete, Resource: "User", Key: "d", ID: "d"}, lost)
	tear(t, path, `{"line":6,"op":"update","resource"`)

	to := filepath.Join(dir, "reversed")
	u, err := ReverseUndo(path, to)
	if err != nil {
		t.Fatal(err)
	}
	want := "e update Agent, d delete <nil>, c create <nil>, a update <nil>, a update Agent"
	if got := linesOf(t, to); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if u.Changes != 5 || u.Damaged != 1 || u.Removed != 1 || u.Recreated != 1 || u.Lost["password"] != 1 {
		t.Errorf("%+v", u)
	}
	if h, err := ReadPlanHeader(path); err != nil || h.Match != "userName" {
		t.Errorf("header %+v (%v)", h, err)
	}
}

func tear(t *testing.T, path, half string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, half...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func linesOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for line := range strings.Lines(string(text)) {
		l, err := plan.ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		said = append(said, fmt.Sprint(l.ID, " ", l.Op, " ", l.After["title"]))
	}
	return strings.Join(said, ", ")
}

func TestMarkApplied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.jsonl")
	for i, c := range []struct {
		run     string
		refused bool
	}{{"/runs/one", false}, {"/runs/one", false}, {"/runs/two", true}} {
		var already *AppliedError
		err := MarkApplied(path, c.run)
		if errors.As(err, &already) != c.refused || !c.refused && err != nil {
			t.Errorf("mark %d, by %s: %v", i+1, c.run, err)
		}
	}
	if err := CheckApplied(path, ""); err == nil || !strings.Contains(err.Error(), "/runs/one") {
		t.Errorf("a new run is told %v", err)
	}
	if err := os.WriteFile(path+".applied", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckApplied(path, "/runs/one"); err == nil {
		t.Error("a mark that says nothing refuses nobody")
	}
}

func TestPlanHeader(t *testing.T) {
	whole := `{"format":1,"target":"t","provider":"rfc","resource":"User","match":"userName"}`
	for _, c := range []struct{ name, text, want string }{
		{"whole", whole, ""},
		{"later", strings.Replace(whole, `"format":1`, `"format":2`, 1), "has format 2, which a newer scimbulk has written; this one knows 1"},
		{"of nothing", strings.Replace(whole, `"User"`, `"Printer"`, 1), "does not say what it was made for"},
		{"a change at once", `{"op":"delete","resource":"User","key":"a","id":"1"}`, "is no plan file"},
		{"torn", `{"format":1,`, "is no plan file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plan.jsonl")
			if err := os.WriteFile(path, []byte(c.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadPlanHeader(path)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestPlanFilesAreDocumented: every member of a header and of a change stands in
// docs/plan.md.
func TestPlanFilesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[PlanHeader](), reflect.TypeFor[plan.Line]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/plan.md does not say what %s of a %s is", name, of.Name())
			}
		}
	}
}
