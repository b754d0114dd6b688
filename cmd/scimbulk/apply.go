package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/report"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Kinds of runs whose input is a change set.
const (
	kindApply = "apply"
	kindUndo  = "undo"
)

func newApply(s streams) *cobra.Command {
	o := &importOptions{kind: kindApply}
	cmd := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Carry out a saved change set",
		Long: `apply sends the changes of a plan file as they were reviewed, and nothing else.
Each is compared with the directory first: what somebody else has changed since
the plan was made is rejected as a conflict that names the attribute, and all
other changes go through. A plan is applied once; a run that was interrupted
goes on with scimbulk resume.`,
		Example: `  scimbulk plan people.csv --out plan.jsonl --sandbox
  scimbulk apply plan.jsonl --sandbox
  scimbulk apply plan.jsonl --drift planned --max-deletes 5 --yes --region us-east-1`,
		Args: exactly(1, "one plan file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	o.bindAll(cmd.Flags())
	cmd.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "compare the plan with the directory and write nothing")
	return cmd
}

// bindAll binds the flags of the command that the options are of.
func (o *importOptions) bindAll(f *pflag.FlagSet) {
	if o.kind != kindApply {
		o.bind(f)
		return
	}
	o.target.bind(f)
	o.run.bind(f)
	o.setDefaults()
	f.StringVar(&o.drift, "drift", plan.DriftAny, "what counts as changed since the plan was made: any attribute, or planned, those that the plan changes")
	f.StringVar(&o.maxErrors, "max-errors", "", "stop when more than `N` changes, or N% of them, are rejected")
	f.StringVar(&o.maxDeletes, "max-deletes", "100", "delete or deactivate no more than `N` people, or N% of the changes")
	f.DurationVar(&o.maxDuration, "max-duration", 0, "stop after this time, resumable")
	f.DurationVar(&o.settle, "settle", 30*time.Second, "how long a lost create may take to show where keys are not unique")
	f.BoolVar(&o.noBulk, "no-bulk", false, "send every write as a request of its own, where the directory takes /Bulk requests")
	o.bindPage(f)
	o.bindVerify(f)
	f.BoolVar(&o.yes, "yes", false, "do not ask before people are deleted or deactivated")
	o.bindProtect(f)
}

// setDefaults fills in what a change set has no flags for.
func (o *importOptions) setDefaults() {
	o.onExisting, o.unmapped = plan.ExistingReject, plan.UnmappedKeep
	o.onDuplicate, o.lookup = pipeline.DuplicateApply, pipeline.LookupAuto
}

// changes says how the change set is carried out; nil for rows.
func (r *importRun) changes() *pipeline.ChangeSet {
	switch r.kind {
	case kindApply:
		return &pipeline.ChangeSet{Drift: r.drift}
	case kindUndo:
		return &pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true, SoftDelete: r.dir.profile.RevivesDeleted}
	}
	return nil
}

// openPlan opens a plan file for its header, and refuses one that was applied.
func (r *importRun) openPlan() (err error) {
	path, skip := r.importOptions.input, 1
	if r.kind == kindUndo {
		skip = 0 // the header stands in the undo file
	} else if r.planned, err = report.ReadPlanHeader(path); err != nil {
		return err
	} else if err := report.CheckApplied(path, r.runDir); err != nil {
		return err
	}
	r.input, err = rows.Open(path, report.PlanOptions(path, skip))
	return err
}

// compilePlan checks that the change set is for this directory. A mapping of the
// match attribute alone tells the pipeline by what keys are looked up.
func (r *importRun) compilePlan(ctx context.Context) (err error) {
	p := r.planned
	if p.Target != r.dir.name || p.Provider != r.dir.profile.Name {
		return fmt.Errorf("the plan was made for %s (%s), not for %s (%s)", p.Target, p.Provider, r.dir.name, r.dir.profile.Name)
	}
	if r.schema, err = r.dir.schema(ctx, p.Resource); err != nil {
		return err
	}
	path, err := scim.ParsePath(p.Match)
	if err != nil {
		return fmt.Errorf("the plan matches by %q: %w", p.Match, err)
	}
	header := []string{path.Short()}
	r.mapping, err = mapping.Auto(header, nil, p.Resource).Compile(header, false, mapping.Options{
		Resource: p.Resource, Match: p.Match, Input: r.read.Name,
		Schema: func(string) *scim.ResourceSchema { return r.schema },
	})
	return err
}

// validateChanges reports what is wrong with the flags of apply and undo.
func (o *importOptions) validateChanges() error {
	problems := append(o.target.validate(), o.run.validate()...)
	if o.kind == kindApply {
		problems = oneOf(problems, "--drift", o.drift, plan.DriftAny, plan.DriftPlanned)
	}
	if strings.TrimSpace(o.input) == "-" {
		problems = append(problems, usagef("a plan is a file: a mark is put beside it once it is applied"))
	}
	if _, err := o.limits(); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, o.checkPage()...)
	return errors.Join(append(problems, o.leaverOptions.validate()...)...)
}
