package mapping

import (
	"slices"
	"strings"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// resource maps a row that is a whole SCIM resource, member by member. What
// the directory decides is left out; a null says nothing, as a blank cell does.
func (r *rowMapper) resource(row *rows.Row) {
	o, err := scim.DecodeObject(row.Object)
	if err != nil {
		r.fail("", "not a SCIM resource: "+err.Error(), "")
		return
	}
	m := r.mp.m
	for _, name := range memberNames(o) {
		r.member(scim.Path{}, name, o[name])
	}
	r.resourceKey(o)
	if r.rec.Key == "" && r.err == nil {
		r.noKey()
	}
	r.rec.Op = m.defOp
}

// memberNames are in alphabetical order, so that the same row always gives the
// same record.
func memberNames(o scim.Object) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// member maps one member of the resource, or of one of its extensions.
func (r *rowMapper) member(home scim.Path, name string, v any) {
	if v == nil || name == "" || strings.HasPrefix(name, "_") {
		return
	}
	schema := r.mp.m.schema
	if home.URN == "" && strings.Contains(name, ":") {
		if extension, ok := v.(scim.Object); ok && schema.Schema(name) != nil {
			for _, sub := range memberNames(extension) {
				r.member(scim.Path{URN: name}, sub, extension[sub])
			}
			return
		}
	}
	path, err := scim.ParsePath(name)
	if err != nil {
		r.unknown(home, name)
		return
	}
	if home.URN != "" {
		path.URN = home.URN
	}
	attr := r.attribute(path)
	switch {
	case attr == nil:
		r.unknown(home, name)
	case attr.ReadOnly():
	case attr.Type == "complex" && !attr.MultiValued && path.Sub == "":
		r.parts(path, attr, v)
	default:
		r.assign(path, v)
	}
}

func (r *rowMapper) attribute(path scim.Path) *scim.Attribute {
	schema := r.mp.m.schema.Schema(path.URN)
	if schema == nil {
		return nil
	}
	return schema.Attribute(path.Attr)
}

func (r *rowMapper) unknown(home scim.Path, name string) {
	if home.URN != "" {
		name = scim.Path{URN: home.URN, Attr: name}.Short()
	}
	r.rec.Warnings = append(r.rec.Warnings, name+" is in no schema of the directory and was left out")
}

// parts maps the members of a complex attribute with one value.
func (r *rowMapper) parts(path scim.Path, attr *scim.Attribute, v any) {
	o, ok := v.(scim.Object)
	if !ok {
		r.assign(path, v)
		return
	}
	for _, name := range memberNames(o) {
		sub := attr.Sub(name)
		switch {
		case o[name] == nil:
		case sub == nil:
			r.unknown(scim.Path{}, path.Short()+"."+name)
		case !sub.ReadOnly():
			part := path
			part.Sub = sub.Name
			r.assign(part, o[name])
		}
	}
}

func (r *rowMapper) assign(path scim.Path, v any) {
	t, err := r.mp.m.schema.Resolve(path)
	if err != nil {
		r.fail(path.Short(), err.Error(), "")
		return
	}
	if t.ReadOnly() {
		return
	}
	f := field{target: t, leaf: t.Leaf(), list: t.List(), json: true}
	if f.list {
		f.mode = scim.Add
	}
	value, err := f.ofValue(v, "")
	if err != nil {
		if strings.EqualFold(t.Attr.Name, "password") {
			err = silent(err)
		}
		r.failed(path.Short(), err)
		return
	}
	if value.state == present {
		r.rec.Assignments = append(r.rec.Assignments, scim.Assignment{Target: t, Mode: f.mode, Value: value.v})
	}
}

// resourceKey finds the match value in the resource.
func (r *rowMapper) resourceKey(o scim.Object) {
	t := r.mp.m.matchBy
	f := &field{leaf: t.Leaf()}
	if t.ReadOnly() && t.Sub == nil && t.Path.URN == "" { // which is in no assignment
		_, v, _ := scim.Member(o, t.Attr.Name)
		if s, ok := v.(string); ok {
			r.key(f, value{v: s, state: present})
		}
		return
	}
	full := t.Path.String()
	for i := range r.rec.Assignments {
		a := &r.rec.Assignments[i]
		if a.Target.Path.String() == full {
			r.key(f, value{v: a.Value, state: present})
			return
		}
		if t.Path.Filter != nil && a.Target.List() && a.Target.Attr == t.Attr {
			r.keyOfList(f, t, a.Value)
		}
	}
}

// keyOfList finds the match value in a list: emails[type eq "work"].value.
func (r *rowMapper) keyOfList(f *field, t *scim.Target, list any) {
	elements, _ := list.([]any)
	for _, e := range elements {
		element, ok := e.(scim.Object)
		if !ok || t.Sub == nil || !scim.Matches(t.Path.Filter, element, t.Attr.SubAttributes) {
			continue
		}
		r.key(f, value{v: element[t.Sub.Name], state: present})
		return
	}
}
