package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// A row whose reference names a row that comes later in the file, or itself, is
// carried out in two steps: first without the reference, then, when all rows
// have had their first step, with it. It has its one outcome after the second.

// seconds holds the rows that wait for their second step: what came of the
// first, by line. The rows themselves are read again.
type seconds struct {
	mu    sync.Mutex
	first map[int64]*Result
}

// defers keeps the result of a first step back if there is a second to come. It
// tells the collector, who shows rows in order, not to wait for it.
func (s *seconds) defers(w *row, result *Result) bool {
	if !w.binding.deferred || w.task.first != nil || publicID(result) == "" {
		return false
	}
	kept := *result
	kept.Row, kept.step = nil, w.step
	// Nobody will look at the change, and there may be many.
	kept.Change, kept.Seen = plan.Change{Action: result.Change.Action, ID: result.ID}, nil
	if w.DryRun && w.lacksPatch() { // the second step will send all of it again
		kept.Change.After = result.Change.After
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[int64]*Result{}
	}
	s.first[w.row.Line] = &kept
	if w.DryRun {
		early := *result
		early.postponed = true
		w.results <- &early
	}
	return true
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
	if len(r.seconds.first) == 0 {
		return nil
	}
	return r.spread(ctx, r.readSeconds, r.start)
}

// spread has as many goroutines as there are hands do what feed hands them.
func (r *run) spread(ctx context.Context, feed func(context.Context, chan<- *task) error, do func(context.Context, *task)) error {
	queue := make(chan *task, r.Workers)
	g, ctx := errgroup.WithContext(ctx)
	r.bulk.open(r.hands)
	g.Go(func() error {
		defer close(queue)
		defer r.bulk.pause()
		return feed(ctx, queue)
	})
	for range r.hands {
		g.Go(func() error {
			for t := range queue {
				r.bulk.take(t)
				do(ctx, t)
				r.bulk.rest()
			}
			r.bulk.end()
			r.bulk.leave()
			return nil
		})
	}
	return g.Wait()
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
		first := r.seconds.first[row.Line]
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
		if !strings.Contains(result.Detail, left) { // the first step may have said so
			result.say(left)
		}
	}
}
