package plan

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// pair is a value before and after, by their places.
type pair struct{ before, after int }

// matcher pairs the values of two states of a multi-valued attribute.
type matcher struct {
	attr          *scim.Attribute
	before, after []any
	pairs         []pair
	// what has no partner yet, by place
	gone, come []int
}

// match pairs the values of two lists: those of the same identity first, then
// equal ones, then those whose type stands once in either list. What is left
// went or came.
func match(attr *scim.Attribute, before, after []any) (pairs []pair, gone, come []any) {
	m := &matcher{attr: attr, before: before, after: after}
	m.byKey()
	if attr.Name != "members" { // a member is its value, and there may be thousands
		m.by(func(b, a any) bool { return scim.Equal(attr, b, a) })
		m.by(m.soleOfType)
	}
	return m.pairs, pick(before, m.gone), pick(after, m.come)
}

func pick(list []any, places []int) []any {
	var picked []any
	for _, i := range places {
		picked = append(picked, list[i])
	}
	return picked
}

// byKey pairs values of the same identity in time that grows with their number
// and not with its square.
func (m *matcher) byKey() {
	places := make(map[string][]int, len(m.after))
	for j, a := range m.after {
		key := m.key(a)
		places[key] = append(places[key], j)
	}
	for i, b := range m.before {
		key := m.key(b)
		if free := places[key]; len(free) > 0 {
			m.pairs = append(m.pairs, pair{i, free[0]})
			places[key] = free[1:]
		} else {
			m.gone = append(m.gone, i)
		}
	}
	for j, a := range m.after {
		if slices.Contains(places[m.key(a)], j) {
			m.come = append(m.come, j)
		}
	}
}

// key is the identity of a value as text.
func (m *matcher) key(v any) string {
	if o, ok := v.(scim.Object); ok {
		id := identity(m.attr, o)
		parts := make([]string, 0, len(id))
		for name, part := range id {
			text, err := scim.Encode(part)
			if err != nil {
				text = nil
			}
			parts = append(parts, strings.ToLower(name)+"="+string(text))
		}
		slices.Sort(parts)
		return strings.Join(parts, "\x00")
	}
	text, err := scim.Encode(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// by pairs what is left wherever two values are the same in the given sense.
func (m *matcher) by(same func(b, a any) bool) {
	m.gone = slices.DeleteFunc(m.gone, func(i int) bool {
		at := slices.IndexFunc(m.come, func(j int) bool { return same(m.before[i], m.after[j]) })
		if at < 0 {
			return false
		}
		m.pairs = append(m.pairs, pair{i, m.come[at]})
		m.come = slices.Delete(m.come, at, at+1)
		return true
	})
}

// soleOfType says whether two values are the only ones of their type in their
// lists, so that one is the other's successor: a new work address for the old.
func (m *matcher) soleOfType(b, a any) bool {
	typ := typeOf(b)
	return typ != "" && strings.EqualFold(typ, typeOf(a)) && countType(m.before, typ) == 1 && countType(m.after, typ) == 1
}

func typeOf(v any) string {
	o, _ := v.(scim.Object)
	_, typ, _ := scim.Member(o, "type")
	text, _ := typ.(string)
	return text
}

func countType(list []any, typ string) int {
	n := 0
	for _, v := range list {
		if strings.EqualFold(typeOf(v), typ) {
			n++
		}
	}
	return n
}
