package scim

import "time"

// throttled takes in a 429; the measurement follows when the gate opens.
func (l *learner) throttled(now time.Time, flight bool) {
	l.pending = !flight
	l.top, l.topAt = l.pace(byRate), now
	if l.credit > 0 {
		l.noCredit = true
	}
	if flight {
		l.begin(now)
	}
}

// interrupted takes in that something else than the rate has stopped requests.
func (l *learner) interrupted() { l.broken = true }

// begin starts to count.
func (l *learner) begin(at time.Time) {
	l.begun, l.grown, l.good, l.climbed, l.idle, l.broken = at, at, 1, 0, 0, false
}

// A cycle is what happened between two moments at which the server began to
// take requests again.
type cycle struct {
	taken float64       // requests
	span  time.Duration // from one such moment to the next
	shut  time.Duration // of this, after the 429
	seen  float64       // taken a second
	climb float64       // how much of the climb was done when the 429 came
	clean bool          // nothing but the pace limited what was taken
}

func (c *cycle) early() bool { return c.climb < 1 }

// soon tells a 429 that followed on so few requests that the mark is shaken.
func (c *cycle) soon(weight float64) bool { return c.taken < min(4*weight, fullWeight)/4 }

// endCycle sums up, when the probe that left at opened was taken. The server
// may have been willing for gap before that.
func (l *learner) endCycle(opened time.Time, gap time.Duration) cycle {
	c := cycle{
		taken: float64(l.good - 1), // the probe belongs to what follows
		shut:  opened.Sub(l.topAt),
		span:  opened.Sub(l.begun),
	}
	c.clean = !l.broken && l.idle <= c.span/3
	if l.mark > 0 {
		c.climb = float64(l.climbed) / float64(l.climb())
	}
	c.span = max(roundPeriod(c.span, min(gap, c.shut)), time.Millisecond)
	const half = 0.3 // of a request, on the average, was not yet sent
	c.seen = (c.taken + half) / c.span.Seconds()
	return c
}

// measure corrects the mark by a cycle that a 429 has ended.
func (l *learner) measure(opened time.Time, gap time.Duration) {
	c := l.endCycle(opened, gap)
	l.pending, l.lastTaken, l.lastSpan = false, int(c.taken), c.span
	l.begin(opened)
	if c.taken < 1 {
		if l.rate > 0 { // else nothing is known, and the gate has to do
			l.rate = max(slowest, 0.7*l.rate)
		}
		return
	}
	l.correct(c)
	l.told = false
	l.weight = max(2, min(l.weight, fullWeight))
	l.mark = max(l.mark, slowest)
	l.doubt = min(mostDoubt, max(leastDoubt, 1.5/l.weight))
	l.rate = l.mark * (1 - l.doubt)
	if l.top > 0 {
		l.rate = min(l.rate, 0.99*l.top)
	}
	l.rate = max(l.rate, slowest)
	l.grantCredit(c)
}

func (l *learner) correct(c cycle) {
	switch {
	case l.mark == 0:
		l.first(c)
	case !c.clean:
		// The server may permit more than it was asked for, but less than it
		// was asked for last.
		l.mark, l.weight = max(c.seen, min(l.mark, 0.95*l.top)), l.weight/2
	case c.taken-l.mark*c.span.Seconds() > l.burst():
		// The limit has been raised. It was met on a steep climb, so that what
		// was taken says little.
		l.mark, l.weight = max(c.seen, 0.93*l.top), min(c.taken, 20)
	case c.shut > endOfWindow:
		l.trying, l.unbanked = false, false
		l.blend(c)
	case l.trying:
		l.tried(c.climb >= 0.5)
	case l.unbanked:
		l.follow(c)
	default:
		l.blend(c)
		l.try(c)
	}
}

// first takes the first measurement, which is all there is. It overrates a
// bucket, whose first tokens had been saved up.
func (l *learner) first(c cycle) {
	l.mark, l.weight = c.seen, min(c.taken, 10)
	l.firstTaken, l.firstSpan, l.reach = c.taken, c.span, 1
}

// blend weighs what was seen against what was known. A 429 that comes early
// shakes what was known; one that comes late shows that the mark can be kept.
func (l *learner) blend(c cycle) {
	seen := c.seen
	switch {
	case !c.early():
		l.hasty = 0
		seen = max(seen, l.mark)
	case c.soon(l.weight):
		l.weight /= 4
		if l.hasty++; l.hasty > 1 {
			l.weight = 0
		}
	}
	l.mark = (l.weight*l.mark + c.taken*seen) / (l.weight + c.taken)
	l.weight += c.taken
}

// Some servers do not let unused pace be caught up, as those that count in
// windows of a second: for them the limit is near the pace at which the 429
// came, and not what was taken over the time. It is found out by trying a higher
// mark; if the next 429 comes early, a smaller step is tried the next time.
const (
	endOfWindow = 2 * time.Second // who is shut out for longer waits for the end of a window
	belowTop    = 0.95            // how far below the pace of a 429 a limit may be
	apart       = 1.04            // a top that is no higher is no reason to try
	leastReach  = 0.2
)

// try puts a higher mark on trial, where a server saves up little if anything.
func (l *learner) try(c cycle) {
	if l.reach < leastReach || c.taken < fullWeight/4 || l.top < apart*l.mark || l.rest() > 1.5*l.mark {
		return
	}
	l.trying, l.kept = true, l.mark
	l.mark += l.reach * (belowTop*l.top - l.mark)
}

func (l *learner) tried(passed bool) {
	l.trying, l.unbanked = false, passed
	if !passed {
		l.mark = l.kept
		l.reach /= 2
	}
}

// follow corrects the mark by the pace alone.
func (l *learner) follow(c cycle) {
	const givesUp = 4
	if c.early() {
		l.mark = max(c.seen, min(l.mark, belowTop*l.top))
		l.hasty++
		l.unbanked = l.hasty < givesUp
		return
	}
	l.hasty = 0
	l.mark = max(c.seen, l.mark, (l.mark+belowTop*l.top)/2)
}

// grantCredit lets half of what a hold has cost be caught up, unless a 429 came
// soon after that was last granted.
func (l *learner) grantCredit(c cycle) {
	const most = 1500 * time.Millisecond
	if l.credited && c.soon(l.weight) {
		l.noCredit = true
	}
	l.credit = 0
	l.credited = !l.noCredit && !l.trying && !l.unbanked
	if l.credited {
		l.credit = l.mark * min(c.shut, most).Seconds() / 2
	}
}

// burst is how many requests the server may take at once after a rest, at the
// most.
func (l *learner) burst() float64 {
	const spare, longest = 5, 10 // requests; seconds that a bucket is filled for
	return spare + 1.5*min(l.rest(), longest*l.mark)
}

// rest is what it took before the first 429, above what it permits over time.
func (l *learner) rest() float64 { return max(0, l.firstTaken-l.mark*l.firstSpan.Seconds()) }

// roundPeriod makes use of people's liking for round numbers, where a period is
// known to have ended within the last gap of it.
func roundPeriod(span, gap time.Duration) time.Duration {
	if gap < span/20 || gap < 2*time.Second {
		return span
	}
	for _, seconds := range []time.Duration{60, 30, 10, 3600, 1, 300, 600, 15, 20, 5, 120, 900} {
		if p := seconds * time.Second; p <= span && p >= span-gap {
			return p
		}
	}
	return span - gap/3
}
