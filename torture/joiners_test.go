package torture

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const joinersMapping = `resource: User
match: userName
op: op
attributes:
  userName: userName
  displayName: displayName
  title: title
  groups: {column: teams, split: "|", on-missing: reject%s}
`

// inOneCrew puts every other veteran into one group each.
func inOneCrew(n int) map[int][]string {
	in := map[int][]string{}
	for i := range n {
		if crew, ok := crewOf(i); ok {
			in[crew] = append(in[crew], userName(i))
		}
	}
	return in
}

// crewOf is the group that the i-th person is in before.
func crewOf(i int) (crew int, in bool) { return i % crews, i%5 != 0 && i%2 == 1 }

// joinersJob has people whose rows name groups, which they join beside those that
// they are in.
func joinersJob(n int, before *census) *job { return newJoiners(n, before, false, true).job() }

// moversJob has people who also leave all groups that their rows do not name.
func moversJob(n int, before *census) *job { return newJoiners(n, before, true, true).job() }

// stayersJob has such people of whom none is deleted: who is comes back without
// groups.
func stayersJob(n int, before *census) *job { return newJoiners(n, before, true, false).job() }

// joiners makes a job of people and their groups.
type joiners struct {
	*table
	n       int
	replace bool
	deletes bool
	names   []string
	after   map[string]person
	groups  map[string]map[string]bool
}

func newJoiners(n int, before *census, replace, deletes bool) *joiners {
	j := &joiners{
		table: newTable("op", "userName", "displayName", "title", "teams"), n: n, replace: replace, deletes: deletes,
		names: crewNames(before), after: map[string]person{}, groups: map[string]map[string]bool{},
	}
	for _, g := range j.names {
		j.groups[g] = maps.Clone(before.groups[g])
	}
	for i := range n {
		j.row(i)
	}
	return j
}

func (j *joiners) job() *job {
	mode := ""
	if j.replace {
		mode = ", mode: replace"
	}
	made := j.table.job(j.after, "-m", "input.yaml", "--yes", "--max-deletes", "100%")
	made.files["input.yaml"] = fmt.Sprintf(joinersMapping, mode)
	made.groups = j.groups
	return made
}

// row adds the i-th person. Every seventh has no row, and stays as they are.
func (j *joiners) row(i int) {
	user, op, title := userName(i), "upsert", oldTitle
	want, made := row{key: user, outcome: "unchanged"}, veteran(i)
	teams := j.teams(i)
	switch {
	case i%7 == 6:
		if i%5 != 0 {
			j.after[user] = made
		}
		return
	case i%13 == 12:
		teams = append(teams, "Mutineers")
		want.outcome, want.class = "rejected", "reference"
	case i%5 == 0:
		title, want.outcome = newTitle, "created"
		made = person{displayName: fullName(i), title: newTitle, active: true}
	case i%5 == 1:
		title, made.title, want.outcome = newTitle, newTitle, "updated"
	case i%5 == 4 && j.deletes:
		op, want.outcome = "delete", "deleted"
	}
	j.carryOut(&want, user, teams)
	if want.outcome != "deleted" && (want.outcome != "rejected" || i%5 != 0) {
		j.after[user] = made
	}
	j.add(want, op, user, fullName(i), title, strings.Join(teams, "|"))
}

// teams are the groups that the row of the i-th person names: none, the one that
// they are in, or others.
func (j *joiners) teams(i int) []string {
	at := func(k int) string { return j.names[k%len(j.names)] }
	crew, in := crewOf(i)
	switch {
	case i%11 == 4:
		return nil
	case i%3 == 1 && in:
		return []string{at(crew)}
	}
	return []string{at(i * 3), at(i*3 + 1)}
}

// carryOut puts somebody into groups, or takes them out, as the row asks.
func (j *joiners) carryOut(want *row, user string, teams []string) {
	changed := false
	set := func(group string, in bool) {
		if j.groups[group][user] != in {
			changed = true
		}
		delete(j.groups[group], user)
		if in {
			j.groups[group][user] = true
		}
	}
	switch {
	case want.outcome == "rejected" || want.outcome != "deleted" && len(teams) == 0:
	case want.outcome == "deleted":
		for _, g := range j.names {
			delete(j.groups[g], user)
		}
	default:
		for _, g := range j.names {
			if named := slices.Contains(teams, g); named || j.replace {
				set(g, named)
			}
		}
	}
	if changed && want.outcome == "unchanged" {
		want.outcome, want.own = "updated", "unchanged"
	}
}

// patchJob gives everybody whom a filter selects another title. Who that is the
// program finds out by itself.
func patchJob(n int, before *census) *job {
	j := &job{
		args:  []string{"patch", "users", "--filter", fmt.Sprintf("title eq %q", oldTitle), "--set", "title=" + newTitle},
		after: map[string]person{}, byKey: true, byID: true,
	}
	for _, name := range slices.Sorted(maps.Keys(before.people)) {
		p := before.people[name]
		p.title = newTitle
		j.after[name] = p
		j.rows = append(j.rows, row{line: len(j.rows) + 1, key: name, outcome: "updated"})
	}
	return j
}

// number gives the rows their lines in a plan, in which groups have theirs too.
func (j *job) number(plan []byte) error {
	at := map[string]int{}
	line := 0
	for text := range bytes.Lines(plan) {
		var change struct{ Resource, Key string }
		if err := json.Unmarshal(text, &change); err != nil {
			return err
		}
		switch line++; {
		case line == 1: // the header
		case change.Resource == "Group":
			j.rows = append(j.rows, row{line: line, key: change.Key, outcome: "updated", group: true})
		default:
			at[change.Key] = line
		}
	}
	for i := range j.rows {
		if r := &j.rows[i]; !r.group {
			r.line = at[r.key]
		}
	}
	return nil
}

// undoJob takes back what a job has done. Who was deleted is made anew, and who
// was made is deleted, or turned inactive where nobody is ever deleted.
func undoJob(was *job, before *census, dialect string) *job {
	j := &job{after: map[string]person{}}
	if was.groups != nil {
		j.groups = before.groups
	}
	back := map[string]string{"created": "deleted", "updated": "updated", "replaced": "updated", "deactivated": "updated", "deleted": "created"}
	for _, r := range was.rows {
		outcome := cmp.Or(r.own, r.outcome)
		if slices.Contains(inert, outcome) {
			if p, there := before.people[r.key]; there {
				j.after[r.key] = p
			}
			continue
		}
		want := row{key: r.key, outcome: back[outcome]}
		p, there := before.people[r.key]
		if !there && dialect == "genesys" {
			want.outcome = "deactivated"
			p, there = was.after[r.key], true
			p.active = false
		}
		if there {
			j.after[r.key] = p
		}
		j.rows = append(j.rows, want)
	}
	return j
}
