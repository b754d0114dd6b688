package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// keeper keeps what the writes of a run replace.
type keeper struct {
	mu    sync.Mutex
	lines []*plan.Line
}

func (k *keeper) Keep(l *plan.Line) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = append(k.lines, l)
	return nil
}

func (k *keeper) KeepCreated(l *plan.Line) error { return k.Keep(l) }
func (k *keeper) Flush() error                   { return nil }

// dialect has an import speak to a directory of the given provider, over a
// transport that may interfere.
func (b *bench) dialect(name string, carry http.RoundTripper) func(*pipeline.Import) {
	return func(im *pipeline.Import) {
		b.t.Helper()
		profile, err := scim.ProfileByName(name)
		if err != nil {
			b.t.Fatal(err)
		}
		profile.Rate = 0
		if carry == nil {
			carry = b.box.Transport()
		}
		client, err := scim.New(scim.Options{
			BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: carry, Profile: profile, Workers: 4,
		})
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(client.Close)
		im.Client, im.Profile = client, profile
		im.Rules.Schema, im.Rules.Explain = profile.Schema("User"), im.DryRun
	}
}

// planned makes a plan file of what a dry run has decided.
func (b *bench) planned(recorded *results) string {
	b.t.Helper()
	lines := []any{scim.Object{"format": scim.Number("1")}}
	for _, r := range recorded.steps {
		if r.Change.Action.Writes() && !r.Begun {
			l := plan.NewLine(r.Row.Line, cmp.Or(r.Resource, "User"), r.Key, &r.Change, false)
			l.Seen, l.Partial = r.Seen, r.Partial
			lines = append(lines, l)
		}
		if r.Second != nil {
			lines = append(lines, plan.NewLine(r.Row.Line, "User", r.Key, r.Second, false))
		}
	}
	return b.planFile(lines...)
}

func (b *bench) planFile(lines ...any) string {
	b.t.Helper()
	var text bytes.Buffer
	for _, l := range lines {
		raw, err := scim.Encode(l)
		if err != nil {
			b.t.Fatal(err)
		}
		text.Write(append(raw, '\n'))
	}
	path := filepath.Join(b.t.TempDir(), "plan.jsonl")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// apply makes an import of a plan file.
func (b *bench) apply(path string, changes pipeline.ChangeSet, change func(*pipeline.Import)) (*pipeline.Import, *results) {
	b.t.Helper()
	im, recorded := b.prepare("userName\nx\n", change)
	m, err := mapping.Auto([]string{"userName"}, nil, "User").Compile([]string{"userName"}, false, mapping.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	im.Mapping, im.Changes, im.OnDuplicate = m, &changes, pipeline.DuplicateApply
	im.Open = func() (*rows.Reader, error) {
		return rows.Open(path, rows.Options{Format: rows.JSONL, SkipRows: 1})
	}
	return im, recorded
}

// all reads everybody, as canonical text by userName, without ids, versions and
// times.
func (b *bench) all(dialect string) map[string]string {
	b.t.Helper()
	im, _ := b.prepare("userName\nx\n", b.dialect(dialect, nil))
	people := map[string]string{}
	export := &pipeline.Export{Client: im.Client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude, Workers: 4, Meter: &pipeline.Meter{}}
	_, err := export.Run(context.Background(), func(r scim.Resource) error {
		o, err := scim.DecodeObject(r.Raw)
		if err != nil {
			return err
		}
		delete(o, "meta")
		delete(o, "id")
		text, err := scim.Encode(o)
		people[o["userName"].(string)] = string(text)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return people
}

// staffed is a file of n people with a title and a department.
func staffed(n int64, title, department string) string {
	var b strings.Builder
	b.WriteString("userName,displayName,title,enterprise:department\n")
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.com,P %d,%s,%s\n", i, i, title, department)
	}
	return b.String()
}

func dryRun(im *pipeline.Import) { im.DryRun = true }

func both(changes ...func(*pipeline.Import)) func(*pipeline.Import) {
	return func(im *pipeline.Import) {
		for _, change := range changes {
			change(im)
		}
	}
}

// somebodyElse changes three people where the plan changes them too, two where
// the rows of the plan say something, and two where they say nothing.
const somebodyElse = "userName,title,enterprise:department,externalId\n" +
	"p3@example.com,Boss,Sales,\np7@example.com,Boss,Sales,\np49@example.com,Boss,Sales,\n" +
	"p5@example.com,Agent,Ops,\np6@example.com,Agent,Ops,\n" +
	"p10@example.com,Agent,Sales,E10\np20@example.com,Agent,Sales,E20\n"

// movedTo is what the conflict of each names.
var movedTo = map[string]string{
	"p3@example.com": "title", "p7@example.com": "title", "p49@example.com": "title",
	"p5@example.com": "enterprise:department", "p6@example.com": "enterprise:department",
	"p10@example.com": "externalId", "p20@example.com": "externalId",
}

// TestApplyAfterSomebodyElse changes 7 of 150 planned people behind the plan's
// back: the others go through, and each conflict names the attribute.
func TestApplyAfterSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"rfc", "genesys"} {
		for _, tc := range []struct {
			fault, lookup string
			people        int64
		}{
			{"", pipeline.LookupEach, 150},
			{"", pipeline.LookupDirectory, 150},
			{"ignore-if-match", pipeline.LookupEach, 60},
			{"stale-etag=0.2", pipeline.LookupEach, 60},
		} {
			t.Run(dialect+" "+tc.fault+" "+tc.lookup, func(t *testing.T) {
				o := sandbox.Options{Dialect: dialect}
				if tc.fault != "" {
					o.Faults = []string{tc.fault}
				}
				b := newBench(t, o)
				speak := b.dialect(dialect, nil)
				b.run(b.prepare(staffed(tc.people, "Agent", "Sales"), speak))
				im, recorded := b.prepare(staffed(tc.people, "Lead", "Sales"), both(dryRun, speak, func(im *pipeline.Import) { im.Lookup = tc.lookup }))
				announced := b.run(im, recorded)
				path := b.planned(recorded)
				b.run(b.prepare(somebodyElse, speak))
				before := b.commits()

				im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, speak)
				done := b.run(im, recorded)
				if done.Counts[pipeline.Updated] != tc.people-7 || done.Counts[pipeline.Rejected] != 7 {
					t.Fatalf("%v, want %d updated and 7 rejected", done.Counts, tc.people-7)
				}
				if announced.Writes["PATCH"] != tc.people || done.Writes["PATCH"] != tc.people-7 {
					t.Errorf("announced %v, sent %v", announced.Writes, done.Writes)
				}
				b.checkConflicts(recorded, before, dialect == "genesys" && tc.lookup == pipeline.LookupDirectory)

				again := b.run(b.apply(path, pipeline.ChangeSet{Drift: plan.DriftPlanned}, speak))
				if again.Counts[pipeline.Updated] != 4 || again.Counts[pipeline.Unchanged] != tc.people-7 || again.Counts[pipeline.Rejected] != 3 {
					t.Errorf("with --drift planned: %v, want 4 updated, %d unchanged, 3 rejected", again.Counts, tc.people-7)
				}
			})
		}
	}
}

// checkConflicts holds every conflict to the attribute that somebody has
// changed, and every change to what the directory has done. A lean reading of
// Genesys has no externalId, which is shown again among the externalIds.
func (b *bench) checkConflicts(recorded *results, before map[string]int, lean bool) {
	b.t.Helper()
	commits := b.commits()
	for _, r := range recorded.list {
		attribute, moved := movedTo[r.Key]
		if lean && attribute == "externalId" {
			attribute = "genesys:externalIds"
		}
		n := commits["patch "+r.Key] - before["patch "+r.Key]
		switch {
		case !moved && (r.Outcome != pipeline.Updated || n != 1):
			b.t.Errorf("%s is %s, and was changed %d times", r.Key, r.Outcome, n)
		case moved && (r.Class != pipeline.ClassConflict || n != 0 || !strings.HasPrefix(r.Detail, attribute)):
			b.t.Errorf("%s: %s: %s, and was changed %d times; want a conflict that names %s", r.Key, r.Class, r.Detail, n, attribute)
		}
	}
}

// meddler changes a resource just before the first PATCH of it goes out, as
// somebody else would between the comparison and the write.
type meddler struct {
	http.RoundTripper
	of   string // the id, once it is known
	once sync.Once
	do   func()
}

func (m *meddler) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, m.of) {
		m.once.Do(m.do)
	}
	return m.RoundTripper.RoundTrip(req)
}

// TestChangedBetweenCompareAndWrite: the version guards the write, and a second
// look names what moved.
func TestChangedBetweenCompareAndWrite(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Dialect: dialect})
			speak := b.dialect(dialect, nil)
			b.run(b.prepare(staffed(3, "Agent", "Sales"), speak))
			im, recorded := b.prepare(staffed(3, "Lead", "Sales"), both(dryRun, speak))
			b.run(im, recorded)
			path := b.planned(recorded)
			m := &meddler{RoundTripper: b.box.Transport(), of: recorded.list[1].ID}
			m.do = func() {
				b.run(b.prepare("userName,displayName\np1@example.com,Renamed\n", speak))
			}
			im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect(dialect, m))
			done := b.run(im, recorded)
			if done.Counts[pipeline.Updated] != 2 || done.Counts[pipeline.Rejected] != 1 {
				t.Fatalf("%v, want 2 updated and 1 rejected", done.Counts)
			}
			for _, r := range recorded.list {
				if r.Outcome == pipeline.Rejected && (r.Key != "p1@example.com" || !strings.HasPrefix(r.Detail, "displayName has changed")) {
					t.Errorf("%s: %s", r.Key, r.Detail)
				}
			}
		})
	}
}

// mixed is a change set of every kind for the people of staffed.
const mixed = `userName,displayName,title,op
p0@example.com,,Lead,upsert
p1@example.com,,Lead,upsert
p2@example.com,,,deactivate
p3@example.com,,,deactivate
p4@example.com,,,delete
p5@example.com,,,delete
p6@example.com,,Lead,replace
n0@example.com,N 0,Agent,create
n1@example.com,N 1,Agent,create
n2@example.com,N 2,Agent,create
`

func withOps(t *testing.T) func(*pipeline.Import) {
	return func(im *pipeline.Import) {
		t.Helper()
		file, err := mapping.Parse("m.yaml", []byte("op: op\nattributes:\n  userName: userName\n  displayName: displayName\n  title: title\n"))
		if err != nil {
			t.Fatal(err)
		}
		im.Mapping, err = file.Compile([]string{"userName", "displayName", "title", "op"}, false, mapping.Options{Schema: func(string) *scim.ResourceSchema { return im.Rules.Schema }})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mixedPlan fills a directory and plans a change set of every kind.
func (b *bench) mixedPlan(speak func(*pipeline.Import)) string {
	b.t.Helper()
	b.run(b.prepare(staffed(10, "Agent", "Sales"), speak))
	im, recorded := b.prepare(mixed, both(dryRun, speak, withOps(b.t)))
	if totals := b.run(im, recorded); totals.Counts[pipeline.Rejected] > 0 || len(totals.Writes) != 4 {
		b.t.Fatalf("planned %v %v", totals.Counts, totals.Writes)
	}
	return b.planned(recorded)
}

// commitOps are what the directory does for an outcome.
var commitOps = map[pipeline.Outcome]string{
	pipeline.Created: "create", pipeline.Updated: "patch", pipeline.Deactivated: "patch",
	pipeline.Deleted: "delete", pipeline.Replaced: "replace",
}

// TestAppliedLabelsAreTrue applies plans to directories that lose answers, and
// compares each outcome with what the directory's own log says.
func TestAppliedLabelsAreTrue(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"rfc", "genesys"} {
		for _, faults := range [][]string{
			nil, {"5xx-after-commit=0.4"}, {"5xx-before-commit=0.4"}, {"reset-after-commit=0.4"}, {"reset-before-commit=0.4"},
			{"stale-etag=0.4"}, {"ignore-if-match"}, {"truncate=0.2"}, {"hang-then-commit=0.2"},
			{"5xx-after-commit=0.2", "reset-after-commit=0.2", "stale-etag=0.2", "throttle=0.1"},
		} {
			for seed := range unlessLong[int64](1, 10) {
				t.Run(fmt.Sprint(dialect, " ", faults, " ", seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { labelsOfApply(t, dialect, faults, seed) })
				})
			}
		}
	}
}

func labelsOfApply(t *testing.T, dialect string, faults []string, seed int64) {
	dir := t.TempDir()
	quiet := newBench(t, sandbox.Options{Dialect: dialect, Dir: dir})
	path := quiet.mixedPlan(quiet.dialect(dialect, nil))
	if err := quiet.box.Close(); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, sandbox.Options{Dialect: dialect, Dir: dir, Faults: faults, FaultSeed: seed})
	kept := &keeper{}
	im, recorded := b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, both(b.dialect(dialect, nil), func(im *pipeline.Import) { im.Undo = kept }))
	done := b.run(im, recorded)
	time.Sleep(time.Hour) // whatever comes late has come now
	if faults == nil && (done.Counts[pipeline.Updated] != 2 || done.Counts[pipeline.Deactivated] != 2 || done.Counts[pipeline.Deleted] != 2 ||
		done.Counts[pipeline.Replaced] != 1 || done.Counts[pipeline.Created] != 3) {
		t.Errorf("%v", done.Counts)
	}
	commits := b.commits()
	keys := map[string]bool{}
	for _, l := range kept.lines {
		keys[l.Key] = true
	}
	for _, r := range recorded.list {
		total := 0
		for _, op := range []string{"create", "patch", "delete", "replace"} {
			total += commits[op+" "+r.Key]
		}
		op, wrote := commitOps[r.Outcome]
		switch {
		case wrote && commits[op+" "+r.Key] == 0:
			t.Errorf("%s is %s, but the directory never did it", r.Key, r.Outcome)
		case !wrote && r.Outcome != pipeline.Unknown && total > 0:
			t.Errorf("%s is %s (%s), but the directory did something", r.Key, r.Outcome, r.Detail)
		case total > 0 && !keys[r.Key] && r.Outcome != pipeline.Unknown:
			t.Errorf("%s was written and nothing is kept to undo it", r.Key)
		case commits["create "+r.Key] > 1 || commits["delete "+r.Key] > 1:
			t.Errorf("%s was made or deleted more than once", r.Key)
		}
	}
}

// TestUndo: a change set applied and undone leaves the directory as it was.
func TestUndo(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		for _, by := range []string{"import", "apply"} {
			t.Run(dialect+" "+by, func(t *testing.T) {
				b := newBench(t, sandbox.Options{Dialect: dialect})
				speak := b.dialect(dialect, nil)
				path := b.mixedPlan(speak)
				before := b.all(dialect)
				kept := &keeper{}
				keep := both(speak, func(im *pipeline.Import) { im.Undo = kept })
				if by == "apply" {
					b.run(b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, keep))
				} else {
					b.run(b.prepare(mixed, both(keep, withOps(t))))
				}
				if fmt.Sprint(b.all(dialect)) == fmt.Sprint(before) {
					t.Fatal("nothing has changed")
				}
				b.undo(kept, pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true}, speak)
				after := b.all(dialect)
				for key := range maps.Keys(before) {
					if after[key] != before[key] {
						t.Errorf("%s was %s and is %s", key, before[key], after[key])
					}
				}
				if len(after) != len(before) {
					t.Errorf("%d people, there were %d", len(after), len(before))
				}
			})
		}
	}
}

// undo plans the reverse of what was kept, applies it, and returns what the
// plan announced.
func (b *bench) undo(kept *keeper, changes pipeline.ChangeSet, speak func(*pipeline.Import)) *results {
	b.t.Helper()
	lines := []any{scim.Object{"format": scim.Number("1")}}
	for _, l := range slices.Backward(kept.lines) {
		lines = append(lines, l)
	}
	im, recorded := b.apply(b.planFile(lines...), changes, both(dryRun, speak))
	announced := b.run(im, recorded)
	im, done := b.apply(b.planned(recorded), pipeline.ChangeSet{Drift: plan.DriftAny}, speak)
	sent := b.run(im, done)
	if fmt.Sprint(announced.Writes) != fmt.Sprint(sent.Writes) || sent.Counts[pipeline.Rejected] > 0 {
		b.t.Errorf("announced %v %v, did %v %v", announced.Counts, announced.Writes, sent.Counts, sent.Writes)
	}
	return recorded
}

// TestUndoKeepsWhatOthersHaveDone: values that somebody has set since the run
// are not taken away, and a change that never happened is not undone.
func TestUndoKeepsWhatOthersHaveDone(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	speak := b.dialect("rfc", nil)
	b.run(b.prepare(staffed(3, "Agent", "Sales"), speak))
	kept := &keeper{}
	b.run(b.prepare(staffed(3, "Lead", "Sales"), both(speak, func(im *pipeline.Import) { im.Undo = kept })))
	b.run(b.prepare("userName,title\np0@example.com,Boss\np1@example.com,Agent\n", speak))
	announced := b.undo(kept, pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true}, speak)
	got := map[string]pipeline.Outcome{}
	for _, r := range announced.list {
		got[r.Key] = r.Outcome
	}
	want := map[string]pipeline.Outcome{
		"p0@example.com": pipeline.Rejected, "p1@example.com": pipeline.Unchanged, "p2@example.com": pipeline.Updated,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("undo announces %v, want %v", got, want)
	}
}

// TestUndoWhereDeletedAccountsAreKept turns those inactive whom the run created.
func TestUndoWhereDeletedAccountsAreKept(t *testing.T) {
	b := newBench(t, sandbox.Options{Dialect: "genesys"})
	speak := b.dialect("genesys", nil)
	kept := &keeper{}
	b.run(b.prepare(staffed(2, "Agent", "Sales"), both(speak, func(im *pipeline.Import) { im.Undo = kept })))
	b.undo(kept, pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true, SoftDelete: true}, speak)
	people := b.all("genesys")
	for key, text := range people {
		if !strings.Contains(text, `"active":false`) {
			t.Errorf("%s is %s", key, text)
		}
	}
	if len(people) != 2 {
		t.Errorf("%d people, want 2", len(people))
	}
}

// breaker lets so many writes through, and cuts the answer of the next one off
// together with the run.
type breaker struct {
	http.RoundTripper
	left  atomic.Int64
	broke func()
}

func (k *breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := k.RoundTripper.RoundTrip(req)
	if req.Method != http.MethodGet && k.left.Add(-1) < 0 {
		if err == nil {
			resp.Body.Close()
		}
		k.broke()
		return nil, errors.New("cut off")
	}
	return resp, err
}

// TestApplyResumed breaks an apply off after each of its writes, whose answer is
// lost, and resumes it through the log: every change is made once and labelled
// as what it was.
func TestApplyResumed(t *testing.T) {
	t.Parallel()
	for writes := range int64(11) {
		t.Run(fmt.Sprint(writes), func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			path := b.mixedPlan(b.dialect("rfc", nil))
			before := b.commits()
			ctx, cancel := context.WithCancel(t.Context())
			cut := &breaker{RoundTripper: b.box.Transport(), broke: cancel}
			cut.left.Store(writes)
			dir, kept := t.TempDir(), &keeper{}
			recorded := b.session(ctx, dir, nil, path, kept, cut)
			first := len(recorded.list)
			log, state, err := journal.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if left := 10 - int(state.Rows()); writes < 10 && (left == 0 || len(state.InDoubt()) == 0) {
				t.Fatalf("%d rows left, %d in doubt: nothing was broken off", left, len(state.InDoubt()))
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			recorded.list = append(recorded.list, b.session(t.Context(), dir, state, path, kept, b.box.Transport()).list...)
			b.checkOnce(recorded, before)
			if len(recorded.list) != 10 {
				t.Errorf("%d outcomes in the first session, %d in all, want 10", first, len(recorded.list))
			}
			b.dedupe(kept)
			b.undo(kept, pipeline.ChangeSet{Drift: plan.DriftPlanned, Replan: true}, b.dialect("rfc", nil))
			if people := b.all("rfc"); len(people) != 10 || !strings.Contains(people["p0@example.com"], `"title":"Agent"`) {
				t.Errorf("undone to %v", people)
			}
		})
	}
}

// session is one session of an apply with a log in dir.
func (b *bench) session(ctx context.Context, dir string, state *journal.State, path string, kept *keeper, carry http.RoundTripper) *results {
	b.t.Helper()
	im, recorded := b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", carry))
	im.Undo, im.State, im.Settle = kept, state, 0 // nothing comes late
	var err error
	if state == nil {
		im.Log, err = journal.Create(dir, journal.Header{Run: "test", Command: "apply"})
	} else {
		im.Log, im.State, err = journal.Open(dir)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer im.Log.Close()
	survey, err := im.Survey(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := im.Run(ctx, ctx, survey); err != nil {
		b.t.Fatal(err)
	}
	return recorded
}

// checkOnce holds every outcome to one change in the directory's log.
func (b *bench) checkOnce(recorded *results, before map[string]int) {
	b.t.Helper()
	commits := b.commits()
	for _, r := range recorded.list {
		op := commitOps[r.Outcome]
		if n := commits[op+" "+r.Key] - before[op+" "+r.Key]; n != 1 {
			b.t.Errorf("%s is %s (%s): the directory did it %d times", r.Key, r.Outcome, r.Detail, n)
		}
	}
}

// dedupe keeps the first of several lines for one write.
func (b *bench) dedupe(kept *keeper) {
	seen := map[string]bool{}
	kept.lines = slices.DeleteFunc(kept.lines, func(l *plan.Line) bool {
		key := fmt.Sprint(l.Line, l.Op, l.ID)
		twice := seen[key]
		seen[key] = true
		return twice
	})
}

// TestDamagedLines: a line that is no change ends as a reject of its own.
func TestDamagedLines(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	path := b.planFile(scim.Object{"format": scim.Number("1")},
		scim.Object{"op": "create", "resource": "User", "key": "a@example.com", "body": scim.Object{"userName": "a@example.com", "schemas": []any{scim.UserURN}}},
		scim.Object{"op": "explode", "resource": "User", "key": "b@example.com"},
		scim.Object{"op": "delete", "resource": "User", "key": "c@example.com"},
		scim.Object{"op": "update", "resource": "User", "key": "d@example.com", "id": "1", "patch": []any{scim.Object{"op": "move"}}},
		scim.Object{"op": "delete", "resource": "Group", "key": "e", "id": "1"},
		scim.Object{"op": "create", "resource": "User", "key": "f@example.com", "body": scim.Object{}, "withheld": []any{"password"}},
		"torn")
	im, recorded := b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", nil))
	done := b.run(im, recorded)
	if done.Counts[pipeline.Created] != 1 || done.Counts[pipeline.Rejected] != 6 {
		t.Errorf("%v, want 1 created and 6 rejected", done.Counts)
	}
	for _, r := range recorded.list {
		if r.Outcome == pipeline.Rejected && r.Class != pipeline.ClassData {
			t.Errorf("%s: %s: %s", r.Key, r.Class, r.Detail)
		}
		if r.Key == "f@example.com" && !strings.Contains(r.Detail, "withholds password") {
			t.Errorf("%s", r.Detail)
		}
	}
}

// TestConflictNamesWhatNoRowSays: a plan that was made of a reading knows of all
// that a page of full size shows, though the rows speak of a title alone.
func TestConflictNamesWhatNoRowSays(t *testing.T) {
	b := newBench(t, sandbox.Options{Dialect: "genesys"})
	speak := b.dialect("genesys", nil)
	b.run(b.prepare(staffed(3, "Agent", "Sales"), speak))
	rows := "userName,title\np0@example.com,Lead\np1@example.com,Lead\np2@example.com,Lead\n"
	im, recorded := b.prepare(rows, both(dryRun, speak, func(im *pipeline.Import) { im.Lookup = pipeline.LookupDirectory }))
	b.run(im, recorded)
	path := b.planned(recorded)
	b.run(b.prepare("userName,displayName,enterprise:department\np0@example.com,Renamed,Sales\np2@example.com,P 2,Ops\n", speak))

	im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, speak)
	b.run(im, recorded)
	want := map[string]string{"p0@example.com": "displayName has changed", "p1@example.com": "", "p2@example.com": "enterprise:department has changed"}
	for _, r := range recorded.list {
		if detail := want[r.Key]; !strings.HasPrefix(r.Detail, detail) || (r.Outcome == pipeline.Rejected) != (detail != "") {
			t.Errorf("%s is %s: %q, want %q", r.Key, r.Outcome, r.Detail, detail)
		}
	}
}
