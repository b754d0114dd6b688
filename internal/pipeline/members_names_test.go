package pipeline_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

func groupBody(name, members string) string {
	return fmt.Sprintf(`{"schemas":[%q],"displayName":%q,"members":[%s]}`, scim.GroupURN, name, members)
}

// TestGroupsOfOneName has two groups of one name: only an id says which is
// meant, whether names are looked up or the directory is read.
func TestGroupsOfOneName(t *testing.T) {
	for name, others := range map[string]int{"looked up": 0, "read": 12} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 20})
			client := b.clientOf(scim.Profiles()[0])
			first := b.create(client, scim.Groups, groupBody("Twins", ""))
			b.create(client, scim.Groups, groupBody("Twins", ""))
			c := b.census(client)
			someone := c.people()
			text := "group,user,group_id\n"
			for i := range others { // so many names that reading takes fewer requests
				b.create(client, scim.Groups, groupBody(fmt.Sprintf("Group %d", i), ""))
				text += fmt.Sprintf("Group %d,%s,\n", i, someone[0])
			}
			text += "Twins," + someone[0] + "," + first + "\ntwins," + someone[1] + ",\nTwins," + someone[2] + ",17\n"
			im, recorded := b.prepareMembers(text, nil)
			b.runMembers(im, recorded)
			want := map[string]pipeline.Outcome{someone[0]: pipeline.Updated, someone[1]: pipeline.Rejected, someone[2]: pipeline.Rejected}
			for _, r := range recorded.list {
				if r.Outcome != want[r.Row.Cells[1]] || strings.EqualFold(r.Row.Cells[0], "twins") && r.Outcome == pipeline.Updated && r.ID != first {
					t.Errorf("%v is %s of %s: %s", r.Row.Cells, r.Outcome, r.ID, r.Detail)
				}
				if r.Outcome == pipeline.Rejected && (r.Class != pipeline.ClassConflict || !strings.Contains(r.Detail, "2 groups of the directory have the displayName")) {
					t.Errorf("%v: %s %s", r.Row.Cells, r.Class, r.Detail)
				}
			}
		})
	}
}

// TestGroupsInGroups exports a group that is a member of another: it has no
// user name, and its id finds it.
func TestGroupsInGroups(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 20})
	client := b.clientOf(scim.Profiles()[0])
	inner := b.create(client, scim.Groups, groupBody("Inner", ""))
	b.create(client, scim.Groups, groupBody("Outer", fmt.Sprintf(`{"value":%q}`, inner)))
	text := b.exported(client)
	if !strings.Contains(text, "Outer,,add,") {
		t.Fatalf("the export does not hold the group:\n%s", text)
	}
	totals := b.runMembers(b.prepareMembers(text, nil))
	if totals.Counts[pipeline.Unchanged] != totals.Rows {
		t.Errorf("%v", totals.Counts)
	}
	out := b.runMembers(b.prepareMembers(strings.ReplaceAll(text, "add", "remove"), nil))
	if out.Counts[pipeline.Updated] != out.Rows {
		t.Errorf("%v", out.Counts)
	}
}

// TestAPlanFollowsTheFile shows the groups of a plan in the order in which the
// file names them, whichever is read first.
func TestAPlanFollowsTheFile(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 400})
	c := b.census(b.clientOf(scim.Profiles()[0]))
	f, order := &file{}, slices.Sorted(maps.Keys(c.groups))
	slices.Reverse(order)
	for _, g := range order {
		f.all(g, c.outsiders(g)[:3], "add")
	}
	im, recorded := b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.DryRun, im.Workers = true, 8 })
	b.runMembers(im, recorded)
	var shown []string
	for _, r := range recorded.list {
		if r.Change.Action.Writes() {
			shown = append(shown, r.Key)
			if added, _ := r.Change.Differences[0].New.([]any); len(added) != 3 || len(r.Names) != 3 || len(r.Change.Patch) != 1 {
				t.Errorf("%s: %v, called %v, with %d operations", r.Key, r.Change.Differences, r.Names, len(r.Change.Patch))
			}
		}
	}
	if !slices.Equal(shown, order) {
		t.Errorf("shown  %q\nwanted %q", shown, order)
	}
}

// TestAFilterThatFindsEverybody asks an honest directory with an empty group,
// which ignores filters: nobody is in it who has to leave.
func TestAFilterThatFindsEverybody(t *testing.T) {
	b := newBench(t, sandbox.Options{Seed: 20, Faults: []string{"ignore-filter"}})
	client := b.clientOf(scim.Profiles()[0])
	b.create(client, scim.Groups, groupBody("Empty", ""))
	f := (&file{}).all("Empty", b.census(client).people()[:4], "remove")
	totals := b.runMembers(b.prepareMembers(f.String(), nil))
	if totals.Counts[pipeline.Unchanged] != 4 || totals.Requests.PATCH > 0 {
		t.Errorf("%v with %+v", totals.Counts, totals.Requests)
	}
}

// intruder does something before the first request of a kind.
type intruder struct {
	http.RoundTripper
	method string
	do     func()
}

func (i *intruder) RoundTrip(r *http.Request) (*http.Response, error) {
	if do := i.do; r.Method == i.method && do != nil {
		i.do = nil
		do()
	}
	return i.RoundTripper.RoundTrip(r)
}

// TestAGroupThatGoes deletes a group before it is read, or between that and the
// first write: its rows are rejected, without asking for each of them.
func TestAGroupThatGoes(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPatch} {
		t.Run(method, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 100})
			client := b.clientOf(scim.Profiles()[0])
			c := b.census(client)
			g := firstOf(c)
			f := (&file{}).all(g, c.outsiders(g)[:60], "add")
			im, recorded := b.prepareMembers(f.String(), func(im *pipeline.MemberImport) { im.DryRun = false })
			survey := b.surveyMembers(im)
			wire := &intruder{RoundTripper: b.box.Transport(), method: method, do: func() {
				if _, err := client.Delete(t.Context(), scim.Groups, c.groups[g], ""); err != nil {
					t.Error(err)
				}
			}}
			var err error
			if im.Client, err = scim.New(scim.Options{BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: wire, Profile: im.Profile, Workers: 1}); err != nil {
				t.Fatal(err)
			}
			defer im.Client.Close()
			im.Log = b.log()
			totals, err := im.Run(t.Context(), t.Context(), survey)
			if err != nil {
				t.Fatal(err)
			}
			if totals.Counts[pipeline.Rejected] != 60 || totals.Requests.PATCH > 1 {
				t.Errorf("%v with %+v", totals.Counts, totals.Requests)
			}
			for _, r := range recorded.list {
				if r.Class != "missing" {
					t.Fatalf("%s: %s %s", r.Key, r.Class, r.Detail)
				}
			}
		})
	}
}
