package sandbox

import (
	"fmt"
	"strconv"
)

// dialect is whose rules the directory keeps, as data; a nil function means
// that the RFC's own rule applies.
type dialect struct {
	name     string
	base     string // where the resources are found, as the directory names itself
	user     *resourceType
	group    *resourceType
	pageSize int // when the client names none
	pageCap  int

	foldPaths     bool   // /users is /Users
	relative      bool   // meta.location starts with the path, not with the host
	quotedVersion bool   // meta.version is the ETag itself; else the ETag without quotes
	bareFilters   bool   // filter values need no quotes
	needSchemas   bool   // a body without schemas is refused
	hidesInactive bool   // listings show active users only, unless asked
	managerRef    string // what stands before a manager's id in $ref
	managerName   bool   // a manager is shown with displayName
	strictManager bool   // a manager must exist
	alwaysShown   []string
	shortMeta     bool // meta has no created
	softDelete    bool

	mismatch func(rev *revision) error // a version that is not the current one

	seedMore  func(doc *object, dc dice, i int) // what seeded people have beside the ordinary
	normalise func(d *directory, dr draft) error
	checkList func(q *request, t *resourceType, l *listing) error
	failure   func(p *problem, contextID string) []byte
	operation func(q *request, t *resourceType) error // refuses what the dialect does not have
}

// bases are the paths that every dialect answers under, longest first.
func bases() []string { return []string{"/api/v2/scim/v2", "/api/v2/scim", "/scim/v2"} }

func newRFC() (*dialect, error) {
	user, group, err := loadTypes("user.json", "group.json", "enterprise.json")
	return &dialect{
		name: "rfc", base: "/scim/v2", user: user, group: group,
		pageSize: 100, pageCap: 100, quotedVersion: true, needSchemas: true,
		managerRef: "../Users/", managerName: true, failure: rfcFailure,
	}, err
}

func newDialect(name string) (*dialect, error) {
	switch name {
	case "", "rfc":
		return newRFC()
	}
	return nil, fmt.Errorf("--dialect %q: allowed are rfc and genesys", name)
}

// etag is the validator of the ETag header; RFC 7644 §3.14 shows weak ones.
func (d *dialect) etag(r *revision) string {
	if d.quotedVersion {
		return `W/"` + strconv.FormatInt(r.version, 10) + `"`
	}
	return `"` + strconv.FormatInt(r.version, 10) + `"`
}

func (d *dialect) version(r *revision) string {
	if d.quotedVersion {
		return d.etag(r)
	}
	return strconv.FormatInt(r.version, 10)
}

// rfcFailure writes the error body of RFC 7644 §3.12.
func rfcFailure(p *problem, _ string) []byte {
	o := newObject(
		member{"schemas", []any{errorURN}},
		member{"status", strconv.Itoa(p.status)},
	)
	if p.scimType != "" {
		o.set("scimType", p.scimType)
	}
	o.set("detail", p.detail)
	return appendJSON(nil, o)
}
