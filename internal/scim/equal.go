package scim

import (
	"math/big"
	"strings"
	"time"
)

// Equal says whether two values of an attribute mean the same to a directory:
// absent, null and [] are one (RFC 7643 §2.5), names have no case, lists no
// order, numbers and times are compared by what they say, a boolean or a number
// is what its text says, and what the directory tells apart by neither case nor
// form is not told apart here. attr is nil for what no schema describes.
func Equal(attr *Attribute, a, b any) bool {
	if Unassigned(a) || Unassigned(b) {
		return Unassigned(a) && Unassigned(b)
	}
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		return ok && equalMembers(attr, a, b)
	case []any:
		b, ok := b.([]any)
		return ok && equalLists(attr, a, b)
	}
	return equalSimple(attr, a, b)
}

func equalMembers(attr *Attribute, a, b Object) bool {
	return Covers(attr, a, b) && Covers(attr, b, a)
}

// Covers says whether o holds every assigned member of want with an equal
// value. A primary that is false counts as absent: servers add it unasked.
func Covers(attr *Attribute, o, want Object) bool {
	for name, w := range want {
		sub := subOf(attr, name)
		if w == false && strings.EqualFold(name, "primary") {
			w = nil
		}
		_, have, _ := Member(o, name)
		if have == false && w == nil {
			have = nil
		}
		if !Equal(sub, have, w) {
			return false
		}
	}
	return true
}

func subOf(attr *Attribute, name string) *Attribute {
	if attr == nil {
		return nil
	}
	if sub := attr.Sub(name); sub != nil {
		return foldAs(attr, sub)
	}
	return nil
}

// foldAs lets the value of an e-mail address know that it is one.
func foldAs(attr, sub *Attribute) *Attribute {
	if sub.Name == "value" && (attr.Name == "emails" || attr.Name == "phoneNumbers") {
		named := *sub
		named.Name = attr.Name
		return &named
	}
	return sub
}

func equalLists(attr *Attribute, a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	used := make([]bool, len(b))
	for _, x := range a {
		if !takeEqual(attr, x, b, used) {
			return false
		}
	}
	return true
}

func takeEqual(attr *Attribute, x any, list []any, used []bool) bool {
	for i, y := range list {
		if !used[i] && Equal(attr, x, y) {
			used[i] = true
			return true
		}
	}
	return false
}

func equalSimple(attr *Attribute, a, b any) bool {
	if a == b {
		return true
	}
	switch a := a.(type) {
	case Number:
		if text, ok := b.(string); ok {
			return string(a) == text
		}
		b, ok := b.(Number)
		return ok && equalNumbers(a, b)
	case bool:
		b, ok := b.(string)
		return ok && strings.EqualFold(b, boolText(a))
	case string:
		if truth, ok := b.(bool); ok {
			return strings.EqualFold(a, boolText(truth))
		}
		if number, ok := b.(Number); ok {
			return a == string(number)
		}
		b, ok := b.(string)
		return ok && attr != nil && equalText(attr, a, b)
	}
	return false
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func equalNumbers(a, b Number) bool {
	x, okX := new(big.Rat).SetString(string(a))
	y, okY := new(big.Rat).SetString(string(b))
	return okX && okY && x.Cmp(y) == 0
}

func equalText(attr *Attribute, a, b string) bool {
	switch {
	case attr.Type == "dateTime":
		x, errX := time.Parse(time.RFC3339, a)
		y, errY := time.Parse(time.RFC3339, b)
		return errX == nil && errY == nil && x.Equal(y)
	case attr.Name == "phoneNumbers":
		x, okX := canonicalPhone(a)
		y, okY := canonicalPhone(b)
		return okX && okY && x == y
	case Folds(attr):
		return strings.EqualFold(a, b)
	}
	return false
}

// Folds says whether two spellings of a value that differ in case alone are the
// same value. RFC 7643 §2.2 makes nearly every string caseExact=false, so that
// honouring it everywhere would keep people from mending "MULLER" in a display
// name; it is honoured for what identifies somebody.
func Folds(attr *Attribute) bool {
	if attr.CaseExact || attr.Type != "string" {
		return false
	}
	identifies := attr.Uniqueness == "server" || attr.Uniqueness == "global"
	return identifies || attr.Name == "userName" || attr.Name == "emails"
}

// canonicalPhone is an international number without its punctuation: tel: URI
// and E.164 forms of one number are equal (RFC 3966 §5.1.1). National numbers
// are left alone.
func canonicalPhone(s string) (string, bool) {
	s = strings.TrimPrefix(strings.ToLower(s), "tel:")
	if !strings.HasPrefix(s, "+") {
		return "", false
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()\u00a0", r) {
			return -1
		}
		return r
	}, s), true
}
