package pipeline_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/sandbox"
)

// asked counts the requests of a run by "method /endpoint", ids left out.
func (b *bench) asked() map[string]int {
	b.t.Helper()
	f, err := os.Open(b.audit)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Kind, Method, Path string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			b.t.Fatal(err)
		}
		if line.Kind == "request" {
			endpoint, _, _ := strings.Cut(strings.TrimPrefix(line.Path, b.box.BasePath()+"/"), "/")
			counts[line.Method+" /"+endpoint]++
		}
	}
	return counts
}

// bulkFaults are what may happen to bulk requests and to what is in them.
func bulkFaults() map[string][]string {
	return map[string][]string{
		"nothing":                             nil,
		"errors before the commit":            {"5xx-before-commit=0.3"},
		"errors after the commit":             {"5xx-after-commit=0.3"},
		"connections cut before the commit":   {"reset-before-commit=0.3"},
		"connections cut after the commit":    {"reset-after-commit=0.3"},
		"answers cut short":                   {"truncate=0.2"},
		"HTML instead of answers":             {"html-error=0.2"},
		"throttled":                           {"throttle=0.4"},
		"late commits":                        {"hang-then-commit=0.1"},
		"late commits, keys not unique":       {"hang-then-commit=0.1:45s", "non-unique"},
		"answers lost, keys not unique":       {"reset-after-commit=0.3", "reset-before-commit=0.3", "non-unique"},
		"operations fail before the commit":   {"bulk-5xx-before=0.2"},
		"operations fail after the commit":    {"bulk-5xx-after=0.2"},
		"the same, keys not unique":           {"bulk-5xx-after=0.2", "bulk-5xx-before=0.2", "non-unique"},
		"operations are throttled":            {"bulk-throttles=0.3"},
		"results are left out":                {"bulk-omits=0.2"},
		"results come in another order":       {"bulk-shuffle"},
		"results without names":               {"bulk-anonymous"},
		"results without names and order":     {"bulk-anonymous", "bulk-shuffle", "bulk-5xx-before=0.1"},
		"results without names, not all":      {"bulk-anonymous", "bulk-omits=0.05"},
		"few operations granted":              {"bulk-max-operations=7"},
		"fewer operations taken than granted": {"bulk-takes=9"},
		"the same, said with 400":             {"bulk-takes=9", "bulk-over-400"},
		"small requests":                      {"bulk-max-payload=1500"},
		"tiny requests":                       {"bulk-max-payload=150"},
		"no limits named":                     {"bare-config"},
		"not there":                           {"bulk-refused=404"},
		"not for us":                          {"bulk-refused=403"},
		"not implemented":                     {"bulk-refused=501"},
		"never understood":                    {"bulk-refused=400"},
		"not announced":                       {"no-discovery"},
		"stale versions":                      {"stale-etag=0.3"},
		"versions not looked at":              {"ignore-if-match"},
		"everything":                          {"5xx-before-commit=0.1", "reset-after-commit=0.1", "truncate=0.05", "throttle=0.1", "bulk-omits=0.05", "bulk-5xx-after=0.05", "bulk-shuffle"},
	}
}

// TestLabelsAreTrueInBulk: whatever happens to a bulk request, each of its rows
// has one true outcome, and nothing is done twice.
func TestLabelsAreTrueInBulk(t *testing.T) {
	t.Parallel()
	rows := unlessLong(120, 260)
	for name, faults := range bulkFaults() {
		for seed := range unlessLong[int64](1, 3) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, sandbox.Options{Faults: faults, FaultSeed: seed})
					im, recorded := b.prepare(people(rows, "Agent"), nil)
					created := b.run(im, recorded)
					time.Sleep(time.Hour) // whatever comes late has come now
					checkCommits(t, b, recorded, "create", pipeline.Created)
					checkReached(t, created, recorded, rows)

					before := b.commits()
					im, recorded = b.prepare(people(rows+40, "Team lead"), nil) // forty of them are new
					changed := b.run(im, recorded)
					time.Sleep(time.Hour)
					b.forget(before)
					checkCommits(t, b, recorded, "create", pipeline.Created)
					checkCommits(t, b, recorded, "patch", pipeline.Updated)
					checkReached(t, changed, recorded, rows+40)

					im, recorded = b.prepare(strings.ReplaceAll(people(rows+20, "delete"), "title", "op"), nil)
					deleted := b.run(im, recorded)
					time.Sleep(time.Hour)
					checkCommits(t, b, recorded, "delete", pipeline.Deleted)
					checkReached(t, deleted, recorded, rows+20)
				})
			})
		}
	}
}

// checkReached sees that a run has come to its end and that all went well in it.
func checkReached(t *testing.T, totals *pipeline.Totals, recorded *results, rows int) {
	t.Helper()
	if totals.Cause != nil || len(recorded.list) != rows {
		t.Errorf("%d of %d rows have an outcome, stopped by %v", len(recorded.list), rows, totals.Cause)
	}
	for _, r := range recorded.list {
		if r.Outcome == pipeline.Rejected {
			t.Errorf("line %d is rejected: %s", r.Row.Line, r.Detail)
			return
		}
	}
}

// TestBulkTakesFewRequests counts what the directory was asked.
func TestBulkTakesFewRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		rows   int
		faults []string
		change func(*pipeline.Import)
		bulk   int // requests
		post   int
	}{
		{"a file", 1000, nil, nil, 10, 0},
		{"with a rest", 1001, nil, nil, 10, 1},
		{"few rows", 99, nil, nil, 0, 99},
		{"not wanted", 1000, nil, func(im *pipeline.Import) { im.NoBulk = true }, 0, 1000},
		{"not known of the provider", 1000, nil, func(im *pipeline.Import) { im.Profile.Bulk = false }, 0, 1000},
		{"fifty granted", 1000, []string{"bulk-max-operations=50"}, nil, 20, 0},
		{"one granted", 100, []string{"bulk-max-operations=1"}, nil, 0, 100},
		{"one worker", 1000, nil, func(im *pipeline.Import) { im.Workers = 1 }, 10, 0},
		{"refused", 1000, []string{"bulk-refused=501"}, func(im *pipeline.Import) { im.Workers = 1 }, 1, 1000},
		{"half of what is granted", 1000, []string{"bulk-takes=50"}, func(im *pipeline.Import) { im.Workers = 1 }, 21, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Faults: tc.faults})
			im, recorded := b.prepare(people(tc.rows, "Agent"), tc.change)
			totals := b.run(im, recorded)
			got := b.asked()
			if got["POST /Bulk"] != tc.bulk || got["POST /Users"] != tc.post {
				t.Errorf("%d requests to /Bulk and %d to /Users, want %d and %d: %v", got["POST /Bulk"], got["POST /Users"], tc.bulk, tc.post, got)
			}
			if sent := totals.Requests.POST; sent != int64(tc.bulk+tc.post) {
				t.Errorf("the totals count %d POST", sent)
			}
			if totals.Counts[pipeline.Created] != int64(tc.rows) || totals.Writes["POST"] != int64(tc.rows) {
				t.Errorf("%v, writes %v", totals.Counts, totals.Writes)
			}
		})
	}
}

// TestBulkIsThePlan: a dry run announces the operations and the requests.
func TestBulkIsThePlan(t *testing.T) {
	for name, faults := range map[string][]string{
		"as granted": nil, "few granted": {"bulk-max-operations=30"}, "small requests": {"bulk-max-payload=2000"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 100, Faults: faults})
			text := b.everybody() + strings.TrimPrefix(people(300, "Agent"), "userName,title\n")
			dry := func(im *pipeline.Import) { im.DryRun = true }
			announced := b.run(b.prepare(text, dry))
			if n := b.asked()["POST /Bulk"]; n != 0 {
				t.Fatalf("a dry run sent %d bulk requests", n)
			}
			done := b.run(b.prepare(text, nil))
			if fmt.Sprint(announced.Counts) != fmt.Sprint(done.Counts) || fmt.Sprint(announced.Writes) != fmt.Sprint(done.Writes) {
				t.Errorf("announced %v %v, did %v %v", announced.Counts, announced.Writes, done.Counts, done.Writes)
			}
			var promised, sent, carried int
			if _, err := fmt.Sscanf(announced.Bulk, "the writes would travel in about %d", &promised); err != nil {
				t.Fatalf("%q: %v", announced.Bulk, err)
			}
			if _, err := fmt.Sscanf(done.Bulk, "%d writes travelled in %d", &carried, &sent); err != nil {
				t.Fatalf("%q: %v", done.Bulk, err)
			}
			if sent != b.asked()["POST /Bulk"] || carried+b.asked()["POST /Users"]+b.asked()["PATCH /Users"] != int(done.Writes["POST"]+done.Writes["PATCH"]) {
				t.Errorf("%q, the directory saw %v", done.Bulk, b.asked())
			}
			if promised < sent-sent/5-1 || promised > sent+sent/5+1 {
				t.Errorf("%d bulk requests were announced, %d sent", promised, sent)
			}
			if again := b.run(b.prepare(text, dry)); len(again.Writes) != 0 || again.Bulk != "" {
				t.Errorf("a plan right after the run announces %v, %q", again.Writes, again.Bulk)
			}
		})
	}
}

// TestOneBadRowInABatch: what the directory says against one operation is the
// reject of that row alone.
func TestOneBadRowInABatch(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 10})
	im, recorded := b.prepare("userName,op,title\n"+b.taken(3)+creates(250), func(im *pipeline.Import) {
		im.Rules.OnExisting, im.Lookup = plan.ExistingReject, pipeline.LookupNone
	})
	totals := b.run(im, recorded)
	if totals.Counts[pipeline.Created] != 250 || totals.Counts[pipeline.Rejected] != 3 {
		t.Errorf("%v", totals.Counts)
	}
	checkCommits(t, b, recorded, "create", pipeline.Created)
	for _, r := range recorded.list {
		if r.Outcome == pipeline.Rejected && (r.Class != "exists" || r.ID == "") {
			t.Errorf("line %d: %s, %s (%s)", r.Row.Line, r.Class, r.Detail, r.ID)
		}
		if r.Outcome == pipeline.Created && (r.ID == "" || r.Status != 201 || r.Attempts != 1) {
			t.Errorf("line %d: id %q, status %d, %d attempts", r.Row.Line, r.ID, r.Status, r.Attempts)
		}
	}
}

// taken are rows that create people who are there.
func (b *bench) taken(n int) string {
	lines := strings.Split(b.everybody(), "\n")[1 : n+1]
	var text strings.Builder
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ",")
		fmt.Fprintf(&text, "%s,create,Agent\n", name)
	}
	return text.String()
}

func creates(n int) string {
	text := strings.TrimPrefix(people(n, "Agent"), "userName,title\n")
	return strings.ReplaceAll(text, ",Agent", ",create,Agent")
}

// TestRowsOfOneKeyKeepTheirOrderInBulk applies several rows to each of many
// people: the last one counts.
func TestRowsOfOneKeyKeepTheirOrderInBulk(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	var text strings.Builder
	text.WriteString("userName,title\n")
	for turn := range 5 {
		for i := range 120 {
			fmt.Fprintf(&text, "p%d@example.com,Title %d\n", i, turn)
		}
	}
	im, recorded := b.prepare(text.String(), func(im *pipeline.Import) { im.OnDuplicate = pipeline.DuplicateApply })
	totals := b.run(im, recorded)
	if totals.Counts[pipeline.Created] != 120 || totals.Counts[pipeline.Updated] != 480 {
		t.Errorf("%v", totals.Counts)
	}
	if b.asked()["POST /Bulk"] == 0 {
		t.Error("nothing travelled in bulk: the test looks at nothing")
	}
	im, recorded = b.prepare(people(120, "Title 4"), nil)
	if totals := b.run(im, recorded); totals.Counts[pipeline.Unchanged] != 120 {
		t.Errorf("the last row of a key did not count: %v", totals.Counts)
	}
}

// TestBulkWhereOperationsCount: a directory whose limiter counts operations gains
// nothing by bulk requests. One of them shows it, by the quota that it takes or
// by never being granted.
func TestBulkWhereOperationsCount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, limit string
		faults      []string
		bulk        bool
		said        string
	}{
		{"requests count", "500/1s:bucket", nil, true, "12 /Bulk requests"},
		{"operations count", "500/1s:bucket", []string{"bulk-counts-operations"}, false, "counts every operation"},
		{"operations count, and nobody says so", "60/1s:bucket", []string{"bulk-counts-operations", "no-quota-headers"}, false, "again and again"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, sandbox.Options{RateLimit: tc.limit, Faults: tc.faults})
				im, recorded := b.prepare(people(1200, "Agent"), nil)
				totals := b.run(im, recorded)
				checkReached(t, totals, recorded, 1200)
				checkCommits(t, b, recorded, "create", pipeline.Created)
				got := b.asked()
				if one := got["POST /Bulk"] <= 3; one == tc.bulk || !strings.Contains(totals.Bulk, tc.said) {
					t.Errorf("%v, %q", got, totals.Bulk)
				}
			})
		})
	}
}

// TestBulkOfAHierarchy: people whose managers are rows of the same file are
// created level by level, and refer to who they name.
func TestBulkOfAHierarchy(t *testing.T) {
	var text strings.Builder
	text.WriteString("userName,manager\n")
	for i := range 600 {
		boss := ""
		switch {
		case i%50 == 49: // comes later in the file
			boss = fmt.Sprintf("p%d@example.com", (i+75)%600)
		case i > 0:
			boss = fmt.Sprintf("p%d@example.com", (i-1)/10)
		}
		fmt.Fprintf(&text, "p%d@example.com,%s\n", i, boss)
	}
	b := newBench(t, sandbox.Options{})
	managed := func(im *pipeline.Import) {
		im.Mapping = compile(t, "attributes:\n  userName: userName\n  enterprise:manager: {column: manager, ref: User.userName, on-missing: reject}\n", "userName", "manager")
	}
	im, recorded := b.prepare(text.String(), managed)
	totals := b.run(im, recorded)
	checkReached(t, totals, recorded, 600)
	got := b.asked()
	if writes := got["POST /Bulk"] + got["POST /Users"] + got["PATCH /Users"]; got["POST /Bulk"] == 0 || writes > 60 {
		t.Errorf("%d requests for 600 people: %v", writes, got)
	}
	im, recorded = b.prepare(text.String(), managed)
	if totals := b.run(im, recorded); totals.Counts[pipeline.Unchanged] != 600 {
		t.Errorf("imported again: %v", totals.Counts)
	}
}

// TestBulkAppliesWhatWasPlanned: the versions of a plan guard its changes in
// bulk as they do one by one.
func TestBulkAppliesWhatWasPlanned(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	speak := b.dialect("rfc", nil)
	b.run(b.prepare(staffed(300, "Agent", "Sales"), speak))
	im, recorded := b.prepare(staffed(300, "Lead", "Sales"), both(dryRun, speak))
	b.run(im, recorded)
	path := b.planned(recorded)
	m := &meddler{RoundTripper: b.box.Transport(), of: "/Bulk"}
	m.do = func() { b.run(b.prepare("userName,displayName\np7@example.com,Renamed\n", speak)) }
	im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", bulkMeddler{m}))
	totals := b.run(im, recorded)
	if totals.Counts[pipeline.Updated] != 299 || totals.Counts[pipeline.Rejected] != 1 {
		t.Fatalf("%v, want 299 updated and 1 rejected", totals.Counts)
	}
	for _, r := range recorded.list {
		if r.Outcome == pipeline.Rejected && (r.Key != "p7@example.com" || !strings.HasPrefix(r.Detail, "displayName has changed")) {
			t.Errorf("%s: %s", r.Key, r.Detail)
		}
	}
	if b.asked()["POST /Bulk"] < 6 {
		t.Errorf("%v", b.asked())
	}
}

// bulkMeddler meddles before the first bulk request.
type bulkMeddler struct{ *meddler }

func (m bulkMeddler) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, m.of) {
		m.once.Do(m.do)
	}
	return m.meddler.RoundTripper.RoundTrip(req)
}
