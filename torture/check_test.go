package torture

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// check compares what a run says of itself with what the directory knows, and
// both with what the input asks for. It returns the violations.
func check(ev *evidence) []string {
	c := &checker{evidence: ev}
	c.say(ev.seen...)
	c.outcomes()
	c.logged()
	c.rejected()
	c.leavers()
	c.totals()
	c.truth()
	c.groupTruth()
	c.finalState()
	c.finalGroups()
	c.privacy()
	c.requests()
	return c.found
}

type checker struct {
	*evidence
	found   []string
	byRow   map[int]result // line of the row to its result
	missing []string       // changes that the audit does not have
}

func (c *checker) say(violations ...string) { c.found = append(c.found, violations...) }

func (c *checker) sayf(format string, args ...any) { c.say(fmt.Sprintf(format, args...)) }

// outcomes: every row has one, and it is that of a clean run.
func (c *checker) outcomes() {
	c.byRow = map[int]result{}
	asked := map[int]row{}
	byKey := map[string]int{} // where the lines are not those of the input
	for _, r := range c.job.rows {
		asked[r.line], byKey[r.key] = r, r.line
	}
	for _, r := range c.results {
		line := r.line
		if c.job.byKey {
			line = byKey[r.key]
		}
		if _, twice := c.byRow[line]; twice {
			c.sayf("line %d has two outcomes", r.line)
		}
		if _, known := asked[line]; !known {
			c.sayf("line %d (%s) has an outcome and is no row of the input", r.line, r.key)
			continue
		}
		c.byRow[line] = r
	}
	for _, want := range c.job.rows {
		c.outcome(want)
	}
}

func (c *checker) outcome(want row) {
	got, there := c.byRow[want.line]
	switch {
	case !there:
		c.sayf("line %d (%s) has no outcome", want.line, want.key)
	case got.outcome == want.outcome:
	case got.outcome == "unknown" && c.allowUnknown:
	default:
		c.sayf("line %d (%s) is %s, and should be %s: %s", want.line, want.key, got.outcome, want.outcome, got.note)
	}
}

// logged: the log, which resume goes by, says the same as the results.
func (c *checker) logged() {
	for _, r := range c.results {
		if got := c.log.outcomes[r.line]; got != r.outcome {
			c.sayf("line %d is %q in the log, and %s in results.csv", r.line, got, r.outcome)
		}
	}
	if !c.log.finished {
		c.sayf("the log does not say that the run is finished")
	}
	if c.log.finished && c.log.exit != c.summary.Exit {
		c.sayf("the log says that the exit code is %d, the summary %d", c.log.exit, c.summary.Exit)
	}
}

// rejected: rejects.csv holds each rejected row once, and nobody else, with the
// class that the row has in a clean run.
func (c *checker) rejected() {
	for line, classes := range c.rejects {
		if len(classes) > 1 {
			c.sayf("line %d is in rejects.csv %d times", line, len(classes))
		}
	}
	listed := maps.Clone(c.rejects)
	for _, r := range c.results {
		if r.outcome != "rejected" {
			continue
		}
		if len(listed[r.line]) == 0 {
			c.sayf("line %d is rejected, and not in rejects.csv", r.line)
		}
		delete(listed, r.line)
	}
	for line := range listed {
		c.sayf("line %d is in rejects.csv, and not rejected", line)
	}
	for _, want := range c.job.rows {
		got, there := c.byRow[want.line]
		if !there || got.outcome != "rejected" || want.outcome != "rejected" {
			continue
		}
		for _, class := range append(slices.Clone(c.rejects[got.line]), c.log.classes[got.line]) {
			if class != want.class {
				c.sayf("line %d (%s) is rejected for %q, and should be for %q", got.line, got.key, class, want.class)
			}
		}
	}
}

// leavers: everybody whom the input does not hold has one outcome, and nobody
// else has.
func (c *checker) leavers() {
	listed := map[string]int{}
	for _, r := range c.absent {
		listed[r.key]++
		if ids := c.after.ids["user "+r.key]; r.outcome != "deactivated" || !slices.Contains(ids, r.id) {
			c.sayf("%s (%q), who is absent, is %s: %s", r.key, r.id, r.outcome, r.note)
		}
	}
	for _, key := range c.job.leavers {
		if listed[key] != 1 {
			c.sayf("%s is absent, and %d times in absent.csv", key, listed[key])
		}
		delete(listed, key)
	}
	for key := range listed {
		c.sayf("%s is in absent.csv, and not absent", key)
	}
}

// totals: the summary says what the results say, and rows read are their sum.
func (c *checker) totals() {
	listed := map[string]int{"read": len(c.results)}
	for _, r := range c.results {
		listed[r.outcome]++
	}
	for name, n := range c.summary.Rows {
		if listed[name] != n {
			c.sayf("the summary says %d %s, results.csv has %d", n, name, listed[name])
		}
		delete(listed, name)
	}
	for name, n := range listed {
		c.sayf("results.csv has %d %s, which the summary does not know", n, name)
	}
	inexact := slices.ContainsFunc(c.results, func(r result) bool { return r.outcome == "rejected" || r.outcome == "unknown" })
	if want := map[bool]int{false: 0, true: 3}[inexact]; c.summary.Exit != want {
		c.sayf("exit code %d, want %d", c.summary.Exit, want)
	}
	if c.code != c.summary.Exit {
		c.sayf("the last session ended with %d, the summary says %d", c.code, c.summary.Exit)
	}
}

// claims are what the results say was done to one key.
type claims struct {
	created, changed, deleted int
	mayChange                 int // further steps of rows
	unsure                    bool
}

// truth: each label is so. The audit counts what was done to every key.
func (c *checker) truth() {
	did := map[string]*claims{}
	torn := 0
	for _, e := range c.audit {
		switch {
		case e.Kind == tornLine:
			torn++
		case e.Kind == "commit" && (e.Resource == "User" || c.job.made != nil):
			if did[e.Key] == nil {
				did[e.Key] = &claims{}
			}
			did[e.Key].addCommit(e.Op)
		}
	}
	if torn > c.served {
		c.sayf("%d torn lines in the audit of a sandbox that was killed %d times", torn, c.served)
	}
	said := c.said()
	for key, d := range did {
		if said[key] == nil {
			c.sayf("%s was changed (%+v), and no row asks for it", key, *d)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		d := did[key]
		if d == nil {
			d = &claims{}
		}
		c.compare(key, *said[key], *d)
	}
	if len(c.missing) > c.served*c.inHand() {
		c.say(c.missing...)
	}
}

// said is what the results claim, by key.
func (c *checker) said() map[string]*claims {
	said := map[string]*claims{}
	if c.job.membersOnly {
		return said
	}
	for _, r := range c.job.rows {
		if r.group {
			continue // groupTruth tells
		}
		s := said[r.key]
		if s == nil {
			s = &claims{}
			said[r.key] = s
		}
		s.add(r, c.byRow[r.line].outcome)
	}
	for _, key := range c.job.leavers {
		said[key] = &claims{changed: 1}
	}
	return said
}

func (s *claims) add(r row, outcome string) {
	s.mayChange += r.steps
	if r.own != "" && outcome == r.outcome {
		outcome = r.own
	}
	switch outcome {
	case "created":
		s.created++
	case "updated", "replaced", "deactivated":
		s.changed++
	case "deleted":
		s.deleted++
	case "unknown":
		s.unsure = true
	}
}

func (s *claims) addCommit(op string) {
	switch op {
	case "create":
		s.created++
	case "delete":
		s.deleted++
	default:
		s.changed++
	}
}

// compare holds claims against commits. A server that was killed may have kept
// the changes that it had in hand, and lost their lines; the final state still has
// to be right.
func (c *checker) compare(key string, said, did claims) {
	equal := func(what string, said, did, more int) {
		text := fmt.Sprintf("%s: %s %d times, the results say %d times", key, what, did, said)
		if did > said+more {
			c.say(text)
		}
		for range max(0, said-did) {
			c.missing = append(c.missing, text)
		}
	}
	if said.unsure {
		if did.created > said.created+1 {
			c.sayf("%s: created %d times", key, did.created)
		}
		return
	}
	equal("created", said.created, did.created, 0)
	equal("changed", said.changed, did.changed, said.mayChange)
	equal("deleted", said.deleted, did.deleted, 0)
}

// inHand is how many changes a sandbox may have had in hand when it was killed.
func (c *checker) inHand() int {
	if c.bulk {
		return mostInHand + 2*workers
	}
	return 2 * workers
}

// groupTruth: groups that are to be as they were were left alone.
func (c *checker) groupTruth() {
	commits := map[string]int{}
	for _, e := range c.audit {
		if e.Kind == "commit" && e.Resource == "Group" {
			commits[e.Key]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(commits)) {
		want, named := c.job.groups[name]
		switch {
		case slices.Contains(c.job.made, name):
		case !named:
			c.sayf("the group %s was changed, and no row names it", name)
		case maps.Equal(want, c.before.groups[name]):
			c.sayf("the group %s was changed, and is to be as it was", name)
		}
	}
}

// finalState: everybody is as the input asks for, nobody is there twice, and
// nobody else was touched.
func (c *checker) finalState() {
	want := maps.Clone(c.before.people)
	unsure := map[string]bool{}
	if !c.job.membersOnly {
		for _, r := range c.job.rows {
			delete(want, r.key)
			unsure[r.key] = unsure[r.key] || c.byRow[r.line].outcome == "unknown"
		}
		maps.Copy(want, c.job.after)
	}
	for name, ids := range c.after.ids {
		if len(ids) != 1 {
			c.sayf("%s is there %d times", name, len(ids))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got, there := c.after.people[name]; got != want[name] && !unsure[name] {
			c.sayf("%s is %+v (there: %v), and should be %+v", name, got, there, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.after.people)) {
		if _, wanted := want[name]; !wanted && !unsure[name] {
			c.sayf("%s is there, and should not be", name)
		}
	}
	c.ids()
}

// ids: the id in a result is that of the resource.
func (c *checker) ids() {
	kind := "user "
	switch {
	case c.job.made != nil:
		kind = "group "
	case c.job.membersOnly:
		return
	}
	for _, r := range c.results {
		ids := c.after.ids[kind+r.key]
		if slices.Contains(inert, r.outcome) || r.outcome == "unknown" || len(ids) == 0 {
			continue
		}
		if !slices.Contains(ids, r.id) && r.outcome != "deleted" {
			c.sayf("line %d (%s) has the id %q, the directory has %v", r.line, r.key, r.id, ids)
		}
	}
}

// finalGroups: everybody is in the groups that the input asks for, and all other
// groups are as they were.
func (c *checker) finalGroups() {
	for name, before := range c.before.groups {
		want, named := c.job.groups[name]
		if !named {
			want = before
		}
		got := c.after.groups[name]
		for user := range want {
			if _, there := c.after.people[user]; !got[user] && there {
				c.sayf("%s is not in %s, and should be", user, name)
			}
		}
		for user := range got {
			if !want[user] {
				c.sayf("%s is in %s, and should not be", user, name)
			}
		}
	}
	for name := range c.after.groups {
		_, before := c.before.groups[name]
		if !before && !slices.Contains(c.job.made, name) {
			c.sayf("the group %s is there, and should not be", name)
		}
	}
	for _, name := range c.job.made {
		if c.after.groups[name] == nil {
			c.sayf("the group %s is not there", name)
		}
	}
}

// privacy: the log holds nothing about a person.
func (c *checker) privacy() {
	for _, word := range personal() {
		if bytes.Contains(bytes.ToLower(c.log.text), []byte(strings.ToLower(word))) {
			c.sayf("checkpoint.log holds %q", word)
		}
	}
	for i, id := range slices.Sorted(maps.Keys(c.after.ids)) {
		if at := c.after.ids[id]; i < 50 && len(at) > 0 && bytes.Contains(c.log.text, []byte(at[0])) {
			c.sayf("checkpoint.log holds the id of %s", id)
		}
	}
	for name, text := range c.kept {
		for _, word := range personal() {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(word))) {
				c.sayf("%s, which outlives the run, holds %q", name, word)
			}
		}
	}
}

// sampleOfResume is how many look-ups a resume may spend on the choice of how to
// look up.
const sampleOfResume = 30

// lost is how many rows may have been looked up, or answered, without a record
// of it when the process died.
func (c *checker) lost() int {
	if c.bulk {
		return mostInHand + 4*workers
	}
	return 5 * workers
}

// requests: a row that is in doubt costs at most three requests: one that
// writes and two that look. A row that waits for its groups is looked up again.
func (c *checker) requests() {
	got := effortOf(c.audit)
	if c.bulk && got.bulk == 0 {
		c.sayf("nothing has travelled in bulk requests")
	}
	if c.quiet == nil {
		return
	}
	doubts := c.doubts + got.failed
	if most := c.quiet.writes + doubts + got.repelled; got.writes > most {
		c.sayf("%d writes, and no more than %d for %d rows in doubt", got.writes, most, doubts)
	}
	if most := c.quiet.members + c.resumes*workers + got.broken + got.repelled; got.members > most {
		c.sayf("%d writes of members, and no more than %d for %d resumes", got.members, most, c.resumes)
	}
	base := max(c.quiet.lookups, len(c.job.rows))
	most := base + c.resumes*(c.quiet.startup+sampleOfResume+c.lost()) + c.waiting + 2*(doubts+got.broken) + got.repelled
	if got.lookups > most {
		c.sayf("%d look-ups, and no more than %d for %d rows in doubt, %d that waited, and %d resumes",
			got.lookups, most, doubts, c.waiting, c.resumes)
	}
}
