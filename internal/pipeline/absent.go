package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// What happens to people of the directory whom the input does not hold.
const (
	AbsentIgnore     = "ignore"
	AbsentReport     = "report"
	AbsentDeactivate = "deactivate"
)

// Leaver is somebody whom the directory holds, active, and the input does not.
// Who they are is decided once, before the first write.
type Leaver struct {
	Line    int64 // past the last of the input, for the checkpoint log
	Key, ID string
	Kept    string // why they stay all the same, "" for who is turned inactive
}

// Absent are the people whom the input does not hold.
type Absent struct {
	Mode    string // report or deactivate
	Leavers []Leaver
	Unnamed int64 // active people without a value of the match attribute, whom no row could hold
}

// Leaving is how many of them are turned inactive.
func (a *Absent) Leaving() int64 {
	var n int64
	if a == nil || a.Mode != AbsentDeactivate {
		return 0
	}
	for i := range a.Leavers {
		if a.Leavers[i].Kept == "" {
			n++
		}
	}
	return n
}

// AbsentTotals are what became of the people whom the input does not hold. They
// are no rows, and count apart from them.
type AbsentTotals struct {
	Mode    string
	Found   int64
	Kept    int64 // by --protect, or because they are the caller
	Unnamed int64
	Counts  Counts
	Pending int64
}

// FindAbsent reads the directory and finds the people whom the input does not
// hold: those of whom no row has the match value, the userName, the externalId
// or the id. A row that is rejected holds its people too. The reading serves the
// run as well. It is called after Survey, and sends no write.
func (im *Import) FindAbsent(ctx context.Context, s *Survey) (*Reading, error) {
	if err := im.mayDeactivate(s); err != nil {
		return nil, err
	}
	if im.Absent == AbsentDeactivate {
		if err := im.learnSelf(ctx, s); err != nil {
			return nil, err
		}
	}
	im.Rules.Self = s.self
	s.Absent = &Absent{Mode: im.Absent}
	all := im.directoryExport()
	all.Meter = im.Meter
	reading, err := im.takeReading(ctx, all, func(have *plan.Current) bool {
		im.consider(s, have)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("looking for people whom the file does not hold: %w", err)
	}
	leavers := s.Absent.Leavers
	slices.SortFunc(leavers, func(a, b Leaver) int { return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID)) })
	for i := range leavers {
		leavers[i].Line = s.lastLine + int64(i) + 1
	}
	im.Meter.Done.Store(0)
	return reading, nil
}

// mayDeactivate refuses to take people for leavers whom the input may hold: a
// row that does not say whom it means could be anybody's.
func (im *Import) mayDeactivate(s *Survey) error {
	if im.Absent != AbsentDeactivate {
		return nil
	}
	if s.Rows == 0 {
		return errors.New("the file holds nobody, and --absent deactivate would turn everybody inactive: is it the right file?")
	}
	if s.nameless > 0 {
		who := fmt.Sprintf("%d rows do not say whom they mean (the first on line %d", s.nameless, s.namelessLine)
		if s.nameless == 1 {
			who = fmt.Sprintf("1 row does not say whom it means (line %d", s.namelessLine)
		}
		return fmt.Errorf("%s: %s), so that nobody can tell who is absent from the file: mend that, or use --absent report", who, s.namelessWhy)
	}
	return nil
}

// consider takes somebody for a leaver, or not.
func (im *Import) consider(s *Survey, have *plan.Current) {
	active := im.Rules.Schema.Core.Attribute("active")
	_, on, _ := scim.Member(have.Object, "active")
	if !scim.Unassigned(on) && scim.Equal(active, on, false) {
		return
	}
	if im.Filter != nil && !im.Rules.Schema.Selects(im.Filter, have.Object) {
		return
	}
	if im.holds(s.held, have) {
		return
	}
	key := textAt(have, im.Mapping.MatchTarget().Path)
	if key == "" {
		s.Absent.Unnamed++
		return
	}
	s.Absent.Leavers = append(s.Absent.Leavers, Leaver{Key: key, ID: have.ID, Kept: im.Rules.Kept(have)})
}

// textAt reads a single-valued path of a resource, or its id.
func textAt(have *plan.Current, path scim.Path) string {
	if path.Attr == "id" && path.URN == "" {
		return have.ID
	}
	return textIn(have.Object, path)
}

// held is the people whom the rows of an input hold, each by a hash of every
// name that a row gives them: 8 bytes a name.
type held struct {
	seed  maphash.Seed
	names []uint64
}

func (h *held) hash(attr, fold string) uint64 { return maphash.String(h.seed, attr+"\x00"+fold) }

func (h *held) add(attr, fold string) { h.names = append(h.names, h.hash(attr, fold)) }

// settle sorts the names, after the last has been added.
func (h *held) settle() {
	slices.Sort(h.names)
	h.names = slices.Compact(h.names)
}

func (h *held) has(attr, fold string) bool {
	_, found := slices.BinarySearch(h.names, h.hash(attr, fold))
	return found
}

// identities are attributes that say who somebody is, beside the one by which
// rows are matched: a row that gives somebody another userName means the same
// person still.
func identities() []string { return []string{"userName", "externalId"} }

// hold notes whom a row means.
func (im *Import) hold(s *Survey, t *task, fault *Result) {
	match := im.Mapping.MatchTarget()
	switch {
	case t != nil:
		s.held.add(match.Path.String(), t.record.KeyFold)
	case fault.Outcome == Skipped: // an empty row means nobody
		return
	case fault.Key != "":
		s.held.add(match.Path.String(), mapping.Fold(match.Leaf(), fault.Key))
		return
	default:
		if s.nameless++; s.nameless == 1 {
			s.namelessLine, s.namelessWhy = fault.Row.Line, fault.Detail
		}
		return
	}
	if im.Absent == "" || im.Absent == AbsentIgnore {
		return
	}
	for i := range t.record.Assignments {
		a := &t.record.Assignments[i]
		name := a.Target.Path.String()
		if text, ok := a.Value.(string); ok && slices.Contains(identities(), name) {
			s.held.add(name, mapping.Fold(a.Target.Leaf(), text))
		}
	}
}

// holds says whether a row means somebody.
func (im *Import) holds(h *held, have *plan.Current) bool {
	match := im.Mapping.MatchTarget()
	if h.has("id", have.ID) || h.has(match.Path.String(), mapping.Fold(match.Leaf(), textAt(have, match.Path))) {
		return true
	}
	for _, name := range identities() {
		attr := im.Rules.Schema.Core.Attribute(name)
		_, v, _ := scim.Member(have.Object, name)
		if text, ok := v.(string); ok && attr != nil && text != "" && h.has(name, mapping.Fold(attr, text)) {
			return true
		}
	}
	return false
}

// absentPass turns the leavers inactive, once all rows are done.
func (r *run) absentPass(ctx context.Context) error {
	if r.survey.Absent.Leaving() == 0 {
		return nil
	}
	return r.spread(ctx, r.sendLeavers, r.start)
}

func (r *run) sendLeavers(ctx context.Context, queue chan<- *task) error {
	doubts := r.doubts()
	number := r.survey.Rows
	for i := range r.survey.Absent.Leavers {
		l := &r.survey.Absent.Leavers[i]
		if l.Kept != "" {
			continue
		}
		number++
		if r.done(l.Line) {
			continue
		}
		t := r.leaverTask(l, number)
		t.doubt = doubts[l.Line]
		if err := r.hand(ctx, queue, t); err != nil || r.take.Err() != nil {
			return err
		}
	}
	return nil
}

// leaverTask is what a row would be that asks for somebody to be deactivated.
func (r *run) leaverTask(l *Leaver, number int64) *task {
	return &task{
		row: &rows.Row{Number: number, Line: l.Line}, op: plan.Deactivate, id: l.ID, leaver: true,
		record: &mapping.Record{
			Number: number, Line: l.Line, Op: string(plan.Deactivate), MatchBy: "id", Key: l.Key, KeyFold: l.ID,
		},
	}
}

// decideLeaver decides on somebody whom the input does not hold, as they are by
// now.
func (w *row) decideLeaver() plan.Change {
	switch {
	case w.have == nil:
		return plan.Change{Action: plan.ActSkip, Reason: "not in the directory any more"}
	case w.Filter != nil && w.sent == "" && !w.Rules.Schema.Selects(w.Filter, w.have.Object):
		return plan.Change{Action: plan.ActSkip, ID: w.have.ID, Reason: "changed since, so that --filter does not select them any more"}
	}
	return w.rules().Decide(w.wish(), w.have)
}

// Failed says whether some of those who were to be turned inactive were not.
func (t *AbsentTotals) Failed() bool {
	return t != nil && t.Counts[Rejected]+t.Counts[Unknown] > 0
}

// startAbsent takes over what earlier sessions did with the leavers. Their
// outcomes stand in the log among those of the rows.
func (r *run) startAbsent() {
	a := r.survey.Absent
	if a == nil {
		return
	}
	t := &AbsentTotals{Mode: a.Mode, Found: int64(len(a.Leavers)), Unnamed: a.Unnamed, Counts: Counts{}}
	r.totals.Absent = t
	r.Meter.Total.Store(r.survey.Rows + a.Leaving())
	for i := range a.Leavers {
		if a.Leavers[i].Kept != "" {
			t.Kept++
		}
		if r.State == nil {
			continue
		}
		if end, done := r.State.Done(a.Leavers[i].Line); done {
			t.Counts[Outcome(end.Outcome)]++
			r.totals.Counts[Outcome(end.Outcome)]--
		}
	}
}

// balanceAbsent closes their totals.
func (r *run) balanceAbsent() {
	if a := r.totals.Absent; a != nil {
		a.Pending = r.survey.Absent.Leaving() - a.Counts.Sum()
	}
}

// Unreached is how many rows and leavers have no outcome.
func (t *Totals) Unreached() int64 {
	if t.Absent == nil {
		return t.Pending
	}
	return t.Pending + t.Absent.Pending
}
