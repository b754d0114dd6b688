package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

func newUndo(s streams) *cobra.Command {
	o := &importOptions{kind: kindUndo, dryRun: true}
	cmd := &cobra.Command{
		Use:   "undo RUN",
		Short: "Plan the reverse of a run",
		Long: `undo makes a plan that takes back what a run has written: who was created is
deleted, what was changed gets its old values, who was turned inactive is active
again, who was deleted is created anew. Nothing is written: review the plan, and
carry it out with scimbulk apply. RUN is the directory of an import or an apply,
or latest; the plan is for the directory that the run wrote to.

People who were deleted come back into the groups that the directory showed them
to be in. What cannot be brought back is listed: their passwords and ids, and what
somebody else has changed since.`,
		Example: `  scimbulk undo latest --out undo.jsonl
  scimbulk apply undo.jsonl --sandbox`,
		Args: exactly(1, "one run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.undo(cmd.Context(), s, args[0], cmd.Flags())
		},
	}
	f := cmd.Flags()
	o.target.bind(f)
	o.run.bind(f)
	f.StringVarP(&o.out, "out", "o", "-", "save the plan in `FILE`; - is standard output")
	o.bindPage(f)
	return cmd
}

// undo makes the plan, by a dry run over what the run has kept, the last write
// first.
func (o *importOptions) undo(ctx context.Context, s streams, run string, flags *pflag.FlagSet) error {
	if o.run.json && o.out == "-" {
		return usagef("--json and the plan cannot both go to standard output: save the plan with --out FILE")
	}
	dir, err := runToUndo(run)
	if err != nil {
		return err
	}
	header, err := report.ReadPlanHeader(filepath.Join(dir, report.UndoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds no %s: the run was no import or apply that writes", dir, report.UndoFile)
	}
	if err != nil {
		return err
	}
	state, err := journal.Read(dir)
	if err != nil {
		return err
	}
	if err := o.aimAt(state.Header, flags); err != nil {
		return err
	}
	o.setDefaults()
	o.maxDeletes = "100%" // a plan removes nobody
	r := &importRun{importOptions: o, s: s, meter: &pipeline.Meter{}, planned: header}
	if left := len(state.InDoubt()); left > 0 {
		fmt.Fprintf(s.err, "warning: of %d rows the run does not know whether they were written; scimbulk resume %s finds out\n", left, dir)
	}
	return r.planUndo(ctx, dir)
}

// runToUndo finds the directory of a run that nobody is at work on.
func runToUndo(run string) (string, error) {
	if run == "latest" {
		latest, err := latestRun()
		if err != nil {
			return "", err
		}
		run = latest
	}
	dir := absolute(run)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no run %s: scimbulk runs lists them", dir)
	}
	running, err := journal.Running(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // said better by who opens its files
	}
	if running {
		err = fmt.Errorf("%s is still running", dir)
	}
	return dir, err
}

// aimAt takes the directory that the run wrote to, unless the command line names
// one.
func (o *importOptions) aimAt(h journal.Header, flags *pflag.FlagSet) error {
	for _, name := range []string{"url", "region", "sandbox", "target"} {
		if flags.Changed(name) {
			return o.target.fillIn()
		}
	}
	was, err := optionsOf(h, &importOptions{}, pflag.NewFlagSet("", pflag.ContinueOnError))
	if err != nil {
		return err
	}
	given := o.target
	o.target = was.target
	o.target.workers, o.target.rate, o.target.timeout = given.workers, given.rate, given.timeout
	if given.tokenFile != "" {
		o.target.tokenFile = given.tokenFile
	}
	return nil
}

func (r *importRun) planUndo(ctx context.Context, dir string) (err error) {
	if r.runDir, err = newRunDir(r.run.dir, r.command()); err != nil {
		return err
	}
	r.importOptions.input = filepath.Join(r.runDir, "changes.jsonl")
	undoing, err := report.ReverseUndo(filepath.Join(dir, report.UndoFile), r.importOptions.input)
	if err != nil {
		return err
	}
	if undoing.Changes == 0 {
		_, err := fmt.Fprintf(r.s.err, "%s has written nothing that could be undone\n", dir)
		return err
	}
	err = r.execute(ctx)
	r.sayWhatIsLost(undoing)
	return err
}

// sayWhatIsLost lists what no plan brings back.
func (r *importRun) sayWhatIsLost(u *report.Undoing) {
	say := func(format string, args ...any) { fmt.Fprintf(r.s.err, "not undone: "+format+"\n", args...) }
	revives := r.dir != nil && r.dir.profile.RevivesDeleted
	groups := "memberships (the directory showed none)"
	if u.Rejoined > 0 {
		groups = fmt.Sprintf("memberships other than the %d that the directory showed", u.Rejoined)
	}
	switch {
	case u.Recreated > 0 && revives:
		say("%d deleted accounts come back without their roles and passwords, and without %s", u.Recreated, groups)
	case u.Recreated > 0:
		say("%d deleted resources are created anew: with other ids, without their passwords, and without %s", u.Recreated, groups)
	}
	if revives && u.Removed > 0 {
		say("%d accounts that the run created stay, inactive: the provider keeps deleted accounts", u.Removed)
	}
	for _, path := range slices.Sorted(maps.Keys(u.Lost)) {
		say("%d times the old %s, which nobody can read", u.Lost[path], path)
	}
	if u.Damaged > 0 {
		say("%d damaged lines of %s", u.Damaged, report.UndoFile)
	}
}
