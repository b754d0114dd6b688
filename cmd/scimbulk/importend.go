package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
	"scimbulk/internal/rows"
)

// carryOut runs the pipeline and tells what came of it.
func (r *importRun) carryOut(take, work context.Context) error {
	progress := report.StartProgress(r.run.progressMode(r.s), r.s.err, r.meter, "rows")
	stop := func() {}
	if r.log != nil {
		stop = notePaces(r.log, r.dir.client)
	}
	totals, err := r.flow().Run(take, work, r.survey)
	stop()
	progress.Stop()
	if r.review != nil {
		err = errors.Join(err, r.review.Close())
	}
	err = errors.Join(err, r.files.Close())
	if totals == nil {
		return err
	}
	code := r.codeOf(totals, err)
	summary := r.summary(totals, err, code)
	// The summary comes before the end of the log: a run that the log calls
	// finished is never gone on with, and nobody would write it any more.
	err = errors.Join(err, summary.Save(r.runDir), r.saveOut(), r.savePage(summary))
	if r.log != nil {
		err = errors.Join(err, r.log.Finish(journal.Summary{Finished: totals.Unreached() == 0 && err == nil, Exit: code, Read: totals.Rows}))
	}
	if err != nil {
		return err
	}
	if err := r.show(summary); err != nil {
		return err
	}
	return r.farewell(totals, code)
}

func (r *importRun) codeOf(t *pipeline.Totals, err error) int {
	rejected := t.Counts[pipeline.Rejected]+t.Counts[pipeline.Unknown]+t.Lame > 0 || t.Absent.Failed()
	changes := t.Writes["POST"]+t.Writes["PUT"]+t.Writes["PATCH"]+t.Writes["DELETE"] > 0
	switch {
	case err != nil:
		return exitCode(err)
	case t.Cause != nil:
		return exitCode(t.Cause)
	case rejected:
		return exitIncomplete
	case r.detailed && changes:
		return exitChanges
	}
	return exitDone
}

func (r *importRun) summary(t *pipeline.Totals, err error, code int) *report.Summary {
	s := &report.Summary{
		Command: r.command(), Run: r.runDir, Target: r.dir.name, Provider: r.dir.profile.Name,
		Input: report.InputOf(r.header.Input), Started: r.header.Started,
		Seconds: t.Requests.Seconds, Exit: code,
	}
	if r.warning != "" {
		s.Warnings = append(s.Warnings, r.warning)
	}
	s.SetTotals(t)
	s.Lookup, s.Bulk = t.Lookup, t.Bulk
	if r.dryRun {
		s.SetWrites(t.Writes)
		s.Reads, s.Taken = t.Reads, r.review.Taken()
		s.Warnings = append(s.Warnings, r.review.Warnings()...)
		if s.Writes.Total > 0 {
			s.Expected = report.Expect(t.WriteRequests+t.Reads, r.target.rate, r.dir.client.Pace(), r.dir.profile, s.Requests.GET, s.Seconds)
		}
	} else {
		s.Told = []string{r.warning}
	}
	if err = errors.Join(err, t.Cause); err != nil {
		s.Error = err.Error()
	}
	return s
}

// saveOut copies the plan to where --out wants it.
func (r *importRun) saveOut() error {
	if r.out == "" || r.review == nil {
		return nil
	}
	in, err := os.Open(r.review.Path())
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := rows.Create(r.out, r.s.out)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Discard()
		return err
	}
	return out.Commit()
}

// savePage writes the plan as a page, where --html wants one.
func (r *importRun) savePage(summary *report.Summary) error {
	if r.review == nil {
		return nil
	}
	return r.review.SavePage(summary)
}

func (r *importRun) show(summary *report.Summary) error {
	if r.run.json {
		b, err := summary.Encode()
		if err == nil {
			_, err = r.s.out.Write(b)
		}
		return err
	}
	if r.dryRun {
		return r.review.WriteText(r.screen(), summary)
	}
	if r.run.quiet {
		return nil
	}
	return summary.WriteText(r.s.out, r.files)
}

// farewell says why a run ended early and how it goes on.
func (r *importRun) farewell(t *pipeline.Totals, code int) error {
	if t.Cause == nil {
		if code == exitDone {
			return nil
		}
		return exitError{code: code}
	}
	if !errors.Is(t.Cause, pipeline.ErrInterrupted) {
		fmt.Fprintf(r.s.err, "scimbulk: stopped: %v\n", t.Cause)
		advise(r.s.err, t.Cause)
	}
	if n := t.Unreached(); !r.dryRun && n > 0 {
		fmt.Fprintf(r.s.err, "%d rows are left; go on with: scimbulk resume %s\n", n, r.runDir)
	}
	return exitError{code: code}
}
