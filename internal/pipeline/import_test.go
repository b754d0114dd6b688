package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
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

// results keeps what a run recorded: outcomes, and the steps of rows in the
// order of a plan file.
type results struct{ list, steps []*pipeline.Result }

func (r *results) Record(result *pipeline.Result) error {
	r.list, r.steps = append(r.list, result), append(r.steps, result)
	return nil
}

func (r *results) Early(result *pipeline.Result) error {
	r.steps = append(r.steps, result)
	return nil
}

func (r *results) Flush() error { return nil }

// bench is a directory and the runs against it.
type bench struct {
	t      *testing.T
	dir    string
	audit  string
	box    *sandbox.Sandbox
	files  int
	before map[string]int // commits of earlier runs
}

func newBench(t *testing.T, o sandbox.Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.audit = filepath.Join(b.dir, "audit.jsonl")
	o.Audit = b.audit
	var err error
	if b.box, err = sandbox.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.box.Close() })
	return b
}

// prepare makes an import of a CSV text, not yet surveyed.
func (b *bench) prepare(text string, change func(*pipeline.Import)) (*pipeline.Import, *results) {
	b.t.Helper()
	b.files++
	path := filepath.Join(b.dir, fmt.Sprintf("in%d.csv", b.files))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	in, err := rows.Open(path, rows.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer in.Close()
	m, err := mapping.Auto(in.Header(), nil, "User").Compile(in.Header(), in.Nested(), mapping.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	profile := scim.Profiles()[0]
	client, err := scim.New(scim.Options{
		BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: b.box.Transport(), Profile: profile, Workers: 4,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	recorded := &results{}
	im := &pipeline.Import{
		Open:    func() (*rows.Reader, error) { return rows.Open(path, in.Options()) },
		Mapping: m, Client: client, Profile: profile, Rules: plan.Rules{Schema: scim.Builtin("User")}, Resource: "User",
		Workers: 4, OnDuplicate: pipeline.DuplicateReject, Lookup: pipeline.LookupAuto,
		MaxErrors: pipeline.NoLimit, MaxDeletes: pipeline.NoLimit, Settle: 30 * time.Second,
		Name: "test", Recorder: recorded, Meter: &pipeline.Meter{},
	}
	if change != nil {
		change(im)
	}
	return im, recorded
}

// run carries an import out with a log of its own, and checks conservation.
func (b *bench) run(im *pipeline.Import, recorded *results) *pipeline.Totals {
	b.t.Helper()
	if !im.DryRun && im.Log == nil {
		log, err := journal.Create(b.t.TempDir(), journal.Header{Run: "test", Command: "import"})
		if err != nil {
			b.t.Fatal(err)
		}
		defer log.Close()
		im.Log = log
	}
	survey, err := im.Survey(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := im.Resolve(context.Background(), survey); err != nil {
		b.t.Fatal(err)
	}
	totals, err := im.Run(context.Background(), context.Background(), survey)
	if err != nil {
		b.t.Fatal(err)
	}
	b.conserves(totals, recorded)
	return totals
}

// conserves holds a run to one outcome a row, and to totals that add up.
func (b *bench) conserves(totals *pipeline.Totals, recorded *results) {
	b.t.Helper()
	lines := map[int64]bool{}
	for _, r := range recorded.list {
		if lines[r.Row.Line] {
			b.t.Errorf("line %d has two outcomes", r.Row.Line)
		}
		lines[r.Row.Line] = true
	}
	if totals.Counts.Sum()+totals.Pending != totals.Rows {
		b.t.Errorf("%d rows, outcomes %v, %d pending", totals.Rows, totals.Counts, totals.Pending)
	}
}

// commits counts what the directory did, as "op key".
func (b *bench) commits() map[string]int {
	b.t.Helper()
	f, err := os.Open(b.audit)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Kind, Op, Key string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			b.t.Fatal(err)
		}
		if line.Kind == "commit" {
			counts[line.Op+" "+line.Key]++
		}
	}
	for key, n := range b.before {
		if counts[key] -= n; counts[key] == 0 {
			delete(counts, key)
		}
	}
	return counts
}

// forget leaves out of commits what was there before.
func (b *bench) forget(before map[string]int) { b.before = before }

// everybody is a file of those who are in the directory.
func (b *bench) everybody() string {
	b.t.Helper()
	im, _ := b.prepare("userName\nx\n", nil)
	text := "userName,title\n"
	for r, err := range im.Client.All(b.t.Context(), scim.Users, scim.ListOptions{Attributes: []string{"userName"}}) {
		if err != nil {
			b.t.Fatal(err)
		}
		o, err := scim.DecodeObject(r.Raw)
		if err != nil {
			b.t.Fatal(err)
		}
		text += o["userName"].(string) + ",Agent\n"
	}
	return text
}

// compile makes a mapping of YAML.
func compile(t *testing.T, text string, header ...string) *mapping.Mapping {
	t.Helper()
	file, err := mapping.Parse("m.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := file.Compile(header, false, mapping.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// people is a file of n people.
func people(n int, title string) string {
	var b strings.Builder
	b.WriteString("userName,title\n")
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.com,%s\n", i, title)
	}
	return b.String()
}

// TestLabelsAreTrue runs imports against directories that lose answers, and
// compares each outcome with what the directory's own log says.
func TestLabelsAreTrue(t *testing.T) {
	t.Parallel()
	faults := []struct {
		name   string
		faults []string
	}{
		{"nothing", nil},
		{"errors before the commit", []string{"5xx-before-commit=0.3"}},
		{"errors after the commit", []string{"5xx-after-commit=0.3"}},
		{"connections cut before the commit", []string{"reset-before-commit=0.3"}},
		{"connections cut after the commit", []string{"reset-after-commit=0.3"}},
		{"answers cut short", []string{"truncate=0.2"}},
		{"HTML instead of answers", []string{"html-error=0.2"}},
		{"late commits", []string{"hang-then-commit=0.1"}},
		{"late commits where keys are not unique", []string{"hang-then-commit=0.1:45s", "non-unique"}},
		{"answers lost where keys are not unique", []string{"reset-after-commit=0.2", "reset-before-commit=0.2", "non-unique"}},
		{"look-ups that lag behind", []string{"late-visibility=5s", "5xx-after-commit=0.3"}},
		{"everything", []string{"5xx-before-commit=0.1", "5xx-after-commit=0.1", "reset-after-commit=0.1", "truncate=0.05", "throttle=0.05"}},
	}
	for _, tc := range faults {
		for seed := range unlessLong[int64](1, 10) {
			t.Run(fmt.Sprintf("%s/%d", tc.name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, sandbox.Options{Faults: tc.faults, FaultSeed: seed})
					im, recorded := b.prepare(people(60, "Agent"), nil)
					created := b.run(im, recorded)
					time.Sleep(time.Hour) // whatever comes late has come now
					checkCommits(t, b, recorded, "create", pipeline.Created)

					im, recorded = b.prepare(people(70, "Team lead"), nil) // ten of them are new
					before := b.commits()
					changed := b.run(im, recorded)
					time.Sleep(time.Hour)
					b.forget(before)
					checkCommits(t, b, recorded, "create", pipeline.Created)
					checkCommits(t, b, recorded, "patch", pipeline.Updated)
					if tc.faults == nil && (created.Counts[pipeline.Created] != 60 || changed.Counts[pipeline.Updated] != 60 || changed.Counts[pipeline.Created] != 10) {
						t.Errorf("first run %v, second run %v", created.Counts, changed.Counts)
					}
				})
			})
		}
	}
}

// TestLabelsOfCreates runs creates of people of whom some are there, in every
// way of taking that, against a directory that loses answers.
func TestLabelsOfCreates(t *testing.T) {
	t.Parallel()
	for _, existing := range []string{plan.ExistingReject, plan.ExistingSkip, plan.ExistingUpdate} {
		for _, lookup := range []string{pipeline.LookupAuto, pipeline.LookupNone, pipeline.LookupDirectory} {
			for _, fault := range []string{"5xx-after-commit=0.4", "5xx-before-commit=0.4", "reset-after-commit=0.4", "truncate=0.3"} {
				for _, dialect := range []string{"rfc", "genesys"} { // genesys does not tell when somebody was made
					t.Run(strings.Join([]string{existing, lookup, fault, dialect}, " "), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { labelCreates(t, existing, lookup, fault, dialect) })
					})
				}
			}
		}
	}
}

func labelCreates(t *testing.T, existing, lookup, fault, dialect string) {
	time.Sleep(30 * 365 * 24 * time.Hour) // the seeded people are of 2024, and the clock begins in 2000
	n := unlessLong(12, 30)
	b := newBench(t, sandbox.Options{Dialect: dialect, Seed: n, Faults: []string{fault}, FaultSeed: 7})
	im, recorded := b.prepare(b.everybody()+strings.TrimPrefix(people(n, "Agent"), "userName,title\n"), func(im *pipeline.Import) {
		im.Mapping = compile(t, "op: create\nattributes: {userName: userName, displayName: userName, title: title}\n", "userName", "title")
		im.Rules.OnExisting, im.Lookup = existing, lookup
	})
	totals := b.run(im, recorded)
	checkCommits(t, b, recorded, "create", pipeline.Created)
	checkCommits(t, b, recorded, "patch", pipeline.Updated)
	if totals.Counts[pipeline.Created] != int64(n) {
		t.Errorf("%d people are new: %v", n, totals.Counts)
	}
}

// slowDisk takes its time to write results down.
type slowDisk struct{ *results }

func (slowDisk) Flush() error {
	time.Sleep(time.Second)
	return nil
}

// TestRowsOfOneKeyAreNeverInDoubtTogether: the directory cannot tell what became
// of the first once the second is carried out.
func TestRowsOfOneKeyAreNeverInDoubtTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people, times = 10, 3
		b := newBench(t, sandbox.Options{})
		var text strings.Builder
		text.WriteString("userName,title\n")
		for n := range times * people {
			fmt.Fprintf(&text, "p%d@example.com,Title %d\n", n%people, n/people)
		}
		dir := t.TempDir()
		im, recorded := b.prepare(text.String(), func(im *pipeline.Import) { im.OnDuplicate = pipeline.DuplicateApply })
		log, err := journal.Create(dir, journal.Header{Run: "test", Command: "import"})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		im.Log, im.Recorder = log, slowDisk{recorded}
		b.run(im, recorded)
		intents, done := 0, map[int64]bool{}
		for _, r := range logged(t, dir) {
			for _, cells := range r.Rows {
				line := int64(cells[0].(float64))
				if done[line] = done[line] || r.Kind == "done"; r.Kind != "intent" {
					continue
				}
				if intents++; line > people+1 && !done[line-people] {
					t.Errorf("line %d is sent before line %d has its outcome in the log", line, line-people)
				}
			}
		}
		if intents != times*people {
			t.Errorf("%d intents, want %d", intents, times*people)
		}
	})
}

// record is what a test looks at in a checkpoint log.
type record struct {
	Kind string
	Rows [][]any
}

func logged(t *testing.T, dir string) []record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, journal.FileName))
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	for line := range strings.Lines(string(text)) {
		_, body, _ := strings.Cut(line, " ")
		var r record
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// checkCommits holds the outcomes of a run to the directory's log: every key
// with the outcome was committed once, and no other.
func checkCommits(t *testing.T, b *bench, recorded *results, op string, want pipeline.Outcome) {
	t.Helper()
	commits := b.commits()
	for _, r := range recorded.list {
		n := commits[op+" "+r.Key]
		switch {
		case n > 1:
			t.Errorf("%s: the directory did %s it %d times", r.Key, op, n)
		case r.Outcome == want && n == 0:
			t.Errorf("%s is %s, but the directory never did it", r.Key, want)
		case r.Outcome != want && r.Outcome != pipeline.Unknown && n == 1:
			t.Errorf("%s is %s (%s), but the directory did it", r.Key, r.Outcome, r.Detail)
		}
	}
}

func TestLimits(t *testing.T) {
	faulty := people(150, "Agent") + strings.Repeat("p0@example.com,Twin\n", 40)
	for _, tc := range []struct {
		name   string
		change func(*pipeline.Import)
		cause  error
	}{
		{"no limit", nil, nil},
		{"errors", func(im *pipeline.Import) { im.MaxErrors = pipeline.Limit{N: 3} }, pipeline.ErrMaxErrors},
		{"a share of errors", func(im *pipeline.Import) { im.MaxErrors = pipeline.Limit{Percent: 5} }, pipeline.ErrMaxErrors},
		{"a share that is not reached", func(im *pipeline.Import) { im.MaxErrors = pipeline.Limit{Percent: 50} }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			im, recorded := b.prepare(faulty, tc.change)
			im.NoBulk = true // all rows would be in hand at once
			totals := b.run(im, recorded)
			if totals.Cause != tc.cause {
				t.Errorf("stopped by %v, want %v", totals.Cause, tc.cause)
			}
			if (totals.Pending > 0) != (tc.cause != nil) && tc.name != "errors" {
				t.Errorf("%d rows pending", totals.Pending)
			}
		})
	}
}

func TestAnUpdateThatTurnsPeopleOffCounts(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	active := strings.ReplaceAll(people(20, "true"), "title", "active")
	b.run(b.prepare(active, nil))
	off := strings.ReplaceAll(active, "true", "false")
	im, recorded := b.prepare(off, func(im *pipeline.Import) { im.MaxDeletes = pipeline.Limit{N: 5} })
	totals := b.run(im, recorded)
	if totals.Cause != pipeline.ErrMaxDeletes || totals.Counts[pipeline.Updated] != 5 {
		t.Errorf("stopped by %v after %v", totals.Cause, totals.Counts)
	}
}

func TestDryRunIsTheRun(t *testing.T) {
	text := "userName,title,active\n" +
		"a@example.com,Agent,true\nb@example.com,Agent,true\n" + // new
		"A@example.com,Lead,true\na@example.com,Lead,true\na@example.com,Head,false\n" + // the same person again
		"c@example.com,Agent,perhaps\n" // no truth value
	for _, policy := range []string{pipeline.DuplicateReject, pipeline.DuplicateRejectAll, pipeline.DuplicateApply} {
		t.Run(policy, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 5})
			set := func(dry bool) func(*pipeline.Import) {
				return func(im *pipeline.Import) { im.OnDuplicate, im.DryRun = policy, dry }
			}
			announced := b.run(b.prepare(text, set(true)))
			if n := len(b.commits()); n != 0 {
				t.Fatalf("a dry run changed %d resources", n)
			}
			done := b.run(b.prepare(text, set(false)))
			if fmt.Sprint(announced.Counts) != fmt.Sprint(done.Counts) || fmt.Sprint(announced.Writes) != fmt.Sprint(done.Writes) {
				t.Errorf("announced %v %v, did %v %v", announced.Counts, announced.Writes, done.Counts, done.Writes)
			}
			if again := b.run(b.prepare(text, set(true))); policy != pipeline.DuplicateApply && len(again.Writes) != 0 {
				t.Errorf("a plan right after the run announces %v", again.Writes)
			}
		})
	}
}

func TestARevivedAccountIsSaid(t *testing.T) {
	b := newBench(t, sandbox.Options{Dialect: "genesys", Faults: []string{"revive-deleted"}})
	genesys := func(im *pipeline.Import) {
		profile, err := scim.ProfileByName("genesys")
		if err != nil {
			t.Fatal(err)
		}
		client, err := scim.New(scim.Options{BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: b.box.Transport(), Profile: profile, Rate: 1e6})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		im.Client, im.Profile = client, profile
	}
	text := "userName,displayName\nann@example.com,Ann\nbob@example.com,Bob\n"
	b.run(b.prepare(text, genesys))
	b.run(b.prepare("userName,op\nann@example.com,delete\n", genesys))
	im, recorded := b.prepare(text+"cy@example.com,Cy\n", genesys)
	if totals := b.run(im, recorded); totals.Counts[pipeline.Created] != 2 {
		t.Errorf("%v", totals.Counts)
	}
	for _, r := range recorded.list {
		if said := strings.Contains(r.Detail, "brought back"); said != (r.Key == "ann@example.com") {
			t.Errorf("%s: %s, %q", r.Key, r.Outcome, r.Detail)
		}
	}
}

// TestEmptyRows: rows of delimiters alone, with which spreadsheets end their
// files, are skipped, and turn nobody into a leaver.
func TestEmptyRows(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	const text = "userName,title\nann@example.com,Lead\n,\n \t, \n,Lead\n"
	im, recorded := b.prepare(text, nil)
	totals := b.run(im, recorded)
	want := pipeline.Counts{pipeline.Created: 1, pipeline.Skipped: 2, pipeline.Rejected: 1}
	if !maps.Equal(want, totals.Counts) {
		t.Errorf("%v, want %v", totals.Counts, want)
	}
	for _, r := range recorded.list {
		if r.Outcome == pipeline.Skipped && r.Detail != "the row is empty" {
			t.Errorf("line %d: %q", r.Row.Line, r.Detail)
		}
	}
}
