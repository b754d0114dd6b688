package plan

import (
	"strings"

	"scimbulk/internal/scim"
)

// Part is what a comparison of two states takes or leaves as one: an attribute,
// or a sub-attribute of a complex attribute with one value. The values of a
// multi-valued attribute belong together.
type Part struct {
	path scim.Path
	leaf *scim.Attribute
}

// Parts lists what two states of a resource are compared by, in the order of
// the schema: not what the directory decides itself, nor what it never shows.
func (r *Rules) Parts() []Part {
	parts := partsOf(nil, "", r.Schema.Core.Attributes)
	for i := range r.Schema.Extensions {
		s := &r.Schema.Extensions[i]
		parts = partsOf(parts, s.ID, s.Attributes)
	}
	return parts
}

func partsOf(parts []Part, urn string, attrs []scim.Attribute) []Part {
	for i := range attrs {
		attr := &attrs[i]
		path := scim.Path{URN: urn, Attr: attr.Name}
		switch {
		case attr.ReadOnly() || isSecret(attr):
		case attr.MultiValued || attr.Type != "complex":
			parts = append(parts, Part{path, attr})
		default:
			for j := range attr.SubAttributes {
				sub := &attr.SubAttributes[j]
				if !sub.ReadOnly() && !isSecret(sub) && sub.Name != "$ref" {
					parts = append(parts, Part{scim.Path{URN: urn, Attr: attr.Name, Sub: sub.Name}, sub})
				}
			}
		}
	}
	return parts
}

func isSecret(attr *scim.Attribute) bool {
	return strings.EqualFold(attr.Returned, "never") || strings.EqualFold(attr.Mutability, "writeOnly")
}

// Name is the short path of the part.
func (p *Part) Name() string { return p.path.Short() }

// Verifiable says whether every reading of a resource shows the part.
func (p *Part) Verifiable() bool { return p.leaf.Verifiable() }

// Within says whether a path names the part, or the attribute that it is a part
// of, or one of its values.
func (p *Part) Within(path scim.Path) bool {
	return strings.EqualFold(p.path.URN, path.URN) && strings.EqualFold(p.path.Attr, path.Attr) &&
		(path.Sub == "" || p.path.Sub == "" || strings.EqualFold(p.path.Sub, path.Sub))
}

// Value is what a resource holds there, nil for nothing.
func (p *Part) Value(o scim.Object) any {
	if p.path.URN != "" {
		o = objectAt(o, p.path.URN)
	}
	if p.path.Sub != "" {
		o = objectAt(o, p.path.Attr)
		_, v, _ := scim.Member(o, p.path.Sub)
		return v
	}
	_, v, _ := scim.Member(o, p.path.Attr)
	return v
}

// Carry gives one state of a resource what another holds there, so that the two
// do not differ in it.
func (p *Part) Carry(from, to scim.Object) {
	v := p.Value(from)
	if v == nil && p.Value(to) == nil {
		return
	}
	home, name := section(to, p.path.URN), p.path.Attr
	if p.path.Sub != "" {
		name = spelling(home, name)
		whole, ok := home[name].(scim.Object)
		if !ok {
			whole = scim.Object{}
			home[name] = whole
		}
		home, name = whole, p.path.Sub
	}
	name = spelling(home, name)
	if v == nil {
		delete(home, name)
		return
	}
	home[name] = v
}

// Assemble makes the resource that assignments describe.
func Assemble(assignments []scim.Assignment) (scim.Object, error) {
	o := scim.Object{}
	err := merge(o, assignments)
	return o, err
}

// Comparable takes from a resource what cannot be compared: what the directory
// decides itself, secrets, and what it tells of others beside their ids. The
// resource is changed.
func (r *Rules) Comparable(o scim.Object) {
	comparable(o, &r.Schema.Core)
	for i := range r.Schema.Extensions {
		s := &r.Schema.Extensions[i]
		if extension := objectAt(o, s.ID); extension != nil {
			comparable(extension, s)
		}
	}
	if name, list, _ := scim.Member(o, "members"); r.Schema.Resource == "Group" && name != "" {
		o[name] = idsAlone(list)
	}
}

func comparable(o scim.Object, schema *scim.Schema) {
	for name, v := range o {
		attr := schema.Attribute(name)
		switch {
		case attr == nil:
		case attr.ReadOnly() || isSecret(attr):
			delete(o, name)
		default:
			comparableValue(attr, v)
		}
	}
}

func comparableValue(attr *scim.Attribute, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if element, ok := e.(scim.Object); ok {
				dropReadOnly(element, attr.SubAttributes)
			}
		}
	case scim.Object:
		dropReadOnly(v, attr.SubAttributes)
		delete(v, "$ref") // follows from the value
	}
}

// idsAlone are members without what servers add of their own accord.
func idsAlone(list any) any {
	members := asList(list)
	for i, m := range members {
		if o, ok := m.(scim.Object); ok {
			if _, value, ok := scim.Member(o, "value"); ok {
				members[i] = scim.Object{"value": value}
			}
		}
	}
	return members
}

// Between is the change that makes one state of a resource another: nil stands
// for no resource.
func (r *Rules) Between(have *Current, want scim.Object) Change {
	switch {
	case have == nil && r.NoCreate != "":
		return reject("permission", r.NoCreate)
	case have == nil:
		return r.createAs(want)
	case want == nil && r.NoDelete != "":
		return reject("permission", r.NoDelete)
	case want == nil:
		return Change{Action: ActDelete, ID: have.ID, Version: have.Version}
	}
	ops, differences := r.diff(have.Object, want)
	if len(ops) == 0 {
		return Change{Action: ActNothing, ID: have.ID, Version: have.Version}
	}
	c := Change{Action: ActUpdate, ID: have.ID, Version: have.Version, Patch: ops, Differences: differences, After: want}
	if r.NoPatch {
		c.Patch, c.Body = nil, r.body(want)
	}
	return c
}

func (r *Rules) createAs(want scim.Object) Change {
	body := r.writable(want)
	prune(body)
	r.setSchemas(body, nil)
	return Change{Action: ActCreate, Body: body, After: body}
}

// Holdings lists what a resource holds, as the differences from nothing.
func (r *Rules) Holdings(o scim.Object) []Difference {
	_, differences := r.diff(scim.Object{}, o)
	return differences
}
