package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"scimbulk/internal/rows"
)

// deliver gives the result of a row to the collector, unless its person has
// groups to join or to leave first.
func (r *run) deliver(ctx context.Context, w *row, result *Result) {
	if r.joins != nil && w.binding.joins != nil {
		r.joins.takeUp(result)
		held, err := r.joins.enrol(ctx, w, result)
		if err != nil {
			r.stop(err)
			return
		}
		if held && result.Outcome == Unchanged {
			return
		}
		if held { // the log is to know what has been done so far
			result = &Result{Row: &rows.Row{Number: w.row.Number, Line: w.row.Line}, Outcome: result.Outcome, Lame: result.Lame, turnedOff: result.turnedOff, waits: true}
		}
	}
	r.results <- result // the collector takes everything until this channel is closed
	if w.shared && !w.final && !r.DryRun {
		r.recorded() // or a crash would leave two rows of one key in doubt, and both would be done again
	}
}

// enrol takes down what the person of a row has to join and to leave. It says
// whether the row waits for that.
func (j *joinRun) enrol(ctx context.Context, w *row, result *Result) (held bool, err error) {
	switch result.Outcome {
	case Created, Updated, Replaced, Unchanged:
	case Unknown:
		result.say("its groups were left alone")
		return false, nil
	default:
		return false, nil
	}
	user, err := j.userOf(ctx, w, result)
	if err != nil {
		return false, err
	}
	if user == "" {
		result.Lame = true
		result.say("its groups were left alone: the directory does not tell its id")
		return false, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &signup{joinRun: j, w: w, result: result, user: user}
	s.join()
	s.leave()
	return s.take()
}

// userOf is the id of the person of a row. A dry run has none for those whom it
// would create.
func (j *joinRun) userOf(ctx context.Context, w *row, result *Result) (string, error) {
	if result.ID != "" {
		return result.ID, nil
	}
	if j.DryRun {
		first, _ := j.survey.duplicates.span(w.row.Line)
		return fmt.Sprintf(promised, cmp.Or(first, w.row.Line)), nil
	}
	have, err := w.directory.find(ctx, w.record, true)
	var ambiguous *ambiguousError
	switch {
	case err != nil && !errors.As(err, &ambiguous):
		_, fatal := lookupFault(err)
		return "", fatal
	case have == nil:
		return "", nil
	}
	result.ID = have.ID
	return have.ID, nil
}

// signup is a row that is enrolled.
type signup struct {
	*joinRun
	w       *row
	result  *Result
	user    string
	rows    []memberRow
	earlier bool // an earlier session has brought something about
}

func (s *signup) join() {
	wish := s.w.binding.joins
	for i, id := range wish.groups {
		g := s.byID[id]
		switch {
		case slices.Contains(wish.groups[:i], id):
		case g == nil || g.fault != "":
			s.result.Lame = true
			s.result.say(fmt.Sprintf("could not be put into %s: %s", quoted(g, id), faultOf(g)))
		case s.isIn(g):
			s.earlier = s.earlier || s.sentBefore(g, true)
		default:
			s.ask(g, true)
		}
	}
}

func quoted(g *joinedGroup, id string) string {
	if g == nil {
		return fmt.Sprintf("%q", id)
	}
	return fmt.Sprintf("%q", g.name)
}

func faultOf(g *joinedGroup) string {
	if g == nil {
		return "it was not read"
	}
	return g.fault
}

// leave takes the person out of the groups that are not named. A name that is no
// group's may be a misspelt one: then nobody is taken out of anything.
func (s *signup) leave() {
	wish := s.w.binding.joins
	if !wish.replace {
		return
	}
	if wish.unsure {
		s.result.say("taken out of no group, since not all of those named are there")
		return
	}
	for _, g := range s.groups {
		switch {
		case slices.Contains(wish.groups, g.id):
		case s.isIn(g):
			s.ask(g, false)
		default:
			s.earlier = s.earlier || s.sentBefore(g, false)
		}
	}
}

// isIn says whether the person is in a group, or will be by an earlier row.
func (s *signup) isIn(g *joinedGroup) bool {
	if asked, ok := g.asked[s.user]; ok {
		return asked.in
	}
	return s.has(g.have, s.user)
}

// ask notes a membership to be brought about or ended. Rows that come later may
// speak of the same person.
func (s *signup) ask(g *joinedGroup, in bool) {
	m := memberRow{line: uint32(s.w.row.Line), group: g.number, remove: !in}
	if s.w.shared {
		if g.asked == nil {
			g.asked = map[string]joinAsked{}
		}
		m.turn = g.asked[s.user].turns
		g.asked[s.user] = joinAsked{in: in, turns: m.turn + 1}
	}
	s.rows = append(s.rows, m)
}

// take puts the memberships on the list. A dry run shows them at once.
func (s *signup) take() (held bool, err error) {
	if (s.earlier || s.DryRun && len(s.rows) > 0) && s.result.Outcome == Unchanged {
		s.result.Outcome = Updated
	}
	if len(s.rows) == 0 {
		return false, nil
	}
	at, err := s.spool.add(heldRow(s.w, s.result, s.user))
	if err != nil {
		return false, err
	}
	for i := range s.rows {
		m := &s.rows[i]
		m.at = at
		name := s.groups[m.group].name
		if m.remove {
			s.result.Leaves = append(s.result.Leaves, name)
		} else {
			s.result.Joins = append(s.result.Joins, name)
		}
	}
	s.joinRun.rows = append(s.joinRun.rows, s.rows...)
	if !s.DryRun {
		s.Meter.Done.Add(1) // its outcome is yet to come, but what there was to do for it alone is done
	}
	return !s.DryRun, nil
}
