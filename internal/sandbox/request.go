package sandbox

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxPayload bounds a request's body under the rfc dialect.
const maxPayload = 1 << 20

// request is an exchange while it is being decided.
type request struct {
	r         *http.Request
	site      site
	path      []string // below the base, unescaped
	query     url.Values
	body      []byte
	bodyErr   error
	maxBody   int
	oneParam  bool
	contextID string
	grant     grant
	started   time.Time
	proj      projection // what the answer shows of a resource
	dry       bool       // fault no-effect: decide, answer, change nothing

	// An operation of a /Bulk request has a method and an If-Match of its own.
	bulkMethod   string
	bulkIfMatch  string
	emptyMembers bool // the body gave members as an empty list
}

func (s *Sandbox) newRequest(r *http.Request) *request {
	q := &request{r: r, started: time.Now(), maxBody: s.rules.maxBody, oneParam: s.rules.firstParam}
	if r.Body != nil && r.Body != http.NoBody {
		q.body, q.bodyErr = io.ReadAll(io.LimitReader(r.Body, int64(q.maxBody)+1))
	}
	scheme, host := "http", r.Host
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	if host == "" {
		host = r.URL.Host
	}
	q.site.origin = scheme + "://" + host
	return q
}

// locate splits the path into base and rest.
func (q *request) locate() error {
	path := q.r.URL.EscapedPath()
	for _, base := range bases() {
		if len(path) < len(base) || !strings.EqualFold(path[:len(base)], base) {
			continue
		}
		rest := path[len(base):]
		if rest != "" && rest[0] != '/' {
			continue
		}
		q.site.base = base
		return q.split(rest)
	}
	return notFound("path", q.r.URL.Path)
}

func (q *request) split(rest string) error {
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil {
			return badSyntax("path: %v", err)
		}
		q.path = append(q.path, text)
	}
	query, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil {
		return badSyntax("query: %v", err)
	}
	q.query = query
	return nil
}

// params are the query's parameters; repeated ones are joined with commas.
func (q *request) params() params {
	out := params{}
	for name, values := range q.query {
		if out[strings.ToLower(name)] = values[0]; !q.oneParam {
			out[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	return out
}

func (q *request) checkBody() error {
	if len(q.body) > q.maxBody {
		return refuse(413, "", "Maximum bytes: %d", q.maxBody)
	}
	if q.bodyErr != nil {
		return badSyntax("the body ended early")
	}
	return nil
}

func (q *request) ifMatch() string {
	if q.bulkMethod != "" {
		return q.bulkIfMatch
	}
	return q.r.Header.Get("If-Match")
}

func (q *request) method() string {
	if q.bulkMethod != "" {
		return q.bulkMethod
	}
	return q.r.Method
}

func (q *request) deletes() bool { return q.method() == http.MethodDelete }

// object parses the body as a JSON object.
func (q *request) object() (*object, error) {
	if err := q.checkBody(); err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type"))
	if q.bulkMethod == "" && (err != nil || kind != scimType && kind != jsonType) {
		return nil, refuse(415, "", "Content-Type must be %s or %s", scimType, jsonType)
	}
	o, err := parseObject(q.body)
	if err != nil {
		p := badSyntax("the body is not a JSON object: %v", err)
		p.notJSON = true
		return nil, p
	}
	return o, nil
}

// notAllowed is the answer to a method that a path does not have.
func notAllowed(q *request, allow string) error {
	return refuse(405, "", "%s is not allowed here; allowed: %s", q.method(), allow).with("Allow", allow)
}

// route finds the operation that a path and method mean.
func (s *Sandbox) route(q *request) (answer, error) {
	if err := q.locate(); err != nil {
		return answer{}, err
	}
	name := q.path[0]
	if s.rules.name == "rfc" {
		switch {
		case name == "" && q.r.Method == http.MethodGet:
			return s.listAll(q, q.params())
		case name == "Bulk" && len(q.path) == 1:
			return s.bulk(q)
		case name == ".search" && len(q.path) == 1:
			return s.search(q, nil)
		}
	}
	for _, t := range []*resourceType{s.rules.user, s.rules.group} {
		if s.named(name, t.endpoint) {
			return s.resources(q, t)
		}
	}
	switch {
	case s.named(name, s.configName()), s.named(name, "ResourceTypes"), s.named(name, "Schemas"):
		return s.discovery(q)
	case name == "Me" && len(q.path) == 1:
		return s.me(q)
	}
	return answer{}, notFound("path", q.r.URL.Path)
}

// me serves the account that the token is of, where it is somebody's (RFC 7644
// §3.11). Genesys Cloud has no such endpoint.
func (s *Sandbox) me(q *request) (answer, error) {
	if s.opt.Me == "" || s.rules.name != "rfc" {
		return answer{}, refuse(501, "", "/Me is not supported: a bulk loader's token is nobody's account")
	}
	if q.r.Method != http.MethodGet {
		return answer{}, notAllowed(q, "GET")
	}
	id := s.dir.idOf(s.opt.Me)
	if id == "" {
		return answer{}, notFound("User", s.opt.Me)
	}
	return s.read(q, s.rules.user, id)
}

// idOf finds a person by userName; "" is nobody.
func (d *directory) idOf(userName string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if list := d.users.byKey[fold(userName)]; len(list) > 0 {
		return list[0].rev.id
	}
	return ""
}

// named compares a path segment with an endpoint's name.
func (s *Sandbox) named(have, want string) bool {
	return have == want || s.rules.foldPaths && strings.EqualFold(have, want)
}

// resources serves /Users and /Groups.
func (s *Sandbox) resources(q *request, t *resourceType) (answer, error) {
	in := q.params()
	if err := s.checkProjection(in); err != nil {
		return answer{}, err
	}
	if !s.faults.has("ignore-attributes") {
		q.proj = newProjection(t, in["attributes"], in["excludedattributes"])
	}
	if s.rules.operation != nil {
		if err := s.rules.operation(q, t); err != nil {
			return answer{}, err
		}
	}
	switch len(q.path) {
	case 1:
		switch q.method() {
		case http.MethodGet:
			return s.list(q, t, in)
		case http.MethodPost:
			return s.create(q, t)
		}
		return answer{}, notAllowed(q, "GET, POST")
	case 2:
		if q.path[1] == ".search" && s.rules.name == "rfc" {
			return s.search(q, t)
		}
		return s.resource(q, t, q.path[1])
	}
	return answer{}, notFound("path", q.r.URL.Path)
}

// withoutPatch is what a server answers that has no PATCH.
func (s *Sandbox) withoutPatch(q *request) error {
	if s.faults.word("no-patch") == "405" {
		return notAllowed(q, "GET, PUT, DELETE")
	}
	return refuse(501, "", "PATCH is not supported")
}

// resource serves one resource by its id.
func (s *Sandbox) resource(q *request, t *resourceType, id string) (answer, error) {
	switch q.method() {
	case http.MethodGet, http.MethodHead:
		return s.read(q, t, id)
	case http.MethodPut:
		return s.replace(q, t, id)
	case http.MethodPatch:
		if s.faults.has("no-patch") {
			return answer{}, s.withoutPatch(q)
		}
		return s.patch(q, t, id)
	case http.MethodDelete:
		return s.remove(q, t, id)
	}
	return answer{}, notAllowed(q, "GET, PUT, PATCH, DELETE")
}
