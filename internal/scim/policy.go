package scim

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// policy decides when the next request may leave. It reads no clock and starts
// nothing: what it does follows from what it was told.
//
// Three limits apply at once: the caller's ceiling, the rate that the server
// has shown to permit, and what its quota headers leave. Apart from them the
// gate closes for everybody when the server says so, and opens for one request
// first.
type policy struct {
	ceiling float64 // the caller's cap; 0 is none
	rate    float64 // what the server is believed to permit; 0 is unknown
	chance  func() float64

	quotaRate  float64 // what the quota leaves, until quotaUntil
	quotaUntil time.Time
	exhausted  bool // the gate is closed because the quota was used up
	distrust   bool // the quota headers have proved wrong

	bucket *rate.Limiter // nil where nothing limits the rate

	inFlight int
	window   int // requests at once while the gate opens; 0 is any number

	// An epoch ends when the gate closes. Answers to requests of an earlier
	// epoch say nothing about the present one.
	epoch      int
	epochStart time.Time
	epochGood  int
	heldUntil  time.Time
	strikes    int // closings in a row without a good answer between them
	outage     int // connections in a row that could not be made

	throttled    bool // a 429 was seen
	measured     bool // and the pace that it left was measured, not guessed
	lastThrottle time.Time
	lastGrowth   time.Time
	limited      bool // the bucket has made somebody wait since the last growth
}

// ticket is the permission to send one request.
type ticket struct{ epoch int }

// signal is what an answer says about the pace.
type signal struct {
	kind  signalKind
	hint  time.Duration
	hints bool // the server named a time
	quota Quota
}

type signalKind int

const (
	unused      signalKind = iota // nothing was sent
	neutral                       // says nothing: a timeout, a fault of the server
	good                          // the server is willing
	throttle                      // too many requests
	refusal                       // come back later, for another reason than the rate
	unreachable                   // no connection
)

const (
	// forever is a wait that only news ends.
	forever time.Duration = math.MaxInt64
	// bankedCredit is how much unused pace may be spent at once.
	bankedCredit = 50 * time.Millisecond
	// jitterAfterHold keeps several clients of one server from returning in
	// the same instant.
	jitterAfterHold = 250 * time.Millisecond
	// quotaMargin is added to a quota's reset, which servers round down to
	// whole seconds.
	quotaMargin = 500 * time.Millisecond

	holdBase  = time.Second
	holdCap   = 60 * time.Second
	outageCap = 10 * time.Second

	slowest = 0.05 // requests a second; a run that is slower has stopped
)

func newPolicy(ceiling, start float64, chance func() float64) policy {
	return policy{ceiling: ceiling, rate: start, chance: chance}
}

// admit grants a ticket, or says how long to wait before asking again.
func (p *policy) admit(now time.Time) (ticket, time.Duration) {
	if wait := p.heldUntil.Sub(now); wait > 0 {
		return ticket{}, wait
	}
	if p.window > 0 && p.inFlight >= p.window {
		return ticket{}, forever
	}
	if wait := p.takeToken(now); wait > 0 {
		p.limited = true
		return ticket{}, wait
	}
	if p.epochStart.IsZero() {
		p.epochStart = now
	}
	p.inFlight++
	return ticket{epoch: p.epoch}, 0
}

// takeToken takes one from the bucket, or says when there will be one. Nothing
// is reserved ahead, so that a change of pace reaches everybody at once.
func (p *policy) takeToken(now time.Time) time.Duration {
	p.fitBucket(now)
	if p.bucket == nil {
		return 0
	}
	r := p.bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// fitBucket gives the bucket the lowest of the limits.
func (p *policy) fitBucket(now time.Time) {
	limit, _ := p.limit(now)
	if limit == 0 {
		p.bucket = nil
		return
	}
	burst := max(1, int(limit*bankedCredit.Seconds()))
	if p.bucket == nil {
		p.bucket = rate.NewLimiter(rate.Limit(limit), burst)
		return
	}
	if have := float64(p.bucket.Limit()); limit < 0.999*have || limit > 1.001*have {
		p.bucket.SetLimitAt(now, rate.Limit(limit))
		p.bucket.SetBurstAt(now, burst)
	}
}

// limit is the lowest of the limits that apply, and its name.
func (p *policy) limit(now time.Time) (limit float64, name string) {
	lower := func(l float64, n string) {
		if l > 0 && (limit == 0 || l < limit) {
			limit, name = l, n
		}
	}
	lower(p.rate, "server")
	if now.Before(p.quotaUntil) {
		lower(p.quotaRate, "quota")
	}
	lower(p.ceiling, "cap")
	return limit, name
}

// settle takes in the answer to an admitted request.
func (p *policy) settle(now time.Time, t ticket, s signal) {
	p.inFlight--
	switch s.kind {
	case good:
		p.welcome(t)
		p.grow(now)
		p.heedQuota(now, t, s.quota)
	case throttle:
		p.slowDown(now, t, s)
	case refusal:
		p.close(now, t, max(s.hint, p.geometric()))
	case unreachable:
		p.lose(now, t)
	}
	if s.kind != unreachable && s.kind != unused {
		p.outage = 0
	}
}

// welcome opens the gate further and lets the pace grow.
func (p *policy) welcome(t ticket) {
	if t.epoch != p.epoch {
		return
	}
	p.strikes = 0
	p.epochGood++
	p.window = widen(p.window)
}

// widen doubles the number of requests that may be under way while the gate
// opens, until it is no longer a limit worth keeping.
func widen(window int) int {
	const wide = 128
	if window == 0 || window >= wide {
		return 0
	}
	return 2 * window
}

// grow raises the pace with time, while the pace is what limits: slowly after a
// measurement that can be trusted, faster after one that cannot, and fastest
// where the server has been content for long.
func (p *policy) grow(now time.Time) {
	since := now.Sub(p.lastGrowth)
	p.lastGrowth = now
	if p.rate == 0 || !p.limited || since > time.Second {
		return
	}
	p.limited = false
	p.rate *= 1 + p.growth(now)*since.Seconds()
}

// growth is a share of the pace a second.
func (p *policy) growth(now time.Time) float64 {
	const measured, guessed, content = 0.005, 0.015, 0.03
	switch {
	case !p.throttled || now.Sub(p.lastThrottle) > 2*time.Minute:
		return content
	case p.measured:
		return measured
	default:
		return guessed
	}
}

// slowDown closes the gate and lowers the pace.
func (p *policy) slowDown(now time.Time, t ticket, s signal) {
	if t.epoch != p.epoch {
		p.extend(now, s)
		return
	}
	served, since := p.epochGood, p.epochStart
	wait := s.hint
	if !s.hints || p.strikes > 0 {
		wait = max(wait, p.geometric())
	}
	p.close(now, t, wait)
	p.lower(served, p.heldUntil.Sub(since))
	p.throttled, p.lastThrottle = true, now
}

// lower corrects the pace after a 429. What the server took, over the time
// until it takes more, is what it permits, be its limit a bucket or a window;
// but only over a long time, as some servers throttle for other reasons than
// the rate. Otherwise it is the first guess, and then corrected by small steps.
func (p *policy) lower(served int, elapsed time.Duration) {
	const step, hardStep, long = 0.95, 0.7, 10 * time.Second
	shown := step * float64(served) / max(elapsed.Seconds(), 0.001)
	p.measured = elapsed >= long && served > 0
	switch {
	case p.rate == 0 && served == 0:
		return // nothing is known yet; the gate alone has to do
	case p.rate == 0:
		p.rate = shown
	case served == 0:
		p.rate *= hardStep
	case p.measured:
		p.rate = min(step*p.rate, max(shown, hardStep*hardStep*p.rate))
	default:
		p.rate *= step
	}
	p.rate = max(p.rate, slowest)
}

// extend lets a late answer prolong the hold, never shorten it.
func (p *policy) extend(now time.Time, s signal) {
	until := now.Add(s.hint)
	if s.hints && until.After(p.heldUntil) {
		p.heldUntil = until
	}
}

// close stops all workers together. When the time has come, one request goes
// first.
func (p *policy) close(now time.Time, t ticket, wait time.Duration) {
	if t.epoch != p.epoch {
		return
	}
	wait += time.Duration(p.chance() * float64(jitterAfterHold))
	p.strikes++
	p.epoch++
	p.heldUntil = now.Add(wait)
	p.epochStart, p.epochGood = p.heldUntil, 0
	p.window = 1
	p.exhausted = false
}

// geometric is the hold where the server named no time, or one that proved too
// short.
func (p *policy) geometric() time.Duration {
	hold := holdCap
	if p.strikes < 8 {
		hold = min(holdCap, holdBase<<p.strikes)
	}
	return time.Duration((0.5 + 0.5*p.chance()) * float64(hold))
}

// lose handles a server that cannot be reached: one caller tries, the others
// wait with it.
func (p *policy) lose(now time.Time, t ticket) {
	if t.epoch != p.epoch {
		return
	}
	p.outage++
	wait := min(outageCap, backoffBase<<min(p.outage-1, 8))
	p.close(now, t, time.Duration((0.5+0.5*p.chance())*float64(wait)))
	p.strikes--
}

// heedQuota slows down when little of the allowance is left, so that it lasts
// until it is renewed. As long as it is ample the headers take the place of
// what a profile believes.
func (p *policy) heedQuota(now time.Time, t ticket, q Quota) {
	if !q.Known || p.distrust || t.epoch != p.epoch {
		return
	}
	left := q.Remaining - p.inFlight
	if q.Remaining > 0 {
		p.exhausted = false
	}
	switch {
	case q.Remaining <= 0:
		p.exhaust(now, t, q)
	case ample(left, q.Limit):
		p.quotaRate, p.quotaUntil = 0, time.Time{}
		if !p.throttled {
			p.rate = 0
		}
	default:
		reset := q.Reset + quotaMargin
		p.quotaRate = max(float64(max(left, 1))/reset.Seconds(), slowest)
		p.quotaUntil = now.Add(reset)
	}
}

// ample tells that so much of an allowance is left that it need not be spread
// over the time.
func ample(left, limit int) bool {
	const few, share = 16, 4
	return left > few && left*share > limit
}

// exhaust waits for the allowance to be renewed. If the first answer after
// that still speaks of none left, the headers mean something else.
func (p *policy) exhaust(now time.Time, t ticket, q Quota) {
	if p.exhausted {
		p.distrust, p.exhausted = true, false
		p.quotaRate = 0
		return
	}
	strikes := p.strikes
	p.close(now, t, q.Reset+quotaMargin)
	p.strikes, p.exhausted = strikes, true
}

func (p *policy) pace(now time.Time) Pace {
	limit, name := p.limit(now)
	return Pace{Rate: limit, Hold: max(0, p.heldUntil.Sub(now)), InFlight: p.inFlight, LimitedBy: name}
}
