package scim

import (
	"math"
	"slices"
	"time"
)

// Learned is what a client has found out of the limits that a server keeps. It
// can be kept as JSON.
type Learned struct {
	At    time.Time     `json:"at"`
	Lanes []LearnedLane `json:"lanes,omitempty"`
}

// LearnedLane is what is known of the limit of one class of requests: "read",
// "write", or one kind such as "PATCH Groups".
type LearnedLane struct {
	Name string `json:"name"`
	// Rate is the limit in requests a second; 0 is unknown.
	Rate float64 `json:"rate,omitzero"`
	// Weight is how many requests that rests on.
	Weight float64 `json:"weight,omitzero"`
	// Burst is how many more the server takes after a rest.
	Burst float64 `json:"burst,omitzero"`
	// InFlight is how many requests at once the server has refused; 0 is none.
	InFlight int `json:"inFlight,omitzero"`
}

// Known tells whether there is anything worth keeping.
func (l Learned) Known() bool { return len(l.Lanes) > 0 }

const (
	// learnedFor is how long a limit is taken for known. Older ones are where to
	// start looking, until recallFor.
	learnedFor = 24 * time.Hour
	recallFor  = 30 * 24 * time.Hour
	// recalledWeight leaves a recalled limit open to a few measurements.
	recalledWeight  = 100
	fastestRecalled = 1e5 // requests a second; more is no limit
)

func (p *policy) learned(now time.Time) Learned {
	out := Learned{At: now.UTC().Truncate(time.Second)}
	for _, l := range p.lanes {
		k := LearnedLane{Name: l.name}
		switch {
		case l.cause == byFlight:
			k.InFlight = l.flight.level
		case l.cause == byRate && l.learn.mark > 0 && !l.learn.told:
			k.Rate, k.Weight, k.Burst = round3(l.learn.mark), math.Round(l.learn.weight), math.Round(l.learn.rest())
		default:
			continue
		}
		out.Lanes = append(out.Lanes, k)
	}
	return out
}

func round3(x float64) float64 { return math.Round(1e3*x) / 1e3 }

// recall begins where an earlier client has stopped.
func (p *policy) recall(now time.Time, known Learned) {
	age := now.Sub(known.At)
	if age > recallFor || age < -learnedFor {
		return
	}
	for _, k := range known.Lanes {
		known := slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.name == k.Name })
		if known || !k.sound() {
			continue
		}
		l := newLane(k.Name, 0)
		weight := min(k.Weight, recalledWeight)
		if age > learnedFor {
			weight = min(weight, knownWeight)
		}
		l.recall(k, weight)
		p.lanes = append(p.lanes, l)
	}
}

func (k LearnedLane) sound() bool {
	switch {
	case k.Name == "":
		return false
	case k.InFlight != 0:
		return k.InFlight > 1 && k.InFlight < widest && k.Rate == 0
	}
	return k.Rate >= slowest && k.Rate < fastestRecalled && k.Weight > 0 && k.Burst >= 0 && !math.IsInf(k.Burst, 0)
}

func (l *lane) recall(k LearnedLane, weight float64) {
	if k.InFlight > 0 {
		l.cause = byFlight
		l.flight.level = k.InFlight
		l.flight.calm = max(1, 0.85*float64(k.InFlight))
		return
	}
	doubt := min(mostDoubt, max(leastDoubt, 1.5/weight))
	l.learn = learner{
		rate: k.Rate * (1 - doubt), mark: k.Rate, doubt: doubt, weight: weight, reach: 1,
		firstTaken: k.Burst, firstSpan: 0,
	}
}

func (p *pacer) learned() Learned {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.learned(time.Now())
}

func (p *pacer) recall(known Learned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy.recall(time.Now(), known)
}
