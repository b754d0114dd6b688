package scim

import (
	"slices"
	"time"
)

// An allowance is what the server's quota headers describe: so many requests
// until a reset. While it is ample nothing is slowed down; the rest is spread
// over the time that is left. Its methods take a nil one for none.
type allowance struct {
	limit  int           // its size, which tells allowances apart
	period time.Duration // the longest time to a reset that was seen
	sent   int           // requests that draw on it, so far
	flight int           // of these, under way

	left      int        // by the last answer
	given     [3]float64 // requests a second that were given back, lately
	counted   time.Time  // when that was last found out,
	remaining int        // and what was left then
	answered  int        // and how many had been answered
	end       time.Time  // of the allowance, by the answers so far
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
	// scarce is the share that is taken of what is given back while none is left.
	scarce = 0.8
)

func newAllowance(limit int) *allowance { return &allowance{limit: limit, slack: arrival} }

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
	if rate > 0 && now.After(a.end) {
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
func (a *allowance) heed(now time.Time, t ticket, q Quota) {
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
	a.count(now, q)
	if q.Remaining > 0 {
		a.exhausted = false
	}
	switch {
	case a.period > 0 && a.period <= tooShort && q.Limit > 0:
		a.rate = 0.97 * float64(q.Limit) / a.period.Seconds()
	case q.Remaining <= 0 && a.giving() > 0:
		a.rate = max(slowest, scarce*a.giving())
	case q.Remaining <= 0:
		a.exhaust(now)
	case ample(a.left, q.Limit):
		a.rate = 0
	default:
		spread := max(a.end.Sub(now)+a.slack, arrival)
		a.rate = max((float64(max(a.left, 0))+0.5)/spread.Seconds()+a.giving(), slowest)
	}
}

// count finds out whether the allowance is renewed bit by bit, as that of a
// bucket is, and not at the reset alone. A single leap is a reset.
func (a *allowance) count(now time.Time, q Quota) {
	answered := a.sent - a.flight
	since := now.Sub(a.counted)
	if since < time.Second || answered-a.answered < a.few() {
		return
	}
	back := q.Remaining - a.remaining + answered - a.answered
	copy(a.given[:], a.given[1:])
	a.given[2] = max(0, float64(back)/since.Seconds())
	a.counted, a.remaining, a.answered = now, q.Remaining, answered
}

// few is how many answers show what is given back: one shows little, as headers
// count in whole requests, and a large part of the allowance may span its reset.
func (a *allowance) few() int { return max(1, min(8, a.limit/6)) }

// giving is how many requests a second are given back; 0 where a reset renews all.
func (a *allowance) giving() float64 { return slices.Min(a.given[:]) }

// place finds the moment of the reset. Most servers round the time up to whole
// seconds, so that the earliest moment that any answer names is the best.
func (a *allowance) place(now time.Time, q Quota) {
	const jump = 1500 * time.Millisecond
	end := now.Add(q.Reset)
	if a.end.IsZero() || end.Sub(a.end) > jump || end.Before(a.end) {
		a.end = end
	}
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
