package mapping

import (
	"strings"

	"scimbulk/internal/scim"
)

// pattern reads the parts of a list's element: "name:proficiency".
type pattern struct {
	names []string // of sub-attributes
	attrs []*scim.Attribute
	seps  []string // between them
}

// parsePattern reads "name:proficiency": sub-attributes with what stands
// between them.
func parsePattern(s string, attr *scim.Attribute) (*pattern, *expressionFault) {
	p := &pattern{}
	rest, at := s, 0
	for {
		end := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r) })
		if end < 0 {
			end = len(rest)
		}
		name := rest[:end]
		sub := attr.Sub(name)
		if sub == nil {
			return nil, &expressionFault{at, attr.Name + " has no sub-attribute " + shown(name), didYouMean(scim.Nearest(name, subNames(attr)))}
		}
		p.names, p.attrs = append(p.names, sub.Name), append(p.attrs, sub)
		rest, at = rest[end:], at+end
		if rest == "" {
			return p, nil
		}
		next := strings.IndexFunc(rest, isNameRune)
		if next < 0 {
			return nil, &expressionFault{at, "each must end with a sub-attribute", "for example name:proficiency"}
		}
		p.seps = append(p.seps, rest[:next])
		rest, at = rest[next:], at+next
	}
}

func isNameRune(r rune) bool {
	return r == '$' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func subNames(attr *scim.Attribute) []string {
	list := make([]string, len(attr.SubAttributes))
	for i := range attr.SubAttributes {
		list[i] = attr.SubAttributes[i].Name
	}
	return list
}

// read makes an element of a piece. Parts at its end may be missing; the last
// separator is looked for from the end, so that a name may hold it.
func (p *pattern) read(piece string) (any, error) {
	o := scim.Object{}
	rest := piece
	for i, attr := range p.attrs {
		part := rest
		if i < len(p.seps) {
			at := strings.Index(rest, p.seps[i])
			if i == len(p.seps)-1 {
				at = strings.LastIndex(rest, p.seps[i])
			}
			if at >= 0 {
				part, rest = rest[:at], rest[at+len(p.seps[i]):]
			} else {
				rest = ""
			}
		}
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		v, err := convert(attr, part, nil)
		if v, ok := err.(*valueError); ok {
			return nil, &valueError{attr.Name + ": " + v.message, v.hint}
		}
		if err != nil {
			return nil, err
		}
		o[attr.Name] = v
	}
	if len(o) == 0 {
		return nil, &valueError{shown(piece) + " has no " + strings.Join(p.names, " and no "), ""}
	}
	return o, nil
}
