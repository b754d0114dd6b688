package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scimbulk/internal/journal"
)

// ended ends a run in order.
func ended(log *journal.Log, s journal.Summary) error {
	return errors.Join(log.Finish(s), log.Close())
}

// aRun makes a run's directory with a log that holds so many outcomes.
func aRun(t *testing.T, folder, name string, outcomes int) *journal.Log {
	t.Helper()
	log, err := journal.Create(filepath.Join(folder, name), journal.Header{Run: name, Command: "import", Target: "https://example.com/scim/v2"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	var done []journal.Outcome
	for n := range outcomes {
		done = append(done, journal.Outcome{Line: int64(n) + 1, Outcome: journal.Created})
	}
	if err := log.Done(done, journal.Stats{}); err != nil {
		t.Fatal(err)
	}
	return log
}

func summaryOf(t *testing.T, dir string, s *Summary) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
}

func TestListRuns(t *testing.T) {
	folder := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	check(ended(aRun(t, folder, "finished", 5), journal.Summary{Finished: true, Exit: 3, Read: 5}))
	summaryOf(t, filepath.Join(folder, "finished"), &Summary{Command: "import", Rows: Rows{Read: 5, Created: 4, Rejected: 1}, Exit: 3})

	check(ended(aRun(t, folder, "limit", 2), journal.Summary{Exit: 4, Read: 9}))
	summaryOf(t, filepath.Join(folder, "limit"), &Summary{Command: "import", Rows: Rows{Read: 9, Created: 2, Pending: 7}, Exit: 4, Error: "too many errors"})

	check(ended(aRun(t, folder, "failed", 1), journal.Summary{Exit: 1, Read: 9}))
	check(aRun(t, folder, "it's killed", 3).Close())
	aRun(t, folder, "running", 4)

	damaged := aRun(t, folder, "damaged", 4)
	check(damaged.Close())
	log := filepath.Join(folder, "damaged", journal.FileName)
	text, err := os.ReadFile(log)
	check(err)
	check(os.WriteFile(log, []byte(strings.Replace(string(text), "import", "impart", 1)), 0o600))

	check(aRun(t, folder, "odd", 1).Close())
	check(os.Remove(filepath.Join(folder, "odd", "checkpoint.lock")))
	check(os.Mkdir(filepath.Join(folder, "odd", "checkpoint.lock"), 0o700))

	summaryOf(t, filepath.Join(folder, "plan-20261121-214757-9d1a"), &Summary{Command: "plan", Rows: Rows{Read: 25}, Exit: 2})
	check(os.Mkdir(filepath.Join(folder, "plan-20261121-214757-0000"), 0o700)) // broken off before there was a summary
	check(os.Mkdir(filepath.Join(folder, "photos"), 0o700))
	check(os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o600))
	check(os.Symlink(filepath.Join(folder, "finished"), filepath.Join(folder, "link")))

	runs, err := ListRuns(folder)
	check(err)
	got := map[string]Run{}
	for _, r := range runs {
		got[r.Name] = r
	}
	for _, want := range []struct {
		name, command, state, rows, resume string
		err                                string
	}{
		{"finished", "import", RunFinished, "5 of 5", "", ""},
		{"limit", "import", RunInterrupted, "2 of 9", "scimbulk resume " + folder + "/limit", "too many errors"},
		{"failed", "import", RunFailed, "1 of ?", "scimbulk resume " + folder + "/failed", ""},
		{"it's killed", "import", RunInterrupted, "3 of ?", "scimbulk resume '" + folder + `/it'\''s killed'`, "killed"},
		{"running", "import", RunRunning, "4 of ?", "", ""},
		{"damaged", "damaged", RunFailed, "0 of ?", "", "checksum"},
		{"odd", "import", RunFailed, "1 of ?", "", "checkpoint.lock"},
		{"plan-20261121-214757-9d1a", "plan", RunFinished, "25 of 25", "", ""},
		{"plan-20261121-214757-0000", "plan", RunInterrupted, "0 of ?", "", ""},
	} {
		r, ok := got[want.name]
		if !ok || r.Command != want.command || r.State != want.state || r.rowsText() != want.rows || r.Resume != want.resume || !strings.Contains(r.Error, want.err) || want.err == "" && r.Error != "" {
			t.Errorf("%s: %+v %s", want.name, r, r.rowsText())
		}
		if r.Modified.IsZero() {
			t.Errorf("%s has no time", want.name)
		}
		delete(got, want.name)
	}
	if len(got) > 0 {
		t.Errorf("these are no runs: %+v", got)
	}
}

func TestListRunsOfNoFolder(t *testing.T) {
	if runs, err := ListRuns(filepath.Join(t.TempDir(), "none")); err != nil || len(runs) != 0 || runs == nil {
		t.Errorf("%v, %v", runs, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var path *os.PathError
	if _, err := ListRuns(file); !errors.As(err, &path) {
		t.Errorf("a file: %v", err)
	}
}
