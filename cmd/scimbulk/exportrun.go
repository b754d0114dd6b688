package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

// exportRun is one session of an export.
type exportRun struct {
	*exportOptions
	s        streams
	dir      *directory
	meter    *pipeline.Meter
	manifest report.Manifest
	config   *pipeline.Config // what the directory says of its listings, once asked

	runDir string
	log    *journal.Log
	state  *journal.State // of earlier sessions, nil for a new run
	pages  []*pipeline.Pages
}

func (x *exportRun) execute(ctx context.Context) (err error) {
	if x.kind != "all" {
		if err := checkOut("--out", x.out); err != nil {
			return err
		}
	}
	if x.dir, err = x.target.open(); err != nil {
		return err
	}
	defer x.dir.close()
	defer x.dir.keepPace()
	x.dir.recallPace(nil)
	take, work, release := twoStops(ctx, x.s.err, "pages")
	defer release()
	if x.maxDuration > 0 {
		var cancel context.CancelFunc
		take, cancel = context.WithTimeoutCause(take, x.maxDuration, pipeline.ErrMaxDuration)
		defer cancel()
	}
	x.meter = &pipeline.Meter{Pace: x.dir.client.Pace}
	x.manifest = report.Manifest{Target: x.dir.name, Provider: x.dir.profile.Name, Started: time.Now().UTC(), Selection: x.selection()}
	if err := x.begin(); err != nil {
		return err
	}
	progress := report.StartProgress(x.run.progressMode(x.s), x.s.err, x.meter, x.kind)
	err = x.write(take, work)
	progress.Stop()
	if take.Err() != nil && err != nil {
		err = x.stopped(context.Cause(take), err)
	}
	return x.finish(err)
}

// stopped says why an export ended early, and which of its files are there. What
// failed besides is said too: nobody resumes onto a full disk.
func (x *exportRun) stopped(cause, failed error) error {
	if !errors.Is(cause, pipeline.ErrMaxDuration) {
		cause = pipeline.ErrInterrupted
	}
	written := "no file was written"
	if names := x.manifest.Names(); len(names) > 0 {
		written = "of its files there is " + strings.Join(names, " and ") + " alone"
	}
	err := fmt.Errorf("%w: %s", cause, written)
	if errors.Is(failed, cause) || errors.Is(failed, context.Canceled) || errors.Is(failed, context.DeadlineExceeded) {
		return err
	}
	return errors.Join(err, failed)
}

// begin makes the run's directory with its log, or sees that a run can go on.
func (x *exportRun) begin() (err error) {
	header := journal.Header{
		Command: "export", Args: x.args(), Target: x.dir.name, Provider: x.dir.profile.Name, Started: x.manifest.Started,
	}
	if x.mapping != "" {
		if header.Mapping, err = digest(x.mapping); err != nil {
			return err
		}
	}
	if x.state != nil {
		x.manifest.Started = x.state.Header.Started
		return unchanged(x.state.Header, header)
	}
	if x.runDir, err = newRunDir(x.run.dir, "export"); err != nil {
		return err
	}
	header.Run = filepath.Base(x.runDir)
	var filters map[string]string
	header.Args, filters = hideFilters(header.Run, header.Args)
	if err := keepFilters(x.runDir, filters); err != nil {
		return err
	}
	x.log, err = journal.Create(x.runDir, header)
	return err
}

func (x *exportRun) write(take, work context.Context) error {
	switch x.kind {
	case "users":
		return x.dump(take, work, "User", x.out, nil)
	case "groups":
		return x.dump(take, work, "Group", x.out, nil)
	}
	if err := os.MkdirAll(x.out, 0o700); err != nil {
		return err
	}
	m, err := pipeline.NewMemberships()
	if err != nil {
		return err
	}
	defer m.Close()
	if err := x.dump(take, work, "User", filepath.Join(x.out, "users."+x.format), m.User); err != nil {
		return err
	}
	if err := x.dump(take, work, "Group", filepath.Join(x.out, "groups."+x.format), m.Group); err != nil {
		return err
	}
	d, err := m.WriteTo(filepath.Join(x.out, "memberships.csv"), filepath.Join(x.runDir, "memberships.draft"))
	if err != nil {
		return err
	}
	x.manifest.Add(report.KindMembership, d)
	return nil
}

func (x *exportRun) dump(take, work context.Context, resource, path string, each pipeline.See) error {
	page, err := x.page()
	if err != nil {
		return err
	}
	x.meter.Total.Store(0)
	x.meter.Done.Store(0)
	e := &pipeline.Export{
		Client: x.dir.client, Profile: x.dir.profile, Endpoint: pipeline.Endpoint(resource),
		Filter: x.filter, Attributes: wholeLists(x.attributes), ExcludedAttributes: fullPaths(x.excluded), Inactive: x.inactive,
		PageSize: page, Workers: x.dir.workers, Meter: x.meter, Thorough: true,
	}
	schema, err := x.look(take, resource, e)
	if err != nil {
		return err
	}
	if err := x.checkPaths(schema); err != nil {
		return err
	}
	e.Config = *x.config
	lost := "no column can hold %s; --format jsonl keeps everything"
	if x.mapping != "" {
		lost = "cells that an import through the mapping would not read as the values that are there: %s"
		if e.Layout, err = x.reverse(resource, schema); err != nil {
			return err
		}
	}
	if err := x.keepPages(e, resource); err != nil {
		return err
	}
	f := pipeline.File{Path: path, Format: x.format, BOM: x.bom, Schema: schema, Stdout: x.s.out, Draft: x.pagesPath(resource) + ".draft"}
	d, err := e.WriteTo(take, work, f, each)
	if err != nil {
		return fmt.Errorf("exporting %s: %w", e.Endpoint, err)
	}
	x.manifest.Add(strings.ToLower(resource), d)
	if len(d.Lost) > 0 && !x.run.quiet {
		fmt.Fprintf(x.s.err, "%s: "+lost+"\n", path, strings.Join(d.Lost, ", "))
	}
	return nil
}
