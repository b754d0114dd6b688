package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/report"
)

// importOptions are the flags of import and plan.
type importOptions struct {
	target targetOptions
	run    runOptions
	leaverOptions

	input       string
	mapping     string
	resource    string
	op          string
	match       string
	onExisting  string
	onDuplicate string
	lookup      string
	unmapped    string
	clearToken  string
	format      string
	delimiter   string
	encoding    string
	skipRows    int
	maxRows     int
	maxErrors   string
	maxDeletes  string
	maxDuration time.Duration
	settle      time.Duration
	verify      string
	noBulk      bool
	dryRun      bool
	detailed    bool
	out         string
	html        string
	yes         bool

	chosen         bool   // patch: the input is whom a filter has selected
	kind           string // apply or undo, where the input is a change set
	drift          string
	includeSecrets bool
}

// runOptions are the flags of every command that makes a run.
type runOptions struct {
	dir      string
	progress string
	json     bool
	quiet    bool
}

func (r *runOptions) bind(f *pflag.FlagSet) {
	f.StringVar(&r.dir, "run-dir", "", "the run's `directory` (default: a new one in scimbulk-runs)")
	f.StringVar(&r.progress, "progress", report.ProgressAuto, "auto, bar, plain or none")
	f.BoolVar(&r.json, "json", false, "print the summary as JSON, and nothing else, on standard output")
	f.BoolVar(&r.quiet, "quiet", false, "no progress, no notes: errors alone")
}

func (r *runOptions) validate() []error {
	modes := []string{report.ProgressAuto, report.ProgressBar, report.ProgressPlain, report.ProgressNone}
	return oneOf(nil, "--progress", r.progress, modes...)
}

// progressMode settles what auto means here.
func (r *runOptions) progressMode(s streams) string {
	switch {
	case r.quiet:
		return report.ProgressNone
	case r.progress != report.ProgressAuto:
		return r.progress
	case terminal(s.err):
		return report.ProgressBar
	}
	return report.ProgressPlain
}

func newImport(s streams) *cobra.Command {
	o := &importOptions{}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Apply the rows of a file to the directory",
		Long: `import reads FILE (CSV or JSONL; - is standard input), translates each row
through a mapping into a user or a group, and creates, changes or removes it in
the directory. The file is read once before the first write: faults of the
mapping and of the data are known before anything changes.

A file with the columns group and user (and action: add or remove) is a
membership file: its users come into groups, or leave them.

Each run has a directory, with a checkpoint log, the outcome of every row, and
the rejected rows in a file that can be mended and imported again. A run that
was interrupted goes on with scimbulk resume.`,
		Example: `  scimbulk import new_hires.csv -m new_hires.mapping.yaml --sandbox
  scimbulk import new_hires.csv --dry-run --region us-east-1
  scimbulk import leavers.csv --op deactivate --url https://example.com/scim/v2`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	o.bind(cmd.Flags())
	cmd.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would change and write nothing, as plan does")
	return cmd
}

func newPlan(s streams) *cobra.Command {
	o := &importOptions{dryRun: true}
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show what an import would change, without writing",
		Long: `plan makes the same decisions as import and sends no write: it shows the change
set, a line a change, and what it comes to. The rows that the import would
reject are written to a file.`,
		Example: `  scimbulk plan new_hires.csv -m new_hires.mapping.yaml --sandbox
  scimbulk plan new_hires.csv --out review.jsonl --detailed-exitcode`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	o.bind(cmd.Flags())
	return cmd
}

func (o *importOptions) bind(f *pflag.FlagSet) {
	o.target.bind(f)
	o.run.bind(f)
	f.StringVarP(&o.mapping, "mapping", "m", "", "mapping `file` (default: headers that are SCIM paths or well known)")
	f.StringVar(&o.resource, "resource", "", "User or Group (default: the mapping's, else User)")
	f.StringVar(&o.op, "op", "", strings.Join(plan.Ops(), ", ")+" (default: the mapping's, else upsert)")
	f.StringVar(&o.match, "match", "", "`attribute` that says who a row is (default: userName, displayName for groups)")
	f.StringVar(&o.onExisting, "on-existing", plan.ExistingReject, "what create does with people who are there: update, skip or reject")
	f.StringVar(&o.onDuplicate, "on-duplicate", "", "several rows for one key: reject keeps the first, reject-all none, apply all (default reject; apply where rows carry an op)")
	f.StringVar(&o.lookup, "lookup", pipeline.LookupAuto, "how to find out who is there: auto, each (a look-up a row), directory (one reading), none (create only)")
	f.StringVar(&o.unmapped, "unmapped", plan.UnmappedKeep, "what replace does with attributes that no column names: keep or clear")
	f.StringVar(&o.clearToken, "clear-token", "", "`text` of a cell that removes the attribute (default #N/A)")
	f.StringVar(&o.format, "format", "", "csv, tsv or jsonl (default: by extension)")
	f.StringVar(&o.delimiter, "delimiter", "", "`character` between cells (default: detected)")
	f.StringVar(&o.encoding, "encoding", "", "`name` of the character encoding (default: detected)")
	f.IntVar(&o.skipRows, "skip-rows", 0, "`lines` before the header")
	f.IntVar(&o.maxRows, "max-rows", 0, "read no more than `N` rows")
	f.StringVar(&o.maxErrors, "max-errors", "", "stop when more than `N` rows, or N% of them, are rejected")
	f.StringVar(&o.maxDeletes, "max-deletes", "100", "delete or deactivate no more than `N` people, or N% of the rows")
	f.DurationVar(&o.maxDuration, "max-duration", 0, "stop after this time, resumable")
	f.DurationVar(&o.settle, "settle", 30*time.Second, "how long a lost create may take to show where keys are not unique")
	f.BoolVar(&o.noBulk, "no-bulk", false, "send every write as a request of its own, where the directory takes /Bulk requests")
	o.leaverOptions.bind(f)
	f.StringVar(&o.out, "out", "", "plan: save the change set in `FILE`")
	o.bindPage(f)
	o.bindVerify(f)
	f.BoolVar(&o.includeSecrets, "include-secrets", false, "plan: save passwords in the change set, which must then be kept like one")
	f.BoolVar(&o.detailed, "detailed-exitcode", false, "plan: exit 2 when there are changes")
	f.BoolVar(&o.yes, "yes", false, "do not ask before people are deleted or deactivated")
}

// validate reports everything that is wrong with the flags at once.
func (o *importOptions) validate() error {
	if o.kind != "" {
		return o.validateChanges()
	}
	problems := append(o.target.validate(), o.run.validate()...)
	problems = oneOf(problems, "--on-existing", o.onExisting, plan.ExistingUpdate, plan.ExistingSkip, plan.ExistingReject)
	problems = oneOf(problems, "--on-duplicate", o.onDuplicate, "", pipeline.DuplicateReject, pipeline.DuplicateRejectAll, pipeline.DuplicateApply)
	problems = oneOf(problems, "--lookup", o.lookup, pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupDirectory, pipeline.LookupNone)
	problems = oneOf(problems, "--unmapped", o.unmapped, plan.UnmappedKeep, plan.UnmappedClear)
	problems = oneOf(problems, "--format", o.format, "", "csv", "tsv", "jsonl")
	problems = oneOf(problems, "--resource", o.resource, "", "User", "Group")
	problems = oneOf(problems, "--op", o.op, append(plan.Ops(), "")...)
	if o.lookup == pipeline.LookupNone && o.op != string(plan.Create) {
		problems = append(problems, usagef("--lookup none only goes with --op create: everything else must know who is there"))
	}
	if len([]rune(o.delimiter)) > 1 && o.delimiter != `\t` {
		problems = append(problems, usagef("--delimiter %q: give one character, or \\t for a tab", o.delimiter))
	}
	if o.skipRows < 0 || o.maxRows < 0 {
		problems = append(problems, usagef("--skip-rows and --max-rows take a number from 0"))
	}
	if o.settle < 0 || o.maxDuration < 0 {
		problems = append(problems, usagef("--settle and --max-duration take a time such as 30s"))
	}
	if _, err := o.limits(); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, o.leaverOptions.validate()...)
	if o.looks() && o.maxRows > 0 {
		problems = append(problems, usagef("--absent must see the whole file, and --max-rows cuts it short"))
	}
	if o.detailed && !o.dryRun {
		problems = append(problems, usagef("--detailed-exitcode goes with plan or --dry-run"))
	}
	if o.out == "-" && o.run.json {
		problems = append(problems, usagef("--json and --out - would both write to standard output"))
	}
	if o.out != "" && !o.dryRun {
		problems = append(problems, usagef("--out goes with plan or --dry-run"))
	}
	if err := checkOut("--out", o.out); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(append(problems, o.checkPage()...)...)
}

// limits are the thresholds at which a run stops.
type limits struct{ errors, deletes pipeline.Limit }

func (o *importOptions) limits() (l limits, err error) {
	l.errors = pipeline.NoLimit
	if o.maxErrors != "" {
		if l.errors, err = pipeline.ParseLimit(o.maxErrors); err != nil {
			return l, usagef("--max-errors: %w", err)
		}
	}
	if l.deletes, err = pipeline.ParseLimit(o.maxDeletes); err != nil {
		return l, usagef("--max-deletes: %w", err)
	}
	return l, nil
}

func oneOf(problems []error, flag, value string, allowed ...string) []error {
	if slices.Contains(allowed, value) {
		return problems
	}
	known := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	return append(problems, usagef("%s %q: use one of %s", flag, value, strings.Join(known, ", ")))
}
