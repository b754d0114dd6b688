package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

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

	kind        string
	out         string
	format      string
	attributes  []string
	excluded    []string
	filter      string
	inactive    string
	pageSize    string
	mapping     string
	bom         bool
	maxDuration time.Duration
}

func newExport(s streams) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export users|groups|all",
		Short: "Write the directory into files",
		Long: `export reads users or groups page by page, several pages at a time, and writes
them to one file; all writes users, groups and memberships into a directory. A
file is whole or not there, and an export that was interrupted goes on with
scimbulk resume. Every resource stands in it once. The manifest beside it grades
how complete it is:

  A  pages in an order that was checked, each beginning with the resource that the
     one before ended with, and the same totals before and after: everybody who
     was there all the time, unchanged, is in the file once
  B  totals agree, but the order of the pages is not proven
  C  something does not agree; the gaps are listed, and the exit code is 3

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
	o.bind(cmd.Flags())
	return cmd
}

func (o *exportOptions) bind(f *pflag.FlagSet) {
	o.target.bind(f)
	o.run.bind(f)
	f.StringVarP(&o.out, "out", "o", "", "`PATH` to write to; a directory for all; - is standard output (default: users.csv, groups.csv, directory)")
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the extension of --out, else csv)")
	f.Var(pathList{&o.attributes}, "attributes", "`paths` to ask for, comma-separated (default: all)")
	f.Var(pathList{&o.excluded}, "exclude-attributes", "`paths` to leave out, comma-separated")
	f.StringVarP(&o.mapping, "mapping", "m", "", "an import mapping `file`, turned round: its columns are the file's (CSV only)")
	f.StringVar(&o.filter, "filter", "", "SCIM `filter`, such as 'userType eq \"Employee\"'")
	f.StringVar(&o.inactive, "inactive", pipeline.InactiveInclude, "inactive people: include, exclude or only")
	f.StringVar(&o.pageSize, "page-size", "auto", "`resources` a page, or auto")
	f.DurationVar(&o.maxDuration, "max-duration", 0, "stop after this time, resumable")
	f.BoolVar(&o.bom, "bom", false, "begin a CSV file with a byte order mark, by which Excel knows UTF-8")
}

func (o *exportOptions) validate() error {
	problems := append(o.target.validate(), o.run.validate()...)
	problems = oneOf(problems, "export", o.kind, "users", "groups", "all")
	problems = oneOf(problems, "--format", o.format, "", pipeline.FormatCSV, pipeline.FormatJSONL)
	problems = oneOf(problems, "--inactive", o.inactive, pipeline.InactiveInclude, pipeline.InactiveExclude, pipeline.InactiveOnly)
	if len(o.attributes) > 0 && len(o.excluded) > 0 {
		problems = append(problems, usagef("--attributes and --exclude-attributes do not go together (RFC 7644 section 3.9)"))
	}
	if o.maxDuration < 0 {
		problems = append(problems, usagef("--max-duration takes a time such as 30m"))
	}
	if _, err := o.page(); err != nil {
		problems = append(problems, err)
	}
	if err := o.checkExtension(); err != nil {
		problems = append(problems, err)
	}
	if o.bom && o.fileFormat() != pipeline.FormatCSV {
		problems = append(problems, usagef("--bom goes with CSV files: JSON has none (RFC 8259 section 8.1)"))
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

func (o *exportOptions) execute(ctx context.Context, s streams) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	o.fillIn()
	return (&exportRun{exportOptions: o, s: s}).execute(ctx)
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
		cause := pipeline.ErrInterrupted
		if errors.Is(context.Cause(take), pipeline.ErrMaxDuration) {
			cause = pipeline.ErrMaxDuration
		}
		err = fmt.Errorf("%w: no file was written", cause)
	}
	return x.finish(err)
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

// args is the command line that makes the same export from any folder.
func (x *exportRun) args() []string {
	fresh, given := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	(&exportOptions{}).bind(fresh)
	o := &exportOptions{}
	o.bind(given)
	*o = *x.exportOptions // the flags read their values from here
	o.out, o.mapping = absoluteOut(o.out), absolute(o.mapping)
	args := append([]string{"export", o.kind}, keptFlags(given, fresh)...)
	return append(args, o.target.args()...)
}

func absoluteOut(path string) string {
	if path == "-" {
		return path
	}
	return absolute(path)
}

// resumeExport goes on with an interrupted export.
func resumeExport(ctx context.Context, s streams, dir string, log *journal.Log, state *journal.State, session *importOptions, changed *pflag.FlagSet) error {
	h := state.Header
	o := &exportOptions{}
	flags := pflag.NewFlagSet("resume", pflag.ContinueOnError)
	o.bind(flags)
	err := errors.New("it names no kind of resource")
	if len(h.Args) >= 2 {
		o.kind = h.Args[1]
		err = flags.Parse(h.Args[2:])
	}
	switch {
	case err != nil:
		err = fmt.Errorf("the command line in the log cannot be read: %w", err)
	case o.out == "-":
		err = errors.New("an export to standard output cannot be gone on with: start it anew")
	default:
		o.run, o.maxDuration = session.run, session.maxDuration
		takeOver(&o.target, session, changed)
		err = o.validate()
	}
	if err != nil {
		return errors.Join(err, log.Close())
	}
	o.fillIn()
	x := &exportRun{exportOptions: o, s: s, runDir: dir, log: log, state: state}
	return errors.Join(x.execute(ctx), log.Close())
}

// fileFormat is the format that is given, else that of the extension of --out.
func (o *exportOptions) fileFormat() string {
	if ext := o.extension(); o.format == "" && (ext == ".jsonl" || ext == ".ndjson") {
		return pipeline.FormatJSONL
	}
	return cmp.Or(o.format, pipeline.FormatCSV)
}

// extension is that of --out, without those of compression.
func (o *exportOptions) extension() string {
	return strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(o.out, ".gz"), ".zst")))
}

// checkExtension refuses a name that promises another format than is written.
func (o *exportOptions) checkExtension() error {
	if o.kind == "all" || o.out == "" || o.out == "-" {
		return nil
	}
	bare := strings.TrimSuffix(o.out, filepath.Ext(o.out))
	switch ext := o.extension(); ext {
	case ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".parquet", ".pdf", ".zip", ".bz2", ".xz":
		return usagef("--out %s: %s files cannot be written; spreadsheet programs open CSV: --out %s.csv --bom", o.out, ext, bare)
	case "", ".csv", ".txt", ".jsonl", ".ndjson":
		return nil
	case ".json":
		if o.format == "" {
			return usagef("--out %s: one JSON document is not written, but one a line: --out %s.jsonl", o.out, bare)
		}
	default:
		if o.format == "" {
			return usagef("--out %s: %s says nothing of the format: add --format csv or --format jsonl", o.out, ext)
		}
	}
	return nil
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

// look asks the directory for its schemas and, at the same time, for what it can
// do, and for the first page of a new export: a provider that is known to take
// small pages only counts its requests, and one in vain would be too many.
func (x *exportRun) look(ctx context.Context, resource string, e *pipeline.Export) (schema *scim.ResourceSchema, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		schema, err = x.dir.schema(ctx, resource)
		return err
	})
	if x.config == nil {
		x.config = &pipeline.Config{}
		g.Go(func() (err error) {
			*x.config, err = x.dir.listings(ctx)
			return err
		})
		if x.state == nil && x.dir.profile.MaxPageSize == 0 {
			g.Go(func() error { e.Ahead(ctx); return nil })
		}
	}
	return schema, g.Wait()
}

// listings is what the directory says of its listings; nothing where it does not
// say.
func (d *directory) listings(ctx context.Context) (c pipeline.Config, err error) {
	resp, err := d.client.ServiceProviderConfig(ctx, "")
	var failed *scim.Error
	switch {
	case errors.As(err, &failed) && failed.Status >= 200 && failed.Status != http.StatusUnauthorized:
		return c, nil
	case err != nil:
		return c, fmt.Errorf("asking %s what it can do: %w", d.name, err)
	}
	said, err := scim.DecodeObject(resp.Resource.Raw)
	if err != nil {
		return c, nil
	}
	return pipeline.ReadConfig(said), nil
}

// pageNote is what the log holds of pages that were read.
type pageNote struct {
	Of string `json:"of"`
	pipeline.Mark
}

const notePage = "page"

// keepPages keeps the pages of an export in the run's directory, and takes over
// those of earlier sessions. What goes to standard output cannot be gone on with,
// and is kept nowhere.
func (x *exportRun) keepPages(e *pipeline.Export, resource string) (err error) {
	if x.out == "-" {
		return nil
	}
	marks, err := x.marks(resource)
	if err != nil {
		return err
	}
	if e.Pages, err = pipeline.OpenPages(x.pagesPath(resource), marks); err != nil {
		return err
	}
	x.pages = append(x.pages, e.Pages)
	e.Note = func(m pipeline.Mark) error { return x.log.Note(notePage, pageNote{Of: resource, Mark: m}) }
	return nil
}

func (x *exportRun) pagesPath(resource string) string {
	return filepath.Join(x.runDir, strings.ToLower(resource)+"s.pages")
}

// marks are those of earlier sessions. A session that found less in the file
// than the log had noted began again from there, and so do the marks.
func (x *exportRun) marks(resource string) (marks []pipeline.Mark, err error) {
	if x.state == nil {
		return nil, nil
	}
	for kind, value := range x.state.Notes() {
		var n pageNote
		if kind != notePage {
			continue
		}
		if err := json.Unmarshal(value, &n); err != nil {
			return nil, fmt.Errorf("the log of %s notes a page that cannot be read: %w", filepath.Base(x.runDir), err)
		}
		if n.Of != resource {
			continue
		}
		for len(marks) > 0 && marks[len(marks)-1].Bytes >= n.Bytes {
			marks = marks[:len(marks)-1]
		}
		marks = append(marks, n.Mark)
	}
	return marks, nil
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

// selection is what part of the directory is asked for.
func (o *exportOptions) selection() *report.Selection {
	return &report.Selection{
		Filter: o.filter, Inactive: o.inactive, Attributes: o.attributes, ExcludeAttributes: o.excluded, Mapping: o.mapping != "",
	}
}

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
	case x.out == "-":
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
