package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/report"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// diffFile is a file of a comparison, open for its header; nil for the live
// directory.
type diffFile struct {
	*rows.Reader
	name      string
	selection *report.Selection // by its manifest; nil where that does not tell
}

// compare compares two states of one kind of resources.
func (r *diffRun) compare(ctx context.Context, p pair) (err error) {
	var files [2]*diffFile
	defer func() {
		for _, f := range files {
			if f != nil {
				err = errors.Join(err, f.Close())
			}
		}
	}()
	for i, path := range []string{p.old, p.new} {
		if files[i], err = r.open(path); err != nil {
			return err
		}
	}
	resource, err := r.resourceOf(files[0], files[1])
	if err != nil {
		return err
	}
	if err := r.checkSelections(files); err != nil {
		return err
	}
	c := &pipeline.Comparison{ByKey: r.match != "", AllAttributes: r.all, Went: r.went, Meter: &pipeline.Meter{}}
	if resource == "" {
		err = r.ofMembers(ctx, c, &files)
	} else {
		err = r.ofResources(ctx, c, resource, files)
	}
	if err != nil {
		return err
	}
	return r.carryOut(ctx, c, resource)
}

// open opens a file, or standard input by a copy of it.
func (r *diffRun) open(path string) (*diffFile, error) {
	if path == liveName {
		return nil, nil
	}
	f := &diffFile{name: path}
	if path == "-" {
		kept, err := r.temporary()
		if err != nil {
			return nil, err
		}
		if err := errors.Join(kept.Close(), copyInput(r.s.in, kept.Name())); err != nil {
			return nil, err
		}
		path, f.name = kept.Name(), "stdin"
	}
	err := r.readManifest(path, f)
	if err != nil {
		return nil, err
	}
	if f.Reader, err = rows.Open(path, rows.Options{Name: f.name}); err != nil {
		return nil, err
	}
	r.hide()
	return f, nil
}

// temporary makes a file that is gone at the end.
func (r *diffRun) temporary() (*os.File, error) {
	file, err := os.CreateTemp("", "scimbulk-*") // made with mode 0600
	if err == nil {
		r.kept = append(r.kept, file.Name())
	}
	return file, err
}

// hide takes the names of the copies away that are open, so that a killed process
// leaves none of them behind. Where the system does not let open files lose their
// names, close does it.
func (r *diffRun) hide() {
	for _, path := range r.kept {
		_ = os.Remove(path)
	}
}

// readManifest learns from the manifest beside an export how whole it is. A file
// that is not as it was exported is not what the manifest speaks of.
func (r *diffRun) readManifest(path string, f *diffFile) error {
	manifest, entry := report.ExportedFile(path)
	if manifest == nil {
		return nil
	}
	d, err := digest(path)
	if err != nil {
		return err
	}
	if entry.SHA256 == d.SHA256 {
		f.selection = manifest.Selection
	}
	if entry.Grade != pipeline.GradeC {
		return nil
	}
	gaps := strings.Join(entry.Reasons, "; ")
	if r.plan != "" {
		return fmt.Errorf("%s is not complete, so that people who are not in it would be taken for gone (%s): export again", path, gaps)
	}
	r.note("warning: %s is not complete: %s", path, gaps)
	return nil
}

// checkSelections sees that both states are of the same people. The live
// directory is read by the filter that the file was exported with.
func (r *diffRun) checkSelections(files [2]*diffFile) error {
	live := &report.Selection{Inactive: pipeline.InactiveInclude}
	var selections [2]*report.Selection
	for i, f := range files {
		if f == nil {
			selections[i] = live
			continue
		}
		if selections[i] = f.selection; f.selection != nil {
			live.Filter = f.selection.Filter
		}
	}
	if r.filter = live.Filter; selections[0].SamePeople(selections[1]) {
		return nil
	}
	const told = "the two do not hold the same people by their manifests (--filter or --inactive of export): some may be in one of them alone for that reason"
	if r.plan != "" {
		return fmt.Errorf("%s; export again, for no change set can be made of them", told)
	}
	r.note("warning: %s", told)
	return nil
}

// resourceOf is what both files hold, "" for memberships.
func (r *diffRun) resourceOf(old, newer *diffFile) (string, error) {
	var kinds []string
	for _, f := range []*diffFile{old, newer} {
		if f == nil {
			continue
		}
		kind := cmp.Or(r.resource, mapping.ResourceOf(f.Header(), f.Schemas()))
		if _, ok := pipeline.MemberState(f.name, f.Reader); ok && r.resource == "" {
			kind = ""
		}
		kinds = append(kinds, kind)
	}
	if len(kinds) == 2 && kinds[0] != kinds[1] {
		return "", fmt.Errorf("%s holds %s, and %s %s: compare files of one kind (--resource says which it is)", old.name, plural(kinds[0]), newer.name, plural(kinds[1]))
	}
	return kinds[0], nil
}

func plural(resource string) string {
	return strings.ToLower(cmp.Or(resource, "membership")) + "s"
}

func (r *diffRun) ofMembers(ctx context.Context, c *pipeline.Comparison, files *[2]*diffFile) error {
	switch {
	case r.plan != "":
		return usagef("memberships need no change set: save the differences with --out changes.csv, a membership file, and carry it out with scimbulk import changes.csv")
	case r.match != "" || len(r.only)+len(r.but) > 0:
		return usagef("--match, --attributes and --exclude-attributes go with users and groups")
	}
	for i, f := range files {
		if f != nil {
			continue
		}
		var err error
		if files[i], err = r.liveMembers(ctx, c.Meter); err != nil {
			return err
		}
	}
	c.Old, _ = pipeline.MemberState(files[0].name, files[0].Reader)
	c.New, _ = pipeline.MemberState(files[1].name, files[1].Reader)
	return nil
}

// liveMembers makes a membership file of the directory as it is now.
func (r *diffRun) liveMembers(ctx context.Context, meter *pipeline.Meter) (*diffFile, error) {
	config, err := r.dir.listings(ctx)
	if err != nil {
		return nil, err
	}
	users, groups := r.export("User", config), r.export("Group", config)
	users.Attributes, groups.Attributes = []string{"id", "userName"}, []string{"id", "displayName", "members"}
	users.Meter, groups.Meter = meter, meter
	file, err := r.temporary()
	if err != nil {
		return nil, err
	}
	progress := r.startProgress(meter)
	err = pipeline.LiveMemberships(ctx, users, groups, file)
	progress.Stop()
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.dir.name, err)
	}
	f := &diffFile{name: r.dir.name}
	if f.Reader, err = rows.Open(file.Name(), rows.Options{Name: f.name, Format: rows.CSV}); err != nil {
		return nil, err
	}
	r.hide()
	return f, nil
}

// export reads the live directory.
func (r *diffRun) export(resource string, config pipeline.Config) *pipeline.Export {
	return &pipeline.Export{
		Client: r.dir.client, Profile: r.dir.profile, Endpoint: pipeline.Endpoint(resource), Filter: r.filter,
		Inactive: pipeline.InactiveInclude, Workers: r.dir.workers, Thorough: true, Config: config,
	}
}

func (r *diffRun) startProgress(meter *pipeline.Meter) *report.Progress {
	return report.StartProgress((&runOptions{progress: r.progress, quiet: r.quiet}).progressMode(r.s), r.s.err, meter, "resources")
}

func (r *diffRun) ofResources(ctx context.Context, c *pipeline.Comparison, resource string, files [2]*diffFile) error {
	schema := scim.Builtin(resource)
	var err error
	if r.dir != nil {
		if schema, err = r.dir.schema(ctx, resource); err != nil {
			return err
		}
	}
	if c.Match, err = r.matchTarget(resource, schema); err != nil {
		return err
	}
	if c.Only, err = r.paths(r.only, schema); err != nil {
		return err
	}
	if c.But, err = r.paths(r.but, schema); err != nil {
		return err
	}
	if c.Rules, err = r.rules(resource, schema); err != nil {
		return err
	}
	if c.Old, err = r.state(ctx, resource, c.Match, schema, files[0]); err != nil {
		return err
	}
	c.New, err = r.state(ctx, resource, c.Match, schema, files[1])
	return err
}

// matchTarget is the attribute that tells who is who where ids do not.
func (r *diffRun) matchTarget(resource string, schema *scim.ResourceSchema) (*scim.Target, error) {
	name := cmp.Or(r.match, "userName")
	if r.match == "" && resource == "Group" {
		name = "displayName"
	}
	path, err := scim.ParsePath(name)
	if err != nil {
		return nil, usageError{err}
	}
	t, err := schema.Resolve(path)
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("--match: %w", err)}
	case t.List() || t.Path.Filter != nil:
		return nil, usagef("--match %s: name an attribute with one value, such as userName or externalId", name)
	}
	return t, nil
}

func (r *diffRun) rules(resource string, schema *scim.ResourceSchema) (plan.Rules, error) {
	rules := plan.Rules{Schema: schema}
	if r.dir == nil {
		return rules, nil
	}
	limitTo(r.dir.profile, resource, &rules)
	if r.plan != "" && rules.NoPatch && r.old != liveName {
		return rules, fmt.Errorf("%s has no PATCH, and a change set of whole resources that was made from a file would take away what the file does not hold: compare the live directory with it", r.dir.profile.Title)
	}
	return rules, nil
}

func (r *diffRun) state(ctx context.Context, resource string, match *scim.Target, schema *scim.ResourceSchema, f *diffFile) (*pipeline.State, error) {
	if f == nil {
		config, err := r.dir.listings(ctx)
		return pipeline.LiveState(r.dir.name, r.export(resource, config)), err
	}
	s, err := pipeline.FileState(f.name, f.Reader, resource, match.Path.String(), schema)
	if err != nil {
		return nil, err
	}
	s.Whole = f.selection.AllAttributes()
	for _, n := range s.Notes {
		r.note("%s: %s", f.name, n)
	}
	return s, nil
}

// carryOut compares, and tells what it came to.
func (r *diffRun) carryOut(ctx context.Context, c *pipeline.Comparison, resource string) error {
	if err := r.sink.begin(r, c, resource); err != nil {
		return err
	}
	progress := r.startProgress(c.Meter)
	result, err := c.Run(ctx, r.sink.take)
	progress.Stop()
	if err != nil {
		return err
	}
	r.tell(c, result)
	if r.detailed && result.Differ() {
		r.exit = max(r.exit, exitChanges)
	}
	if r.sink.refused() {
		r.exit = max(r.exit, exitIncomplete)
	}
	return r.sink.end(result)
}

// tell says what was not compared, and what is odd.
func (r *diffRun) tell(c *pipeline.Comparison, result *pipeline.Compared) {
	paired := result.Changed+result.Unchanged > 0
	if len(result.Left) > 0 && paired {
		r.note("attributes that one side alone has, not compared (--all-attributes does): %s", strings.Join(result.Left, ", "))
	}
	for _, n := range result.Notes {
		r.note("%s", n)
	}
	if result.Reborn > 0 {
		r.note("the same by name, with another id: %d", result.Reborn)
	}
	if !paired && c.Old.Size > 0 && c.New.Size > 0 {
		r.note("nobody is in both: are they of one directory? (--match names what tells who is who)")
	}
}

// diffSink is where differences go: to people, to a file, and into a change set.
type diffSink struct {
	o        *diffOptions
	s        streams
	out      *rows.Output // of the differences, unless they are the screen's
	plan     *rows.Output
	screen   io.Writer // of the totals
	show     report.Differences
	csv      *report.DiffCSV
	changes  *report.ChangeSet
	summary  report.DiffSummary
	all      []report.DiffSummary
	resource string
}

func newDiffSink(o *diffOptions, s streams) (*diffSink, error) {
	d := &diffSink{o: o, s: s, screen: s.out}
	var err error
	if o.out == "-" && o.json {
		return d, nil
	}
	if d.out, err = rows.Create(o.out, s.out); err != nil {
		return nil, err
	}
	if d.csvWanted() && o.out == "-" {
		d.screen = s.err
	}
	return d, nil
}

func (d *diffSink) csvWanted() bool {
	bare := strings.TrimSuffix(strings.TrimSuffix(d.o.out, ".gz"), ".zst")
	return cmp.Or(d.o.format, strings.TrimPrefix(filepath.Ext(bare), ".")) == diffCSV
}

// begin prepares for the differences of one kind of resources.
func (d *diffSink) begin(r *diffRun, c *pipeline.Comparison, resource string) (err error) {
	d.resource = resource
	d.summary = report.DiffSummary{Command: "diff", Old: c.Old.Name, New: c.New.Name, Resource: cmp.Or(resource, "Membership"), Notes: []string{}}
	if r.plan != "" {
		if err := d.beginPlan(r, c, resource); err != nil {
			return err
		}
	}
	switch {
	case d.out == nil:
	case d.csvWanted() && resource == "":
		d.show, err = report.NewDiffMembers(d.out)
	case d.csvWanted() && d.csv == nil:
		d.csv, err = report.NewDiffCSV(d.out)
		d.show = d.csv
	case !d.csvWanted():
		colour := d.o.out == "-" && terminal(d.s.out) && os.Getenv("NO_COLOR") == ""
		d.show = &report.DiffText{Out: d.out, Colour: colour}
	}
	if d.csv != nil {
		d.csv.Resource = resource
	}
	return err
}

func (d *diffSink) beginPlan(r *diffRun, c *pipeline.Comparison, resource string) (err error) {
	if d.plan, err = rows.Create(r.plan, nil); err != nil {
		return err
	}
	d.changes, err = report.NewChangeSet(d.plan, report.PlanHeader{
		Format: report.PlanFormat, Run: "diff", Target: r.dir.name, Provider: r.dir.profile.Name,
		Resource: resource, Match: c.Match.Path.String(), Created: time.Now().UTC(),
	})
	return err
}

// take keeps one difference.
func (d *diffSink) take(delta *pipeline.Delta) error {
	if d.changes != nil {
		if err := d.changes.Add(delta); err != nil {
			return err
		}
	}
	if d.show == nil {
		return nil
	}
	return d.show.Show(delta)
}

func (d *diffSink) refused() bool { return d.changes != nil && len(d.changes.Refused) > 0 }

// end closes what one kind of resources came to.
func (d *diffSink) end(result *pipeline.Compared) error {
	d.summary.SetCounts(result)
	if d.changes != nil {
		d.summary.SetChanges(d.o.plan, d.changes)
	}
	d.all = append(d.all, d.summary)
	if d.show == nil {
		return nil
	}
	return d.show.Flush()
}

// finish puts the files in their places and prints the totals.
func (d *diffSink) finish() error {
	var err error
	for _, out := range []*rows.Output{d.plan, d.out} {
		if out != nil {
			err = errors.Join(err, out.Commit())
		}
	}
	d.plan, d.out = nil, nil
	if err != nil {
		return err
	}
	if d.o.json {
		return report.WriteDiffs(d.s.out, d.all)
	}
	if d.o.quiet {
		return nil
	}
	for i := range d.all {
		err = errors.Join(err, d.all[i].WriteText(d.screen))
	}
	return err
}

// discard lets go of files that are not to be.
func (d *diffSink) discard() {
	for _, out := range []*rows.Output{d.plan, d.out} {
		if out != nil {
			out.Discard()
		}
	}
}
