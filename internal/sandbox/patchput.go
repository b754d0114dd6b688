package sandbox

import (
	"slices"
	"strings"
)

// put carries out add and replace.
func (p *patcher) put(tgt target, op string, v any) error {
	switch {
	case tgt.attr == nil && tgt.urn == "":
		return badPath("a path must name an attribute")
	case tgt.attr == nil:
		return p.putExtension(tgt.urn, op, v)
	case tgt.attr.Name == "schemas":
		return nil // it follows from the attributes that are there
	}
	if err := p.mutable(tgt); err != nil {
		return err
	}
	if p.quirks.textBooleans {
		v = readTextBoolean(tgt.leafTarget(), v)
	}
	switch {
	case tgt.filter != nil:
		return p.putMatches(tgt, op, v)
	case tgt.sub != nil:
		return p.putSub(tgt, v)
	case tgt.attr.MultiValued:
		return p.putValues(tgt, op, v)
	}
	return p.putSingle(tgt, v)
}

// leafTarget is the attribute whose value the operation gives.
func (t target) leafTarget() *attribute {
	if t.sub != nil {
		return t.sub
	}
	return t.attr
}

func readTextBoolean(a *attribute, v any) any {
	text, ok := v.(string)
	if !ok || a.Type != "boolean" {
		return v
	}
	return strings.EqualFold(text, "true")
}

func (p *patcher) putExtension(urn, op string, v any) error {
	in, ok := v.(*object)
	if !ok {
		return badValue("%s must be an object", urn)
	}
	for _, m := range in.members {
		a := findAttribute(p.t.extension(urn).Attributes, m.name)
		if a == nil {
			continue
		}
		if err := p.put(target{attrRef: attrRef{urn: urn, attr: a}}, op, m.value); err != nil {
			return err
		}
	}
	return nil
}

// putSingle sets a simple value or merges into a complex one.
func (p *patcher) putSingle(tgt target, v any) error {
	in, err := tgt.attr.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	c := p.container(tgt.attrRef)
	old := c.get(tgt.attr.Name)
	if unassigned(in) {
		return p.clear(tgt, c)
	}
	if tgt.attr.Mutability == "immutable" && old != nil && !same(old, in) {
		return notMutable("%s is immutable", tgt.name())
	}
	if into, ok := old.(*object); ok {
		merge(into, in.(*object))
		return nil
	}
	c.set(tgt.attr.Name, in)
	return nil
}

func merge(into, from *object) {
	for _, m := range from.members {
		into.set(m.name, m.value)
	}
}

// putSub sets a sub-attribute: of the complex value, or of every value.
func (p *patcher) putSub(tgt target, v any) error {
	in, err := tgt.sub.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	c := p.container(tgt.attrRef)
	if tgt.attr.MultiValued {
		values := c.list(tgt.attr.Name)
		if len(values) == 0 {
			return refuse(400, "noTarget", "%s has no values", tgt.attr.Name)
		}
		return p.setSubs(tgt, values, values, in)
	}
	o := c.child(tgt.attr.Name)
	if o == nil {
		o = newObject()
	}
	if err := setSub(tgt, o, in); err != nil {
		return err
	}
	c.set(tgt.attr.Name, o)
	return nil
}

func setSub(tgt target, o *object, v any) error {
	old := o.get(tgt.sub.Name)
	if tgt.sub.Mutability == "immutable" && old != nil && !same(old, v) {
		return notMutable("%s is immutable", tgt.name())
	}
	o.set(tgt.sub.Name, v)
	return nil
}

// setSubs sets the sub-attribute in each of the matched values of all.
func (p *patcher) setSubs(tgt target, all, matched []any, v any) error {
	for _, e := range matched {
		o, ok := e.(*object)
		if !ok {
			return badPath("%s has no sub-attributes", tgt.attr.Name)
		}
		if err := setSub(tgt, o, v); err != nil {
			return err
		}
	}
	if tgt.sub.Name == "primary" && v == true {
		clearPrimary(all, matched)
	}
	return checkPrimary(tgt.name(), all)
}

// clearPrimary sets primary to false in the values that were not just set
// (RFC 7644 §3.5.2).
func clearPrimary(all, fresh []any) {
	for _, e := range all {
		o, ok := e.(*object)
		if ok && o.get("primary") == true && !slices.Contains(fresh, any(o)) {
			o.set("primary", false)
		}
	}
}

func hasPrimary(values []any) bool {
	return slices.ContainsFunc(values, func(e any) bool {
		o, ok := e.(*object)
		return ok && o.get("primary") == true
	})
}

// putValues adds to or replaces a multi-valued attribute. One value that
// stands without its array is taken as an array of one.
func (p *patcher) putValues(tgt target, op string, v any) error {
	if _, isList := v.([]any); !isList && v != nil {
		v = []any{v}
	}
	in, err := tgt.attr.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	fresh, _ := in.([]any)
	c := p.container(tgt.attrRef)
	replace := op == "replace" && !(p.quirks.replaceMerges && tgt.attr.Name == "members")
	if replace || p.quirks.addReplaces {
		if len(fresh) == 0 {
			return p.clear(tgt, c)
		}
		c.set(tgt.attr.Name, fresh)
		return nil
	}
	old := c.list(tgt.attr.Name)
	if hasPrimary(fresh) {
		clearPrimary(old, fresh)
	}
	c.set(tgt.attr.Name, tgt.attr.appendNew(old, fresh))
	return nil
}

// appendNew adds the values that are not there yet. Adding what is present
// changes nothing (RFC 7644 §3.5.2.1), but for what the new value says beside.
func (a *attribute) appendNew(old, fresh []any) []any {
	place := make(map[string]int, len(old))
	for i, e := range old {
		place[a.identity(e)] = i
	}
	for _, e := range fresh {
		id := a.identity(e)
		i, there := place[id]
		if !there {
			place[id] = len(old)
			old = append(old, e)
			continue
		}
		if o, ok := old[i].(*object); ok {
			merge(o, e.(*object))
		}
	}
	return old
}

// identity is the text by which two values of an attribute are the same. No
// two may have the same type and value (RFC 7643 §2.4), a member is its id, and
// what has a name or an authority has it once.
func (a *attribute) identity(e any) string {
	o, ok := e.(*object)
	if !ok {
		return string(appendJSON(nil, e))
	}
	value := a.sub("value")
	switch {
	case a.sub("authority") != nil:
		return o.text("authority")
	case value == nil && a.sub("name") != nil:
		return o.text("name")
	case value != nil && value.Mutability == "immutable":
		return o.text("value")
	case value != nil && value.CaseExact:
		return fold(o.text("type")) + "\x00" + o.text("value")
	case value != nil:
		return fold(o.text("type") + "\x00" + o.text("value"))
	}
	sorted := slices.DeleteFunc(slices.Clone(o.members), func(m member) bool {
		return m.name == "primary" && m.value == false
	})
	slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return string(appendJSON(nil, &object{members: sorted}))
}

// putMatches works on the values that the path's filter selects.
func (p *patcher) putMatches(tgt target, op string, v any) error {
	c := p.container(tgt.attrRef)
	all := c.list(tgt.attr.Name)
	matched := matching(all, tgt.filter)
	if len(matched) == 0 {
		return p.putNew(tgt, c, op, v)
	}
	if tgt.sub != nil {
		in, err := tgt.sub.admit(tgt.name(), v)
		if err != nil {
			return err
		}
		return p.setSubs(tgt, all, matched, in)
	}
	return p.putWhole(tgt, c, op, v)
}

func matching(list []any, x expr) []any {
	var out []any
	for _, e := range list {
		if x.match(element(e)) {
			out = append(out, e)
		}
	}
	return out
}

// putWhole replaces (or, for add, merges into) every matched value.
func (p *patcher) putWhole(tgt target, c *object, op string, v any) error {
	in, err := tgt.attr.admitOne(tgt.name(), v)
	if err != nil {
		return err
	}
	if unassigned(in) {
		return p.putNothing(tgt, c, op)
	}
	all := c.list(tgt.attr.Name)
	var fresh []any
	for i, e := range all {
		if !tgt.filter.match(element(e)) {
			continue
		}
		if err := checkImmutable(tgt, e, in); err != nil {
			return err
		}
		old, isObject := e.(*object)
		if op == "add" && isObject {
			merge(old, in.(*object))
		} else {
			all[i] = clone(in)
		}
		fresh = append(fresh, all[i])
	}
	if hasPrimary(fresh) {
		clearPrimary(all, fresh)
	}
	return checkPrimary(tgt.name(), all)
}

// putNothing replaces the selected values with none; adding none does nothing.
func (p *patcher) putNothing(tgt target, c *object, op string) error {
	if op == "add" {
		return nil
	}
	return p.removeParts(tgt, c)
}

// checkImmutable refuses a whole value that would change an immutable part.
func checkImmutable(tgt target, old, fresh any) error {
	o, ok1 := old.(*object)
	f, ok2 := fresh.(*object)
	if !ok1 || !ok2 {
		return nil
	}
	for _, sub := range tgt.attr.SubAttributes {
		was, is := o.get(sub.Name), f.get(sub.Name)
		if sub.Mutability == "immutable" && was != nil && is != nil && !same(was, is) {
			return notMutable("%s.%s is immutable", tgt.attr.Name, sub.Name)
		}
	}
	return nil
}

// putNew handles a filter that selects nothing: replace is refused (RFC 7644
// §3.5.2.3), add creates the value that the filter describes.
func (p *patcher) putNew(tgt target, c *object, op string, v any) error {
	fresh := newObject()
	if op == "replace" || !describe(tgt.filter, fresh) || !tgt.attr.complex() {
		return refuse(400, "noTarget", "no value of %s matches the path's filter", tgt.attr.Name)
	}
	if tgt.sub != nil {
		in, err := tgt.sub.admit(tgt.name(), v)
		if err != nil {
			return err
		}
		fresh.set(tgt.sub.Name, in)
	} else {
		in, err := tgt.attr.admitOne(tgt.name(), v)
		if err != nil || unassigned(in) {
			return err
		}
		merge(fresh, in.(*object))
	}
	old := c.list(tgt.attr.Name)
	if hasPrimary([]any{fresh}) {
		clearPrimary(old, nil)
	}
	c.set(tgt.attr.Name, append(old, any(fresh)))
	return nil
}

// describe writes into o what a filter of eq terms demands.
func describe(x expr, o *object) bool {
	switch x := x.(type) {
	case andExpr:
		return describe(x.left, o) && describe(x.right, o)
	case comparison:
		if x.op != "eq" || x.value == nil || x.ref.attr.readOnly() {
			return false
		}
		o.set(x.ref.attr.Name, x.value)
		return true
	}
	return false
}
