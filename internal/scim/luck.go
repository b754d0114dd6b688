package scim

import (
	"slices"
	"time"
)

// luck finds out whether a server refuses requests by chance, whatever their
// pace. Holding all workers for each such 429 would bring the run to a stop.
//
// Where there is a limit, a pace well below what the server has just taken is
// never refused. Where that happens time and again there may be none, and it is
// tried: at a low pace, without holds. If the 429s still come, they come by
// chance. From then on a 429 makes its own request wait and no other, and the
// pace grows as long as their share stays what it was.
type luck struct {
	shown []float64 // what the server has surely permitted, in the last measurements
	odd   int       // 429s in a row below it

	on      bool
	proven  bool      // the trial has been passed
	answers int       // since the last verdict
	refused int       // of these
	usual   float64   // the share of 429s that is taken for chance
	since   time.Time // when counting began
	capped  bool      // there is a limit, too, and the pace has met it
}

type luckVerdict int

const (
	luckHolds luckVerdict = iota // as many 429s as usual
	luckWorse                    // more: the pace may have to do with it
	luckFull                     // most are refused: there is a limit, too
	luckEnds                     // it was not chance, or there is none any more
)

const (
	enoughOdd                 = 2
	luckMemory                = 5
	longCycle                 = 400 // requests between two 429s
	shortCycle                = 150
	enoughShown               = 2 // one may be from before the limit was lowered
	trialAnswers              = 100
	leastAnswers, mostAnswers = 60, 500
	luckPace                  = 0.6 // of the pace so far, for the trial
)

// suspect takes in that so many requests were taken in a time until a 429 came
// at the pace top. It tells whether it is time for the trial, and what the
// server has surely permitted.
func (c *luck) suspect(taken int, seconds, top float64) (sure float64, odd bool) {
	if taken >= longCycle || top == 0 { // a limit that holds; or a first burst, which shows none
		c.shown, c.odd = nil, 0
		return 0, false
	}
	above := 0
	for _, shown := range c.shown {
		if top < 0.9*shown {
			above++
		}
	}
	if c.odd++; above < enoughShown {
		c.odd = 0
	}
	if taken < shortCycle {
		c.shown = append(c.shown, float64(taken-1)/seconds)
	}
	if len(c.shown) > luckMemory {
		c.shown = c.shown[1:]
	}
	if c.odd < enoughOdd {
		return 0, false
	}
	return slices.Max(c.shown), true
}

// answered counts an answer, and tells when there are enough to judge by.
func (c *luck) answered(refused bool, pace float64) bool {
	if !c.on {
		return false
	}
	c.answers++
	if refused {
		c.refused++
	}
	need := max(leastAnswers, min(trialAnswers, int(60*pace)))
	if c.proven {
		need = max(leastAnswers, min(mostAnswers, int(5/c.usual)))
	}
	return c.answers >= need || c.refused > leastAnswers/3 && 2*c.refused > c.answers
}

// verdict judges by the answers since the last one, and tells how many the
// server has taken a second, had it refused none by chance.
func (c *luck) verdict(now time.Time) (v luckVerdict, taken float64) {
	share := float64(c.refused) / float64(max(c.answers, 1))
	taken = float64(c.answers-c.refused) / max(now.Sub(c.since).Seconds(), 0.001) / (1 - c.usual)
	first := !c.proven
	c.answers, c.refused, c.proven, c.since = 0, 0, true, now
	switch {
	case share == 0, first && share > 0.5:
		return luckEnds, taken
	case first:
		c.usual = share
	case share > 0.5:
		return luckFull, taken
	case share > c.usual+0.12:
		return luckWorse, taken
	default:
		c.usual = min(c.usual, (c.usual+share)/2)
	}
	return luckHolds, taken
}
