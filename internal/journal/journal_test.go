package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testHeader() Header {
	return Header{
		Run: "import-20260301-120000-1a2b", Command: "import", Args: []string{"import", "hires.csv"},
		Target: "https://scim.example.com/v2", Provider: "rfc",
		Input:    &Digest{Path: "/data/hires.csv", SHA256: "9f86d081", Bytes: 4711},
		Started:  noon,
		Settings: map[string]string{"op": "upsert", "match": "userName"},
	}
}

// still is a clock that does not move.
func still(at time.Time) Option { return WithClock(func() time.Time { return at }) }

func newLog(t *testing.T, dir string, opts ...Option) *Log {
	t.Helper()
	log, err := Create(dir, testHeader(), opts...)
	check(t, err)
	t.Cleanup(func() { log.Close() })
	return log
}

// A tester is a *testing.T, *testing.B, *testing.F or *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
}

func check(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logPath(dir string) string { return filepath.Join(dir, FileName) }

func readLog(t *testing.T, dir string) *State {
	t.Helper()
	state, err := Read(dir)
	check(t, err)
	return state
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir)
	intents := []Intent{
		{Line: 2, Key: HashKey("run", "ada"), Op: "create", At: noon, Absent: true},
		{Line: 3, Key: 1, Op: "patch", At: noon, Before: 7, After: 1 << 63},
		{Line: 4, Op: "create", At: noon.Add(1500 * time.Microsecond)},
		{Line: 4, Step: 1, Op: "wörd \"\n", At: noon.Add(time.Hour)},
		{Line: 1 << 40, Op: "delete", At: noon.Add(-time.Hour), Before: 5},
	}
	check(t, log.Intend(t.Context(), intents))
	check(t, log.Done([]Outcome{{Line: 2, Outcome: Created, Attempts: 1}}, Stats{POST: 1, Rate: 12.5}))
	check(t, log.Done([]Outcome{
		{Line: 5, Outcome: Rejected, Class: "data"},
		{Line: 2, Outcome: Updated, Attempts: 2}, // the first one counts
	}, Stats{POST: 1, GET: 3, Seconds: 0.25}))
	check(t, log.Note("page", map[string]int{"start": 1, "count": 100}))
	check(t, log.Note("page", map[string]int{"start": 101, "count": 7}))
	check(t, log.Note("survey", 4))
	check(t, log.Withdraw([]Intent{{Line: 3}}))
	check(t, log.Finish(Summary{Exit: 130, Read: 9}))
	check(t, log.Close())

	state := readLog(t, dir)
	header := testHeader()
	header.Format = Format
	left := []Intent{intents[2], intents[3], intents[4]}
	left[0].At = left[0].At.Truncate(time.Millisecond)
	for i := range left {
		left[i].Tries = 1
	}
	equal(t, "header", state.Header, header)
	equal(t, "in doubt", state.InDoubt(), left)
	equal(t, "counts", state.Counts(), map[string]int64{Created: 1, Rejected: 1})
	equal(t, "classes", state.Classes(), map[string]int64{"data": 1})
	equal(t, "rows", state.Rows(), int64(2))
	equal(t, "stats", state.Stats(), Stats{POST: 1, GET: 3, Seconds: 0.25})
	equal(t, "end", []any{state.Ended, state.Finished, state.Exit, state.RowsRead, state.Sessions}, []any{true, false, 130, int64(9), 1})
	out, ok := state.Done(2)
	equal(t, "line 2", out, Outcome{Line: 2, Outcome: Created})
	equal(t, "line 2 done", ok, true)
	for _, line := range []int64{-1, 0, 1, 3, 4, 6, 1 << 40} {
		if out, ok := state.Done(line); ok {
			t.Errorf("line %d: %v", line, out)
		}
	}
	var notes []string
	for kind, value := range state.Notes() {
		notes = append(notes, kind+" "+string(value))
	}
	equal(t, "notes", notes, []string{`page {"count":100,"start":1}`, `page {"count":7,"start":101}`, "survey 4"})
	page, _ := state.Note("page")
	equal(t, "last page", string(page), `{"count":7,"start":101}`)
}

func equal(t tester, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return // cmp knows more, but takes its time
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSessionsAddUp(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir, still(noon))
	check(t, log.Intend(t.Context(), []Intent{{Line: 2, Op: "create", Before: 1}, {Line: 3, Op: "create"}}))
	check(t, log.Done(nil, Stats{POST: 2, Throttled: 1, Rate: 4, Seconds: 10}))
	check(t, log.Close()) // no Finish: as if it had died

	log, state, err := Open(dir, still(noon.Add(-time.Hour))) // the clock was set back
	check(t, err)
	equal(t, "ended", state.Ended, false)
	equal(t, "in doubt", len(state.InDoubt()), 2)
	check(t, log.Intend(t.Context(), []Intent{{Line: 2, Op: "create", Absent: true, Before: 2}, {Line: 3, Op: "create"}}))
	check(t, log.Withdraw([]Intent{{Line: 3}})) // of the second session; the first one's stays
	check(t, log.Done(nil, Stats{POST: 3, Seconds: 5}))
	check(t, log.Finish(Summary{Exit: 4}))
	check(t, log.Close())

	state = readLog(t, dir)
	equal(t, "sessions", state.Sessions, 2)
	equal(t, "stats", state.Stats(), Stats{POST: 5, Throttled: 1, Rate: 4, Seconds: 15})
	equal(t, "in doubt", state.InDoubt(), []Intent{
		{Line: 2, Op: "create", At: noon, Absent: true, Before: 2, Tries: 2},
		{Line: 3, Op: "create", At: noon, Tries: 1},
	})
}

func TestOpenWithoutWritingLeavesTheLogAlone(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir)
	check(t, log.Finish(Summary{Finished: true, Exit: 3}))
	check(t, log.Close())
	before, err := os.ReadFile(logPath(dir))
	check(t, err)

	log, state, err := Open(dir)
	check(t, err)
	equal(t, "finished", []any{state.Finished, state.Exit}, []any{true, 3})
	check(t, log.Close())
	check(t, log.Close())
	after, err := os.ReadFile(logPath(dir))
	check(t, err)
	equal(t, "log", string(after), string(before))
}

func TestNothingIsRecordedAfterTheEnd(t *testing.T) {
	log := newLog(t, t.TempDir())
	check(t, log.Finish(Summary{Finished: true}))
	for what, err := range map[string]error{
		"intend": log.Intend(t.Context(), []Intent{{Line: 1}}),
		"done":   log.Done([]Outcome{{Line: 1, Outcome: Created}}, Stats{}),
		"note":   log.Note("page", 1),
		"sync":   log.Sync(),
		"finish": log.Finish(Summary{}),
	} {
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBadRowsAreRefusedAndHarmless(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir)
	for what, err := range map[string]error{
		"line 0":     log.Intend(t.Context(), []Intent{{Line: 0}}),
		"bad step":   log.Intend(t.Context(), []Intent{{Line: 1, Step: -1}}),
		"bad UTF-8":  log.Intend(t.Context(), []Intent{{Line: 1, Op: "\xff"}}),
		"year":       log.Intend(t.Context(), []Intent{{Line: 1, At: noon.AddDate(9000, 0, 0)}}),
		"no outcome": log.Done([]Outcome{{Line: 1}}, Stats{}),
		"bad class":  log.Done([]Outcome{{Line: 1, Outcome: Rejected, Class: "\xff"}}, Stats{}),
		"void":       log.Withdraw([]Intent{{Line: -1}}),
		"no JSON":    log.Note("page", make(chan int)),
		"too long":   log.Note("page", jsontext.Value(`"`+strings.Repeat("x", maxRecord)+`"`)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	check(t, log.Done([]Outcome{{Line: 1, Outcome: Created}}, Stats{}))
	equal(t, "rows", readLog(t, dir).Rows(), int64(1))
}

func TestCreateRefusesALogAndOpenItsAbsence(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "one")
	if _, _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open nothing: %v", err)
	}
	check(t, newLog(t, dir).Close())
	if _, err := Create(dir, testHeader()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create again: %v", err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, logPath(dir): 0o600} {
		info, err := os.Stat(path)
		check(t, err)
		equal(t, path, info.Mode().Perm(), want)
	}
	names, err := os.ReadDir(dir)
	check(t, err)
	equal(t, "files", len(names), 2) // the log and its lock
}
