package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
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
	defer func() { err = errors.Join(err, r.close()) }()
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

// openInput opens the file for its header. Standard input is kept in the run's
// directory first, since it is read twice.
func (r *importRun) openInput() (err error) {
	if r.kind != "" {
		return r.openPlan()
	}
	r.read = rows.Options{
		Format: rows.Format(r.format), Encoding: r.encoding, SkipRows: r.skipRows, MaxRows: r.maxRows,
	}
	for _, c := range strings.ReplaceAll(r.delimiter, `\t`, "\t") {
		r.read.Delimiter = c
	}
	if r.importOptions.input == "-" {
		if err := r.keepStdin(); err != nil {
			return err
		}
	}
	if r.input, err = rows.Open(r.importOptions.input, r.read); err != nil {
		return err
	}
	for _, n := range r.input.Notes() {
		r.note("%s: %s", r.importOptions.input, n)
	}
	return nil
}

func (r *importRun) keepStdin() (err error) {
	if r.runDir, err = newRunDir(r.run.dir, r.command()); err != nil {
		return err
	}
	kept := filepath.Join(r.runDir, "stdin")
	if err := copyInput(r.s.in, kept); err != nil {
		return fmt.Errorf("keeping standard input for a later resume: %w", err)
	}
	r.importOptions.input, r.read.Name = kept, "stdin"
	return nil
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

// compile turns the mapping, or the header alone, into a translation, against
// the schema of the directory. All faults come together.
func (r *importRun) compile(ctx context.Context) error {
	if r.kind != "" {
		return r.compilePlan(ctx)
	}
	if known, err := r.readMembers(); known {
		return err
	}
	var file *mapping.File
	var err error
	if r.importOptions.mapping != "" {
		file, err = mapping.Load(r.importOptions.mapping)
	} else {
		file = mapping.Auto(r.input.Header(), r.input.Schemas(), r.resource)
	}
	if err != nil {
		return err
	}
	var failed error
	schema := func(resource string) *scim.ResourceSchema {
		served, err := r.dir.schema(ctx, resource)
		if failed == nil { // the second time says the same
			failed = err
		}
		return served
	}
	r.mapping, err = file.Compile(r.input.Header(), r.input.Nested(), mapping.Options{
		Resource: r.resource, Match: r.match, Op: r.op, ClearToken: r.clearToken, Schema: schema,
		Input: cmp.Or(r.read.Name, filepath.Base(r.importOptions.input)),
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	r.schema = r.mapping.Schema() // of the rows: references may have asked for others
	r.noteMapping()
	if r.out != "" && r.mapping.HasPassword() && !r.includeSecrets {
		return usagef("a password is mapped, and a saved plan does not hold it: plan without --out, or say --include-secrets and keep the plan like a password")
	}
	return nil
}

func (r *importRun) noteMapping() {
	if columns := r.mapping.Unmapped(); len(columns) > 0 {
		r.note("columns that map to nothing: %s", strings.Join(columns, ", "))
	}
	if columns := r.mapping.ReadOnly(); len(columns) > 0 {
		r.note("columns that the directory decides itself, not sent: %s", strings.Join(columns, ", "))
	}
	for _, n := range r.mapping.Notes() {
		r.note("%s", n)
	}
	if rules := r.rules(); rules.NoCreate != "" || rules.NoDelete != "" {
		r.note("%s neither creates nor deletes groups over SCIM: rows that need it will be rejected", r.dir.profile.Title)
	}
	r.settleDuplicates(r.mapping.HasOps())
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

// rules are what the flags and the provider say of every row.
func (r *importRun) rules() plan.Rules {
	profile := r.dir.profile
	rules := plan.Rules{Schema: r.schema, OnExisting: r.onExisting, Unmapped: r.unmapped, NoPatch: !profile.Patch, Explain: r.dryRun}
	if r.resourceType() != "Group" {
		return rules
	}
	if !profile.CanCreateGroups {
		rules.NoCreate = profile.Title + " cannot create groups over SCIM: create it there first, then its members and externalId can be changed"
	}
	if !profile.CanDeleteGroups {
		rules.NoDelete = profile.Title + " cannot delete groups over SCIM: delete it there"
	}
	return rules
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

func (r *importRun) recorder() pipeline.Recorder {
	if r.dryRun {
		return r.review
	}
	return r.files
}

// look reads the file once through the mapping.
func (r *importRun) look(ctx context.Context) (err error) {
	progress := report.StartProgress(r.run.progressMode(r.s), r.s.err, r.meter, "rows")
	r.survey, err = r.flow().Survey(ctx)
	progress.Stop()
	if err != nil {
		return err
	}
	for _, finding := range r.survey.Findings {
		r.note("%s", finding)
	}
	return nil
}

// resolve finds what rows refer to, and says what is missing before anything is
// written.
func (r *importRun) resolve(ctx context.Context) error {
	if err := r.flow().Resolve(ctx, r.survey); err != nil {
		return err
	}
	missing := r.survey.Unresolved
	if len(missing) == 0 {
		return nil
	}
	const shown = 5
	names := strings.Join(missing[:min(shown, len(missing))], ", ")
	if len(missing) > shown {
		names += ", …"
	}
	are := "names are"
	if len(missing) == 1 {
		are = "name is"
	}
	where := "neither in the directory nor in the file"
	if r.members != nil || r.survey.MissingGroups == int64(len(missing)) {
		where = "not in the directory"
	}
	r.warning = fmt.Sprintf("%d %s %s: %s", len(missing), are, where, names)
	if n := r.survey.Dependents; n > 0 {
		r.warning += fmt.Sprintf("; rows rejected because they cannot do without: %d", n)
	}
	if n := r.survey.MissingGroups; n > 0 {
		r.warning += "; " + r.howToMakeGroups()
	}
	if !r.dryRun { // before anything is written; a plan says it with its totals
		r.note("%s", r.warning)
	}
	return nil
}

// howToMakeGroups says what to do about groups that are not there: an import of
// people makes none.
func (r *importRun) howToMakeGroups() string {
	if !r.dir.profile.CanCreateGroups {
		return fmt.Sprintf("%s cannot create groups over SCIM: create them there, then import the file again", r.dir.profile.Title)
	}
	return "an import of people makes no groups: import a file with the column displayName and --resource Group first, then this one again"
}

// readLine reads an answer, "" where somebody interrupts instead.
func readLine(ctx context.Context, in io.Reader) string {
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(in).ReadString('\n')
		answers <- answer
	}()
	select {
	case answer := <-answers:
		return answer
	case <-ctx.Done():
		return ""
	}
}

// ask keeps an import from removing more people than anybody meant to.
func (r *importRun) ask(ctx context.Context) error {
	n, question := r.removals()
	if n == 0 || r.state != nil {
		return nil
	}
	if r.dryRun {
		return nil // the plan shows them, and warns
	}
	if r.limits.deletes.Exceeded(n, r.survey.Rows) {
		return fmt.Errorf("%w: %s, %s is the limit; nothing has been changed", pipeline.ErrMaxDeletes, question, r.limits.deletes)
	}
	if r.yes {
		return nil
	}
	question += " in " + r.dir.name
	if !terminal(r.s.in) {
		return usagef("%s: say --yes if that is meant", question)
	}
	fmt.Fprintf(r.s.err, "%s. Go on? [y/N] ", question)
	if a := strings.ToLower(strings.TrimSpace(readLine(ctx, r.s.in))); a != "y" && a != "yes" {
		fmt.Fprintln(r.s.err, "nothing has been changed")
		return exitError{code: exitFailed}
	}
	return nil
}

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
		s.Warnings = append(s.Warnings, r.review.Warnings()...)
		if s.Writes.Total > 0 {
			s.Expected = report.Expect(cmp.Or(t.BulkRequests, s.Writes.Total)+s.Requests.GET, r.target.rate, r.dir.client.Pace(), r.dir.profile, s.Requests.GET, s.Seconds)
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
