package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// model is what a file makes of a directory, row after row.
type model struct{ in map[pair]bool }

// carryOut says what becomes of rows that are done one after the other.
func (m *model) carryOut(lines []string) map[int64]pipeline.Outcome {
	outcomes, last := map[int64]pipeline.Outcome{}, map[pair]string{}
	for i, line := range lines {
		cells := strings.Split(strings.ReplaceAll(line, `"`, ""), ",")
		p, action := pair{cells[0], cells[1]}, cells[2]
		switch before := last[p]; {
		case before == action:
			outcomes[int64(i+2)] = pipeline.Skipped
			continue
		case m.in[p] == (action == "add"):
			outcomes[int64(i+2)] = pipeline.Unchanged
		default:
			outcomes[int64(i+2)] = pipeline.Updated
		}
		last[p], m.in[p] = action, action == "add"
	}
	return outcomes
}

func (m *model) members() map[pair]bool {
	in := maps.Clone(m.in)
	maps.DeleteFunc(in, func(_ pair, is bool) bool { return !is })
	return in
}

// TestMembershipsInAnyOrder draws files of comings and goings, with pairs that
// come several times, for directories whose groups have members already, and
// compares outcomes and directory with a model that does one row at a time.
func TestMembershipsInAnyOrder(t *testing.T) {
	t.Parallel()
	faults := [][]string{nil, {"member-limit=3"}, {"reset-after-commit=0.2", "5xx-before-commit=0.2"}, {"truncate=0.1", "error-but-applied=0.2"}, {"hang-then-commit=0.1:45s"}}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		size := rapid.IntRange(1, 120).Draw(rt, "rows")
		broken := rapid.SampledFrom(faults).Draw(rt, "faults")
		limit := rapid.IntRange(1, 9).Draw(rt, "limit")
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 40, Faults: broken, FaultSeed: int64(seed)})
			client := b.clientOf(scim.Profiles()[0])
			c := b.census(client)
			text, lines := anyFile(c, rand.New(rand.NewPCG(seed, 1)), size)
			m := &model{in: maps.Clone(c.in)}
			want := m.carryOut(lines)
			set := func(im *pipeline.MemberImport) { im.Profile.MembersPerPatch = limit }
			planned := b.runMembers(b.prepareMembers(text, func(im *pipeline.MemberImport) { set(im); dry(im) }))
			im, recorded := b.prepareMembers(text, set)
			done := b.runMembers(im, recorded)
			time.Sleep(time.Hour) // whatever comes late has come now
			for _, r := range recorded.list {
				if r.Outcome != want[r.Row.Line] {
					rt.Errorf("line %d (%s) is %s, want %s: %s", r.Row.Line, r.Key, r.Outcome, want[r.Row.Line], r.Detail)
				}
			}
			if broken == nil && (!maps.Equal(planned.Writes, done.Writes) || done.Requests.PATCH != done.Writes["PATCH"]) {
				rt.Errorf("planned %v, done %v with %+v", planned.Writes, done.Writes, done.Requests)
			}
			if got := b.census(client).in; !maps.Equal(got, m.members()) {
				rt.Errorf("members %v, want %v", got, m.members())
			}
		})
	})
}

// anyFile draws rows for a few people, so that pairs come again.
func anyFile(c *census, dice *rand.Rand, n int) (text string, lines []string) {
	f, people, groups := &file{}, c.people(), slices.Sorted(maps.Keys(c.groups))
	for range n {
		action := "add"
		if dice.IntN(2) == 0 {
			action = "remove"
		}
		f.row(groups[dice.IntN(len(groups))], people[dice.IntN(12)], action)
	}
	return f.String(), f.lines
}

// cut breaks a run off after so many requests: once it does, nothing goes out
// and nothing comes back.
type cut struct {
	http.RoundTripper
	left  atomic.Int64
	abort context.CancelFunc
	after bool // the last request arrives, and its answer is lost
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	switch n := c.left.Add(-1); {
	case n > 0:
		return c.RoundTripper.RoundTrip(r)
	case n == 0 && c.after:
		resp, err := c.RoundTripper.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
	}
	c.abort()
	return nil, context.Canceled
}

// TestMembershipsResume breaks runs off at every request, in its quick form at
// every third, goes on with what the log knows, and holds the directory and the labels of both sessions to the
// model.
func TestMembershipsResume(t *testing.T) {
	t.Parallel()
	for at := int64(1); at <= 40; at += unlessLong[int64](3, 1) {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("request %d, carried out %v", at, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { breakOff(t, at, after) })
			})
		}
	}
}

func breakOff(t *testing.T, at int64, after bool) {
	b := newBench(t, sandbox.Options{Seed: 60})
	client := b.clientOf(scim.Profiles()[0])
	before := b.census(client)
	text, lines := anyFile(before, rand.New(rand.NewPCG(uint64(at), 2)), 150)
	m := &model{in: maps.Clone(before.in)}
	want := m.carryOut(lines)
	dir := t.TempDir()
	log, err := journal.Create(dir, journal.Header{Run: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, abort := context.WithCancel(t.Context())
	defer abort()
	undo := &keeper{}
	set := func(im *pipeline.MemberImport) { im.Profile.MembersPerPatch, im.Log, im.Undo = 7, log, undo }
	im, first := b.prepareMembers(text, set)
	survey := b.surveyMembers(im)
	wire := &cut{RoundTripper: b.box.Transport(), abort: abort, after: after}
	wire.left.Store(at)
	if im.Client, err = scim.New(scim.Options{
		BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: wire, Profile: im.Profile, Workers: 4,
	}); err != nil {
		t.Fatal(err)
	}
	defer im.Client.Close()
	totals, err := im.Run(ctx, ctx, survey)
	if err != nil {
		t.Fatal(err)
	}
	if totals.Pending > 0 && totals.Cause != pipeline.ErrInterrupted {
		t.Errorf("stopped by %v", totals.Cause)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log, state, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	time.Sleep(time.Minute)
	im, second := b.prepareMembers(text, func(im *pipeline.MemberImport) { set(im); im.State = state })
	totals = b.runMembers(im, second)
	if totals.Pending > 0 || totals.Counts.Sum() != int64(len(lines)) {
		t.Errorf("%d pending, %v", totals.Pending, totals.Counts)
	}
	for _, r := range append(first.list, second.list...) {
		if r.Outcome != want[r.Row.Line] {
			t.Errorf("line %d is %s, want %s: %s", r.Row.Line, r.Outcome, want[r.Row.Line], r.Detail)
		}
	}
	if got := b.census(client).in; !maps.Equal(got, m.members()) {
		t.Errorf("members %v, want %v", got, m.members())
	}
	undo.bringBack(t, client)
	if got := b.census(client).in; !maps.Equal(got, before.in) {
		t.Errorf("undone, members are %v, were %v", got, before.in)
	}
}

// bringBack sends the changes, the last one first.
func (k *keeper) bringBack(t *testing.T, client *scim.Client) {
	t.Helper()
	for _, l := range slices.Backward(k.lines) {
		if !l.OfMembers() {
			t.Errorf("line %d is no change of members: %v", l.Line, l.Patch)
		}
		body, err := scim.EncodePatch(l.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Patch(t.Context(), scim.Groups, l.ID, body, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMembershipsStopInOrder takes no more rows after the first outcome: what
// was sent is verified, and the rest is pending.
func TestMembershipsStopInOrder(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 100})
	client := b.clientOf(scim.Profiles()[0])
	before := b.census(client)
	take, stop := context.WithCancel(t.Context())
	defer stop()
	im, recorded := b.prepareMembers(everybody(before), func(im *pipeline.MemberImport) {
		im.Profile.MembersPerPatch, im.Workers = 5, 1
	})
	im.Recorder = &stopper{results: recorded, after: 3, stop: stop}
	im.Log = b.log()
	totals, err := im.Run(take, t.Context(), b.surveyMembers(im))
	if err != nil {
		t.Fatal(err)
	}
	if totals.Cause != pipeline.ErrInterrupted || totals.Pending == 0 || totals.Pending+totals.Counts.Sum() != totals.Rows {
		t.Errorf("%v, %d pending, %v", totals.Counts, totals.Pending, totals.Cause)
	}
	checkMembers(t, before, b.census(client), recorded)
}

// stopper stops a run after some results.
type stopper struct {
	*results
	after int
	stop  context.CancelFunc
}

func (s *stopper) Record(r *pipeline.Result) error {
	if err := s.results.Record(r); err != nil {
		return err
	}
	if len(s.list) == s.after {
		s.stop()
	}
	return nil
}

// TestMembershipsMaxErrors has more rows that name nobody than are allowed, or
// not: the share is one of the file.
func TestMembershipsMaxErrors(t *testing.T) {
	for _, tc := range []struct {
		limit pipeline.Limit
		cause error
	}{
		{pipeline.Limit{N: 119}, pipeline.ErrMaxErrors},
		{pipeline.Limit{N: 120}, nil},
		{pipeline.Limit{Percent: 50}, pipeline.ErrMaxErrors},
		{pipeline.Limit{Percent: 90}, nil},
	} {
		t.Run(tc.limit.String(), func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 60})
			before := b.census(b.clientOf(scim.Profiles()[0]))
			f := &file{}
			for i := range 120 {
				f.row(firstOf(before), fmt.Sprintf("nobody%d", i), "add")
			}
			f.all(firstOf(before), before.outsiders(firstOf(before)), "add")
			im, recorded := b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.MaxErrors = tc.limit })
			totals := b.runMembers(im, recorded)
			if totals.Cause != tc.cause || (totals.Requests.PATCH > 0) != (tc.cause == nil) || (totals.Pending > 0) != (tc.cause != nil) {
				t.Errorf("%v, %d pending, %v with %+v", totals.Counts, totals.Pending, totals.Cause, totals.Requests)
			}
		})
	}
}

// shy is a directory whose groups never show their members, nor do its users;
// only a filter knows them, as at AWS.
type shy struct{ http.RoundTripper }

func (s shy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, err
	}
	for _, hidden := range []string{"members", "groups"} {
		if _, shown := o[hidden]; shown {
			o[hidden] = []any{}
		}
	}
	if body, err = json.Marshal(o); err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, resp.Header.Write(io.Discard)
}

func TestMembersThatOnlyAFilterKnows(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 60})
	before := b.census(b.clientOf(scim.Profiles()[0]))
	client, err := scim.New(scim.Options{
		BaseURL: (&url.URL{Scheme: "http", Host: "127.0.0.1", Path: b.box.BasePath()}).String(), Transport: shy{b.box.Transport()}, Profile: scim.Profiles()[0], Workers: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f := &file{}
	for g := range before.groups {
		f.all(g, before.insiders(g), "remove").all(g, before.outsiders(g)[:3], "add")
	}
	totals := b.runMembers(b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.Client = client }))
	if totals.Counts[pipeline.Updated] != totals.Rows {
		t.Errorf("%v", totals.Counts)
	}
	if got, want := len(b.census(b.clientOf(scim.Profiles()[0])).in), 3*len(before.groups); got != want {
		t.Errorf("%d memberships, want %d", got, want)
	}
}
