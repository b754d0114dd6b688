package torture

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// exitInterrupted is the exit code of a session that a signal has stopped.
const exitInterrupted = 130

// Folders of a trial that the program is told of as its home, and for temporary
// files.
const (
	homeFolder = "home"
	tempFolder = "tmp"
)

// inspect looks at what a session has left, however it ended: an outcome that is
// logged is in the results, and what the directory did was in the log before.
func (t *trial) inspect() error {
	t.seen = append(t.seen, leftBehind(t.tempDir())...)
	if t.ground.job.exports != nil {
		return t.inspectExport()
	}
	audit, err := readAudit(t.audit())
	if err != nil {
		return err
	}
	log, err := readCheckpoint(t.runDir())
	if err != nil || log == nil {
		return err
	}
	results, err := t.lines("results.csv")
	absent, failed := t.lines("absent.csv")
	rejects, failed2 := t.lines("rejects.csv")
	if err := errors.Join(err, failed, failed2); err != nil {
		return err
	}
	results = append(results, settledLines(absent)...)
	t.seen = append(t.seen, log.ahead(audit, t.userIDs(audit))...)
	t.seen = append(t.seen, log.unwritten(results, rejectedLines(rejects))...)
	if !log.finished {
		t.doubts += log.inDoubt()
		t.waiting += log.waits()
	}
	return nil
}

// lines reads a file of the run; one that is not there is empty.
func (t *trial) lines(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(t.runDir(), name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return text, err
}

// settledLines are the lines of absent.csv of those who have an outcome.
func settledLines(absent []byte) (settled []byte) {
	for line := range bytes.Lines(absent) {
		if !bytes.Contains(line, []byte(",pending,")) {
			settled = append(settled, line...)
		}
	}
	return settled
}

// rejectedLines are the numbers of the rows in rejects.csv, up to where it is
// torn.
func rejectedLines(rejects []byte) map[string]bool {
	in, lines := csv.NewReader(bytes.NewReader(rejects)), map[string]bool{}
	in.FieldsPerRecord = -1
	for {
		record, err := in.Read()
		if err != nil {
			return lines
		}
		if at := len(record) - 3; at >= 0 {
			lines[record[at]] = true
		}
	}
}

// userIDs are the ids of all people who were there before, or have been made
// since.
func (t *trial) userIDs(audit []event) []string {
	var ids []string
	for name, at := range t.ground.before.ids {
		if strings.HasPrefix(name, "user ") {
			ids = append(ids, at...)
		}
	}
	for _, e := range audit {
		if e.Kind == "commit" && e.Op == "create" && e.Resource == "User" {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// orderly looks at a session that has stopped by itself, by a signal or because
// the directory was in trouble: log, results and summary are whole and agree.
// drained says that it had time to finish what was in hand.
func (t *trial) orderly(code int, drained bool) error {
	log, err := readCheckpoint(t.runDir())
	if err != nil || log == nil || int64(len(log.text)) == t.logged {
		return err // it had begun nothing
	}
	if !log.ended || log.exit != code {
		t.sawf("a session ended with %d, and its log does not say so (end %v, exit %d)", code, log.ended, log.exit)
	}
	s, err := readSummary(filepath.Join(t.runDir(), "summary.json"))
	if err != nil {
		t.sawf("a session ended with %d and left no summary: %v", code, err)
		return nil
	}
	if s.Exit != code {
		t.sawf("a session ended with %d, the summary says %d", code, s.Exit)
	}
	if t.ground.job.exports != nil {
		return nil
	}
	results, err := readResults(filepath.Join(t.runDir(), "results.csv"))
	if err != nil {
		t.sawf("after a session that ended with %d: %v", code, err)
		return nil
	}
	t.seen = append(t.seen, s.disagrees(results)...)
	// A row that waits for its second step has nothing under way, and no outcome.
	if in := log.underWay(); in > t.owed && drained && len(t.faults) == 0 && !t.ground.job.steps() {
		t.sawf("%d rows are in doubt after a session that had time to finish what was in hand, %d before", in, t.owed)
	}
	return nil
}

// disagrees compares the summary of a session that was stopped with the results
// so far.
func (s summary) disagrees(results []result) []string {
	listed := map[string]int{}
	for _, r := range results {
		listed[r.outcome]++
	}
	var found []string
	sum := 0
	for name, n := range s.Rows {
		switch {
		case name == "read":
			continue
		case name != "pending" && listed[name] != n:
			found = append(found, fmt.Sprintf("after a stop the summary says %d %s, results.csv has %d", n, name, listed[name]))
		}
		sum += n
		delete(listed, name)
	}
	for name, n := range listed {
		found = append(found, fmt.Sprintf("after a stop results.csv has %d %s, which the summary does not know", n, name))
	}
	if s.Rows["read"] != sum {
		found = append(found, fmt.Sprintf("after a stop %d rows are read, and the outcomes are %d", s.Rows["read"], sum))
	}
	return found
}

func (t *trial) sawf(format string, args ...any) {
	t.seen = append(t.seen, fmt.Sprintf(format, args...))
}

// leftBehind are files for passing use that have outlived their process, with
// something in them.
func leftBehind(folder string) (found []string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		if size(filepath.Join(folder, e.Name())) > 0 {
			found = append(found, fmt.Sprintf("a process has left %s among the temporary files", e.Name()))
		}
	}
	return found
}

// runFiles are all that may be in the directory of a run when it is finished.
var runFiles = []string{
	"checkpoint.log", "checkpoint.lock", "results.csv", "rejects.csv", "summary.json", "undo.jsonl", "absent.csv",
	"chosen.csv", "patch.mapping.yaml", "filters.json",
}

// strays are files that nobody needs any more.
func strays(folder string, known []string) (found []string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			found = append(found, fmt.Sprintf("%s is left in the folder %s", e.Name(), filepath.Base(folder)))
		}
	}
	return found
}

// tooOpen are files that others than their owner may read.
func tooOpen(folder string) (found []string) {
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			found = append(found, fmt.Sprintf("%s is open to others: %v", filepath.Base(path), info.Mode().Perm()))
		}
		return err
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}

// readAll reads every file below a folder, by its path in it.
func readAll(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err == nil {
			files[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	})
	return files, err
}
