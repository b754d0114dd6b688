package mapping

import (
	"slices"

	"scimbulk/internal/scim"
)

// References are the references that rows can make, without names: which
// resources they name, and by what.
func (m *Mapping) References() []Ref {
	var refs []Ref
	for i := range m.fields {
		if f := &m.fields[i]; f.ref != nil {
			refs = append(refs, Ref{Target: f.target, Mode: f.mode, Resource: f.ref.resource, By: f.ref.by, OnMissing: f.ref.onMissing, Column: f.name, Memberships: f.ref.memberships})
		}
	}
	return refs
}

// Fold is the form in which two names are equal if they name the same resource
// by an attribute: NFC, and lower case unless the attribute is caseExact.
func Fold(attr *scim.Attribute, name string) string { return foldKey(attr, name) }

// Attributes are the attributes that rows can assign, in full and without their
// parts: what a decision on a row has to see. It is empty where rows are whole
// resources, which can hold anything.
func (m *Mapping) Attributes() []string {
	if m.nested {
		return nil
	}
	var list []string
	for i := range m.fields {
		if t := m.fields[i].target; t != nil && !m.fields[i].ref.ofGroups() && !slices.Contains(list, attributeOf(t)) {
			list = append(list, attributeOf(t))
		}
	}
	return list
}

func attributeOf(t *scim.Target) string {
	return scim.Path{URN: t.Path.URN, Attr: t.Path.Attr}.String()
}

// MayReplace says whether a row can ask for a replacement, which sends all of a
// resource.
func (m *Mapping) MayReplace() bool { return m.op != nil || m.defOp == "replace" }
