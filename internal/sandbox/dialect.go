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

	maxBody       int    // bytes; larger bodies get 413
	noCursors     bool   // RFC 9865 is not known
	noSorting     bool   // sortBy is not looked at
	firstParam    bool   // of a repeated parameter only the first counts
	keepsIdentity bool   // a PUT that leaves out userName, displayName or active keeps them
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
	shortMeta     bool     // meta has no created
	softDelete    bool     // a deleted user is kept out of sight
	keepsKeys     bool     // the userName of a deleted user stays taken
	revives       bool     // creating a deleted user's userName brings the user back
	mirrorsEmail  bool     // the e-mail address of type other is the userName
	hidesMembers  bool     // groups show no members
	correlation   string   // header that carries the context id
	quota         *limiter // what is counted without --rate-limit

	mismatch func(rev *revision) error // a version that is not the current one

	seedMore     func(doc *object, dc dice, i int) // what seeded people have beside the ordinary
	scope        func(t *resourceType) scope       // where a filter names things
	revive       func(dead, doc *object) *object   // what a create makes of a deleted user
	normalise    func(d *directory, dr draft) error
	checkList    func(q *request, t *resourceType, l *listing) error
	failure      func(p *problem, contextID string) []byte
	plainError   func(p *problem) bool // whether an error's body is no SCIM message
	quotaHeaders func(a *answer, q quota)
	operation    func(q *request, t *resourceType) error // refuses what the dialect does not have
}

// bases are the paths that every dialect answers under, longest first.
func bases() []string { return []string{"/api/v2/scim/v2", "/api/v2/scim", "/scim/v2"} }

func newRFC() (*dialect, error) {
	user, group, err := loadTypes("user.json", "group.json", "enterprise.json")
	return &dialect{
		name: "rfc", base: "/scim/v2", user: user, group: group,
		pageSize: 100, pageCap: 100, maxBody: maxPayload, quotedVersion: true, needSchemas: true,
		managerRef: "../Users/", managerName: true, failure: rfcFailure, quotaHeaders: rfcQuota,
	}, err
}

func newDialect(name string) (*dialect, error) {
	switch name {
	case "", "rfc":
		return newRFC()
	case "genesys":
		return newGenesys()
	}
	return nil, fmt.Errorf("--dialect %q: allowed are rfc and genesys", name)
}

// adapt applies the options and faults that change the rules themselves.
func (d *dialect) adapt(opt Options, f *faultSet) {
	if opt.PageCap > 0 {
		d.pageCap = opt.PageCap
		d.pageSize = min(d.pageSize, opt.PageCap)
	}
	d.revives = f.has("revive-deleted")
	d.keepsKeys = f.has("keep-deleted-keys")
	d.softDelete = d.softDelete || d.revives || d.keepsKeys
	d.hidesMembers = f.has("hide-members")
	if f.has("non-unique") {
		d.user.uniqueKey = false
	}
	if f.has("keep-string-booleans") {
		d.user.attribute("active").Type = looseBoolean
	}
}

func (d *dialect) errorType(p *problem) string {
	if d.plainError != nil && d.plainError(p) {
		return jsonType
	}
	return scimType
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
