package pipeline

import (
	"cmp"
	"fmt"
	"slices"
)

// finish gives every row that waited its outcome, if nothing of it was left
// undone.
func (j *joinRun) finish() error {
	slices.SortFunc(j.rows, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group))
	})
	for rest := j.rows; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(m memberRow) bool { return m.at != rest[0].at })
		if n < 0 {
			n = len(rest)
		}
		j.Meter.Done.Add(-1)
		if !slices.ContainsFunc(rest[:n], func(m memberRow) bool { return m.fate == toCarryOut }) {
			if err := j.conclude(rest[:n]); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	return nil
}

// conclude joins the outcome of a row with those of its memberships: a row that
// was written stays so, whatever became of them.
func (j *joinRun) conclude(memberships []memberRow) error {
	held, err := j.spool.row(memberships[0].at)
	if err != nil {
		return err
	}
	result, err := heldResult(held)
	if err != nil {
		return err
	}
	for i := range memberships {
		m := &memberships[i]
		name, note := j.groups[m.group].name, ""
		if m.user > 0 {
			note = j.notes[m.user-1]
		}
		switch {
		case m.fate == isFailed:
			result.Lame = true
			result.say(fmt.Sprintf("could not be %s %q: %s", intoOrOutOf(m), name, note))
			continue
		case note != "":
			result.say(fmt.Sprintf("%s %q %s", intoOrOutOf(m), name, note))
		}
		if m.fate == isBroughtAbout && result.Outcome == Unchanged {
			result.Outcome = Updated
		}
	}
	j.results <- result
	return nil
}

func intoOrOutOf(m *memberRow) string {
	if m.remove {
		return "taken out of"
	}
	return "put into"
}
