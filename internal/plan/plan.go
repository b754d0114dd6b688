// Package plan decides, without I/O, what one row changes in the directory: the
// dry run shows its decisions and the run carries them out. Reading rows,
// looking resources up and sending requests it leaves to others.
package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// Op is what a row asks for.
type Op string

// The operations of a row.
const (
	Upsert     Op = "upsert"
	Create     Op = "create"
	Patch      Op = "patch"
	Replace    Op = "replace"
	Delete     Op = "delete"
	Deactivate Op = "deactivate"
)

// Ops lists the operations.
func Ops() []string {
	return []string{string(Upsert), string(Create), string(Patch), string(Replace), string(Delete), string(Deactivate)}
}

// ParseOp reads an operation, whatever its case and surrounding space.
func ParseOp(s string) (Op, error) {
	op := strings.ToLower(strings.TrimSpace(s))
	if slices.Contains(Ops(), op) {
		return Op(op), nil
	}
	return "", fmt.Errorf("unknown operation %q: use one of %s", s, strings.Join(Ops(), ", "))
}

// Action is what a decision does to the directory.
type Action string

// The actions. The first five send a write.
const (
	ActCreate     Action = "create"
	ActUpdate     Action = "update"
	ActReplace    Action = "replace"
	ActDelete     Action = "delete"
	ActDeactivate Action = "deactivate"
	ActNothing    Action = "unchanged"
	ActSkip       Action = "skip"
	ActReject     Action = "reject"
)

// Writes says whether the action sends a request that changes the directory.
func (a Action) Writes() bool {
	return a != ActNothing && a != ActSkip && a != ActReject
}

// Wish is what a row asks of one resource.
type Wish struct {
	Op          Op
	Assignments []scim.Assignment
}

// Current is a resource as the directory holds it.
type Current struct {
	ID, Version string
	Object      scim.Object
	Attributes  []string // those that were read; none for all of them
}

// Difference is one attribute that a change gives another value. Old and New
// are nil where there is no value.
type Difference struct {
	Path     string // short form
	Old, New any
	Secret   bool // the values are not to be shown
}

// Change is the decision on one row.
type Change struct {
	Action      Action
	ID, Version string // of the resource that is there
	Differences []Difference
	Body        scim.Object           // what create and replace send
	Patch       []scim.PatchOperation // what update and deactivate send
	After       scim.Object           // the resource as the change leaves it, nil where it is gone
	Class       string                // reject class
	Reason      string                // why nothing is sent, for skip and reject
}

// Policies of a run.
const (
	ExistingUpdate = "update" // what create does with a resource that is there
	ExistingSkip   = "skip"
	ExistingReject = "reject"
	UnmappedKeep   = "keep" // what replace does with attributes that no row names
	UnmappedClear  = "clear"
)

// Rules are what every decision of a run has in common. A Rules value is safe
// for concurrent use.
type Rules struct {
	Schema     *scim.ResourceSchema
	OnExisting string // default reject
	Unmapped   string // default keep
	NoPatch    bool   // the directory has no PATCH: updates are sent as replacements
	NoCreate   string // why nothing can be created, "" where it can
	NoDelete   string // why nothing can be deleted, "" where it can
	Explain    bool   // creates list what they set: somebody will read it

	// Whom one of the filters of Protected selects is neither deleted nor turned
	// inactive, nor is Self, the account that the requests are made with: its id,
	// or "" where nobody knows it.
	Protected []scim.Filter
	Self      string
}

// Decide compares a wish with what is there (nil: nothing) and says what to
// send. The same wish and the same resource always give the same change.
func (r *Rules) Decide(w Wish, have *Current) Change {
	if have == nil {
		return r.decideAbsent(w)
	}
	c := r.guard(r.decidePresent(w, have), have)
	c.ID, c.Version = have.ID, have.Version
	return c
}

func (r *Rules) decideAbsent(w Wish) Change {
	switch w.Op {
	case Upsert, Create:
		if r.NoCreate != "" {
			return reject("permission", r.NoCreate)
		}
		return r.create(w)
	case Delete:
		return Change{Action: ActSkip, Reason: "it is not in the directory"}
	}
	return reject("missing", fmt.Sprintf("%s needs a %s that is in the directory, and there is none with this key", w.Op, r.Schema.Resource))
}

func (r *Rules) decidePresent(w Wish, have *Current) Change {
	switch w.Op {
	case Delete:
		if r.NoDelete != "" {
			return reject("permission", r.NoDelete)
		}
		return Change{Action: ActDelete}
	case Deactivate:
		return r.deactivate(have)
	case Replace:
		return r.replace(w, have)
	case Create:
		switch r.OnExisting {
		case ExistingSkip:
			return Change{Action: ActSkip, Reason: "it is in the directory already"}
		case ExistingUpdate:
		default:
			return reject("exists", "it is in the directory already (--op upsert or --on-existing update changes it, --on-existing skip leaves it)")
		}
	}
	return r.update(w, have, ActUpdate)
}

func reject(class, reason string) Change {
	return Change{Action: ActReject, Class: class, Reason: reason}
}

func (r *Rules) create(w Wish) Change {
	body, err := build(w.Assignments)
	if err != nil {
		return reject("data", err.Error())
	}
	for i := range r.Schema.Core.Attributes {
		attr := &r.Schema.Core.Attributes[i]
		if attr.Required && !attr.ReadOnly() && scim.Unassigned(body[attr.Name]) {
			return reject("data", fmt.Sprintf("a %s cannot be created without %s", r.Schema.Resource, attr.Name))
		}
	}
	prune(body)
	r.setSchemas(body, nil)
	c := Change{Action: ActCreate, Body: body, After: r.born(body)}
	if r.Explain {
		_, c.Differences = r.diff(scim.Object{}, body)
	}
	return c
}

// born is what a directory makes of the body of a create, as far as it can be
// foreseen: people are active unless somebody says otherwise.
func (r *Rules) born(body scim.Object) scim.Object {
	active := r.Schema.Core.Attribute("active")
	if active == nil || !scim.Unassigned(body[active.Name]) {
		return body
	}
	after := maps.Clone(body)
	after[active.Name] = true
	return after
}

// update merges the wish into what is there. Values that cannot be read back
// (passwords) are no difference, so that a run repeated sends nothing, unless
// the row asks for a patch in so many words.
func (r *Rules) update(w Wish, have *Current, action Action) Change {
	after := scim.Clone(have.Object).(scim.Object)
	if err := merge(after, verifiable(w)); err != nil {
		return reject("data", err.Error())
	}
	ops, differences := r.diff(have.Object, after)
	if len(ops) == 0 {
		return Change{Action: ActNothing}
	}
	c := Change{Action: action, Patch: ops, Differences: differences, After: after}
	if r.NoPatch {
		c.Patch, c.Body = nil, r.body(after)
	}
	return c
}

func verifiable(w Wish) []scim.Assignment {
	if w.Op == Patch {
		return w.Assignments
	}
	return slices.DeleteFunc(slices.Clone(w.Assignments), func(a scim.Assignment) bool {
		return !a.Target.Leaf().Verifiable()
	})
}

func (r *Rules) deactivate(have *Current) Change {
	active := r.Schema.Core.Attribute("active")
	if active == nil {
		return reject("data", fmt.Sprintf("a %s has no active attribute, so that it cannot be deactivated", r.Schema.Resource))
	}
	target := &scim.Target{Path: scim.Path{Attr: active.Name}, Attr: active}
	off := Wish{Op: Deactivate, Assignments: []scim.Assignment{{Target: target, Value: false}}}
	return r.update(off, have, ActDeactivate)
}

func (r *Rules) replace(w Wish, have *Current) Change {
	after := scim.Object{}
	if r.Unmapped != UnmappedClear {
		after = scim.Clone(have.Object).(scim.Object)
	} else if _, active, ok := scim.Member(have.Object, "active"); ok {
		after["active"] = active // nobody is turned off, or on, by not being mentioned
	}
	if err := merge(after, w.Assignments); err != nil {
		return reject("data", err.Error())
	}
	ops, differences := r.diff(r.writable(have.Object), r.writable(after))
	if len(ops) == 0 {
		return Change{Action: ActNothing}
	}
	return Change{Action: ActReplace, Body: r.body(after), Differences: differences, After: after}
}
