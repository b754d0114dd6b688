package scim

import (
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// policy decides when the next request may leave. It reads no clock and starts
// nothing: what it does follows from what it was told, the state in, a wait out.
//
// Requests run in lanes: first one for those that read and one for those that
// write, and where the server throttles one kind of request alone, one for that
// kind. Whoever wants to send passes, in this order:
//
//   - the gate of the lane (gate.go): shut while the server wants to be left
//     alone, then open for one request first;
//   - its window (flight.go): so many requests under way at once;
//   - its pace (learn.go): what the server has shown to permit;
//   - the allowance (allowance.go) that the server's headers describe, which
//     lanes may share;
//   - the caller's cap, which all share.
type policy struct {
	lanes      []*lane
	allowances []*allowance
	cap        bucket
	ceiling    float64 // the caller's cap; 0 is none
	start      float64 // the pace that lanes begin with; 0 is none
	chance     func() float64
}

// A ticket is the permission to send one request.
type ticket struct {
	lane   *lane
	kind   string // which request it is, within its lane
	epoch  int    // of the lane's gate
	sent   time.Time
	flight int // requests under way in the lane, with this one
	cuts   int // of the lane's window, so far
	draws  *allowance
	drawn  int // from the allowance, so far
}

// A signal is what an answer says about the pace.
type signal struct {
	kind  signalKind
	hint  time.Duration
	hints bool // the server named a time
	quota Quota
}

type signalKind int

const (
	unused      signalKind = iota // nothing was sent
	neutral                       // says nothing
	good                          // the server is willing
	throttle                      // too many requests
	load                          // the server is in trouble: a timeout, a fault of its own
	refusal                       // come back later, for another reason than the rate
	unreachable                   // no connection
)

// forever is a wait that only news ends.
const forever time.Duration = math.MaxInt64

func newPolicy(ceiling, start float64, chance func() float64) *policy {
	return &policy{ceiling: ceiling, start: start, chance: chance}
}

// lane finds the lane of a kind of request, such as "PATCH Users".
func (p *policy) lane(kind string, read bool) *lane {
	class := "write"
	if read {
		class = "read"
	}
	var found *lane
	for _, l := range p.lanes {
		if l.name == kind {
			return l
		}
		if l.name == class {
			found = l
		}
	}
	if found == nil {
		found = newLane(class, p.start)
		if read {
			found.flight.window = firstReads
		}
		p.lanes = append(p.lanes, found)
	}
	return found
}

// admit grants a ticket, or says how long to wait before asking again. Nothing
// is reserved ahead, so that a change of pace reaches everybody at once.
func (p *policy) admit(now time.Time, l *lane, kind string) (ticket, time.Duration) {
	if wait, by := l.shut(now); wait > 0 {
		l.held = held{by: by, at: now}
		return ticket{}, wait
	}
	p.cap.fit(now, p.ceiling)
	l.pace.fit(now, l.learn.pace(l.cause))
	if wait, slow := takeAll(now, &l.pace, l.draws.pace(now), &p.cap); wait > 0 {
		l.held = held{by: [...]string{LimitServer, LimitQuota, LimitCap}[slow], at: now}
		if slow == 0 {
			l.learn.paced = now
		}
		return ticket{}, wait
	}
	return l.leave(now, kind), 0
}

// settle takes in the answer to an admitted request. wait is how long this
// request should wait by itself, whatever the others do.
func (p *policy) settle(now time.Time, t ticket, s signal) (wait time.Duration) {
	t.lane.flight.n--
	t.draws.arrive()
	p.heedQuota(now, t, s)
	wait = t.lane.settle(now, t, s, p.chance)
	if s.kind == good || s.kind == throttle {
		p.part(t, s.kind == throttle)
	}
	return wait
}

// heedQuota finds the allowance that an answer speaks of. Lanes whose answers
// name the same size draw on the same one.
func (p *policy) heedQuota(now time.Time, t ticket, s signal) {
	if !s.quota.Known || s.kind == unused {
		return
	}
	i := slices.IndexFunc(p.allowances, func(a *allowance) bool { return a.limit == s.quota.Limit })
	if i < 0 {
		const most = 16 // a server that never says the same has no sizes
		if len(p.allowances) == most {
			return
		}
		i = len(p.allowances)
		p.allowances = append(p.allowances, newAllowance(s.quota.Limit))
	}
	t.lane.draws = p.allowances[i]
	t.lane.draws.heed(now, t, s.quota, s.kind == throttle)
	if t.lane.draws.trusted() {
		t.lane.learn.yield()
	}
}

// part gives a kind of request a lane of its own, where the server throttles it
// and lets the others of its lane pass.
func (p *policy) part(t ticket, throttled bool) {
	if !t.lane.blame.count(t.kind, throttled) || t.lane.name == t.kind {
		return
	}
	share := t.lane.blame.share()
	own := newLane(t.kind, 0)
	own.learn.inherit(&t.lane.learn, share)
	t.lane.learn.inherit(&t.lane.learn, 1-share)
	t.lane.blame = blame{}
	p.lanes = append(p.lanes, own)
}

// outage is how many connections in a row could not be made.
func (p *policy) outage() int {
	most := 0
	for _, l := range p.lanes {
		most = max(most, l.gate.outage)
	}
	return most
}

// A bucket hands out requests at a pace.
type bucket struct {
	limiter *rate.Limiter // nil where nothing limits
}

// bankedCredit is how much unused pace may be spent at once.
const bankedCredit = 50 * time.Millisecond

// fit gives the bucket a new pace; 0 is none.
func (b *bucket) fit(now time.Time, pace float64) {
	if pace == 0 {
		b.limiter = nil
		return
	}
	burst := max(1, int(pace*bankedCredit.Seconds()))
	if b.limiter == nil {
		b.limiter = rate.NewLimiter(rate.Limit(pace), burst)
		return
	}
	if have := float64(b.limiter.Limit()); pace < 0.9999*have || pace > 1.0001*have {
		b.limiter.SetLimitAt(now, rate.Limit(pace))
		b.limiter.SetBurstAt(now, burst)
	}
}

// takeAll takes one from each bucket; or from none, and says when to ask again
// and which bucket is the slowest.
func takeAll(now time.Time, buckets ...*bucket) (wait time.Duration, slowest int) {
	var taken [3]*rate.Reservation
	for i, b := range buckets {
		if b == nil || b.limiter == nil {
			continue
		}
		taken[i] = b.limiter.ReserveN(now, 1)
		if delay := taken[i].DelayFrom(now); delay > wait {
			wait, slowest = delay, i
		}
	}
	if wait == 0 {
		return 0, 0
	}
	for _, r := range taken {
		if r != nil {
			r.CancelAt(now)
		}
	}
	return wait, slowest
}

// pace tells what limits the lane that was held back last.
func (p *policy) pace(now time.Time) Pace {
	const lately = 2 * time.Second
	var out Pace
	var last *lane
	for _, l := range p.lanes {
		out.InFlight += l.flight.n
		if last == nil || l.held.at.After(last.held.at) {
			last = l
		}
	}
	if last == nil || now.Sub(last.held.at) > lately && last.gate.wait(now) == 0 {
		return out
	}
	out.LimitedBy, out.Hold = last.held.by, last.gate.wait(now)
	switch out.LimitedBy {
	case LimitServer:
		out.Rate = last.learn.rate
	case LimitQuota:
		out.Rate = last.draws.rate
		out.Hold = max(out.Hold, last.draws.wait(now))
	case LimitCap:
		out.Rate = p.ceiling
	}
	return out
}
