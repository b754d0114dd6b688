package scim

import "time"

// A flight bounds how many requests of a lane are under way at once, much as
// TCP bounds its segments: the window doubles with every round trip up to where
// there was trouble last, and grows by small steps beyond it.
type flight struct {
	n      int     // under way
	window float64 // at most so many
	calm   float64 // up to here the window opens fast; 0 is no bound
	cuts   int     // how often it was made smaller

	grown time.Time // when it last grew beyond the calm

	opened time.Time // when the server took requests again after it had refused one
	quick  int       // refusals in a row that came soon after

	peak  int // the most that were under way when one was taken
	level int // so many were under way when one was refused; 0 is never
}

const (
	// firstWindow is how many requests begin, and firstReads how many reads: the
	// slow start is a large part of an export that ends in seconds.
	firstWindow, firstReads = 4, 8
	// opening is how much a good answer widens the window before the first 429:
	// all that is under way beyond a limit is refused then, and of a low limit
	// that is most of what a run gets.
	opening = 0.5
	// widest is a window that bounds nothing.
	widest = 1 << 10
)

func newFlight() flight { return flight{window: firstWindow} }

func (f *flight) wait() time.Duration {
	if f.n >= max(1, int(f.window)) {
		return forever
	}
	return 0
}

// narrow lets one request through first.
func (f *flight) narrow() { f.window = 1 }

// creep is how long it takes to try one request more, where a number is known
// that the server refuses: trying costs 429s, and time.
const creep = 15 * time.Second

// good widens the window. Beyond the calm it grows by one in a round trip, or
// more slowly where the server is known to count requests under way.
func (f *flight) good(now time.Time, t ticket, c cause) {
	f.peak = max(f.peak, t.flight)
	switch {
	case f.window >= widest:
	case f.level == 0 && f.calm == 0:
		f.window += opening
		f.grown = now
	case f.calm == 0 || f.window < f.calm:
		f.window++
		f.grown = now
	case c == byFlight:
		f.window += min(1, float64(now.Sub(f.grown))/float64(creep))
		f.grown = now
	default:
		f.window += 1 / f.window
		if f.window > 4*f.calm && f.n < int(f.window)/2 {
			f.calm = 0 // the workers are too few to reach it
		}
	}
}

// overloaded makes the window smaller, once in a round trip.
func (f *flight) overloaded(t ticket) {
	if t.cuts != f.cuts {
		return
	}
	f.cuts++
	f.calm = max(1, 0.9*min(f.window, float64(t.flight)))
	f.window = min(f.window, f.calm)
}

// refused guesses whether a server counts requests under way. If it does, it
// takes less than it refused, for ever and at any rate; so the window stays
// well below, and if the next refusal comes when as many are under way again
// the guess was right. If it comes earlier, or in no time, the server counts
// over time. guess tells that nothing else is known yet.
func (f *flight) refused(now time.Time, t ticket, c cause, guess bool) cause {
	const below, near, again, enoughQuick = 0.75, 0.8, 0.85, 3
	first, was := f.level == 0, float64(f.level)
	f.level = t.flight
	switch {
	case first && guess && t.flight > f.peak && t.flight > 1:
		f.calm = max(1, below*float64(t.flight))
		return byFlight
	case c != byFlight:
		return c
	}
	if f.quick++; now.Sub(f.opened) > creep/3 {
		f.quick = 0
	}
	if float64(t.flight) <= near*was || f.quick == enoughQuick {
		f.calm = 0
		return byRate
	}
	f.calm = max(1, again*float64(t.flight))
	return byFlight
}

// refusedLate takes in that fewer requests than it seemed were too many.
func (f *flight) refusedLate(t ticket) {
	if f.level > 0 && t.flight < f.level && t.flight > 1 {
		if f.calm > 0 {
			f.calm = max(1, f.calm*float64(t.flight)/float64(f.level))
		}
		f.level = t.flight
	}
}
