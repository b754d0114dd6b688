package scim

import (
	"math"
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
	weight  int       // how many answers the usual share rests on
	step    float64   // by which the pace grows after the next verdict, a share
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
	surely                    = 4 // 429s that did not come
	leastAnswers, mostAnswers = 40, 500
	luckPace                  = 0.6     // of the pace so far, for the trial
	fastStep, slowStep        = 1, 0.01 // by which the pace grows, far from a limit and near one
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
	switch {
	case c.proven && c.step == fastStep:
		need = leastAnswers // no limit is near: go on fast
	case c.proven:
		need = max(leastAnswers, min(mostAnswers, int(5/c.usual)))
	}
	return c.answers >= need || c.refused > leastAnswers/3 && 2*c.refused > c.answers
}

// verdict judges by the answers since the last one, and tells how many the
// server has taken a second, had it refused none by chance.
func (c *luck) verdict(now time.Time) (v luckVerdict, taken float64) {
	answers, share := c.answers, float64(c.refused)/float64(max(c.answers, 1))
	taken = float64(c.answers-c.refused) / max(now.Sub(c.since).Seconds(), 0.001) / (1 - c.usual)
	first := !c.proven
	c.answers, c.refused, c.proven, c.since = 0, 0, true, now
	switch {
	case first && (share == 0 || share > 0.5), share == 0 && float64(answers)*c.usual >= surely:
		return luckEnds, taken
	case share > 0.5:
		return luckFull, taken
	case !first && share > c.usual+c.margin(answers):
		return luckWorse, taken
	}
	c.heed(share, answers)
	return luckHolds, taken
}

// margin is how much larger than usual a share of 429s is that hardly comes by
// chance, among so many answers.
func (c *luck) margin(answers int) float64 {
	const deviations, least = 4, 0.05
	return max(least, deviations*math.Sqrt(c.usual*(1-c.usual)*(1/float64(answers)+1/float64(c.weight))))
}

// heed corrects the usual share of 429s. Near a limit it does not rise, as the
// pace may be the reason.
func (c *luck) heed(share float64, answers int) {
	const most, least = 1000, 0.002
	seen := (c.usual*float64(c.weight) + share*float64(answers)) / float64(c.weight+answers)
	if c.step == fastStep || seen < c.usual {
		c.usual = max(seen, least)
	}
	c.weight = min(c.weight+answers, most)
}

// faster is how much faster it goes on after a verdict that found nothing new.
// Near a limit it is little at first; but the limit may have been raised, or
// there may never have been one.
func (c *luck) faster() float64 {
	const more = 1.5
	by := 1 + c.step
	c.step = min(fastStep, more*c.step)
	return by
}
