package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
)

// work carries out rows until there are no more, or none are to be taken. A row
// that it does not carry out stays pending.
func (r *run) work(ctx context.Context, keyed <-chan *task) {
	open := r.open
	for open != nil || keyed != nil {
		var t *task
		var ok bool
		select {
		case t, ok = <-open:
			if !ok {
				open = nil
			}
			r.sayHalf()
		case t, ok = <-keyed:
			if !ok {
				keyed = nil
			}
		}
		if ok {
			r.bulk.take(t)
			r.start(ctx, t)
			r.bulk.rest()
		}
	}
	r.bulk.end()
	r.workOffParked(ctx)
	r.bulk.leave()
}

// release starts rows that have waited for another one, beside the others as
// far as there are goroutines to spare: one row may release thousands.
func (r *run) release(ctx context.Context, tasks []*task) {
	for _, t := range tasks {
		select {
		case r.spare <- struct{}{}:
			r.bulk.enter()
			r.crew.Go(func() {
				r.start(ctx, t)
				r.bulk.leave()
				<-r.spare
			})
		default:
			r.start(ctx, t)
		}
	}
}

// start carries a row out, unless it has to wait for another one.
func (r *run) start(ctx context.Context, t *task) {
	if r.take.Err() != nil {
		return
	}
	if len(r.survey.bonds.wanted) > 0 && !r.DryRun && r.survey.bonds.hold(t) {
		return
	}
	w := newRow(r, t)
	if refs := r.survey.references; refs != nil {
		var waiting bool
		var err error
		if w.binding, waiting, err = refs.bind(t, t.first != nil); err != nil {
			r.stop(fmt.Errorf("line %d: reading what it refers to: %w", t.row.Line, err))
		}
		if waiting || err != nil {
			return
		}
	}
	r.finish(ctx, w)
}

// finish carries a row out, hands its result on, and starts the rows that have
// waited for it. What stops the run is its cause.
func (r *run) finish(ctx context.Context, w *row) {
	result, err := w.carryOut(ctx)
	switch {
	case errors.Is(err, errParked):
		r.survey.references.ease()
		return
	case err != nil:
		r.stop(err)
		return
	}
	r.watch(result)
	if err := w.keepCreated(ctx, result); err != nil {
		r.stop(err)
		return
	}
	w.verify(ctx, result)
	w.complete(result)
	r.countReject(result)
	w.sayWhatIsMissing(result)
	if err := r.handOn(ctx, w, result); err != nil {
		r.stop(err)
	}
}

// handOn delivers the result of a row, unless a second step is to come, and
// starts the rows that have waited for it.
func (r *run) handOn(ctx context.Context, w *row, result *Result) error {
	released, err := r.survey.references.publish(w.row.Line, publicID(result), string(result.Outcome))
	if err != nil {
		return err
	}
	deferred, err := r.seconds.defers(w, result)
	if err != nil {
		return err
	}
	if !deferred {
		r.deliver(ctx, w, result)
	}
	r.release(ctx, released)
	return nil
}

// watch stops a run whose directory fails row after row: what cannot be served
// now is better done later than rejected.
func (r *run) watch(result *Result) {
	if result.Class != ClassServer {
		r.failures.Store(0)
		return
	}
	if most := int64(max(20, 2*r.Workers)); r.failures.Add(1) >= most {
		r.stop(fmt.Errorf("the directory failed on %d rows in a row, the last time with: %s", most, result.Detail))
	}
}

// maxRounds bounds how often a row looks, decides and sends before it gives up
// on a directory that keeps changing its mind.
const maxRounds = 8

// row is one row in the hands of a worker.
type row struct {
	*run
	*task
	binding binding
	result  *Result
	have    *plan.Current
	found   *plan.Current // who refused a create, where no look-up shows them
	change  plan.Change
	// sent is the last write that the directory may have carried out without
	// our knowing; "" when there is none.
	sent    plan.Action
	looked  bool // the directory was asked, and not only believed to be empty
	counted bool // among those whom the run removes or turns inactive
	absent  bool // a look-up before the create that is in doubt found nothing
	unshown bool // what was found is such as look-ups may not have shown
	since   time.Time
	open    []journal.Intent // in the log, and not withdrawn
	settled time.Time        // when a create that is in doubt can no longer come late
	clash   string           // why the row cannot have its other identity, "" where it can
	murky   bool             // the directory shows neither what was there before that write nor what it makes
	unpatch bool             // this row's PATCH was refused: it is sent as a PUT
	rounds  int
	step    int
}

func newRow(r *run, t *task) *row {
	w := &row{run: r, task: t, result: &Result{Row: t.row, Key: t.record.Key, Op: t.op, Leaver: t.leaver}}
	w.result.Resource = w.resource()
	if t.first != nil {
		w.resumeFrom(t.first)
	}
	if t.doubt != nil {
		w.result.Doubt = true
		w.sent, w.absent, w.since, w.step = plan.Action(t.doubt.Op), t.doubt.Absent, t.doubt.At, t.doubt.Step+1
		w.open = slices.Clone(t.doubt.all)
		w.settled = r.totals.StartedAt.Add(r.Settle) // it was sent before; when, only the directory's clock tells
	}
	return w
}

// carryOut looks the resource up, decides, and writes, again if need be. An
// error is one that stops the run: the row has no outcome then.
func (w *row) carryOut(ctx context.Context) (*Result, error) {
	if w.passed {
		return w.passedBy(ctx)
	}
	for ; w.rounds <= maxRounds; w.rounds++ { // the last round looks at what became of the last write
		err := w.look(ctx, w.rounds > 0 || w.shared && w.later || w.sent != "")
		if err == nil {
			err = w.lookPastFilter(ctx)
		}
		if err != nil {
			return w.failedLookup(err)
		}
		if err := w.seekClash(ctx); err != nil {
			return w.failedLookup(err)
		}
		if err := w.disown(); err != nil {
			return nil, err
		}
		if w.decide(); w.needsAll() {
			continue
		}
		if err := w.imagine(); err != nil {
			return nil, err
		}
		if !w.change.Action.Writes() {
			return w.conclude(), nil
		}
		if w.DryRun {
			return w.announce(), nil
		}
		if w.rounds == maxRounds {
			break
		}
		if w.unsettled() {
			if err := w.await(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if done, err := w.write(ctx); done || err != nil {
			return w.result, err
		}
	}
	return w.giveUp(), nil
}

// imagine keeps, in a dry run, what the row would leave to the next row of its
// key.
func (w *row) imagine() error {
	if !w.DryRun || !w.shared {
		return nil
	}
	if w.change.Action == plan.ActCreate {
		w.result.promised = fmt.Sprintf(promised, w.row.Line)
	}
	return w.imagined.set(w.task, &w.change, w.result.promised, w.binding.deferred && w.task.first == nil)
}

// passedBy ends the first step of a row that an earlier session had carried out:
// it would not have begun a later row of the same key otherwise. What the
// directory holds now is that row's work. Steps that are to come still come.
func (w *row) passedBy(ctx context.Context) (*Result, error) {
	have, err := w.directory.find(ctx, w.record, true)
	if err != nil {
		return w.failedLookup(err)
	}
	res := w.result
	if w.have = have; have != nil {
		res.ID = have.ID
	} else {
		w.binding = binding{} // the later row has deleted it
	}
	w.change = plan.Change{Action: plan.ActNothing, ID: res.ID}
	res.Change, res.Outcome = w.change, outcomeOf(w.sent)
	if step, known := w.State.Step(w.row.Line); known {
		res.Outcome = Outcome(step.Outcome)
	}
	return res, nil
}

func (w *row) look(ctx context.Context, fresh bool) error {
	w.looked = w.looked || fresh || !w.blind
	if have, promised, known := w.imagined.get(w.task); known {
		if first := w.task.first; first != nil && have != nil && (have.ID != first.ID || promised != first.promised) {
			have = nil // it was deleted, and another one made
		}
		w.have, w.result.promised = have, promised
		return nil
	}
	var err error
	switch {
	case w.task.first != nil:
		w.have, err = w.lookAgain(ctx)
		return err
	case w.found != nil: // no look-up shows it, but it has an id
		w.have, err = (&lookupEach{client: w.Client, endpoint: Endpoint(w.Resource)}).byID(ctx, w.found.ID)
		return err
	case w.planned != nil:
		return w.lookPlanned(ctx)
	case w.task.id != "":
		return w.lookByID(ctx, fresh)
	}
	w.have, err = w.directory.find(ctx, w.record, fresh)
	var filter *filterError
	if w.sent == plan.ActCreate && errors.As(err, &filter) {
		return nil // a miss that nobody believes
	}
	return err
}

func (w *row) decide() {
	if w.planned != nil {
		w.change = w.decidePlanned()
		return
	}
	if w.leaver {
		w.change = w.decideLeaver()
		return
	}
	if w.have == nil && w.first != nil {
		w.change = plan.Change{Action: plan.ActReject, Class: "missing", Reason: "the resource is gone by now"}
		if w.shared && !w.final { // a later row has deleted it
			w.change = plan.Change{Action: plan.ActNothing}
		}
		return
	}
	if w.have == nil && w.record.MatchBy == "id" && (w.op == plan.Upsert || w.op == plan.Create) && w.sent == "" {
		w.change = plan.Change{Action: plan.ActReject, Class: "missing",
			Reason: "the directory has nothing with this id (--match userName finds people by name and creates those who are missing)"}
		return
	}
	if w.binding.reject != "" && w.op != plan.Delete && w.op != plan.Deactivate {
		w.change = plan.Change{Action: plan.ActReject, Class: ClassReference, Reason: w.binding.reject}
		return
	}
	if w.clash != "" {
		w.change = plan.Change{Action: plan.ActReject, Class: ClassConflict, Reason: w.clash}
		return
	}
	w.change = w.rules().Decide(w.wish(), w.have)
}

// conclude is the outcome of a row that needs no write, or no further one: what
// was in doubt has turned out to have happened.
func (w *row) conclude() *Result {
	res := w.result
	res.Change, res.ID = w.change, w.change.ID
	if w.murky {
		return w.unknown(w.change.Reason)
	}
	if w.sent != "" && w.change.Action != plan.ActReject && w.ours() {
		res.Outcome = outcomeOf(w.sent)
		res.turnedOff = w.counted && (res.Outcome == Updated || res.Outcome == Replaced)
		return res
	}
	switch w.change.Action {
	case plan.ActNothing:
		res.Outcome = Unchanged
	case plan.ActSkip:
		res.Outcome, res.Detail = Skipped, w.change.Reason
	default:
		res.Outcome, res.Class, res.Detail = Rejected, w.change.Class, w.change.Reason
	}
	return res
}

func outcomeOf(action plan.Action) Outcome {
	switch action {
	case plan.ActCreate:
		return Created
	case plan.ActUpdate:
		return Updated
	case plan.ActReplace:
		return Replaced
	case plan.ActDelete:
		return Deleted
	case plan.ActDeactivate:
		return Deactivated
	}
	return Unchanged
}

// announce is what a dry run says of a row that would be written.
func (w *row) announce() *Result {
	if w.change.TurnsOff() {
		w.turnedOff.Add(1)
	}
	w.writes.add(&w.change)
	w.announceBulk()
	w.seen()
	w.result.Names = w.nameIDs(w.result.Names)
	w.managers.note(w)
	w.result.Change, w.result.ID, w.result.Outcome = w.change, w.change.ID, outcomeOf(w.change.Action)
	return w.result
}
