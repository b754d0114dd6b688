package journal

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A State is what a log says of its run. It takes one byte a line of the
// input, and what is in doubt. It does not change and may be read
// concurrently.
type State struct {
	Header   Header
	Sessions int       // that wrote to the log
	Modified time.Time // when the log was last written, by the file system

	// Ended says that the last session ended in order: interrupted if not
	// Finished. If it did not, that process died or is still running.
	Ended    bool
	Finished bool
	Exit     int   // of the session that ended in order
	RowsRead int64 // as that session's Summary gave it

	Records int64
	Bytes   int64 // of whole records
	Torn    int64 // bytes of a torn tail behind them, which Open has cut
	Skipped int64 // records of a kind that a later version knows

	marks   marks
	steps   marks // of lines without an outcome, whose own step is done
	done    int64
	counts  map[string]int64
	classes map[string]int64
	open    map[int64][]doubt // by line, one for each of its steps
	seq     int64
	doubts  []Intent
	notes   notes
	earlier Stats // of the sessions before the last
	session Stats
}

// A doubt is an intent without an outcome, and its turn in the log.
type doubt struct {
	Intent
	seq int64
}

func newState() *State {
	return &State{Sessions: 1, counts: map[string]int64{}, classes: map[string]int64{},
		marks: newMarks(), steps: newMarks(), open: map[int64][]doubt{}}
}

// Done returns what became of a line (without Attempts), and whether it has an
// outcome.
func (s *State) Done(line int64) (Outcome, bool) {
	end, ok := s.marks.get(line)
	return Outcome{Line: line, Outcome: end.outcome, Class: end.class}, ok
}

// Step returns what a line has come to that has no outcome yet because more is
// to be done for it, and whether it has come to anything.
func (s *State) Step(line int64) (Outcome, bool) {
	end, ok := s.steps.get(line)
	return Outcome{Line: line, Outcome: end.outcome, Class: end.class}, ok && !s.marks.has(line)
}

// Rows returns how many lines have an outcome.
func (s *State) Rows() int64 { return s.done }

// InDoubt returns the intents whose line has no outcome, in the order of the
// log. An intent of several sessions is there once: as it was first made, but
// with the images seen last, and Absent if any look-up found nothing.
func (s *State) InDoubt() []Intent { return slices.Clone(s.doubts) }

// Counts returns the number of lines by outcome.
func (s *State) Counts() map[string]int64 { return maps.Clone(s.counts) }

// Classes returns the number of lines by reject class.
func (s *State) Classes() map[string]int64 { return maps.Clone(s.classes) }

// Stats returns the totals of all sessions, of those that died up to what they
// last recorded. Rate is the pace that was learned last.
func (s *State) Stats() Stats { return s.earlier.plus(s.session) }

// Notes returns the notes in the order of the log, unless WithNotes took them.
func (s *State) Notes() iter.Seq2[string, jsontext.Value] { return s.notes.all() }

// Note returns the last note of a kind.
func (s *State) Note(kind string) (jsontext.Value, bool) { return s.notes.last(kind) }

func (s *State) begin() {
	s.Sessions++
	s.Ended, s.Finished, s.Exit = false, false, 0
	s.earlier, s.session = s.earlier.plus(s.session), Stats{}
}

func (s *State) intend(in Intent) error {
	if err := known(in.Line, in.Step); err != nil {
		return err
	}
	if s.marks.has(in.Line) {
		return nil // settled before its intent was written: nothing is in doubt
	}
	steps := s.open[in.Line]
	if i := indexStep(steps, in.Step); i >= 0 {
		again := &steps[i]
		again.Tries++
		again.Absent = again.Absent || in.Absent
		again.Op, again.Before, again.After = in.Op, in.Before, in.After
		return nil
	}
	s.seq++
	in.Tries = 1
	s.open[in.Line] = append(steps, doubt{in, s.seq})
	return nil
}

func (s *State) withdraw(line int64, step int) error {
	if err := known(line, step); err != nil {
		return err
	}
	steps := s.open[line]
	switch i := indexStep(steps, step); {
	case i < 0:
	case steps[i].Tries > 1:
		steps[i].Tries-- // an earlier session's is still in doubt
	case len(steps) == 1:
		delete(s.open, line)
	default:
		s.open[line] = slices.Delete(steps, i, i+1)
	}
	return nil
}

func indexStep(steps []doubt, step int) int {
	return slices.IndexFunc(steps, func(d doubt) bool { return d.Step == step })
}

func (s *State) finish(out Outcome) error {
	if err := known(out.Line, 0); err != nil {
		return err
	}
	if out.Outcome == "" {
		return bad("line %d has no outcome", out.Line)
	}
	if !s.marks.set(out.Line, ending{out.Outcome, out.Class}) {
		return nil
	}
	s.done++
	s.counts[out.Outcome]++
	if out.Class != "" {
		s.classes[out.Class]++
	}
	delete(s.open, out.Line)
	return nil
}

// step ends the intents of a line so far: what they came to is known. The first
// step counts, since a line that was created stays created.
func (s *State) step(out Outcome) error {
	if err := known(out.Line, 0); err != nil {
		return err
	}
	if out.Outcome == "" {
		return bad("line %d has come to nothing", out.Line)
	}
	s.steps.set(out.Line, ending{out.Outcome, out.Class})
	delete(s.open, out.Line)
	return nil
}

// known refuses a line or step that no input has.
func known(line int64, step int) error {
	if line < 1 || line > maxLine || step < 0 || step > maxStep {
		return bad("no such row: line %d, step %d", line, step)
	}
	return nil
}

// settle orders what is left in doubt.
func (s *State) settle() {
	left := slices.Concat(slices.Collect(maps.Values(s.open))...)
	slices.SortFunc(left, func(a, b doubt) int { return cmp.Compare(a.seq, b.seq) })
	s.doubts = make([]Intent, len(left))
	for i, in := range left {
		s.doubts[i] = in.Intent
	}
	s.open = nil
}
