package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

// finish writes the manifest beside the data and the summary of the run, tells
// what was read, and how complete that is.
func (x *exportRun) finish(failed error) error {
	x.manifest.Finish(x.requests().Total)
	if failed == nil {
		failed = x.saveManifest()
	}
	if gaps := x.manifest.Gaps(); failed == nil && len(gaps) > 0 {
		failed = &pipeline.IncompleteError{Gaps: gaps}
	}
	summary := x.summary(failed)
	code := exitCode(failed)
	finished := code == exitDone || code == exitIncomplete
	err := errors.Join(
		x.letGo(finished), summary.Save(x.runDir), x.log.Done(nil, x.stats()),
		x.log.Finish(journal.Summary{Finished: finished, Exit: code, Read: summary.Rows.Read}), x.log.Close())
	switch {
	case x.run.json:
		b, encodeErr := summary.Encode()
		_, writeErr := x.s.out.Write(b)
		err = errors.Join(err, encodeErr, writeErr)
	case finished && !x.run.quiet:
		x.manifest.WriteText(x.talk())
	case !finished && !x.run.quiet:
		x.tellHowToGoOn()
	}
	return errors.Join(failed, err)
}

// letGo closes the pages, and deletes those that nobody needs any more.
func (x *exportRun) letGo(finished bool) error {
	var err error
	for _, p := range x.pages {
		err = errors.Join(err, p.Close())
	}
	for _, resource := range []string{"User", "Group"} {
		if !finished {
			break
		}
		if removed := os.Remove(x.pagesPath(resource)); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

func (x *exportRun) tellHowToGoOn() {
	switch {
	case x.out == "-" && x.meter.Done.Load() > 0:
		fmt.Fprintln(x.s.err, "an export to standard output cannot be gone on with")
		return
	case len(x.pages) == 0:
		return // nothing was read
	}
	fmt.Fprintf(x.s.err, "what was read is kept; go on with: scimbulk resume %s\n", x.runDir)
}

// stats are the requests of this session, and requests those of all.
func (x *exportRun) stats() journal.Stats {
	q := x.dir.client.Stats()
	return journal.Stats{GET: q.GET, POST: q.POST, Retried: q.Retried, Throttled: q.Throttled, Seconds: x.manifest.Seconds}
}

func (x *exportRun) requests() report.Requests {
	q := x.dir.client.Stats()
	r := report.Requests{GET: q.GET, POST: q.POST, Total: q.Total, Retried: q.Retried, Throttled: q.Throttled}
	if x.state != nil {
		earlier := x.state.Stats()
		r.GET, r.POST, r.Total = r.GET+earlier.GET, r.POST+earlier.POST, r.Total+earlier.GET+earlier.POST
		r.Retried, r.Throttled = r.Retried+earlier.Retried, r.Throttled+earlier.Throttled
	}
	return r
}

// talk is where people are spoken to: not in the midst of data.
func (x *exportRun) talk() io.Writer {
	if x.out == "-" {
		return x.s.err
	}
	return x.s.out
}

func (x *exportRun) saveManifest() error {
	switch {
	case x.out == "-":
		return nil
	case x.kind == "all":
		return x.manifest.Save(filepath.Join(x.out, "manifest.json"))
	}
	return x.manifest.Save(x.out + ".manifest.json")
}

func (x *exportRun) summary(failed error) *report.Summary {
	s := &report.Summary{
		Command: "export", Run: x.runDir, Target: x.dir.name, Provider: x.dir.profile.Name, Started: x.manifest.Started,
		Seconds: x.manifest.Seconds, Files: x.manifest.Files, Grade: x.manifest.Grade, Exit: exitCode(failed),
	}
	for _, f := range x.manifest.Files {
		if f.Kind != report.KindMembership {
			s.Rows.Read += f.Resources
		}
	}
	s.Requests = x.requests()
	if failed != nil {
		s.Error = failed.Error()
	}
	return s
}
