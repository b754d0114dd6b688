package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
	"scimbulk/internal/scim"
)

// exportOptions are the flags of export.
type exportOptions struct {
	target targetOptions
	run    runOptions

	kind       string
	out        string
	format     string
	attributes []string
	excluded   []string
	filter     string
	inactive   string
	pageSize   string
	mapping    string
}

func newExport(s streams) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export users|groups|all",
		Short: "Write the directory into files",
		Long: `export reads users or groups page by page, several pages at a time, and writes
them to one file; all writes users, groups and memberships into a directory. A
file is whole or not there. Every resource stands in it once, the totals are
read again at the end, and an export with gaps says so and exits with 3.

The columns of a CSV file are SCIM paths, so that it can be imported again.`,
		Example: `  scimbulk export users --out users.csv --sandbox
  scimbulk export all --out directory --region us-east-1
  scimbulk export users --attributes userName,active --filter 'title pr' --out -`,
		Args:      exactly(1, "one of users, groups, all"),
		ValidArgs: []string{"users", "groups", "all"},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.kind = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	o.target.bind(f)
	o.run.bind(f)
	f.StringVarP(&o.out, "out", "o", "", "`PATH` to write to; a directory for all; - is standard output (default: users.csv, groups.csv, directory)")
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the extension of --out, else csv)")
	f.StringSliceVar(&o.attributes, "attributes", nil, "`paths` to ask for, comma-separated (default: all)")
	f.StringSliceVar(&o.excluded, "exclude-attributes", nil, "`paths` to leave out, comma-separated")
	f.StringVarP(&o.mapping, "mapping", "m", "", "an import mapping `file`, turned round: its columns are the file's (CSV only)")
	f.StringVar(&o.filter, "filter", "", "SCIM `filter`, such as 'userType eq \"Employee\"'")
	f.StringVar(&o.inactive, "inactive", pipeline.InactiveInclude, "inactive people: include, exclude or only")
	f.StringVar(&o.pageSize, "page-size", "auto", "`resources` a page, or auto")
	return cmd
}

func (o *exportOptions) validate() error {
	problems := append(o.target.validate(), o.run.validate()...)
	problems = oneOf(problems, "export", o.kind, "users", "groups", "all")
	problems = oneOf(problems, "--format", o.format, "", pipeline.FormatCSV, pipeline.FormatJSONL)
	problems = oneOf(problems, "--inactive", o.inactive, pipeline.InactiveInclude, pipeline.InactiveExclude, pipeline.InactiveOnly)
	if len(o.attributes) > 0 && len(o.excluded) > 0 {
		problems = append(problems, usagef("--attributes and --exclude-attributes do not go together (RFC 7644 section 3.9)"))
	}
	if _, err := o.page(); err != nil {
		problems = append(problems, err)
	}
	if o.filter != "" {
		if _, err := scim.ParseFilter(o.filter); err != nil {
			problems = append(problems, usagef("--filter: %w", err))
		}
	}
	if o.kind == "all" && o.out == "-" {
		problems = append(problems, usagef("all writes several files, which standard output cannot hold: name a directory with --out"))
	}
	if o.mapping != "" && (o.kind == "all" || o.fileFormat() != pipeline.FormatCSV) {
		problems = append(problems, usagef("--mapping goes with one CSV file: export users or groups"))
	}
	if o.out == "-" && o.run.json {
		problems = append(problems, usagef("--json and --out - would both write to standard output"))
	}
	return errors.Join(problems...)
}

// page is the page size, 0 for auto.
func (o *exportOptions) page() (int, error) {
	if o.pageSize == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(o.pageSize)
	if err != nil || n < 1 {
		return 0, usagef("--page-size %q: give a number of resources, or auto", o.pageSize)
	}
	return n, nil
}

// exportRun is an export under way.
type exportRun struct {
	*exportOptions
	s        streams
	dir      *directory
	meter    *pipeline.Meter
	manifest report.Manifest
	runDir   string
	log      *journal.Log
}

func (o *exportOptions) execute(ctx context.Context, s streams) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	o.fillIn()
	if o.kind != "all" {
		if err := checkOut("--out", o.out); err != nil {
			return err
		}
	}
	dir, err := o.target.open()
	if err != nil {
		return err
	}
	defer dir.close()
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM) // there is nothing to drain
	defer release()
	x := &exportRun{exportOptions: o, s: s, dir: dir, meter: &pipeline.Meter{}}
	x.manifest = report.Manifest{Target: dir.name, Provider: dir.profile.Name, Started: time.Now().UTC()}
	if err := x.begin(); err != nil {
		return err
	}
	progress := report.StartProgress(o.run.progressMode(s), s.err, x.meter, o.kind)
	err = x.write(ctx)
	progress.Stop()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: no file was written", pipeline.ErrInterrupted)
	}
	return x.finish(err)
}

// begin makes the run's directory with its log.
func (x *exportRun) begin() (err error) {
	if x.runDir, err = newRunDir(x.run.dir, "export"); err != nil {
		return err
	}
	x.log, err = journal.Create(x.runDir, journal.Header{
		Run: filepath.Base(x.runDir), Command: "export", Args: append([]string{"export", x.kind, "--out=" + absoluteOut(x.out)}, x.target.args()...),
		Target: x.dir.name, Provider: x.dir.profile.Name, Started: x.manifest.Started,
	})
	return err
}

func absoluteOut(path string) string {
	if path == "-" {
		return path
	}
	return absolute(path)
}

// fileFormat is the format that is given, else that of the extension of --out.
func (o *exportOptions) fileFormat() string {
	bare := strings.TrimSuffix(strings.TrimSuffix(o.out, ".gz"), ".zst")
	if ext := filepath.Ext(bare); o.format == "" && (ext == ".jsonl" || ext == ".ndjson") {
		return pipeline.FormatJSONL
	}
	return cmp.Or(o.format, pipeline.FormatCSV)
}

// fillIn settles the output path and the format.
func (o *exportOptions) fillIn() {
	o.format = o.fileFormat()
	if o.out == "" {
		o.out = o.kind + "." + o.format
		if o.kind == "all" {
			o.out = "directory"
		}
	}
}

func (x *exportRun) write(ctx context.Context) error {
	switch x.kind {
	case "users":
		return x.dump(ctx, "User", x.out, nil)
	case "groups":
		return x.dump(ctx, "Group", x.out, nil)
	}
	if err := os.MkdirAll(x.out, 0o700); err != nil {
		return err
	}
	m := pipeline.NewMemberships()
	if err := x.dump(ctx, "User", filepath.Join(x.out, "users."+x.format), m.User); err != nil {
		return err
	}
	if err := x.dump(ctx, "Group", filepath.Join(x.out, "groups."+x.format), m.Group); err != nil {
		return err
	}
	d, err := m.WriteTo(filepath.Join(x.out, "memberships.csv"), x.s.out)
	if err != nil {
		return err
	}
	x.manifest.Add("membership", d)
	return nil
}

func (x *exportRun) dump(ctx context.Context, resource, path string, each func(scim.Object) error) error {
	schema, err := x.dir.schema(ctx, resource)
	if err != nil {
		return err
	}
	if err := x.checkPaths(schema); err != nil {
		return err
	}
	page, err := x.page()
	if err != nil {
		return err
	}
	x.meter.Total.Store(0)
	x.meter.Done.Store(0)
	e := &pipeline.Export{
		Client: x.dir.client, Profile: x.dir.profile, Endpoint: pipeline.Endpoint(resource),
		Filter: x.filter, Attributes: fullPaths(x.attributes), ExcludedAttributes: fullPaths(x.excluded), Inactive: x.inactive,
		PageSize: page, Workers: x.dir.workers, Meter: x.meter,
	}
	lost := "no column can hold %s; --format jsonl keeps everything"
	if x.mapping != "" {
		lost = "cells that an import through the mapping would not read as the values that are there: %s"
		if e.Layout, err = x.reverse(resource, schema); err != nil {
			return err
		}
	}
	d, err := e.WriteTo(ctx, path, x.format, schema, x.s.out, each)
	if err != nil {
		return fmt.Errorf("exporting %s: %w", e.Endpoint, err)
	}
	x.manifest.Add(strings.ToLower(resource), d)
	if len(d.Lost) > 0 && !x.run.quiet {
		fmt.Fprintf(x.s.err, "%s: "+lost+"\n", path, strings.Join(d.Lost, ", "))
	}
	return nil
}

// checkPaths sees that the attributes asked for are there: a directory answers
// with nothing for those that it does not know. With all, one that users have
// need not be one of groups.
func (x *exportRun) checkPaths(schema *scim.ResourceSchema) error {
	if x.kind == "all" {
		return nil
	}
	var problems []error
	for _, p := range append(slices.Clone(x.attributes), x.excluded...) {
		path, err := scim.ParsePath(strings.TrimSpace(p))
		if err == nil {
			_, err = schema.Resolve(path)
		}
		if err != nil {
			problems = append(problems, usageError{err})
		}
	}
	return errors.Join(problems...)
}

// reverse turns the import mapping round, and says what of it cannot be.
func (x *exportRun) reverse(resource string, schema *scim.ResourceSchema) (pipeline.Layout, error) {
	file, err := mapping.Load(x.mapping)
	if err != nil {
		return nil, err
	}
	reverse, err := file.Reverse(mapping.Options{Schema: func(name string) *scim.ResourceSchema {
		if name == resource {
			return schema
		}
		return scim.Builtin(name)
	}})
	if err != nil {
		return nil, err
	}
	if reverse.Resource() != resource {
		return nil, fmt.Errorf("%s maps %ss, and %ss are exported", x.mapping, reverse.Resource(), resource)
	}
	if !x.run.quiet {
		for _, note := range reverse.Notes() {
			fmt.Fprintf(x.s.err, "%s: %s\n", x.mapping, note)
		}
	}
	return reverse, nil
}

// fullPaths writes the abbreviations of paths out, as the directory knows them.
func fullPaths(paths []string) []string {
	full := make([]string, len(paths))
	for i, p := range paths {
		full[i] = p
		if path, err := scim.ParsePath(strings.TrimSpace(p)); err == nil {
			full[i] = path.String()
		}
	}
	return full
}

// finish writes the manifest beside the data and the summary of the run, tells
// what was read, and how complete that is.
func (x *exportRun) finish(failed error) error {
	x.manifest.Finish(x.dir.client.Stats().Total)
	if failed == nil {
		failed = x.saveManifest()
	}
	if gaps := x.manifest.Gaps(); failed == nil && len(gaps) > 0 {
		failed = &pipeline.IncompleteError{Gaps: gaps}
	}
	summary := x.summary(failed)
	code := exitCode(failed)
	err := errors.Join(
		x.log.Finish(journal.Summary{Finished: code == exitDone || code == exitIncomplete, Exit: code, Read: summary.Rows.Read}),
		x.log.Close(), summary.Save(x.runDir))
	if x.run.json {
		b, encodeErr := summary.Encode()
		_, writeErr := x.s.out.Write(b)
		err = errors.Join(err, encodeErr, writeErr)
	} else if !x.run.quiet && len(x.manifest.Files) > 0 {
		x.manifest.WriteText(x.talk())
	}
	return errors.Join(failed, err)
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
		s.Rows.Read += f.Resources
	}
	q := x.dir.client.Stats()
	s.Requests = report.Requests{GET: q.GET, POST: q.POST, Total: q.Total, Retried: q.Retried, Throttled: q.Throttled}
	if failed != nil {
		s.Error = failed.Error()
	}
	return s
}
