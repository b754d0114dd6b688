package pipeline_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

var paceSeed = flag.Uint64("pace.seed", 8, "seed of the limits that TestPaceOfRuns draws")

// TestPaceOfRuns runs whole imports and exports, in virtual time, against
// directories whose limits they do not know.
func TestPaceOfRuns(t *testing.T) {
	t.Parallel()
	for i := range unlessLong(12, 200) {
		c := drawPaceCase(rand.New(rand.NewPCG(*paceSeed, uint64(i))), i%3 == 2)
		t.Run(c.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				stats := c.run(t)
				c.judge(t, time.Since(start), stats)
			})
		})
	}
}

// A paceCase is a limit, what the directory tells of it, and a run against it.
type paceCase struct {
	export   bool
	rate     float64 // permitted requests a second, over time
	limit    string
	per      time.Duration // of a window
	faults   []string
	tells    string
	requests int // what the run takes at the least
}

func (c *paceCase) String() string {
	kind := "import"
	if c.export {
		kind = "export"
	}
	return fmt.Sprintf("%s, %s, %s", kind, c.limit, c.tells)
}

// drawPaceCase draws a limit from ranges, and makes the run last about two
// minutes.
func drawPaceCase(r *rand.Rand, export bool) *paceCase {
	c := &paceCase{export: export, rate: 2 * math.Pow(4, r.Float64())}
	if r.IntN(2) == 0 {
		n := int(60 * c.rate)
		c.limit = fmt.Sprintf("%d/1m:bucket=%d", n, 5+r.IntN(int(8*c.rate)))
		c.rate = float64(n) / 60
	} else {
		c.per = []time.Duration{5, 10, 30, 60}[r.IntN(4)] * time.Second
		n := int(c.rate * c.per.Seconds())
		c.limit = fmt.Sprintf("%d/%v:window", n, c.per)
		c.rate = float64(n) / c.per.Seconds()
	}
	told := []struct {
		tells  string
		faults []string
	}{
		{"its quota", nil},
		{"a time to come back", []string{"no-quota-headers"}},
		{"nothing", []string{"no-quota-headers", "retry-after=none"}},
	}[r.IntN(3)]
	c.tells, c.faults = told.tells, told.faults
	c.requests = int(120 * c.rate)
	return c
}

// run carries the run out and tells what it sent.
func (c *paceCase) run(t *testing.T) scim.Stats {
	const page = 3
	o := sandbox.Options{RateLimit: c.limit, Latency: 80 * time.Millisecond, Faults: c.faults}
	if c.export {
		o.Seed, o.PageCap = page*c.requests, page
	}
	b := newBench(t, o)
	if !c.export {
		im, recorded := b.prepare(people(c.requests, "Agent"), func(im *pipeline.Import) { im.NoBulk = true })
		b.conserves(b.run(im, recorded), recorded)
		return im.Client.Stats()
	}
	im, _ := b.prepare("userName\nx\n", nil)
	people := 0
	e := &pipeline.Export{
		Client: im.Client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude, Workers: 4, Meter: &pipeline.Meter{},
	}
	listing, err := e.Run(t.Context(), func(scim.Resource) error {
		people++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !listing.Whole() || people != o.Seed {
		t.Errorf("%d of %d people, gaps %q", people, o.Seed, listing.Gaps)
	}
	return im.Client.Stats()
}

// judge allows for what it takes to find the limit, most of it where nothing is
// told, and for a window that has nothing left at the end.
func (c *paceCase) judge(t *testing.T, took time.Duration, stats scim.Stats) {
	t.Helper()
	const slower, most, few = 1.3, 0.03, 10
	longest := time.Duration(slower*float64(stats.Total)/c.rate)*time.Second + 2*c.per + 10*time.Second
	t.Logf("%d requests in %v, %.0f %% of what is permitted, %d throttled", stats.Total, took.Round(time.Second),
		100*float64(stats.Total-stats.Throttled)/(c.rate*took.Seconds()), stats.Throttled)
	if int(stats.Total) < c.requests {
		t.Errorf("%d requests, at least %d were to be sent", stats.Total, c.requests)
	}
	if refused := int64(few + most*float64(stats.Total)); took > longest || stats.Throttled > refused {
		t.Errorf("want at most %v and %d", longest, refused)
	}
}
