package plan

import (
	"crypto/sha256"
	"encoding/base64"

	"scimbulk/internal/scim"
)

// Fingerprint tells the attributes of a resource that people can change, each
// by a hash of its canonical value: the parts of a complex attribute one by
// one, the values of a list together. Two resources whose hashes are the same
// mean the same. What has no value is not in it.
func (r *Rules) Fingerprint(o scim.Object) map[string]string {
	prints := map[string]string{}
	o = r.writable(o)
	printSection(prints, "", r.Schema.Core.Attributes, o)
	for i := range r.Schema.Extensions {
		s := &r.Schema.Extensions[i]
		printSection(prints, s.ID, s.Attributes, objectAt(o, s.ID))
	}
	return prints
}

// FingerprintOf is the fingerprint of a resource of which only the named
// attributes were read: those that have no value are in it as "".
func (r *Rules) FingerprintOf(o scim.Object, attributes []string) map[string]string {
	prints := r.Fingerprint(o)
	for _, name := range attributes {
		path, err := scim.ParsePath(name)
		if err != nil {
			continue
		}
		_, attr := r.attributeAt(path)
		if attr == nil || attr.ReadOnly() {
			continue
		}
		for _, key := range printKeys(path.URN, attr) {
			prints[key] += "" // there, if with no value
		}
	}
	return prints
}

func printSection(prints map[string]string, urn string, attrs []scim.Attribute, o scim.Object) {
	for i := range attrs {
		attr := &attrs[i]
		_, v, _ := scim.Member(o, attr.Name)
		if attr.ReadOnly() || scim.Unassigned(v) {
			continue
		}
		path := scim.Path{URN: urn, Attr: attr.Name}
		whole, isComplex := v.(scim.Object)
		if attr.MultiValued || !isComplex {
			setPrint(prints, path, attr, v)
			continue
		}
		for j := range attr.SubAttributes {
			sub := &attr.SubAttributes[j]
			_, part, _ := scim.Member(whole, sub.Name)
			path.Sub = sub.Name
			setPrint(prints, path, sub, part)
		}
	}
}

// printKeys are the names under which an attribute stands in a fingerprint.
func printKeys(urn string, attr *scim.Attribute) []string {
	path := scim.Path{URN: urn, Attr: attr.Name}
	if attr.MultiValued || attr.Type != "complex" {
		return []string{path.Short()}
	}
	var keys []string
	for i := range attr.SubAttributes {
		if sub := &attr.SubAttributes[i]; !sub.ReadOnly() {
			path.Sub = sub.Name
			keys = append(keys, path.Short())
		}
	}
	return keys
}

// printBytes keeps a fingerprint short; with 48 bits, one change in 280 million
// million goes unseen.
const printBytes = 6

func setPrint(prints map[string]string, path scim.Path, attr *scim.Attribute, v any) {
	canonical := scim.Canonical(attr, v)
	if canonical == nil {
		return
	}
	text, err := scim.Encode(canonical)
	if err != nil {
		return // not reached: the value was read from JSON
	}
	sum := sha256.Sum256(text)
	prints[path.Short()] = base64.RawURLEncoding.EncodeToString(sum[:printBytes])
}

// attributeAt finds the definition of the attribute of a path, and its schema's
// URN ("" for the core schema).
func (r *Rules) attributeAt(path scim.Path) (urn string, attr *scim.Attribute) {
	schema := r.Schema.Schema(path.URN)
	if schema == nil {
		return path.URN, nil
	}
	if schema != &r.Schema.Core {
		urn = schema.ID
	}
	return urn, schema.Attribute(path.Attr)
}
