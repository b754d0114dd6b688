package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A scenario is a job for the program and what it must come to.
type scenario struct {
	name     string
	dialects []string
	alone    bool     // its writes never travel in bulk requests
	faults   []string // that its sandbox has always, beside those that a trial draws
	never    []string // faults that a trial does not draw: what they do to such a job is no matter of resuming
	late     bool     // creates may come late and twice, so that there is a settle window
	undone   bool     // the run is taken back afterwards, and that is tortured as well
	make     func(n int, before *census) *job
	people   func(n int) map[string]person // who is there before; nil for nobody
	seed     func(n int) int               // made-up people who are there as well, and a twentieth as many groups
	members  func(n int) map[int][]string  // whom the harness adds to the i-th group before
}

// A wire is what the writes of a trial travel by.
type wire struct {
	dialect string
	bulk    bool // in bulk requests
}

func (w wire) String() string {
	if w.bulk {
		return w.dialect + "+bulk"
	}
	return w.dialect
}

// wires are all that a scenario of so many rows can go by.
func (s *scenario) wires(rows int) (all []wire) {
	for _, dialect := range s.dialects {
		all = append(all, wire{dialect: dialect})
		if dialect == "rfc" && !s.alone && rows >= fewestRowsForBulk {
			all = append(all, wire{dialect, true})
		}
	}
	return all
}

// A job is one input, the command line, and what a clean run makes of it.
type job struct {
	files       map[string]string // by name; the first in args is the input
	args        []string
	planned     bool   // the input is planned first, and the plan is applied
	undoes      string // directory of the run that is taken back: the plan of that is applied
	byKey       bool   // the lines of the results are not those of the rows
	byID        bool   // the keys in the results are ids
	membersOnly bool   // no row is about a person alone
	rows        []row
	after       map[string]person          // whom the directory holds afterwards, of those that the rows name
	groups      map[string]map[string]bool // members afterwards, of the groups that the rows name
	made        []string                   // groups that are there afterwards
	leavers     []string                   // whom the input does not hold, and who are turned inactive for it
	exports     *exported                  // what an export leaves; nil for other jobs
}

// joins says whether people come first, and then their groups.
func (j *job) joins() bool { return j.groups != nil && !j.membersOnly }

// steps says whether rows have second steps.
func (j *job) steps() bool {
	return slices.ContainsFunc(j.rows, func(r row) bool { return r.steps > 0 })
}

// A row is a line of the input and its outcome in a clean run.
type row struct {
	line    int
	key     string
	outcome string
	class   string
	own     string // what it comes to without its groups, where that is another outcome
	steps   int    // writes that may follow the first: references that are set later
	group   bool   // it is a group that is changed
}

// outcomes that change nothing.
var inert = []string{"unchanged", "skipped", "rejected"}

var both = []string{"rfc", "genesys"}

func scenarios() []scenario {
	return []scenario{
		{name: "create", dialects: both, make: createJob, people: everyTenth},
		{name: "create, nobody there", dialects: both, make: newcomersJob},
		{name: "create without looking", dialects: both, make: blindJob, seed: fixed(40)},
		{name: "upsert, mixed", dialects: both, make: mixedJob, people: mostOfThem},
		{name: "delete", dialects: both, make: deleteJob, people: mostOfThem},
		{name: "references and cycles", dialects: both, make: managersJob, people: everyTenth},
		{name: "several rows a key", dialects: both, make: repeatedJob, never: []string{"late-visibility=100ms"}},
		{name: "several rows a key, with managers", dialects: both, make: movedJob, never: []string{"late-visibility=100ms"}},
		{name: "memberships", dialects: both, alone: true, make: membersJob, people: members, seed: fixed(20 * crews), members: alreadyIn},
		{name: "people and their groups", dialects: both, make: joinersJob, people: mostOfThem, seed: fixed(20 * crews), members: inOneCrew},
		{name: "people and their groups, replaced", dialects: both, make: moversJob, people: mostOfThem, seed: fixed(20 * crews), members: inOneCrew},
		{name: "leavers", dialects: both, make: leaversJob, people: mostOfThem},
		{name: "patch users", dialects: both, make: patchJob, people: mostOfThem},
		{name: "apply", dialects: both, make: applyJob, people: mostOfThem},
		{name: "undo", dialects: both, make: mixedJob, people: mostOfThem, undone: true},
		{name: "undo of people and their groups", dialects: both, make: stayersJob, people: mostOfThem, seed: fixed(20 * crews), members: inOneCrew, undone: true},
		{name: "groups", dialects: []string{"rfc"}, make: groupsJob, late: true},
		{name: "create where keys are not unique", dialects: []string{"rfc"}, make: newcomersJob, faults: []string{"non-unique"}, late: true},
		{name: "export users, CSV", dialects: both, alone: true, make: exportOf("users", "csv"), seed: all},
		{name: "export users, JSONL", dialects: both, alone: true, make: exportOf("users", "jsonl"), seed: all},
		{name: "export groups, CSV", dialects: both, alone: true, make: exportOf("groups", "csv"), seed: all},
		{name: "export groups, JSONL", dialects: both, alone: true, make: exportOf("groups", "jsonl"), seed: all},
		{name: "export all, CSV", dialects: both, alone: true, make: exportOf("all", "csv"), seed: all},
		{name: "export all, JSONL", dialects: both, alone: true, make: exportOf("all", "jsonl"), seed: all},
		{
			name: "export users by cursor", dialects: []string{"rfc"}, alone: true, make: exportOf("users", "jsonl"), seed: all,
			faults: []string{"ignore-start-index"},
		},
	}
}

func fixed(n int) func(int) int { return func(int) int { return n } }
func all(n int) int             { return n }

// Everything about the i-th person follows from i. The words can be found
// again: none of them may stand in a checkpoint log.
func userName(i int) string { return fmt.Sprintf("p%05d@torture.example", i) }
func fullName(i int) string { return fmt.Sprintf("Quorlin Zyx%05d", i) }

const (
	password   = "s3cr3t-Wexford"
	oldTitle   = "Harpooner"
	newTitle   = "Boatswain"
	department = "Deepwater"
)

// personal are the words of the inputs that are personal or secret.
func personal() []string {
	return []string{"torture.example", "Quorlin", "Zyx", password, oldTitle, newTitle, department, "Crew "}
}

func veteran(i int) person {
	return person{displayName: fullName(i), title: oldTitle, department: department, active: true}
}

func everyTenth(n int) map[string]person {
	people := map[string]person{}
	for i := 3; i < n; i += 10 {
		people[userName(i)] = veteran(i)
	}
	return people
}

func mostOfThem(n int) map[string]person {
	people := map[string]person{}
	for i := range n {
		if i%5 != 0 {
			people[userName(i)] = veteran(i)
		}
	}
	return people
}

// table writes a CSV file and remembers what its rows must come to.
type table struct {
	text strings.Builder
	rows []row
}

func newTable(header ...string) *table {
	t := &table{}
	fmt.Fprintln(&t.text, strings.Join(header, ","))
	return t
}

func (t *table) add(want row, cells ...string) {
	want.line = len(t.rows) + 2
	t.rows = append(t.rows, want)
	fmt.Fprintln(&t.text, strings.Join(cells, ","))
}

// job makes a job of the table.
func (t *table) job(after map[string]person, args ...string) *job {
	return &job{
		files: map[string]string{"input.csv": t.text.String()}, args: append([]string{"import", "input.csv"}, args...),
		rows: t.rows, after: after,
	}
}

// createJob has people who are there, people who come twice, and cells that
// cannot be.
func createJob(n int, before *census) *job {
	t, after := newTable("userName", "displayName", "title", "enterprise:department", "active", "password"), map[string]person{}
	for i := range n {
		want, name, active := row{key: userName(i), outcome: "created"}, userName(i), "true"
		made := person{fullName(i), newTitle, department, "", true}
		switch {
		case i%10 == 3:
			want.outcome, want.class = "rejected", "exists"
			made = veteran(i)
		case i%20 == 7:
			want.outcome, want.class, active = "rejected", "data", "perhaps"
		case i%20 == 11:
			name = userName(i - 1)
			want.key, want.outcome, want.class = name, "rejected", "duplicate"
		}
		if want.outcome == "created" || want.class == "exists" {
			after[name] = made
		}
		t.add(want, name, fullName(i), newTitle, department, active, password)
	}
	return t.job(after, "--op", "create")
}

func newcomersJob(n int, before *census) *job {
	t, after := newTable("userName", "displayName", "title"), map[string]person{}
	for i := range n {
		t.add(row{key: userName(i), outcome: "created"}, userName(i), fullName(i), newTitle)
		after[userName(i)] = person{displayName: fullName(i), title: newTitle, active: true}
	}
	return t.job(after, "--op", "create")
}

// blindJob looks nobody up: the directory refuses those whom it has. They are
// the seeded people, who have been there for years: whom somebody else made in
// the two seconds before, no clock of whole seconds can tell from ours.
func blindJob(n int, before *census) *job {
	t, after := newTable("userName", "displayName", "title"), map[string]person{}
	veterans := slices.Sorted(maps.Keys(before.people))
	for i := range n {
		if i%10 == 3 && len(veterans) > 0 {
			name := veterans[0]
			veterans, after[name] = veterans[1:], before.people[name]
			t.add(row{key: name, outcome: "rejected", class: "exists"}, name, fullName(i), newTitle)
			continue
		}
		t.add(row{key: userName(i), outcome: "created"}, userName(i), fullName(i), newTitle)
		after[userName(i)] = person{displayName: fullName(i), title: newTitle, active: true}
	}
	return t.job(after, "--op", "create", "--lookup", "none")
}

const mixedMapping = `resource: User
match: userName
op: op
attributes:
  userName: userName
  displayName: displayName
  title: title
`

// mixedJob has each operation, each where it does something and some where it
// does not.
func mixedJob(n int, before *census) *job {
	t, after := newTable("op", "userName", "displayName", "title"), map[string]person{}
	for i := range n {
		op, want, title := "upsert", row{key: userName(i), outcome: "created"}, newTitle
		made := person{displayName: fullName(i), title: newTitle, active: true}
		if i%5 != 0 {
			made = veteran(i)
		}
		switch {
		case i%50 == 45:
			op, want.outcome, want.class = "patch", "rejected", "missing"
		case i%50 == 40:
			op, want.outcome = "delete", "skipped"
		case i%5 == 0:
		case i%10 == 1:
			op, want.outcome, made.title = "replace", "replaced", newTitle
		case i%5 == 1:
			want.outcome, made.title = "updated", newTitle
		case i%5 == 2:
			want.outcome, title = "unchanged", oldTitle
		case i%5 == 3:
			op, want.outcome, title, made.active = "deactivate", "deactivated", "", false
		case i%5 == 4:
			op, want.outcome = "delete", "deleted"
		}
		if gone := op == "delete" || want.class == "missing"; !gone {
			after[userName(i)] = made
		}
		t.add(want, op, userName(i), fullName(i), title)
	}
	j := t.job(after, "-m", "input.yaml", "--yes", "--max-deletes", "100%")
	j.files["input.yaml"] = mixedMapping
	return j
}

// applyJob plans the mixed rows and applies the plan, whose lines are the
// changes alone.
func applyJob(n int, before *census) *job {
	j := mixedJob(n, before)
	j.planned, j.byKey = true, true
	j.rows = slices.DeleteFunc(j.rows, func(r row) bool { return slices.Contains(inert, r.outcome) })
	return j
}

func deleteJob(n int, before *census) *job {
	t := newTable("userName")
	for i := range n {
		want := row{key: userName(i), outcome: "deleted"}
		if i%5 == 0 {
			want.outcome = "skipped"
		}
		t.add(want, userName(i))
	}
	return t.job(map[string]person{}, "--op", "delete", "--yes", "--max-deletes", "100%")
}

// leaversJob turns everybody inactive whom the input does not hold.
func leaversJob(n int, before *census) *job {
	t, after := newTable("userName", "displayName", "title"), map[string]person{}
	var leavers []string
	for i := range n {
		want, title := row{key: userName(i), outcome: "created"}, newTitle
		made := person{displayName: fullName(i), title: newTitle, active: true}
		if i%5 != 0 {
			made = veteran(i)
		}
		switch i % 5 {
		case 1, 2:
			want.outcome, made.title = "updated", newTitle
		case 3:
			want.outcome, title = "unchanged", oldTitle
		case 4:
			made.active = false
			leavers = append(leavers, userName(i))
		}
		after[userName(i)] = made
		if made.active {
			t.add(want, userName(i), fullName(i), title)
		}
	}
	j := t.job(after, "--absent", "deactivate", "--yes", "--max-deletes", "100%")
	j.leavers = leavers
	return j
}

const managersMapping = `resource: User
match: userName
attributes:
  userName: userName
  displayName: displayName
  title: title
  enterprise:manager: {column: boss, ref: User.userName}
`

// managersJob has people whose manager comes later in the file, cycles, and
// some who manage themselves.
func managersJob(n int, before *census) *job {
	t, after := newTable("userName", "displayName", "title", "boss"), map[string]person{}
	for i := range n {
		boss := (i*7 + 3) % n
		want, made := row{key: userName(i), outcome: "created", steps: 1}, person{displayName: fullName(i), title: newTitle, active: true}
		if i%10 == 3 {
			want.outcome, made.department = "updated", department
		}
		made.manager = userName(boss)
		after[userName(i)] = made
		t.add(want, userName(i), fullName(i), newTitle, userName(boss))
	}
	j := t.job(after, "-m", "input.yaml")
	j.files["input.yaml"] = managersMapping
	return j
}

// repeatedJob has rows that must be done one after the other: somebody comes,
// changes, and leaves or is turned inactive.
func repeatedJob(n int, before *census) *job {
	t, after := newTable("op", "userName", "displayName", "title"), map[string]person{}
	people := max(1, n/3)
	add := func(i int, op, outcome, title string) {
		t.add(row{key: userName(i), outcome: outcome}, op, userName(i), fullName(i), title)
	}
	for first := 0; first < people; first += 20 { // rows of one key stand near each other
		last := min(people, first+20)
		for i := first; i < last; i++ {
			add(i, "upsert", "created", oldTitle)
		}
		for i := first; i < last; i++ {
			add(i, "upsert", "updated", newTitle)
		}
		for i := first; i < last; i++ {
			if i%2 == 0 {
				add(i, "delete", "deleted", "")
				continue
			}
			add(i, "deactivate", "deactivated", "")
			after[userName(i)] = person{displayName: fullName(i), title: newTitle}
		}
	}
	j := t.job(after, "-m", "input.yaml", "--yes", "--max-deletes", "100%")
	j.files["input.yaml"] = mixedMapping
	return j
}

const movedMapping = `resource: User
match: userName
op: op
attributes:
  userName: userName
  displayName: displayName
  title: title
  enterprise:manager: {column: boss, ref: User.userName}
`

// movedJob has people who come, change title and manager, and some of whom leave:
// the last row counts, although managers are set in a second step.
func movedJob(n int, before *census) *job {
	t, after := newTable("op", "userName", "displayName", "title", "boss"), map[string]person{}
	people := max(2, n/2)
	for first := 0; first < people; first += 20 {
		last := min(people, first+20)
		for i := first; i < last; i++ {
			t.add(row{key: userName(i), outcome: "created", steps: 1}, "upsert", userName(i), fullName(i), oldTitle, userName((i*7+3)%people/4*4))
		}
		for i := first; i < last; i++ {
			boss := userName((i*11 + 5) % people / 4 * 4)
			t.add(row{key: userName(i), outcome: "updated", steps: 1}, "upsert", userName(i), fullName(i), newTitle, boss)
			after[userName(i)] = person{displayName: fullName(i), title: newTitle, manager: boss, active: true}
			if i%4 == 3 { // nobody's manager
				t.add(row{key: userName(i), outcome: "deleted", steps: 0}, "delete", userName(i), "", "", "")
				delete(after, userName(i))
			}
		}
	}
	j := t.job(after, "-m", "input.yaml", "--yes", "--max-deletes", "100%")
	j.files["input.yaml"] = movedMapping
	return j
}

// crews is how many of the seeded groups the membership rows are about.
const crews = 20

func members(n int) map[string]person {
	people := map[string]person{}
	for i := range n / crews {
		people[userName(i)] = veteran(i)
	}
	return people
}

// alreadyIn puts half of the people into every group.
func alreadyIn(n int) map[int][]string {
	in := map[int][]string{}
	for g := range crews {
		for i := range n / crews {
			if i%4 == 1 || i%4 == 2 {
				in[g] = append(in[g], userName(i))
			}
		}
	}
	return in
}

// crewNames are the groups that the membership rows are about.
func crewNames(c *census) []string { return slices.Sorted(maps.Keys(c.groups))[:crews] }

func membersJob(n int, before *census) *job {
	t, groups := newTable("group", "user", "action"), map[string]map[string]bool{}
	names := crewNames(before)
	for _, g := range names {
		groups[g] = maps.Clone(before.groups[g])
	}
	for i := range n / crews {
		for _, g := range names {
			user, want, action := userName(i), row{key: g + " " + userName(i), outcome: "updated"}, "add"
			switch {
			case i%20 == 16:
				user = "nobody" + user
				want.outcome, want.class, want.key = "rejected", "reference", g+" "+user
			case i%4 == 0:
				groups[g][user] = true
			case i%4 == 1:
				want.outcome = "unchanged"
			case i%4 == 2:
				action = "remove"
				delete(groups[g], user)
			default:
				want.outcome, action = "unchanged", "remove"
			}
			t.add(want, g, user, action)
		}
	}
	j := t.job(nil)
	j.groups, j.membersOnly = groups, true
	return j
}

func groupName(i int) string { return fmt.Sprintf("Crew %05d", i) }

// groupsJob makes groups, whose names no directory keeps unique.
func groupsJob(n int, before *census) *job {
	t := newTable("displayName")
	j := &job{}
	for i := range n {
		t.add(row{key: groupName(i), outcome: "created"}, groupName(i))
		j.made = append(j.made, groupName(i))
	}
	made := j.made
	j = t.job(nil, "--resource", "Group", "--op", "create")
	j.made = made
	return j
}
