package plan

import (
	"fmt"
	"slices"

	"scimbulk/internal/scim"
)

// merge carries assignments out on an object, as a directory that obeys RFC
// 7644 §3.5.2 would.
func merge(o scim.Object, assignments []scim.Assignment) error {
	for i := range assignments {
		if err := assign(o, &assignments[i]); err != nil {
			return err
		}
	}
	return nil
}

// build is merge into an object that nothing is in yet.
func build(assignments []scim.Assignment) (scim.Object, error) {
	o := make(scim.Object, len(assignments)+1) // and its schemas
	for i := range assignments {
		a := &assignments[i]
		home := o // names are spelt as the schemas have them, and need not be looked for
		if urn := a.Target.Path.URN; urn != "" {
			extension, _ := o[urn].(scim.Object)
			if extension == nil {
				extension = scim.Object{}
				o[urn] = extension
			}
			home = extension
		}
		if err := assignTo(home, a.Target.Path.Attr, a); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func assign(o scim.Object, a *scim.Assignment) error {
	home := section(o, a.Target.Path.URN)
	return assignTo(home, spelling(home, a.Target.Path.Attr), a)
}

// assignTo carries an assignment out on a member of the object that holds the
// attributes of its schema.
func assignTo(home scim.Object, name string, a *scim.Assignment) error {
	path := a.Target.Path
	switch {
	case a.Target.List():
		home[name] = mergeList(a, asList(home[name]))
	case path.Filter != nil:
		list, err := mergeElement(a, asList(home[name]))
		if err != nil {
			return err
		}
		home[name] = list
	case a.Target.Sub != nil:
		assignMember(home, name, a)
	case a.Mode == scim.Clear:
		delete(home, name)
	default:
		home[name] = scim.Clone(a.Value)
	}
	return nil
}

// section is the object that holds the attributes of a schema, made if need be.
func section(o scim.Object, urn string) scim.Object {
	if urn == "" {
		return o
	}
	name := spelling(o, urn)
	if extension, ok := o[name].(scim.Object); ok {
		return extension
	}
	extension := scim.Object{}
	o[name] = extension
	return extension
}

// spelling is the name of a member as the object has it already, else as given.
func spelling(o scim.Object, name string) string {
	if spelt, _, ok := scim.Member(o, name); ok {
		return spelt
	}
	return name
}

// asList views what an attribute holds as a list of its own, which may be
// changed: some servers send a lone value for a multi-valued attribute.
func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return slices.Clone(v)
	}
	return []any{v}
}

func assignMember(home scim.Object, name string, a *scim.Assignment) {
	complexValue, ok := home[name].(scim.Object)
	if !ok {
		complexValue = scim.Object{}
		home[name] = complexValue
	}
	setMember(complexValue, a)
}

func setMember(o scim.Object, a *scim.Assignment) {
	name := spelling(o, a.Target.Sub.Name)
	if a.Mode == scim.Clear {
		delete(o, name)
		return
	}
	o[name] = a.Value
}

// mergeList adds the values that are missing, or makes the list what the
// assignment says. Values that are there keep what else is known of them.
func mergeList(a *scim.Assignment, have []any) []any {
	if a.Mode == scim.Clear {
		return nil
	}
	list := have
	if a.Mode != scim.Add {
		list = nil
	}
	for _, want := range asList(a.Value) {
		if i := indexOf(a.Target.Attr, have, want); i >= 0 && a.Mode != scim.Add {
			list = append(list, mergeValue(a.Target.Attr, have[i], want))
		} else if i := indexOf(a.Target.Attr, list, want); i >= 0 {
			list[i] = mergeValue(a.Target.Attr, list[i], want)
		} else {
			list = append(list, scim.Clone(want))
		}
		keepOnePrimary(list, want)
	}
	return list
}

// indexOf finds the value of a list that a wanted one speaks of: the same
// value, and of the same type if the wanted one names a type.
func indexOf(attr *scim.Attribute, list []any, want any) int {
	return slices.IndexFunc(list, func(have any) bool {
		h, okH := have.(scim.Object)
		w, okW := want.(scim.Object)
		if !okH || !okW {
			return scim.Equal(attr, have, want)
		}
		return scim.Covers(attr, h, identity(attr, w))
	})
}

// identity is what tells one value of a multi-valued attribute from another
// (RFC 7643 §2.4): its value and type, or all of it where it has no value.
func identity(attr *scim.Attribute, element scim.Object) scim.Object {
	id := scim.Object{}
	for _, name := range keyMembers(attr) {
		if _, v, ok := scim.Member(element, name); ok {
			id[name] = v
		}
	}
	if _, keyed := id[keyMembers(attr)[0]]; !keyed {
		return element
	}
	return id
}

// keyMembers names the sub-attributes that identify a value, the telling one
// first. Genesys Cloud keys skills by name and external ids by authority.
func keyMembers(attr *scim.Attribute) []string {
	switch {
	case attr.Sub("authority") != nil:
		return []string{"authority"}
	case attr.Sub("value") == nil && attr.Sub("name") != nil:
		return []string{"name"}
	}
	return []string{"value", "type"}
}

// mergeValue gives an existing value the members of a wanted one.
func mergeValue(attr *scim.Attribute, have, want any) any {
	h, okH := have.(scim.Object)
	w, okW := want.(scim.Object)
	if !okH || !okW || scim.Covers(attr, h, w) {
		return have
	}
	merged := scim.Clone(h).(scim.Object)
	for name, v := range w {
		merged[spelling(merged, name)] = scim.Clone(v)
	}
	return merged
}

// keepOnePrimary takes primary from every other value once one has it: the
// directory does the same by itself (RFC 7644 §3.5.2).
func keepOnePrimary(list []any, chosen any) {
	c, ok := chosen.(scim.Object)
	if !ok || c["primary"] != true {
		return
	}
	for i, e := range list {
		element, ok := e.(scim.Object)
		if ok && element["primary"] == true && !scim.Covers(nil, element, c) {
			demoted := scim.Clone(element).(scim.Object)
			demoted["primary"] = false
			list[i] = demoted
		}
	}
}

// mergeElement carries out an assignment to a path with a value filter. Where
// several values fit and one of them is right already, nothing changes.
func mergeElement(a *scim.Assignment, list []any) ([]any, error) {
	subs := a.Target.Attr.SubAttributes
	chosen := -1
	for i, e := range list {
		element, ok := e.(scim.Object)
		if !ok || !scim.Matches(a.Target.Path.Filter, element, subs) {
			continue
		}
		if a.Mode != scim.Clear && scim.Covers(a.Target.Attr, element, scim.Object{a.Target.Sub.Name: a.Value}) {
			return list, nil
		}
		if chosen < 0 {
			chosen = i
		}
	}
	if chosen < 0 {
		return appendElement(a, list)
	}
	if a.Mode == scim.Clear && a.Target.Sub.Name == "value" {
		return slices.Delete(list, chosen, chosen+1), nil
	}
	element := scim.Clone(list[chosen]).(scim.Object)
	setMember(element, a)
	list[chosen] = element
	keepOnePrimary(list, element)
	return list, nil
}

// appendElement makes the value that a filter asks for: type eq "work" is a
// value of type work.
func appendElement(a *scim.Assignment, list []any) ([]any, error) {
	if a.Mode == scim.Clear {
		return list, nil
	}
	element := scim.Object{}
	if !seed(element, a.Target) {
		return nil, fmt.Errorf("%s fits no value that is there and does not say what a new one is like", a.Target.Path.Short())
	}
	setMember(element, a)
	list = append(list, element)
	keepOnePrimary(list, element)
	return list, nil
}

func seed(element scim.Object, t *scim.Target) bool {
	var fill func(f scim.Filter) bool
	fill = func(f scim.Filter) bool {
		switch f := f.(type) {
		case scim.And:
			return fill(f.Left) && fill(f.Right)
		case scim.Comparison:
			name := f.Path.Attr
			if sub := t.Attr.Sub(name); sub != nil {
				name = sub.Name
			}
			element[name] = f.Value
			return f.Op == "eq"
		}
		return false
	}
	return fill(t.Path.Filter)
}

// prune takes out what is unassigned, which a body need not say (RFC 7643 §2.5)
// and some servers choke on (members: []).
func prune(o scim.Object) {
	for name, v := range o {
		if inner, ok := v.(scim.Object); ok {
			prune(inner)
		}
		if scim.Unassigned(v) {
			delete(o, name)
		}
	}
}
