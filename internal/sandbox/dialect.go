package sandbox

import (
	"fmt"
	"strconv"
)

// dialect is whose rules the directory keeps, as data; a nil function means
// that the RFC's own rule applies.
type dialect struct {
	name     string
	base     string // where the directory says that it is
	user     *resourceType
	group    *resourceType
	fixed    []*schema // of the discovery documents, where they are described as well
	pageSize int       // when the client names none
	pageCap  int       // most resources in a page
	maxBody  int       // bytes; larger bodies get 413
	quota    *limiter  // what is counted without --rate-limit

	// Requests.
	foldPaths   bool // /users is /Users
	needSchemas bool // a body without schemas is refused
	noCursors   bool // RFC 9865 is not known
	noSorting   bool // sortBy is not looked at
	firstParam  bool // of a repeated parameter only the first counts
	bareFilters bool // filter values need no quotes

	// Answers.
	relative      bool     // locations start with the path, not with the host
	quotedVersion bool     // meta.version is the ETag; else the ETag without its quotes
	shortMeta     bool     // meta has no created
	hidesMembers  bool     // groups show no members
	alwaysShown   []string // whatever attributes and excludedAttributes say
	correlation   string   // header that carries the context id

	// Resources.
	managerRef    string // what stands before a manager's id in $ref
	managerName   bool   // a manager is shown with displayName
	strictManager bool   // a manager must exist
	mirrorsEmail  bool   // the e-mail address of type other is the userName
	keepsIdentity bool   // a PUT that leaves out userName, displayName or active keeps them
	softDelete    bool   // a deleted user is kept out of sight
	keepsKeys     bool   // the userName of a deleted user stays taken
	revives       bool   // creating a deleted user's userName brings the user back

	operation    func(q *request, t *resourceType) error             // refuses what there is not, or what the token may not
	scope        func(t *resourceType) scope                         // where a filter's names are looked up
	checkList    func(q *request, t *resourceType, l *listing) error // holds listings to the documented ones
	normalise    func(d *directory, dr draft) error                  // the rules for a resource that is written
	revive       func(dead, doc *object) *object                     // what a create makes of a deleted user
	seedMore     func(doc *object, dc dice, i int)                   // what seeded people have beside the ordinary
	mismatch     func(rev *revision) error                           // If-Match is not the current version
	failure      func(p *problem, contextID string) []byte           // the body of an error
	plainError   func(p *problem) bool                               // whether that body is no SCIM message
	quotaHeaders func(a *answer, q quota)
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
	d.noCursors = d.noCursors || f.has("no-cursor")
	d.noSorting = d.noSorting || f.has("ignore-sort")
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
