package sandbox

import (
	"encoding/base64"
	"slices"
	"strings"
)

// admit turns a client's document into what the directory may keep: canonical
// names, every value of its declared type, unassigned, read-only and unknown
// members left out. The schemas attribute is checked by its callers.
func (t *resourceType) admit(in *object) (*object, error) {
	out := newObject()
	for _, m := range in.members {
		ref, ok := t.resolve(m.name)
		if !ok || ref.sub != nil {
			continue
		}
		if err := admitMember(out, ref, t, m.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func admitMember(out *object, ref attrRef, t *resourceType, v any) error {
	if ref.attr == nil {
		return t.admitExtension(out, ref.urn, v)
	}
	if ref.attr.readOnly() || ref.attr.Name == "schemas" {
		return nil
	}
	v, err := ref.attr.admit(ref.name(), v)
	if err != nil || unassigned(v) {
		return err
	}
	dst := out
	if ref.urn != "" {
		if dst = out.child(ref.urn); dst == nil {
			dst = newObject()
			out.members = append(out.members, member{ref.urn, dst})
		}
	}
	if dst.index(ref.attr.Name) >= 0 {
		return badSyntax("attribute %s is given twice", ref.name())
	}
	dst.set(ref.attr.Name, v)
	return nil
}

func (t *resourceType) admitExtension(out *object, urn string, v any) error {
	if unassigned(v) || urn == "" {
		return nil
	}
	ext, ok := v.(*object)
	if !ok {
		return badValue("%s must be an object", urn)
	}
	for _, m := range ext.members {
		a := findAttribute(t.extension(urn).Attributes, m.name)
		if a == nil {
			continue
		}
		if err := admitMember(out, attrRef{urn: urn, attr: a}, t, m.value); err != nil {
			return err
		}
	}
	return nil
}

// admit checks one attribute's value; path is for the message.
func (a *attribute) admit(path string, v any) (any, error) {
	if unassigned(v) {
		return nil, nil
	}
	if !a.MultiValued {
		return a.admitOne(path, v)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, badValue("%s is multi-valued: an array is needed", path)
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		v, err := a.admitOne(path, e)
		if err != nil {
			return nil, err
		}
		if !unassigned(v) {
			out = append(out, v)
		}
	}
	return out, checkPrimary(path, out)
}

func (a *attribute) admitOne(path string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if !a.complex() {
		return v, a.checkSimple(path, v)
	}
	in, ok := v.(*object)
	if !ok {
		return nil, badValue("%s is complex: an object is needed", path)
	}
	out := newObject()
	for _, m := range in.members {
		sub := a.sub(m.name)
		if sub == nil || sub.readOnly() || unassigned(m.value) {
			continue
		}
		if out.index(sub.Name) >= 0 {
			return nil, badSyntax("attribute %s.%s is given twice", path, sub.Name)
		}
		v, err := sub.admit(path+"."+sub.Name, m.value)
		if err != nil {
			return nil, err
		}
		out.set(sub.Name, v)
	}
	return out, nil
}

// looseBoolean is the type of active by fault keep-string-booleans.
const looseBoolean = "boolean or text"

// checkSimple holds a value to its type (RFC 7643 §2.3).
func (a *attribute) checkSimple(path string, v any) error {
	text, isText := v.(string)
	num, isNumber := v.(number)
	ok := isText
	switch a.Type {
	case "boolean":
		_, ok = v.(bool)
	case looseBoolean:
		_, ok = v.(bool)
		ok = ok || isText
	case "integer":
		ok = isNumber && !strings.ContainsAny(string(num), ".eE")
	case "decimal":
		ok = isNumber
	case "dateTime":
		_, valid := parseTime(text)
		ok = isText && valid
	case "binary":
		ok = isText && isBase64(text)
	}
	if !ok {
		return badValue("%s must be a %s", path, a.Type)
	}
	return nil
}

func isBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	if _, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return true
	}
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}

// checkPrimary lets primary be true at most once (RFC 7643 §2.4).
func checkPrimary(path string, list []any) error {
	count := 0
	for _, e := range list {
		if o, ok := e.(*object); ok && o.get("primary") == true {
			count++
		}
	}
	if count > 1 {
		return badValue("%s: primary is true for %d values; at most one is allowed", path, count)
	}
	return nil
}

// checkSchemas wants the type's own URN in schemas (RFC 7643 §3).
func (t *resourceType) checkSchemas(in *object) error {
	urns, ok := in.get("schemas").([]any)
	if !ok {
		return badValue("schemas is required: [%q]", t.core.ID)
	}
	for _, u := range urns {
		text, isText := u.(string)
		if !isText {
			return badValue("schemas must hold strings")
		}
		if !strings.EqualFold(text, t.core.ID) && t.extension(text) == nil {
			return badValue("schemas: %s is not a schema of a %s", text, t.name)
		}
	}
	if !slices.ContainsFunc(urns, func(u any) bool { return strings.EqualFold(u.(string), t.core.ID) }) {
		return badValue("schemas must hold %s", t.core.ID)
	}
	return nil
}

// checkRequired wants a value, and one that is not blank, for what is required.
func (t *resourceType) checkRequired(doc *object) error {
	for _, a := range t.core.Attributes {
		if !a.Required || a.readOnly() {
			continue
		}
		v := doc.get(a.Name)
		if text, isText := v.(string); unassigned(v) || isText && strings.TrimSpace(text) == "" {
			return badValue("%s is required", a.Name)
		}
	}
	return t.checkRequiredSubs(doc)
}

func (t *resourceType) checkRequiredSubs(doc *object) error {
	for _, s := range t.extensions {
		for _, a := range s.Attributes {
			for _, e := range doc.child(s.ID).list(a.Name) {
				if err := a.checkSubs(s.ID+":"+a.Name, e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *attribute) checkSubs(path string, v any) error {
	o, _ := v.(*object)
	for _, sub := range a.SubAttributes {
		if sub.Required && unassigned(o.get(sub.Name)) {
			return badValue("%s.%s is required", path, sub.Name)
		}
	}
	return nil
}
