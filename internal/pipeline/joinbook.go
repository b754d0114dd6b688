package pipeline

import (
	"context"
	"maps"
	"slices"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
)

func (j *joinRun) groupID(m *memberRow) string { return j.groups[m.group].id }

func (j *joinRun) groupName(m *memberRow) (string, error) { return j.groups[m.group].name, nil }

// have hands over who is in a group. Every row has been enrolled by then.
func (j *joinRun) have(_ context.Context, m *memberRow) (memberSet, error) {
	g := j.groups[m.group]
	have := g.have
	if !j.DryRun {
		g.have = nil // it goes with the worker who has it now
	}
	return have, nil
}

// begin makes a row of a group ready. The number of its intent follows from the
// group, so that a session that goes on gives it the same.
func (j *joinRun) begin(m *memberRow) (*memberSend, error) {
	held, err := j.spool.row(m.at)
	if err != nil {
		return nil, err
	}
	return &memberSend{row: m, user: held.Cells[heldUser], step: membershipStep(j.groupID(m))}, nil
}

// hand notes what became of memberships.
func (j *joinRun) hand(g *memberGroup, batch []*memberSend) error {
	if j.DryRun {
		return j.keepPlanned(g, batch)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var steps []journal.Outcome
	for _, s := range batch {
		switch s.outcome {
		case "":
			continue // it was not reached
		case Updated:
			s.row.fate = isBroughtAbout
			steps = append(steps, journal.Outcome{Line: int64(s.row.line), Outcome: string(Updated)})
		case Unchanged:
			s.row.fate = isNeedless
		default:
			s.row.fate = isFailed
		}
		s.row.user = j.note(s.detail)
	}
	if len(steps) == 0 {
		return nil
	}
	return j.Log.Steps(steps)
}

// note numbers what is said of memberships: it is the same for very many.
func (j *joinRun) note(text string) uint32 {
	if text == "" {
		return 0
	}
	n, known := j.noted[text]
	if !known {
		j.notes = append(j.notes, text)
		n = uint32(len(j.notes))
		j.noted[text] = n
	}
	return n
}

// keepPlanned puts the requests of a dry run into the plan, a line each.
func (j *joinRun) keepPlanned(g *memberGroup, batch []*memberSend) error {
	if j.Plan == nil {
		return nil
	}
	carried := together(batch)
	for _, patch := range slices.Sorted(maps.Keys(carried)) {
		if err := j.Plan.Keep(g.planned(carried[patch])); err != nil {
			return err
		}
	}
	return nil
}

// planned is a request as a line of a plan.
func (g *memberGroup) planned(all []*memberSend) *plan.Line {
	change := g.change(all)
	name, _ := g.book.groupName(all[0].row)
	return plan.NewLine(int64(all[0].row.line), "Group", name, &change, false)
}
