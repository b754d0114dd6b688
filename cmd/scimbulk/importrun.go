package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// importRun is one session of an import or a plan, from flags to summary.
type importRun struct {
	*importOptions
	s   streams
	dir *directory

	runDir  string
	read    rows.Options
	input   *rows.Reader // open for its header and dialect
	mapping *mapping.Mapping
	members *pipeline.MemberImport // of a membership file, which needs no mapping
	schema  *scim.ResourceSchema
	meter   *pipeline.Meter
	survey  *pipeline.Survey
	patch   *patchOptions     // of a patch that begins; nil for all others
	reading *pipeline.Reading // of the directory; nil where there was none
	limits  limits

	log        *journal.Log
	state      *journal.State // of earlier sessions, nil for a new run
	header     journal.Header
	absentKept bool // who is absent was found by an earlier session

	undo   *report.Undo
	files  *report.Files
	review *report.Review

	planned *report.PlanHeader // of the plan that is carried out
	warning string             // what the references came to
}

// execute runs an import or a plan.
func (o *importOptions) execute(ctx context.Context, s streams) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	return (&importRun{importOptions: o, s: s, meter: &pipeline.Meter{}}).execute(ctx)
}

func (r *importRun) execute(ctx context.Context) (err error) {
	defer func() { err = r.resumable(errors.Join(err, r.close())) }()
	if err := r.validate(); err != nil {
		return err
	}
	if r.limits, err = r.importOptions.limits(); err != nil {
		return err
	}
	take, work, release := twoStops(ctx, r.s.err, "rows")
	defer release()
	for _, step := range []func(context.Context) error{
		r.choose,
		func(context.Context) error { return r.openInput() },
		r.openDirectory,
		r.compile,
		func(context.Context) error { return r.checkFilters() },
		r.look,
		r.resolve,
		r.findAbsent,
		r.ask,
		func(context.Context) error { return r.begin() },
	} {
		if err := step(take); err != nil {
			if errors.Is(context.Cause(take), pipeline.ErrInterrupted) {
				fmt.Fprintln(r.s.err, "interrupted before the first write: nothing has been changed")
				return exitError{code: exitInterrupted}
			}
			return err
		}
	}
	if r.maxDuration > 0 {
		var cancel context.CancelFunc
		take, cancel = context.WithTimeoutCause(take, r.maxDuration, pipeline.ErrMaxDuration)
		defer cancel()
	}
	return r.carryOut(take, work)
}

// resumable says of an error that the run goes on once it is mended.
func (r *importRun) resumable(err error) error {
	if err == nil || r.log == nil {
		return err
	}
	return &resumableError{err, r.runDir}
}

func (r *importRun) close() error {
	var err error
	if r.input != nil {
		err = r.input.Close()
	}
	if r.undo != nil {
		err = errors.Join(err, r.undo.Close())
	}
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	if r.dir != nil {
		r.dir.keepPace()
		err = errors.Join(err, r.dir.close())
	}
	if r.members != nil {
		err = errors.Join(err, r.members.Close())
	}
	r.reading.Close()
	return err
}

// note says something on standard error, unless nobody wants to hear it.
func (r *importRun) note(format string, args ...any) {
	if !r.run.quiet {
		fmt.Fprintf(r.s.err, format+"\n", args...)
	}
}

func (r *importRun) command() string {
	switch {
	case r.kind != "" && (r.kind == kindUndo || !r.dryRun):
		return r.kind
	case r.dryRun:
		return "plan"
	case r.chosen:
		return commandPatch
	}
	return "import"
}

func (r *importRun) openDirectory(context.Context) (err error) {
	if r.dir == nil {
		if r.dir, err = r.target.open(); err != nil {
			return err
		}
		r.dir.recallPace(r.state)
	}
	r.meter.Pace = r.dir.client.Pace
	return nil
}

// pipeline is the import as its package runs it.
func (r *importRun) pipeline() *pipeline.Import {
	among, _ := r.among() // validated
	return &pipeline.Import{
		Open:     func() (*rows.Reader, error) { return rows.Open(r.importOptions.input, r.input.Options()) },
		Mapping:  r.mapping,
		Client:   r.dir.client,
		Profile:  r.dir.profile,
		Rules:    r.guard(r.rules()),
		Resource: r.resourceType(),
		Changes:  r.changes(),
		DryRun:   r.dryRun,
		Absent:   r.absent,
		Filter:   among,
		Reading:  r.reading,
		Chosen:   r.chosen,

		Workers: r.dir.workers, OnDuplicate: r.onDuplicate, Lookup: r.lookup,
		MaxErrors: r.limits.errors, MaxDeletes: r.limits.deletes, Settle: r.settle, Verify: r.verify, NoBulk: r.noBulk,
		Log: r.log, State: r.state, Name: filepath.Base(r.runDir), Recorder: r.recorder(), Undo: r.keeper(), Plan: r.planKeeper(), Meter: r.meter,
	}
}

func (r *importRun) recorder() pipeline.Recorder {
	if r.dryRun {
		return r.review
	}
	return r.files
}

// keeper is nil where nothing is written.
func (r *importRun) keeper() pipeline.Undo {
	if r.undo == nil {
		return nil
	}
	return r.undo
}

// planKeeper is nil where nothing is planned.
func (r *importRun) planKeeper() pipeline.Keeper {
	if r.review == nil {
		return nil
	}
	return r.review
}
