package plan

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// body is a resource as a PUT sends it: without what the directory decides
// itself, and without what is unassigned.
func (r *Rules) body(o scim.Object) scim.Object {
	body := r.writable(o)
	dropRefs(body)
	prune(body)
	r.setSchemas(body, o)
	return body
}

// writable copies a resource without its read-only attributes. What no schema
// describes stays: a PUT that left it out would take it away.
func (r *Rules) writable(o scim.Object) scim.Object {
	body := scim.Clone(o).(scim.Object)
	dropReadOnly(body, r.Schema.Core.Attributes)
	for i := range r.Schema.Extensions {
		s := &r.Schema.Extensions[i]
		if extension := objectAt(body, s.ID); extension != nil {
			dropReadOnly(extension, s.Attributes)
		}
	}
	return body
}

// dropRefs takes out the URI of whatever is referred to: the directory knows it
// from the id (RFC 7643 §2.4), and where the id is a new one, or has gone, it
// would be wrong.
func dropRefs(v any) {
	switch v := v.(type) {
	case scim.Object:
		delete(v, "$ref")
		for _, inner := range v {
			dropRefs(inner)
		}
	case []any:
		for _, e := range v {
			dropRefs(e)
		}
	}
}

func dropReadOnly(o scim.Object, attrs []scim.Attribute) {
	for i := range attrs {
		attr := &attrs[i]
		name, v, ok := scim.Member(o, attr.Name)
		if !ok {
			continue
		}
		if attr.ReadOnly() {
			delete(o, name)
			continue
		}
		for _, e := range asList(v) {
			if element, ok := e.(scim.Object); ok {
				dropReadOnly(element, attr.SubAttributes)
			}
		}
	}
}

// setSchemas lists the schemas that a body uses (RFC 7643 §3), with those that
// the resource claims already.
func (r *Rules) setSchemas(body, have scim.Object) {
	list := []any{r.Schema.Core.ID}
	add := func(urn string) {
		same := func(v any) bool { s, ok := v.(string); return ok && strings.EqualFold(s, urn) }
		if !slices.ContainsFunc(list, same) {
			list = append(list, urn)
		}
	}
	_, claimed, _ := scim.Member(have, "schemas")
	for _, v := range asList(claimed) {
		if urn, ok := v.(string); ok {
			add(urn)
		}
	}
	for _, s := range r.Schema.Extensions {
		if _, _, used := scim.Member(body, s.ID); used {
			add(s.ID)
		}
	}
	body["schemas"] = list
}
