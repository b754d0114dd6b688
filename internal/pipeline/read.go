package pipeline

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// doubt is what the log knows of a row that an earlier session left without an
// outcome.
type doubt struct {
	journal.Intent                  // what names the outcome of the row
	all            []journal.Intent // of the row
}

// read sends every row that has no outcome yet to a worker, or its result to
// the collector. It ends early, and without an error, once no more rows are to
// be taken.
func (r *run) read(ctx context.Context) error {
	defer r.closeQueues()
	in, err := r.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	mapper := r.Mapping.NewMapper()
	twins := &twins{policy: r.OnDuplicate, duplicates: r.survey.duplicates, last: map[uint32]last{}}
	doubts := r.doubts()
	reached := r.reached(doubts)
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return err
		}
		if r.take.Err() != nil {
			return nil
		}
		t, result := r.translate(mapper, &row)
		if t != nil {
			result = twins.judge(t)
			t.doubt = doubts[row.Line]
			first, _ := r.survey.duplicates.span(row.Line)
			t.begun, t.passed = reached[first] > 0, t.shared && reached[first] > row.Line
		}
		if t != nil && result == nil {
			if result, err = r.survey.references.rejection(t); err != nil {
				return err
			}
		}
		done := r.done(row.Line)
		if done || result != nil {
			if err := r.startReleased(ctx, &row); err != nil {
				return err
			}
		}
		if done {
			continue
		}
		r.awaitRoom(ctx)
		if err := r.dispatch(ctx, t, result); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// startReleased lets the rows go on that wait for one which no worker will
// carry out. What an earlier session made of it, Resolve has seen.
func (r *run) startReleased(ctx context.Context, row *rows.Row) error {
	released, err := r.survey.references.publish(row.Line, "", "is rejected")
	r.release(ctx, released)
	return err
}

func (r *run) closeQueues() {
	r.bulk.pause()
	close(r.open)
	for _, queue := range r.keyed {
		close(queue)
	}
}

func (r *run) done(line int64) bool {
	if r.State == nil {
		return false
	}
	_, done := r.State.Done(line)
	return done
}

// countReject stops the run at the first reject too many. A share of the rows is
// judged when outcomes are recorded.
func (r *run) countReject(result *Result) {
	if result.Outcome != Rejected || result.Leaver {
		return
	}
	n := r.rejected.Add(1)
	if !r.DryRun && r.MaxErrors.Percent == 0 && r.MaxErrors.Exceeded(n, n) {
		r.stop(ErrMaxErrors)
	}
}

func (r *run) doubts() map[int64]*doubt {
	doubts := map[int64]*doubt{}
	if r.State != nil {
		for _, intent := range r.State.InDoubt() {
			if r.joins != nil && isMembership(intent) {
				continue
			}
			if doubts[intent.Line] == nil {
				doubts[intent.Line] = &doubt{Intent: intent}
			}
			doubts[intent.Line].add(intent)
		}
	}
	return doubts
}

// add takes a step in. What the row did first names its outcome, except that
// somebody who was to be changed and was gone by then may have been created.
func (d *doubt) add(step journal.Intent) {
	if create := string(plan.ActCreate); step.Op == create && d.Op != create {
		d.Intent = step
	}
	d.Step = step.Step
	d.all = append(d.all, step)
}

// reached is how far an earlier session came with each key of several rows: the
// last line of it that the log knows, by the first line of the key.
func (r *run) reached(doubts map[int64]*doubt) map[int64]int64 {
	reached := map[int64]int64{}
	if r.State == nil || r.OnDuplicate != DuplicateApply {
		return reached
	}
	for _, twin := range r.survey.duplicates.twins { // by line
		if line := int64(twin.line); r.done(line) || doubts[line] != nil {
			reached[int64(twin.first)] = line
		}
	}
	return reached
}

// dispatch hands a row on. Rows that share a key go to one worker, in file
// order; any worker takes the others.
func (r *run) dispatch(ctx context.Context, t *task, result *Result) error {
	if result != nil {
		r.countReject(result)
		r.results <- result
		return nil
	}
	if t.shared {
		return r.hand(ctx, r.keyed[maphash.String(r.seed, t.record.KeyFold)%uint64(len(r.keyed))], t)
	}
	r.awaitHalf(ctx)
	return r.hand(ctx, r.open, t)
}

// awaitHalf waits, once the queue is full, until half of it is taken: rows are
// read and mapped many at a time, and not one whenever a worker is done with one.
func (r *run) awaitHalf(ctx context.Context) {
	if len(r.open) < cap(r.open) {
		return
	}
	select {
	case <-r.half:
	case <-r.take.Done():
	case <-ctx.Done():
	}
}

// sayHalf lets the reader go on if half of the queue is taken.
func (r *run) sayHalf() {
	if len(r.open) > cap(r.open)/2 {
		return
	}
	select {
	case r.half <- struct{}{}:
	default:
	}
}

// hand puts a row into a queue. While it waits for the one worker that may take
// the row, nobody gets another one.
func (r *run) hand(ctx context.Context, queue chan<- *task, t *task) error {
	r.bulk.queue(t, 1)
	select {
	case queue <- t:
		return nil
	default:
	}
	if t.shared {
		r.bulk.pause()
		defer r.bulk.resume()
	}
	select {
	case queue <- t:
		return nil
	case <-r.take.Done():
		r.bulk.queue(t, -1)
		return nil
	case <-ctx.Done():
		r.bulk.queue(t, -1)
		return ctx.Err()
	}
}

// twins judges rows whose key another row has too.
type twins struct {
	policy     string
	duplicates *duplicates
	last       map[uint32]last // by the line of the first row of a key, until the last one
}

// last is the row of a key that counted last, and what it asked for.
type last struct {
	asked uint64
	line  uint32
}

// judge returns the result of a row that is not carried out because of another
// one, or nil. A row that maps to the very same values as the one before it is
// skipped: people paste lines twice.
func (tw *twins) judge(t *task) *Result {
	first, final := tw.duplicates.span(t.row.Line)
	if first == 0 {
		return nil
	}
	t.shared = tw.policy == DuplicateApply
	t.later, t.final = first != t.row.Line, final == t.row.Line
	asked := tw.digest(t)
	before, seen := tw.last[uint32(first)]
	if t.final {
		defer delete(tw.last, uint32(first))
	}
	switch {
	case tw.policy == DuplicateRejectAll && first == t.row.Line:
		return duplicate(t, "another row below has the same key, and with --on-duplicate reject-all none of them counts")
	case tw.policy == DuplicateRejectAll:
		return duplicate(t, fmt.Sprintf("line %d has the same key, and with --on-duplicate reject-all none of them counts", first))
	case seen && before.asked == asked:
		result := duplicate(t, fmt.Sprintf("line %d has the same key and the same values", before.line))
		result.Outcome, result.Class, result.Change.Action = Skipped, "", plan.ActSkip
		return result
	case seen && tw.policy != DuplicateApply:
		return duplicate(t, fmt.Sprintf("line %d has the same key and comes first (--on-duplicate apply carries all of them out)", before.line))
	}
	tw.last[uint32(first)] = last{asked, uint32(t.row.Line)}
	return nil
}

func duplicate(t *task, detail string) *Result {
	return &Result{
		Row: t.row, Key: t.record.Key, Op: t.op, Outcome: Rejected, Class: ClassDuplicate, Detail: detail,
		Change: plan.Change{Action: plan.ActReject, Class: ClassDuplicate, Reason: detail},
	}
}

// digest tells rows that ask for the same values from those that do not.
func (tw *twins) digest(t *task) uint64 {
	if t.planned != nil {
		return maphash.Bytes(tw.duplicates.seed, t.row.Object)
	}
	values := scim.Object{"op": string(t.op)}
	for _, a := range t.record.Assignments {
		values[fmt.Sprintf("%s %d", a.Target.Path, a.Mode)] = a.Value
	}
	for _, ref := range t.record.Refs {
		values[fmt.Sprintf("%s %d", ref.Target.Path, ref.Mode)] = strings.Join(ref.Names, "\x00")
	}
	text, err := scim.Encode(values)
	if err != nil {
		return uint64(t.row.Line) // like no other
	}
	return maphash.Bytes(tw.duplicates.seed, text)
}
