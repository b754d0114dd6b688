package pipeline_test

import (
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestAheadSavesARoundTrip counts the requests of exports whose first page was
// read ahead: none more where the guess was right, one where it was not.
func TestAheadSavesARoundTrip(t *testing.T) {
	const people = 300
	requests := func(t *testing.T, c pipeline.Config, attributes []string, ahead bool) int64 {
		b := newBench(t, sandbox.Options{Seed: people, PageCap: 50})
		im, _ := b.prepare("userName\nx\n", nil)
		e := &pipeline.Export{
			Client: im.Client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude, Attributes: attributes,
			Workers: 4, Meter: &pipeline.Meter{}, Thorough: true,
		}
		before := im.Client.Stats().Total
		if ahead {
			e.Ahead(t.Context())
		}
		e.Config = c
		seen := map[string]bool{}
		listing, err := e.Run(t.Context(), func(r scim.Resource) error {
			seen[r.ID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != people || !listing.Whole() {
			t.Errorf("%d of %d people, %v", len(seen), people, listing.Gaps)
		}
		return im.Client.Stats().Total - before
	}
	for _, tc := range []struct {
		name       string
		config     pipeline.Config
		attributes []string
		vain       int64
	}{
		{"it sorts", pipeline.Config{Sort: true}, nil, 0},
		{"it sorts, some attributes", pipeline.Config{Sort: true}, []string{"userName"}, 0},
		{"it does not sort", pipeline.Config{}, nil, 1},
		{"its pages are smaller", pipeline.Config{Sort: true, MaxPage: 50}, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			had, has := requests(t, tc.config, tc.attributes, false), requests(t, tc.config, tc.attributes, true)
			if has-had != tc.vain {
				t.Errorf("%d requests, %d with the first page read ahead; want %d in vain", had, has, tc.vain)
			}
		})
	}
}
