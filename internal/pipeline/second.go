package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// A row whose reference names a row that comes later in the file, or itself, is
// carried out in two steps: first without the reference, then, when all rows
// have had their first step, with it. It has its one outcome after the second.

// seconds holds what came of the first steps of the rows that wait for their
// second one: on disk, and in memory where, eight bytes a row of the input. The
// rows themselves are read again.
type seconds struct {
	mu     sync.Mutex
	texts  textSpool
	places [][]int64 // by the number of the row, in pages; 0 where nothing waits
	n      int64
}

// secondsPage is how many rows a page of places is for.
const secondsPage = 1024

// firstStep is a result as it waits for the second step of its row.
type firstStep struct {
	Result    Result
	Step      int
	Promised  string
	TurnedOff bool
	After     jsontext.Value
}

// defers keeps the result of a first step back if there is a second to come. It
// tells the collector, who shows rows in order, not to wait for it.
func (s *seconds) defers(w *row, result *Result) (bool, error) {
	if !w.binding.deferred || w.task.first != nil || publicID(result) == "" {
		return false, nil
	}
	text, err := w.firstStep(result)
	if err != nil {
		return false, err
	}
	if err := s.put(w.row.Number, text); err != nil {
		return false, fmt.Errorf("keeping what became of line %d until its second step: %w", w.row.Line, err)
	}
	if w.DryRun {
		early := *result
		early.postponed = true
		w.results <- &early
	}
	return true, nil
}

// firstStep is what the second step of a row has to know of the first. Nobody
// will look at the change itself.
func (w *row) firstStep(result *Result) (string, error) {
	kept := firstStep{Result: *result, Step: w.step, Promised: result.promised, TurnedOff: result.turnedOff}
	kept.Result.Row, kept.Result.Seen = nil, nil
	kept.Result.Change = plan.Change{Action: result.Change.Action, ID: result.ID}
	if w.DryRun && w.lacksPatch() && result.Change.After != nil { // the second step will send all of it again
		after, err := scim.Encode(result.Change.After)
		if err != nil {
			return "", err
		}
		kept.After = after
	}
	text, err := json.Marshal(kept, json.OmitZeroStructFields(true), jsontext.AllowInvalidUTF8(true))
	return string(text), err
}

func (s *seconds) put(number int64, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, err := s.texts.add(text)
	if err != nil {
		return err
	}
	page := int(number / secondsPage)
	for len(s.places) <= page {
		s.places = append(s.places, nil)
	}
	if s.places[page] == nil {
		s.places[page] = make([]int64, secondsPage)
	}
	s.places[page][number%secondsPage] = at + 1
	s.n++
	return nil
}

// of is what the first step of a row came to, nil where no second one is to
// come.
func (s *seconds) of(number int64) (*Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := int(number / secondsPage)
	if page >= len(s.places) || s.places[page] == nil || s.places[page][number%secondsPage] == 0 {
		return nil, nil
	}
	text, err := s.texts.text(s.places[page][number%secondsPage] - 1)
	if err != nil {
		return nil, err
	}
	var kept firstStep
	if err := json.Unmarshal([]byte(text), &kept, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, err
	}
	result := &kept.Result
	result.step, result.promised, result.turnedOff = kept.Step, kept.Promised, kept.TurnedOff
	if kept.After != nil {
		result.Change.After, err = scim.DecodeObject(kept.After)
	}
	return result, err
}

// publicID is the id under which others may refer to what a row has made, ""
// where it has made nothing. A dry run has no ids for what it would create.
func publicID(result *Result) string {
	switch result.Outcome {
	case Rejected, Unknown, Deleted:
		return ""
	case Created:
		if result.ID == "" {
			return fmt.Sprintf(promised, result.Row.Line)
		}
	}
	return cmp.Or(result.ID, result.promised)
}

// secondPass reads the input again and gives the rows that wait their second
// step.
func (r *run) secondPass(ctx context.Context) error {
	if err := r.workOffHeld(ctx); err != nil {
		return err
	}
	if r.seconds.n == 0 {
		return nil
	}
	return r.spread(ctx, r.readSeconds, r.start)
}

// spread has as many goroutines as there are hands do what feed hands them.
func (r *run) spread(ctx context.Context, feed func(context.Context, chan<- *task) error, do func(context.Context, *task)) error {
	queue := make(chan *task, r.Workers)
	g, within := errgroup.WithContext(ctx)
	r.bulk.open(r.hands)
	g.Go(func() error {
		defer close(queue)
		defer r.bulk.pause()
		return feed(within, queue)
	})
	for range r.hands {
		g.Go(func() error {
			for t := range queue {
				r.bulk.take(t)
				do(within, t)
				r.bulk.rest()
			}
			r.bulk.end()
			r.bulk.leave()
			return nil
		})
	}
	err := g.Wait()
	r.awaitCrew(ctx)
	return err
}

// readSeconds sends the rows that wait to the workers. Those of one key are
// carried out one after the other, in file order.
func (r *run) readSeconds(ctx context.Context, queue chan<- *task) error {
	in, err := r.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	mapper := r.Mapping.NewMapper()
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return err
		}
		first, err := r.seconds.of(row.Number)
		if err != nil {
			return fmt.Errorf("reading what became of line %d: %w", row.Line, err)
		}
		if first == nil || r.take.Err() != nil {
			continue
		}
		t, _ := r.translate(mapper, &row)
		if t == nil {
			return fmt.Errorf("line %d cannot be read a second time: the input has changed under the run", row.Line)
		}
		t.first = first
		if same, _ := r.survey.duplicates.span(row.Line); same > 0 && r.OnDuplicate == DuplicateApply {
			t.shared = true
			r.startInOrder(ctx, t)
			continue
		}
		if err := r.hand(ctx, queue, t); err != nil {
			return err
		}
	}
	return nil
}

// startInOrder carries the second step of a row out that shares its key, before
// the next row is read.
func (r *run) startInOrder(ctx context.Context, t *task) {
	r.bulk.pause()
	r.bulk.enter()
	r.start(ctx, t)
	r.bulk.leave()
	r.bulk.resume()
}

// resumeFrom takes over what the first step of a row came to.
func (w *row) resumeFrom(first *Result) {
	result := *first
	result.Row = w.row
	w.result, w.step = &result, first.step
}

// lookAgain finds the resource that the first step has left. What was created a
// moment ago need not be read: it has none of the references yet, unless another
// row of the same key has set them. Where there is no PATCH, all of it is needed.
func (w *row) lookAgain(ctx context.Context) (*plan.Current, error) {
	first := w.task.first
	switch {
	case first.Change.After != nil: // a dry run has written nothing
		return &plan.Current{ID: first.ID, Object: first.Change.After}, nil
	case first.Outcome == Created && w.rounds == 0 && !w.lacksPatch() && !w.shared:
		return &plan.Current{ID: first.ID, Object: scim.Object{}}, nil
	}
	return (&lookupEach{client: w.Client, endpoint: Endpoint(w.Resource)}).byID(ctx, first.ID)
}

// complete joins the two steps of a row in one outcome: a row that was written
// stays so, whatever became of its reference.
func (w *row) complete(result *Result) {
	first := w.task.first
	if first == nil {
		return
	}
	second := w.change
	failed := result.Outcome == Rejected || result.Outcome == Unknown
	if failed {
		result.Lame, result.Detail = true, "a reference could not be set: "+result.Detail
	}
	result.Class, result.ID = "", first.ID
	if first.Outcome == Unchanged && !failed {
		result.Change = second // the only step that wrote
		return
	}
	result.Outcome, result.Change = first.Outcome, first.Change
	result.Begun = w.DryRun && first.Change.Action.Writes()
	if !failed && second.Action.Writes() {
		result.Second = &second
	}
}

// wish is what the row asks for, its references as ids; in its second step the
// references alone.
func (w *row) wish() plan.Wish {
	if w.task.first != nil {
		return plan.Wish{Op: plan.Upsert, Assignments: w.binding.assignments}
	}
	op := w.op
	if op == plan.Create && w.sent == plan.ActCreate && w.have != nil && w.ours() {
		op = plan.Upsert // it is there because we made it
	}
	if op == plan.Create && w.joins != nil && w.joins.made(w.row.Line) {
		op = plan.Upsert // an earlier session did
	}
	if len(w.binding.assignments) == 0 {
		return plan.Wish{Op: op, Assignments: w.record.Assignments}
	}
	all := make([]scim.Assignment, 0, len(w.record.Assignments)+len(w.binding.assignments))
	return plan.Wish{Op: op, Assignments: append(append(all, w.record.Assignments...), w.binding.assignments...)}
}

// sayWhatIsMissing puts the references that were left out into the detail.
func (w *row) sayWhatIsMissing(result *Result) {
	if len(w.binding.left) == 0 || result.Outcome == Rejected {
		return
	}
	for _, left := range w.binding.left {
		if !slices.Contains(result.Said(), left) { // the first step may have said so
			result.say(left)
		}
	}
}
