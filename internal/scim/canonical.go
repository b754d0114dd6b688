package scim

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Canonical is a value in the one form that all values have which [Equal] takes
// for the same; nil for no value. It is for hashes, not to be sent.
func Canonical(attr *Attribute, v any) any {
	if Unassigned(v) {
		return nil
	}
	switch v := v.(type) {
	case Object:
		return canonicalMembers(attr, v)
	case []any:
		return canonicalList(attr, v)
	case Number:
		if r, ok := new(big.Rat).SetString(string(v)); ok {
			return r.RatString()
		}
		return string(v)
	case bool:
		return boolText(v)
	case string:
		return canonicalText(attr, v)
	}
	return v
}

func canonicalMembers(attr *Attribute, o Object) Object {
	c := Object{}
	for name, v := range o {
		name = strings.ToLower(name)
		if v == false && name == "primary" {
			continue // servers add it unasked
		}
		if m := Canonical(subOf(attr, name), v); m != nil {
			c[name] = m
		}
	}
	return c
}

// canonicalList puts the values in an order of their own.
func canonicalList(attr *Attribute, list []any) []any {
	type value struct {
		v    any
		text string
	}
	values := make([]value, len(list))
	for i, v := range list {
		values[i].v = Canonical(attr, v)
		if text, err := Encode(values[i].v); err == nil {
			values[i].text = string(text)
		}
	}
	slices.SortFunc(values, func(a, b value) int { return cmp.Compare(a.text, b.text) })
	sorted := make([]any, len(list))
	for i, v := range values {
		sorted[i] = v.v
	}
	return sorted
}

func canonicalText(attr *Attribute, s string) string {
	if strings.EqualFold(s, "true") || strings.EqualFold(s, "false") {
		return strings.ToLower(s)
	}
	switch {
	case attr == nil:
		return s
	case attr.Type == "dateTime":
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UTC().Format(time.RFC3339Nano)
		}
	case attr.Name == "phoneNumbers":
		if phone, ok := canonicalPhone(s); ok {
			return phone
		}
	case Folds(attr):
		return strings.ToLower(s)
	}
	return s
}
