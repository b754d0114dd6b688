package scim

import "time"

// A learner finds the rate that a server permits, and keeps close to it.
//
// Between two moments at which the server begins to take requests again it has
// taken just what it permits over that time, be it a bucket or a window that
// counts. That quotient is the mark. The pace begins a little below it, as much
// as the measurement is in doubt, and climbs to as much above; there the next
// 429 makes the next measurement (measure.go). The more requests a measurement
// rests on, the smaller is the doubt. A climb that meets no 429 becomes steep,
// since the limit has been raised.
type learner struct {
	rate   float64 // requests a second; 0 is as many as there are workers
	mark   float64 // the limit as it was measured; 0 is never
	doubt  float64 // how far the mark may be off, a share of it
	weight float64 // how many requests the mark rests on
	told   bool    // the mark is a profile's: nothing has been measured

	// Since the server began to take requests again:
	begun   time.Time
	good    int           // taken
	climbed time.Duration // while the pace was what limits
	idle    time.Duration // while it was not
	broken  bool          // something else has stopped requests

	pending bool      // a 429 has come, the measurement waits for the reopening
	top     float64   // the pace when it came
	topAt   time.Time // and when it came

	paced time.Time // when the pace last made somebody wait
	grown time.Time // when the pace last had a chance to grow

	credit   float64 // requests that a hold has cost and that may be caught up
	credited bool    // some was granted after the last hold
	noCredit bool    // a 429 came soon after: the server does not save up

	hasty      int     // 429s in a row that came early
	trying     bool    // the mark is higher than what was measured, on trial
	kept       float64 // the mark to go back to
	reach      float64 // how far the next trial goes, a share of the way to the top
	unbanked   bool    // the server does not save up: its limit is the pace itself
	firstTaken float64 // before the first 429
	firstSpan  time.Duration
	lastTaken  int // of the last measurement
	lastSpan   time.Duration
}

const (
	slowest = 0.05 // requests a second; a run that is slower has stopped

	// fullWeight is how many requests a mark rests on at most, and how many a
	// climb lasts, within bounds of time: so a 429 is met once in so many.
	fullWeight = 750
	shortClimb = 20 * time.Second
	longClimb  = 600 * time.Second
	lossyClimb = 100 * time.Second // at least, where what a hold costs is lost
	sureWeight = 100               // a mark that rests on less is soon tried again

	leastDoubt, mostDoubt = 0.006, 0.2
	catchUp               = 1.2 // times the pace, while there is credit

	knownWeight = 25 // of a pace that a profile gives
)

// startLearner begins with a pace that is taken for known, or with none.
func startLearner(pace float64) learner {
	if pace == 0 {
		return learner{}
	}
	return learner{rate: pace, mark: pace, doubt: 0.05, weight: knownWeight, told: true, reach: 1}
}

// pace is what the bucket is to hand out.
func (l *learner) pace(c cause) float64 {
	switch {
	case c == byFlight || l.rate == 0:
		return 0
	case l.credit > 0:
		return catchUp * l.rate
	}
	return l.rate
}

// admitted takes in that a request has left.
func (l *learner) admitted(now time.Time) {
	if l.begun.IsZero() {
		l.begun, l.grown = now, now
	}
	if l.credit > 0 {
		l.credit -= 1 - 1/catchUp
	}
}

// grow raises the pace with the time during which it was what limits.
func (l *learner) grow(now time.Time) {
	since := now.Sub(l.grown)
	l.grown = now
	if l.rate == 0 || !l.limits(now) {
		l.idle += since
		return
	}
	since = min(since, time.Second)
	l.climbed += since
	l.rate *= 1 + l.slope()*since.Seconds()
}

// limits tells whether it is the pace that holds the workers back.
func (l *learner) limits(now time.Time) bool {
	return now.Sub(l.paced).Seconds() < max(0.25, 3/l.rate)
}

// climb is how long the pace takes from one edge of the doubt to the other.
func (l *learner) climb() time.Duration {
	requests := min(4*l.weight, fullWeight)
	short := shortClimb
	if l.unbanked || l.noCredit {
		short = lossyClimb
	}
	short = time.Duration(min(1, l.weight/sureWeight) * float64(short))
	return max(short, min(longClimb, time.Duration(requests/l.mark*float64(time.Second))))
}

// slope is a share of the pace a second. Beyond the climb it is steep only when
// more has been taken than the limit and a rest together explain, so that the
// limit must have been raised.
func (l *learner) slope() float64 {
	const jerk, steepest, aside = 0.003, 0.15, 0.15
	climb := l.climb()
	gentle := 2 * l.doubt / climb.Seconds()
	if l.climbed < climb {
		return gentle
	}
	if l.rate > (1+aside)*l.mark && l.excess(l.grown) < l.burst() {
		return 0
	}
	return min(steepest, gentle+jerk*(l.climbed-climb).Seconds())
}

// excess is how much more has been taken than the mark explains.
func (l *learner) excess(at time.Time) float64 {
	return float64(l.good) - l.mark*at.Sub(l.begun).Seconds()
}

// yield leaves the pace to the server's own words, unless its 429s have taught
// better.
func (l *learner) yield() {
	if l.weight <= knownWeight {
		l.rate, l.mark = 0, 0
	}
}

// inherit begins with a share of another's pace.
func (l *learner) inherit(from *learner, share float64) {
	*l = learner{rate: from.rate * share, mark: from.mark * share, doubt: 0.1, weight: 10, reach: 1, begun: from.begun, grown: from.grown, good: 1}
}

// restart goes on from the last mark, after the 429s have had another cause
// for a while.
func (l *learner) restart(now time.Time) {
	l.pending, l.weight = false, 10
	l.mark = max(slowest, l.rate)
	l.doubt = mostDoubt
	l.begin(now)
}
