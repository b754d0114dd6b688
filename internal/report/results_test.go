package report

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/rows"
)

const threePeople = "name;note\nann;fine\nbob;\"two\nlines\"\ncy\n"

// input opens a CSV text and reads its rows.
func input(t *testing.T, name, text string) (*rows.Reader, []*rows.Row) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := rows.Open(path, rows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	var list []*rows.Row
	for row, err := range in.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &row)
	}
	return in, list
}

func records(t *testing.T, path string, comma rune) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = comma, -1
	list, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func rejected(row *rows.Row, detail string) *pipeline.Result {
	return &pipeline.Result{Row: row, Key: "k", Op: "upsert", Outcome: pipeline.Rejected, Class: "data", Detail: detail}
}

func created(row *rows.Row) *pipeline.Result {
	return &pipeline.Result{Row: row, Key: "k", Op: "upsert", Outcome: pipeline.Created, ID: "1", Status: 201, Attempts: 2, CorrelationID: "c"}
}

func TestResultAndRejectFiles(t *testing.T) {
	dir := t.TempDir()
	in, people := input(t, "in.csv", threePeople)
	f, err := NewFiles(dir, in, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.RejectsPath()); err == nil {
		t.Error("a file of rejects before there is one")
	}
	for _, r := range []*pipeline.Result{created(people[0]), rejected(people[1], `in.csv:3: "x" is no date`), rejected(people[2], "one cell too few")} {
		if err := f.Record(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"line", "key", "op", "outcome", "id", "status", "scim_type", "detail", "attempts", "correlation_id"},
		{"2", "k", "upsert", "created", "1", "201", "", "", "2", "c"},
		{"3", "k", "upsert", "rejected", "", "", "", `in.csv:3: "x" is no date`, "0", ""},
		{"5", "k", "upsert", "rejected", "", "", "", "one cell too few", "0", ""},
	}
	if diff := cmp.Diff(want, records(t, f.ResultsPath(), ',')); diff != "" {
		t.Errorf("results.csv:\n%s", diff)
	}
	want = [][]string{
		{"name", "note", "_line", "_class", "_error"},
		{"bob", "two\nlines", "3", "data", `in.csv:3: "x" is no date`},
		{"cy", "5", "data", "one cell too few"}, // as ragged as it was
	}
	if diff := cmp.Diff(want, records(t, f.RejectsPath(), ';')); diff != "" {
		t.Errorf("rejects.csv:\n%s", diff)
	}
	for _, path := range []string{f.ResultsPath(), f.RejectsPath()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestResumeKeepsWhatTheLogHolds kills a session between its files and its log:
// the lines whose outcome is not in the log go, and come again.
func TestResumeKeepsWhatTheLogHolds(t *testing.T) {
	for _, name := range []string{"in.csv", "in.jsonl"} {
		t.Run(name, func(t *testing.T) {
			text := threePeople
			if name == "in.jsonl" {
				text = "{\"name\":\"ann\"}\n{\"name\":\"bob\"}\n{\"name\":\"cy\"}\n"
			}
			dir := t.TempDir()
			in, people := input(t, name, text)
			state := interrupted(t, dir, in, people)

			f, err := NewFiles(dir, in, state, true)
			if err != nil {
				t.Fatal(err)
			}
			if reasons := f.Reasons.Commonest(); len(reasons) != 1 || reasons[0].Rows != 1 {
				t.Errorf("the reasons of the earlier session are %v", reasons)
			}
			for _, person := range people[1:] {
				if err := f.Record(rejected(person, "later")); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if n := len(records(t, f.ResultsPath(), ',')); n != 4 {
				t.Errorf("%d lines in results.csv, want a header and three rows", n)
			}
			rejects, err := os.ReadFile(f.RejectsPath())
			if err != nil {
				t.Fatal(err)
			}
			if got := string(rejects); strings.Count(got, "earlier") != 1 || strings.Count(got, "later") != 2 || strings.Count(got, "torn") != 0 {
				t.Errorf("rejects:\n%s", got)
			}
		})
	}
}

// TestResumeOfEmptyFiles: a session may die when it has made its files and
// written nothing to them, not even the header.
func TestResumeOfEmptyFiles(t *testing.T) {
	dir := t.TempDir()
	in, people := input(t, "in.csv", threePeople)
	log, err := journal.Create(dir, journal.Header{Run: "r", Command: "import"})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ResultsFile, "rejects.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := NewFiles(dir, in, state, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Record(rejected(people[0], "why")), f.Close()); err != nil {
		t.Fatal(err)
	}
	if got := records(t, f.ResultsPath(), ','); len(got) != 2 || got[0][0] != "line" {
		t.Errorf("results.csv: %q", got)
	}
	if got := records(t, f.RejectsPath(), ';'); len(got) != 2 || got[0][0] != "name" {
		t.Errorf("rejects.csv: %q", got)
	}
}

// interrupted is a session that rejected three rows and logged the first, and
// wrote half a line at the end.
func interrupted(t *testing.T, dir string, in *rows.Reader, people []*rows.Row) *journal.State {
	t.Helper()
	log, err := journal.Create(dir, journal.Header{Run: "r", Command: "import"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFiles(dir, in, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, detail := range []string{"earlier", "torn", "torn"} {
		if err := f.Record(rejected(people[i], detail)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.Done([]journal.Outcome{{Line: people[0].Line, Outcome: "rejected", Class: "data"}}, journal.Stats{}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile(f.ResultsPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.ResultsPath(), results[:len(results)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return state
}
