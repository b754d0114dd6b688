package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/spf13/pflag"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/report"
	"scimbulk/internal/scim"
)

// leaverOptions say what happens to people whom the file does not hold, and who
// is never taken away.
type leaverOptions struct {
	absent  string
	filter  string
	protect []string
}

func (o *leaverOptions) bind(f *pflag.FlagSet) {
	f.StringVar(&o.absent, "absent", pipeline.AbsentIgnore, "active people of the directory whom the file does not hold: ignore, report or deactivate")
	f.StringVar(&o.filter, "filter", "", "SCIM `filter` of the people among whom --absent looks, such as 'userType eq \"Employee\"' (default: everybody)")
	o.bindProtect(f)
}

func (o *leaverOptions) bindProtect(f *pflag.FlagSet) {
	f.StringArrayVar(&o.protect, "protect", nil, "SCIM `filter` of people who are neither deleted nor turned inactive, whatever asks for it; repeatable")
}

func (o *leaverOptions) validate() []error {
	problems := oneOf(nil, "--absent", o.absent, "", pipeline.AbsentIgnore, pipeline.AbsentReport, pipeline.AbsentDeactivate)
	if o.filter != "" && !o.looks() {
		problems = append(problems, usagef("--filter says among whom --absent looks: give --absent report or --absent deactivate with it"))
	}
	if _, err := o.among(); err != nil {
		problems = append(problems, err)
	}
	if _, err := o.protected(); err != nil {
		problems = append(problems, err)
	}
	return problems
}

// looks says whether anybody asks who is absent.
func (o *leaverOptions) looks() bool {
	return o.absent == pipeline.AbsentReport || o.absent == pipeline.AbsentDeactivate
}

// among is --filter, nil where it is not given.
func (o *leaverOptions) among() (scim.Filter, error) {
	if o.filter == "" {
		return nil, nil
	}
	f, err := scim.ParseFilter(o.filter)
	if err != nil {
		return nil, usagef("--filter: %w", err)
	}
	return f, nil
}

// protected are the filters of --protect.
func (o *leaverOptions) protected() ([]scim.Filter, error) {
	var list []scim.Filter
	var problems []error
	for _, text := range o.protect {
		f, err := scim.ParseFilter(text)
		if err != nil {
			problems = append(problems, usagef("--protect: %w", err))
			continue
		}
		list = append(list, f)
	}
	return list, errors.Join(problems...)
}

// checkFilters holds the filters against the schema of the directory: one that
// names what nobody has would protect nobody without a word.
func (r *importRun) checkFilters() error {
	var problems []error
	if r.looks() && r.resourceType() != "User" {
		problems = append(problems, usagef("--absent is about people, and the rows are of groups"))
	}
	if r.members != nil && len(r.protect) > 0 {
		problems = append(problems, usagef("--protect is about who is deleted or turned inactive, which a membership file does to nobody"))
	}
	if r.members != nil || len(problems) > 0 {
		return errors.Join(problems...)
	}
	check := func(flag string, f scim.Filter) {
		if err := r.schema.CheckFilter(f); err != nil {
			problems = append(problems, usagef("%s '%s': %w", flag, f, err))
		}
	}
	protected, _ := r.protected() // validated
	for _, f := range protected {
		check("--protect", f)
	}
	if f, _ := r.among(); f != nil {
		check("--filter", f)
	}
	return errors.Join(problems...)
}

// guard puts into the rules who must stay.
func (r *importRun) guard(rules plan.Rules) plan.Rules {
	rules.Protected, _ = r.protected() // validated
	return rules
}

// noteAbsent is the note of the checkpoint log about the people whom the file
// does not hold. Who they are stands in absent.csv.
const noteAbsent = "absent"

type absentNote struct {
	Mode    string `json:"mode"`
	Found   int    `json:"found"`
	Unnamed int64  `json:"unnamed,omitzero"`
}

// findAbsent finds the people whom the file does not hold. A run that goes on
// takes those whom it has found before, and may read the directory again for
// them, or for those whom a patch has chosen.
func (r *importRun) findAbsent(ctx context.Context) (err error) {
	known, err := r.keptAbsent()
	switch {
	case err != nil:
		return err
	case r.state != nil && (known || r.chosen):
		r.reading, err = r.pipeline().ReadAgain(ctx, r.survey)
		return err
	case !r.looks():
		return nil
	}
	progress := report.StartProgress(r.run.progressMode(r.s), r.s.err, r.meter, "people")
	defer progress.Stop()
	r.reading, err = r.pipeline().FindAbsent(ctx, r.survey)
	return err
}

// keptAbsent reads whom an earlier session has found. One that died before it
// had written that down has sent nothing yet.
func (r *importRun) keptAbsent() (known bool, err error) {
	if r.state == nil || !r.looks() {
		return false, nil
	}
	value, known := r.state.Note(noteAbsent)
	if !known {
		return false, nil
	}
	var note absentNote
	if err := json.Unmarshal(value, &note); err != nil {
		return false, fmt.Errorf("the checkpoint log says of the absent: %w", err)
	}
	if r.survey.Absent, err = report.ReadAbsent(r.runDir, note.Mode, note.Found); err == nil {
		r.survey.Absent.Unnamed = note.Unnamed
	}
	r.absentKept = true
	return true, err
}

// beginAbsent keeps whom the file does not hold, before the first write.
func (r *importRun) beginAbsent() error {
	a := r.survey.Absent
	switch {
	case a == nil:
		return nil
	case r.absentKept:
		return r.files.KeepAbsent(func(line int64) bool { _, done := r.state.Done(line); return done })
	}
	if err := r.files.StartAbsent(a); err != nil || r.log == nil {
		return err
	}
	return r.log.Note(noteAbsent, absentNote{Mode: a.Mode, Found: len(a.Leavers), Unnamed: a.Unnamed})
}

// removals says how many people the run is known to take away, and how the
// question about them reads.
func (r *importRun) removals() (n int64, text string) {
	asked, leaving := r.survey.Removals, r.survey.Absent.Leaving()
	text = fmt.Sprintf("%d of %d rows delete or deactivate somebody", asked, r.survey.Rows)
	switch {
	case leaving > 0 && asked == 0:
		text = fmt.Sprintf("%d active people are not in the file of %d rows, and are to be turned inactive", leaving, r.survey.Rows)
	case leaving > 0:
		text += fmt.Sprintf(", and %d active people who are not in the file are to be turned inactive", leaving)
	}
	return asked + leaving, text
}
