package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

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
	if missing.N == 0 {
		return nil
	}
	const shown = 5
	names := strings.Join(missing.First[:min(shown, len(missing.First))], ", ")
	if missing.N > shown {
		names += ", …"
	}
	are := "names are"
	if missing.N == 1 {
		are = "name is"
	}
	where := "neither in the directory nor in the file"
	if r.members != nil || r.survey.MissingGroups == missing.N {
		where = "not in the directory"
	}
	r.warning = fmt.Sprintf("%d %s %s: %s", missing.N, are, where, names)
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
