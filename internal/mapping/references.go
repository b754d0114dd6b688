package mapping

import "scimbulk/internal/scim"

// References are the references that rows can make, without names: which
// resources they name, and by what.
func (m *Mapping) References() []Ref {
	var refs []Ref
	for i := range m.fields {
		if f := &m.fields[i]; f.ref != nil {
			refs = append(refs, Ref{Target: f.target, Mode: f.mode, Resource: f.ref.resource, By: f.ref.by, OnMissing: f.ref.onMissing, Column: f.name})
		}
	}
	return refs
}

// Fold is the form in which two names are equal if they name the same resource
// by an attribute: NFC, and lower case unless the attribute is caseExact.
func Fold(attr *scim.Attribute, name string) string { return foldKey(attr, name) }
