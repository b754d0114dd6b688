package scim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A simServer is a directory in memory that admits requests by rules that the
// client does not know. Time is virtual.
type simServer struct {
	rand    *rand.Rand
	network time.Duration // there and back, at least
	wander  time.Duration // on the average, on top
	service time.Duration // what the directory itself takes, twice that at most
	rules   func(method string) simRule
	hint    func(wait time.Duration) string // of a 429's Retry-After, "" for none
	quota   func(h http.Header, q simQuota)
	noise   float64 // the share of requests refused without a reason

	mu                sync.Mutex
	served, throttled int
	started           time.Time
}

// A simRule says whether a request may pass at the time now, and if not, when
// one might.
type simRule interface {
	take(now time.Time) (wait time.Duration, ok bool)
	// most is what an ideal client that knows the rule gets in a run.
	most(start, end time.Time) float64
}

// simQuota is what a rule's headers tell.
type simQuota struct {
	limit, left int
	reset       time.Duration
}

func (s *simServer) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.leg())
	status, h := s.decide(r.Method)
	time.Sleep(s.leg())
	resp := reply(status, "")
	if status < 300 {
		resp = reply(status, simUser)
	}
	resp.Header, resp.Request = h, r
	return resp, nil
}

var simUser = user("1")

func (s *simServer) leg() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network/2 + time.Duration(s.rand.ExpFloat64()*float64(s.wander)/2)
}

func (s *simServer) decide(method string) (int, http.Header) {
	rule := s.rules(method)
	s.mu.Lock()
	now := time.Now()
	h := http.Header{}
	wait, ok := rule.take(now)
	if ok && s.rand.Float64() < s.noise {
		wait, ok = time.Second, false
	}
	if metered, has := rule.(interface{ left(time.Time) simQuota }); has && s.quota != nil {
		s.quota(h, metered.left(now))
	}
	if !ok {
		defer s.mu.Unlock()
		s.throttled++
		if s.hint != nil {
			if v := s.hint(wait); v != "" {
				h.Set("Retry-After", v)
			}
		}
		return http.StatusTooManyRequests, h
	}
	s.served++
	service := time.Duration((0.5 + s.rand.Float64()) * float64(s.service))
	s.mu.Unlock()
	if service > 0 {
		time.Sleep(service)
	}
	if held, has := rule.(*simFlight); has {
		s.mu.Lock()
		held.n--
		s.mu.Unlock()
	}
	return http.StatusCreated, h
}

// simBucket is a token bucket.
type simBucket struct {
	rate, burst, tokens float64
	last                time.Time
}

func newSimBucket(rate, burst float64) *simBucket {
	return &simBucket{rate: rate, burst: burst, tokens: burst}
}

func (b *simBucket) fill(now time.Time) {
	if !b.last.IsZero() {
		b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
}

func (b *simBucket) take(now time.Time) (time.Duration, bool) {
	b.fill(now)
	if b.tokens+1e-9 < 1 {
		return time.Duration((1 - b.tokens) / b.rate * 1e9), false
	}
	b.tokens--
	return 0, true
}

func (b *simBucket) left(now time.Time) simQuota {
	b.fill(now)
	return simQuota{limit: int(b.burst), left: int(b.tokens), reset: time.Duration((b.burst - b.tokens) / b.rate * 1e9)}
}

func (b *simBucket) most(start, end time.Time) float64 {
	return b.burst + b.rate*end.Sub(start).Seconds()
}

// simWindow admits n in each window of time: by the clock where origin is set,
// else beginning with the first request.
type simWindow struct {
	n       int
	per     time.Duration
	aligned bool

	start time.Time
	used  int
}

func (w *simWindow) roll(now time.Time) {
	if w.start.IsZero() {
		w.start = now
	}
	for now.Sub(w.start) >= w.per {
		w.used = 0
		if !w.aligned {
			w.start = now
			return
		}
		w.start = w.start.Add(w.per)
	}
}

func (w *simWindow) take(now time.Time) (time.Duration, bool) {
	w.roll(now)
	if w.used >= w.n {
		return w.per - now.Sub(w.start), false
	}
	w.used++
	return 0, true
}

func (w *simWindow) left(now time.Time) simQuota {
	w.roll(now)
	return simQuota{limit: w.n, left: w.n - w.used, reset: w.per - now.Sub(w.start)}
}

// most counts the windows that the run touches.
func (w *simWindow) most(start, end time.Time) float64 {
	run, offset := end.Sub(start), time.Duration(0)
	if w.aligned {
		for w.start.After(start) {
			w.start = w.start.Add(-w.per)
		}
		offset = start.Sub(w.start) % w.per
	}
	return float64(w.n) * math.Ceil(float64(run+offset)/float64(w.per))
}

// simSliding admits n in any stretch of time.
type simSliding struct {
	n    int
	per  time.Duration
	ring []time.Time
	next int
}

func newSimSliding(n int, per time.Duration) *simSliding {
	return &simSliding{n: n, per: per, ring: make([]time.Time, n)}
}

func (s *simSliding) take(now time.Time) (time.Duration, bool) {
	if oldest := s.ring[s.next]; !oldest.IsZero() && now.Sub(oldest) < s.per {
		return s.per - now.Sub(oldest), false
	}
	s.ring[s.next] = now
	s.next = (s.next + 1) % s.n
	return 0, true
}

func (s *simSliding) left(now time.Time) simQuota {
	q := simQuota{limit: s.n}
	for _, at := range s.ring {
		age := now.Sub(at)
		if at.IsZero() || age >= s.per {
			q.left++
		} else {
			q.reset = max(q.reset, s.per-age)
		}
	}
	return q
}

func (s *simSliding) most(start, end time.Time) float64 {
	return float64(s.n) * math.Ceil(float64(end.Sub(start))/float64(s.per))
}

// simFlight admits n at once.
type simFlight struct {
	n, limit int
	service  time.Duration
}

func (f *simFlight) take(time.Time) (time.Duration, bool) {
	if f.n >= f.limit {
		return f.service, false
	}
	f.n++
	return 0, true
}

func (f *simFlight) most(start, end time.Time) float64 {
	return float64(f.limit) * float64(end.Sub(start)) / float64(f.service)
}

// simSteps changes the rule at set times.
type simSteps struct {
	start time.Time
	at    []time.Duration // when the rules after the first begin
	rules []simRule
}

func (s *simSteps) now(now time.Time) int {
	i := 0
	for i < len(s.at) && now.Sub(s.start) >= s.at[i] {
		i++
	}
	return i
}

func (s *simSteps) take(now time.Time) (time.Duration, bool) { return s.rules[s.now(now)].take(now) }

func (s *simSteps) most(start, end time.Time) (sum float64) {
	from := start
	for i, r := range s.rules {
		to := end
		if i < len(s.at) && s.start.Add(s.at[i]).Before(end) {
			to = s.start.Add(s.at[i])
		}
		if !from.Before(end) {
			break
		}
		sum += r.most(from, to)
		from = to
	}
	return sum
}

// simShared lets others take from a rule, too: on and off, at a pace of their
// own.
type simShared struct {
	rule     simRule
	pace     float64
	on, off  time.Duration
	start    time.Time
	last     time.Time
	owed     float64
	admitted float64
}

func (s *simShared) take(now time.Time) (time.Duration, bool) {
	s.others(now)
	return s.rule.take(now)
}

// others makes the requests that were due since the last of ours.
func (s *simShared) others(now time.Time) {
	const step = 50 * time.Millisecond
	for ; now.Sub(s.last) >= step; s.last = s.last.Add(step) {
		if s.last.Sub(s.start)%(s.on+s.off) >= s.on {
			continue
		}
		for s.owed += s.pace * step.Seconds(); s.owed >= 1; s.owed-- {
			if _, ok := s.rule.take(s.last); ok {
				s.admitted++
			}
		}
	}
}

func (s *simShared) most(start, end time.Time) float64 { return s.rule.most(start, end) - s.admitted }

// simMethods has a rule for each method.
type simMethods map[string]simRule

// simCase is one drawn case.
type simCase struct {
	text    string
	server  *simServer
	workers int
	// most is what an ideal client gets by the end.
	most func(start, end time.Time) float64
	// work is what a worker does over and over; nil is creating.
	work func(c *Client, r *rand.Rand) error
	rate float64 // --rate
}

// simGroup draws cases of one kind.
type simGroup struct {
	name string
	draw func(r *rand.Rand, s *simServer) (rule simRule, text string)
	// Targets over thirty minutes, 0 for none; and the bounds of the short test.
	median, worst, loose simBounds
}

// simBounds are the least goodput and the largest share of 429s.
type simBounds struct{ good, refused float64 }

func simGroups() []simGroup {
	none := simBounds{}
	return []simGroup{
		{"token bucket", drawBucketCase, simBounds{.99, .004}, simBounds{.97, .008}, simBounds{.90, .05}},
		{"window, Retry-After", drawHinted, simBounds{.97, .004}, simBounds{.93, .01}, simBounds{.85, .03}},
		{"quota headers", drawQuota, simBounds{.97, .0005}, simBounds{.95, .003}, simBounds{.90, .01}},
		{"window, bare 429s", drawWindowCase, simBounds{.95, .007}, simBounds{.90, .015}, simBounds{.75, .05}},
		{"steps of a bucket", drawSteps, simBounds{good: .90}, none, simBounds{.70, .03}},
		{"so many at once", drawFlight, simBounds{.80, .01}, none, simBounds{.50, .02}},
		{"windows of a second", drawSeconds, none, none, simBounds{.60, .03}},
		{"hints too short", drawShort, none, none, simBounds{.70, .05}},
		{"other clients", drawShared, none, none, simBounds{.40, .10}},
		{"a limit a method", drawMethods, none, none, simBounds{.45, .05}},
		{"by chance", drawChance, none, none, simBounds{0.02, .35}},
		{"by chance, and a bucket", drawChanceAndLimit, none, none, simBounds{.10, .60}},
	}
}

// between draws evenly on the scale of logarithms.
func between(r *rand.Rand, low, high float64) float64 {
	return low * math.Exp(r.Float64()*math.Log(high/low))
}

func ceilSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// drawCase makes a case of the group; it must run inside the bubble.
func (g simGroup) drawCase(seed uint64, i int) *simCase {
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	s := &simServer{rand: r, started: time.Now()}
	s.network = time.Duration(between(r, 20, 120)) * time.Millisecond
	s.wander = time.Duration(between(r, 10, 80)) * time.Millisecond
	c := &simCase{server: s, workers: 16}
	rule, text := g.draw(r, s)
	if s.rules == nil {
		s.rules = func(string) simRule { return rule }
		c.most = rule.most
	}
	switch rule := rule.(type) {
	case *simFlight:
		c.workers = 32
	case simRuleSet:
		c.most, c.work = rule.most, rule.work
	}
	if s.noise > 0 {
		// An ideal client lets a request that was refused wait as long as its
		// answer says, and no other.
		whole := c.most
		c.most = func(a, b time.Time) float64 {
			each := ((s.network + s.wander).Seconds() + s.noise*1) / (1 - s.noise)
			open := float64(c.workers) * b.Sub(a).Seconds() / each
			if whole == nil {
				return open
			}
			return min(open, whole(a, b)*(1-s.noise))
		}
	}
	c.text = text
	return c
}

func drawBucket(r *rand.Rand) (*simBucket, string) {
	rate := between(r, 1, 40)
	burst := math.Round(max(5, rate*between(r, 1, 10)))
	return newSimBucket(rate, burst), fmt.Sprintf("bucket %.3g/s burst %g", rate, burst)
}

func drawBucketCase(r *rand.Rand, s *simServer) (simRule, string) {
	b, text := drawBucket(r)
	if r.IntN(2) == 0 {
		s.hint = ceilSeconds
		text += ", Retry-After"
	}
	return b, text
}

func drawWindow(r *rand.Rand) (simRule, string) {
	per := []time.Duration{5, 10, 15, 30, 60}[r.IntN(5)] * time.Second
	rate := between(r, 1, 40)
	n := max(5, int(rate*per.Seconds()))
	switch r.IntN(3) {
	case 0:
		return newSimSliding(n, per), fmt.Sprintf("sliding %d/%v", n, per)
	case 1:
		return &simWindow{n: n, per: per}, fmt.Sprintf("window %d/%v from the first", n, per)
	default:
		offset := time.Duration(r.Float64() * float64(per))
		return &simWindow{n: n, per: per, aligned: true, start: time.Now().Add(-offset)},
			fmt.Sprintf("window %d/%v, %.1fs gone", n, per, offset.Seconds())
	}
}

func drawHinted(r *rand.Rand, s *simServer) (simRule, string) {
	s.hint = ceilSeconds
	return drawWindow(r)
}

func drawWindowCase(r *rand.Rand, _ *simServer) (simRule, string) { return drawWindow(r) }

func drawQuota(r *rand.Rand, s *simServer) (simRule, string) {
	s.hint = ceilSeconds
	forms := []func(http.Header, simQuota){
		func(h http.Header, q simQuota) {
			h.Set("inin-ratelimit-allowed", strconv.Itoa(q.limit))
			h.Set("inin-ratelimit-count", strconv.Itoa(q.limit-q.left))
			h.Set("inin-ratelimit-reset", ceilSeconds(q.reset))
		},
		func(h http.Header, q simQuota) {
			h.Set("X-Rate-Limit-Limit", strconv.Itoa(q.limit))
			h.Set("X-Rate-Limit-Remaining", strconv.Itoa(q.left))
			h.Set("X-Rate-Limit-Reset", strconv.FormatInt(int64(math.Ceil(float64(time.Now().Add(q.reset).UnixMilli())/1e3)), 10))
		},
		func(h http.Header, q simQuota) {
			h.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d`, q.limit))
			h.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%s`, q.left, ceilSeconds(q.reset)))
		},
	}
	s.quota = forms[r.IntN(len(forms))]
	if r.IntN(3) == 0 {
		return drawBucket(r)
	}
	return drawWindow(r)
}

func drawSteps(r *rand.Rand, s *simServer) (simRule, string) {
	if r.IntN(2) == 0 {
		s.hint = ceilSeconds
	}
	steps := &simSteps{start: time.Now(), at: []time.Duration{
		time.Duration(8+4*r.Float64()) * time.Minute, time.Duration(18+4*r.Float64()) * time.Minute,
	}}
	rate := between(r, 3, 20)
	text := "bucket"
	for i := range 3 {
		if i > 0 {
			factor := between(r, 1.3, 4)
			if rate*factor > 40 || r.IntN(2) == 0 && rate/factor > 1 {
				factor = 1 / factor
			}
			rate *= factor
		}
		b := newSimBucket(rate, max(5, rate*2))
		if i > 0 {
			b.tokens = 0
		}
		steps.rules = append(steps.rules, b)
		text += fmt.Sprintf(" %.3g/s", rate)
	}
	return steps, text
}

func drawFlight(r *rand.Rand, s *simServer) (simRule, string) {
	s.network = time.Duration(between(r, 2, 20)) * time.Millisecond
	s.wander = s.network / 4
	s.service = time.Duration(between(r, 80, 300)) * time.Millisecond
	if r.IntN(2) == 0 {
		s.hint = func(time.Duration) string { return "1" }
	}
	f := &simFlight{limit: 4 + r.IntN(21), service: s.service}
	return f, fmt.Sprintf("%d at once, %v each", f.limit, f.service)
}

func drawSeconds(r *rand.Rand, s *simServer) (simRule, string) {
	if r.IntN(2) == 0 {
		s.hint = ceilSeconds
	}
	n := int(between(r, 5, 50))
	if r.IntN(2) == 0 {
		return newSimSliding(n, time.Second), fmt.Sprintf("sliding %d/1s", n)
	}
	return &simWindow{n: n, per: time.Second, aligned: true, start: time.Now()}, fmt.Sprintf("window %d/1s", n)
}

func drawShort(r *rand.Rand, s *simServer) (simRule, string) {
	share := 0.7 * r.Float64()
	s.hint = func(d time.Duration) string { return strconv.Itoa(int(share * d.Seconds())) }
	rule, text := drawWindow(r)
	return rule, fmt.Sprintf("%s, hints %.2f of the truth", text, share)
}

func drawShared(r *rand.Rand, s *simServer) (simRule, string) {
	if r.IntN(2) == 0 {
		s.hint = ceilSeconds
	}
	b, text := drawBucket(r)
	now := time.Now()
	shared := &simShared{rule: b, pace: b.rate * (0.2 + 0.5*r.Float64()), start: now, last: now,
		on: time.Duration(between(r, 20, 600)) * time.Second, off: time.Duration(between(r, 20, 600)) * time.Second}
	return shared, fmt.Sprintf("%s, others %.2g/s for %v of %v", text, shared.pace, shared.on, shared.on+shared.off)
}

// simRuleSet is a limit for each method, and workers that use several.
type simRuleSet struct {
	simMethods
	deletes, patches float64 // share of the writes
}

func (simRuleSet) take(time.Time) (time.Duration, bool) { panic("by method") }

// most is bounded by the method that runs out first, as the workers mix them in
// fixed shares.
func (m simRuleSet) most(start, end time.Time) float64 {
	return min(m.simMethods["DELETE"].most(start, end)/m.deletes, m.simMethods["PATCH"].most(start, end)/m.patches,
		m.simMethods["POST"].most(start, end)/(1-m.deletes-m.patches))
}

func (m simRuleSet) work(c *Client, r *rand.Rand) (err error) {
	switch x := r.Float64(); {
	case x < m.deletes:
		_, err = c.Delete(background, Users, "1", "")
	case x < m.deletes+m.patches:
		_, err = c.Patch(background, Users, "1", []byte(sample), "")
	default:
		_, err = c.Create(background, Users, []byte(sample))
	}
	return err
}

func drawMethods(r *rand.Rand, s *simServer) (simRule, string) {
	per := 30 * time.Second
	set := simRuleSet{simMethods: simMethods{}, deletes: 0.05, patches: 0.1 + 0.4*r.Float64()}
	scale := between(r, 0.3, 2)
	text := "each 30s:"
	for _, m := range []struct {
		method string
		n      float64
	}{{"POST", 200}, {"PATCH", 100}, {"DELETE", 20}} {
		n := int(m.n * scale)
		set.simMethods[m.method] = &simWindow{n: n, per: per}
		text += fmt.Sprintf(" %s %d", m.method, n)
	}
	s.hint = ceilSeconds
	s.rules = func(method string) simRule { return set.simMethods[method] }
	return set, fmt.Sprintf("%s, %.0f %% patches", text, 100*set.patches)
}

// simOpen has no limit.
type simOpen struct{}

func (simOpen) take(time.Time) (time.Duration, bool) { return 0, true }
func (simOpen) most(a, b time.Time) float64          { return math.Inf(1) }

func drawChance(r *rand.Rand, s *simServer) (simRule, string) {
	s.hint = ceilSeconds
	s.noise = between(r, 0.01, 0.3)
	return simOpen{}, fmt.Sprintf("%.1f %% refused", 100*s.noise)
}

func drawChanceAndLimit(r *rand.Rand, s *simServer) (simRule, string) {
	s.hint = ceilSeconds
	s.noise = between(r, 0.01, 0.2)
	b, text := drawBucket(r)
	// A request that is refused by chance has taken its token.
	return b, fmt.Sprintf("%s, %.1f %% refused", text, 100*s.noise)
}
