package torture

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"
)

// clean is what a faultless run of the mixed job leaves, made up.
func clean() *evidence {
	before := &census{people: mostOfThem(50), ids: map[string][]string{}, groups: map[string]map[string]bool{}}
	return made(mixedJob(50, before), before)
}

// made is what a faultless run of a job leaves.
func made(j *job, before *census) *evidence {
	ev := &evidence{job: j, before: before, code: 3, summary: summary{Rows: map[string]int{"read": len(j.rows)}, Exit: 3}}
	ev.after = &census{people: maps.Clone(before.people), ids: map[string][]string{}, groups: maps.Clone(before.groups)}
	for _, r := range j.rows {
		delete(ev.after.people, r.key)
	}
	maps.Copy(ev.after.people, j.after)
	maps.Copy(ev.after.groups, j.groups)
	for name := range ev.after.people {
		ev.after.ids["user "+name] = []string{"id of " + name}
	}
	ev.log, ev.rejects = newCheckpoint([]byte("1e5e867d {}\n")), map[int][]string{}
	ev.log.ended, ev.log.finished, ev.log.exit = true, true, 3
	for _, r := range j.rows {
		ev.take(r)
	}
	for i, name := range j.leavers {
		ev.absent = append(ev.absent, result{line: 1000 + i, key: name, outcome: "deactivated", id: "id of " + name})
		ev.audit = append(ev.audit, event{Kind: "commit", Op: "patch", Resource: "User", Key: name})
	}
	quiet := effortOf(ev.audit)
	ev.quiet = &quiet
	return ev
}

// take adds what a row leaves in a clean run.
func (ev *evidence) take(r row) {
	ops := map[string]string{"created": "create", "updated": "patch", "replaced": "replace", "deactivated": "patch", "deleted": "delete"}
	ev.results = append(ev.results, result{line: r.line, key: r.key, outcome: r.outcome, id: "id of " + r.key})
	ev.summary.Rows[r.outcome]++
	ev.log.outcomes[r.line] = r.outcome
	if r.outcome == "rejected" {
		ev.rejects[r.line], ev.log.classes[r.line] = []string{r.class}, r.class
	}
	if op := ops[cmp.Or(r.own, r.outcome)]; op != "" {
		ev.audit = append(ev.audit,
			event{Kind: "commit", Op: op, Resource: "User", Key: r.key},
			event{Kind: "request", Method: "PATCH", Path: "/scim/v2/Users/x", Status: 200})
	}
}

// lineOf is the first row with an outcome.
func lineOf(ev *evidence, outcome string) int {
	return slices.IndexFunc(ev.results, func(r result) bool { return r.outcome == outcome })
}

// A lie is what evidence is doctored with, and what the checker has to say to it.
type lie[E any] struct {
	name   string
	doctor func(ev E)
	want   string
}

// bites tells the checker one lie at a time.
func bites[E any](t *testing.T, good func() E, check func(E) []string, lies []lie[E]) {
	t.Helper()
	if found := check(good()); len(found) > 0 {
		t.Fatalf("a good run has violations: %q", found)
	}
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			ev := good()
			l.doctor(ev)
			found := check(ev)
			if !slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, l.want) }) {
				t.Errorf("found %q, want something with %q", found, l.want)
			}
		})
	}
}

func commit(op, key string) event { return event{Kind: "commit", Op: op, Resource: "User", Key: key} }

// TestCheckerBites doctors the evidence of a good run, one lie at a time.
func TestCheckerBites(t *testing.T) {
	bites(t, clean, check, []lie[*evidence]{
		{"a row without an outcome", func(ev *evidence) { ev.results = ev.results[1:] }, "has no outcome"},
		{"a row with two", func(ev *evidence) { ev.results = append(ev.results, ev.results[0]) }, "has two outcomes"},
		{"a row that the input does not have", func(ev *evidence) { ev.results[0].line = 900 }, "is no row of the input"},
		{"another outcome", func(ev *evidence) { ev.results[lineOf(ev, "created")].outcome = "unchanged" }, "and should be created"},
		{"nobody knows", func(ev *evidence) { ev.results[lineOf(ev, "created")].outcome = "unknown" }, "is unknown"},
		{"a summary that counts wrong", func(ev *evidence) { ev.summary.Rows["created"]++ }, "the summary says"},
		{"rows pending", func(ev *evidence) { ev.summary.Rows["pending"] = 1 }, "1 pending"},
		{"another exit code", func(ev *evidence) { ev.summary.Exit = 0 }, "exit code 0"},
		{"created twice", func(ev *evidence) {
			ev.audit = append(ev.audit, commit("create", ev.results[lineOf(ev, "created")].key))
		}, "created 2 times"},
		{"never created", func(ev *evidence) { ev.audit = ev.audit[2:] }, "created 0 times"},
		{"changed although rejected", func(ev *evidence) {
			ev.audit = append(ev.audit, commit("patch", ev.results[lineOf(ev, "rejected")].key))
		}, "changed 1 times"},
		{"changed although unchanged", func(ev *evidence) {
			ev.audit = append(ev.audit, commit("patch", ev.results[lineOf(ev, "unchanged")].key))
		}, "changed 1 times"},
		{"deleted twice", func(ev *evidence) {
			ev.audit = append(ev.audit, commit("delete", ev.results[lineOf(ev, "deleted")].key))
		}, "deleted 2 times"},
		{"somebody whom no row names", func(ev *evidence) { ev.audit = append(ev.audit, commit("patch", "bystander")) }, "no row asks for it"},
		{"a twin", func(ev *evidence) {
			name := "user " + userName(1)
			ev.after.ids[name] = append(ev.after.ids[name], "another id")
		}, "is there 2 times"},
		{"lost", func(ev *evidence) { delete(ev.after.people, userName(1)) }, "and should be"},
		{"not deleted", func(ev *evidence) { ev.after.people[userName(4)] = veteran(4) }, "is there, and should not be"},
		{"another value", func(ev *evidence) { ev.after.people[userName(1)] = veteran(1) }, "and should be"},
		{"another id", func(ev *evidence) { ev.results[lineOf(ev, "updated")].id = "id of somebody" }, "has the id"},
		{"a group out of nowhere", func(ev *evidence) { ev.after.groups["Mutineers"] = nil }, "the group Mutineers is there"},
		{"a name in the log", func(ev *evidence) { ev.log.text = []byte(`{"key":"` + userName(1) + `"}`) }, "checkpoint.log holds"},
		{"an id in the log", func(ev *evidence) { ev.log.text = []byte("id of " + userName(1)) }, "checkpoint.log holds"},
		{"writes that nobody needed", func(ev *evidence) {
			ev.audit = append(ev.audit, event{Kind: "request", Method: "PATCH", Path: "/scim/v2/Users/x", Status: 200})
		}, "writes, and no more than"},
		{"look-ups that nobody needed", func(ev *evidence) {
			ask := event{Kind: "request", Method: "GET", Path: "/scim/v2/Users", Query: "filter=userName+eq+%22x%22", Status: 200}
			ev.audit = append(slices.Repeat([]event{ask}, 51), ev.audit...)
		}, "look-ups, and no more than"},
		{"what was seen on the way", func(ev *evidence) { ev.seen = []string{"a mutiny"} }, "a mutiny"},
		{"another outcome in the log", func(ev *evidence) { ev.log.outcomes[ev.results[0].line] = "skipped" }, "in the log, and"},
		{"no outcome in the log", func(ev *evidence) { delete(ev.log.outcomes, ev.results[0].line) }, "in the log, and"},
		{"a log without an end", func(ev *evidence) { ev.log.finished = false }, "does not say that the run is finished"},
		{"another exit code in the log", func(ev *evidence) { ev.log.exit = 0 }, "the log says that the exit code is 0"},
		{"another exit code of the process", func(ev *evidence) { ev.code = 0 }, "the last session ended with 0"},
		{"a reject that is not listed", func(ev *evidence) { delete(ev.rejects, ev.results[lineOf(ev, "rejected")].line) }, "and not in rejects.csv"},
		{"a reject that is listed twice", func(ev *evidence) {
			line := ev.results[lineOf(ev, "rejected")].line
			ev.rejects[line] = append(ev.rejects[line], "missing")
		}, "is in rejects.csv 2 times"},
		{"a reject that is none", func(ev *evidence) { ev.rejects[ev.results[lineOf(ev, "created")].line] = []string{"data"} }, "and not rejected"},
		{"rejected for another reason", func(ev *evidence) { ev.rejects[ev.results[lineOf(ev, "rejected")].line] = []string{"data"} }, `is rejected for "data"`},
		{"logged for another reason", func(ev *evidence) { ev.log.classes[ev.results[lineOf(ev, "rejected")].line] = "data" }, `is rejected for "data"`},
		{"lines torn that nobody has torn", func(ev *evidence) { ev.audit = append(ev.audit, event{Kind: tornLine}) }, "1 torn lines"},
		{"more lost than a killed sandbox had in hand", func(ev *evidence) { ev.audit, ev.served = nil, 1 }, "created 0 times"},
		{"a group that nobody has named", func(ev *evidence) {
			ev.audit = append(ev.audit, event{Kind: "commit", Op: "patch", Resource: "Group", Key: "Bystanders"})
		}, "the group Bystanders was changed"},
		{"nothing in bulk", func(ev *evidence) { ev.bulk = true }, "nothing has travelled in bulk"},
		{"a name in what outlives the run", func(ev *evidence) { ev.kept = map[string][]byte{"pace.json": []byte(userName(1))} }, "pace.json, which outlives"},
		{"writes of members that nobody needed", func(ev *evidence) {
			ev.audit = append(ev.audit, event{Kind: "request", Method: "PATCH", Path: "/scim/v2/Groups/x", Status: 200})
		}, "writes of members, and no more than"},
	})
}

// TestCheckerBitesLeavers lies about those whom the input does not hold.
func TestCheckerBitesLeavers(t *testing.T) {
	left := func() *evidence {
		before := &census{people: mostOfThem(50), ids: map[string][]string{}, groups: map[string]map[string]bool{}}
		ev := made(leaversJob(50, before), before)
		ev.code, ev.log.exit, ev.summary.Exit = 0, 0, 0
		return ev
	}
	bites(t, left, check, []lie[*evidence]{
		{"not listed", func(ev *evidence) { ev.absent = ev.absent[1:] }, "0 times in absent.csv"},
		{"listed twice", func(ev *evidence) { ev.absent = append(ev.absent, ev.absent[0]) }, "2 times in absent.csv"},
		{"listed and not absent", func(ev *evidence) { ev.absent[0].key = userName(1) }, "is in absent.csv, and not absent"},
		{"another outcome", func(ev *evidence) { ev.absent[0].outcome = "pending" }, "who is absent, is pending"},
		{"another id", func(ev *evidence) { ev.absent[0].id = "id of somebody" }, "who is absent, is deactivated"},
		{"still active", func(ev *evidence) { ev.after.people[ev.absent[0].key] = veteran(4) }, "and should be"},
		{"turned inactive twice", func(ev *evidence) { ev.audit = append(ev.audit, commit("patch", ev.absent[0].key)) }, "changed 2 times"},
		{"never turned inactive", func(ev *evidence) { ev.audit = ev.audit[:len(ev.audit)-1] }, "changed 0 times"},
		{"a leaver who is deleted", func(ev *evidence) { delete(ev.after.people, ev.absent[0].key) }, "and should be"},
	})
}

// joined is what a faultless run leaves of people and their groups.
func joined() *evidence {
	const n = 60
	before := &census{people: mostOfThem(n), ids: map[string][]string{}, groups: map[string]map[string]bool{"Zzz bystanders": {userName(1): true}}}
	for g, users := range inOneCrew(n) {
		name := fmt.Sprintf("Crew of %05d", g)
		before.groups[name] = map[string]bool{}
		for _, u := range users {
			before.groups[name][u] = true
		}
	}
	for g := range crews {
		if name := fmt.Sprintf("Crew of %05d", g); before.groups[name] == nil {
			before.groups[name] = map[string]bool{}
		}
	}
	j := moversJob(n, before)
	ev := made(j, before)
	for name := range j.groups {
		if !maps.Equal(j.groups[name], before.groups[name]) {
			ev.audit = append(ev.audit, event{Kind: "commit", Op: "patch", Resource: "Group", Key: name})
		}
		ev.after.groups[name] = maps.Clone(j.groups[name])
	}
	return ev
}

// TestCheckerBitesGroups lies about people and their groups.
func TestCheckerBitesGroups(t *testing.T) {
	own := func(ev *evidence) int { // a row that changes nothing but groups
		return slices.IndexFunc(ev.job.rows, func(r row) bool { return r.own == "unchanged" })
	}
	anyone := func(group map[string]bool) string { return slices.Sorted(maps.Keys(group))[0] }
	bites(t, joined, check, []lie[*evidence]{
		{"somebody is not in", func(ev *evidence) {
			group := ev.after.groups[crewNames(ev.before)[0]]
			delete(group, anyone(group))
		}, "is not in"},
		{"somebody is in who should not be", func(ev *evidence) { ev.after.groups[crewNames(ev.before)[0]]["stowaway"] = true }, "stowaway is in"},
		{"a bystander was taken out", func(ev *evidence) { ev.after.groups["Zzz bystanders"] = nil }, "is not in Zzz bystanders"},
		{"a group that was to be left alone", func(ev *evidence) {
			ev.audit = append(ev.audit, event{Kind: "commit", Op: "patch", Resource: "Group", Key: "Zzz bystanders"})
		}, "the group Zzz bystanders was changed"},
		{"a person who was to join alone", func(ev *evidence) { ev.audit = append(ev.audit, commit("patch", ev.job.rows[own(ev)].key)) }, "changed 1 times"},
		{"a row that says that nothing has changed", func(ev *evidence) { ev.results[own(ev)].outcome = "unchanged" }, "and should be updated"},
	})
}

// TestCheckpointReader reads the log in docs/checkpoint.md.
func TestCheckpointReader(t *testing.T) {
	c := newCheckpoint(nil)
	for _, body := range []string{
		`{"kind":"header","run":"r"}`,
		`{"kind":"intent","rows":[[2,"cd2797ce9af1ed31","create",1],[3,"8e4472100ef22117","patch",0,0]]}`,
		`{"kind":"done","rows":[[2,"created",1],[5,"rejected",0,"data"]]}`,
		`{"kind":"void","rows":[[3,0]]}`,
	} {
		sum := crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))
		if err := c.take(fmt.Appendf(nil, "%08x %s\n", sum, body)); err != nil {
			t.Fatal(err)
		}
	}
	if c.run != "r" || c.inDoubt() != 1 || c.underWay() != 0 || c.outcomes[5] != "rejected" || !c.keys[0x8e4472100ef22117] {
		t.Errorf("read %+v", c)
	}
	if err := c.take([]byte("00000000 {}\n")); err == nil {
		t.Error("a wrong checksum is taken")
	}
	if c.ended || c.classes[5] != "data" {
		t.Errorf("read %+v", c)
	}
	if got := c.ahead([]event{{Kind: "commit", Resource: "User", Key: "x"}}, nil); len(got) != 1 {
		t.Errorf("a change without an intent: %q", got)
	}
	if got := c.unwritten([]byte("line,key\n2,k\n"), nil); len(got) != 2 || !strings.Contains(got[0], "line 5") {
		t.Errorf("an outcome that is in neither file: %q", got)
	}
}
