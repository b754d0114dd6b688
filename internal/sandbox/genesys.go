package sandbox

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	genesysBase = "/api/v2/scim/v2"

	// The vendor's page size, above which a listing has to leave out what is
	// looked up elsewhere.
	genesysPage = 25
	// No maximum is documented; this one shows that a server may cap silently.
	genesysPageCap = 100
	// request.bytes.max of the vendor's limits page.
	genesysMaxBody = 512_000
	// At most so many skills, and as many languages, a user.
	genesysMaxRatings = 50

	// scimAuthority begins the authority under which externalId is kept; the
	// name of the OAuth client follows.
	scimAuthority = "x-pc:scimv2:v1"
)

func newGenesys() (*dialect, error) {
	user, group, err := loadTypes("genesys_user.json", "genesys_group.json", "genesys_enterprise.json", "genesys_purecloud.json")
	if err != nil {
		return nil, err
	}
	fixed, err := loadFixed()
	return &dialect{
		name: "genesys", base: genesysBase, user: user, group: group, fixed: fixed,
		pageSize: genesysPage, pageCap: genesysPageCap, maxBody: genesysMaxBody,
		foldPaths: true, relative: true, bareFilters: true, noCursors: true, noSorting: true, firstParam: true,
		keepsIdentity: true, shortMeta: true, softDelete: true, mirrorsEmail: true, strictManager: true,
		managerRef: genesysBase + "/users/", alwaysShown: []string{"id", "userName", "active", "meta"},
		correlation: "ININ-Correlation-Id", quotaHeaders: genesysQuota,
		quota:     &limiter{n: 1_000_000, per: time.Minute, window: true, free: true},
		normalise: genesysNormalise, revive: genesysRevive, seedMore: genesysSeed, scope: genesysScope,
		checkList: genesysCheckList, operation: genesysOperation, mismatch: genesysMismatch,
		failure: genesysFailure, plainError: func(p *problem) bool { return p.scimType == "" },
	}, err
}

// genesysFailure writes one of the vendor's two error bodies: the SCIM one for
// errors with a scimType, else its own.
func genesysFailure(p *problem, contextID string) []byte {
	if p.scimType != "" {
		return rfcFailure(p, contextID)
	}
	code := p.code
	if code == "" {
		code = map[int]string{400: "bad.request", 401: "bad.credentials", 403: "not.authorized", 404: "not.found", 405: "method.not.allowed",
			413: "request.entity.too.large", 415: "unsupported.media.type", 429: "too.many.requests", 503: "service.unavailable"}[p.status]
	}
	if code == "" {
		code = "internal.server.error"
	}
	return appendJSON(nil, newObject(
		member{"message", p.detail}, member{"code", code}, member{"status", itoa(p.status)}, member{"contextId", contextID},
		member{"details", []any{}}, member{"errors", []any{}},
	))
}

func genesysMismatch(rev *revision) error {
	return refuse(400, "invalidVers", "Version does not match current version: %d", rev.version)
}

// genesysQuota writes the vendor's headers; reset is in seconds from now.
func genesysQuota(a *answer, q quota) {
	a.set("inin-ratelimit-count", strconv.Itoa(q.limit-q.left))
	a.set("inin-ratelimit-allowed", strconv.Itoa(q.limit))
	a.set("inin-ratelimit-reset", strconv.Itoa(seconds(q.reset)))
}

// genesysPermissions lists the permissions of which an operation needs any.
func genesysPermissions(method string, t *resourceType) []string {
	extra := []string{"authorization:grant:add", "authorization:grant:delete", "routing:skill:assign", "routing:language:assign", "telephony:extension:assign"}
	switch {
	case t.name == "Group":
		return []string{"directory:group:edit"}
	case method == "POST":
		return append([]string{"directory:user:add"}, extra...)
	case method == "PUT", method == "PATCH":
		return append([]string{"directory:user:edit", "directory:user:setPassword"}, extra...)
	case method == "DELETE":
		return []string{"directory:user:delete"}
	}
	return nil
}

// genesysOperation refuses what the API does not have, and what the token may not.
func genesysOperation(q *request, t *resourceType) error {
	if t.name == "Group" {
		allow := "GET"
		if len(q.path) == 2 {
			allow = "GET, PUT, PATCH"
		}
		if q.method() == "POST" || q.method() == "DELETE" {
			return notAllowed(q, allow)
		}
	}
	need := genesysPermissions(q.method(), t)
	held := func(p string) bool { return !slices.Contains(q.grant.lacking, p) }
	if len(need) == 0 || slices.ContainsFunc(need, held) {
		return nil
	}
	p := refuse(403, "", "Unable to perform the requested action. You must have at least one of the following permissions assigned: [%s]",
		strings.Join(need, ", "))
	p.code = "missing.any.permissions"
	return p
}

// aliasScope adds the names that the vendor's filters use.
type aliasScope struct{ *resourceType }

func genesysScope(t *resourceType) scope { return aliasScope{t} }

func (a aliasScope) resolve(text string) (attrRef, bool) {
	alias := map[string]string{
		"email": "emails.value", "manager": enterpriseURN + ":manager.value",
		"division": enterpriseURN + ":division", "employeenumber": enterpriseURN + ":employeeNumber",
	}[strings.ToLower(text)]
	if alias != "" && a.name == "User" {
		text = alias
	}
	return a.resourceType.resolve(text)
}

// genesysCheckList holds a listing to the documented filters and page sizes.
func genesysCheckList(q *request, t *resourceType, l *listing) error {
	if t.name == "Group" && l.filter == nil && q.site.base == genesysBase {
		p := refuse(400, "", "The required parameter filter is missing")
		p.code = "bad.request"
		return p
	}
	if l.filter != nil && !genesysFilter(t, l.filter) {
		return badFilter("the filter %q is not supported", l.filterText)
	}
	if l.filter == nil && t.name == "User" {
		yes := true
		l.active = &yes
	}
	if l.count > genesysPage && !trimmed(t, l.proj) {
		return refuse(429, "", "A page of more than %d exceeds the internal resource limits; leave out %s", genesysPage, strings.Join(secondary(t), ", "))
	}
	return nil
}

// genesysFilter says whether a filter is one that is documented.
func genesysFilter(t *resourceType, x expr) bool {
	switch x := x.(type) {
	case comparison:
		names := []string{"id", "displayName"}
		if t.name == "User" {
			names = []string{"id", "userName", "externalId", "active", "emails.value", enterpriseURN + ":manager.value",
				enterpriseURN + ":division", enterpriseURN + ":employeeNumber"}
		}
		return x.op == "eq" && slices.Contains(names, x.ref.name())
	case valueExpr:
		both, ok := x.x.(andExpr)
		return ok && x.ref.name() == purecloudURN+":externalIds" && isEq(both.left) && isEq(both.right)
	}
	return false
}

func isEq(x expr) bool {
	c, ok := x.(comparison)
	return ok && c.op == "eq"
}

// secondary lists what costs the vendor a look-up of its own a resource.
func secondary(t *resourceType) []string {
	if t.name == "Group" {
		return []string{"externalId", "members"}
	}
	return []string{"externalId", "roles", purecloudURN + ":routingSkills", purecloudURN + ":routingLanguages"}
}

// trimmed says whether a projection leaves out everything secondary.
func trimmed(t *resourceType, p projection) bool {
	for _, name := range secondary(t) {
		ref, _ := t.resolve(name)
		covers := func(r attrRef) bool {
			return r.urn == ref.urn && (r.attr == nil || r.attr == ref.attr)
		}
		shown := !p.only || slices.ContainsFunc(p.include, covers)
		if shown && !slices.ContainsFunc(p.exclude, func(r attrRef) bool { return covers(r) && r.sub == nil }) {
			return false
		}
	}
	return true
}

// genesysNormalise applies the vendor's rules to a document.
func genesysNormalise(_ *directory, dr draft) error {
	if dr.t.name != "User" {
		return nil
	}
	if name := dr.doc.text("userName"); name != "" && !strings.Contains(name, "@") {
		return badValue("userName %q is not an e-mail address", name)
	}
	if dr.old == nil && dr.dead == nil {
		genesysDefaults(dr.doc)
	}
	for _, step := range []func(draft) error{genesysEmails, genesysPhones, genesysEmployment, genesysRatings, genesysNames, genesysExternalIDs} {
		if err := step(dr); err != nil {
			return err
		}
	}
	return nil
}

// genesysDefaults is what a new user gets without asking.
func genesysDefaults(doc *object) {
	if doc.get("password") == nil {
		doc.set("password", rand.Text()+rand.Text()[:14]) // 40 characters
	}
	if doc.get("roles") == nil {
		doc.set("roles", []any{newObject(member{"value", "employee"})})
	}
	employment := doc.child(enterpriseURN)
	if employment == nil {
		employment = newObject()
	}
	if employment.get("division") == nil {
		employment.set("division", "Home")
	}
	doc.set(enterpriseURN, employment)
}

// genesysRevive joins what a deleted user had with what the create says. Roles
// do not come back, and the division is Home again.
func genesysRevive(dead, doc *object) *object {
	dead.del("roles")
	if employment := dead.child(enterpriseURN); employment != nil {
		employment.set("division", "Home")
	}
	merge(dead, doc)
	return dead
}

// genesysEmails keeps the address of type other equal to userName.
func genesysEmails(dr draft) error {
	name, before := dr.doc.text("userName"), ""
	if dr.old != nil {
		before = dr.old.key
	}
	emails, mirrored := dr.doc.list("emails"), false
	for _, e := range emails {
		o := e.(*object)
		if err := canonicalType(dr.t, "emails", o); err != nil {
			return err
		}
		if o.text("type") != "other" {
			continue
		}
		if v := o.text("value"); v != name && v != before && v != "" {
			return notMutable(`emails[type eq "other"].value mirrors userName and is read-only`)
		}
		o.set("value", name)
		mirrored = true
	}
	if !mirrored {
		emails = append(emails, any(newObject(member{"value", name}, member{"type", "other"})))
	}
	dr.doc.set("emails", emails)
	return nil
}

// canonicalType holds a value's type to the listed ones, here an enumeration.
func canonicalType(t *resourceType, name string, o *object) error {
	allowed := t.attribute(name).sub("type").CanonicalValues
	if kind := o.text("type"); kind != "" && !slices.Contains(allowed, kind) {
		return badValue("%s.type %q: allowed are %s", name, kind, strings.Join(allowed, ", "))
	}
	return nil
}

// genesysPhones brings numbers into E.164, with an extension as a tel URI.
func genesysPhones(dr draft) error {
	for _, e := range dr.doc.list("phoneNumbers") {
		o := e.(*object)
		if err := canonicalType(dr.t, "phoneNumbers", o); err != nil {
			return err
		}
		if slices.Contains([]string{"microsoftteams", "zoomphone", "eightbyeight", "ringcentral"}, o.text("type")) {
			continue // identifiers of other telephone systems
		}
		number, ok := canonicalPhone(o.text("value"))
		if !ok {
			return badValue("phoneNumbers.value %q is neither E.164 nor a tel URI", o.text("value"))
		}
		o.set("value", number)
	}
	return nil
}

// canonicalPhone reads +15551234567 and tel:+1-555-123-4567; ext=89.
func canonicalPhone(text string) (string, bool) {
	text, extension, hasExtension := strings.Cut(strings.TrimPrefix(text, "tel:"), ";")
	text = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(text)
	digits, plus := strings.CutPrefix(text, "+")
	if !plus || len(digits) < 7 || len(digits) > 15 || !allDigits(digits) {
		return "", false
	}
	if !hasExtension {
		return text, true
	}
	extension, ok := strings.CutPrefix(strings.TrimSpace(extension), "ext=")
	return "tel:" + text + ";ext=" + extension, ok && allDigits(extension)
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// genesysEmployment keeps the date of dateHire.
func genesysEmployment(dr draft) error {
	employment := dr.doc.child(enterpriseURN)
	text := employment.text("dateHire")
	if text == "" {
		return nil
	}
	date, _, _ := strings.Cut(text, "T")
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return badValue("dateHire %q is not an ISO 8601 date", text)
	}
	employment.set("dateHire", date)
	return nil
}

// genesysRatings checks skills and languages.
func genesysRatings(dr draft) error {
	for _, name := range []string{"routingSkills", "routingLanguages"} {
		list := dr.doc.child(purecloudURN).list(name)
		if len(list) > genesysMaxRatings {
			return badValue("%s: %d, at most %d are allowed", name, len(list), genesysMaxRatings)
		}
		for _, e := range list {
			n, given := e.(*object).get("proficiency").(number)
			if given && (compareNumbers(n, "0") < 0 || compareNumbers(n, "5") > 0) {
				return badValue("%s.proficiency %s is not between 0.0 and 5.0", name, n)
			}
		}
	}
	return nil
}

// genesysCatalogue is what the organisation has by name. Any other name is
// taken to exist as well, because nobody can tell a sandbox what their own
// organisation has; but one that differs in case alone is refused, as the
// vendor's names are case-sensitive.
func genesysCatalogue() map[string][]string {
	return map[string][]string{
		"roles":            {"employee", "admin", "Supervisor", "Quality Evaluator", "User"},
		"division":         {"Home", "Europe", "Americas", "Asia Pacific"},
		"routingSkills":    {"Billing", "Technical Support", "Sales", "Returns", "VIP"},
		"routingLanguages": {"English - Written", "English - Spoken", "German", "Spanish", "French"},
	}
}

// genesysNames holds names to the catalogue's spelling.
func genesysNames(dr draft) error {
	used := map[string][]string{"division": {dr.doc.child(enterpriseURN).text("division")}}
	for _, e := range dr.doc.list("roles") {
		used["roles"] = append(used["roles"], e.(*object).text("value"))
	}
	for _, list := range []string{"routingSkills", "routingLanguages"} {
		for _, e := range dr.doc.child(purecloudURN).list(list) {
			used[list] = append(used[list], e.(*object).text("name"))
		}
	}
	for kind, known := range genesysCatalogue() {
		for _, name := range used[kind] {
			for _, k := range known {
				if name != k && strings.EqualFold(name, k) {
					return badValue("%s %q does not exist; names are case-sensitive: %q", kind, name, k)
				}
			}
		}
	}
	return nil
}

// genesysExternalIDs keeps externalId among externalIds under the authority of
// the SCIM client, and each authority once.
func genesysExternalIDs(dr draft) error {
	ext := dr.doc.child(purecloudURN)
	own, ownValue := scimAuthority+":"+clientID, dr.doc.text("externalId")
	var before string
	if dr.old != nil {
		before = dr.old.external
	}
	var kept []any
	seen := map[string]bool{}
	for _, e := range ext.list("externalIds") {
		authority, value := e.(*object).text("authority"), e.(*object).text("value")
		switch {
		case strings.HasPrefix(authority, scimAuthority):
			if authority != own || value != ownValue && value != before {
				return notMutable("externalIds: the authority %s is immutable; set externalId instead", authority)
			}
			continue
		case seen[authority]:
			return badValue("externalIds: authority %q is given twice", authority)
		}
		seen[authority] = true
		kept = append(kept, e)
	}
	if ownValue != "" {
		kept = append([]any{newObject(member{"authority", own}, member{"value", ownValue})}, kept...)
	}
	if ext == nil {
		ext = newObject()
	}
	ext.set("externalIds", kept)
	dr.doc.set(purecloudURN, ext)
	return nil
}

// genesysSeed gives seeded people what the vendor's users have.
func genesysSeed(doc *object, dc dice, i int) {
	known := genesysCatalogue()
	roles := []any{newObject(member{"value", "employee"})}
	if i%6 == 0 {
		roles = append(roles, newObject(member{"value", known["roles"][1+dc.pick(2, len(known["roles"])-1)]}))
	}
	doc.set("roles", roles)
	doc.child(enterpriseURN).set("division", known["division"][dc.pick(3, len(known["division"]))])
	doc.child(enterpriseURN).set("dateHire", fmt.Sprintf("20%02d-%02d-%02d", 10+dc.pick(4, 14), 1+dc.pick(5, 12), 1+dc.pick(6, 28)))
	ext := newObject()
	if external := doc.text("externalId"); external != "" {
		ext.set("externalIds", []any{newObject(member{"authority", scimAuthority + ":" + clientID}, member{"value", external})})
	}
	if i%2 == 0 {
		skill := known["routingSkills"][dc.pick(7, len(known["routingSkills"]))]
		ext.set("routingSkills", []any{newObject(member{"name", skill}, member{"proficiency", number(strconv.Itoa(1+i%5) + ".0")})})
	}
	if i%3 == 0 {
		language := known["routingLanguages"][dc.pick(1, len(known["routingLanguages"]))]
		ext.set("routingLanguages", []any{newObject(member{"name", language}, member{"proficiency", number("4.0")})})
	}
	doc.set(purecloudURN, ext)
}
