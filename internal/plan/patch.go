package plan

import (
	"fmt"
	"slices"

	"scimbulk/internal/scim"
)

// patched is a resource as PATCH operations of our own form leave it.
func (r *Rules) patched(o scim.Object, ops []scim.PatchOperation) (scim.Object, error) {
	after := scim.Clone(o).(scim.Object)
	for _, op := range ops {
		path, err := scim.ParsePath(op.Path)
		if err != nil {
			return nil, err
		}
		urn, attr := r.attributeAt(path)
		if attr == nil {
			return nil, fmt.Errorf("the directory has no attribute %s", path.Short())
		}
		t := &scim.Target{Path: path, Attr: attr, Sub: attr.Sub(path.Sub)}
		t.Path.URN, t.Path.Attr = urn, attr.Name
		if path.Sub != "" && t.Sub == nil {
			return nil, fmt.Errorf("%s has no sub-attribute %s", attr.Name, path.Sub)
		}
		if err := apply(after, t, op); err != nil {
			return nil, err
		}
	}
	return after, nil
}

func apply(o scim.Object, t *scim.Target, op scim.PatchOperation) error {
	a := &scim.Assignment{Target: t, Value: op.Value}
	switch {
	case t.Path.Filter != nil && t.Sub == nil:
		if op.Op != "remove" {
			return fmt.Errorf("%s sets whole values, which no plan does", op.Path)
		}
		removeMatching(o, t)
		return nil
	case op.Op == "remove":
		a.Mode = scim.Clear
	case t.List() && op.Op == "add":
		a.Mode = scim.Add
	case t.List():
		a.Mode = scim.ReplaceAll
	}
	return assign(o, a)
}

// removeMatching takes the values away that a filter singles out.
func removeMatching(o scim.Object, t *scim.Target) {
	home := section(o, t.Path.URN)
	name := spelling(home, t.Path.Attr)
	home[name] = slices.DeleteFunc(asList(home[name]), func(v any) bool {
		element, ok := v.(scim.Object)
		return ok && scim.Matches(t.Path.Filter, element, t.Attr.SubAttributes)
	})
}

// valueAt is what stands at a path; of several values that fit a filter, the
// first.
func (r *Rules) valueAt(o scim.Object, path scim.Path, attr *scim.Attribute) any {
	if path.URN != "" {
		o = objectAt(o, path.URN)
	}
	_, v, _ := scim.Member(o, attr.Name)
	if path.Filter != nil {
		list := asList(v)
		at := slices.IndexFunc(list, func(e any) bool {
			element, ok := e.(scim.Object)
			return ok && scim.Matches(path.Filter, element, attr.SubAttributes)
		})
		if at < 0 {
			return nil
		}
		v = list[at]
	}
	if path.Sub != "" {
		element, _ := v.(scim.Object)
		_, v, _ = scim.Member(element, path.Sub)
	}
	return v
}
