package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// A row may name the groups that its person is to be in. That is written at the
// groups, when all rows have had their own steps and everybody has an id: the
// people of many rows travel in one PATCH. A row that has something to join or
// to leave has its one outcome after that; the others have theirs at once, for
// who is in which group is read before the first write.

// joinWish is what a row says of the groups of its person.
type joinWish struct {
	groups  []string // ids
	replace bool     // the person is to be in no other group
	unsure  bool     // some names are those of no group
}

// joinRun carries out what rows say of groups.
type joinRun struct {
	*memberRun
	groups []*joinedGroup
	byID   map[string]*joinedGroup
	// doubted are memberships that an earlier session may have brought about, as
	// the log keeps them, and whether they were brought about or ended.
	doubted map[uint64]bool

	mu    sync.Mutex
	spool *rowSpool // of rows that wait for their memberships
	notes []string  // what is said of memberships; they hold its number
	noted map[string]uint32
}

// joinedGroup is a group that rows name, or that people may have to leave.
type joinedGroup struct {
	number   uint32
	id, name string
	have     memberSet // nil where the directory does not show it
	fault    string    // why it cannot be read
	asked    map[string]joinAsked
}

// joinAsked is what the rows so far have asked for, of somebody who has several.
type joinAsked struct {
	in    bool
	turns uint16
}

// newJoinRun reads who is in the groups that rows name; nil where they name
// none. An error stops the run before its first write.
func (r *run) newJoinRun(ctx context.Context) (*joinRun, error) {
	named, replaced := r.Mapping.Memberships()
	if !named {
		return nil, nil
	}
	j := &joinRun{memberRun: newMemberRun(r), byID: map[string]*joinedGroup{}, noted: map[string]uint32{}, doubted: map[uint64]bool{}}
	j.book = j
	var err error
	if j.spool, err = newRowSpool(); err != nil {
		return nil, err
	}
	r.atEnd(func() { _ = j.spool.close() }) // nobody misses it
	groups, err := r.survey.references.named("Group")
	if err != nil {
		return nil, err
	}
	for id, name := range groups {
		j.add(id, name)
	}
	if r.Profile.HidesMembers {
		j.shown.Store(membersHidden)
	} else if err := j.readGroups(ctx, replaced); err != nil {
		return nil, fmt.Errorf("reading who is in the groups that rows name: %w", err)
	}
	j.number()
	j.recall()
	return j, nil
}

func (j *joinRun) add(id, name string) *joinedGroup {
	g := &joinedGroup{id: id, name: name}
	j.groups, j.byID[id] = append(j.groups, g), g
	return g
}

// number puts the groups in the order of their names, so that a plan is the same
// every time.
func (j *joinRun) number() {
	slices.SortFunc(j.groups, func(a, b *joinedGroup) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	})
	for i, g := range j.groups {
		g.number = uint32(i)
	}
}

// sendJoins carries out what rows say of groups, unless nothing is to be sent.
func (r *run) sendJoins(ctx context.Context) error {
	if r.joins == nil || r.DryRun || len(r.joins.rows) == 0 {
		return nil
	}
	r.recorded() // of the steps of a row the log keeps the first one, which must be what the row itself has come to
	return r.joins.carryOut(ctx)
}

// endJoins announces, in a dry run, the requests that the groups would take, and
// says what was learned of the directory.
func (r *run) endJoins(ctx context.Context) error {
	if r.joins == nil || len(r.joins.rows) == 0 {
		return nil
	}
	defer r.joins.warn()
	if r.DryRun && ctx.Err() == nil {
		return r.joins.carryOut(ctx)
	}
	return nil
}

// carryOut sends what was taken down, group by group, and gives the rows that
// waited for it their outcome.
func (j *joinRun) carryOut(ctx context.Context) error {
	if len(j.rows) == 0 {
		return nil
	}
	if err := j.spool.flush(); err != nil {
		return err
	}
	slices.SortFunc(j.rows, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.turn, b.turn), cmp.Compare(a.line, b.line))
	})
	err := j.carryOutGroups(ctx)
	if err != nil || j.DryRun {
		return err
	}
	return j.finish()
}
