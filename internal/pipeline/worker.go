package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
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
		case t, ok = <-keyed:
			if !ok {
				keyed = nil
			}
		}
		if ok {
			r.start(ctx, t)
		}
	}
	r.workOffParked(ctx)
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
		if w.binding, waiting = refs.bind(t, t.first != nil); waiting {
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
	w.complete(result)
	r.countReject(result)
	w.sayWhatIsMissing(result)
	released := r.survey.references.publish(w.row.Line, publicID(result), string(result.Outcome))
	if !r.seconds.defers(w, result) {
		r.results <- result // the collector takes everything until this channel is closed
	}
	for _, t := range released {
		r.start(ctx, t)
	}
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
	absent  bool // a look-up before the write that is in doubt found nothing
	since   time.Time
	settled time.Time // when a create that is in doubt can no longer come late
	murky   bool      // the directory shows neither what was there before that write nor what it makes
	rounds  int
	step    int
}

func newRow(r *run, t *task) *row {
	w := &row{run: r, task: t, result: &Result{Row: t.row, Key: t.record.Key, Op: t.op}}
	if t.first != nil {
		w.resumeFrom(t.first)
	}
	if t.doubt != nil {
		w.result.Doubt = true
		w.sent, w.absent, w.since, w.step = plan.Action(t.doubt.Op), t.doubt.Absent, t.doubt.At, t.doubt.Step+1
		w.settled = time.Now().Add(r.Settle) // when it was sent we know by the directory's clock alone
	}
	return w
}

// carryOut looks the resource up, decides, and writes, again if need be. An
// error is one that stops the run: the row has no outcome then.
func (w *row) carryOut(ctx context.Context) (*Result, error) {
	for ; w.rounds < maxRounds; w.rounds++ {
		err := w.look(ctx, w.rounds > 0 || w.shared && w.later || w.sent != "")
		if err != nil {
			return w.failedLookup(err)
		}
		w.decide()
		if w.DryRun && w.shared {
			if err := w.imagined.set(w.task, &w.change); err != nil {
				return nil, err
			}
		}
		if !w.change.Action.Writes() {
			return w.conclude(), nil
		}
		if w.DryRun {
			return w.announce(), nil
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

func (w *row) look(ctx context.Context, fresh bool) error {
	w.looked = w.looked || fresh || !w.blind
	if have, known := w.imagined.get(w.task); known {
		w.have = have
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
	}
	w.have, err = w.directory.find(ctx, w.record, fresh)
	return err
}

func (w *row) decide() {
	if w.planned != nil {
		w.change = w.decidePlanned()
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
	w.change = w.Rules.Decide(w.wish(), w.have)
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

// ours says whether what is there now is the work of the write that was in
// doubt. A resource that is there after a create is ours if it was seen absent
// before, or if it is not older than the intent by the directory's own clock.
func (w *row) ours() bool {
	return w.sent != plan.ActCreate || w.absent || w.youngerThan("created")
}

// clockSlack is what a time in whole seconds and the way of a request may hide.
const clockSlack = 2 * time.Second

func (w *row) youngerThan(member string) bool {
	if w.have == nil {
		return false
	}
	text, _ := valueAt(w.have.Object, scim.Path{Attr: "meta", Sub: member}).(string)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !at.Before(w.since.Add(-clockSlack))
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
	if turnsOff(&w.change) {
		w.turnedOff.Add(1)
	}
	w.writes.add(&w.change)
	w.seen()
	w.result.Change, w.result.ID, w.result.Outcome = w.change, w.change.ID, outcomeOf(w.change.Action)
	return w.result
}

// write records the intent and sends the request. It says whether the row has
// its outcome; if not, another look is needed.
func (w *row) write(ctx context.Context) (done bool, err error) {
	if err := w.allow(); err != nil {
		return false, err
	}
	body, err := w.body()
	if err != nil {
		return false, err
	}
	if err := w.keepReplaced(ctx); err != nil {
		_, fatal := w.failedLookup(err)
		return fatal == nil, fatal
	}
	intent := w.intent()
	if err := w.Log.Intend(ctx, []journal.Intent{intent}); err != nil {
		return false, err
	}
	if w.sent == "" {
		w.absent, w.since = intent.Absent, intent.At
	}
	resp, err := w.send(ctx, body)
	w.result.Change = w.change
	if err != nil {
		return w.failedWrite(ctx, err, intent)
	}
	w.accept(resp)
	return true, nil
}

func (w *row) intent() journal.Intent {
	w.step++
	return journal.Intent{
		Line: w.row.Line, Step: w.step - 1, Key: journal.HashKey(w.Name, w.record.KeyFold),
		Op: string(w.change.Action), At: w.clock.now(), Absent: w.have == nil && w.looked,
	}
}

// allow holds removals to --max-deletes: what the file asks for was counted
// before the run, what an update turns out to do is counted here.
func (w *row) allow() error {
	if !turnsOff(&w.change) || w.counted {
		return nil
	}
	w.counted = true
	if n := w.turnedOff.Add(1); w.MaxDeletes.Exceeded(n, w.survey.Rows) {
		return ErrMaxDeletes
	}
	return nil
}

// turnsOff says whether a change removes a person or turns one inactive.
func turnsOff(c *plan.Change) bool {
	if c.Action == plan.ActDelete || c.Action == plan.ActDeactivate {
		return true
	}
	if c.Action != plan.ActUpdate && c.Action != plan.ActReplace {
		return false
	}
	for _, d := range c.Differences {
		if d.Path == "active" && d.New == false {
			return true
		}
	}
	return false
}

// body encodes what the request sends, once: a request that is repeated repeats
// its bytes.
func (w *row) body() ([]byte, error) {
	switch {
	case w.change.Body != nil:
		return scim.Encode(w.change.Body)
	case w.change.Patch != nil:
		return scim.EncodePatch(w.change.Patch)
	}
	return nil, nil
}

func (w *row) send(ctx context.Context, body []byte) (*scim.Response, error) {
	ifMatch := w.change.Version
	if w.noIfMatch.Load() {
		ifMatch = ""
	}
	endpoint := Endpoint(w.Resource)
	switch writeMethod(&w.change) {
	case http.MethodPost:
		return w.Client.Create(ctx, endpoint, body)
	case http.MethodPut:
		return w.Client.Replace(ctx, endpoint, w.change.ID, body, ifMatch)
	case http.MethodPatch:
		return w.Client.Patch(ctx, endpoint, w.change.ID, body, ifMatch)
	default:
		return w.Client.Delete(ctx, endpoint, w.change.ID, ifMatch)
	}
}

// writeMethod is the HTTP method that carries a change out, "" for none.
func writeMethod(c *plan.Change) string {
	switch {
	case c.Action == plan.ActCreate:
		return http.MethodPost
	case c.Action == plan.ActDelete:
		return http.MethodDelete
	case c.Body != nil:
		return http.MethodPut
	case c.Patch != nil:
		return http.MethodPatch
	}
	return ""
}

// writes counts the changes that were carried out, or announced, by HTTP method.
type writes struct {
	mu       sync.Mutex
	byMethod map[string]int64
}

func (c *writes) add(change *plan.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byMethod == nil {
		c.byMethod = map[string]int64{}
	}
	c.byMethod[writeMethod(change)]++
}

func (w *row) accept(resp *scim.Response) {
	w.clock.set(resp.Date)
	w.writes.add(&w.change)
	res := w.result
	res.Outcome = outcomeOf(w.change.Action)
	res.turnedOff = turnsOff(&w.change) && (res.Outcome == Updated || res.Outcome == Replaced)
	if w.sent == plan.ActCreate && w.ours() {
		res.Outcome = Created // and then brought to what the row asks for
	}
	res.ID = w.change.ID
	if resp.Resource.ID != "" {
		res.ID = resp.Resource.ID
	}
	w.sayIfRevived(resp)
	res.Status, res.CorrelationID = resp.Status, resp.CorrelationID
	res.Attempts += resp.Attempts
}

// failedWrite decides what an answer that is not a success means: an outcome, a
// further look, or the end of the run.
func (w *row) failedWrite(ctx context.Context, err error, intent journal.Intent) (done bool, fatal error) {
	var failed *scim.Error
	if !errors.As(err, &failed) {
		return false, err
	}
	w.note(failed)
	if failed.Uniqueness() {
		w.sawUnique.Store(true)
	}
	switch {
	case ctx.Err() != nil:
		return false, ErrInterrupted
	case failed.Verdict() == scim.InDoubt:
		if w.sent != plan.ActCreate { // what is brought up to date after a create stays created
			w.sent = w.change.Action
		}
		w.settled = time.Now().Add(w.Settle)
		return false, w.sleep(ctx, w.pause())
	case pointless(failed):
		return false, errors.Join(err, w.Log.Withdraw([]journal.Intent{intent}))
	case failed.VersionConflict():
		return false, w.mistrustVersions(ctx)
	case failed.Status == http.StatusNotFound && w.have != nil:
		return false, nil // gone since the look-up
	case failed.Uniqueness() && w.have == nil:
		return w.taken(ctx, failed)
	}
	w.reject(failed)
	if w.counted {
		w.turnedOff.Add(-1)
	}
	return true, nil
}

// pause spaces attempts at a directory that fails.
func (w *row) pause() time.Duration {
	return time.Duration(rand.Int64N(int64(100*time.Millisecond) << w.rounds))
}

func (w *row) note(failed *scim.Error) {
	res := w.result
	res.Status, res.ScimType, res.CorrelationID = failed.Status, failed.ScimType, failed.CorrelationID
	res.Attempts += failed.Attempts
}

func (w *row) reject(failed *scim.Error) {
	w.result.Outcome, w.result.Class, w.result.Detail = Rejected, failed.Class(), failed.Error()
	if w.have != nil {
		w.result.ID = w.have.ID
	}
}

// pointless says whether an error would meet every other row too.
func pointless(failed *scim.Error) bool {
	return failed.Status == http.StatusUnauthorized || failed.Status == 0 && failed.Verdict() == scim.NotProcessed
}

// taken handles a 409 for a key that a look-up did not find: somebody else was
// quicker, nobody had looked, or the directory hides who has it.
func (w *row) taken(ctx context.Context, failed *scim.Error) (done bool, fatal error) {
	if err := w.look(ctx, true); err != nil {
		_, fatal = w.failedLookup(err)
		return fatal == nil, fatal
	}
	if w.have == nil {
		if w.have, fatal = w.lookHidden(ctx); fatal != nil {
			return false, fatal
		}
	}
	if w.have == nil {
		w.reject(failed)
		w.result.Detail += "; no look-up finds who has it, perhaps a deleted or hidden account"
		return true, nil
	}
	w.found = w.have
	return false, nil
}

// lookHidden looks in a reading of the directory for whom no look-up shows: the
// inactive, whom some directories keep out of look-ups, or anybody where the
// filters cannot cope with a name. It is read once.
func (w *row) lookHidden(ctx context.Context) (*plan.Current, error) {
	if w.Lookup != LookupAuto {
		return nil, nil
	}
	read := w.readInactive
	if w.Profile.LookupsSeeInactive || w.Profile.InactiveFilter == "" || w.Resource != "User" {
		read = w.readEverybody
	}
	hidden, err := w.hidden.read(func() (*lookupDirectory, error) { return read(ctx) })
	if err != nil {
		return nil, err
	}
	return hidden.known(w.record.Key)
}

// mistrustVersions stops sending If-Match where a version that was read just
// now is refused: some servers hand out weak tags and compare them strongly.
func (w *row) mistrustVersions(ctx context.Context) error {
	refused := w.change.Version
	if err := w.look(ctx, true); err != nil {
		_, fatal := w.failedLookup(err)
		return fatal
	}
	if w.have != nil && w.have.Version == refused {
		w.noIfMatch.Store(true)
	}
	return nil
}

// failedLookup rejects the row, or stops the run where looking is pointless.
func (w *row) failedLookup(err error) (*Result, error) {
	var ambiguous *ambiguousError
	if errors.As(err, &ambiguous) {
		w.result.Outcome, w.result.Class, w.result.Detail = Rejected, ClassConflict, err.Error()
		return w.result, nil
	}
	var failed *scim.Error
	if !errors.As(err, &failed) || pointless(failed) || failed.Status == http.StatusForbidden || failed.Status == http.StatusNotFound {
		return nil, err
	}
	if w.sent != "" {
		return w.unknown(err.Error()), nil
	}
	w.note(failed)
	w.reject(failed)
	return w.result, nil
}

func (w *row) unknown(why string) *Result {
	w.result.Outcome = Unknown
	w.result.Detail = fmt.Sprintf("a %s may have been carried out and cannot be verified: %s", w.sent, why)
	return w.result
}

// giveUp ends a row that no number of rounds has settled.
func (w *row) giveUp() *Result {
	if w.sent == plan.ActCreate && w.have == nil {
		return w.unknown("the directory did not answer and shows no such resource")
	}
	w.result.Outcome, w.result.Class = Rejected, ClassServer
	w.result.Detail = fmt.Sprintf("the directory did not carry the %s out in %d attempts", w.change.Action, maxRounds)
	return w.result
}
