package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
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

// laggard is a disk that takes an hour for each outcome: whatever does not wait
// for it has long been done.
type laggard struct{ *results }

func (l laggard) Record(r *pipeline.Result) error {
	time.Sleep(time.Hour)
	return l.results.Record(r)
}

// cutAt breaks a run off at the first request of a kind.
type cutAt struct {
	http.RoundTripper
	method, path string // what is in the path
	abort        context.CancelFunc
}

func (c *cutAt) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == c.method && strings.Contains(r.URL.Path, c.path) {
		c.abort()
		return nil, context.Canceled
	}
	return c.RoundTripper.RoundTrip(r)
}

// TestWhatARowCameToIsLoggedBeforeItsMemberships: of the steps of a line the log
// keeps the first one, so that somebody who was created and put into a group
// would be "updated" after a crash if the log learned of the group first.
func TestWhatARowCameToIsLoggedBeforeItsMemberships(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{})
		client := b.clientOf(scim.Profiles()[0])
		ids := map[string]string{}
		for _, g := range []string{"A", "B"} {
			ids[g] = b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"`+g+`"}`)
		}
		// The first row is refused as it is read: its outcome comes before all others.
		file := joiners("bob:Bob:A:perhaps", "eve:Eve:A|B:create")
		dir := t.TempDir()
		log, err := journal.Create(dir, journal.Header{Run: "test"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, abort := context.WithCancel(t.Context())
		defer abort()
		im, recorded := b.prepare(file, both(withGroups(t, ""), b.dialect("rfc", &cutAt{b.box.Transport(), http.MethodPatch, ids["B"], abort})))
		im.Log, im.Workers, im.Recorder = log, 1, laggard{recorded}
		b.breakOff(ctx, im)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		log, state, err := journal.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if in := b.census(client).insiders("A"); !slices.Equal(in, []string{"eve"}) {
			t.Fatalf("in A are %v: the run was broken off too early", in)
		}
		if step, known := state.Step(3); !known || step.Outcome != string(pipeline.Created) {
			t.Errorf("the log says %v, %v of somebody who was created", step, known)
		}
		im, again := b.prepare(file, withGroups(t, ""))
		im.Log, im.State = log, state
		b.run(im, again)
		if got := again.list[0]; got.Outcome != pipeline.Created || got.Lame {
			t.Errorf("the session that goes on says %s: %s", got.Outcome, got.Detail)
		}
	})
}

// breakOff carries an import out until somebody ends ctx.
func (b *bench) breakOff(ctx context.Context, im *pipeline.Import) {
	b.t.Helper()
	survey, err := im.Survey(b.t.Context())
	if err == nil {
		err = im.Resolve(b.t.Context(), survey)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := im.Run(ctx, ctx, survey); err != nil {
		b.t.Fatal(err)
	}
}

// script is a network that does as it is told with single requests, counted by
// their method: "POST 2" is the second POST.
type script struct {
	http.RoundTripper
	tells map[string]string
	abort context.CancelFunc

	mu   sync.Mutex
	seen map[string]int
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.seen[r.Method]++
	do := s.tells[fmt.Sprintf("%s %d", r.Method, s.seen[r.Method])]
	s.mu.Unlock()
	if do == "fails" {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	}
	resp, err := s.RoundTripper.RoundTrip(r)
	if do == "takes a second" {
		time.Sleep(time.Second)
		do = ""
	}
	if do == "" || err != nil {
		return resp, err
	}
	resp.Body.Close()
	if do == "is carried out, and the run breaks off" {
		s.abort()
		return nil, context.Canceled
	}
	return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

// TestLabelsWhenAnswersAreLost: who was there is not created, be it that the
// directory has refused to create them, or that a change of theirs was in doubt
// afterwards; and who was not there is. The same session settles it, or the next.
func TestLabelsWhenAnswersAreLost(t *testing.T) {
	const lost, breaks = "is carried out, and its answer is lost", "is carried out, and the run breaks off"
	people := map[string]struct {
		op            string
		there, before bool // in the directory, and active there
		after         bool // active in the file
		commit        string
		outcome       pipeline.Outcome
	}{
		"somebody":              {there: true, before: true, after: true, commit: "patch", outcome: pipeline.Updated},
		"somebody hidden":       {there: true, commit: "patch", outcome: pipeline.Updated},
		"who is turned off":     {there: true, before: true, commit: "patch", outcome: pipeline.Updated},
		"who is deactivated":    {op: "deactivate", there: true, before: true, commit: "patch", outcome: pipeline.Deactivated},
		"a newcomer":            {after: true, commit: "create", outcome: pipeline.Created},
		"a newcomer and hidden": {commit: "create", outcome: pipeline.Created},
	}
	for _, tells := range []map[string]string{
		nil,
		{"PATCH 1": lost},
		{"PATCH 1": breaks},
		{"PATCH 1": lost, "POST 1": lost},
		{"PATCH 1": breaks, "POST 1": lost},
		{"PATCH 1": lost, "POST 1": breaks},
		{"PATCH 1": lost, "POST 1": "fails"},
		{"PATCH 1": breaks, "POST 1": "fails"},
		{"PATCH 1": lost, "POST 1": "fails", "POST 2": lost},
		{"PATCH 1": breaks, "POST 1": "fails", "POST 2": breaks},
	} {
		for name, who := range people {
			for _, lookup := range []string{pipeline.LookupAuto, pipeline.LookupNone} {
				for _, dialect := range []string{"rfc", "genesys"} { // genesys does not tell when somebody was made
					if lookup == pipeline.LookupNone && who.op != "" {
						continue // it is for those who may be new
					}
					hides := dialect == "genesys" && lookup == pipeline.LookupAuto // elsewhere nobody would find them
					t.Run(fmt.Sprintf("%s, look-up %s, %s, %v", name, lookup, dialect, tells), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							options := sandbox.Options{Dialect: dialect}
							if hides {
								options.Faults = []string{"hidden-inactive"}
							}
							b := newBench(t, options)
							file := func(title, op string, active bool) string {
								return fmt.Sprintf("userName,displayName,title,active,op\neve@example.com,Eve,%s,%v,%s\n", title, active, op)
							}
							if who.there {
								b.run(b.prepare(file("Agent", "", who.before), b.dialect(dialect, nil)))
							}
							b.forget(b.commits())
							time.Sleep(time.Hour)
							list := b.brokenOff(file("Head", who.op, who.after), []map[string]string{tells}, dialect, func(im *pipeline.Import) { im.Lookup = lookup })
							if commits := b.commits(); commits[who.commit+" eve@example.com"] != 1 || len(commits) != 1 {
								t.Errorf("the directory did %v", commits)
							}
							if len(list) != 1 || list[0].Outcome != who.outcome {
								t.Errorf("%s, want %s: %s", list[0].Outcome, who.outcome, list[0].Detail)
							}
						})
					})
				}
			}
		}
	}
}

// late is a directory whose clock is an hour behind ours.
type late struct{ http.RoundTripper }

var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = stamp.ReplaceAllFunc(body, func(text []byte) []byte {
		at, err := time.Parse(time.RFC3339, string(text))
		if err != nil {
			return text
		}
		return []byte(at.Add(-time.Hour).Format(time.RFC3339))
	})
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		resp.Header.Set("Date", at.Add(-time.Hour).Format(http.TimeFormat))
	}
	return resp, nil
}

// TestTimesAreTheDirectorys: what a directory stamps on a resource is compared
// with its own clock, which a refusal shows as well as a success does.
func TestTimesAreTheDirectorys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{})
		tells := []map[string]string{{"POST 1": "is carried out, and the run breaks off"}}
		list := b.brokenOffBehind(late{b.box.Transport()}, "userName\nbob\n", tells, "rfc", func(im *pipeline.Import) {
			im.Lookup = pipeline.LookupNone
			if _, err := im.Client.Get(t.Context(), scim.Users, "nobody", scim.ReadOptions{}); err == nil {
				t.Fatal("nobody is there")
			}
		})
		if len(list) != 1 || list[0].Outcome != pipeline.Created {
			t.Errorf("bob is %s, want created: %s", list[0].Outcome, list[0].Detail)
		}
	})
}

// TestTheLastAttemptIsLookedAfter: a change that the directory has carried out
// at last, without saying so, is no reject.
func TestTheLastAttemptIsLookedAfter(t *testing.T) {
	for last, want := range map[string]pipeline.Outcome{
		"is carried out, and its answer is lost": pipeline.Updated,
		"fails":                                  pipeline.Rejected,
	} {
		t.Run(last, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, sandbox.Options{})
				b.run(b.prepare("userName,title\nann,Agent\n", nil))
				tells := map[string]string{"PATCH 8": last}
				for n := range 7 {
					tells[fmt.Sprintf("PATCH %d", n+1)] = "fails"
				}
				list := b.brokenOff("userName,title\nann,Lead\n", []map[string]string{tells}, "rfc", func(*pipeline.Import) {})
				if len(list) != 1 || list[0].Outcome != want {
					t.Errorf("%s, want %s: %s", list[0].Outcome, want, list[0].Detail)
				}
			})
		})
	}
}

// TestARowThatIsReleasedLast: it waits for another row, and its create is lost,
// when no worker is left to wait with it for the settle window.
func TestARowThatIsReleasedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{Faults: []string{"non-unique"}})
		file := "Login,Boss\nann,\nbob,ann\n"
		list := b.brokenOff(file, []map[string]string{{"POST 1": "takes a second", "POST 2": "fails"}}, "rfc", func(im *pipeline.Import) {
			im.Mapping = compile(t, "attributes:\n  userName: Login\n  enterprise:manager: {column: Boss, ref: User.userName}\n", "Login", "Boss")
		})
		if len(list) != 2 || list[1].Outcome != pipeline.Created || b.commits()["create bob"] != 1 {
			t.Errorf("%d outcomes, and the directory did %v", len(list), b.commits())
		}
	})
}

// brokenOff runs an import over a network that does as it is told, and goes on
// as often as that has broken it off. It returns the outcomes of all sessions.
func (b *bench) brokenOff(file string, tells []map[string]string, dialect string, change func(*pipeline.Import)) []*pipeline.Result {
	b.t.Helper()
	return b.brokenOffBehind(b.box.Transport(), file, tells, dialect, change)
}

// brokenOffBehind is brokenOff with a transport that may interfere too.
func (b *bench) brokenOffBehind(carry http.RoundTripper, file string, tells []map[string]string, dialect string, change func(*pipeline.Import)) []*pipeline.Result {
	b.t.Helper()
	dir := b.t.TempDir()
	log, err := journal.Create(dir, journal.Header{Run: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	var state *journal.State
	var all []*pipeline.Result
	for {
		ctx, abort := context.WithCancel(b.t.Context())
		wire := &script{RoundTripper: carry, abort: abort, seen: map[string]int{}}
		if len(tells) > 0 {
			wire.tells, tells = tells[0], tells[1:]
		}
		im, recorded := b.prepare(file, both(b.dialect(dialect, wire), change))
		im.Log, im.State = log, state
		b.breakOff(ctx, im)
		all = append(all, recorded.list...)
		if err := log.Close(); err != nil {
			b.t.Fatal(err)
		}
		if ctx.Err() == nil {
			abort()
			return all
		}
		time.Sleep(time.Minute)
		if log, state, err = journal.Open(dir); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestLabelsOverAnySessions draws people of whom some are there, and some of
// those hidden, a network that loses answers, and sessions that are broken off,
// and compares every outcome with the directory's own log.
func TestLabelsOverAnySessions(t *testing.T) {
	t.Parallel()
	fates := []string{"", "", "fails", "is carried out, and its answer is lost", "is carried out, and the run breaks off"}
	rapid.Check(t, func(rt *rapid.T) {
		dialect := rapid.SampledFrom([]string{"rfc", "genesys"}).Draw(rt, "dialect")
		lookup := rapid.SampledFrom([]string{pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupDirectory, pipeline.LookupNone}).Draw(rt, "lookup")
		op := rapid.SampledFrom([]string{"upsert", "create"}).Draw(rt, "op")
		people := rapid.SliceOfN(rapid.SampledFrom([]string{"new", "new inactive", "same", "other", "inactive", "off", "leaver"}), 1, 6).Draw(rt, "people")
		managers := rapid.Bool().Draw(rt, "managers")
		var tells []map[string]string
		for range rapid.IntRange(1, 4).Draw(rt, "sessions") {
			told := map[string]string{}
			for i := range 4 {
				for _, method := range []string{"POST", "PATCH"} {
					at := fmt.Sprintf("%s %d", method, i+1)
					told[at] = rapid.SampledFrom(fates).Draw(rt, at)
				}
			}
			tells = append(tells, told)
		}
		synctest.Test(t, func(t *testing.T) { labelOverSessions(t, rt, dialect, lookup, op, people, managers, tells) })
	})
}

func labelOverSessions(t *testing.T, rt *rapid.T, dialect, lookup, op string, people []string, managers bool, tells []map[string]string) {
	options := sandbox.Options{Dialect: dialect}
	if dialect == "genesys" && lookup == pipeline.LookupAuto {
		options.Faults = []string{"hidden-inactive"} // elsewhere a listing hides them too, or nobody reads it
	}
	b := newBench(t, options)
	there, file := "userName,displayName,title,active\n", "Login,Name,Title,Active,Boss,Do\n"
	for i, who := range people {
		login := fmt.Sprintf("p%d@example.com", i)
		title, active := "Agent", who != "inactive" && who != "new inactive"
		if who == "same" {
			title = "Head"
		}
		if !strings.HasPrefix(who, "new") {
			there += fmt.Sprintf("%s,P,%s,%v\n", login, title, active)
		}
		boss := ""
		if managers {
			boss = fmt.Sprintf("p%d@example.com", (i+1)%len(people))
		}
		do := op
		if who == "leaver" && lookup != pipeline.LookupNone {
			do = "deactivate"
		}
		file += fmt.Sprintf("%s,P,Head,%v,%s,%s\n", login, active && who != "off", boss, do)
	}
	b.run(b.prepare(there, b.dialect(dialect, nil)))
	b.forget(b.commits())
	time.Sleep(time.Hour)
	undo := &keeper{}
	list := b.brokenOff(file, tells, dialect, func(im *pipeline.Import) {
		im.Mapping = compile(t, "op: Do\nattributes:\n  userName: Login\n  displayName: Name\n  title: Title\n  active: Active\n  enterprise:manager: {column: Boss, ref: User.userName}\n",
			"Login", "Name", "Title", "Active", "Boss", "Do")
		im.Rules.OnExisting, im.Lookup, im.Undo, im.Workers = plan.ExistingUpdate, lookup, undo, 1
	})
	commits := b.commits()
	for _, r := range list {
		want := pipeline.Unchanged
		switch {
		case commits["create "+r.Key] > 0:
			want = pipeline.Created
		case r.Op == plan.Deactivate && commits["patch "+r.Key] > 0:
			want = pipeline.Deactivated
		case commits["patch "+r.Key] > 0:
			want = pipeline.Updated
		}
		if r.Outcome != want {
			rt.Errorf("line %d (%s) is %s, want %s: %s", r.Row.Line, people[r.Row.Line-2], r.Outcome, want, r.Detail)
		}
		if commits["create "+r.Key] > 1 {
			rt.Errorf("%s was created %d times", r.Key, commits["create "+r.Key])
		}
	}
	if len(list) != len(people) {
		rt.Errorf("%d outcomes for %d rows", len(list), len(people))
	}
}

// TestWhoIsHiddenByAChangeInDoubt: a row whose key another one has waits for its
// settle window itself, and looks for them then as any other row does. The
// directory would make a twin.
func TestWhoIsHiddenByAChangeInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sandbox.Options{Dialect: "genesys", Faults: []string{"hidden-inactive", "non-unique"}})
		b.run(b.prepare("userName,displayName,title,active\neve@example.com,Eve,Agent,true\n", b.dialect("genesys", nil)))
		b.forget(b.commits())
		time.Sleep(time.Hour)
		file := "userName,displayName,active,op\neve@example.com,Eve,false,\neve@example.com,Eve,,deactivate\n"
		list := b.brokenOff(file, []map[string]string{{"PATCH 1": "is carried out, and its answer is lost"}}, "genesys", func(im *pipeline.Import) {
			im.OnDuplicate = pipeline.DuplicateApply
		})
		if commits := b.commits(); commits["create eve@example.com"] != 0 {
			t.Errorf("the directory did %v", commits)
		}
		if len(list) != 2 || list[0].Outcome != pipeline.Updated {
			t.Errorf("%d outcomes, the first of them %s, want updated: %s", len(list), list[0].Outcome, list[0].Detail)
		}
	})
}
