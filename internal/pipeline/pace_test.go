package pipeline_test

import (
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
)

// TestPaceOfImports runs whole imports, in virtual time, against directories
// whose limits they do not know.
func TestPaceOfImports(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limit   string
		rows    int
		longest time.Duration // without the limit's burst it is rows over rate
		most    int64         // 429s
	}{
		"bucket":              {"300/1m:bucket=20", 750, 160 * time.Second, 25},
		"fast bucket":         {"20/1s:bucket=40", 1500, 85 * time.Second, 25},
		"window of a minute":  {"300/1m:window", 750, 165 * time.Second, 25},
		"window of ten":       {"100/10s:window", 1000, 120 * time.Second, 25},
		"window of a second":  {"10/1s:window", 750, 110 * time.Second, 25},
		"window, quota at it": {"300/30s:window", 1500, 165 * time.Second, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, sandbox.Options{RateLimit: tc.limit, Latency: 80 * time.Millisecond})
				im, recorded := b.prepare(people(tc.rows, "Agent"), func(im *pipeline.Import) { im.NoBulk = true })
				start := time.Now()
				totals := b.run(im, recorded)
				b.conserves(totals, recorded)
				took, throttled := time.Since(start), im.Client.Stats().Throttled
				t.Logf("%d rows in %v, %d throttled", tc.rows, took.Round(time.Second), throttled)
				if took > tc.longest || throttled > tc.most {
					t.Errorf("want at most %v and %d", tc.longest, tc.most)
				}
			})
		})
	}
}
