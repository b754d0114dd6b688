package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// What counts as drift: a change that somebody else has made to a resource
// since a change of it was planned.
const (
	DriftAny     = "any"     // to any attribute
	DriftPlanned = "planned" // to one that the plan changes too
)

// DecidePlanned decides whether a planned change can still be carried out on
// what is there (nil: nothing): it sends what was reviewed, or nothing where
// that stands already or where the resource has drifted.
func (r *Rules) DecidePlanned(l *Line, have *Current, drift string) Change {
	if len(l.Withheld) > 0 {
		return reject("data", fmt.Sprintf("the plan withholds %s, without which the change cannot be carried out (plan again with --include-secrets, or import the file)",
			strings.Join(l.Withheld, " and ")))
	}
	switch {
	case have == nil && l.Op == ActCreate:
		return r.plannedCreate(l)
	case have == nil && l.Op == ActDelete:
		return Change{Action: ActSkip, Reason: "it is not in the directory any more"}
	case have == nil:
		return reject("conflict", fmt.Sprintf("the %s is not in the directory any more", l.Resource))
	case l.Op == ActCreate:
		return reject("conflict", fmt.Sprintf("a %s with this key is in the directory since the plan was made: %s", l.Resource, have.ID))
	}
	c := r.guard(r.planned(l, have), have)
	if c.Action.Writes() {
		if moved := r.Moved(l, have, drift); len(moved) > 0 {
			c = drifted(l, have, moved)
		}
	}
	c.ID, c.Version = have.ID, have.Version
	return c
}

func (r *Rules) plannedCreate(l *Line) Change {
	c := Change{Action: ActCreate, Body: l.Body, After: r.born(l.Body)}
	if r.Explain {
		_, c.Differences = r.diff(scim.Object{}, l.Body)
	}
	return c
}

// planned is the reviewed change of a resource that is there, or nothing if it
// stands there already.
func (r *Rules) planned(l *Line, have *Current) Change {
	if l.Op == ActDelete {
		return Change{Action: ActDelete}
	}
	after, before := l.Body, r.body(have.Object)
	if l.Body == nil {
		var err error
		if after, err = r.patched(have.Object, l.Patch); err != nil {
			return reject("data", err.Error())
		}
		before = have.Object
	}
	ops, differences := r.diff(before, after)
	if len(ops) == 0 {
		return Change{Action: ActNothing}
	}
	c := Change{Action: l.Op, Patch: l.Patch, Body: l.Body, Differences: differences, After: after}
	if r.NoPatch && l.Body == nil {
		c.Patch, c.Body = nil, r.body(after)
	}
	return c
}

// Replan is DecidePlanned for a dry run that makes a new plan of an old one:
// the operations are those that fit what is there now.
func (r *Rules) Replan(l *Line, have *Current) Change {
	c := r.DecidePlanned(l, have, DriftPlanned)
	if c.Patch == nil || have == nil {
		return c
	}
	c.Patch, _ = r.diff(have.Object, c.After)
	if r.NoPatch {
		c.Patch, c.Body = nil, r.body(c.After)
	}
	return c
}

func drifted(l *Line, have *Current, moved []string) Change {
	verb := "has"
	if len(moved) > 1 {
		verb = "have"
	}
	return reject("conflict", fmt.Sprintf("%s %s changed since the plan was made: compare what the plan says of %s with what %s %s has now",
		strings.Join(moved, ", "), verb, l.Key, l.Resource, have.ID))
}

// Moved names what somebody has changed since a change was planned: those
// attributes first that the plan changes too.
func (r *Rules) Moved(l *Line, have *Current, drift string) []string {
	prints := r.Fingerprint(have.Object)
	moved := r.movedPlanned(l, have.Object, prints)
	if drift == DriftPlanned && l.Body == nil { // a PUT writes every attribute
		return moved
	}
	if l.Seen == nil {
		if len(moved) == 0 && l.Version != "" && have.Version != "" && l.Version != have.Version {
			moved = append(moved, "its version")
		}
		return moved
	}
	others := r.movedOthers(l, prints, moved)
	if len(others)+len(moved) == 0 && l.Partial && l.Version != "" && have.Version != "" && l.Version != have.Version {
		others = append(others, "an attribute that the plan did not read")
	}
	return append(moved, others...)
}

// movedPlanned compares the paths that a change sets with what stood there when
// it was planned.
func (r *Rules) movedPlanned(l *Line, have scim.Object, prints map[string]string) []string {
	var moved []string
	for _, name := range paths(l) {
		path, err := scim.ParsePath(name)
		if err != nil {
			moved = append(moved, name)
			continue
		}
		_, attr := r.attributeAt(path)
		switch {
		case attr == nil:
			moved = append(moved, name)
		case attr.MultiValued && path.Filter == nil && path.Sub == "":
			if !r.listStands(l, name, path, attr, have, prints) {
				moved = append(moved, name)
			}
		case !scim.Equal(leafOf(attr, path), r.valueAt(have, path, attr), l.Before[name]):
			moved = append(moved, name)
		}
	}
	return moved
}

func leafOf(attr *scim.Attribute, path scim.Path) *scim.Attribute {
	if sub := attr.Sub(path.Sub); sub != nil {
		return sub
	}
	return attr
}

// paths are those that a change sets, in order.
func paths(l *Line) []string {
	all := map[string]bool{}
	for name := range l.Before {
		all[name] = true
	}
	for name := range l.After {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// listStands says whether a list is as it was. Where nobody has kept how it
// was, the values that the change would take away must at least be there.
func (r *Rules) listStands(l *Line, name string, path scim.Path, attr *scim.Attribute, have scim.Object, prints map[string]string) bool {
	if seen, ok := l.Seen[name]; ok || l.Seen != nil && !l.Partial {
		return seen == prints[name]
	}
	now := asList(r.valueAt(have, path, attr))
	return !slices.ContainsFunc(asList(l.Before[name]), func(v any) bool { return indexOf(attr, now, v) < 0 })
}

// movedOthers compares the attributes that were seen, beside those which are
// known to have moved.
func (r *Rules) movedOthers(l *Line, prints map[string]string, moved []string) []string {
	names := map[string]bool{}
	for name := range l.Seen {
		names[name] = true
	}
	if !l.Partial {
		for name := range prints {
			names[name] = true
		}
	}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		told := slices.ContainsFunc(moved, func(m string) bool { return m == name || strings.HasPrefix(m, name+"[") })
		if !told && l.Seen[name] != prints[name] {
			others = append(others, name)
		}
	}
	return others
}
