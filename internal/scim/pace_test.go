package scim

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// step is one thing that happens to a policy, and what must follow.
type step struct {
	at       time.Duration
	settle   *signal // for the oldest ticket
	wait     time.Duration
	rate     float64
	noTicket bool // do not ask for a ticket at this step
}

// TestPolicy tells stories as tables: the policy has no clock of its own.
func TestPolicy(t *testing.T) {
	ok := &signal{kind: good}
	throttled := func(hint time.Duration) *signal { return &signal{kind: throttle, hint: hint, hints: true} }
	quota := func(limit, remaining int, reset time.Duration) *signal {
		return &signal{kind: good, quota: Quota{Known: true, Limit: limit, Remaining: remaining, Reset: reset}}
	}
	const s = time.Second
	for name, tc := range map[string]struct {
		ceiling, start float64
		steps          []step
	}{
		"open": {steps: []step{{}, {}, {}, {}}},
		"a cap is kept": {ceiling: 2, steps: []step{
			{}, {wait: s / 2, rate: 2}, {at: s / 4, wait: s / 4, rate: 2}, {at: s / 2, rate: 2},
		}},
		"unused pace is not saved up": {ceiling: 2, steps: []step{
			{}, {at: 100 * s}, {at: 100 * s, wait: s / 2},
		}},
		"a fast cap has a little credit": {ceiling: 100, steps: []step{
			{}, {}, {}, {}, {}, {wait: 10 * time.Millisecond},
		}},
		"the lower of cap and known pace": {ceiling: 5, start: 3, steps: []step{{rate: 3}, {wait: s / 3, rate: 3}}},
		"all wait for Retry-After, one goes first": {steps: []step{
			{}, {}, {},
			{settle: throttled(10 * s), wait: 10 * s},
			{at: 5 * s, wait: 5 * s},
			{at: 5 * s, settle: ok, wait: 5 * s},           // sent before: opens nothing
			{at: 6 * s, settle: throttled(s), wait: 4 * s}, // nor does a shorter hint shorten
			{at: 10 * s},                // the probe
			{at: 10 * s, wait: forever}, // everybody else
			{at: 11 * s, settle: ok, noTicket: true},
		}},
		"a late answer may ask for more": {steps: []step{
			{}, {}, {settle: throttled(s), wait: s}, {settle: throttled(5 * s), wait: 5 * s},
		}},
		"zero means now": {steps: []step{{}, {settle: throttled(0)}}},
		"no hint": {steps: []step{
			{}, {settle: &signal{kind: throttle}, wait: 7 * s / 10},
			{at: s}, {at: s, settle: &signal{kind: throttle}, wait: 14 * s / 10},
			{at: 3 * s}, {at: 3 * s, settle: &signal{kind: throttle}, wait: 28 * s / 10},
		}},
		"a hint that was too short is not believed twice": {steps: []step{
			{}, {settle: throttled(0)}, {at: s, settle: throttled(0), wait: 14 * s / 10},
		}},
		"an ample quota replaces the known pace": {start: 3, steps: []step{
			{rate: 3}, {at: s, settle: quota(300, 200, 60*s), rate: 0}, {at: s}, {at: s},
		}},
		"a scarce quota is spread": {steps: []step{
			{}, {settle: quota(300, 56, 56*s+4*s/10), rate: 1}, {wait: s, rate: 1},
		}},
		"a quota that is used up closes the gate": {steps: []step{
			{}, {settle: quota(300, 0, 10*s), wait: 10*s + s/10},
		}},
		"two answers at the end of a quota close it once": {steps: []step{
			{}, {},
			{settle: quota(300, 0, 10*s), wait: 10*s + s/10},
			{settle: quota(300, 0, 10*s), wait: 10*s + s/10},
			{at: 11 * s},
			{at: 11 * s, settle: quota(300, 299, 60*s)},
			{at: 12 * s, settle: quota(300, 56, 56*s+4*s/10), rate: 1}, // and the headers are still believed
		}},
		"a quota that is always used up is not believed": {steps: []step{
			{}, {settle: quota(300, 0, 10*s), wait: 10*s + s/10},
			{at: 11 * s}, {at: 11 * s, settle: quota(300, 0, 10*s), wait: 11*s + s/10}, // perhaps it rounds down
			{at: 23 * s}, {at: 23 * s, settle: quota(300, 0, 10*s)}, {at: 23 * s},
		}},
		"503 holds, but says nothing of the rate": {steps: []step{
			{}, {settle: &signal{kind: refusal, hint: 4 * s, hints: true}, wait: 4 * s, rate: 0},
		}},
		"no connection": {steps: []step{
			{}, {settle: &signal{kind: unreachable}, wait: s / 4},
			{at: s / 4}, {at: s / 4, wait: forever},
			{at: s / 4, settle: &signal{kind: unreachable}, wait: s / 2},
		}},
		"a fault of the server changes nothing": {steps: []step{{}, {settle: &signal{kind: neutral}}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			runSteps(t, newPolicy(tc.ceiling, tc.start, func() float64 { return 0 }), tc.steps)
		})
	}
}

func runSteps(t *testing.T, p *policy, steps []step) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := p.lane(postUsers, false)
	l.flight.window = widest
	var held []ticket
	for i, s := range steps {
		now := zero.Add(s.at)
		if s.settle != nil {
			p.settle(now, held[0], *s.settle)
			held = held[1:]
		}
		if s.noTicket {
			continue
		}
		got, wait := p.admit(now, l, postUsers)
		if wait == 0 {
			held = append(held, got)
		}
		if d := wait - s.wait; d < -time.Millisecond || d > time.Millisecond {
			t.Fatalf("step %d: wait %v, want %v", i, wait, s.wait)
		}
		if rate := lowest(now, p, l); s.rate != 0 && math.Abs(rate-s.rate) > 0.001 {
			t.Fatalf("step %d: rate %v, want %v", i, rate, s.rate)
		}
	}
	if l.flight.n != len(held) {
		t.Errorf("the policy counts %d in flight, there are %d", l.flight.n, len(held))
	}
}

const postUsers = "POST Users"

// lowest is the lowest of the paces that apply.
func lowest(now time.Time, p *policy, l *lane) float64 {
	low := math.Inf(1)
	for _, b := range []*bucket{&l.pace, l.draws.pace(now), &p.cap} {
		if b != nil && b.limiter != nil {
			low = min(low, float64(b.limiter.Limit()))
		}
	}
	return low
}

// TestFirstThrottleShowsTheRate: what the server took, over the time until it
// takes more.
func TestFirstThrottleShowsTheRate(t *testing.T) {
	p := newPolicy(0, 0, func() float64 { return 0 })
	l := p.lane(postUsers, false)
	now := time.Now()
	for range 300 {
		tk, _ := p.admit(now, l, postUsers)
		p.settle(now, tk, signal{kind: good})
	}
	tk, _ := p.admit(now, l, postUsers)
	p.settle(now, tk, signal{kind: throttle, hint: time.Minute, hints: true})
	now = now.Add(time.Minute)
	tk, _ = p.admit(now, l, postUsers)
	p.settle(now, tk, signal{kind: good})
	if math.Abs(l.learn.mark-5) > 0.01 || l.learn.rate > 5 || l.learn.rate < 4 {
		t.Errorf("300 in a minute: mark %v, pace %v", l.learn.mark, l.learn.rate)
	}
}

// limited is a server that permits so many requests a window of time.
type limited struct {
	mu         sync.Mutex
	allowance  int
	window     time.Duration
	headers    bool
	retryAfter bool

	start             time.Time
	used              int
	served, throttled int
	atOnce, most      int
}

func (l *limited) RoundTrip(*http.Request) (*http.Response, error) {
	l.enter()
	time.Sleep(20 * time.Millisecond)
	return l.answer(), nil
}

func (l *limited) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.atOnce++
	l.most = max(l.most, l.atOnce)
}

func (l *limited) answer() *http.Response {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.atOnce--
	now := time.Now()
	if now.Sub(l.start) >= l.window {
		l.start, l.used = now, 0
	}
	left := l.start.Add(l.window).Sub(now)
	seconds := strconv.Itoa(int(math.Ceil(left.Seconds())))
	if l.used >= l.allowance {
		l.throttled++
		if l.retryAfter {
			return reply(429, "", "Retry-After", seconds)
		}
		return reply(429, "")
	}
	l.used++
	l.served++
	if l.headers {
		return reply(201, user("1"), "inin-ratelimit-count", strconv.Itoa(l.used),
			"inin-ratelimit-allowed", strconv.Itoa(l.allowance), "inin-ratelimit-reset", seconds)
	}
	return reply(201, user("1"))
}

// drive lets the workers create without a pause for so long.
func drive(t *testing.T, c *Client, workers int, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for time.Now().Before(end) {
				if _, err := c.Create(background, Users, []byte(sample)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestPaceAgainstLimits runs sixteen workers for ten minutes of virtual time.
func TestPaceAgainstLimits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server        *limited
		rate          float64
		least         float64 // share of what is permitted
		mostThrottled float64 // share of the answers
	}{
		"own cap":              {&limited{allowance: 1 << 30, window: time.Minute}, 10, 0.99, 0},
		"window, Retry-After":  {&limited{allowance: 300, window: time.Minute, retryAfter: true}, 0, 0.8, 0.03},
		"window, headers":      {&limited{allowance: 300, window: time.Minute, headers: true, retryAfter: true}, 0, 0.9, 0.005},
		"seconds, Retry-After": {&limited{allowance: 50, window: time.Second, retryAfter: true}, 0, 0.7, 0.03},
		"seconds, nothing":     {&limited{allowance: 50, window: time.Second}, 0, 0.7, 0.03},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.server.start = time.Now()
				c := memoryClient(t, tc.server, func(o *Options) { o.Rate = tc.rate })
				const run = 5 * time.Minute
				drive(t, c, 16, run)
				permitted := tc.rate * run.Seconds()
				if permitted == 0 {
					permitted = float64(tc.server.allowance) * float64(run/tc.server.window)
				}
				share := float64(tc.server.served) / permitted
				refused := float64(tc.server.throttled) / float64(tc.server.served+tc.server.throttled)
				t.Logf("%.1f %% of the permitted rate, %.2f %% throttled", 100*share, 100*refused)
				if share < tc.least || tc.rate > 0 && share > 1.01 || refused > tc.mostThrottled {
					t.Errorf("%.1f %% of the permitted rate (want %.1f), %.2f %% throttled (want at most %.2f)",
						100*share, 100*tc.least, 100*refused, 100*tc.mostThrottled)
				}
				if s := c.Stats(); s.Throttled != int64(tc.server.throttled) || s.POST != int64(tc.server.throttled+tc.server.served) {
					t.Errorf("stats %+v, server counted %d and %d", s, tc.server.served, tc.server.throttled)
				}
			})
		})
	}
}

// TestNoStampede: after a hold the workers come back one by one, not all in the
// same instant.
func TestNoStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var during, first, opening int
		var hold, opened time.Time
		server := memory(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			now := time.Now()
			switch {
			case hold.IsZero():
				hold = now.Add(30 * time.Second)
				mu.Unlock()
				return reply(503, "", "Retry-After", "30"), nil
			case now.Equal(hold.Add(-30 * time.Second)): // was under way
			case now.Before(hold):
				during++
			case opened.IsZero():
				first++
				if first > 1 {
					opening++
				}
			}
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			if !time.Now().Before(hold) {
				opened = time.Now()
			}
			mu.Unlock()
			return reply(200, user("1")), nil
		})
		c := memoryClient(t, server)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 5 {
					if _, err := c.Get(background, Users, "1", ReadOptions{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if during != 0 || first != 1 || opening != 0 {
			t.Errorf("%d requests during the hold, %d before its probe was answered", during, first)
		}
	})
}

// TestRandomThrottling: a server that throttles by chance must not drive the
// pace into the ground.
func TestRandomThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var n int
		server := memory(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if n++; n%20 == 0 {
				return reply(429, "", "Retry-After", "0"), nil
			}
			return reply(201, user("1")), nil
		})
		c := memoryClient(t, server)
		start := time.Now()
		for range 2000 {
			if _, err := c.Create(background, Users, []byte(sample)); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > 4*time.Minute { // the pace stays above 8/s
			t.Errorf("2000 creates with one in twenty throttled took %v", d)
		}
	})
}
