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
// of what it was told; the pacer keeps the clock, the lock and the queue.
type pacer struct {
	// turn is held by the one caller that waits for the policy's leave; the
	// others queue behind it in the order of their coming. So nobody sleeps on
	// a slot that the policy has since moved.
	turn chan struct{}
	// wake tells the caller whose turn it is that the policy has learned
	// something.
	wake chan struct{}

	start float64 // the pace to begin with; 0 is unknown

	mu     sync.Mutex
	policy policy
}

// errHeld ends every call while the server wants to be left alone for longer
// than a run can wait.
var errHeld = errors.New("the server asks for a long pause")

func newPacer(ceiling, start float64) *pacer {
	return &pacer{
		turn:   make(chan struct{}, 1),
		wake:   make(chan struct{}, 1),
		start:  start,
		policy: newPolicy(ceiling, start, rand.Float64),
	}
}

// admit waits, first for delay and then for the pace. Whoever is admitted must
// settle its ticket.
func (p *pacer) admit(ctx context.Context, delay time.Duration) (ticket, error) {
	if delay > 0 {
		if err := sleep(ctx, delay, nil); err != nil {
			return ticket{}, err
		}
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ticket{}, ctx.Err()
	}
	defer func() { <-p.turn }()
	for {
		if err := ctx.Err(); err != nil {
			return ticket{}, err
		}
		t, wait := p.ask()
		if wait == 0 {
			return t, nil
		}
		if wait > longestHold && wait != forever {
			return ticket{}, fmt.Errorf("%w: another %s", errHeld, wait.Round(time.Second))
		}
		if err := sleep(ctx, wait, p.wake); err != nil {
			return ticket{}, err
		}
	}
}

func (p *pacer) ask() (ticket, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.admit(time.Now())
}

// settle tells the policy how an admitted request fared.
func (p *pacer) settle(t ticket, s signal) {
	p.mu.Lock()
	p.policy.settle(time.Now(), t, s)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// forget drops what was learned of the permitted rate.
func (p *pacer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy.rate, p.policy.throttled, p.policy.measured = p.start, false, false
}

// Pace is what limits the client at the moment.
type Pace struct {
	Rate      float64       // requests a second, 0 where nothing limits it
	Hold      time.Duration // until requests go out again, 0 where they do
	InFlight  int
	LimitedBy string // "", "cap", "server" or "quota"
}

func (p *pacer) pace() Pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.pace(time.Now())
}

func (p *pacer) outage() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.outage
}
