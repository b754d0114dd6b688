package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"scimbulk/internal/plan"
)

// unsettled says whether a create that is in doubt may yet be carried out late,
// so that sending it again could make a twin. Where the directory keeps the
// match attribute unique a second create does no harm, unless a later row of the
// same key may have removed the first one by then; elsewhere the resource must
// have stayed away for the settle window.
func (w *row) unsettled() bool {
	if w.change.Action != plan.ActCreate || w.sent != plan.ActCreate {
		return false
	}
	harmless := w.keyIsUnique() && (!w.shared || w.final)
	return !harmless && time.Now().Before(w.settled)
}

// errParked says that a row waits for its settle window.
var errParked = errors.New("parked")

// await waits for the settle window of a row. Others need not wait with it: the
// row is parked and its worker goes on, unless another row of the same key must
// come after it.
func (w *row) await(ctx context.Context) error {
	if !w.shared && w.parked.put(w) {
		return errParked
	}
	return w.sleep(ctx, time.Until(w.settled))
}

// sleep waits, unless the run is stopped.
func (r *run) sleep(ctx context.Context, d time.Duration) error {
	defer r.bulk.away()()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.take.Done():
		return ErrInterrupted
	case <-ctx.Done():
		return ErrInterrupted
	}
}

// mostParked bounds the rows that wait, so that a directory which loses every
// answer does not fill the memory.
const mostParked = 10_000

// parking holds the rows that wait for their settle windows.
type parking struct {
	mu   sync.Mutex
	rows []*row
}

func (p *parking) put(w *row) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rows) >= mostParked {
		return false
	}
	p.rows = append(p.rows, w)
	w.Meter.Settling.Add(1)
	return true
}

// next takes the row that has waited longest, nil when none is left.
func (p *parking) next() *row {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rows) == 0 {
		return nil
	}
	w := p.rows[0]
	p.rows = p.rows[1:]
	w.Meter.Settling.Add(-1)
	return w
}

// workOffParked settles the rows that wait, once no others are left.
func (r *run) workOffParked(ctx context.Context) {
	for w := r.parked.next(); w != nil && r.take.Err() == nil; w = r.parked.next() {
		if err := r.sleep(ctx, time.Until(w.settled)); err != nil {
			return // it stays in doubt, for resume
		}
		r.finish(ctx, w)
	}
}

// awaitCrew waits for the workers, and settles the rows that were parked when
// none of them was left to do it: one that waited for another row may be sent
// last of all.
func (r *run) awaitCrew(ctx context.Context) {
	r.crew.Wait()
	for !r.parked.none() && r.take.Err() == nil {
		r.bulk.enter()
		r.workOffParked(ctx)
		r.bulk.leave()
		r.crew.Wait()
	}
}
