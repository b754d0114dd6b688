package pipeline

import (
	"fmt"
	"strings"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// How a row bears a reference to what is not there.
const (
	missingReject = "reject"
	missingKeep   = "keep"
)

// refName is a resource by one of its names.
type refName struct{ resource, by, fold string }

// reference is a resource that rows refer to.
type reference struct {
	refName
	name   string // as it was first written
	column string // and where
	row    int64  // line of the first row that is this resource, 0 when the file does not hold it
	id     string // "" while it is not known
	absent string // why there is no id, "" while there may be one
	cause  string // what is missing at the beginning of a chain of rejected rows
	first  int64  // and the first row of that chain
	needed []uint32
	known  bool    // id or absent were settled before the first write
	waits  []*task // rows that go on once the row of the reference is done
}

// open says that a row has still to show what becomes of the resource.
func (e *reference) open() bool { return e.id == "" && e.absent == "" }

// references are all resources that the rows of an input refer to. They are
// collected by the survey, resolved before the first write, and completed while
// rows are carried out; from then on they are safe for concurrent use.
type references struct {
	mu       sync.Mutex
	resource string // of the rows
	byName   map[refName]*reference
	byRow    map[int64][]*reference
	indexes  map[string]*duplicates // rows by attributes other than the match attribute
	attrs    map[refName]*scim.Attribute
	open     bool              // some resource is neither there before the first write nor known to be absent
	rejected map[int64]string  // lines of rows that must not be carried out, and why
	names    map[string]string // what ids stand for
}

// newReferences prepares for the references that a mapping can make; nil when
// there are none.
func newReferences(m *mapping.Mapping, schema *scim.ResourceSchema) *references {
	refs := m.References()
	if len(refs) == 0 {
		return nil
	}
	r := &references{
		byName: map[refName]*reference{}, byRow: map[int64][]*reference{}, indexes: map[string]*duplicates{},
		attrs: map[refName]*scim.Attribute{}, resource: m.Resource(), rejected: map[int64]string{}, names: map[string]string{},
	}
	for _, ref := range refs {
		r.attrs[refName{resource: ref.Resource, by: ref.By}] = leafAt(ref.Resource, ref.By, schema)
		if ref.Resource == m.Resource() && ref.By != m.Match() {
			r.indexes[ref.By] = newDuplicates()
		}
	}
	return r
}

// leafAt is the definition of the attribute by which resources are named.
func leafAt(resource, by string, schema *scim.ResourceSchema) *scim.Attribute {
	if schema == nil || schema.Resource != resource {
		schema = scim.Builtin(resource)
	}
	path, err := scim.ParsePath(by)
	if err != nil {
		return &scim.Attribute{}
	}
	target, err := schema.Resolve(path)
	if err != nil {
		return &scim.Attribute{}
	}
	return target.Leaf()
}

func (r *references) nameOf(ref *mapping.Ref, name string) refName {
	key := refName{resource: ref.Resource, by: ref.By}
	key.fold = mapping.Fold(r.attrs[key], name)
	return key
}

// collect notes what a row refers to, and under which names it can be referred
// to itself.
func (r *references) collect(t *task) {
	for i := range t.record.Refs {
		ref := &t.record.Refs[i]
		for _, name := range ref.Names {
			e := r.enter(ref, name)
			if ref.OnMissing == missingReject {
				e.needed = append(e.needed, uint32(t.row.Line))
			}
		}
	}
	for by, index := range r.indexes {
		for i := range t.record.Assignments {
			a := &t.record.Assignments[i]
			if value, ok := a.Value.(string); ok && a.Target.Path.String() == by {
				index.add(mapping.Fold(a.Target.Leaf(), value), t.row.Line)
			}
		}
	}
}

func (r *references) enter(ref *mapping.Ref, name string) *reference {
	key := r.nameOf(ref, name)
	e := r.byName[key]
	if e == nil {
		e = &reference{refName: key, name: name, column: ref.Column}
		r.byName[key] = e
	}
	return e
}

// place finds the rows that are the resources referred to. keys is the index of
// the match attribute, before its duplicates are found.
func (r *references) place(keys *duplicates, resource, match string) {
	for key, e := range r.byName {
		switch {
		case key.resource != resource:
		case key.by == match:
			keys.want(key.fold, &e.row)
		default:
			r.indexes[key.by].want(key.fold, &e.row)
		}
	}
	for _, index := range r.indexes {
		index.find()
		index.twins = nil
	}
	r.indexes = nil
}

// settlePlaces takes the places over once all indexes have been searched.
func (r *references) settlePlaces() {
	for _, e := range r.byName {
		if e.row > 0 {
			r.byRow[e.row] = append(r.byRow[e.row], e)
		}
	}
}

// rejectDependents rejects the rows that cannot do without what is neither in
// the directory nor in the file, and those that cannot do without them.
func (r *references) rejectDependents() {
	var missing []*reference
	for _, e := range r.byName {
		if e.id == "" && e.row == 0 {
			if e.absent == "" {
				e.absent = r.nowhere(e)
			}
			e.cause = e.absent
			missing = append(missing, e)
		}
	}
	for len(missing) > 0 {
		e := missing[0]
		missing = missing[1:]
		for _, line := range e.needed {
			missing = append(missing, r.reject(int64(line), e)...)
		}
	}
}

// nowhere says that a resource is not to be found where it can be.
func (r *references) nowhere(e *reference) string {
	if e.resource != r.resource {
		return fmt.Sprintf("the directory has no %s with the %s %q", strings.ToLower(e.resource), e.by, e.name)
	}
	return fmt.Sprintf("%s %q is neither in the directory nor in the file", e.column, e.name)
}

// named are the resources of a type that rows refer to, by their ids, with one
// of their names.
func (r *references) named(resource string) map[string]string {
	names := map[string]string{}
	for _, e := range r.byName {
		if name, known := names[e.id]; e.resource == resource && e.id != "" && (!known || e.name < name) {
			names[e.id] = e.name
		}
	}
	return names
}

// reject marks a row that cannot do without a reference, and returns the
// references that die with it. Their reasons name the row itself and the
// beginning of the chain, but nothing between, so that a long chain of managers
// can be read, and is not held once for each of its rows.
func (r *references) reject(line int64, lack *reference) []*reference {
	if _, known := r.rejected[line]; known {
		return nil
	}
	r.rejected[line] = lack.absent
	var dead []*reference
	for _, e := range r.byRow[line] {
		if e.id != "" || e.absent != "" {
			continue
		}
		e.first, e.cause = lack.first, lack.cause
		why := fmt.Sprintf("is rejected because line %d is", e.first)
		if e.first == 0 {
			e.first, why = line, "is rejected"
		}
		e.absent = fmt.Sprintf("line %d, which %s %q names, %s: %s", line, e.column, e.name, why, e.cause)
		dead = append(dead, e)
	}
	return dead
}

// rejection is the result of a row that cannot do without what is missing, nil
// for all others.
func (r *references) rejection(t *task) *Result {
	if r == nil || t.op == plan.Delete || t.op == plan.Deactivate {
		return nil
	}
	why, rejected := r.rejected[t.row.Line]
	if !rejected {
		return nil
	}
	return &Result{
		Row: t.row, Key: t.record.Key, Op: t.op, Outcome: Rejected, Class: ClassReference, Detail: why,
		Change: plan.Change{Action: plan.ActReject, Class: ClassReference, Reason: why},
	}
}

// publish says what became of a row that others may refer to: id is "" when it
// is not there. It returns the rows that waited for it.
func (r *references) publish(line int64, id, why string) []*task {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var released []*task
	for _, e := range r.byRow[line] {
		if e.id == "" && id != "" {
			e.id, e.absent = id, ""
			r.names[id] = e.name
		}
		if e.id == "" && e.absent == "" {
			e.absent = fmt.Sprintf("line %d, which %s %q names, %s", line, e.column, e.name, why)
		}
		released = append(released, e.waits...)
		e.waits = nil
	}
	return released
}

// binding is what the references of a row come to.
type binding struct {
	assignments []scim.Assignment
	deferred    bool     // some resource comes later in the file: a second step sets it
	left        []string // references that were left out, and why
	reject      string   // why the row cannot be carried out
	joins       *joinWish
}

// bind turns the references of a row into ids. A row that needs an earlier one
// which is still in hand waits, and bind says so. With all set, nothing waits
// and nothing is deferred: what has no id by then has none.
func (r *references) bind(t *task, all bool) (b binding, waiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range t.record.Refs {
		ref := &t.record.Refs[i]
		entries := make([]*reference, len(ref.Names))
		later := false
		for j, name := range ref.Names {
			e := r.enter(ref, name)
			entries[j] = e
			switch {
			case all:
			case t.shared && r.mustWait(ref, t):
				later = true // or a row that has to wait would have the last word
			case e.known:
			case e.row >= t.row.Line || t.shared:
				later = true // even if it is there by now: a plan must come to the same
			case e.open():
				e.waits = append(e.waits, t)
				return binding{}, true
			}
		}
		if later {
			b.deferred = true
			continue
		}
		b.add(ref, entries)
	}
	return b, false
}

// mustWait says whether all rows that share their key set a reference in their
// second step, one after the other: because some of what rows refer to is still
// to be made, or because an earlier session has left some second steps undone.
func (r *references) mustWait(ref *mapping.Ref, t *task) bool {
	return ref.Resource == r.resource && (r.open || t.begun)
}

// add makes an assignment of a reference whose resources are known or known to
// be absent.
func (b *binding) add(ref *mapping.Ref, entries []*reference) {
	var ids []string
	for j, e := range entries {
		switch {
		case e.id != "":
			ids = append(ids, e.id)
		case ref.OnMissing == missingKeep:
			ids = append(ids, ref.Names[j])
		case ref.OnMissing == missingReject:
			b.reject = e.absent
		default:
			b.left = append(b.left, fmt.Sprintf("%s left out: %s", ref.Target.Path.Short(), e.absent))
		}
	}
	if ref.Memberships {
		b.joins = &joinWish{groups: ids, replace: ref.Mode == scim.ReplaceAll, unsure: len(ids) < len(entries)}
		return
	}
	if len(ids) == 0 {
		return
	}
	a := scim.Assignment{Target: ref.Target, Mode: ref.Mode, Value: ids[0]}
	if ref.Target.List() {
		list := make([]any, len(ids))
		for j, id := range ids {
			list[j] = scim.Object{"value": id}
		}
		a.Value = list
	}
	b.assignments = append(b.assignments, a)
}
