package pipeline_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/rows"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// clientOf speaks to the sandbox of a bench.
func (b *bench) clientOf(profile scim.Profile) *scim.Client {
	b.t.Helper()
	client, err := scim.New(scim.Options{
		BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: b.box.Transport(), Profile: profile, Workers: 4,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	return client
}

// prepareMembers makes an import of a membership file, not yet surveyed.
func (b *bench) prepareMembers(text string, change func(*pipeline.MemberImport)) (*pipeline.MemberImport, *results) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "memberships.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	in, err := rows.Open(path, rows.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer in.Close()
	im := pipeline.NewMemberImport(in.Header(), "memberships.csv")
	if im == nil {
		b.t.Fatalf("the header %q is not known", in.Header())
	}
	profile := scim.Profiles()[0]
	recorded := &results{}
	im.Import = &pipeline.Import{
		Open: func() (*rows.Reader, error) { return rows.Open(path, in.Options()) }, Profile: profile, Resource: "Group",
		Workers: 4, OnDuplicate: pipeline.DuplicateApply, MaxErrors: pipeline.NoLimit, MaxDeletes: pipeline.Limit{N: 0},
		Settle: 30 * time.Second, Name: "test", Recorder: recorded, Meter: &pipeline.Meter{},
	}
	if change != nil {
		change(im)
	}
	if im.Client == nil {
		im.Client = b.clientOf(im.Profile)
	}
	b.t.Cleanup(func() {
		if err := im.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return im, recorded
}

func dry(im *pipeline.MemberImport) { im.DryRun = true }

// runMembers carries an import out with a log of its own, and checks
// conservation.
func (b *bench) runMembers(im *pipeline.MemberImport, recorded *results) *pipeline.Totals {
	b.t.Helper()
	if !im.DryRun && im.Log == nil {
		im.Log = b.log()
	}
	survey := b.surveyMembers(im)
	totals, err := im.Run(b.t.Context(), b.t.Context(), survey)
	if err != nil {
		b.t.Fatal(err)
	}
	b.conserves(totals, recorded)
	return totals
}

// log is a checkpoint log of its own.
func (b *bench) log() *journal.Log {
	b.t.Helper()
	log, err := journal.Create(b.t.TempDir(), journal.Header{Run: "test", Command: "import"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return log
}

func (b *bench) surveyMembers(im *pipeline.MemberImport) *pipeline.Survey {
	b.t.Helper()
	survey, err := im.Survey(b.t.Context())
	if err == nil {
		err = im.Resolve(b.t.Context(), survey)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return survey
}

// pair is a membership by names.
type pair struct{ group, user string }

// census is a directory as its users show it, which needs no group to show its
// members.
type census struct {
	groups, users map[string]string // ids by name
	in            map[pair]bool
}

func (b *bench) census(client *scim.Client) *census {
	b.t.Helper()
	c := &census{groups: map[string]string{}, users: map[string]string{}, in: map[pair]bool{}}
	ctx := context.Background()
	names := map[string]string{}
	for r, err := range client.All(ctx, scim.Groups, scim.ListOptions{}) {
		names[r.ID] = b.decode(r, err)["displayName"].(string)
		c.groups[names[r.ID]] = r.ID
	}
	for r, err := range client.All(ctx, scim.Users, scim.ListOptions{}) {
		o := b.decode(r, err)
		user := o["userName"].(string)
		c.users[user] = r.ID
		groups, _ := o["groups"].([]any)
		for _, g := range groups {
			c.in[pair{names[g.(scim.Object)["value"].(string)], user}] = true
		}
	}
	return c
}

func (b *bench) decode(r scim.Resource, err error) scim.Object {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := scim.DecodeObject(bytes.Clone(r.Raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// people picks users of a directory, in the order of their names.
func (c *census) people() []string { return slices.Sorted(maps.Keys(c.users)) }

// insiders and outsiders are the users who are in a group, or not.
func (c *census) insiders(group string) []string  { return c.by(group, true) }
func (c *census) outsiders(group string) []string { return c.by(group, false) }

func (c *census) by(group string, in bool) []string {
	return slices.DeleteFunc(c.people(), func(user string) bool { return c.in[pair{group, user}] != in })
}

// file makes a membership file of rows such as "add Sales ann".
type file struct{ lines []string }

func (f *file) row(group, user, action string) *file {
	f.lines = append(f.lines, fmt.Sprintf("%q,%q,%s", group, user, action))
	return f
}

func (f *file) all(group string, users []string, action string) *file {
	for _, u := range users {
		f.row(group, u, action)
	}
	return f
}

func (f *file) String() string { return "group,user,action\n" + strings.Join(f.lines, "\n") + "\n" }

func firstOf(c *census) string { return slices.Sorted(maps.Keys(c.groups))[0] }

func TestMembershipsOfAFile(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 60})
	c := b.census(b.clientOf(scim.Profiles()[0]))
	g := firstOf(c)
	in, out := c.insiders(g), c.outsiders(g)
	if len(in) < 2 || len(out) < 4 {
		t.Fatalf("the directory is not fit for the test: %d in, %d out", len(in), len(out))
	}
	id := func(user string) string { return c.users[user] }
	for _, tc := range []struct {
		name, text string
		policy     string
		outcomes   pipeline.Counts
		patches    int64
		class      string // of rejects
		says       string // in some detail
	}{
		{"who is out comes in", "group,user,action\n" + g + "," + out[0] + ",add\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"a blank action adds", "group,user,action\n" + g + "," + out[1] + ",\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"without a column of actions", "group,user\n" + g + "," + out[2] + "\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"whatever the case", "Group,User,Action\n" + strings.ToUpper(g) + "," + strings.ToUpper(out[0]) + ",ADD\n", "", pipeline.Counts{pipeline.Unchanged: 1}, 0, "", ""},
		{"who is in leaves", "group,user,action\n" + g + "," + in[0] + ",remove\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"who is out stays out", "group,user,action\n" + g + "," + in[0] + ",remove\n", "", pipeline.Counts{pipeline.Unchanged: 1}, 0, "", ""},
		{"coming and going in one request", "group,user,action\n" + g + "," + in[0] + ",add\n" + g + "," + in[1] + ",remove\n", "", pipeline.Counts{pipeline.Updated: 2}, 1, "", ""},
		{"by ids alone", "group_id,user_id,action\n" + c.groups[g] + "," + id(in[1]) + ",add\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"ids of another directory", "group,user,action,group_id,user_id\n" + g + "," + out[3] + ",add,g7,u7\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"a name that has changed since the export", "group,user,action,group_id,user_id\nOld name,old@example.com,remove," + c.groups[g] + "," + id(out[3]) + "\n", "", pipeline.Counts{pipeline.Updated: 1}, 1, "", ""},
		{"an id that is somebody else", "group,user,action,user_id\n" + g + "," + out[3] + ",add," + id(out[2]) + "\n", "", pipeline.Counts{pipeline.Rejected: 1}, 0, "conflict", "leave one of the two cells empty"},
		{"nobody", "group,user,action\n" + g + ",nobody@example.com,add\n", "", pipeline.Counts{pipeline.Rejected: 1}, 0, "reference", `no user with the userName "nobody@example.com"`},
		{"no group", "group,user,action\nNo such group," + in[0] + ",add\n", "", pipeline.Counts{pipeline.Rejected: 1}, 0, "missing", `no group with the displayName "No such group"`},
		{"faulty rows", "group,user,action\n" + g + "," + in[0] + ",perhaps\n," + in[0] + ",add\n" + g + ",,add\n" + g + "\n", "", pipeline.Counts{pipeline.Rejected: 4}, 0, "data", `"perhaps" is no action`},
		{"a line pasted twice", "group,user,action\n" + g + "," + in[0] + ",remove\n" + g + "," + in[0] + ",remove\n", pipeline.DuplicateReject, pipeline.Counts{pipeline.Updated: 1, pipeline.Skipped: 1}, 1, "", "line 2 asks for the same"},
		{"the same by name and by id", "group,user,action,group_id,user_id\n" + g + "," + in[0] + ",add,,\n,,add," + c.groups[g] + "," + id(in[0]) + "\n", "", pipeline.Counts{pipeline.Updated: 1, pipeline.Skipped: 1}, 1, "", "line 2 asks for the same"},
		{"twice, rejected", "group,user,action\n" + g + "," + in[0] + ",remove\n" + g + "," + in[0] + ",add\n", pipeline.DuplicateReject, pipeline.Counts{pipeline.Updated: 1, pipeline.Rejected: 1}, 1, "duplicate", "line 2 has the same group and user and comes first"},
		{"twice, both rejected", "group,user,action\n" + g + "," + in[0] + ",add\n" + g + "," + in[0] + ",remove\n", pipeline.DuplicateRejectAll, pipeline.Counts{pipeline.Rejected: 2}, 0, "duplicate", "none of them counts"},
		{"in and out again", "group,user,action\n" + g + "," + in[0] + ",add\n" + g + "," + in[0] + ",remove\n", pipeline.DuplicateApply, pipeline.Counts{pipeline.Updated: 2}, 2, "", ""},
		{"out, in, out, and who was out", "group,user,action\n" + g + "," + in[0] + ",remove\n" + g + "," + in[0] + ",add\n" + g + "," + in[0] + ",remove\n", pipeline.DuplicateApply, pipeline.Counts{pipeline.Unchanged: 1, pipeline.Updated: 2}, 2, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set := func(im *pipeline.MemberImport) { im.OnDuplicate = firstNonEmpty(tc.policy, im.OnDuplicate) }
			planned := b.runMembers(b.prepareMembers(tc.text, func(im *pipeline.MemberImport) { set(im); dry(im) }))
			im, recorded := b.prepareMembers(tc.text, set)
			done := b.runMembers(im, recorded)
			if !maps.Equal(done.Counts, tc.outcomes) || done.Writes["PATCH"] != tc.patches {
				t.Errorf("outcomes %v and %d patches, want %v and %d", done.Counts, done.Writes["PATCH"], tc.outcomes, tc.patches)
			}
			if done.Requests.PATCH != tc.patches || done.Requests.POST+done.Requests.PUT+done.Requests.DELETE > 0 {
				t.Errorf("sent %+v", done.Requests)
			}
			if !maps.Equal(planned.Counts, done.Counts) || !maps.Equal(planned.Writes, done.Writes) || planned.Requests.PATCH > 0 {
				t.Errorf("planned %v %v, done %v %v", planned.Counts, planned.Writes, done.Counts, done.Writes)
			}
			said := ""
			for _, r := range recorded.list {
				said += r.Detail + "\n"
				if r.Outcome == pipeline.Rejected && r.Class != tc.class {
					t.Errorf("line %d is rejected as %s: %s", r.Row.Line, r.Class, r.Detail)
				}
			}
			if !strings.Contains(said, tc.says) {
				t.Errorf("details %q do not say %q", said, tc.says)
			}
		})
	}
}

func firstNonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestMembershipHeaders(t *testing.T) {
	for header, want := range map[string]bool{
		"group,user,action": true, "group,user": true, "Group , USER,Action": true, "group_id,user_id": true,
		"group,user,action,group_id,user_id": true, "group,user,action,_line,_class,_error": true,
		"user,group,action,remark": true, "userId,groupId": true,
		"user,group,title": false, "displayName,members": false, "userName,groups": false, "group,action": false, "user,action": false, "": false,
	} {
		if got := pipeline.NewMemberImport(strings.Split(header, ","), "m.csv") != nil; got != want {
			t.Errorf("%q: a membership file %v, want %v", header, got, want)
		}
	}
}

// TestFewPatches holds 2,000 rows over 10 groups, in any order, to a PATCH a
// hundred rows, and 2,000 rows over 400 groups to one a group.
func TestFewPatches(t *testing.T) {
	for _, tc := range []struct{ groups, rows int }{{10, 2000}, {400, 2000}} {
		t.Run(fmt.Sprintf("%d groups", tc.groups), func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			client := b.clientOf(scim.Profiles()[0])
			perGroup := tc.rows / tc.groups
			for i := range perGroup {
				b.create(client, scim.Users, fmt.Sprintf(`{"schemas":[%q],"userName":"u%d"}`, scim.UserURN, i))
			}
			f := &file{}
			for g := range tc.groups {
				b.create(client, scim.Groups, fmt.Sprintf(`{"schemas":[%q],"displayName":"g%d"}`, scim.GroupURN, g))
			}
			for u := range perGroup { // the groups take turns
				for g := range tc.groups {
					f.row(fmt.Sprintf("g%d", g), fmt.Sprintf("u%d", u), "add")
				}
			}
			im, recorded := b.prepareMembers(f.String(), nil)
			im.Client = b.clientOf(im.Profile)
			totals := b.runMembers(im, recorded)
			most := int64(max(tc.groups, tc.rows/100))
			readings := int64(2*tc.groups + perGroup + 60) // each group before and after, names, and a few probes
			if totals.Counts[pipeline.Updated] != int64(tc.rows) || totals.Requests.PATCH > most || totals.Requests.GET > readings {
				t.Errorf("%v with %+v, want at most %d PATCH and %d GET", totals.Counts, totals.Requests, most, readings)
			}
			if c := b.census(client); len(c.in) != tc.rows {
				t.Errorf("%d memberships, want %d", len(c.in), tc.rows)
			}
		})
	}
}

// TestTheLimitIsLearned imports into a directory that takes ten members at a
// time and says so only by refusing more: no group but the first finds out.
func TestTheLimitIsLearned(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 200, Faults: []string{"member-limit=10"}})
	before := b.census(b.clientOf(scim.Profiles()[0]))
	f := &file{}
	for _, g := range slices.Sorted(maps.Keys(before.groups)) {
		f.all(g, before.outsiders(g)[:70], "add")
	}
	totals := b.runMembers(b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.Workers = 1 }))
	n := int64(len(before.groups))
	if least := 8 * n; totals.Counts[pipeline.Updated] != 70*n || totals.Requests.PATCH > least+12 {
		t.Errorf("%v with %d PATCH of which %d are needed", totals.Counts, totals.Requests.PATCH, least)
	}
	if len(totals.Warnings) != 1 || !strings.Contains(totals.Warnings[0], "refused 100 members") {
		t.Errorf("warnings %q", totals.Warnings)
	}
}

func (b *bench) create(client *scim.Client, e scim.Endpoint, body string) string {
	b.t.Helper()
	resp, err := client.Create(b.t.Context(), e, []byte(body))
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.Resource.ID
}

// TestExportedMembershipsComeBack imports what an export has written into the
// same directory: nothing is to do.
func TestExportedMembershipsComeBack(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Dialect: dialect, Seed: 100})
			profile, err := scim.ProfileByName(dialect)
			if err != nil {
				t.Fatal(err)
			}
			profile.Rate = 0
			set := func(im *pipeline.MemberImport) { im.Profile = profile }
			text := b.exported(b.clientOf(profile))
			totals := b.runMembers(b.prepareMembers(text, set))
			if totals.Rows == 0 || totals.Counts[pipeline.Unchanged] != totals.Rows || totals.Requests.PATCH > 0 {
				t.Errorf("%d rows: %v with %+v", totals.Rows, totals.Counts, totals.Requests)
			}
			out := b.runMembers(b.prepareMembers(strings.ReplaceAll(text, ",add,", ",remove,"), set))
			if out.Counts[pipeline.Updated] != out.Rows {
				t.Errorf("out: %v", out.Counts)
			}
			back := b.runMembers(b.prepareMembers(text, set))
			if back.Counts[pipeline.Updated] != back.Rows {
				t.Errorf("back: %v", back.Counts)
			}
			if again := b.exported(b.clientOf(profile)); sorted(again) != sorted(text) {
				t.Errorf("out and back is not as before:\n%s\n%s", sorted(text), sorted(again))
			}
		})
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// exported is what export all writes to memberships.csv.
func (b *bench) exported(client *scim.Client) string {
	b.t.Helper()
	m, err := pipeline.NewMemberships()
	if err != nil {
		b.t.Fatal(err)
	}
	defer m.Close()
	for r, err := range client.All(b.t.Context(), scim.Users, scim.ListOptions{}) {
		if err := m.User(b.decode(r, err))(); err != nil {
			b.t.Fatal(err)
		}
	}
	for r, err := range client.All(b.t.Context(), scim.Groups, scim.ListOptions{}) {
		if err := m.Group(b.decode(r, err))(); err != nil {
			b.t.Fatal(err)
		}
	}
	path := filepath.Join(b.t.TempDir(), "memberships.csv")
	if _, err := m.WriteTo(path, path+".draft"); err != nil {
		b.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// groupCommits counts the changes of each group in the directory's own log.
func (b *bench) groupCommits() map[string]int {
	b.t.Helper()
	f, err := os.Open(b.audit)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Kind, Op, Resource, ID string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			b.t.Fatal(err)
		}
		if line.Kind == "commit" && line.Op == "patch" && line.Resource == "Group" {
			counts[line.ID]++
		}
	}
	return counts
}

// checkMembers holds the labels of a run, whose pairs have one row each, to the
// directory before and after it.
func checkMembers(t *testing.T, before, after *census, recorded *results) {
	t.Helper()
	for _, r := range recorded.list {
		p, want := pair{r.Row.Cells[0], r.Row.Cells[1]}, r.Row.Cells[2] != "remove"
		was, is := before.in[p], after.in[p]
		switch r.Outcome {
		case pipeline.Updated:
			if was == want || is != want {
				t.Errorf("%s %v is updated (%s), but was %v and is %v", r.Op, p, r.Detail, was, is)
			}
		case pipeline.Unchanged:
			if was != want || is != want {
				t.Errorf("%s %v is unchanged, but was %v and is %v", r.Op, p, was, is)
			}
		case pipeline.Unknown:
		default:
			if was != is {
				t.Errorf("%s %v is %s (%s), but was %v and is %v", r.Op, p, r.Outcome, r.Detail, was, is)
			}
		}
	}
}

// everybody is a file that turns all memberships of a directory round, in an
// order of its own, and asks for some that are there already.
func everybody(c *census) string {
	f := &file{}
	for i, u := range c.people() {
		for j, g := range slices.Sorted(maps.Keys(c.groups)) {
			switch in := c.in[pair{g, u}]; {
			case (i+j)%5 == 0 && in, (i+j)%5 != 0 && !in:
				f.row(g, u, "add")
			default:
				f.row(g, u, "remove")
			}
		}
	}
	return f.String()
}

// TestMemberLabelsAreTrue runs membership imports against directories that lose
// answers, refuse, or only pretend.
func TestMemberLabelsAreTrue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		faults []string
		after  time.Duration // whatever comes late has come by then
		counts func(pipeline.Counts) bool
	}{
		{"nothing", nil, 0, clean},
		{"errors before the commit", []string{"5xx-before-commit=0.4"}, 0, clean},
		{"errors after the commit", []string{"5xx-after-commit=0.4"}, 0, clean},
		{"connections cut before the commit", []string{"reset-before-commit=0.4"}, 0, clean},
		{"connections cut after the commit", []string{"reset-after-commit=0.4"}, 0, clean},
		{"answers cut short", []string{"truncate=0.2"}, 0, clean},
		{"applied, and answered with conflict", []string{"error-but-applied=0.5"}, 0, clean},
		{"late commits", []string{"hang-then-commit=0.3"}, time.Hour, clean},
		{"throttled", []string{"throttle=0.3"}, 0, clean},
		{"no more than 7 members at a time", []string{"member-limit=7"}, 0, clean},
		{"answers without bodies", []string{"patch-204"}, 0, clean},
		{"removals that do nothing", []string{"members-filter-noop"}, 0, someRejected},
		{"paths that do nothing", []string{"deaf-paths"}, 0, someRejected},
		{"writes that do nothing", []string{"no-effect=1"}, 0, someRejected},
		{"a remove with values would wipe the group", []string{"remove-value-wipes", "replace-members-merges"}, 0, clean},
		{"filters are ignored", []string{"ignore-filter"}, 0, clean},
		{"errors for ever", []string{"5xx-before-commit=1"}, 0, allUnknown},
		{"errors for ever, and carried out", []string{"5xx-after-commit=1"}, 0, clean},
		{"everything", []string{"5xx-before-commit=0.1", "5xx-after-commit=0.1", "reset-after-commit=0.1", "truncate=0.05", "throttle=0.05", "member-limit=30"}, 0, clean},
	} {
		for seed := range unlessLong[int64](1, 10) {
			t.Run(fmt.Sprintf("%s/%d", tc.name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, sandbox.Options{Faults: tc.faults, FaultSeed: seed, Seed: 60})
					client := b.clientOf(scim.Profiles()[0])
					before := b.census(client)
					im, recorded := b.prepareMembers(everybody(before), nil)
					totals := b.runMembers(im, recorded)
					time.Sleep(tc.after)
					checkMembers(t, before, b.census(client), recorded)
					if totals.Pending > 0 || !tc.counts(totals.Counts) {
						t.Errorf("%v, %d pending: %v", totals.Counts, totals.Pending, totals.Cause)
					}
					commits := b.groupCommits()
					for id, n := range updatedByGroup(recorded) {
						if (n > 0) != (commits[id] > 0) {
							t.Errorf("group %s: %d rows updated, %d commits", id, n, commits[id])
						}
					}
				})
			})
		}
	}
}

func clean(c pipeline.Counts) bool {
	return c[pipeline.Rejected]+c[pipeline.Unknown] == 0 && c[pipeline.Updated] > 0 && c[pipeline.Unchanged] > 0
}

func someRejected(c pipeline.Counts) bool {
	return c[pipeline.Rejected] > 0 && c[pipeline.Unknown] == 0 && c[pipeline.Unchanged] > 0
}

func allUnknown(c pipeline.Counts) bool {
	return c[pipeline.Updated]+c[pipeline.Rejected] == 0 && c[pipeline.Unknown] > 0 && c[pipeline.Unchanged] > 0
}

func updatedByGroup(recorded *results) map[string]int {
	n := map[string]int{}
	for _, r := range recorded.list {
		if n[r.ID] += 0; r.Outcome == pipeline.Updated {
			n[r.ID]++
		}
	}
	return n
}

// TestHiddenMembers imports into a directory that never shows who is in a
// group: everything is sent, and the results say that nothing was verified.
func TestHiddenMembers(t *testing.T) {
	b := newBench(t, sandbox.Options{Faults: []string{"hide-members"}, Seed: 60})
	client := b.clientOf(scim.Profiles()[0])
	before := b.census(client)
	text := everybody(before)
	planned := b.runMembers(b.prepareMembers(text, dry))
	im, recorded := b.prepareMembers(text, nil)
	done := b.runMembers(im, recorded)
	if !maps.Equal(planned.Writes, done.Writes) || done.Counts[pipeline.Updated] != done.Rows {
		t.Errorf("planned %v, done %v %v", planned.Writes, done.Counts, done.Writes)
	}
	for _, r := range recorded.list {
		if !strings.Contains(r.Detail, "does not show") {
			t.Errorf("line %d: %q", r.Row.Line, r.Detail)
		}
	}
	after := b.census(client)
	for row, err := range readCSV(text) {
		if err != nil {
			t.Fatal(err)
		}
		if after.in[pair{row[0], row[1]}] != (row[2] == "add") {
			t.Errorf("%v is not so", row)
		}
	}
}

func readCSV(text string) func(func([]string, error) bool) {
	return func(yield func([]string, error) bool) {
		all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, row := range all[1:] {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// TestOneBadMember imports a group of a hundred of whom one is deleted between
// the look-up and the write.
func TestOneBadMember(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	client := b.clientOf(scim.Profiles()[0])
	f, ids := &file{}, []string{}
	for i := range 100 {
		name := fmt.Sprintf("u%d", i)
		ids = append(ids, b.create(client, scim.Users, fmt.Sprintf(`{"schemas":[%q],"userName":%q}`, scim.UserURN, name)))
		f.row("g", name, "add")
	}
	b.create(client, scim.Groups, fmt.Sprintf(`{"schemas":[%q],"displayName":"g"}`, scim.GroupURN))
	im, recorded := b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.Log = b.log() })
	survey := b.surveyMembers(im)
	if _, err := client.Delete(t.Context(), scim.Users, ids[63], ""); err != nil {
		t.Fatal(err)
	}
	totals, err := im.Run(t.Context(), t.Context(), survey)
	if err != nil {
		t.Fatal(err)
	}
	if totals.Counts[pipeline.Updated] != 99 || totals.Counts[pipeline.Rejected] != 1 || totals.Requests.PATCH > 15 {
		t.Errorf("%v with %d PATCH", totals.Counts, totals.Requests.PATCH)
	}
	for _, r := range recorded.list {
		if (r.Outcome == pipeline.Rejected) != (r.Row.Cells[1] == "u63") {
			t.Errorf("%s is %s: %s", r.Key, r.Outcome, r.Detail)
		}
	}
	if n := len(b.census(client).in); n != 99 {
		t.Errorf("%d members", n)
	}
}

func TestMembersNeedPatch(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	im, _ := b.prepareMembers("group,user\ng,u\n", func(im *pipeline.MemberImport) { im.Profile.Patch = false })
	if _, err := im.Survey(t.Context()); err == nil || !strings.Contains(err.Error(), "has no PATCH") {
		t.Errorf("got %v", err)
	}
}
