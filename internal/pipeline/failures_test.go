package pipeline_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// grudging is a directory that refuses single requests for people, each named by
// its method and its turn: with a status or, where that is 201, by carrying it out
// and saying nothing of what it has made.
type grudging struct {
	http.RoundTripper
	refuses map[string]int

	mu   sync.Mutex
	seen map[string]int
}

func (g *grudging) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/Users") {
		return g.RoundTripper.RoundTrip(r)
	}
	g.mu.Lock()
	g.seen[r.Method]++
	status := g.refuses[fmt.Sprintf("%s %d", r.Method, g.seen[r.Method])]
	g.mu.Unlock()
	answer := &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: r}
	switch status {
	case 0:
		return g.RoundTripper.RoundTrip(r)
	case http.StatusCreated:
		resp, err := g.RoundTripper.RoundTrip(r)
		if err == nil {
			err = resp.Body.Close()
		}
		return answer, err
	}
	answer.Body = io.NopCloser(strings.NewReader(`{"scimType":"invalidVers","detail":"no"}`))
	return answer, nil
}

// TestWhatARowSaysOfARefusal: a row that goes on after a refusal says nothing of
// it, one that does not says why, and who was created stays so.
func TestWhatARowSaysOfARefusal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lookup, row string
		refuses     map[string]int
		want        string // outcome, status, scimType and class
		lame        bool
	}{
		"of a version": {pipeline.LookupEach, "ann:Head:", map[string]int{"PATCH 1": 412},
			"updated 200  ", false},
		"of a version, and of the look-up after it": {pipeline.LookupEach, "ann:Head:", map[string]int{"PATCH 1": 412, "GET 2": 400},
			"rejected 400 invalidVers conflict", false},
		"of a name that is taken": {pipeline.LookupNone, "ann:Head:", nil,
			"updated 200  ", false},
		"to find whom it has created": {pipeline.LookupEach, "eve:Eve:A", map[string]int{"POST 1": 201, "GET 2": 400},
			"created 201  ", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, sandbox.Options{})
			client := b.clientOf(scim.Profiles()[0])
			b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"A"}`)
			b.create(client, scim.Users, `{"schemas":["`+scim.UserURN+`"],"userName":"ann"}`)
			wire := &grudging{RoundTripper: b.box.Transport(), refuses: tc.refuses, seen: map[string]int{}}
			im, recorded := b.prepare(joiners(tc.row+":"), both(withGroups(t, ""), b.dialect("rfc", wire)))
			im.Lookup = tc.lookup
			b.run(im, recorded)
			if len(recorded.list) != 1 {
				t.Fatalf("%d outcomes", len(recorded.list))
			}
			r := recorded.list[0]
			got := fmt.Sprintf("%s %d %s %s", r.Outcome, r.Status, r.ScimType, r.Class)
			if got != tc.want || r.Lame != tc.lame {
				t.Errorf("got  %q, lame %t: %s\nwant %q, lame %t", got, r.Lame, r.Text(), tc.want, tc.lame)
			}
			if r.Outcome == pipeline.Updated && r.Text() != "" {
				t.Errorf("it says %s", r.Text())
			}
		})
	}
}
