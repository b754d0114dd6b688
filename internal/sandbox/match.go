package sandbox

import (
	"math/big"
	"slices"
	"strings"
	"time"
)

func (e andExpr) match(o *object) bool { return e.left.match(o) && e.right.match(o) }
func (e orExpr) match(o *object) bool  { return e.left.match(o) || e.right.match(o) }
func (e notExpr) match(o *object) bool { return !e.x.match(o) }

func (e valueExpr) match(o *object) bool {
	v := e.ref.container(o).get(e.ref.attr.Name)
	if !e.ref.attr.MultiValued {
		one, ok := v.(*object)
		return ok && e.x.match(one)
	}
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(v any) bool { return e.x.match(element(v)) })
}

// element makes a simple value look like a complex one, for value filters.
func element(v any) *object {
	if o, ok := v.(*object); ok {
		return o
	}
	return newObject(member{"value", v})
}

// container is the object that holds the referred attribute.
func (r attrRef) container(o *object) *object {
	if r.urn == "" {
		return o
	}
	return o.child(r.urn)
}

// values lists what a comparison on ref looks at.
func (r attrRef) values(o *object) []any {
	if r.attr == nil {
		return one(o.get(r.urn))
	}
	v := r.container(o).get(r.attr.Name)
	leaf := r.leaf()
	list, multi := v.([]any)
	if !multi {
		list = one(v)
	}
	if leaf == r.attr || leaf == nil {
		return list
	}
	var out []any
	for _, e := range list {
		if o, ok := e.(*object); ok {
			out = append(out, one(o.get(leaf.Name))...)
		}
	}
	return out
}

func one(v any) []any {
	if unassigned(v) {
		return nil
	}
	return []any{v}
}

// checkReadable refuses to search what is never shown: a filter that could
// test a password would give it away letter by letter.
func checkReadable(ref attrRef) error {
	if ref.attr != nil && ref.attr.Returned == "never" {
		return badFilter("%s cannot be searched", ref.name())
	}
	return nil
}

// check refuses comparisons that make no sense for the attribute's type.
func (c *comparison) check() error {
	if err := checkReadable(c.ref); err != nil {
		return err
	}
	leaf := c.ref.leaf()
	if leaf == nil || leaf.complex() {
		return badFilter("%s is complex: compare one of its sub-attributes", c.ref.name())
	}
	if c.value == nil {
		if c.op != "eq" && c.op != "ne" {
			return badFilter("null can only be compared with eq and ne")
		}
		return nil
	}
	return c.checkType(leaf)
}

func (c *comparison) checkType(leaf *attribute) error {
	ordered := c.op == "gt" || c.op == "ge" || c.op == "lt" || c.op == "le"
	partial := c.op == "co" || c.op == "sw" || c.op == "ew"
	wrong := badFilter("%s %s: %s takes no such value", c.ref.name(), c.op, leaf.Type)
	switch leaf.Type {
	case "boolean":
		if ordered || partial {
			return badFilter("%s is a boolean: %s does not apply", c.ref.name(), c.op)
		}
		if _, ok := c.value.(bool); !ok {
			return wrong
		}
	case looseBoolean:
		return nil
	case "integer", "decimal":
		if _, ok := c.value.(number); !ok || partial {
			return wrong
		}
	case "dateTime":
		text, ok := c.value.(string)
		if _, valid := parseTime(text); !ok || !valid && !partial {
			return wrong
		}
	default:
		if _, ok := c.value.(string); !ok || leaf.Type == "binary" && ordered {
			return wrong
		}
	}
	return nil
}

func (c comparison) match(o *object) bool { return c.holds(c.ref.values(o)) }

// holds compares the values that an attribute has.
func (c comparison) holds(values []any) bool {
	switch {
	case c.op == "pr", c.op == "ne" && c.value == nil:
		return len(values) > 0
	case c.op == "eq" && c.value == nil:
		return len(values) == 0
	case c.op == "ne" && len(values) == 0:
		return true
	}
	leaf := c.ref.leaf()
	return slices.ContainsFunc(values, func(v any) bool { return compare(c.op, leaf, v, c.value) })
}

func compare(op string, leaf *attribute, have, want any) bool {
	switch have := have.(type) {
	case bool:
		return (op == "eq") == (have == want)
	case number:
		want, ok := want.(number)
		return ok && ordered(op, compareNumbers(have, want))
	case string:
		want, ok := want.(string)
		return ok && compareText(op, leaf, have, want)
	}
	return false
}

func compareText(op string, leaf *attribute, have, want string) bool {
	if leaf.Type == "dateTime" && op != "co" && op != "sw" && op != "ew" {
		h, ok1 := parseTime(have)
		w, ok2 := parseTime(want)
		return ok1 && ok2 && ordered(op, h.Compare(w))
	}
	if !leaf.CaseExact {
		have, want = fold(have), fold(want)
	}
	switch op {
	case "co":
		return strings.Contains(have, want)
	case "sw":
		return strings.HasPrefix(have, want)
	case "ew":
		return strings.HasSuffix(have, want)
	}
	return ordered(op, strings.Compare(have, want))
}

func ordered(op string, cmp int) bool {
	switch op {
	case "eq":
		return cmp == 0
	case "ne":
		return cmp != 0
	case "gt":
		return cmp > 0
	case "ge":
		return cmp >= 0
	case "lt":
		return cmp < 0
	}
	return cmp <= 0
}

// compareNumbers is exact: 9007199254740993 is not 9007199254740992. Absurd
// exponents, which an exact comparison would have to write out, count as equal
// only when spelled alike.
func compareNumbers(a, b number) int {
	if hugeExponent(a) || hugeExponent(b) {
		return strings.Compare(string(a), string(b))
	}
	x, ok1 := new(big.Rat).SetString(string(a))
	y, ok2 := new(big.Rat).SetString(string(b))
	if !ok1 || !ok2 {
		return strings.Compare(string(a), string(b))
	}
	return x.Cmp(y)
}

func hugeExponent(n number) bool {
	_, exp, ok := strings.Cut(strings.ToLower(string(n)), "e")
	return ok && len(strings.TrimLeft(exp, "+-0")) > 3
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// fold makes strings that differ in case alone equal.
func fold(s string) string { return strings.ToLower(s) }
