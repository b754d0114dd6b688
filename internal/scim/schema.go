package scim

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Attribute is the definition of an attribute (RFC 7643 §7). Characteristics
// that a schema leaves out have the defaults of RFC 7643 §2.2.
type Attribute struct {
	Name            string      `json:"name"`
	Type            string      `json:"type"` // string boolean decimal integer dateTime reference binary complex
	MultiValued     bool        `json:"multiValued"`
	Required        bool        `json:"required"`
	CaseExact       bool        `json:"caseExact"`
	Mutability      string      `json:"mutability"` // readWrite readOnly immutable writeOnly
	Returned        string      `json:"returned"`   // default always never request
	Uniqueness      string      `json:"uniqueness"` // none server global
	CanonicalValues []string    `json:"canonicalValues"`
	ReferenceTypes  []string    `json:"referenceTypes"`
	SubAttributes   []Attribute `json:"subAttributes"`
}

// ReadOnly says whether clients may not write the attribute.
func (a *Attribute) ReadOnly() bool { return strings.EqualFold(a.Mutability, "readOnly") }

// Verifiable says whether a value that was written can be read back.
func (a *Attribute) Verifiable() bool {
	return !strings.EqualFold(a.Returned, "never") && !strings.EqualFold(a.Returned, "request") &&
		!strings.EqualFold(a.Mutability, "writeOnly")
}

// Sub finds a sub-attribute whatever the case of its name, or returns nil.
func (a *Attribute) Sub(name string) *Attribute { return find(a.SubAttributes, name) }

// Schema is a schema definition (RFC 7643 §7).
type Schema struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Attributes []Attribute `json:"attributes"`
}

// Attribute finds an attribute whatever the case of its name, or returns nil.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

func find(list []Attribute, name string) *Attribute {
	for i := range list {
		if strings.EqualFold(list[i].Name, name) {
			return &list[i]
		}
	}
	return nil
}

// ResourceSchema is everything that a resource of one type may hold: its core
// schema and its extensions. It is safe for concurrent reading.
type ResourceSchema struct {
	Resource   string // "User", "Group"
	Core       Schema // with the common attributes of RFC 7643 §3.1
	Extensions []Schema
	Served     bool // what the directory says of itself, and not the built-in one
}

// Builtin is the schema of a User or a Group as RFC 7643 §4 defines it, with
// the enterprise and Genesys Cloud extensions, for directories that serve none.
// It returns nil for any other resource.
func Builtin(resource string) *ResourceSchema {
	switch {
	case strings.EqualFold(resource, "User"):
		return newResourceSchema("User", userSchema(), enterpriseSchema(), genesysSchema())
	case strings.EqualFold(resource, "Group"):
		return newResourceSchema("Group", groupSchema())
	}
	return nil
}

func newResourceSchema(resource string, core Schema, extensions ...Schema) *ResourceSchema {
	var missing []Attribute
	for _, a := range commonAttributes() {
		if core.Attribute(a.Name) == nil {
			missing = append(missing, a)
		}
	}
	core.Attributes = append(missing, core.Attributes...)
	return &ResourceSchema{Resource: resource, Core: core, Extensions: extensions}
}

// ParseSchemas reads schema documents as /Schemas serves them. Documents that
// are not schemas are an error that names their position.
func ParseSchemas(docs []jsontext.Value) ([]Schema, error) {
	schemas := make([]Schema, 0, len(docs))
	for i, doc := range docs {
		var s Schema
		if err := json.Unmarshal(doc, &s, json.MatchCaseInsensitiveNames(true)); err != nil {
			return nil, fmt.Errorf("schema %d: %w", i+1, err)
		}
		if s.ID == "" {
			return nil, fmt.Errorf("schema %d: no id", i+1)
		}
		schemas = append(schemas, s)
	}
	return schemas, nil
}

// NewResourceSchema picks the schemas of a resource type out of those that a
// directory serves. It returns the built-in ones where the directory does not
// describe the core schema with its attributes.
func NewResourceSchema(resource string, served []Schema) *ResourceSchema {
	builtin := Builtin(resource)
	var core *Schema
	var extensions []Schema
	for i, s := range served {
		switch {
		case len(s.Attributes) == 0:
		case builtin != nil && strings.EqualFold(s.ID, builtin.Core.ID):
			core = &served[i]
		case strings.Contains(strings.ToLower(s.ID), ":extension:") && strings.HasSuffix(strings.ToLower(s.ID), ":"+strings.ToLower(resource)):
			extensions = append(extensions, s)
		}
	}
	if core == nil {
		return builtin
	}
	rs := newResourceSchema(builtin.Resource, *core, extensions...)
	rs.Served = true
	return rs
}

// Schema finds the schema of a URN; "" is the core schema.
func (rs *ResourceSchema) Schema(urn string) *Schema {
	if urn == "" || strings.EqualFold(urn, rs.Core.ID) {
		return &rs.Core
	}
	for i := range rs.Extensions {
		if strings.EqualFold(rs.Extensions[i].ID, urn) {
			return &rs.Extensions[i]
		}
	}
	return nil
}

// Target is where an assignment goes: a path in canonical spelling and what
// the schema says of it.
type Target struct {
	Path Path
	Attr *Attribute
	Sub  *Attribute // nil where the path addresses the attribute as a whole
}

// Leaf is the definition of the values that stand at the path.
func (t *Target) Leaf() *Attribute {
	if t.Sub != nil {
		return t.Sub
	}
	return t.Attr
}

// List says whether the path addresses all values of a multi-valued attribute.
func (t *Target) List() bool { return t.Attr.MultiValued && t.Path.Filter == nil && t.Sub == nil }

// ReadOnly says whether the directory decides the value.
func (t *Target) ReadOnly() bool {
	return t.Attr.ReadOnly() || (t.Sub != nil && t.Sub.ReadOnly())
}

// PathError says what is wrong with a path that the schema does not know.
type PathError struct {
	Path    string
	Message string
	Hint    string // how to mend it, or ""
}

func (e *PathError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Resolve looks a path up. A complex attribute that is addressed as a whole
// means its value sub-attribute where it has one (manager, emails[type eq
// "work"]). An attribute of an extension is found without its URN where the
// core schema has none of that name. Read-only paths are found: see
// [Target.ReadOnly].
func (rs *ResourceSchema) Resolve(p Path) (*Target, error) {
	schema, attr, err := rs.attribute(p)
	if err != nil {
		return nil, err
	}
	t := &Target{Attr: attr, Path: Path{Attr: attr.Name, Filter: p.Filter}}
	if schema != &rs.Core {
		t.Path.URN = schema.ID
	}
	if p.Filter != nil && !attr.MultiValued {
		return nil, &PathError{p.Short(), attr.Name + " has one value", "leave the filter out"}
	}
	if err := rs.resolveSub(t, p); err != nil {
		return nil, err
	}
	return t, nil
}

func (rs *ResourceSchema) attribute(p Path) (*Schema, *Attribute, error) {
	schema := rs.Schema(p.URN)
	if schema == nil {
		return nil, nil, &PathError{p.Short(), fmt.Sprintf("the directory has no schema %s for %s resources", p.URN, rs.Resource), rs.hint(p)}
	}
	if attr := schema.Attribute(p.Attr); attr != nil {
		return schema, attr, nil
	}
	if p.URN == "" {
		for i := range rs.Extensions {
			if attr := rs.Extensions[i].Attribute(p.Attr); attr != nil {
				return &rs.Extensions[i], attr, nil
			}
		}
	}
	return nil, nil, &PathError{p.Short(), fmt.Sprintf("%s has no attribute %s", rs.Resource, p.Short()), rs.hint(p)}
}

func (rs *ResourceSchema) resolveSub(t *Target, p Path) error {
	attr := t.Attr
	name := p.Sub
	if name == "" && (!attr.MultiValued || p.Filter != nil) && attr.Sub("value") != nil {
		name = "value"
	}
	switch {
	case name == "" && attr.Type == "complex" && !attr.MultiValued:
		return &PathError{p.Short(), attr.Name + " is made of parts", "name one, such as " + (Path{URN: p.URN, Attr: attr.Name, Sub: attr.SubAttributes[0].Name}).Short()}
	case name == "":
		return nil
	case attr.MultiValued && p.Filter == nil:
		return &PathError{p.Short(), fmt.Sprintf("%s can hold several values and nothing says which one is meant", attr.Name), rs.choice(t, name)}
	}
	if t.Sub = attr.Sub(name); t.Sub == nil {
		near := Nearest(name, names(attr.SubAttributes))
		if near != "" {
			near = "did you mean " + Path{URN: t.Path.URN, Attr: attr.Name, Filter: p.Filter, Sub: near}.Short() + "?"
		}
		return &PathError{p.Short(), fmt.Sprintf("%s has no sub-attribute %s", attr.Name, name), near}
	}
	t.Path.Sub = t.Sub.Name
	return nil
}

// choice shows a path that says which value of a multi-valued attribute is meant.
func (rs *ResourceSchema) choice(t *Target, sub string) string {
	if typ := t.Attr.Sub("type"); typ != nil {
		value := "work"
		if len(typ.CanonicalValues) > 0 {
			value = typ.CanonicalValues[0]
		}
		path := Path{URN: t.Path.URN, Attr: t.Attr.Name, Sub: sub, Filter: Comparison{Path{Attr: "type"}, "eq", value}}
		return "write " + path.Short()
	}
	return "write " + Path{URN: t.Path.URN, Attr: t.Attr.Name}.Short() + " for the whole list"
}

// hint names the known path nearest to one that is not known: one that ends in
// the very name, or one that is spelt like it.
func (rs *ResourceSchema) hint(p Path) string {
	known := rs.paths()
	near := Nearest(p.Attr, known)
	for _, k := range known {
		if strings.EqualFold(k[strings.LastIndexAny(k, ".:")+1:], p.Attr) {
			near = k
			break
		}
	}
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// paths lists the short paths of all attributes and of the parts of the
// complex single-valued ones, which is what people leave the parent out of
// (givenName for name.givenName).
func (rs *ResourceSchema) paths() []string {
	var list []string
	add := func(urn string, attrs []Attribute) {
		for _, a := range attrs {
			list = append(list, Path{URN: urn, Attr: a.Name}.Short())
			for _, s := range a.SubAttributes {
				if !a.MultiValued {
					list = append(list, Path{URN: urn, Attr: a.Name, Sub: s.Name}.Short())
				}
			}
		}
	}
	add("", rs.Core.Attributes)
	for _, s := range rs.Extensions {
		add(s.ID, s.Attributes)
	}
	return list
}

func names(attrs []Attribute) []string {
	list := make([]string, len(attrs))
	for i := range attrs {
		list[i] = attrs[i].Name
	}
	return list
}
