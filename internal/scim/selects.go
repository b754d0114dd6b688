package scim

import (
	"fmt"
	"slices"
	"strings"
)

// Selects says whether a resource fits a filter (RFC 7644 §3.4.2.2). Beside what
// [Matches] does it knows which schema a path is of.
func (rs *ResourceSchema) Selects(f Filter, o Object) bool {
	switch f := f.(type) {
	case And:
		return rs.Selects(f.Left, o) && rs.Selects(f.Right, o)
	case Or:
		return rs.Selects(f.Left, o) || rs.Selects(f.Right, o)
	case Not:
		return !rs.Selects(f.Inner, o)
	case ValueFilter:
		part, attrs := rs.part(f.Path, o)
		return Matches(f, part, attrs)
	case Comparison:
		part, attrs := rs.part(f.Path, o)
		return Matches(f, part, attrs)
	}
	return false
}

// part is what of a resource the schema of a path describes.
func (rs *ResourceSchema) part(p Path, o Object) (Object, []Attribute) {
	schema, _, err := rs.attribute(p)
	switch {
	case err != nil:
		return o, rs.Core.Attributes
	case schema == &rs.Core:
		return o, schema.Attributes
	}
	_, v, _ := Member(o, schema.ID)
	inner, _ := v.(Object)
	return inner, schema.Attributes
}

// CheckFilter says what keeps a filter from being evaluated on resources that
// were read: attributes that the schema does not know, which would fit nobody
// without a word, and attributes that nobody can read.
func (rs *ResourceSchema) CheckFilter(f Filter) error {
	for p := range filterPaths(f) {
		_, attr, err := rs.attribute(p)
		if err != nil {
			return err
		}
		if !attr.Verifiable() {
			return &PathError{p.Short(), attr.Name + " cannot be read, so that no filter can look at it", ""}
		}
		for _, name := range subNames(p) {
			if attr.Sub(name) == nil && len(attr.SubAttributes) > 0 {
				return &PathError{p.Short(), fmt.Sprintf("%s has no sub-attribute %s", attr.Name, name), didYouMean(Nearest(name, names(attr.SubAttributes)))}
			}
		}
	}
	return nil
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "did you mean " + name + "?"
}

// subNames are the sub-attributes that a path speaks of.
func subNames(p Path) []string {
	var list []string
	if p.Sub != "" {
		list = append(list, p.Sub)
	}
	if p.Filter != nil {
		for inner := range filterPaths(p.Filter) {
			list = append(list, inner.Attr)
		}
	}
	return list
}

// FilterAttributes are the attributes that a filter looks at, in full and
// without their parts.
func (rs *ResourceSchema) FilterAttributes(f Filter) []string {
	var list []string
	for p := range filterPaths(f) {
		full := rs.qualifyPath(p)
		if name := (Path{URN: full.URN, Attr: full.Attr}).String(); !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) }) {
			list = append(list, name)
		}
	}
	return list
}

// Qualify writes the paths of a filter out as the schema has them, with the URN
// of an extension where somebody has left it out: that is how a directory knows
// them (RFC 7644 §3.10).
func (rs *ResourceSchema) Qualify(f Filter) Filter {
	switch f := f.(type) {
	case And:
		return And{rs.Qualify(f.Left), rs.Qualify(f.Right)}
	case Or:
		return Or{rs.Qualify(f.Left), rs.Qualify(f.Right)}
	case Not:
		return Not{rs.Qualify(f.Inner)}
	case ValueFilter:
		return ValueFilter{rs.qualifyPath(f.Path)}
	case Comparison:
		f.Path = rs.qualifyPath(f.Path)
		return f
	}
	return f
}

func (rs *ResourceSchema) qualifyPath(p Path) Path {
	schema, attr, err := rs.attribute(p)
	if err != nil {
		return p
	}
	if p.Attr = attr.Name; schema != &rs.Core {
		p.URN = schema.ID
	}
	return p
}

// filterPaths yields the attribute paths of a filter, from left to right.
func filterPaths(f Filter) func(yield func(Path) bool) {
	return func(yield func(Path) bool) { eachPath(f, yield) }
}

func eachPath(f Filter, yield func(Path) bool) bool {
	switch f := f.(type) {
	case And:
		return eachPath(f.Left, yield) && eachPath(f.Right, yield)
	case Or:
		return eachPath(f.Left, yield) && eachPath(f.Right, yield)
	case Not:
		return eachPath(f.Inner, yield)
	case ValueFilter:
		return yield(f.Path)
	case Comparison:
		return yield(f.Path)
	}
	return true
}
