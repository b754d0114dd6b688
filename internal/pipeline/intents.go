package pipeline

import (
	"context"
	"sync"
	"time"

	"scimbulk/internal/journal"
)

// intents makes the intents of rows durable whose requests leave one by one.
// Those that come wait for each other as long as enough others may be sent, so
// that many share a sync and the directory waits for none. No timer runs: each
// answer is a chance to begin the next commit. It is safe for concurrent use.
type intents struct {
	log    *journal.Log
	now    func() time.Time
	enough int // intents without an answer that keep the directory busy

	mu        sync.Mutex
	gathering *commit
	busy      bool // a commit is under way
	open      int  // intents that are durable, or will be soon, and have no answer
}

// commit is what becomes durable at once.
type commit struct {
	intents []*journal.Intent
	done    chan struct{} // closed when err is settled
	err     error
}

// record returns once the intent is durable, of the time at which that began.
// Without an error, answered must follow.
func (q *intents) record(ctx context.Context, intent *journal.Intent) error {
	q.mu.Lock()
	if q.gathering == nil {
		q.gathering = &commit{done: make(chan struct{})}
	}
	c := q.gathering
	c.intents = append(c.intents, intent)
	q.depart(ctx)
	q.mu.Unlock()
	<-c.done
	return c.err
}

// answered says that the request of an intent has come to its end.
func (q *intents) answered(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	q.depart(ctx)
}

// depart begins a commit if it is time: whoever is open has an answer sooner or
// later, so that nobody waits for ever. The caller holds mu.
func (q *intents) depart(ctx context.Context) {
	if q.gathering == nil || q.busy || q.open > q.enough {
		return
	}
	leaving := q.gathering
	q.gathering, q.busy = nil, true
	q.open += len(leaving.intents)
	go q.commit(ctx, leaving)
}

func (q *intents) commit(ctx context.Context, c *commit) {
	c.err = q.write(ctx, c.intents)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy = false; c.err != nil {
		q.open -= len(c.intents)
	}
	q.depart(ctx)
	close(c.done)
}

// write records intents as of now, since they may have waited.
func (q *intents) write(ctx context.Context, waiting []*journal.Intent) error {
	list, now := make([]journal.Intent, len(waiting)), q.now()
	for i, intent := range waiting {
		intent.At = now
		list[i] = *intent
	}
	return q.log.Intend(ctx, list)
}
