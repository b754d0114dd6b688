package sandbox

import (
	"embed"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	purecloudURN  = "urn:ietf:params:scim:schemas:extension:genesys:purecloud:2.0:User"

	listURN   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	errorURN  = "urn:ietf:params:scim:api:messages:2.0:Error"
	patchURN  = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

// attribute is an attribute's definition (RFC 7643 §7).
type attribute struct {
	Name            string       `json:"name"`
	Type            string       `json:"type"`
	MultiValued     bool         `json:"multiValued"`
	Required        bool         `json:"required"`
	CaseExact       bool         `json:"caseExact"`
	CanonicalValues []string     `json:"canonicalValues"`
	Mutability      string       `json:"mutability"`
	Returned        string       `json:"returned"`
	SubAttributes   []*attribute `json:"subAttributes"`
}

func (a *attribute) sub(name string) *attribute { return findAttribute(a.SubAttributes, name) }

func (a *attribute) complex() bool  { return a.Type == "complex" }
func (a *attribute) readOnly() bool { return a.Mutability == "readOnly" }

func findAttribute(list []*attribute, name string) *attribute {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

type schema struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Attributes []*attribute `json:"attributes"`
	raw        jsontext.Value
}

// resourceType joins a core schema, its extensions and the common attributes
// (RFC 7643 §6 and §3.1).
type resourceType struct {
	name       string // as in meta.resourceType
	endpoint   string // as in the path
	core       *schema
	extensions []*schema
	common     []*attribute
	key        string // the attribute by which people know a resource
	uniqueKey  bool
}

func (t *resourceType) extension(urn string) *schema {
	for _, s := range t.extensions {
		if strings.EqualFold(s.ID, urn) {
			return s
		}
	}
	return nil
}

// attribute finds a core or common attribute.
func (t *resourceType) attribute(name string) *attribute {
	if a := findAttribute(t.core.Attributes, name); a != nil {
		return a
	}
	return findAttribute(t.common, name)
}

func loadSchema(file string) (*schema, error) {
	raw, err := schemaFiles.ReadFile("schemas/" + file)
	if err != nil {
		return nil, err
	}
	s := &schema{raw: raw}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("schema %s: %w", file, err)
	}
	return s, s.raw.Compact()
}

// loadFixed reads the schemas of the discovery documents (RFC 7643 §8.7.2; the
// RFC's own list leaves out etag, which its §5 requires).
func loadFixed() ([]*schema, error) {
	var fixed []*schema
	for _, file := range []string{"config.json", "resourcetype.json", "schema.json"} {
		s, err := loadSchema(file)
		if err != nil {
			return nil, err
		}
		fixed = append(fixed, s)
	}
	return fixed, nil
}

// loadTypes reads the user and the group schema and the user's extensions.
func loadTypes(user, group string, extensions ...string) (users, groups *resourceType, err error) {
	users = &resourceType{name: "User", endpoint: "Users", key: "userName", uniqueKey: true, common: commonAttributes()}
	groups = &resourceType{name: "Group", endpoint: "Groups", key: "displayName", common: commonAttributes()}
	if users.core, err = loadSchema(user); err != nil {
		return nil, nil, err
	}
	if groups.core, err = loadSchema(group); err != nil {
		return nil, nil, err
	}
	for _, file := range extensions {
		s, err := loadSchema(file)
		if err != nil {
			return nil, nil, err
		}
		users.extensions = append(users.extensions, s)
	}
	return users, groups, nil
}

// commonAttributes are on every resource and in no schema document (RFC 7643 §3.1).
func commonAttributes() []*attribute {
	text := func(name, mutability string) *attribute {
		return &attribute{Name: name, Type: "string", CaseExact: true, Mutability: mutability, Returned: "default"}
	}
	id, schemas := text("id", "readOnly"), text("schemas", "readWrite")
	id.Returned, schemas.Returned = "always", "always"
	schemas.MultiValued = true
	instant := func(name string) *attribute {
		return &attribute{Name: name, Type: "dateTime", Mutability: "readOnly", Returned: "default"}
	}
	meta := &attribute{Name: "meta", Type: "complex", Mutability: "readOnly", Returned: "default", SubAttributes: []*attribute{
		text("resourceType", "readOnly"), instant("created"), instant("lastModified"),
		text("location", "readOnly"), text("version", "readOnly"),
	}}
	return []*attribute{schemas, id, text("externalId", "readWrite"), meta}
}
