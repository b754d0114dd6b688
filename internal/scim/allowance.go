package scim

import "time"

// An allowance is what the server's quota headers describe: so many requests
// until a reset. While it is ample nothing is slowed down; the rest is spread
// over the time that is left. One that is renewed bit by bit is used as fast as
// it comes back. Its methods take a nil one for none.
type allowance struct {
	limit  int           // its size, which tells allowances apart
	period time.Duration // the longest time to a reset that was seen
	sent   int           // requests that draw on it, so far
	flight int           // of these, under way

	left      int       // by the last answer, but for what is under way
	named     int       // by the last answer
	size      int       // the most that an answer named: the limit may mean another span of time
	since     time.Time // of the first answer
	heard     time.Time // of the last one
	creeps    bool      // the reset has moved away while it was used
	gain      float64   // how much faster it comes back than its size and period tell
	step      float64   // by which that is raised, a share of it
	tuned     time.Time // when the gain was last changed, or little was left
	end       time.Time // of the allowance, by the answers so far
	slack     time.Duration
	rate      float64 // what the rest permits; 0 is any
	heldUntil time.Time
	emptied   time.Time // when it was last used up
	narrow    bool      // one request first, after a refill
	exhausted bool      // it was used up, and no answer has shown it renewed
	wrong     bool      // the headers have proved to mean something else

	bucket bucket
}

const (
	// arrival is how early a request for the next allowance may come.
	arrival = 100 * time.Millisecond
	// tooShort is a period of which whole seconds tell nothing but its length.
	tooShort = 2 * time.Second
	// roundedDown is added to the reset of a server that has been seen to name
	// whole seconds that were too few.
	roundedDown = 1100 * time.Millisecond
	// rounding is how much too long a reset in whole seconds may be.
	rounding = time.Second
	// firstStep is how much faster a rolling allowance is used once some has been
	// left for a period.
	firstStep = 0.03
)

func newAllowance(limit int) *allowance {
	return &allowance{limit: limit, slack: arrival, gain: 1, step: firstStep}
}

func (a *allowance) trusted() bool { return a != nil && !a.wrong }

func (a *allowance) wait(now time.Time) time.Duration {
	switch {
	case a == nil || a.wrong:
		return 0
	case now.Before(a.heldUntil):
		return a.heldUntil.Sub(now)
	case a.narrow && a.flight > 0:
		return forever
	}
	return 0
}

// pace is the bucket that hands out what is left. After the reset, and until
// an answer tells what there is, it is what the whole allowance permits.
func (a *allowance) pace(now time.Time) *bucket {
	if a == nil {
		return nil
	}
	rate := a.rate
	if a.wrong {
		rate = 0
	}
	if rate > 0 && now.After(a.end) && !a.rolling(now) {
		rate = max(slowest, float64(a.limit)/max(a.period, time.Second).Seconds())
	}
	a.bucket.fit(now, rate)
	return &a.bucket
}

func (a *allowance) arrive() {
	if a != nil {
		a.flight--
	}
}

// heed takes in what an answer's headers say. Answers overtake each other: one
// that tells of more may be older. So all that has left since its request did
// counts as taken.
func (a *allowance) heed(now time.Time, t ticket, q Quota, refused bool) {
	if a.wrong || !t.sent.After(a.emptied) {
		return
	}
	a.narrow = false
	uncounted := a.flight
	if t.draws == a {
		uncounted = max(uncounted, a.sent-t.drawn)
	}
	a.place(now, q)
	a.left = q.Remaining - uncounted
	if q.Remaining > 0 {
		a.exhausted = false
	}
	switch {
	case a.rolling(now):
		a.tune(now, q.Remaining, refused)
		a.rate = max(slowest, a.even(q.Remaining))
	case a.period > 0 && a.period <= tooShort && q.Limit > 0 && !a.creeps:
		a.rate = 0.97 * float64(q.Limit) / a.period.Seconds()
	case q.Remaining <= 0:
		a.exhaust(now)
	case ample(a.left, q.Limit):
		a.rate = 0
	default:
		spread := max(a.end.Sub(now)+a.slack, arrival)
		a.rate = max((float64(max(a.left, 0))+0.5)/spread.Seconds(), slowest)
	}
}

// rolling tells whether the allowance is renewed bit by bit, as that of a bucket
// or of a sliding window is, and has begun to come back.
func (a *allowance) rolling(now time.Time) bool {
	return a.creeps && now.Sub(a.since) > a.period-rounding
}

// even is the pace at which a rolling allowance comes back, and less while none
// is left.
func (a *allowance) even(remaining int) float64 {
	const scarce = 0.8
	pace := a.gain * float64(a.size) / (a.period + arrival).Seconds()
	if remaining <= 0 {
		pace *= scarce
	}
	return pace
}

// tune corrects the pace of a rolling allowance, since the period is not known
// to the second: if more than a little is left for all of a period, the pace is
// too low; if a request is refused, it is too high, and raised less from then on.
func (a *allowance) tune(now time.Time, remaining int, refused bool) {
	const (
		low, high = 0.5, 2 // beyond that the headers mean something else
		down      = 0.97
		leastStep = 0.002
		little    = 40 // the size over that
	)
	switch {
	case refused:
		a.gain, a.step = down*a.gain, max(leastStep, a.step/2)
		a.wrong = a.gain < low
	case remaining <= a.size/little:
	case now.Sub(a.tuned) > a.period:
		a.gain = min(high, (1+a.step)*a.gain)
	default:
		return
	}
	a.tuned = now
}

// place finds the moment of the reset. Most servers round the time up to whole
// seconds, so that the earliest moment that any answer names is the best. A later
// one tells of a renewal; or, if no more is left than before, that the allowance
// has no end and is renewed bit by bit.
func (a *allowance) place(now time.Time, q Quota) {
	const jump = 1500 * time.Millisecond
	end := now.Add(q.Reset)
	later := end.Sub(a.end) > jump
	switch {
	case a.end.IsZero():
		a.since, a.end = now, end
	case now.Sub(a.heard) > a.period: // all of it has come back, in whatever way
	case later && q.Remaining > 0 && q.Remaining <= a.named && a.period > rounding:
		a.creeps = true
	}
	if later || end.Before(a.end) {
		a.end = end
	}
	a.heard, a.named, a.size = now, q.Remaining, max(a.size, q.Remaining+1)
	a.period = max(a.period, q.Reset)
}

// ample tells that so much of an allowance is left that it need not be spread
// over the time.
func ample(left, limit int) bool {
	const few, share = 32, 4
	return left > few && left*share > limit
}

// exhaust waits for the allowance to be renewed. If the first answer after
// that still speaks of none left, the server rounds down; if that happens
// again, the headers mean something else.
func (a *allowance) exhaust(now time.Time) {
	if a.exhausted && a.slack == roundedDown {
		a.wrong = true
		return
	}
	if a.exhausted {
		a.slack = roundedDown
	}
	a.heldUntil = a.end.Add(a.slack)
	if limit := now.Add(a.slack); a.heldUntil.Before(limit) {
		a.heldUntil = limit
	}
	a.emptied, a.narrow, a.exhausted = now, true, true
}
