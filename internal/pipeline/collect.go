package pipeline

import (
	"errors"
	"runtime"
	"slices"
	"time"

	"scimbulk/internal/journal"
)

// errorSample is how many rows must have an outcome before a share of errors is
// judged: one faulty row among the first three is not a third of the file.
const errorSample = 100

// collect takes the results: it alone writes files, log and totals. What comes
// while it writes makes the next batch, so that a slow disk costs no more
// writes than it can do.
func (r *run) collect() error {
	if !r.DryRun {
		return r.gather(func(batch []*Result) []*Result { return batch })
	}
	held := &inOrder{next: 1, waiting: map[int64]*Result{}}
	if err := r.gather(held.release); err != nil {
		return err
	}
	return r.writeDown(held.rest())
}

// gather takes results until there are no more, and writes them down in the
// order that arrange gives them.
func (r *run) gather(arrange func([]*Result) []*Result) error {
	for result := range r.results {
		batch := []*Result{result}
		runtime.Gosched() // whoever has a result ready hands it on: files are written a batch at a time
		for more := true; more && len(batch) < cap(r.results); {
			select {
			case next, ok := <-r.results:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		if err := r.writeDown(arrange(batch)); err != nil {
			r.stop(err)
			r.drainResults()
			return err
		}
	}
	return nil
}

// drainResults lets the workers end when nothing can be recorded any more.
func (r *run) drainResults() {
	for range r.results {
	}
}

// recorded waits until the outcomes that were handed to the collector before
// are in the log: what must come after them is not sent earlier. It does not
// wait when the run is stopped.
func (r *run) recorded() {
	mark := make(chan struct{})
	r.results <- &Result{mark: mark}
	select {
	case <-mark:
	case <-r.take.Done():
	}
}

// writeDown records a batch, and tells those who wait for it.
func (r *run) writeDown(batch []*Result) error {
	outcomes := slices.DeleteFunc(slices.Clone(batch), func(result *Result) bool { return result.mark != nil || result.waits })
	if err := errors.Join(r.writeBatch(outcomes), r.logSteps(batch)); err != nil {
		return err
	}
	for _, result := range batch {
		if result.mark != nil {
			close(result.mark)
		}
	}
	return nil
}

// writeBatch writes the files before the log: an outcome that is logged is in the
// files.
func (r *run) writeBatch(batch []*Result) error {
	if len(batch) == 0 {
		return nil
	}
	outcomes := make([]journal.Outcome, 0, len(batch))
	for _, result := range batch {
		if err := r.keep(result); err != nil {
			return err
		}
		if !result.postponed {
			outcomes = append(outcomes, journal.Outcome{
				Line: result.Row.Line, Outcome: string(result.Outcome), Class: result.logClass(), Attempts: result.Attempts,
			})
		}
	}
	if err := r.flush(); err != nil {
		return err
	}
	if r.Log != nil {
		if err := r.Log.Done(outcomes, r.stats()); err != nil {
			return err
		}
	}
	r.count(slices.DeleteFunc(batch, func(result *Result) bool { return result.postponed }))
	return nil
}

// flush brings what was recorded to the operating system.
func (r *run) flush() error {
	if r.Undo == nil {
		return r.Recorder.Flush()
	}
	return errors.Join(r.Undo.Flush(), r.Recorder.Flush())
}

// keep hands an outcome to the recorder, or a first step if it wants to see
// those too.
func (r *run) keep(result *Result) error {
	if !result.postponed {
		return r.Recorder.Record(result)
	}
	if early, wanted := r.Recorder.(EarlyRecorder); wanted {
		return early.Early(result)
	}
	return nil
}

func (r *run) count(batch []*Result) {
	for _, result := range batch {
		if result.Leaver {
			r.totals.Absent.Counts[result.Outcome]++
			continue
		}
		r.totals.Counts[result.Outcome]++
		if result.Lame {
			r.totals.Lame++
		}
		if result.Outcome == Rejected {
			r.Meter.Rejected.Add(1)
		}
	}
	r.Meter.Done.Add(int64(len(batch)))
	rejected, done := r.totals.Counts[Rejected], r.totals.Counts.Sum()
	if r.MaxErrors.Percent > 0 && done < errorSample {
		return
	}
	if !r.DryRun && r.MaxErrors.Exceeded(rejected, done) {
		r.stop(ErrMaxErrors)
	}
}

func (r *run) stats() journal.Stats {
	s := r.Client.Stats()
	return journal.Stats{
		GET: s.GET, POST: s.POST, PUT: s.PUT, PATCH: s.PATCH, DELETE: s.DELETE,
		Retried: s.Retried, Throttled: s.Throttled, Seconds: time.Since(r.totals.StartedAt).Seconds(),
	}
}

// allStats are the stats of all sessions together.
func (r *run) allStats() journal.Stats {
	s := r.stats()
	if r.State == nil {
		return s
	}
	before := r.State.Stats()
	return journal.Stats{
		GET: before.GET + s.GET, POST: before.POST + s.POST, PUT: before.PUT + s.PUT, PATCH: before.PATCH + s.PATCH,
		DELETE: before.DELETE + s.DELETE, Retried: before.Retried + s.Retried, Throttled: before.Throttled + s.Throttled,
		Seconds: before.Seconds + s.Seconds,
	}
}

// inOrder gives results back in the order of their rows, as a plan is read. It
// holds what was decided while a slower row was still in hand.
type inOrder struct {
	next    int64
	waiting map[int64]*Result
	seconds []*Result // second steps of rows whose first step is waiting still
}

func (o *inOrder) release(batch []*Result) []*Result {
	var ready []*Result
	ready, batch = late(batch, o.next)
	for _, result := range batch {
		if _, first := o.waiting[result.Row.Number]; first {
			o.seconds = append(o.seconds, result)
			continue
		}
		o.waiting[result.Row.Number] = result
	}
	for result, ok := o.waiting[o.next]; ok; result, ok = o.waiting[o.next] {
		delete(o.waiting, o.next)
		ready = append(ready, result)
		o.next++
	}
	seconds, waiting := late(o.seconds, o.next)
	o.seconds = waiting
	return append(ready, seconds...)
}

// late picks the results of rows whose turn is over: those with a second step.
func late(batch []*Result, next int64) (ready, others []*Result) {
	for _, result := range batch {
		if result.Row.Number < next {
			ready = append(ready, result)
		} else {
			others = append(others, result)
		}
	}
	return ready, others
}

// rest gives back what waits for rows that were never decided.
func (o *inOrder) rest() []*Result {
	var ready []*Result
	for len(o.waiting) > 0 {
		if result, ok := o.waiting[o.next]; ok {
			delete(o.waiting, o.next)
			ready = append(ready, result)
		}
		o.next++
	}
	return append(ready, o.seconds...)
}

// logClass is the class of an outcome as the log keeps it.
func (r *Result) logClass() string {
	switch {
	case r.turnedOff && r.Lame:
		return classLameTurnedOff
	case r.turnedOff:
		return classTurnedOff
	case r.Lame && r.Class == "":
		return classLame
	}
	return r.Class
}
