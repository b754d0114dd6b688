package pipeline

import (
	"context"
	"sync"

	"scimbulk/internal/scim"
)

// batcher gathers the writes of rows that are in hand at the same time. A batch
// leaves when it is full, or when nobody is left who could join it; no timer
// runs. To know that, it counts who is doing what. A nil batcher counts nothing:
// every write is then a request of its own. It is safe for concurrent use.
type batcher struct {
	*run
	payload int // most bytes in a request

	mu        sync.Mutex
	most      int    // operations in a request, as long as all goes well
	now       int    // operations in a request, at the moment
	why       string // no more requests are sent in bulk; "" while they are
	gathering *batch
	deciding  int  // goroutines that may join yet
	idle      int  // goroutines that wait for a row
	queued    int  // rows that any of them may take
	input     bool // more rows may come

	launched          bool          // the first batch has left
	shown             chan struct{} // closed when it has its answer
	requests, carried int64
	charged           charge
}

// batch is what travels in one request.
type batch struct {
	ctx     context.Context // of the rows, one and the same
	first   bool            // of the run
	writes  []*bulkWrite
	bytes   int
	targets map[string]bool
	done    chan struct{} // closed when every write knows what became of it
}

func newBatcher(r *run, most, payload int) *batcher {
	return &batcher{run: r, most: most, now: most, payload: payload, shown: make(chan struct{})}
}

// open says that so many goroutines wait for rows, which come from now on. None
// of them may be left from before.
func (b *batcher) open(hands int) {
	b.change(func() { b.idle, b.input = b.idle+hands, true })
}

// pause says that no row can come until resume is called.
func (b *batcher) pause()  { b.change(func() { b.input = false }) }
func (b *batcher) resume() { b.change(func() { b.input = true }) }

// queue notes a row that is in a queue from now on (1), or not after all (-1).
// Rows of shared keys do not count: who may take one need not be idle.
func (b *batcher) queue(t *task, rows int) {
	if b != nil && !t.shared {
		b.change(func() { b.queued += rows })
	}
}

// take says that an idle goroutine has taken a row out of a queue, rest that it
// is done with it, and end that it takes none any more but goes on.
func (b *batcher) take(t *task) {
	b.change(func() {
		if !t.shared {
			b.queued--
		}
		b.idle--
		b.deciding++
	})
}
func (b *batcher) rest() { b.change(func() { b.idle++; b.deciding-- }) }
func (b *batcher) end()  { b.change(func() { b.idle--; b.deciding++ }) }

// enter and leave count a goroutine that may write for as long as it runs, and
// has a row already.
func (b *batcher) enter() { b.change(func() { b.deciding++ }) }
func (b *batcher) leave() { b.change(func() { b.deciding-- }) }

// away says that a goroutine has other things to do than to join a batch, until
// what is returned is called.
func (b *batcher) away() (back func()) {
	b.leave()
	return b.enter
}

// change changes the counts, and lets the batch go that nobody can join any more.
func (b *batcher) change(counts func()) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	counts()
	b.depart()
}

// depart lets the batch go if nobody can join it. The caller holds mu.
func (b *batcher) depart() {
	coming := b.idle > 0 && (b.input || b.queued > 0)
	if b.gathering != nil && b.deciding <= 0 && !coming {
		b.launch()
	}
}

// launch sends the batch off. The caller holds mu.
func (b *batcher) launch() {
	leaving := b.gathering
	leaving.first = !b.launched
	b.gathering, b.launched = nil, true
	go b.carry(leaving)
}

// join adds a write to a batch and waits until it knows what became of it. The
// wait ends: a batch leaves at the latest when everybody waits, and a request
// ends with its context.
func (b *batcher) join(ctx context.Context, write *bulkWrite) {
	size := write.op.Size()
	if size+scim.BulkOverhead > b.payload {
		write.err = errAlone
		return
	}
	b.mu.Lock()
	if g := b.gathering; g != nil && (g.bytes+size > b.payload || g.targets[write.op.Target()]) {
		b.launch()
	}
	if b.gathering == nil {
		b.gathering = &batch{ctx: ctx, bytes: scim.BulkOverhead, targets: map[string]bool{}, done: make(chan struct{})}
	}
	g := b.gathering
	g.add(write, size)
	b.deciding--
	if len(g.writes) >= b.now {
		b.launch()
	} else {
		b.depart()
	}
	b.mu.Unlock()
	<-g.done
}

func (g *batch) add(write *bulkWrite, size int) {
	g.writes = append(g.writes, write)
	g.bytes += size
	if target := write.op.Target(); target != "" {
		g.targets[target] = true
	}
}

// release lets the rows of a batch go on. They count as deciding before any of
// them runs, so that the first does not think that it is alone.
func (b *batcher) release(g *batch) {
	b.mu.Lock()
	b.deciding += len(g.writes)
	b.mu.Unlock()
	close(g.done)
}

// off says whether bulk requests have proved to be of no use.
func (b *batcher) off() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why != ""
}

func (b *batcher) turnOff(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop(why)
}

// stop ends bulk requests. What they have shown of the permitted rate does not
// hold for others. The caller holds mu.
func (b *batcher) stop(why string) {
	if b.why == "" {
		b.why = why
		b.Client.ForgetPace()
	}
}

// limit makes requests smaller for good, shrink until some have gone well.
func (b *batcher) limit(most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = max(1, min(b.most, most))
	b.now = min(b.now, b.most)
}

func (b *batcher) shrink(now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = max(1, min(b.now, now))
}

// grow undoes what shrink has done, by and by.
func (b *batcher) grow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = min(b.most, 2*b.now)
}
