package journal

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A faultyFile is a file whose calls can be replaced.
type faultyFile struct {
	file
	writeAt  func(p []byte, off int64) (int, error)
	sync     func() error
	truncate func(size int64) error
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.writeAt != nil {
		return f.writeAt(p, off)
	}
	return f.file.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	if f.sync != nil {
		return f.sync()
	}
	return f.file.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	if f.truncate != nil {
		return f.truncate(size)
	}
	return f.file.Truncate(size)
}

// newFaulty returns a log and the file under it.
func newFaulty(t *testing.T, dir string) (*Log, *faultyFile) {
	t.Helper()
	log := newLog(t, dir)
	under := &faultyFile{file: log.file}
	log.file = under
	return log, under
}

// Every worker intends a row and then logs its outcome; readers look on.
func TestManyWorkersShareCommits(t *testing.T) {
	const workers, each = 64, 50
	dir := t.TempDir()
	log, under := newFaulty(t, dir)
	syncs := 0 // only one commits at a time, or the race detector tells
	under.sync = func() error {
		syncs++
		return under.file.Sync()
	}
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			for i := range each {
				line := int64(worker*each + i + 1)
				if err := log.Intend(context.Background(), []Intent{{Line: line, Op: "create"}, {Line: line, Step: 1}}); err != nil {
					return err
				}
				if i%10 == 9 {
					continue // stays in doubt
				}
				if err := log.Done([]Outcome{{Line: line, Outcome: Created}}, Stats{}); err != nil {
					return err
				}
			}
			return log.Note("worker", worker)
		})
	}
	group.Go(func() error {
		for range 20 {
			if _, err := Read(dir); err != nil { // of a log that grows
				return err
			}
		}
		return nil
	})
	check(t, group.Wait())
	check(t, log.Close())
	state := readLog(t, dir)
	equal(t, "rows", state.Rows(), int64(workers*each*9/10))
	equal(t, "in doubt", len(state.InDoubt()), workers*each/10*2)
	if syncs > workers*each {
		t.Errorf("%d syncs for %d commits: nothing was shared", syncs, workers*each)
	}
	t.Logf("%d intents took %d syncs", workers*each, syncs)
}

// What is asked for during a sync is one group, however long the sync takes.
func TestOneSyncServesAllThatWait(t *testing.T) {
	const waiting = 20
	dir := t.TempDir()
	log, under := newFaulty(t, dir)
	entered, release := make(chan int, waiting), make(chan struct{})
	syncs := 0
	under.sync = func() error {
		syncs++
		entered <- syncs
		<-release
		return nil
	}
	var group errgroup.Group
	intend := func(line int64) {
		group.Go(func() error { return log.Intend(context.Background(), []Intent{{Line: line}}) })
	}
	intend(1)
	<-entered
	for i := range int64(waiting) {
		intend(2 + i)
	}
	untilPending(log, waiting)
	equal(t, "in the file during the sync", len(readLog(t, dir).InDoubt()), 1)
	close(release)
	check(t, group.Wait())
	equal(t, "syncs", syncs, 2)
	under.sync = nil
}

// untilPending returns when so many single intents wait for a commit.
func untilPending(log *Log, n int) {
	one, _ := appendIntents(nil, []Intent{{Line: 2}}, noon)
	for {
		log.mu.Lock()
		waiting := log.pending != nil && len(log.pending.text) >= n*len(one)
		log.mu.Unlock()
		if waiting {
			return
		}
		runtime.Gosched()
	}
}

func TestDoneDoesNotWaitForASync(t *testing.T) {
	log, under := newFaulty(t, t.TempDir())
	entered, release := make(chan struct{}), make(chan struct{})
	under.sync = sync.OnceValue(func() error { close(entered); <-release; return nil })
	var group errgroup.Group
	group.Go(func() error { return log.Intend(context.Background(), []Intent{{Line: 1}}) })
	<-entered
	check(t, log.Done([]Outcome{{Line: 2, Outcome: Created}}, Stats{}))
	close(release)
	check(t, group.Wait())
}

func TestACancelledWaitIsNotAnIntent(t *testing.T) {
	dir := t.TempDir()
	log, under := newFaulty(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	entered, release := make(chan struct{}, 9), make(chan struct{})
	under.sync = func() error { entered <- struct{}{}; <-release; return nil }
	var group, cancelled errgroup.Group
	group.Go(func() error { return log.Intend(context.Background(), []Intent{{Line: 1}}) })
	<-entered
	cancelled.Go(func() error { return log.Intend(ctx, []Intent{{Line: 2}}) })
	untilPending(log, 1)
	cancel()
	if err := cancelled.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	if err := log.Intend(ctx, []Intent{{Line: 3}}); !errors.Is(err, context.Canceled) {
		t.Errorf("beforehand: %v", err)
	}
	close(release)
	check(t, group.Wait())
	check(t, log.Finish(Summary{Exit: 130}))
	state := readLog(t, dir)
	equal(t, "ended behind the intent that nobody waited for", state.Ended, true)
	equal(t, "in doubt", len(state.InDoubt()), 2)
}

func TestManyIntentsAtOnce(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir, still(noon))
	intents := make([]Intent, 3*rowsPerRecord+1)
	outcomes := make([]Outcome, len(intents))
	for i := range intents {
		intents[i] = Intent{Line: int64(i + 1), Op: "create"}
		outcomes[i] = Outcome{Line: int64(i + 1), Outcome: Created}
	}
	check(t, log.Intend(t.Context(), intents))
	equal(t, "records", readLog(t, dir).Records, int64(1+4))
	check(t, log.Done(outcomes[1:], Stats{POST: 1}))
	state := readLog(t, dir)
	equal(t, "rows", state.Rows(), int64(len(outcomes)-1))
	equal(t, "stats", state.Stats(), Stats{POST: 1})
	equal(t, "in doubt", len(state.InDoubt()), 1)
	check(t, log.Withdraw(intents))
	equal(t, "in doubt", len(readLog(t, dir).InDoubt()), 0)
	check(t, log.Intend(t.Context(), nil))
	check(t, log.Done(nil, Stats{POST: 1}))
	equal(t, "records", readLog(t, dir).Records, state.Records+4)
}

// A row may take 400 bytes of the log. This is the dearest row: each of its
// records alone, every field there, large numbers.
func TestBytesARow(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir)
	info, err := os.Stat(logPath(dir))
	check(t, err)
	before := info.Size()
	check(t, log.Intend(t.Context(), []Intent{{Line: 9_999_999, Key: 1 << 63, Op: "deactivate", Before: 1 << 62, After: 1 << 61}}))
	check(t, log.Done([]Outcome{{Line: 9_999_999, Outcome: Deactivated, Attempts: 3}}, Stats{
		GET: 9_999_999, POST: 9_999_999, PUT: 9_999_999, PATCH: 9_999_999, DELETE: 9_999_999,
		Retried: 9_999_999, Throttled: 9_999_999, Rate: 12345.678, Seconds: 123456.789,
	}))
	info, err = os.Stat(logPath(dir))
	check(t, err)
	bytes := info.Size() - before
	if bytes > 400 {
		t.Errorf("%d bytes", bytes)
	}
	t.Logf("%d bytes", bytes)
}
