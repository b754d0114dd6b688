package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Why a run ended before its last row.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrMaxErrors   = errors.New("more rows were rejected than --max-errors allows")
	ErrMaxDeletes  = errors.New("more people would be removed or turned inactive than --max-deletes allows")
	ErrMaxDuration = errors.New("--max-duration is over")
)

// What to do with several rows for one key.
const (
	DuplicateReject    = "reject"
	DuplicateRejectAll = "reject-all"
	DuplicateApply     = "apply"
)

// How what is in the directory is found out.
const (
	LookupAuto      = "auto"
	LookupEach      = "each"
	LookupDirectory = "directory"
	LookupNone      = "none"
)

// Import carries the rows of an input out on a directory, or decides what it
// would do (DryRun). Fill it in, call Survey, then Run; each once.
type Import struct {
	Open     func() (*rows.Reader, error) // opens the input anew
	Mapping  *mapping.Mapping
	Client   *scim.Client
	Profile  scim.Profile
	Rules    plan.Rules
	Resource string     // User or Group
	Changes  *ChangeSet // the input is a plan file; nil for rows
	DryRun   bool

	Absent  string      // what happens to people whom the input does not hold: report, deactivate, or nothing
	Filter  scim.Filter // whom Absent looks among; nil is everybody
	Reading *Reading    // of the directory, where there has been one; nil for none
	Chosen  bool        // the rows are people whom Choose has chosen

	Workers     int
	OnDuplicate string
	Lookup      string
	MaxErrors   Limit
	MaxDeletes  Limit
	Verify      string        // how much of what is written is read back; "" is VerifyNone
	Settle      time.Duration // how long a look-up may lag behind a write
	NoBulk      bool          // every write is a request of its own

	Log      *journal.Log   // nil for a dry run
	State    *journal.State // of earlier sessions, nil for a new run
	Name     string         // of the run, which salts the hashes in the log
	Recorder Recorder
	Undo     Undo   // nil keeps nothing
	Plan     Keeper // of a dry run: takes the changes of groups that rows of people bring about; nil keeps nothing
	Meter    *Meter
}

// run is one session of an import under way.
type run struct {
	*Import
	survey *Survey

	take context.Context         // ends when no more rows are to be taken
	stop context.CancelCauseFunc // of take

	hands   int            // goroutines that carry rows out
	crew    sync.WaitGroup // of them
	spare   chan struct{}  // one for each that works beside them
	open    chan *task     // rows whose key no other row has
	half    chan struct{}  // half of open is taken
	keyed   []chan *task   // the others, by worker: same key, same worker
	results chan *Result
	seed    maphash.Seed

	directory lookup
	other     *scim.Target // the identity of a row beside its key; nil where it has none
	unlooked  bool         // a dry run looks at what the import will not
	clashes   atomic.Int64 // that the import will not see
	intents   intents
	bulk      *batcher  // nil where every write is a request of its own
	bulkPlan  *bulkPlan // what a dry run says of it
	foreseen  foreseen  // by a dry run
	blind     bool      // directory asks only where it must
	imagined  imagined
	hidden    lateDirectory // the inactive people
	late      lateDirectory // everybody, read for creates in doubt
	canary    canary
	parked    parking
	seconds   seconds
	joins     *joinRun // nil where rows name no groups
	writes    writes
	managers  managers
	verified  verification
	endsMu    sync.Mutex
	ends      []func()     // what there is to tidy up
	turnedOff atomic.Int64 // people that updates turned inactive, deletes and deactivations
	noIfMatch atomic.Bool  // the directory refuses fresh versions
	noPatch   atomic.Bool  // the directory has refused a PATCH as such, and taken none
	patched   atomic.Bool  // it has carried one out
	sawUnique atomic.Bool  // the directory has refused a key that was taken
	rejected  atomic.Int64 // rows, counted when they are and not when that is recorded
	failures  atomic.Int64 // rows in a row that the directory could not serve
	totals    Totals
}

// keyedQueue is how many rows of shared keys may wait for one worker, so that a
// key with many rows does not hold up the others.
const keyedQueue = 64

// Run carries the rows out. It takes no more of them once take ends, and breaks
// off requests when ctx does. Rows that were not reached are pending, and Cause
// in the totals says why; an error means that results could not be recorded.
func (im *Import) Run(take, ctx context.Context, s *Survey) (*Totals, error) {
	r := im.newRun(take, s)
	defer r.end()
	if s.references.many() {
		defer debug.SetGCPercent(debug.SetGCPercent(refsGCPercent))
	}
	err := r.prepare(ctx)
	if err != nil {
		r.totals.Cause = err
	} else if err := r.pump(ctx, r.stages); err != nil {
		return &r.totals, err
	}
	if err := r.endJoins(ctx); err != nil {
		return &r.totals, err
	}
	if n := r.turnedOff.Load(); r.DryRun && r.MaxDeletes.Exceeded(n, s.Rows) {
		r.totals.Warnings = append(r.totals.Warnings, fmt.Sprintf(
			"%d people would be deleted or turned inactive: the import would stop before the excess over --max-deletes %s", n, r.MaxDeletes))
	}
	r.totals.Warnings = append(r.totals.Warnings, r.managers.warnings(ctx, r)...)
	r.totals.Warnings = append(r.totals.Warnings, r.verified.warnings()...)
	r.totals.Warnings = append(r.totals.Warnings, r.warnOfClashes()...)
	return r.balance()
}

// prepare finds out how the rows are best looked up and written.
func (r *run) prepare(ctx context.Context) (err error) {
	if err := r.askFeatures(ctx); err != nil {
		return err
	}
	r.open, r.half = make(chan *task, r.hands), make(chan struct{}, 1)
	r.seed, r.spare = maphash.MakeSeed(), make(chan struct{}, r.hands)
	for range r.hands {
		r.keyed = append(r.keyed, make(chan *task, keyedQueue))
	}
	if err := r.guardSelf(ctx); err != nil {
		return err
	}
	if r.directory, err = r.newLookup(ctx); err != nil {
		return err
	}
	_, r.blind = r.directory.(*lookupNew)
	r.joins, err = r.newJoinRun(ctx)
	return err
}

const (
	// handsAWorker is how many rows are in hand for each request that may be
	// under way: those whose requests are, those whose turn comes next, and those
	// whose intents become durable meanwhile.
	handsAWorker = 4
	// enoughAWorker is how many durable intents keep a worker busy while others
	// become durable.
	enoughAWorker = 2
)

// newRun begins a session: it takes over what earlier ones did.
func (im *Import) newRun(take context.Context, s *Survey) *run {
	r := &run{Import: im, survey: s, hands: handsAWorker * im.Workers, results: make(chan *Result, 4*im.Workers)}
	r.take, r.stop = context.WithCancelCause(take)
	r.late.turn, r.hidden.turn, r.canary.turn = newTurn(), newTurn(), newTurn()
	r.intents = intents{log: r.Log, now: im.Client.ServerTime, enough: enoughAWorker * im.Workers}
	r.totals = Totals{Rows: s.Rows, Counts: Counts{}, StartedAt: time.Now()}
	im.Meter.Phase.Store(PhaseRun)
	if r.State != nil {
		for outcome, n := range r.State.Counts() {
			r.totals.Counts[Outcome(outcome)] = n
		}
		r.Meter.Resumed.Store(r.totals.Counts.Sum())
		r.Meter.Done.Store(r.totals.Counts.Sum())
		r.Meter.Rejected.Store(r.totals.Counts[Rejected])
		r.rejected.Store(r.totals.Counts[Rejected])
		classes := r.State.Classes()
		r.turnedOff.Store(r.totals.Counts[Deleted] + r.totals.Counts[Deactivated] + classes[classTurnedOff] + classes[classLameTurnedOff])
		r.totals.Lame = classes[classLame] + classes[classLameTurnedOff]
	}
	r.other = r.otherIdentity()
	r.startAbsent()
	return r
}

// end lets go of what a session held.
func (r *run) end() {
	r.tidyUp()
	r.stop(nil)
}

// balance closes the totals, and checks them.
func (r *run) balance() (*Totals, error) {
	r.totals.Pending = r.totals.Rows - r.totals.Counts.Sum()
	r.balanceAbsent()
	r.totals.Requests = r.allStats()
	r.totals.Writes = r.writes.byMethod
	r.sayBulk()
	if r.DryRun {
		r.foreseeTotals()
	}
	if n := r.totals.Lame; n > 0 {
		r.totals.Warnings = append(r.totals.Warnings, fmt.Sprintf("rows that were written and lack something that they ask for: %d; their details say what", n))
	}
	if r.totals.Unreached() > 0 && r.totals.Cause == nil {
		r.totals.Cause = r.cause()
	}
	return &r.totals, r.conserve()
}

// atEnd has something done when the run is over.
func (r *run) atEnd(do func()) {
	r.endsMu.Lock()
	defer r.endsMu.Unlock()
	r.ends = append(r.ends, do)
}

func (r *run) tidyUp() {
	r.imagined.discard()
	r.seconds.texts.discard()
	r.survey.references.discard()
	for _, do := range r.ends {
		do()
	}
}

// conserve checks the first promise: rows read are the sum of the outcomes.
func (r *run) conserve() error {
	if r.totals.Pending < 0 {
		return fmt.Errorf("%d rows read but %d outcomes: this is a defect of scimbulk", r.totals.Rows, r.totals.Counts.Sum())
	}
	if n := r.totals.Unreached(); n > 0 && r.totals.Cause == nil {
		return fmt.Errorf("%d rows have no outcome and nothing says why: this is a defect of scimbulk", n)
	}
	return nil
}

func (r *run) cause() error {
	cause := context.Cause(r.take)
	if errors.Is(cause, context.Canceled) {
		return ErrInterrupted
	}
	return cause
}

// pump runs the stages of a session. That somebody broke it off is no error.
func (r *run) pump(ctx context.Context, stages func(context.Context) error) error {
	err := stages(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		r.stop(ErrInterrupted)
		return nil
	}
	return err
}

// stages are one reader, the workers and one collector. An error of the
// collector or of the reader ends all of them.
func (r *run) stages(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	r.bulk.open(r.hands)
	g.Go(func() error { return r.read(ctx) })
	g.Go(func() error {
		defer close(r.results)
		for _, keyed := range r.keyed {
			r.crew.Go(func() { r.work(ctx, keyed) })
		}
		r.awaitCrew(ctx)
		if err := r.secondPass(ctx); err != nil {
			return err
		}
		if err := r.sendJoins(ctx); err != nil {
			return err
		}
		return r.absentPass(ctx)
	})
	g.Go(r.collect)
	return g.Wait()
}
