package scim

import (
	"math"
	"time"
)

// A lane holds what is known of the limit that one class of requests meets, and
// what answers mean to it.
type lane struct {
	name   string
	gate   gate
	flight flight
	learn  learner
	luck   luck
	blame  blame
	pace   bucket
	draws  *allowance // that its answers speak of; nil for none
	cause  cause
	held   held
}

// held is what made the last who asked wait, and when.
type held struct {
	by string
	at time.Time
}

// longForFlight is a wait that no server asks for because of what is under way.
const longForFlight = 5 * time.Second

// A cause is what the server's 429s are taken to depend on.
type cause int

const (
	byRate   cause = iota // how many requests come in a time
	byFlight              // how many are under way at once
	byChance              // nothing that the client does
)

func newLane(name string, start float64) *lane {
	return &lane{name: name, learn: startLearner(start), flight: newFlight()}
}

// shut tells how long the lane lets nobody through, and why.
func (l *lane) shut(now time.Time) (wait time.Duration, by string) {
	if wait := l.gate.wait(now); wait > 0 {
		return wait, LimitServer
	}
	if wait := l.draws.wait(now); wait > 0 {
		return wait, LimitQuota
	}
	wait = l.flight.wait()
	switch {
	case l.cause == byFlight:
		by = LimitInFlight
	case l.flight.calm > 0:
		by = LimitLoad
	default:
		by = LimitServer // the gate is opening
	}
	return wait, by
}

// leave makes the ticket of a request that may go.
func (l *lane) leave(now time.Time, kind string) ticket {
	l.flight.n++
	l.learn.admitted(now)
	t := ticket{lane: l, kind: kind, epoch: l.gate.epoch, sent: now, flight: l.flight.n, cuts: l.flight.cuts, draws: l.draws}
	if a := l.draws; a != nil {
		a.sent++
		a.flight++
		t.drawn = a.sent
	}
	return t
}

func (l *lane) settle(now time.Time, t ticket, s signal, chance func() float64) (wait time.Duration) {
	switch s.kind {
	case good:
		l.welcome(now, t)
	case throttle:
		wait = l.slowDown(now, t, s, chance)
	case load:
		l.flight.overloaded(t)
	case refusal:
		l.gate.close(now, t, max(s.hint, l.gate.geometric(chance)), chance)
		l.reopen()
	case unreachable:
		l.gate.lose(now, t, chance)
		l.reopen()
	}
	if s.kind != unreachable && s.kind != unused {
		l.gate.outage = 0
	}
	return wait
}

// reopen makes the window open from one request on.
func (l *lane) reopen() {
	l.flight.narrow()
	l.learn.interrupted()
}

// welcome takes in an answer that shows the server willing.
func (l *lane) welcome(now time.Time, t ticket) {
	l.learn.good++
	if l.luck.answered(false, l.learn.rate) {
		l.judge(now, t, signal{}, nil)
	}
	if t.epoch != l.gate.epoch {
		return
	}
	l.flight.good(now, t, l.cause)
	if l.gate.strikes > 0 || l.learn.pending {
		l.opened(now, t)
	}
	l.gate.strikes = 0
	if l.cause == byRate {
		l.learn.grow(now)
	}
}

// opened is called with the first good answer after a hold: what the server
// took between two such moments, over the time between them, is what it
// permits, be its limit a bucket or a window.
func (l *lane) opened(now time.Time, t ticket) {
	l.flight.opened = now
	if !l.learn.pending {
		l.learn.begin(t.sent)
		return
	}
	l.learn.measure(t.sent, l.gate.unsure(t.sent))
	if sure, odd := l.luck.suspect(l.learn.lastTaken, l.learn.lastSpan.Seconds(), l.learn.top); odd {
		l.luck = luck{on: true, since: now, step: fastStep}
		l.cause = byChance
		l.learn.rate = max(slowest, luckPace*sure)
	}
}

// slowDown takes in a 429.
func (l *lane) slowDown(now time.Time, t ticket, s signal, chance func() float64) time.Duration {
	if l.cause == byChance {
		if l.luck.answered(true, l.learn.rate) {
			l.judge(now, t, s, chance)
		}
		if l.cause == byChance {
			return l.alone(s, chance)
		}
	}
	if t.epoch != l.gate.epoch {
		l.gate.extend(now, s)
		l.flight.refusedLate(t)
		return 0
	}
	probing := l.gate.strikes > 0
	l.gate.refused, l.gate.hinted = t.sent, s.hints && s.hint > 0 && !probing
	wait := s.hint
	if !s.hints || probing {
		wait = max(wait, l.gate.geometric(chance))
	}
	l.gate.close(now, t, wait, chance)
	if !probing {
		l.cause = l.flight.refused(now, t, l.cause, l.learn.rate == 0 && wait <= longForFlight)
		l.learn.throttled(now, l.cause == byFlight)
	}
	l.flight.narrow()
	return 0
}

// alone is the wait of a request that was refused by chance: the others go on.
func (l *lane) alone(s signal, chance func() float64) time.Duration {
	if s.hints {
		return s.hint
	}
	return time.Duration((0.5 + 0.5*chance()) * float64(holdBase))
}

// judge decides, from the share of 429s, whether they still come by chance.
func (l *lane) judge(now time.Time, t ticket, s signal, chance func() float64) {
	const below, unused = 0.97, 2
	v, taken := l.luck.verdict(now)
	switch v {
	case luckHolds:
		l.learn.rate = max(l.learn.rate, min(l.luck.faster()*l.learn.rate, unused*taken))
	case luckWorse, luckFull:
		l.luck.step = slowStep
		l.learn.rate = max(slowest, min(l.learn.rate, below*taken))
		if v == luckFull && chance != nil {
			l.gate.close(now, t, max(s.hint, l.gate.geometric(chance)), chance)
			l.flight.narrow()
		}
	case luckEnds:
		l.cause, l.luck = byRate, luck{}
		l.learn.restart(now)
	}
}

// blame counts whether it is always the same kind of request that is throttled,
// while others of the lane pass.
type blame struct {
	kind          string
	throttled     int
	mine, passing int
}

// count tells whether the odds of what was seen are below one in a hundred, if
// all kinds had one limit in common.
func (b *blame) count(kind string, throttled bool) bool {
	switch {
	case !throttled && kind == b.kind:
		b.mine++
	case !throttled && b.kind != "":
		b.passing++
	case throttled && kind != b.kind:
		*b = blame{kind: kind, throttled: 1}
	case throttled:
		b.throttled++
	}
	const few, improbable = 5, -4.6
	return throttled && b.throttled >= few && b.passing > 4*few && float64(b.throttled)*math.Log(b.share()) < improbable
}

// share is the part of the lane's requests that are of the kind.
func (b *blame) share() float64 {
	taken := b.mine + b.throttled
	return float64(taken) / float64(taken+b.passing)
}
