package scim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// pacer makes all workers keep one pace. The policy decides, as a pure function
// of what it was told; the pacer keeps the clock, the lock and the queues.
type pacer struct {
	mu     sync.Mutex
	policy *policy
	queues map[*lane]*queue
}

// A queue lets the workers of a lane wait in the order of their coming, so that
// a request which is sent again gets no turn before those that wait already.
type queue struct {
	// turn is held by the one caller that waits for the policy's leave. So
	// nobody sleeps on a slot that the policy has since moved.
	turn chan struct{}
	// wake tells the caller whose turn it is that the policy has learned
	// something.
	wake chan struct{}
}

// errHeld ends every call while the server wants to be left alone for longer
// than a run can wait.
var errHeld = errors.New("the server asks for a long pause")

func newPacer(ceiling, start float64) *pacer {
	return &pacer{policy: newPolicy(ceiling, start, rand.Float64), queues: map[*lane]*queue{}}
}

// admit waits, first for delay and then for the pace that requests of its kind
// keep. Whoever is admitted must settle its ticket.
func (p *pacer) admit(ctx context.Context, kind string, read bool, delay time.Duration) (ticket, error) {
	if delay > 0 {
		if err := sleep(ctx, delay, nil); err != nil {
			return ticket{}, err
		}
	}
	l, q := p.queue(kind, read)
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return ticket{}, ctx.Err()
	}
	defer func() { <-q.turn }()
	for {
		if err := ctx.Err(); err != nil {
			return ticket{}, err
		}
		t, wait := p.ask(l, kind)
		if wait == 0 {
			return t, nil
		}
		if wait > longestHold && wait != forever {
			return ticket{}, fmt.Errorf("%w: another %s", errHeld, wait.Round(time.Second))
		}
		if err := sleep(ctx, wait, q.wake); err != nil {
			return ticket{}, err
		}
	}
}

func (p *pacer) queue(kind string, read bool) (*lane, *queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.policy.lane(kind, read)
	q := p.queues[l]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
		p.queues[l] = q
	}
	return l, q
}

func (p *pacer) ask(l *lane, kind string) (ticket, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.admit(time.Now(), l, kind)
}

// settle tells the policy how an admitted request fared, and returns how long
// this one should wait before it is sent again.
func (p *pacer) settle(t ticket, s signal) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.policy.settle(time.Now(), t, s)
	for _, q := range p.queues { // lanes may share what has been learned
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return wait
}

// forget drops what was learned of the limits, not what is known of the server's
// willingness: a gate that is shut stays shut.
func (p *pacer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.policy.lanes {
		l.cause, l.learn, l.luck, l.blame = byRate, startLearner(p.policy.start), luck{}, blame{}
		l.flight.calm, l.flight.level, l.flight.peak = 0, 0, 0
	}
}

// What may limit a client, as Pace tells it.
const (
	LimitServer   = "server"    // what it has shown to permit
	LimitQuota    = "quota"     // what its headers say is left
	LimitInFlight = "in flight" // how many requests it takes at once
	LimitLoad     = "load"      // it is in trouble
	LimitCap      = "cap"       // the caller's own
	LimitLatency  = "latency"   // all workers wait for answers
)

// Pace is what limits the client at the moment.
type Pace struct {
	Rate      float64       // requests a second, 0 where none is kept
	Hold      time.Duration // until requests go out again, 0 where they do
	InFlight  int
	LimitedBy string // one of the Limit constants, "" where it is the caller
}

func (p *pacer) pace() Pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.pace(time.Now())
}

func (p *pacer) outage() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.outage()
}
