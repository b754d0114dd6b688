package scim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The measure of the pace: clients against servers in memory whose limits they
// do not know, in virtual time. Limits are drawn from ranges; those of tuningSeed
// were looked at while the controller was made, those of heldOutSeed were not.
const (
	tuningSeed  = 1
	heldOutSeed = 20_261_122
)

var (
	ratesSeed  = flag.Uint64("rates.seed", heldOutSeed, "seed of the limits that TestRateTable draws")
	ratesCases = flag.Int("rates.cases", 0, "cases of each kind for TestRateTable; 0 skips it")
	ratesOnly  = flag.String("rates.only", "", "kinds of limits, by a part of their names")
	ratesRun   = flag.Duration("rates.run", 30*time.Minute, "virtual time of a case")
	ratesOut   = flag.String("rates.out", "", "write the table to this file")
)

// simResult is what came of a case.
type simResult struct {
	text          string
	good, refused float64 // share of what an ideal client gets; of 429s in all answers
	served        int
}

func (r simResult) String() string {
	return fmt.Sprintf("goodput %6.2f %%, 429s %6.3f %%, %d taken: %s", 100*r.good, 100*r.refused, r.served, r.text)
}

// run lets the workers of a client send without a pause for so long.
func (c *simCase) run(t *testing.T, d time.Duration) simResult {
	client := memoryClient(t, c.server, func(o *Options) { o.Workers, o.Rate = c.workers, c.rate })
	start := time.Now()
	end := start.Add(d)
	var wg sync.WaitGroup
	for i := range c.workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for time.Now().Before(end) {
				if err := c.once(client, r); err != nil {
					t.Errorf("%s: %v", c.text, err)
					return
				}
			}
		})
	}
	time.Sleep(d)
	c.server.mu.Lock()
	served, refused := float64(c.server.served), float64(c.server.throttled)
	most := c.most(start, end)
	c.server.mu.Unlock()
	wg.Wait()
	return simResult{c.text, served / most, refused / (served + refused), int(served)}
}

func (c *simCase) once(client *Client, r *rand.Rand) error {
	if c.work != nil {
		return c.work(client, r)
	}
	_, err := client.Create(background, Users, []byte(sample))
	return err
}

// results runs cases of a group, each in a bubble of its own.
func (g simGroup) results(t *testing.T, seed uint64, cases int, d time.Duration) []simResult {
	var results []simResult
	for i := range cases {
		synctest.Test(t, func(t *testing.T) {
			results = append(results, g.drawCase(seed, i).run(t, d))
		})
		t.Log(results[i])
	}
	return results
}

// TestRates runs one case of each kind for a short while. Its bounds are far
// from the targets: they find what has gone wrong, not what has got worse.
func TestRates(t *testing.T) {
	t.Parallel()
	for _, g := range simGroups() {
		t.Run(g.name, func(t *testing.T) {
			for _, r := range g.results(t, tuningSeed, 1, 5*time.Minute) {
				if r.good < g.loose.good || r.good > 1.01 || r.refused > g.loose.refused {
					t.Errorf("want at least %.0f %% and at most %.1f %% 429s: %v", 100*g.loose.good, 100*g.loose.refused, r)
				}
			}
		})
	}
}

// TestRateTable makes the table of docs/pacing.md.
func TestRateTable(t *testing.T) {
	if *ratesCases == 0 {
		t.Skip("a matter of minutes: -rates.cases 20")
	}
	table := "| limit | cases | goodput, median (worst) | target | 429s, median (worst) | target |\n| --- | --- | --- | --- | --- | --- |\n"
	for _, g := range simGroups() {
		if !strings.Contains(g.name, *ratesOnly) {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			table += g.row(g.results(t, *ratesSeed, *ratesCases, *ratesRun))
		})
	}
	t.Log("\n" + table)
	if *ratesOut == "" {
		return
	}
	head := fmt.Sprintf("%d kinds of limits, %d cases of each drawn from seed %d, %v of virtual time\n\n", len(simGroups()), *ratesCases, *ratesSeed, *ratesRun)
	if err := os.WriteFile(*ratesOut, []byte(head+table), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (g simGroup) row(results []simResult) string {
	var good, refused []float64
	for _, r := range results {
		good, refused = append(good, r.good), append(refused, r.refused)
	}
	slices.Sort(good)
	slices.Sort(refused)
	n := len(results)
	return fmt.Sprintf("| %s | %d | %.1f %% (%.1f %%) | %s | %.2f %% (%.2f %%) | %s |\n",
		g.name, n, 100*good[n/2], 100*good[0], g.target("≥", g.median.good, g.worst.good),
		100*refused[n/2], 100*refused[n-1], g.target("≤", g.median.refused, g.worst.refused))
}

func (simGroup) target(sign string, median, worst float64) string {
	switch {
	case median == 0:
		return ""
	case worst == 0:
		return fmt.Sprintf("%s %.4g %%", sign, 100*median)
	}
	return fmt.Sprintf("%s %.4g %% (%.4g %%)", sign, 100*median, 100*worst)
}
