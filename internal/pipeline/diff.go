package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// What became of a resource from one state of a directory to another.
const (
	Went    = "went"
	Changed = "changed"
	Came    = "came"
)

// What the change set of a comparison does with those who went.
const (
	WentDelete     = "delete"
	WentDeactivate = "deactivate"
	WentKeep       = "keep"
)

// Comparison finds what differs between two states of a directory. Resources
// are the same where their ids are, else where the match attribute is. They lie
// in temporary files; memory does not grow with their number.
type Comparison struct {
	Rules    plan.Rules
	Old, New *State
	Match    *scim.Target // one value, no filter; nil for memberships
	ByKey    bool         // by the match attribute alone, whatever the ids are
	// AllAttributes compares what only one state holds too: nobody had it, and
	// it was not left out of a file.
	AllAttributes bool
	Only, But     []scim.Path // compare these alone; all but these
	Went          string      // default delete
	Meter         *Meter

	atOnce int64 // entries of an index in memory; 0 is heldAtOnce
}

// Delta is a resource that is not the same in both states. It belongs to emit
// until emit returns.
type Delta struct {
	Kind             string
	Key, NewKey      string // Key is that of the old state where there is one
	ID, NewID        string
	OldLine, NewLine int64 // 0 where the state is no file
	Differences      []plan.Difference
	// Change makes the old state the new one. Its action is reject where the
	// provider cannot do that, skip where it is not wanted.
	Change plan.Change
	// Seen are the hashes of what the old state held, as in a plan file.
	Seen    map[string]string
	Members []string // group, user, group id and user id of a membership
}

// Compared is what a comparison came to.
type Compared struct {
	Came, Went, Changed, Unchanged int64
	Reborn                         int64    // the same by the match attribute, with another id
	Left                           []string // attributes that only one of the states holds, not compared
	Notes                          []string
}

// Differ says whether the states are not the same.
func (c *Compared) Differ() bool { return c.Came+c.Went+c.Changed > 0 }

// comparison is a Comparison under way.
type comparison struct {
	*Comparison
	seed  maphash.Seed
	parts []plan.Part
	taken []bool // of the parts: both states hold them
	names []string
	path  scim.Path
	leaf  *scim.Attribute
	out   Compared
	emit  func(*Delta) error
}

// Run reads both states and hands each difference to emit: who went, what
// changed, who came, each in the order of its file. A state that cannot be read
// whole is an error: its gaps would look like people who went.
func (c *Comparison) Run(ctx context.Context, emit func(*Delta) error) (*Compared, error) {
	if c.atOnce == 0 {
		c.atOnce = heldAtOnce
	}
	x := &comparison{Comparison: c, seed: maphash.MakeSeed(), emit: emit}
	if c.Match != nil {
		x.parts, x.path, x.leaf = c.Rules.Parts(), c.Match.Path, c.Match.Leaf()
	}
	for _, s := range []*State{c.Old, c.New} {
		defer s.close()
		if err := x.load(ctx, s); err != nil {
			return nil, err
		}
	}
	x.choose()
	couples, err := x.match()
	if err != nil {
		return nil, err
	}
	defer couples.close()
	c.Meter.Phase.Store(PhaseRun)
	c.Meter.Total.Store(couples.n)
	c.Meter.Done.Store(0)
	return &x.out, x.walk(couples, func(pair couple) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.Meter.Done.Add(1)
		return x.judge(pair)
	})
}

// choose settles by which parts the states are compared.
func (x *comparison) choose() {
	x.taken = make([]bool, len(x.parts))
	for i := range x.parts {
		p := &x.parts[i]
		if !x.wanted(p) {
			continue
		}
		inOld, inNew := x.Old.held[i], x.New.held[i]
		switch {
		case !inOld && !inNew:
		case inOld && inNew, p.Verifiable() && (x.AllAttributes || !inOld && x.Old.Whole || !inNew && x.New.Whole):
			x.taken[i] = true
			x.names = append(x.names, p.Name())
		default:
			x.out.Left = append(x.out.Left, p.Name())
		}
	}
}

func (x *comparison) wanted(p *plan.Part) bool {
	for _, path := range x.But {
		if p.Within(path) {
			return false
		}
	}
	for _, path := range x.Only {
		if p.Within(path) {
			return true
		}
	}
	return len(x.Only) == 0
}

// judge compares two resources that belong together, or tells of one that has
// no partner.
func (x *comparison) judge(pair couple) error {
	before, err := x.Old.at(pair.old)
	if err != nil {
		return err
	}
	after, err := x.New.at(pair.new)
	if err != nil {
		return err
	}
	if before != nil && after != nil && !x.same(before, after) { // two hashes that are the same by chance
		if err := x.tell(before, nil); err != nil {
			return err
		}
		before = nil
	}
	return x.tell(before, after)
}

// same makes sure of what the hashes say.
func (x *comparison) same(before, after *rows.Row) bool {
	if !x.ByKey && before.Cells[cellID] != "" && before.Cells[cellID] == after.Cells[cellID] {
		return true
	}
	return before.Cells[cellFold] == after.Cells[cellFold]
}

// tell counts and emits what became of a resource.
func (x *comparison) tell(before, after *rows.Row) error {
	d := &Delta{}
	d.see(before, after)
	switch {
	case before == nil:
		d.Kind = Came
		x.out.Came++
	case after == nil:
		d.Kind = Went
		x.out.Went++
	default:
		d.Kind = Changed
		if d.ID != "" && d.NewID != "" && d.ID != d.NewID {
			x.out.Reborn++
		}
		if bytes.Equal(before.Object, after.Object) {
			x.out.Unchanged++
			return nil
		}
	}
	if len(d.Members) == 0 {
		if err := x.compare(d, before, after); err != nil {
			return err
		}
	}
	switch {
	case d.Kind == Changed && d.Change.Action == plan.ActNothing:
		x.out.Unchanged++
		return nil
	case d.Kind == Changed:
		x.out.Changed++
	}
	return x.emit(d)
}

// see notes who a difference is of.
func (d *Delta) see(before, after *rows.Row) {
	if after != nil {
		d.Key, d.NewKey, d.ID, d.NewID = after.Cells[cellKey], after.Cells[cellKey], after.Cells[cellID], after.Cells[cellID]
		d.NewLine, d.Members = after.Line, after.Cells[cellMembers:]
	}
	if before != nil {
		d.Key, d.ID = before.Cells[cellKey], before.Cells[cellID]
		d.OldLine, d.Members = before.Line, before.Cells[cellMembers:]
	}
}

// compare fills in what differs, and the change that makes one state the other.
func (x *comparison) compare(d *Delta, before, after *rows.Row) (err error) {
	var have *plan.Current
	var want scim.Object
	if before != nil {
		have = &plan.Current{ID: before.Cells[cellID], Version: before.Cells[cellVersion]}
		if have.Object, err = scim.DecodeObject(before.Object); err != nil {
			return err
		}
	}
	if after != nil {
		if want, err = scim.DecodeObject(after.Object); err != nil {
			return err
		}
	}
	if have != nil && want != nil {
		x.carry(have.Object, want)
	}
	d.Change = x.change(have, want)
	d.Differences = d.Change.Differences
	switch d.Kind {
	case Came:
		d.Differences = x.Rules.Holdings(want)
	case Went:
		d.Differences = x.Rules.Holdings(have.Object)
	}
	if have != nil {
		d.Seen = x.seen(have.Object)
	}
	return nil
}

// carry takes what is not compared from the old state.
func (x *comparison) carry(have, want scim.Object) {
	for i := range x.parts {
		if !x.taken[i] {
			x.parts[i].Carry(have, want)
		}
	}
}

func (x *comparison) change(have *plan.Current, want scim.Object) plan.Change {
	if want != nil || x.Went == WentDelete || x.Went == "" {
		return x.Rules.Between(have, want)
	}
	if x.Went == WentKeep {
		return plan.Change{Action: plan.ActSkip, Reason: "who went is kept"}
	}
	return x.Rules.Decide(plan.Wish{Op: plan.Deactivate}, have)
}

// seen are hashes of what was compared. Members are not among them: servers
// show more of them than their ids, and a change of them says which it needs.
func (x *comparison) seen(o scim.Object) map[string]string {
	all := x.Rules.FingerprintOf(o, x.names)
	seen := make(map[string]string, len(x.names))
	for _, name := range x.names {
		if print, ok := all[name]; ok && name != "members" {
			seen[name] = print
		}
	}
	return seen
}

// keyOf is the value by which a resource is matched, as it stands and folded.
func (x *comparison) keyOf(o scim.Object) (key, fold string) {
	switch v := valueAt(o, x.path).(type) {
	case string:
		key = v
	case scim.Number:
		key = string(v)
	}
	return key, mapping.Fold(x.leaf, key)
}

func (c *Comparison) matchName() string {
	if c.Match == nil {
		return "group and user"
	}
	return c.Match.Path.Short()
}

// note keeps a remark for whoever reads the comparison.
func (x *comparison) note(format string, args ...any) {
	x.out.Notes = append(x.out.Notes, fmt.Sprintf(format, args...))
}
