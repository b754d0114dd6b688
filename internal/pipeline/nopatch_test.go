package pipeline_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestNoPatch updates people of directories that have no PATCH, whether they say
// so or refuse it: each by a PUT that keeps all that the rows do not name.
func TestNoPatch(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  string
		people int
		asked  string // a request that is not made
		change func(*pipeline.Import)
	}{
		{"said, few, looked up", "said", 3, "GET /ServiceProviderConfig", func(im *pipeline.Import) { im.Lookup = pipeline.LookupEach }},
		{"said, few, from a reading", "said", 3, "", func(im *pipeline.Import) { im.Lookup = pipeline.LookupDirectory }},
		{"said, many, in bulk", "said", 150, "PATCH /Users", nil},
		{"said, many, one by one", "said", 150, "", func(im *pipeline.Import) { im.NoBulk = true }},
		{"refused, few, looked up", "405", 3, "", func(im *pipeline.Import) { im.Lookup = pipeline.LookupEach }},
		{"refused, few, from a reading", "501", 3, "", func(im *pipeline.Import) { im.Lookup = pipeline.LookupDirectory }},
		{"refused, many, in bulk", "405", 150, "PATCH /Users", nil},
		{"refused, many, one by one", "501", 150, "", func(im *pipeline.Import) { im.NoBulk = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 200, Faults: []string{"no-patch=" + tc.fault}})
			before := b.all("rfc")
			im, recorded := b.prepare(b.retitled(tc.people), tc.change)
			totals := b.run(im, recorded)
			if w := totals.Writes; totals.Counts[pipeline.Updated] != int64(tc.people) || w[http.MethodPut] != int64(tc.people) || len(w) != 1 {
				t.Fatalf("outcomes %v, writes %v: %s", totals.Counts, w, recorded.list[0].Detail)
			}
			if tc.asked != "" && b.asked()[tc.asked] > 0 {
				t.Errorf("there was a %s", tc.asked)
			}
			b.differOnlyInTitle(before, tc.people)
		})
	}
}

// TestNoPatchPlanned plans for directories without PATCH, applies the plans,
// those too that hold PATCH operations all the same, and takes them back.
func TestNoPatchPlanned(t *testing.T) {
	for fault, announced := range map[string]string{"said": http.MethodPut, "501": http.MethodPatch} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 20, Faults: []string{"no-patch=" + fault}})
			before := b.all("rfc")
			dry, planned := b.prepare(b.retitled(5), dryRun)
			if w := b.run(dry, planned).Writes; w[announced] != 5 || len(w) != 1 {
				t.Fatalf("the plan announces %v", w)
			}
			kept := &keeper{}
			path := b.planned(planned)
			im, recorded := b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, func(im *pipeline.Import) { im.Undo = kept })
			if totals := b.run(im, recorded); totals.Counts[pipeline.Updated] != 5 || totals.Writes[http.MethodPut] != 5 {
				t.Fatalf("outcomes %v, writes %v: %s", totals.Counts, totals.Writes, recorded.list[0].Detail)
			}
			b.differOnlyInTitle(before, 5)

			im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftPlanned}, nil)
			if totals := b.run(im, recorded); totals.Counts[pipeline.Unchanged] != 5 {
				t.Fatalf("what stands there already is no change: %v: %s", totals.Counts, recorded.list[0].Detail)
			}

			lines := []any{scim.Object{"format": scim.Number("1")}}
			for _, l := range kept.lines {
				lines = append(lines, l)
			}
			im, recorded = b.apply(b.planFile(lines...), pipeline.ChangeSet{Drift: plan.DriftAny}, nil)
			if totals := b.run(im, recorded); totals.Counts[pipeline.Updated] != 5 {
				t.Fatalf("undo: %v: %s", totals.Counts, recorded.list[0].Detail)
			}
			if diff := cmp.Diff(before, b.all("rfc")); diff != "" {
				t.Errorf("the directory is not what it was:\n%s", diff)
			}
		})
	}
}

// refuser refuses to patch one person, once it has patched another.
type refuser struct {
	http.RoundTripper
	mu      sync.Mutex
	patched bool
	refused string // whom: a path
}

func (r *refuser) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPatch || !r.refuses(req.URL.Path) {
		return r.RoundTripper.RoundTrip(req)
	}
	time.Sleep(time.Second) // the answers before this one have been heeded
	return &http.Response{StatusCode: http.StatusMethodNotAllowed, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

func (r *refuser) refuses(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.patched && r.refused == "" {
		r.refused = path
	}
	r.patched = true
	return r.refused == path
}

// TestPatchRefusedForOne sends a PUT for the one person whom the directory
// refuses to patch once it has patched others, and for nobody else.
func TestPatchRefusedForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{Seed: 20})
		refuse := &refuser{RoundTripper: b.box.Transport()}
		im, recorded := b.prepare(b.retitled(6), b.dialect("rfc", refuse))
		totals := b.run(im, recorded)
		if w := totals.Writes; totals.Counts[pipeline.Updated] != 6 || w[http.MethodPatch] != 5 || w[http.MethodPut] != 1 {
			t.Errorf("outcomes %v, writes %v", totals.Counts, w)
		}
	})
}

// retitled is a file that gives n of the people another title.
func (b *bench) retitled(n int) string {
	b.t.Helper()
	lines := strings.SplitAfter(b.everybody(), "\n")[:n+1]
	return strings.ReplaceAll(strings.Join(lines, ""), ",Agent", ",Retitled")
}

// differOnlyInTitle holds a directory to what it was, but for n titles.
func (b *bench) differOnlyInTitle(before map[string]string, n int) {
	b.t.Helper()
	title := regexp.MustCompile(`"title":"[^"]*",?`)
	changed := 0
	for key, now := range b.all("rfc") {
		if now != before[key] {
			changed++
		}
		if was := title.ReplaceAllString(before[key], ""); title.ReplaceAllString(now, "") != was {
			b.t.Errorf("%s is\n%s, was\n%s", key, now, before[key])
		}
	}
	if changed != n {
		b.t.Errorf("%d people are changed, not %d", changed, n)
	}
}
