package pipeline_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// withGroups maps a column of groups, with further details of the entry.
func withGroups(t *testing.T, details string) func(*pipeline.Import) {
	m := compile(t, "op: Do\nattributes:\n  userName: Login\n  displayName: Name\n  groups: {column: Groups, split: \"|\""+details+"}\n",
		"Login", "Name", "Groups", "Do")
	return func(im *pipeline.Import) { im.Mapping, im.Rules.Explain = m, im.DryRun }
}

// joiners is a file of people, each as "login:name:groups:op".
func joiners(people ...string) string {
	return "Login,Name,Groups,Do\n" + strings.ReplaceAll(strings.Join(people, "\n"), ":", ",") + "\n"
}

// newcomers are people who are in some of the groups each.
func newcomers(n int, groups []string) (file string, in map[pair]bool) {
	var people []string
	in = map[pair]bool{}
	for i := range n {
		login := fmt.Sprintf("new%d@example.com", i)
		mine := []string{groups[i%len(groups)], groups[(i/3)%len(groups)]}
		people = append(people, login+":New:"+strings.Join(mine, "|")+":")
		for _, g := range mine {
			in[pair{g, login}] = true
		}
	}
	return joiners(people...), in
}

func writesOf(s journal.Stats) map[string]int64 {
	all := map[string]int64{"POST": s.POST, "PUT": s.PUT, "PATCH": s.PATCH, "DELETE": s.DELETE}
	maps.DeleteFunc(all, func(_ string, n int64) bool { return n == 0 })
	return all
}

// TestNewcomersJoinGroups: hundreds of people join a few groups in as few
// requests as there can be, the plan announces them, and a second run sends
// nothing.
func TestNewcomersJoinGroups(t *testing.T) {
	t.Parallel()
	const people = 320
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Dialect: dialect, Seed: 100})
			speak := both(b.dialect(dialect, nil), withGroups(t, ""))
			im, _ := b.prepare(joiners(), speak)
			before := b.census(im.Client)
			groups := slices.Sorted(maps.Keys(before.groups))
			file, in := newcomers(people, groups)
			want := map[string]int64{"POST": people}
			for _, g := range groups {
				n := int64(0)
				for p := range in {
					if p.group == g {
						n++
					}
				}
				want["PATCH"] += (n + 99) / 100
			}
			plan := &keeper{}
			planned := b.run(b.prepare(file, both(dryRun, speak, func(im *pipeline.Import) { im.Plan = plan })))
			im, recorded := b.prepare(file, speak)
			done := b.run(im, recorded)
			if !maps.Equal(planned.Writes, want) || !maps.Equal(done.Writes, want) || done.Requests.PATCH != want["PATCH"] {
				t.Errorf("planned %v, done %v with %+v, want %v", planned.Writes, done.Writes, done.Requests, want)
			}
			if int64(len(plan.lines)) != want["PATCH"] || done.Counts[pipeline.Created] != people || done.Lame > 0 {
				t.Errorf("%d lines planned, done %v, %d lame", len(plan.lines), done.Counts, done.Lame)
			}
			maps.Copy(in, before.in)
			if after := b.census(im.Client); !maps.Equal(after.in, in) {
				t.Errorf("%d memberships, want %d", len(after.in), len(in))
			}
			again := b.run(b.prepare(file, speak))
			if again.Counts[pipeline.Unchanged] != people || len(writesOf(again.Requests)) > 0 {
				t.Errorf("again: %v with %+v", again.Counts, again.Requests)
			}
		})
	}
}

// TestGroupsOfRows shows what becomes of single rows.
func TestGroupsOfRows(t *testing.T) {
	const nobody = `the directory has no group with the displayName "Chess"`
	for _, tc := range []struct {
		name, details, row string
		outcome            pipeline.Outcome
		class, detail      string
		in                 []string // of the groups A, B and C; the person is in C
		patches            int64
		change             func(*pipeline.Import)
	}{
		{name: "joins", row: "ann::A|B:", outcome: pipeline.Updated, in: []string{"A", "B", "C"}, patches: 2},
		{name: "is in", row: "ann::C:", outcome: pipeline.Unchanged, in: []string{"C"}},
		{name: "named twice, in other letters", row: "ann::A|a:", outcome: pipeline.Updated, in: []string{"A", "C"}, patches: 1},
		{name: "changes and joins", row: "ann:Ann:A:", outcome: pipeline.Updated, in: []string{"A", "C"}, patches: 2},
		{name: "is created and joins", row: "eve:Eve:A:", outcome: pipeline.Created, in: []string{"A"}, patches: 1},
		{name: "blank", row: "ann:::", outcome: pipeline.Unchanged, in: []string{"C"}},
		{name: "a group is missing", row: "ann::Chess|A:", outcome: pipeline.Updated, detail: "groups left out: " + nobody, in: []string{"A", "C"}, patches: 1},
		{name: "a group is missing, reject", details: ", on-missing: reject", row: "eve:Eve:Chess|A:", outcome: pipeline.Rejected, class: "reference", detail: nobody},
		{name: "leaver", row: "ann::A:delete", outcome: pipeline.Deleted},
		{name: "inactive", row: "ann::A:deactivate", outcome: pipeline.Deactivated, in: []string{"C"}, patches: 1},
		{name: "patch of nobody", row: "eve::A:patch", outcome: pipeline.Rejected, class: "missing", detail: "patch needs a User that is in the directory"},
		{name: "skipped", row: "ann::A:create", outcome: pipeline.Skipped, detail: "in the directory already", in: []string{"C"}, change: func(im *pipeline.Import) { im.Rules.OnExisting = plan.ExistingSkip }},
		{name: "replaces", details: ", mode: replace", row: "ann::A:", outcome: pipeline.Updated, in: []string{"A"}, patches: 2},
		{name: "leaves all", details: ", mode: replace", row: "ann::#N/A:", outcome: pipeline.Updated, patches: 1},
		{name: "is where it shall be", details: ", mode: replace", row: "ann::C:", outcome: pipeline.Unchanged, in: []string{"C"}},
		{name: "replaces, but a name is wrong", details: ", mode: replace", row: "ann::A|Chess:", outcome: pipeline.Updated,
			detail: "groups left out: " + nobody + "; taken out of no group, since not all of those named are there", in: []string{"A", "C"}, patches: 1},
		{name: "the clear token, adding", row: "ann::#N/A:", outcome: pipeline.Rejected, class: "data", detail: "would take the person out of all groups", in: []string{"C"}},
		{name: "hidden members", row: "ann::A:", outcome: pipeline.Updated, detail: `put into "A" not verified: the directory does not show who is in a group`,
			in: []string{"A", "C"}, patches: 1, change: func(im *pipeline.Import) { im.Profile.HidesMembers = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			client := b.clientOf(scim.Profiles()[0])
			ann := b.create(client, scim.Users, `{"schemas":["`+scim.UserURN+`"],"userName":"ann"}`)
			for _, g := range []string{"A", "B", "C"} {
				members := ""
				if g == "C" {
					members = `,"members":[{"value":"` + ann + `"}]`
				}
				b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"`+g+`"`+members+`}`)
			}
			speak := both(withGroups(t, tc.details), func(im *pipeline.Import) {
				if tc.change != nil {
					tc.change(im)
				}
			})
			planned := b.run(b.prepare(joiners(tc.row), both(dryRun, speak)))
			im, recorded := b.prepare(joiners(tc.row), speak)
			done := b.run(im, recorded)
			if got := recorded.list[0]; got.Outcome != tc.outcome || got.Class != tc.class || !strings.Contains(got.Detail, tc.detail) || tc.detail == "" && got.Detail != "" {
				t.Errorf("%s %s %q, want %s %s %q", got.Outcome, got.Class, got.Detail, tc.outcome, tc.class, tc.detail)
			}
			if !maps.Equal(planned.Counts, done.Counts) || !maps.Equal(planned.Writes, done.Writes) || done.Requests.PATCH != tc.patches {
				t.Errorf("planned %v %v, done %v %v with %+v, want %d patches", planned.Counts, planned.Writes, done.Counts, done.Writes, done.Requests, tc.patches)
			}
			login, _, _ := strings.Cut(tc.row, ":")
			var in []string
			for p, is := range b.census(client).in {
				if is && p.user == login {
					in = append(in, p.group)
				}
			}
			if slices.Sort(in); !slices.Equal(in, tc.in) {
				t.Errorf("in %q, want %q", in, tc.in)
			}
		})
	}
}

// TestGroupsAndManagers: who refers to a row that comes later joins groups after
// that.
func TestGroupsAndManagers(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	client := b.clientOf(scim.Profiles()[0])
	b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"A"}`)
	m := compile(t, "attributes:\n  userName: Login\n  enterprise:manager: {column: Boss, ref: User.userName}\n  groups: {column: Groups, split: \"|\"}\n", "Login", "Boss", "Groups")
	speak := func(im *pipeline.Import) { im.Mapping, im.Rules.Explain = m, im.DryRun }
	file := "Login,Boss,Groups\nann,bob,A|Chess\nbob,ann,A\ncid,dan,\ndan,,Chess\n"
	planned := b.run(b.prepare(file, both(dryRun, speak)))
	im, recorded := b.prepare(file, speak)
	done := b.run(im, recorded)
	if !maps.Equal(planned.Counts, done.Counts) || !maps.Equal(planned.Writes, done.Writes) || done.Requests.PATCH != 3 {
		t.Errorf("planned %v %v, done %v %v", planned.Counts, planned.Writes, done.Counts, done.Writes)
	}
	const left = `groups left out: the directory has no group with the displayName "Chess"`
	for _, r := range recorded.list {
		if want := map[string]string{"ann": left, "dan": left}[r.Key]; r.Outcome != pipeline.Created || r.Detail != want || r.Lame {
			t.Errorf("%s: %s %q, want %q", r.Key, r.Outcome, r.Detail, want)
		}
	}
	if got, in := b.managers(), b.census(client).insiders("A"); len(got) != 3 || !slices.Equal(in, []string{"ann", "bob"}) {
		t.Errorf("managers %v, in A %v", got, in)
	}
}

// TestGroupsByOtherNames: groups are named by externalId or id.
func TestGroupsByOtherNames(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	client := b.clientOf(scim.Profiles()[0])
	id := b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"Sales","externalId":"g-7"}`)
	b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"Sales"}`)
	for _, tc := range []struct{ details, name, detail string }{
		{", ref: Group.externalId", "g-7", ""},
		{", ref: Group.id", id, ""},
		{"", "Sales", `groups left out: Groups "Sales": 2 resources of the directory have this displayName, and nothing says which one is meant`},
	} {
		login := "x" + tc.name
		im, recorded := b.prepare(joiners(login+":X:"+tc.name+":"), withGroups(t, tc.details))
		b.run(im, recorded)
		in := b.census(client).in
		if got := recorded.list[0]; got.Detail != tc.detail || in[pair{"Sales", login}] != (tc.detail == "") {
			t.Errorf("%s: %s %q, in %v", tc.name, got.Outcome, got.Detail, in)
		}
	}
}

// refusing is a directory that refuses to change a group, or to take somebody.
type refusing struct {
	http.RoundTripper
	status int
	in     []string // what such a PATCH has in its path or body
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
		body := new(strings.Builder)
		if text, err := r.GetBody(); err == nil {
			if _, err := io.Copy(body, text); err != nil {
				return nil, err
			}
		}
		if !slices.ContainsFunc(f.in, func(s string) bool { return !strings.Contains(r.URL.Path+body.String(), s) }) {
			w := httptest.NewRecorder()
			w.WriteHeader(f.status)
			return w.Result(), nil
		}
	}
	return f.RoundTripper.RoundTrip(r)
}

// TestGroupsThatFail: whose membership is refused stays created, with a word
// about it, and the others get in.
func TestGroupsThatFail(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		status   int
		lame     int64
		detail   string
	}{
		{"a group", "group A", http.StatusForbidden, 3, `could not be put into "A": `},
		{"a person", "ann in A", http.StatusBadRequest, 1, `could not be put into "A": `},
		{"a group that cannot be read", "", http.StatusForbidden, 3, `could not be put into "A": `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			client := b.clientOf(scim.Profiles()[0])
			a := b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"A"}`)
			b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"B"}`)
			ann := b.create(client, scim.Users, `{"schemas":["`+scim.UserURN+`"],"userName":"ann"}`)
			broken := refusing{b.box.Transport(), tc.status, map[string][]string{"group A": {a}, "ann in A": {a, ann}}[tc.in]}
			carry := http.RoundTripper(broken)
			if tc.in == "" {
				carry = unreadable{b.box.Transport(), a}
			}
			speak := both(b.dialect("rfc", carry), withGroups(t, ""))
			file := joiners("ann::A|B:", "bob:Bob:B|A:", "cid:Cid:A:", "dan:Dan:B:")
			planned := b.run(b.prepare(file, both(dryRun, speak)))
			dir := t.TempDir()
			log, err := journal.Create(dir, journal.Header{Run: "test"})
			if err != nil {
				t.Fatal(err)
			}
			im, recorded := b.prepare(file, both(speak, func(im *pipeline.Import) { im.Log = log }))
			done := b.run(im, recorded)
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			state, err := journal.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if again := b.run(b.prepare(file, both(speak, func(im *pipeline.Import) { im.State = state }))); again.Lame != tc.lame {
				t.Errorf("a session that goes on knows of %d lame, want %d", again.Lame, tc.lame)
			}
			if done.Lame != tc.lame || done.Counts[pipeline.Created] != 3 || done.Counts[pipeline.Updated] != 1 {
				t.Errorf("%v, %d lame", done.Counts, done.Lame)
			}
			if tc.in == "" && planned.Lame != tc.lame {
				t.Errorf("planned %d lame", planned.Lame)
			}
			for _, r := range recorded.list {
				if r.Lame != strings.Contains(r.Detail, tc.detail) || r.Lame != (r.Detail != "") {
					t.Errorf("%s: %q", r.Key, r.Detail)
				}
			}
			in := b.census(client).in
			for user, groups := range map[string]string{"ann": "B", "bob": "B", "dan": "B"} {
				if !in[pair{groups, user}] {
					t.Errorf("%s is not in %s", user, groups)
				}
			}
			if got := int64(len(b.census(client).insiders("A"))); got != 3-tc.lame {
				t.Errorf("%d in A", got)
			}
		})
	}
}

// unreadable is a directory that shows one group to nobody.
type unreadable struct {
	http.RoundTripper
	id string
}

func (u unreadable) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, u.id) {
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusForbidden)
		return w.Result(), nil
	}
	return u.RoundTripper.RoundTrip(r)
}

// TestGroupsOfOnePersonInSeveralRows: rows of one person come one after the
// other, and what the last one says of a group counts.
func TestGroupsOfOnePersonInSeveralRows(t *testing.T) {
	for _, tc := range []struct {
		details string
		want    []string
		patches int64
	}{
		{"", []string{"A", "B"}, 2},
		{", mode: replace", []string{"B"}, 3},
	} {
		b := newBench(t, sandbox.Options{})
		client := b.clientOf(scim.Profiles()[0])
		for _, g := range []string{"A", "B"} {
			b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"`+g+`"}`)
		}
		speak := both(withGroups(t, tc.details), func(im *pipeline.Import) { im.OnDuplicate = pipeline.DuplicateApply })
		file := joiners("eve:Eve:A:", "bob:Bob::", "eve:Eve:B:", "eve:Eve:B|:")
		planned := b.run(b.prepare(file, both(dryRun, speak)))
		done := b.run(b.prepare(file, speak))
		if !maps.Equal(planned.Counts, done.Counts) || !maps.Equal(planned.Writes, done.Writes) || done.Requests.PATCH != tc.patches {
			t.Errorf("%s: planned %v %v, done %v %v", tc.details, planned.Counts, planned.Writes, done.Counts, done.Writes)
		}
		var in []string
		for p := range b.census(client).in {
			in = append(in, p.group)
		}
		if slices.Sort(in); !slices.Equal(in, tc.want) {
			t.Errorf("%s: in %q, want %q", tc.details, in, tc.want)
		}
	}
}

// anyJoiners draws rows for people of a directory and for others, and says what
// they come to, one after the other.
func anyJoiners(c *census, dice *rand.Rand, n int, replace bool) (file string, in map[pair]bool, want map[int64]pipeline.Outcome) {
	groups, there := slices.Sorted(maps.Keys(c.groups)), c.people()
	in, want = maps.Clone(c.in), map[int64]pipeline.Outcome{}
	var rows []string
	for i := range n {
		login, outcome := fmt.Sprintf("new%d@example.com", i), pipeline.Created
		if dice.IntN(3) > 0 && i < len(there) {
			login, outcome = there[i], pipeline.Unchanged
		}
		var mine []string
		for _, g := range groups {
			if dice.IntN(2*len(groups)) < 3 {
				mine = append(mine, g)
			}
		}
		op := ""
		if outcome == pipeline.Created && i%2 == 0 {
			op = "create"
		}
		rows = append(rows, login+"::"+strings.Join(mine, "|")+":"+op)
		changed := false
		for _, g := range groups {
			p, named := pair{g, login}, slices.Contains(mine, g)
			leaves := replace && len(mine) > 0 && !named && in[p]
			changed = changed || leaves || named && !in[p]
			if named || leaves {
				in[p] = named
			}
		}
		if changed && outcome == pipeline.Unchanged {
			outcome = pipeline.Updated
		}
		want[int64(i+2)] = outcome
	}
	maps.DeleteFunc(in, func(_ pair, is bool) bool { return !is })
	return joiners(rows...), in, want
}

// TestGroupsOfAnyRows compares outcomes and directory with a model, over
// directories that lose answers and refuse large requests.
func TestGroupsOfAnyRows(t *testing.T) {
	t.Parallel()
	faults := [][]string{nil, {"member-limit=3"}, {"reset-after-commit=0.2", "5xx-before-commit=0.2"}, {"truncate=0.1", "error-but-applied=0.2"}}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		size := rapid.IntRange(1, 60).Draw(rt, "rows")
		broken := rapid.SampledFrom(faults).Draw(rt, "faults")
		limit := rapid.IntRange(1, 9).Draw(rt, "limit")
		details := rapid.SampledFrom([]string{"", ", mode: replace"}).Draw(rt, "details")
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 60, Faults: broken, FaultSeed: int64(seed)})
			client := b.clientOf(scim.Profiles()[0])
			file, in, want := anyJoiners(b.census(client), rand.New(rand.NewPCG(seed, 3)), size, details != "")
			speak := both(withGroups(t, details), func(im *pipeline.Import) {
				im.Profile.MembersPerPatch, im.Lookup = limit, pipeline.LookupEach
			})
			planned := b.run(b.prepare(file, both(dryRun, speak)))
			im, recorded := b.prepare(file, speak)
			done := b.run(im, recorded)
			time.Sleep(time.Hour)
			for _, r := range recorded.list {
				if r.Outcome != want[r.Row.Line] || r.Lame {
					rt.Errorf("line %d (%s) is %s, want %s: %s", r.Row.Line, r.Key, r.Outcome, want[r.Row.Line], r.Detail)
				}
			}
			if broken == nil && (!maps.Equal(planned.Writes, done.Writes) || !maps.Equal(planned.Counts, done.Counts) || done.Requests.PATCH != done.Writes["PATCH"]) {
				rt.Errorf("planned %v %v, done %v %v with %+v", planned.Counts, planned.Writes, done.Counts, done.Writes, done.Requests)
			}
			if got := b.census(client).in; !maps.Equal(got, in) {
				rt.Errorf("members %v, want %v", got, in)
			}
		})
	})
}

// TestGroupsResume breaks runs off at every request, in its quick form at one in
// 21, goes on with what the log
// knows, holds directory and labels of both sessions to the model, and undoes
// both.
func TestGroupsResume(t *testing.T) {
	t.Parallel()
	for at := int64(1); at <= 150; at += unlessLong[int64](21, 1) {
		for i, details := range []string{"", ", mode: replace"} {
			after := (at+int64(i))%2 == 0
			t.Run(fmt.Sprintf("request %d, carried out %v%s", at, after, details), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { breakOffGroups(t, at, after, details) })
			})
		}
	}
}

func breakOffGroups(t *testing.T, at int64, after bool, details string) {
	b := newBench(t, sandbox.Options{Seed: 60})
	client := b.clientOf(scim.Profiles()[0])
	before := b.census(client)
	file, in, want := anyJoiners(before, rand.New(rand.NewPCG(uint64(at), 4)), 40, details != "")
	dir := t.TempDir()
	log, err := journal.Create(dir, journal.Header{Run: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, abort := context.WithCancel(t.Context())
	defer abort()
	undo := &keeper{}
	set := both(withGroups(t, details), func(im *pipeline.Import) {
		im.Profile.MembersPerPatch, im.Log, im.Undo, im.Lookup = 7, log, undo, pipeline.LookupEach
	})
	im, first := b.prepare(file, set)
	survey, err := im.Survey(ctx)
	if err == nil {
		err = im.Resolve(ctx, survey)
	}
	if err != nil {
		t.Fatal(err)
	}
	wire := &cut{RoundTripper: b.box.Transport(), abort: abort, after: after}
	wire.left.Store(at)
	b.dialect("rfc", wire)(im)
	im.Profile.MembersPerPatch = 7
	if _, err := im.Run(ctx, ctx, survey); err != nil {
		t.Fatal(err)
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
	im, second := b.prepare(file, both(set, func(im *pipeline.Import) { im.State = state }))
	totals := b.run(im, second)
	if totals.Pending > 0 || totals.Counts.Sum() != int64(len(want)) {
		t.Errorf("%d pending, %v: %v", totals.Pending, totals.Counts, totals.Cause)
	}
	for _, r := range append(first.list, second.list...) {
		if r.Outcome != want[r.Row.Line] {
			t.Errorf("line %d is %s, want %s: %s", r.Row.Line, r.Outcome, want[r.Row.Line], r.Detail)
		}
	}
	if got := b.census(client).in; !maps.Equal(got, in) {
		t.Errorf("members %v, want %v", got, in)
	}
	for key, n := range b.commits() {
		if strings.HasPrefix(key, "create") && n > 1 {
			t.Errorf("%s %d times", key, n)
		}
	}
	b.undoJoined(undo, b.dialect("rfc", nil))
	if got := b.census(client).in; !maps.Equal(got, before.in) {
		t.Errorf("undone, members are %v, were %v", got, before.in)
	}
}

// undoJoined plans the reverse of a run and applies it. Deleting somebody may
// leave a change of a group nothing to do.
func (b *bench) undoJoined(kept *keeper, speak func(*pipeline.Import)) {
	b.t.Helper()
	lines := []any{scim.Object{"format": scim.Number("1")}}
	for _, l := range slices.Backward(kept.lines) {
		lines = append(lines, l)
	}
	im, recorded := b.apply(b.planFile(lines...), pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true}, both(dryRun, speak))
	announced := b.run(im, recorded)
	sent := b.run(b.apply(b.planned(recorded), pipeline.ChangeSet{Drift: plan.DriftAny}, speak))
	if announced.Counts[pipeline.Rejected]+sent.Counts[pipeline.Rejected] > 0 || sent.Lame > 0 {
		b.t.Errorf("announced %v, did %v", announced.Counts, sent.Counts)
	}
}
