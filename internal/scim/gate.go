package scim

import "time"

// A gate stops all workers of a lane together and lets one request through
// first when the time has come.
//
// An epoch ends when the gate closes. Answers to requests of an earlier epoch
// say nothing about the present one.
type gate struct {
	epoch     int
	heldUntil time.Time
	refused   time.Time // when the last request left that was throttled
	hinted    bool      // and its answer named the time to come back
	strikes   int       // closings in a row without a good answer between them
	outage    int       // connections in a row that could not be made
}

const (
	// jitterAfterHold keeps several clients of one server from returning in
	// the same instant.
	jitterAfterHold = 250 * time.Millisecond

	holdBase  = time.Second
	holdCap   = 60 * time.Second
	outageCap = 10 * time.Second
)

func (g *gate) wait(now time.Time) time.Duration { return max(0, g.heldUntil.Sub(now)) }

// close begins a new epoch, which opens after wait.
func (g *gate) close(now time.Time, t ticket, wait time.Duration, chance func() float64) {
	if t.epoch != g.epoch {
		return
	}
	wait += time.Duration(chance() * float64(min(wait, jitterAfterHold)))
	g.strikes++
	g.epoch++
	g.heldUntil = now.Add(wait)
}

// unsure is how long before the probe left the server may already have been
// willing.
func (g *gate) unsure(opened time.Time) time.Duration {
	const rounding = time.Second + jitterAfterHold
	gap := opened.Sub(g.refused)
	if g.hinted {
		gap = min(gap, rounding)
	}
	return gap
}

// extend lets a late answer prolong the hold, never shorten it.
func (g *gate) extend(now time.Time, s signal) {
	until := now.Add(s.hint)
	if s.hints && g.strikes > 0 && until.After(g.heldUntil) {
		g.heldUntil = until
	}
}

// geometric is the hold where the server named no time, or one that proved too
// short.
func (g *gate) geometric(chance func() float64) time.Duration {
	hold := holdCap
	if g.strikes < 8 {
		hold = min(holdCap, holdBase<<g.strikes)
	}
	return time.Duration((0.7 + 0.3*chance()) * float64(hold))
}

// lose handles a server that cannot be reached: one caller tries, the others
// wait with it.
func (g *gate) lose(now time.Time, t ticket, chance func() float64) {
	if t.epoch != g.epoch {
		return
	}
	g.outage++
	wait := min(outageCap, backoffBase<<min(g.outage-1, 8))
	g.close(now, t, time.Duration((0.5+0.5*chance())*float64(wait)), chance)
	g.strikes--
}
