package plan

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// diff says what changes between two states of a resource, as differences to
// show and as PATCH operations in the form that directories agree on: one
// attribute an operation, always with a path, never a replace of members.
func (r *Rules) diff(before, after scim.Object) ([]scim.PatchOperation, []Difference) {
	d := &differ{}
	d.section("", r.Schema.Core.Attributes, before, after)
	for i := range r.Schema.Extensions {
		s := &r.Schema.Extensions[i]
		d.section(s.ID, s.Attributes, objectAt(before, s.ID), objectAt(after, s.ID))
	}
	return d.ops, d.differences
}

func objectAt(o scim.Object, name string) scim.Object {
	_, v, _ := scim.Member(o, name)
	inner, _ := v.(scim.Object)
	return inner
}

type differ struct {
	ops         []scim.PatchOperation
	differences []Difference
}

// section compares the attributes of one schema, in the order of the schema, so
// that the same change always reads the same. Read-only attributes are the
// directory's own business.
func (d *differ) section(urn string, attrs []scim.Attribute, before, after scim.Object) {
	for i := range attrs {
		attr := &attrs[i]
		if attr.ReadOnly() {
			continue
		}
		_, old, _ := scim.Member(before, attr.Name)
		_, now, _ := scim.Member(after, attr.Name)
		path := scim.Path{URN: urn, Attr: attr.Name}
		switch {
		case attr.MultiValued:
			d.list(path, attr, old, now)
		case attr.Type == "complex":
			d.complex(path, attr, old, now)
		default:
			d.single(path, attr, old, now)
		}
	}
}

// single compares one value.
func (d *differ) single(path scim.Path, attr *scim.Attribute, old, now any) {
	if scim.Equal(attr, old, now) {
		return
	}
	d.emit(path, attr, old, now)
}

func (d *differ) emit(path scim.Path, attr *scim.Attribute, old, now any) {
	op := scim.PatchOperation{Op: "replace", Path: path.String(), Value: now}
	switch {
	case scim.Unassigned(now):
		op.Op, op.Value = "remove", nil
	case scim.Unassigned(old):
		op.Op = "add"
	}
	d.ops = append(d.ops, op)
	d.show(path, attr, old, now)
}

func (d *differ) show(path scim.Path, attr *scim.Attribute, old, now any) {
	secret := strings.EqualFold(attr.Returned, "never") || strings.EqualFold(attr.Mutability, "writeOnly")
	if secret {
		old, now = nil, nil
	}
	d.differences = append(d.differences, Difference{Path: path.Short(), Old: old, New: now, Secret: secret})
}

// complex compares the parts of a single-valued complex attribute.
func (d *differ) complex(path scim.Path, attr *scim.Attribute, old, now any) {
	before, _ := old.(scim.Object)
	after, _ := now.(scim.Object)
	if !scim.Unassigned(old) && scim.Unassigned(now) || !bare(attr, old) && bare(attr, now) {
		d.emit(path, attr, old, nil)
		return
	}
	d.parts(path, attr, before, after)
}

// bare says whether a complex value has nothing left that anybody has set: the
// URI of a manager who has gone is not a manager. A text that a directory keeps
// in its place is something.
func bare(attr *scim.Attribute, v any) bool {
	o, ok := v.(scim.Object)
	if !ok {
		return scim.Unassigned(v)
	}
	for name, member := range o {
		sub := attr.Sub(name)
		if !scim.Unassigned(member) && name != "$ref" && (sub == nil || !sub.ReadOnly()) {
			return false
		}
	}
	return true
}

func (d *differ) parts(path scim.Path, attr *scim.Attribute, before, after scim.Object) {
	for i := range attr.SubAttributes {
		sub := &attr.SubAttributes[i]
		_, old, _ := scim.Member(before, sub.Name)
		_, now, _ := scim.Member(after, sub.Name)
		if sub.ReadOnly() || scim.Covers(attr, scim.Object{sub.Name: old}, scim.Object{sub.Name: now}) {
			continue
		}
		path.Sub = sub.Name
		d.emit(path, sub, old, now)
	}
}

// list compares the values of a multi-valued attribute: those that stayed part
// by part, then those that went and came. Where values went and others came, or
// where no filter singles a value out, the list is replaced as a whole; members
// never are, since servers read that in different ways.
func (d *differ) list(path scim.Path, attr *scim.Attribute, old, now any) {
	before, after := asList(old), asList(now)
	pairs, gone, come := match(attr, before, after)
	swapped := len(gone) > 0 && len(come) > 0 && attr.Name != "members"
	parts := &differ{}
	if swapped || !parts.values(path, attr, before, after, pairs) || !parts.remove(path, attr, before, len(after), gone) {
		d.emit(path, attr, old, now)
		return
	}
	if len(come) > 0 {
		parts.ops = append(parts.ops, scim.PatchOperation{Op: "add", Path: path.String(), Value: come})
		parts.show(path, attr, nil, come)
	}
	d.ops = append(d.ops, parts.ops...)
	d.differences = append(d.differences, parts.differences...)
}

// values compares the values that stayed, part by part. It says false where a
// part that changed belongs to a value that no filter singles out.
func (d *differ) values(path scim.Path, attr *scim.Attribute, before, after []any, pairs []pair) bool {
	found := &differ{}
	for _, p := range pairs {
		b, okB := before[p.before].(scim.Object)
		a, okA := after[p.after].(scim.Object)
		if !okB || !okA || scim.Equal(attr, b, withoutDemotion(a, b, after)) {
			continue
		}
		if path.Filter = single(attr, before, b); path.Filter == nil {
			return false
		}
		found.parts(path, attr, b, withoutDemotion(a, b, after))
	}
	d.ops = append(d.ops, found.ops...)
	d.differences = append(d.differences, found.differences...)
	return true
}

// withoutDemotion leaves a primary that was true as it was where another value
// became the primary one: the directory makes that change itself.
func withoutDemotion(after, before scim.Object, list []any) scim.Object {
	if before["primary"] != true || after["primary"] == true || !slices.ContainsFunc(list, isPrimary) {
		return after
	}
	kept := scim.Clone(after).(scim.Object)
	kept["primary"] = true
	return kept
}

func isPrimary(v any) bool {
	o, ok := v.(scim.Object)
	return ok && o["primary"] == true
}

// remove takes values away, one operation each, or the attribute as a whole
// when none is left. It says false where no filter singles one out.
func (d *differ) remove(path scim.Path, attr *scim.Attribute, before []any, left int, gone []any) bool {
	if len(gone) == 0 {
		return true
	}
	if left == 0 {
		d.emit(path, attr, gone, nil)
		return true
	}
	var ops []scim.PatchOperation
	for _, g := range gone {
		element, _ := g.(scim.Object)
		if path.Filter = single(attr, before, element); path.Filter == nil {
			return false
		}
		ops = append(ops, scim.PatchOperation{Op: "remove", Path: path.String()})
	}
	path.Filter = nil
	d.ops = append(d.ops, ops...)
	d.show(path, attr, gone, nil)
	return true
}

// single is a filter that fits one value of a list and no other, of the kinds
// that directories understand: a type, a value, or both. It is nil where there
// is none.
func single(attr *scim.Attribute, list []any, element scim.Object) scim.Filter {
	var keys []scim.Filter
	for _, name := range []string{"type", "authority", "name", "value"} {
		sub := attr.Sub(name)
		_, v, _ := scim.Member(element, name)
		if text, ok := v.(string); ok && sub != nil {
			keys = append(keys, scim.Comparison{Path: scim.Path{Attr: sub.Name}, Op: "eq", Value: text})
		}
	}
	if len(keys) == 2 {
		keys = append(keys, scim.And{Left: keys[0], Right: keys[1]})
	}
	for _, f := range keys {
		if count(list, f, attr) == 1 {
			return f
		}
	}
	return nil
}

func count(list []any, f scim.Filter, attr *scim.Attribute) int {
	n := 0
	for _, e := range list {
		if o, ok := e.(scim.Object); ok && scim.Matches(f, o, attr.SubAttributes) {
			n++
		}
	}
	return n
}
