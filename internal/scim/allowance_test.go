package scim

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
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
				c := &simCase{text: name, server: quotaServer(tc.rule, tc.limit), workers: 16, most: tc.rule.most}
				if r := c.run(t, 10*time.Minute); r.good < tc.least || r.refused > 0.003 {
					t.Errorf("want at least %.0f %% and at most 0.3 %% 429s: %v", 100*tc.least, r)
				} else {
					t.Log(r)
				}
			})
		})
	}
}

// quotaServer tells in its headers what a rule has left, of a limit; 0 for the
// rule's own.
func quotaServer(rule simRule, limit int) *simServer {
	return &simServer{
		rand: rand.New(rand.NewPCG(1, 2)), network: 60 * time.Millisecond, wander: 20 * time.Millisecond,
		rules: func(string) simRule { return rule }, hint: ceilSeconds,
		quota: func(h http.Header, q simQuota) {
			h.Set("X-RateLimit-Limit", strconv.Itoa(cmp.Or(limit, q.limit)))
			h.Set("X-RateLimit-Remaining", strconv.Itoa(q.left))
			h.Set("X-RateLimit-Reset", ceilSeconds(q.reset))
		},
	}
}

// TestQuotaAfterAPause: a window of which little was used is renewed to what it
// had. After a pause that does not look like a quota which comes back bit by bit,
// and would then be spread over a minute: it is there to be used.
func TestQuotaAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := quotaServer(&simWindow{n: 300, per: time.Minute}, 0)
		client := memoryClient(t, server, func(o *Options) { o.Workers = 4 })
		send := func(n int) {
			if _, err := client.Create(background, Users, []byte(sample)); err != nil {
				t.Errorf("request %d: %v", n, err)
			}
		}
		send(0)
		time.Sleep(70 * time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for n := range 20 {
					send(1 + 20*worker + n)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("80 requests of 300 took %v", took)
		}
	})
}
