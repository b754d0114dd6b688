package scim

import (
	"math/big"
	"strings"
	"time"
)

// Matches says whether an object, such as one value of a multi-valued attribute,
// fits a filter. attrs describes its members. The URN of a path is not looked at:
// an object is the resource, or the part of it, that the filter speaks of.
func Matches(f Filter, o Object, attrs []Attribute) bool {
	switch f := f.(type) {
	case And:
		return Matches(f.Left, o, attrs) && Matches(f.Right, o, attrs)
	case Or:
		return Matches(f.Left, o, attrs) || Matches(f.Right, o, attrs)
	case Not:
		return !Matches(f.Inner, o, attrs)
	case ValueFilter:
		return len(matchingElements(f.Path, o, attrs)) > 0
	case Comparison:
		return matchesComparison(f, o, attrs)
	}
	return false
}

func matchingElements(p Path, o Object, attrs []Attribute) []any {
	_, v, _ := Member(o, p.Attr)
	var subs []Attribute
	if attr := find(attrs, p.Attr); attr != nil {
		subs = attr.SubAttributes
	}
	var fit []any
	for _, e := range elements(v) {
		if element, ok := e.(Object); p.Filter == nil || ok && Matches(p.Filter, element, subs) {
			fit = append(fit, e)
		}
	}
	return fit
}

// elements views any value as a list.
func elements(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func matchesComparison(f Comparison, o Object, attrs []Attribute) bool {
	attr := find(attrs, f.Path.Attr)
	leaf, name := attr, f.Path.Sub
	if attr != nil && attr.Type == "complex" {
		if name == "" {
			name = "value"
		}
		leaf = subOf(attr, name)
	}
	found := false
	for _, e := range matchingElements(f.Path, o, attrs) {
		if element, ok := e.(Object); ok && name != "" {
			_, e, _ = Member(element, name)
		}
		if Unassigned(e) {
			continue
		}
		if f.Op != "ne" && compares(f.Op, leaf, e, f.Value) {
			return true
		}
		found = found || f.Op == "ne" && compares("eq", leaf, e, f.Value)
	}
	return f.Op == "ne" && !found || f.Op == "eq" && f.Value == nil && len(matchingElements(f.Path, o, attrs)) == 0
}

func compares(op string, attr *Attribute, have, want any) bool {
	if op == "pr" {
		return true
	}
	if op == "eq" && Equal(attr, have, want) {
		return true
	}
	a, okA := have.(string)
	b, okB := want.(string)
	if !okA || !okB {
		return comparesNumbers(op, have, want)
	}
	if x, y, ok := times(a, b); ok && attr != nil && attr.Type == "dateTime" {
		return ordered(op, x.Compare(y))
	}
	if attr == nil || !attr.CaseExact {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	switch op {
	case "co":
		return strings.Contains(a, b)
	case "sw":
		return strings.HasPrefix(a, b)
	case "ew":
		return strings.HasSuffix(a, b)
	}
	return ordered(op, strings.Compare(a, b))
}

// times reads two times, which different zones and fractions can make two texts
// of one (RFC 7643 §2.3.5).
func times(a, b string) (x, y time.Time, ok bool) {
	x, errX := time.Parse(time.RFC3339, a)
	y, errY := time.Parse(time.RFC3339, b)
	return x, y, errX == nil && errY == nil
}

func comparesNumbers(op string, have, want any) bool {
	a, okA := have.(Number)
	b, okB := want.(Number)
	if !okA || !okB {
		return false
	}
	x, okX := new(big.Rat).SetString(string(a))
	y, okY := new(big.Rat).SetString(string(b))
	return okX && okY && ordered(op, x.Cmp(y))
}

func ordered(op string, cmp int) bool {
	switch op {
	case "eq":
		return cmp == 0
	case "gt":
		return cmp > 0
	case "ge":
		return cmp >= 0
	case "lt":
		return cmp < 0
	case "le":
		return cmp <= 0
	}
	return false
}
