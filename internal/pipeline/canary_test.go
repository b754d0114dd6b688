package pipeline_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
)

// TestSilentFiltersMakeNoTwins: a create in doubt is not sent again because a
// filter that does not work has found nobody.
func TestSilentFiltersMakeNoTwins(t *testing.T) {
	lost := []string{"reset-after-commit=0.4", "reset-before-commit=0.2"}
	quoted := strings.ReplaceAll(people(40, "Agent"), "@", "'@")
	tests := []struct {
		name   string
		text   string
		seed   int
		faults []string
	}{
		{"every filter", people(40, "Agent"), 20, []string{"non-unique", "empty-filter"}},
		{"every filter, and nobody was there", people(40, "Agent"), 0, []string{"non-unique", "empty-filter"}},
		{"filters with quotes", quoted, 20, []string{"non-unique", "quote-in-filter=empty"}},
		{"filters that are ignored", people(40, "Agent"), 20, []string{"non-unique", "ignore-filter"}},
		{"filters that work", people(40, "Agent"), 20, []string{"non-unique"}},
		{"every filter, where keys are unique", people(40, "Agent"), 20, []string{"empty-filter"}},
	}
	for _, tc := range tests {
		for _, lookup := range []string{pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupNone, pipeline.LookupDirectory} {
			if lookup == pipeline.LookupEach && strings.HasSuffix(tc.name, "ignored") {
				continue // it stops before anything is sent
			}
			t.Run(tc.name+"/"+lookup, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, sandbox.Options{Seed: tc.seed, Faults: append(tc.faults, lost...), FaultSeed: 5})
					im, recorded := b.prepare(tc.text, func(im *pipeline.Import) { im.Lookup = lookup })
					totals := b.run(im, recorded)
					time.Sleep(time.Hour)
					checkCommits(t, b, recorded, "create", pipeline.Created)
					if got := totals.Counts[pipeline.Created]; got != 40 {
						t.Errorf("%v of 40 people, %s", totals.Counts, totals.Lookup)
					}
				})
			})
		}
	}
}

// TestACanaryIsAskedOnce: what shows that filters work costs three requests a
// run, not three a row.
func TestACanaryIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{Seed: 20, Faults: []string{"non-unique", "reset-before-commit=0.5"}, FaultSeed: 5})
		im, recorded := b.prepare(people(40, "Agent"), func(im *pipeline.Import) { im.Lookup = pipeline.LookupEach })
		totals := b.run(im, recorded)
		sent := im.Client.Stats()
		reads, writes := sent.GET, sent.POST
		if totals.Counts[pipeline.Created] != 40 || writes < 50 {
			t.Fatalf("%v after %d writes", totals.Counts, writes)
		}
		if again := writes - 40; reads > 40+2*again+3 {
			t.Errorf("%d reads for 40 rows of which %d were in doubt", reads, again)
		}
	})
}
