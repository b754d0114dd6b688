package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// change is a decision on a row, with the differences given as path, old, new.
func change(action plan.Action, differences ...any) plan.Change {
	c := plan.Change{Action: action, ID: "id-1", Version: `W/"1"`}
	for i := 0; i < len(differences); i += 3 {
		path := differences[i].(string)
		c.Differences = append(c.Differences, plan.Difference{Path: path, Old: differences[i+1], New: differences[i+2], Secret: path == "password"})
		c.Patch = append(c.Patch, scim.PatchOperation{Op: "replace", Path: path, Value: differences[i+2]})
	}
	return c
}

// reviewed takes results as the decisions of a dry run.
func reviewed(t *testing.T, o ReviewOptions, results ...pipeline.Result) *Review {
	t.Helper()
	in, people := input(t, "in.csv", threePeople)
	dir := t.TempDir()
	files, err := NewFiles(dir, in, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReview(dir, PlanHeader{Format: PlanFormat, Resource: "User"}, files, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if results[i].Row == nil {
			results[i].Row = people[0]
		}
		if results[i].Key == "" {
			results[i].Key = "ann"
		}
		if err := r.Record(&results[i]); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// shown is the text of a plan.
func shown(t *testing.T, r *Review, s *Summary) string {
	t.Helper()
	var screen bytes.Buffer
	s.SetWrites(map[string]int64{})
	if err := r.WriteText(&screen, s); err != nil {
		t.Fatal(err)
	}
	return screen.String()
}

func saved(t *testing.T, r *Review) string {
	t.Helper()
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(text), "\n")
	return lines
}

func TestReview(t *testing.T) {
	long := strings.Repeat("é", 80)
	home := scim.Object{"type": "home", "streetAddress": "1 Way", "locality": "Cork", "primary": false}
	for _, tc := range []struct {
		name   string
		result pipeline.Result
		screen string // how the plan begins
		file   string // how the line in the plan begins
	}{
		{"an update", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", "Clerk", "Head clerk", "active", true, false, "nickName", "Al", nil, "locale", nil, "de")},
			"Update 1 user:\n  ~ ann (line 2)\n      ~ title: \"Clerk\" → \"Head clerk\"\n      ~ active: true → false\n      - nickName: \"Al\"\n      + locale: \"de\"\n",
			`{"line":2,"op":"update","resource":"User","key":"ann","id":"id-1","version":"W/\"1\"","before":{"active":true,"locale":null,"nickName":"Al","title":"Clerk"},"after":{"active":false,"locale":"de","nickName":null,"title":"Head clerk"},"patch":[`},
		{"long values", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, long, "nickName", long+"a", long+"b")},
			"Update 1 user:\n  ~ ann (line 2)\n      + title: \"" + strings.Repeat("é", 58) + "…\n      ~ nickName: …" + strings.Repeat("é", 10) + "a\" → …" + strings.Repeat("é", 10) + "b\"\n", ""},
		{"values of a list", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "emails",
			[]any{scim.Object{"type": "work", "value": "a@b"}, scim.Object{"value": "c@d"}, scim.Object{"value": "e@f"}},
			[]any{scim.Object{"type": "work", "value": "A@b"}, scim.Object{"value": "c@d"}, scim.Object{"type": "home", "value": "g@h", "primary": true}})},
			"Update 1 user:\n  ~ ann (line 2)\n      ~ emails[type eq \"work\"].value: \"a@b\" → \"A@b\"\n      - emails: \"e@f\"\n" +
				"      + emails[type eq \"home\"].primary: true\n      + emails[type eq \"home\"].value: \"g@h\"\n", ""},
		{"a complex value, part by part", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "addresses", nil, []any{home}, "name", nil, scim.Object{"givenName": "Al"})},
			"Update 1 user:\n  ~ ann (line 2)\n      + addresses[type eq \"home\"].locality: \"Cork\"\n      + addresses[type eq \"home\"].streetAddress: \"1 Way\"\n      + name.givenName: \"Al\"\n", ""},
		{"skills", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "genesys:routingSkills", nil, []any{scim.Object{"name": "Tea", "proficiency": scim.Number("3")}, scim.Object{"name": "Talk"}})},
			"Update 1 user:\n  ~ ann (line 2)\n      + genesys:routingSkills[name eq \"Tea\"].proficiency: 3\n      + genesys:routingSkills: \"Talk\"\n", ""},
		{"references by name", pipeline.Result{Outcome: pipeline.Updated, Names: map[string]string{"1": "bert@x"}, Change: change(plan.ActUpdate, "enterprise:manager.value", "0", "1")},
			"Update 1 user:\n  ~ ann (line 2)\n      ~ enterprise:manager: \"0\" → bert@x\n", ""},
		{"a reference that was left out, beside values", pipeline.Result{Outcome: pipeline.Updated, Detail: "enterprise:manager left out: nobody has it", Change: change(plan.ActUpdate, "title", nil, "T")},
			"Update 1 user:\n  ~ ann (line 2)\n      + title: \"T\"\n      ! enterprise:manager left out: nobody has it\n", ""},
		{"a secret", pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T", "password", nil, "hunter2")},
			"Update 1 user:\n  ~ ann (line 2)\n      + title: \"T\"\n      ~ password: (hidden)\n",
			`{"line":2,"op":"update","resource":"User","key":"ann","id":"id-1","version":"W/\"1\"","before":{"title":null},"after":{"title":"T"},"patch":[`},
		{"what a terminal would obey", pipeline.Result{Key: "a\x1b[2Jnn\u202e", Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T\x1b[31m\n")},
			"Update 1 user:\n  ~ a\uFFFD[2Jnn\uFFFD (line 2)\n      + title: \"T\\x1b[31m\\n\"\n", ""},
		{"a delete", pipeline.Result{Outcome: pipeline.Deleted, Change: change(plan.ActDelete)},
			"Delete 1 user:\n  - ann (line 2)\n\n", `{"line":2,"op":"delete","resource":"User","key":"ann","id":"id-1","version":"W/\"1\""`},
		{"a skip", pipeline.Result{Outcome: pipeline.Skipped, Detail: "it is not in the directory", Change: change(plan.ActSkip)},
			"Skip 1 user:\n  = ann (line 2): it is not in the directory\n\n", ""},
		{"nothing", pipeline.Result{Outcome: pipeline.Unchanged, Change: change(plan.ActNothing)}, "Plan for here", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := reviewed(t, ReviewOptions{}, tc.result)
			screen, file := shown(t, r, &Summary{Target: "here"}), saved(t, r)
			if !strings.HasPrefix(screen, tc.screen) {
				t.Errorf("shows\n%s\nwant\n%s", screen, tc.screen)
			}
			if !strings.HasPrefix(file, tc.file) {
				t.Errorf("saves\n%s\nwant\n%s", file, tc.file)
			}
			if strings.Contains(file+screen, "hunter2") {
				t.Errorf("a secret is shown or saved: %s", file)
			}
		})
	}
}

func TestReviewOfCreate(t *testing.T) {
	c := change(plan.ActCreate, "userName", nil, "ann", "displayName", nil, "Ann "+strings.Repeat("x", 40), "title", nil, strings.Repeat("y", 40), "roles", nil, []any{
		scim.Object{"value": "a"}, scim.Object{"value": "b"}})
	c.Body = scim.Object{"userName": "ann"}
	got := shown(t, reviewed(t, ReviewOptions{}, pipeline.Result{Outcome: pipeline.Created, Change: c}), &Summary{Target: "here"})
	want := "Create 1 user:\n  + ann (line 2)\n" +
		"      userName: \"ann\", displayName: \"Ann " + strings.Repeat("x", 40) + "\",\n" +
		"      title: \"" + strings.Repeat("y", 40) + "\", roles: \"a\", roles: \"b\"\n\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("shows\n%s\nwant\n%s", got, want)
	}
}

// TestReviewOfMany: a few deletions are seen behind any number of updates, and
// what is not shown is counted.
func TestReviewOfMany(t *testing.T) {
	var results []pipeline.Result
	for range shownChanges + 117 {
		results = append(results, pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T")})
	}
	results = append(results, pipeline.Result{Outcome: pipeline.Deleted, Change: change(plan.ActDelete)})
	var members []any
	for i := range 25 {
		members = append(members, scim.Object{"value": fmt.Sprint("id-", i)})
	}
	results = append(results, pipeline.Result{Outcome: pipeline.Replaced, Change: change(plan.ActReplace, "members", nil, members)})
	for line := range int64(12) {
		results = append(results, pipeline.Result{Outcome: pipeline.Rejected, Class: "data", Detail: "fault " + strings.Repeat("x", int(line)), Change: change(plan.ActReject)})
	}
	r := reviewed(t, ReviewOptions{Colour: true}, results...)
	got := shown(t, r, &Summary{Target: "here", Rows: Rows{Read: 331, Updated: 317, Replaced: 1, Deleted: 1, Rejected: 12}})
	if n := strings.Count(got, "~ ann"); n != shownChanges-1 {
		t.Errorf("%d updates and replacements shown, want %d", n, shownChanges-1)
	}
	for _, want := range []string{
		"\x1b[33mUpdate\x1b[0m 317 users:", "\x1b[33m~ ann\x1b[0m (line 2)", "… and 119 more\n", "\x1b[31m- ann\x1b[0m (line 2)",
		"members: \"id-9\"\n        members: and 15 more\n", "and 2 more rows for 2 other reasons",
		"Plan for here, 331 rows: 317 to update, 1 to replace, 1 to delete, 12 rejected.", r.Path(),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in what is shown", want)
		}
	}
}

func TestExpect(t *testing.T) {
	genesys, err := scim.ProfileByName("genesys")
	if err != nil {
		t.Fatal(err)
	}
	rfc := scim.Profiles()[0]
	for _, tc := range []struct {
		name string
		got  *Expected
		want string
	}{
		{"nothing known", Expect(100, 0, scim.Pace{}, rfc, 3, 1), "unknown: the directory names no limit before the first 429 (--rate N keeps to a pace)"},
		{"reads measured", Expect(6000, 0, scim.Pace{}, rfc, 200, 4), "about 2m0s, at 50 requests a second (the pace of this plan's own reads; the directory names no limit before the first 429)"},
		{"a cap", Expect(100, 2.5, scim.Pace{Rate: 2.5, LimitedBy: "cap"}, rfc, 3, 1), "about 40s, at 2.5 requests a second (--rate)"},
		{"a provider", Expect(30_000, 0, scim.Pace{}, genesys, 3, 1), "about 2 h 46 min, at 3 requests a second (what Genesys Cloud is known to permit)"},
		{"a quota", Expect(10, 0, scim.Pace{Rate: 16666.7, LimitedBy: "quota"}, genesys, 3, 1), "about a second, at 16667 requests a second (what the quota of the directory allows)"},
		{"a slow directory", Expect(1000, 0, scim.Pace{Rate: 100, LimitedBy: "server"}, rfc, 50, 10), "about 3m20s, at 5 requests a second (the pace of this plan's own reads; 100 a second would be permitted)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.got.String() != tc.want {
				t.Errorf("says %s\nwant %s", tc.got, tc.want)
			}
		})
	}
}

func TestIgnoredAttributes(t *testing.T) {
	genesys, err := scim.ProfileByName("genesys")
	if err != nil {
		t.Fatal(err)
	}
	update := func(differences ...any) pipeline.Result {
		return pipeline.Result{Outcome: pipeline.Updated, Change: change(plan.ActUpdate, differences...)}
	}
	r := reviewed(t, ReviewOptions{Profile: genesys},
		update("emails", nil, []any{scim.Object{"type": "other", "value": "a@b"}}), update(`emails[type eq "other"].value`, "a@b", "c@d"),
		update("emails", nil, []any{scim.Object{"type": "work", "value": "a@b"}}), update(`emails[type eq "work"].value`, "a@b", "c@d"), update("title", nil, "other"))
	got := strings.Join(r.Warnings(), "\n")
	if want := `2 changes set emails[type eq "other"], which Genesys Cloud does not take over: it is the userName, and changes with it`; got != want {
		t.Errorf("warns %q, want %q", got, want)
	}
}

func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.html")
	r := reviewed(t, ReviewOptions{Page: path},
		pipeline.Result{Key: "<script>alert(1)</script>", Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", "<b>", `"&`, "password", nil, "hunter2")},
		pipeline.Result{Outcome: pipeline.Deleted, Change: change(plan.ActDelete)},
		pipeline.Result{Outcome: pipeline.Skipped, Detail: "it is <gone>", Change: change(plan.ActSkip)},
		pipeline.Result{Outcome: pipeline.Rejected, Class: "data", Detail: "no <i>", Change: change(plan.ActReject)})
	s := &Summary{Target: "https://example.com/<x>", Rows: Rows{Read: 4, Updated: 1, Deleted: 1, Skipped: 1, Rejected: 1}, Warnings: []string{"be <wary>"}}
	s.SetWrites(map[string]int64{"PATCH": 1, "DELETE": 1})
	if err := r.SavePage(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{"<h2>Update 1 user</h2>", "&lt;script&gt;alert(1)", "&lt;b&gt;", "(hidden)", "<h2>Delete 1 user</h2>", "it is &lt;gone&gt;", "no &lt;i&gt;", "be &lt;wary&gt;",
		"4 rows: 1 to update, 1 to delete, 1 skipped, 1 rejected", "2 writes (1 PATCH, 1 DELETE)", "default-src 'none'", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, never := range []string{"hunter2", "<script", "http://", "src=", "<link", "@import", "url("} {
		if strings.Contains(page, never) {
			t.Errorf("%q in the page", never)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(r.Path()), ".page-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPageIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.html")
	r := reviewed(t, ReviewOptions{Page: path})
	_, people := input(t, "in.csv", threePeople)
	for range pageChanges + 7 {
		if err := r.Record(&pipeline.Result{Row: people[0], Key: "ann", Outcome: pipeline.Updated, Change: change(plan.ActUpdate, "title", nil, "T")}); err != nil {
			t.Fatal(err)
		}
	}
	s := &Summary{Target: "here"}
	s.SetWrites(nil)
	if err := r.SavePage(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "<article>"); n != pageChanges || !strings.Contains(string(text), "… and 7 more") {
		t.Errorf("%d changes on the page, want %d and a word on the others", n, pageChanges)
	}
}

// TestLargePlanIsShownAtOnce: showing a plan of ten megabytes takes a small
// part of what it takes to read its lines, and holds what is shown alone.
func TestLargePlanIsShownAtOnce(t *testing.T) {
	r := reviewed(t, ReviewOptions{})
	_, people := input(t, "in.csv", threePeople)
	var differences []any
	for i := range 8 {
		differences = append(differences, fmt.Sprintf("attribute%d", i), "what was there before", "what shall be there")
	}
	const rows = 10_000
	for range rows {
		if err := r.Record(&pipeline.Result{Row: people[0], Key: "ann", Outcome: pipeline.Updated, Change: change(plan.ActUpdate, differences...)}); err != nil {
			t.Fatal(err)
		}
	}
	lines := saved(t, r)
	if len(lines) < 10<<20 {
		t.Fatalf("the plan has %d bytes, want 10 MB", len(lines))
	}
	started := time.Now()
	screen := shown(t, r, &Summary{Target: "here", Rows: Rows{Read: rows, Updated: rows}})
	showing := time.Since(started)
	started = time.Now()
	for line := range strings.Lines(lines) {
		if _, err := plan.ParseLine([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if reading := time.Since(started); showing > reading/5 {
		t.Errorf("showing takes %v, reading the lines %v", showing, reading)
	}
	if len(screen) > 1<<20 || !strings.Contains(screen, "… and 9800 more") {
		t.Errorf("%d bytes are shown", len(screen))
	}
}
