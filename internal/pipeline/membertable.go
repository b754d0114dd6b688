package pipeline

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// memberTable holds all rows of a membership file, 24 bytes each, and every
// group and user that they name, once. The rows' text lies in a spool.
type memberTable struct {
	rows    []memberRow // to be carried out: by group, turn and line, once judged
	refused []memberRow // whose outcome is known before the first write, by line
	twin    map[uint32]uint32
	groups  *memberNames
	users   *memberNames
	spool   *rowSpool
}

// memberRow is a row of a membership file.
type memberRow struct {
	at     int64 // in the spool
	line   uint32
	group  uint32 // number of the name; once resolved, of the first name of the same resource
	user   uint32
	turn   uint16 // how many rows of the same group and user come before
	fate   fate
	remove bool
}

func (r *memberRow) op() plan.Op {
	if r.remove {
		return removeMember
	}
	return addMember
}

// fate is what is known of a row before the first write.
type fate uint8

const (
	toCarryOut fate = iota
	isFaulty        // it cannot be used
	isNameless      // its group or user is not in the directory
	isRepeated      // the row of the same pair before it asks for the same
	isTwin          // another row of the same pair counts
	hasTwins        // none of the rows of a pair counts

	// What became of the memberships that rows of people name.
	isBroughtAbout
	isNeedless
	isFailed
)

// memberNames numbers groups or users by what rows call them.
type memberNames struct {
	resource, by string
	leaf         *scim.Attribute
	numbers      map[nameAndID]uint32
	list         []*sought
	ids          []string // by number, "" where there is none; once resolved
	first        []uint32 // by number, the first of the same resource
}

type nameAndID struct{ fold, id string }

func newMemberNames(resource, by string) *memberNames {
	return &memberNames{resource: resource, by: by, leaf: leafAt(resource, by, nil), numbers: map[nameAndID]uint32{}}
}

// number is that of a name or an id.
func (n *memberNames) number(name, id string) uint32 {
	key := nameAndID{mapping.Fold(n.leaf, name), id}
	if at, known := n.numbers[key]; known {
		return at
	}
	name, key.id = strings.Clone(name), strings.Clone(id) // let go of the row's text
	key.fold = strings.Clone(key.fold)
	at := uint32(len(n.list))
	n.numbers[key] = at
	n.list = append(n.list, &sought{name: name, fold: key.fold, id: key.id})
	return at
}

// settle turns the names into ids and lets go of those that have one.
func (n *memberNames) settle() {
	n.numbers = nil
	n.ids, n.first = make([]string, len(n.list)), make([]uint32, len(n.list))
	byID := make(map[string]uint32, len(n.list))
	for i, s := range n.list {
		id, _ := s.settle(n)
		if n.ids[i] = id; id == "" {
			continue
		}
		n.list[i] = nil
		first, known := byID[id]
		if !known {
			first = uint32(i)
			byID[id] = first
		}
		n.first[i] = first
	}
}

// unsettled says why a name has no id.
type unsettled struct{ class, why string }

// settle is the id of the resource that is meant. The id counts if it is there,
// the name where it is not, as in a directory that was filled from an export of
// another one. A row whose id is one resource and whose name is another is
// nobody's: where ids are small numbers, another directory has the same ones.
func (s *sought) settle(n *memberNames) (id string, fault *unsettled) {
	what := strings.ToLower(n.resource)
	switch {
	case s.there && (s.hits == 0 || s.found == s.id):
		return s.id, nil
	case s.there:
		return "", &unsettled{ClassConflict, fmt.Sprintf("%s_id %s is not the %s %q, which is in the directory too: leave one of the two cells empty", what, s.id, what, s.name)}
	case s.hits == 1:
		return s.found, nil
	case s.hits > 1:
		return "", &unsettled{ClassConflict, fmt.Sprintf("%d %ss of the directory have the %s %q: say which in a column %s_id", s.hits, what, n.by, s.name, what)}
	}
	class := ClassReference
	if n.resource == "Group" {
		class = classMissing
	}
	if s.name == "" {
		return "", &unsettled{class, fmt.Sprintf("the directory has no %s with the id %s", what, s.id)}
	}
	return "", &unsettled{class, fmt.Sprintf("the directory has no %s with the %s %q", what, n.by, s.name)}
}

const classMissing = "missing"

// unresolved notes the names that have no id.
func (n *memberNames) unresolved(u *Unresolved) {
	for _, s := range n.list {
		if s != nil {
			u.add(fmt.Sprintf("%s %q", strings.ToLower(n.resource), cmp.Or(s.name, s.id)))
		}
	}
}

// makeRoom grows a full table to the rows that are to be expected, of an input
// of which so many bytes of all were read for those that it holds. Growing by
// the usual quarter, large tables would lie in memory more than twice.
func (t *memberTable) makeRoom(read, size int64) {
	n := len(t.rows)
	if n < cap(t.rows) {
		return
	}
	expected := 0
	if read > 0 {
		expected = int(float64(n) / float64(read) * float64(size) * 1.1) // reading is ahead by a buffer
	}
	t.rows = slices.Grow(t.rows, min(max(expected-n, n/4, 1000), 31*n+1000)) // the first rows may mislead
}

// add takes a row over.
func (t *memberTable) add(row *rows.Row, c *memberColumns) (*memberRow, error) {
	at, err := t.spool.add(row)
	if err != nil {
		return nil, err
	}
	if row.Line > math.MaxUint32 {
		return nil, fmt.Errorf("line %d: the file is too long", row.Line)
	}
	m := memberRow{at: at, line: uint32(row.Line)}
	if says, err := c.read(row); err != nil {
		m.fate = isFaulty
	} else {
		m.remove = says.op == removeMember
		m.group, m.user = t.groups.number(says.group, says.groupID), t.users.number(says.user, says.userID)
	}
	t.rows = append(t.rows, m)
	return &m, nil
}

// place puts ids in the place of names. It returns the number of rows that have
// a name without an id.
func (t *memberTable) place() (nameless int64) {
	t.groups.settle()
	t.users.settle()
	for i := range t.rows {
		r := &t.rows[i]
		switch {
		case r.fate != toCarryOut:
		case t.groups.ids[r.group] == "" || t.users.ids[r.user] == "":
			r.fate = isNameless
			nameless++
		default:
			r.group, r.user = t.groups.first[r.group], t.users.first[r.user]
		}
	}
	return nameless
}

// judge finds the rows of one group and user, and says by the policy which of
// them count. It returns how many rows share their pair.
func (t *memberTable) judge(policy string) (shared int64) {
	slices.SortFunc(t.rows, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(a.fate, b.fate), cmp.Compare(a.group, b.group), cmp.Compare(a.user, b.user), cmp.Compare(a.line, b.line))
	})
	carried := t.rows[:len(t.rows)-countRefused(t.rows)]
	for start, i := 0, 1; i <= len(carried); i++ {
		if i < len(carried) && carried[i].group == carried[start].group && carried[i].user == carried[start].user {
			continue
		}
		if pair := carried[start:i]; len(pair) > 1 {
			shared += int64(len(pair))
			t.judgePair(pair, policy)
		}
		start = i
	}
	t.sort()
	return shared
}

func countRefused(rows []memberRow) (n int) {
	for i := range rows {
		if rows[i].fate != toCarryOut {
			n++
		}
	}
	return n
}

// judgePair judges the rows of one group and user, which come in file order.
// The same action twice in a row is done once: people paste lines twice.
func (t *memberTable) judgePair(pair []memberRow, policy string) {
	if t.twin == nil {
		t.twin = map[uint32]uint32{}
	}
	last, turn := -1, 0
	for i := range pair {
		r := &pair[i]
		switch {
		case policy == DuplicateRejectAll:
			r.fate = hasTwins
			if i > 0 {
				t.twin[r.line] = pair[0].line
			}
			continue
		case last >= 0 && pair[last].remove == r.remove:
			r.fate, t.twin[r.line] = isRepeated, pair[last].line
			continue
		case last >= 0 && policy != DuplicateApply || turn > math.MaxUint16:
			r.fate, t.twin[r.line] = isTwin, pair[last].line
			continue
		}
		r.turn = uint16(turn)
		turn++
		last = i
	}
}

// sort puts the rows that are not carried out aside, and the others in order.
func (t *memberTable) sort() {
	slices.SortFunc(t.rows, func(a, b memberRow) int {
		if (a.fate == toCarryOut) != (b.fate == toCarryOut) {
			return cmp.Compare(a.fate, b.fate)
		}
		if a.fate != toCarryOut {
			return cmp.Compare(a.line, b.line)
		}
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.turn, b.turn), cmp.Compare(a.line, b.line))
	})
	n := len(t.rows) - countRefused(t.rows)
	t.rows, t.refused = t.rows[:n], t.rows[n:]
}

// rejects counts the rows that are known to be rejected.
func (t *memberTable) rejects() (n int64) {
	for i := range t.refused {
		if t.refused[i].fate != isRepeated {
			n++
		}
	}
	return n
}

// refusal is the result of a row whose outcome was known before the first
// write.
func (t *memberTable) refusal(m *memberRow, c *memberColumns) (*Result, error) {
	row, err := t.spool.row(m.at)
	if err != nil {
		return nil, err
	}
	says, fault := c.read(row)
	result := &Result{Row: row, Key: says.key(), Op: m.op(), Outcome: Rejected, Class: ClassDuplicate}
	twin := t.twin[m.line]
	switch m.fate {
	case isFaulty:
		return faulty(row, says.key(), fault), nil
	case isNameless:
		why := t.whyNameless(m)
		result.Class, result.Detail = why.class, why.why
	case isRepeated:
		result.Outcome, result.Class = Skipped, ""
		result.Detail = fmt.Sprintf("line %d asks for the same", twin)
	case isTwin:
		result.Detail = fmt.Sprintf("line %d has the same group and user and comes first (--on-duplicate apply carries all of them out)", twin)
	case hasTwins:
		result.Detail = "another row below has the same group and user, and with --on-duplicate reject-all none of them counts"
		if twin > 0 {
			result.Detail = fmt.Sprintf("line %d has the same group and user, and with --on-duplicate reject-all none of them counts", twin)
		}
	}
	result.decline()
	return result, nil
}

func (t *memberTable) whyNameless(m *memberRow) *unsettled {
	if s := t.groups.list[m.group]; s != nil {
		_, why := s.settle(t.groups)
		return why
	}
	_, why := t.users.list[m.user].settle(t.users)
	return why
}

// decline makes the change of a result that sends nothing say so.
func (r *Result) decline() {
	r.Change = plan.Change{Action: plan.ActReject, Class: r.Class, Reason: r.Detail}
	if r.Outcome == Skipped {
		r.Change.Action = plan.ActSkip
	}
}
