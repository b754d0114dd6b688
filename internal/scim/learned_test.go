package scim

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecall: a client that is told what an earlier one has learned meets the
// limit with fewer 429s, and no more slowly.
func TestRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{allowance: 300, window: time.Minute, retryAfter: true, start: time.Now()}
		first := memoryClient(t, server)
		drive(t, first, 16, 10*time.Minute)
		text, err := json.Marshal(first.Learned())
		if err != nil {
			t.Fatal(err)
		}
		var known Learned
		if err := json.Unmarshal(text, &known); err != nil {
			t.Fatal(err)
		}
		if len(known.Lanes) != 1 || math.Abs(known.Lanes[0].Rate-5) > 0.2 {
			t.Fatalf("learned %s, the limit is 5/s", text)
		}
		server.served, server.throttled = 0, 0
		second := memoryClient(t, server)
		second.Recall(known)
		drive(t, second, 16, 2*time.Minute)
		if server.throttled > 3 || server.served < 2*300*9/10 {
			t.Errorf("%d taken, %d throttled in two minutes of a limit that was known", server.served, server.throttled)
		}
	})
}

// TestRecallHoldsFromTheFirstRequest: a lane that has met its limit once only
// begins at the pace that showed, however many workers come at the same time.
func TestRecallHoldsFromTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{allowance: 300, window: time.Minute, retryAfter: true, start: time.Now()}
		first := memoryClient(t, server)
		drive(t, first, 16, 61*time.Second)
		known := first.Learned()
		if len(known.Lanes) != 1 || known.Lanes[0].Weight > knownWeight {
			t.Fatalf("after one measurement: %+v", known.Lanes)
		}
		server.served, server.throttled = 0, 0
		second := memoryClient(t, server)
		second.Recall(known)
		const run = 10 * time.Second
		drive(t, second, 16, run)
		most := int(1.5*known.Lanes[0].Rate*run.Seconds()) + 16 // it climbs; an open start takes 300 at once
		if server.throttled > 1 || server.served > most {
			t.Errorf("%d taken, %d throttled at a pace of %g", server.served, server.throttled, known.Lanes[0].Rate)
		}
	})
}

// TestWhatAProfileTellsIsNotLearned: only what has been measured is kept.
func TestWhatAProfileTellsIsNotLearned(t *testing.T) {
	p := newPolicy(0, 5, func() float64 { return 0 })
	p.lane(postUsers, false)
	if known := p.learned(time.Now()); known.Known() {
		t.Errorf("learned %+v of nothing", known.Lanes)
	}
}

func TestRecallIgnoresWhatIsNotSound(t *testing.T) {
	now := time.Now()
	for name, k := range map[string]Learned{
		"old":      {At: now.Add(-40 * 24 * time.Hour), Lanes: []LearnedLane{{Name: "write", Rate: 5, Weight: 100}}},
		"no time":  {Lanes: []LearnedLane{{Name: "write", Rate: 5, Weight: 100}}},
		"future":   {At: now.Add(48 * time.Hour), Lanes: []LearnedLane{{Name: "write", Rate: 5, Weight: 100}}},
		"negative": {At: now, Lanes: []LearnedLane{{Name: "write", Rate: -5, Weight: 100}}},
		"endless":  {At: now, Lanes: []LearnedLane{{Name: "write", Rate: math.Inf(1), Weight: 100}}},
		"nothing":  {At: now, Lanes: []LearnedLane{{Name: "write", Rate: math.NaN(), Weight: 100}}},
		"nobody":   {At: now, Lanes: []LearnedLane{{Name: "write", InFlight: 1}}},
		"no name":  {At: now, Lanes: []LearnedLane{{Rate: 5, Weight: 100}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(0, 0, func() float64 { return 0 })
			p.recall(now, k)
			if len(p.lanes) != 0 {
				t.Errorf("recalls %+v", p.lanes[0].learn)
			}
		})
	}
}

// TestMethodsPart: a limit of one method alone does not hold the others for
// long.
func TestMethodsPart(t *testing.T) {
	p := newPolicy(0, 0, func() float64 { return 0 })
	now := time.Now()
	send := func(kind string, k signalKind) {
		l := p.lane(kind, false)
		tk, wait := p.admit(now, l, kind)
		for ; wait > 0; tk, wait = p.admit(now, l, kind) {
			now = now.Add(wait)
		}
		p.settle(now, tk, signal{kind: k, hints: true})
	}
	for range 10 {
		for range 5 {
			send("POST Users", good)
		}
		send("DELETE Users", throttle)
		send("DELETE Users", good)
	}
	var names []string
	for _, l := range p.lanes {
		names = append(names, l.name)
	}
	if got := strings.Join(names, ", "); got != "write, DELETE Users" {
		t.Errorf("lanes %s", got)
	}
}
