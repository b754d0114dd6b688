package sandbox

import (
	"strings"
)

// attrRef is an attribute path resolved against a resource type (RFC 7644
// §3.10). Without attr it means a whole schema: an extension, or the core.
type attrRef struct {
	urn  string // of the extension that holds the attribute; "" in the core
	attr *attribute
	sub  *attribute
}

func (r attrRef) name() string {
	name := r.urn
	if r.attr != nil {
		if name != "" {
			name += ":"
		}
		name += r.attr.Name
	}
	if r.sub != nil {
		name += "." + r.sub.Name
	}
	return name
}

// leaf is the attribute that a comparison reads: emails means emails.value.
func (r attrRef) leaf() *attribute {
	switch {
	case r.sub != nil:
		return r.sub
	case r.attr != nil && r.attr.complex():
		return r.attr.sub("value")
	}
	return r.attr
}

// splitURN takes a known schema's URN off the front. URNs hold dots and
// colons, so only comparing with the known ones is safe.
func (t *resourceType) splitURN(text string) (s *schema, rest string, ok bool) {
	for _, s := range append([]*schema{t.core}, t.extensions...) {
		if len(text) < len(s.ID) || !strings.EqualFold(text[:len(s.ID)], s.ID) {
			continue
		}
		rest := text[len(s.ID):]
		if rest == "" || rest[0] == ':' {
			return s, strings.TrimPrefix(rest, ":"), true
		}
	}
	return t.core, text, !strings.HasPrefix(strings.ToLower(text), "urn:")
}

// resolve reads [URN ":"] name ["." sub].
func (t *resourceType) resolve(text string) (attrRef, bool) {
	s, rest, ok := t.splitURN(text)
	if !ok {
		return attrRef{}, false
	}
	ref := attrRef{}
	if s != t.core {
		ref.urn = s.ID
	}
	if rest == "" {
		return ref, s != t.core || text != ""
	}
	name, sub, dotted := strings.Cut(rest, ".")
	if s == t.core {
		ref.attr = t.attribute(name)
	} else {
		ref.attr = findAttribute(s.Attributes, name)
	}
	if ref.attr == nil {
		return attrRef{}, false
	}
	if dotted {
		ref.sub = ref.attr.sub(sub)
	}
	return ref, !dotted || ref.sub != nil
}

// scope is where the names of a filter are looked up: in a resource type, or
// between brackets in the sub-attributes of one attribute.
type scope interface {
	resolve(text string) (attrRef, bool)
}

// elementScope resolves names inside a value filter.
type elementScope struct{ attr *attribute }

func (e elementScope) resolve(text string) (attrRef, bool) {
	if !e.attr.complex() {
		// A simple multi-valued attribute has no sub-attributes, yet its
		// values can be selected (erratum 7122 of RFC 7644).
		if strings.EqualFold(text, "value") {
			leaf := *e.attr
			leaf.Name, leaf.MultiValued = "value", false
			return attrRef{attr: &leaf}, true
		}
		return attrRef{}, false
	}
	a := e.attr.sub(text)
	return attrRef{attr: a}, a != nil
}

// target is a PATCH path (RFC 7644 §3.5.2, figure 7).
type target struct {
	attrRef
	filter expr // nil without brackets
}

// parsePath reads attrPath / valuePath [subAttr]; bare says whether values may
// stand without double quotes.
func parsePath(t *resourceType, text string, bare bool) (target, error) {
	p := &parser{text: text, scope: t, bare: bare}
	ref, err := p.attribute()
	if err != nil {
		return target{}, badPath("path %q: %s", text, err.(*problem).detail)
	}
	tgt := target{attrRef: ref}
	if p.peek() == '[' {
		if tgt, err = p.valueTarget(ref); err != nil {
			return target{}, badPath("path %q: %s", text, err.(*problem).detail)
		}
	}
	if p.pos != len(text) {
		return target{}, badPath("path %q: unexpected %q", text, text[p.pos:])
	}
	return tgt, nil
}

// valueTarget reads "[" filter "]" ["." sub] after ref.
func (p *parser) valueTarget(ref attrRef) (target, error) {
	if ref.attr != nil && !ref.attr.MultiValued {
		return target{}, badFilter("%s has one value: nothing is to be selected", ref.name())
	}
	x, err := p.valueFilter(ref)
	if err != nil {
		return target{}, err
	}
	tgt := target{attrRef: ref, filter: x}
	if p.peek() != '.' {
		return tgt, nil
	}
	p.pos++
	name := p.word()
	if tgt.sub = ref.attr.sub(name); tgt.sub == nil {
		return target{}, badFilter("%s has no sub-attribute %q", ref.attr.Name, name)
	}
	return tgt, nil
}
