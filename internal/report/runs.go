package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"scimbulk/internal/journal"
)

// States of a run.
const (
	RunFinished    = "finished"
	RunRunning     = "running"
	RunInterrupted = "interrupted"
	RunFailed      = "failed"
)

// Run is what a run's directory tells of it.
type Run struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Command string    `json:"command"`
	Target  string    `json:"target,omitempty"`
	State   string    `json:"state"`
	Exit    *int      `json:"exit,omitempty"` // of the last session, if it ended in order
	Started time.Time `json:"started,omitzero"`
	// Modified is when the run was last at work.
	Modified time.Time `json:"modified"`
	Done     int64     `json:"done"`            // rows with an outcome, or resources that were read
	Total    *int64    `json:"total,omitempty"` // rows of the input, where they have been counted
	// Resume is the command that goes on with the run, "" if none does.
	Resume string `json:"resume,omitempty"`
	// Error is why the run ended early, or why its directory cannot be read.
	Error string `json:"error,omitempty"`
}

// runName is how the directories of runs are called unless somebody names them.
var runName = regexp.MustCompile(`^([a-z]+)-\d{8}-\d{6}-[0-9a-f]{4}$`)

// ListRuns reads the runs of a folder, the latest first. What is no run's
// directory is passed over; a folder that is not there holds no runs.
func ListRuns(folder string) ([]Run, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	runs := []Run{}
	for _, e := range entries {
		if !e.IsDir() { // nor a link to one
			continue
		}
		run, ok, err := readRun(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		if ok {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return b.Modified.Compare(a.Modified) })
	return runs, nil
}

// readRun reads a run's log and summary. Of a plan, which keeps no log, there
// is the summary alone. One that cannot be read does not hide the others.
func readRun(dir string) (r Run, ok bool, err error) {
	r = Run{Name: filepath.Base(dir), Path: dir, State: RunInterrupted}
	info, err := os.Stat(dir)
	if err != nil {
		return r, false, err
	}
	r.Modified = info.ModTime().UTC()
	summary := r.readSummary()
	state, logErr := journal.Read(dir)
	switch {
	case !errors.Is(logErr, fs.ErrNotExist):
		r.readLog(state, logErr)
	case !summary && !runName.MatchString(r.Name):
		return r, false, nil
	}
	if r.Command == "" {
		r.Command = strings.SplitN(r.Name, "-", 2)[0]
	}
	running, err := journal.Running(dir)
	switch {
	case err != nil:
		r.State, r.Resume, r.Error = RunFailed, "", err.Error()
	case running:
		r.State, r.Resume, r.Error = RunRunning, "", ""
	}
	return r, true, nil
}

// readSummary reads summary.json, and tells whether there is one.
func (r *Run) readSummary() bool {
	path := filepath.Join(r.Path, SummaryFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if info, err := os.Stat(path); err == nil {
		r.Modified = info.ModTime().UTC()
	}
	var s Summary
	if err := json.Unmarshal(text, &s); err != nil {
		r.State, r.Error = RunFailed, fmt.Sprintf("%s: %v", SummaryFile, err)
		return true
	}
	r.Command, r.Target, r.Started, r.Error = s.Command, s.Target, s.Started, s.Error
	r.Exit, r.Total, r.Done = &s.Exit, &s.Rows.Read, s.Rows.Read-s.Rows.Pending
	switch {
	case s.Error == "" && s.Rows.Pending == 0:
		r.State = RunFinished
	case s.Exit == 1:
		r.State = RunFailed
	}
	return true
}

// readLog believes the log where it knows more than the summary: a session that
// was killed leaves the summary of the one before it.
func (r *Run) readLog(s *journal.State, err error) {
	if s == nil || err != nil {
		r.State, r.Error = RunFailed, err.Error()
		return
	}
	r.Command, r.Target, r.Started = s.Header.Command, s.Header.Target, s.Header.Started
	if r.Done = s.Rows(); r.Command == "export" {
		r.Done = exported(s)
	}
	if s.Modified.After(r.Modified) {
		r.Modified = s.Modified
	}
	r.Exit = nil
	switch {
	case s.Finished:
		r.State, r.Exit = RunFinished, &s.Exit
		return
	case s.Ended && s.Exit == 1:
		r.State, r.Exit = RunFailed, &s.Exit
	case s.Ended:
		r.State, r.Exit = RunInterrupted, &s.Exit
	default:
		r.State, r.Error = RunInterrupted, "it ended without a word: killed, or the machine went down"
	}
	if r.Command == "export" && slices.Contains(s.Header.Args, "--out=-") {
		return // what has gone to standard output cannot be gone on with
	}
	r.Resume = "scimbulk resume " + shellWord(r.Path)
}

// exported counts the resources whose pages a log notes.
func exported(s *journal.State) (n int64) {
	read := map[string]int64{}
	for kind, value := range s.Notes() {
		var page struct {
			Of   string `json:"of"`
			Read int64  `json:"read"`
		}
		if kind == "page" && json.Unmarshal(value, &page) == nil {
			read[page.Of] = page.Read
		}
	}
	for _, of := range read {
		n += of
	}
	return n
}

// shellWord quotes a path for a shell where it must be.
func shellWord(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// Unfinished tells that there may be something left to go on with.
func (r *Run) Unfinished() bool { return r.State != RunFinished }

// WriteRuns prints runs for a person.
func WriteRuns(out io.Writer, runs []Run) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tCOMMAND\tSTATE\tROWS\tTARGET\tGO ON WITH")
	for i := range runs {
		r := &runs[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Command, r.stateText(), r.rowsText(), r.Target, r.Resume)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range runs {
		if r := &runs[i]; r.Error != "" {
			if _, err := fmt.Fprintf(out, "%s: %s\n", r.Name, oneLine(r.Error)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) stateText() string {
	if r.Exit == nil || *r.Exit == 0 {
		return r.State
	}
	return fmt.Sprintf("%s (%d)", r.State, *r.Exit)
}

// rowsText is how far a run has come.
func (r *Run) rowsText() string {
	total := "?"
	if r.Total != nil {
		total = strconv.FormatInt(*r.Total, 10)
	}
	return fmt.Sprintf("%d of %s", r.Done, total)
}
