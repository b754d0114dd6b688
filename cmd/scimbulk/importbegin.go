package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/report"
)

// begin makes the run's directory with its log and result files.
func (r *importRun) begin() (err error) {
	if r.runDir == "" {
		if r.runDir, err = newRunDir(r.run.dir, r.command()); err != nil {
			return err
		}
	}
	if !r.dryRun {
		if err := r.openLog(); err != nil {
			return err
		}
		if err := r.beginWrites(); err != nil {
			return err
		}
	}
	if r.files, err = report.NewFiles(r.runDir, r.input, r.state, !r.dryRun); err != nil {
		return err
	}
	r.files.Changes = r.kind != ""
	if err := r.beginAbsent(); err != nil {
		return err
	}
	if !r.dryRun {
		return nil
	}
	return r.beginReview()
}

// openLog begins the checkpoint log, or goes on with it if nothing that the run
// depends on has changed.
func (r *importRun) openLog() (err error) {
	if r.header, err = r.newHeader(); err != nil {
		return err
	}
	if r.state != nil { // resume has opened it
		return r.unchanged()
	}
	var filters map[string]string
	r.header.Args, filters = hideFilters(r.header.Run, r.header.Args)
	if err := keepFilters(r.runDir, filters); err != nil {
		return err
	}
	r.log, err = journal.Create(r.runDir, r.header)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s holds a run already: go on with it by scimbulk resume %s, or name another --run-dir", r.runDir, r.runDir)
	}
	return err
}

func (r *importRun) newHeader() (h journal.Header, err error) {
	h = journal.Header{
		Run: filepath.Base(r.runDir), Command: r.command(), Args: r.args(),
		Target: r.dir.name, Provider: r.dir.profile.Name, Started: time.Now().UTC(),
	}
	if h.Input, err = digest(r.importOptions.input); err != nil {
		return h, err
	}
	if r.importOptions.mapping != "" {
		h.Mapping, err = digest(r.importOptions.mapping)
	}
	return h, err
}

// beginWrites opens what must be there before the first write: the undo file,
// and the mark beside a plan that it is applied.
func (r *importRun) beginWrites() (err error) {
	if r.kind == kindApply {
		if err := report.MarkApplied(r.importOptions.input, r.runDir); err != nil {
			return err
		}
	}
	r.undo, err = report.OpenUndo(r.runDir, r.planHeader())
	return err
}

func (r *importRun) beginReview() (err error) {
	input, err := digest(r.importOptions.input)
	if err != nil {
		return err
	}
	r.header.Input, r.header.Started = input, time.Now().UTC()
	r.review, err = report.NewReview(r.runDir, r.planHeader(), r.files, report.ReviewOptions{
		Colour: terminal(r.screen()) && os.Getenv("NO_COLOR") == "", Secrets: r.includeSecrets, Page: r.html, Profile: r.dir.profile,
	})
	return err
}

// screen is where a plan is shown: aside, where its file goes to standard output.
func (r *importRun) screen() io.Writer {
	if r.out == "-" {
		return r.s.err
	}
	return r.s.out
}

// planHeader says what the change sets of this run are for.
func (r *importRun) planHeader() report.PlanHeader {
	return report.PlanHeader{
		Format: report.PlanFormat, Run: filepath.Base(r.runDir), Target: r.dir.name, Provider: r.dir.profile.Name,
		Resource: r.resourceType(), Match: r.matchedBy(), Input: report.InputOf(r.header.Input), Created: r.header.Started,
	}
}

// matchedBy is the attribute that keys are values of.
func (r *importRun) matchedBy() string {
	switch {
	case r.members != nil, r.chosen && r.resourceType() == "Group":
		return "displayName"
	case r.chosen: // by id, but known to people as
		return "userName"
	}
	return r.mapping.Match()
}
