package scim

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestQuotaRenewedBitByBit: the headers of buckets and sliding windows have no
// moment at which all is renewed. They are used up to what comes back, and not
// beyond.
func TestQuotaRenewedBitByBit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule  simRule
		limit int // that the headers name, 0 for the rule's own
		least float64
	}{
		"sliding window":                  {newSimSliding(276, time.Minute), 0, 0.93},
		"short sliding window":            {newSimSliding(40, 5*time.Second), 0, 0.9},
		"bucket":                          {newSimBucket(6, 31), 0, 0.97},
		"bucket that is whole in seconds": {newSimBucket(15, 17), 0, 0.95},
		"bucket, limit of a minute":       {newSimBucket(5, 20), 300, 0.97},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &simServer{
					rand: rand.New(rand.NewPCG(1, 2)), network: 60 * time.Millisecond, wander: 20 * time.Millisecond,
					rules: func(string) simRule { return tc.rule }, hint: ceilSeconds,
					quota: func(h http.Header, q simQuota) {
						if tc.limit > 0 {
							q.limit = tc.limit
						}
						h.Set("X-RateLimit-Limit", strconv.Itoa(q.limit))
						h.Set("X-RateLimit-Remaining", strconv.Itoa(q.left))
						h.Set("X-RateLimit-Reset", ceilSeconds(q.reset))
					},
				}
				c := &simCase{text: name, server: server, workers: 16, most: tc.rule.most}
				if r := c.run(t, 10*time.Minute); r.good < tc.least || r.refused > 0.003 {
					t.Errorf("want at least %.0f %% and at most 0.3 %% 429s: %v", 100*tc.least, r)
				} else {
					t.Log(r)
				}
			})
		})
	}
}
