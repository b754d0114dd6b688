package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/scim"
)

const (
	// fewestForBulk is the number of rows from which on bulk requests are
	// worth asking for: fewer take less time than anybody would notice.
	fewestForBulk = 100
	// mostInBulk bounds a bulk request whatever the directory grants: when its
	// answer is lost, each of its rows has to be looked up.
	mostInBulk = 100
	// modestPayload, in bytes, is for directories that name no limit.
	modestPayload = 256 << 10
	// mostInHand bounds the rows that are under way, and so those that a crash
	// leaves in doubt.
	mostInHand = 800
	// longBulk is a share of the default time-out that leaves room for a bad
	// moment: a bulk request that takes longer is too large.
	longBulk = 10 * time.Second
)

// askFeatures finds out how writes may travel: in bulk requests, as a PATCH. A
// run of few rows does not ask, since a refused PATCH says as much; a dry run
// does, because it has none.
func (r *run) askFeatures(ctx context.Context) error {
	changes := r.survey.Rows - r.survey.Faulty + r.survey.Absent.Leaving()
	bulk := !r.NoBulk && r.Profile.Bulk && changes >= fewestForBulk
	if !bulk && (!r.DryRun || r.Profile.PatchIsSure || r.Rules.NoPatch) {
		return nil
	}
	if !bulk {
		r.foreseen.spared.Add(1)
	}
	features, err := r.Client.Features(ctx)
	if err != nil {
		return fmt.Errorf("asking the directory which requests it takes: %w", err)
	}
	r.Rules.NoPatch = r.Rules.NoPatch || features.NoPatch
	if bulk && features.Bulk {
		r.useBulk(features, changes)
	}
	return nil
}

// useBulk has writes travel in bulk requests. Only the first write of a row does:
// what has to be said twice is said plainly, so that no row is held up, or put in
// doubt, by another.
func (r *run) useBulk(features scim.Features, changes int64) {
	most := min(mostInBulk, cmp.Or(features.BulkOperations, mostInBulk))
	if most < 2 {
		return
	}
	payload := cmp.Or(features.BulkPayload, modestPayload)
	if r.DryRun {
		r.bulkPlan = &bulkPlan{most: most, payload: payload}
		return
	}
	r.hands = max(r.hands, min(r.Workers*most, mostInHand, int(changes)))
	r.bulk = newBatcher(r, most, payload)
	r.bulk.charged = charge{features.Quota, r.Client.Stats().Total}
}

// bulkWrite is the write of one row on its way through a bulk request.
type bulkWrite struct {
	op     *scim.BulkOperation
	intent *journal.Intent

	// What became of it: an answer, an error, or that it has to be sent by
	// itself. recorded says that its intent is durable.
	resp     *scim.Response
	err      error
	recorded bool
}

// errAlone says that a write was not carried out, and has to be sent by itself.
var errAlone = errors.New("to be sent by itself")

// inBulk sends the write in a bulk request together with those of other rows. It
// says whether it has done so; if not, the write has to be sent by itself, and
// the intent may be recorded.
func (w *row) inBulk(ctx context.Context, body []byte, intent *journal.Intent) (sent *bulkWrite, err error) {
	if w.bulk == nil || w.rounds > 0 || w.bulk.off() {
		return &bulkWrite{err: errAlone}, nil
	}
	op, err := w.Client.BulkOperation(writeMethod(&w.change), w.endpoint(), w.change.ID, body, w.ifMatch())
	if err != nil {
		return nil, err
	}
	write := &bulkWrite{op: op, intent: intent}
	w.bulk.join(ctx, write)
	if write.err == nil {
		w.nameAdopted(ctx, write.resp)
	}
	return write, nil
}

// nameAdopted reads what a create has brought back where the answer, which shows
// no resource in bulk, leaves open whether it was there before.
func (w *row) nameAdopted(ctx context.Context, resp *scim.Response) {
	if writeMethod(&w.change) != http.MethodPost || resp.Status != http.StatusOK || resp.Resource.Raw != nil {
		return
	}
	if got, err := w.Client.Get(ctx, w.endpoint(), resp.Resource.ID, scim.ReadOptions{}); err == nil {
		resp.Resource = got.Resource
	}
}

// carry brings a batch to its end. The first goes ahead by itself: it shows
// whether bulk requests are of any use.
func (b *batcher) carry(batch *batch) {
	if batch.first {
		defer close(b.shown)
	} else {
		<-b.shown
	}
	defer b.release(batch)
	if len(batch.writes) == 1 || b.off() { // an answer of its own is clearer
		fail(batch.writes, errAlone)
		return
	}
	intents := make([]journal.Intent, len(batch.writes))
	for i, w := range batch.writes {
		w.intent.At = b.Client.ServerTime()
		intents[i] = *w.intent
	}
	if err := b.Log.Intend(batch.ctx, intents); err != nil {
		fail(batch.writes, err)
		return
	}
	for _, w := range batch.writes {
		w.recorded = true
	}
	b.send(batch.ctx, batch.writes)
}

func fail(writes []*bulkWrite, err error) {
	for _, w := range writes {
		w.err = err
	}
}

// send sends the writes in one request, or in smaller ones where that is too
// large.
func (b *batcher) send(ctx context.Context, writes []*bulkWrite) {
	if len(writes) == 1 {
		fail(writes, errAlone)
		return
	}
	ops := make([]*scim.BulkOperation, len(writes))
	for i, w := range writes {
		ops[i] = w.op
	}
	results, err := b.Client.Bulk(ctx, ops)
	if err != nil {
		b.failed(ctx, writes, err)
		return
	}
	b.grow()
	b.learn(results)
	for i, w := range writes {
		w.resp, w.err = results[i].Response, results[i].Err
		var refused *scim.Error
		if errors.As(w.err, &refused) && refused.Verdict() == scim.NotProcessed {
			w.err = errAlone // where the client knows how long to wait
		}
	}
}

// failed decides what the failure of a whole request means for its writes.
func (b *batcher) failed(ctx context.Context, writes []*bulkWrite, err error) {
	var failed *scim.Error
	if !errors.As(err, &failed) {
		fail(writes, err)
		return
	}
	switch {
	case failed.Throttled(): // a directory that counts operations may never grant so many
		b.turnOff("the directory throttles bulk requests again and again")
		fail(writes, errAlone)
		return
	case failed.Status == http.StatusRequestEntityTooLarge:
		half := (len(writes) + 1) / 2
		b.limit(half)
		b.send(ctx, writes[:half])
		b.send(ctx, writes[half:])
		return
	case pointless(failed), failed.Status == http.StatusLocked:
	case failed.Verdict() == scim.NotProcessed, isNoBulk(failed):
		b.turnOff(failed.Error())
		fail(writes, errAlone)
		return
	case failed.Verdict() == scim.Definite: // for all of them, which says little about each
		b.turnOff(failed.Error())
		failed = &scim.Error{Err: fmt.Errorf("the bulk request that it was part of got %w", failed), Attempts: failed.Attempts, CorrelationID: failed.CorrelationID}
	default:
		b.shrink(len(writes) / 2)
	}
	for _, w := range writes {
		w.err = w.op.ErrorOf(failed)
	}
}

// isNoBulk says whether an answer means that there is no such endpoint, or not
// for us. It is sent before anything is done.
func isNoBulk(failed *scim.Error) bool {
	switch failed.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return true
	}
	return false
}

// learn takes in what an answer shows of the directory: how long it takes, and
// what it charges.
func (b *batcher) learn(results []scim.BulkResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	b.carried += int64(len(results))
	var resp *scim.Response
	for _, result := range results {
		if result.Response != nil {
			resp = result.Response
		}
	}
	if resp == nil {
		return
	}
	if resp.Took > longBulk {
		b.most = max(1, min(b.most, len(results)/2))
		b.now = min(b.now, b.most)
	}
	if b.charged.learn(resp.Quota, b.Client.Stats().Total, len(results), b.Workers) {
		b.stop("the directory counts every operation of a bulk request")
	}
}

// charge follows the quota from one bulk answer to the next.
type charge struct {
	quota scim.Quota
	total int64 // requests until then
}

// learn says whether a request with so many operations has cost far more of the
// quota than one request would.
func (c *charge) learn(now scim.Quota, total int64, operations, workers int) bool {
	before := *c
	*c = charge{now, total}
	if !now.Known || !before.quota.Known || now.Limit != before.quota.Limit {
		return false
	}
	used, sent := before.quota.Remaining-now.Remaining, int(total-before.total)
	return used > sent+max(operations/2, 2*workers)
}

// bulkPlan counts what a dry run announces.
type bulkPlan struct {
	most, payload int

	mu            sync.Mutex
	writes, bytes int64
}

// mostBulkText is what surrounds a resource in a bulk operation, roughly.
const mostBulkText = 120

func (p *bulkPlan) add(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	p.bytes += int64(len(body)) + mostBulkText
}

// announceBulk counts a write of a dry run, and the reads that come with it.
func (w *row) announceBulk() {
	w.foresee()
	if w.bulkPlan == nil {
		return
	}
	if body, err := w.body(); err == nil {
		w.bulkPlan.add(body)
	}
}

// requests is how many there would be.
func (p *bulkPlan) requests() int64 {
	ceil := func(n, by int64) int64 { return (n + by - 1) / by }
	return max(ceil(p.writes, int64(p.most)), ceil(p.bytes, int64(p.payload)))
}

// sayBulk says how the writes travelled, or would.
func (r *run) sayBulk() {
	switch {
	case r.bulkPlan != nil && r.bulkPlan.writes > 1:
		r.totals.BulkRequests = r.bulkPlan.requests()
		r.totals.Bulk = fmt.Sprintf("the writes would travel in about %s of up to %d operations", bulkRequests(r.totals.BulkRequests), r.bulkPlan.most)
	case r.bulk != nil && r.bulk.requests == 0 && r.bulk.why != "":
		r.totals.Bulk = "no writes travelled in /Bulk requests: " + r.bulk.why
	case r.bulk != nil && r.bulk.requests > 0:
		r.totals.BulkRequests = r.bulk.requests
		r.totals.Bulk = fmt.Sprintf("%d writes travelled in %s", r.bulk.carried, bulkRequests(r.bulk.requests))
		if r.State != nil {
			r.totals.Bulk += " since the run was resumed"
		}
		if r.bulk.why != "" {
			r.totals.Bulk += ", the others by themselves: " + r.bulk.why
		}
	}
}

func bulkRequests(n int64) string {
	if n == 1 {
		return "one /Bulk request"
	}
	return fmt.Sprintf("%d /Bulk requests", n)
}
