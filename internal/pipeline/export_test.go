package pipeline_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestExportsAreWholeOrSaySo exports from directories that misbehave, alone and
// together: whatever they do, an export that has no gaps holds everybody, once.
func TestExportsAreWholeOrSaySo(t *testing.T) {
	t.Parallel()
	const people, page = 104, 30
	for _, tc := range []struct {
		faults []string
		whole  bool // the export must find everybody in spite of it
	}{
		{nil, true},
		{[]string{"short-pages=3"}, true},
		{[]string{"capped-total=50"}, true},
		{[]string{"total-is-page"}, true},
		{[]string{"count-zero-all"}, true},
		{[]string{"echo-items-per-page", "odd-start-index=0"}, true},
		{[]string{"null-resources=null"}, true},
		{[]string{"wrap-pages"}, true},
		{[]string{"ignore-attributes"}, true},
		{[]string{"5xx-before-commit=0.5"}, true}, // strikes writes only
		{[]string{"throttle=0.02"}, true},
		{[]string{"short-pages=7", "capped-total=50", "null-resources=absent"}, true},
		{[]string{"ignore-start-index"}, true}, // by cursor
		{[]string{"ignore-start-index", "capped-total=50"}, false},
		{[]string{"ignore-start-index", "total-is-page"}, false},
		{[]string{"ignore-start-index", "total-is-page", "ignore-count"}, false},
		{[]string{"unstable-order"}, false},
		{[]string{"unstable-order", "capped-total=50"}, false},
		{[]string{"unstable-order", "total-is-page"}, false},
	} {
		t.Run(fmt.Sprint(tc.faults), func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: people, PageCap: page, Faults: tc.faults})
			im, _ := b.prepare("userName\nx\n", nil)
			seen := map[string]int{}
			e := &pipeline.Export{
				Client: im.Client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude, Workers: 4, Meter: &pipeline.Meter{},
			}
			listing, err := e.Run(t.Context(), func(r scim.Resource) error {
				seen[r.ID]++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for id, n := range seen {
				if n > 1 {
					t.Errorf("%s came %d times", id, n)
				}
			}
			if listing.Whole() && len(seen) != people {
				t.Errorf("called whole with %d of %d people (claimed %d, %s: %q)", len(seen), people, listing.Claimed, listing.Grade, listing.Reasons)
			}
			if tc.whole && (!listing.Whole() || len(seen) != people) {
				t.Errorf("%d people, gaps %q", len(seen), listing.Gaps)
			}
		})
	}
}

// TestExportsByCursor exports from directories that announce cursors, and keep
// less than they announce.
func TestExportsByCursor(t *testing.T) {
	const people = 45
	for _, tc := range []struct {
		name    string
		faults  []string
		refuses func(url.Values) bool
	}{
		{"pages by cursor alone", nil, func(q url.Values) bool { return !q.Has("cursor") }},
		{"no page of none", nil, func(q url.Values) bool { return q.Get("count") == "0" }},
		{"announced, and not there", []string{"no-cursor"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: people, PageCap: 17, Faults: tc.faults})
			im, _ := b.prepare("userName\nx\n", nil)
			client, err := scim.New(scim.Options{
				BaseURL: "http://127.0.0.1" + b.box.BasePath(), Profile: im.Profile, Workers: 1,
				Transport: choosy{b.box.Transport(), tc.refuses},
			})
			if err != nil {
				t.Fatal(err)
			}
			e := &pipeline.Export{
				Client: client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude, Workers: 1, Meter: &pipeline.Meter{},
				Thorough: true, Config: pipeline.Config{CursorsOnly: true},
			}
			seen := map[string]bool{}
			listing, err := e.Run(t.Context(), func(r scim.Resource) error {
				seen[r.ID] = true
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !listing.Whole() || len(seen) != people {
				t.Errorf("%d of %d people, gaps %q", len(seen), people, listing.Gaps)
			}
		})
	}
}

// choosy answers 400 to some of the queries.
type choosy struct {
	http.RoundTripper
	refuses func(url.Values) bool
}

func (r choosy) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.refuses == nil || !r.refuses(req.URL.Query()) {
		return r.RoundTripper.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Request: req, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/scim+json"}},
		Body:   io.NopCloser(strings.NewReader(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","detail":"not so"}`)),
	}, nil
}
