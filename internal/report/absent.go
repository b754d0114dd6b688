package report

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gocarina/gocsv"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
)

// AbsentFile is the file of a run's directory with the people whom the input
// does not hold, in the columns of results.csv. It is written whole before the
// first write, with the outcome pending for those who are to be turned
// inactive; their outcomes follow as further lines, and take the place of the
// pending ones when the session ends.
const AbsentFile = "absent.csv"

// Outcomes that stand in absent.csv alone.
const (
	outcomePending  = "pending"
	outcomeReported = "reported" // --absent report
	outcomeKept     = "kept"     // --protect, or the caller's own account
)

// StartAbsent writes absent.csv as it is before the first write.
func (f *Files) StartAbsent(a *pipeline.Absent) error {
	lines := make([]*resultRow, len(a.Leavers))
	for i := range a.Leavers {
		l := &a.Leavers[i]
		lines[i] = &resultRow{Line: l.Line, Key: l.Key, ID: l.ID, Outcome: outcomePending, Op: string(plan.Deactivate)}
		switch {
		case a.Mode == pipeline.AbsentReport:
			lines[i].Outcome, lines[i].Op = outcomeReported, ""
		case l.Kept != "":
			lines[i].Outcome, lines[i].Detail = outcomeKept, l.Kept
		}
	}
	if err := f.writeAbsent(lines); err != nil {
		return err
	}
	return f.openAbsent()
}

// ReadAbsent reads whom an earlier session has found, by the absent.csv of its
// run. count is how many it should name.
func ReadAbsent(dir, mode string, count int) (*pipeline.Absent, error) {
	path := filepath.Join(dir, AbsentFile)
	lines, err := readAbsent(path)
	if err != nil {
		return nil, err
	}
	if len(lines) != count {
		return nil, fmt.Errorf("%s has changed since the run began: it should name %d people and names %d", path, count, len(lines))
	}
	a := &pipeline.Absent{Mode: mode}
	for _, l := range lines {
		leaver := pipeline.Leaver{Line: l.Line, Key: l.Key, ID: l.ID}
		if l.Outcome == outcomeKept {
			leaver.Kept = l.Detail
		}
		a.Leavers = append(a.Leavers, leaver)
	}
	return a, nil
}

// KeepAbsent goes on with the absent.csv of earlier sessions, without the
// outcomes that did not reach the log: those people get theirs again.
func (f *Files) KeepAbsent(logged func(line int64) bool) error {
	lines, err := readAbsent(f.absentPath())
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.Outcome != outcomeReported && l.Outcome != outcomeKept && !logged(l.Line) {
			*l = resultRow{Line: l.Line, Key: l.Key, ID: l.ID, Outcome: outcomePending, Op: string(plan.Deactivate)}
		}
	}
	if err := f.writeAbsent(lines); err != nil {
		return err
	}
	return f.openAbsent()
}

func (f *Files) writeAbsent(lines []*resultRow) error {
	return rewrite(f.absentPath(), func(out io.Writer) error { return gocsv.Marshal(lines, out) })
}

func (f *Files) absentPath() string { return filepath.Join(f.dir, AbsentFile) }

func (f *Files) openAbsent() (err error) {
	if f.absent, err = appendTo(f.absentPath()); err != nil {
		return err
	}
	f.absentOut = bufio.NewWriter(f.absent)
	return nil
}

// recordAbsent takes what became of somebody whom the input does not hold.
func (f *Files) recordAbsent(r *pipeline.Result) error {
	return gocsv.MarshalCSVWithoutHeaders([]*resultRow{rowOf(r)}, gocsv.NewSafeCSVWriter(csv.NewWriter(f.absentOut)))
}

// closeAbsent brings absent.csv to one line a person.
func (f *Files) closeAbsent() error {
	if f.absent == nil {
		return nil
	}
	err := errors.Join(f.absentOut.Flush(), f.absent.Close())
	lines, readErr := readAbsent(f.absentPath())
	if err = errors.Join(err, readErr); err != nil {
		return err
	}
	return f.writeAbsent(lines)
}

// readAbsent reads the last line of everybody, in order.
func readAbsent(path string) ([]*resultRow, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	byLine := map[int64]*resultRow{}
	number, odd := 0, 0 // of the record, and of one that says of nobody what became of them
	for record, err := range recordsOf(in, ',') {
		if number++; err == nil && odd > 0 { // the last may be torn by a crash
			err = fmt.Errorf("%s is not as the run has written it: record %d cannot be read", path, odd)
		}
		if err != nil {
			return nil, err
		}
		if l := resultOf(record); l != nil {
			byLine[l.Line] = l
		} else if number > 1 { // the first is the header
			odd = number
		}
	}
	lines := make([]*resultRow, 0, len(byLine))
	for _, l := range byLine {
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b *resultRow) int { return cmp.Compare(a.Line, b.Line) })
	return lines, nil
}

// resultOf reads a line of results.csv; nil for one that is none.
func resultOf(cells []string) *resultRow {
	if len(cells) != 10 {
		return nil
	}
	line, err := strconv.ParseInt(cells[0], 10, 64)
	if err != nil {
		return nil
	}
	attempts, _ := strconv.Atoi(cells[8]) // 0 where a crash has cut it off
	return &resultRow{
		Line: line, Key: cells[1], Op: cells[2], Outcome: cells[3], ID: cells[4], Status: cells[5], ScimType: cells[6],
		Detail: cells[7], Attempts: attempts, CorrelationID: cells[9],
	}
}
