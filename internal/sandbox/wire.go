package sandbox

import (
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxHang is how long a write hangs that nobody waits for any more.
const maxHang = time.Minute

// serve decides the answer to a request.
func (s *Sandbox) serve(q *request) answer {
	if n := s.faults.number("die-after"); n > 0 && s.requests.Add(1) > int64(n) {
		return answer{sever: reset}
	}
	if !s.wait(q, s.opt.Latency) {
		return answer{sever: reset}
	}
	var a answer
	if q.r.URL.Path == "/oauth/token" {
		a = s.token(q)
	} else {
		a = s.exchange(q)
	}
	a.set("Date", time.Now().UTC().Format(http.TimeFormat))
	return a
}

// exchange is everything but the token endpoint.
func (s *Sandbox) exchange(q *request) answer {
	if s.rules.correlation != "" {
		q.contextID = newID()
	}
	var limits quota
	a, err := s.authorised(q, &limits)
	if err != nil {
		a = s.fail(q, err)
	}
	s.label(q, &a, limits)
	s.disguise(q, &a)
	if len(a.body) > 0 && a.sever == intact && s.faults.hit("truncate") {
		a.sever = truncated
	}
	return a
}

// label adds the headers that every answer carries.
func (s *Sandbox) label(q *request, a *answer, limits quota) {
	if s.rules.correlation != "" {
		a.set(s.rules.correlation, q.contextID)
	}
	if limits.limit > 0 && !s.faults.has("no-quota-headers") {
		s.quotaHeaders(a, limits)
	}
}

// authorised lets requests through that have a valid token and quota left.
func (s *Sandbox) authorised(q *request, limits *quota) (answer, error) {
	var err error
	if q.grant, err = s.tokens.check(q.r); err != nil {
		return answer{}, err
	}
	for range s.cost(q) {
		if s.limiter == nil {
			break
		}
		if *limits = s.limiter.take(time.Now()); !limits.admitted {
			return answer{}, throttled(limits.retry)
		}
	}
	switch {
	case s.faults.hit("throttle"):
		return answer{}, throttled(time.Second)
	case s.faults.hit("locked"):
		return answer{}, refuse(423, "", "the directory is locked for maintenance").with("Retry-After", "1")
	case s.faults.hit("html-error"):
		return htmlPage(502), nil
	case s.faults.has("drop-on-filter") && partialFilter(q.r.URL.RawQuery):
		return answer{sever: reset}, nil
	case q.writes():
		return s.write(q)
	}
	return s.route(q)
}

func htmlPage(status int) answer {
	title := http.StatusText(status)
	return answer{status: status, header: []string{"Content-Type", "text/html; charset=utf-8"},
		body: []byte("<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><h1>" + title + "</h1></body></html>\n")}
}

// partialFilter recognises a filter with co, sw or ew, spaces as %20 or +.
func partialFilter(query string) bool {
	text := strings.ToLower(strings.NewReplacer("%20", " ", "+", " ").Replace(query))
	return strings.Contains(text, " co ") || strings.Contains(text, " sw ") || strings.Contains(text, " ew ")
}

// writes says whether a request could change something.
func (q *request) writes() bool {
	switch q.r.Method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	case http.MethodPost:
		return !strings.HasSuffix(q.r.URL.Path, "/.search")
	}
	return false
}

// write carries out a write with the faults that strike around its commit.
func (s *Sandbox) write(q *request) (answer, error) {
	switch {
	case s.faults.hit("reset-before-commit"):
		return answer{sever: reset}, nil
	case s.faults.hit("5xx-before-commit"):
		return answer{}, s.serverError("5xx-before-commit", "nothing was done")
	case s.faults.hit("hang-then-commit"):
		return s.hang(q), nil
	}
	q.dry = s.faults.hit("no-effect")
	a, err := s.route(q)
	if err != nil || !a.success() {
		return a, err
	}
	switch {
	case s.faults.hit("reset-after-commit"):
		return answer{sever: reset}, nil
	case s.faults.hit("5xx-after-commit"):
		return answer{}, s.serverError("5xx-after-commit", "the outcome is not known")
	case q.r.Method == http.MethodPatch && s.faults.hit("error-but-applied"):
		return answer{}, refuse(500, "", "conflict")
	}
	return a, nil
}

// quotaHeaders writes the dialect's headers, or those of a fault.
func (s *Sandbox) quotaHeaders(a *answer, q quota) {
	limit, left, reset := strconv.Itoa(q.limit), strconv.Itoa(q.left), seconds(q.reset)
	at := time.Now().Add(time.Duration(reset) * time.Second).UTC()
	epoch := strconv.FormatInt(at.Unix(), 10)
	switch s.faults.word("quota-headers") {
	case "epoch":
		a.header = append(a.header, "X-RateLimit-Limit", limit, "X-RateLimit-Remaining", left, "X-RateLimit-Reset", epoch)
	case "iso":
		a.header = append(a.header, "X-RateLimit-Limit", limit, "X-RateLimit-Remaining", left, "X-RateLimit-Reset", at.Format("2006-01-02T15:04Z"))
	case "okta":
		a.header = append(a.header, "X-Rate-Limit-Limit", limit, "X-Rate-Limit-Remaining", left, "X-Rate-Limit-Reset", epoch)
	case "ietf":
		a.header = append(a.header, "RateLimit-Policy", `"default";q=`+limit+";w="+strconv.Itoa(seconds(s.limiter.per)),
			"RateLimit", `"default";r=`+left+";t="+strconv.Itoa(reset))
	default:
		s.rules.quotaHeaders(a, q)
	}
}

func (s *Sandbox) serverError(fault, detail string) error {
	return refuse([]int{500, 503}[s.faults.draw(fault, 2)], "", "internal error: %s", detail)
}

// hang never answers. The write is carried out when the client has gone, or
// after the fault's duration, whether or not anybody still waits.
func (s *Sandbox) hang(q *request) answer {
	after := s.faults.duration("hang-then-commit")
	if after > 0 {
		s.late.Go(func() {
			select {
			case <-time.After(after):
				s.commitLate(q)
			case <-s.closed:
			}
		})
	}
	timer := time.NewTimer(maxHang)
	defer timer.Stop()
	select {
	case <-s.closed:
		return answer{sever: reset}
	case <-q.r.Context().Done():
	case <-timer.C:
	}
	if after == 0 {
		s.commitLate(q)
	}
	return answer{sever: reset}
}

// commitLate carries a write out whose answer nobody gets; a refusal is lost
// as well.
func (s *Sandbox) commitLate(q *request) {
	_, _ = s.route(q)
	_ = s.audit.flush()
}

// wait lets d pass; false if the client or the sandbox went away meanwhile.
func (s *Sandbox) wait(q *request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-q.r.Context().Done():
	case <-s.closed:
	}
	return false
}

// disguise applies the faults that change how an answer looks.
func (s *Sandbox) disguise(q *request, a *answer) {
	f := s.faults
	if f.has("no-location") && a.status == 201 {
		a.replaceHeader("Location", "")
	}
	if f.has("etag-differs") && a.get("ETag") != "" {
		sum := crc32.ChecksumIEEE(a.body)
		a.replaceHeader("ETag", `W/"`+strconv.FormatUint(uint64(sum), 16)+`"`)
	}
	if f.has("text-plain") && len(a.body) > 0 {
		a.replaceHeader("Content-Type", "text/plain;charset=utf-8")
	}
	switch {
	case f.has("empty-201") && a.status == 201:
		a.body = nil
	case f.has("patch-204") && a.status == 200 && q.r.Method == http.MethodPatch && q.query.Get("attributes") == "":
		a.status, a.body = 204, nil
	case f.has("delete-200") && a.status == 204 && q.r.Method == http.MethodDelete:
		a.status, a.body = 200, []byte("{}")
	}
	if a.status == 401 {
		s.disguise401(a)
	}
}

func (s *Sandbox) disguise401(a *answer) {
	switch s.faults.word("odd-401") {
	case "text":
		a.replaceHeader("Content-Type", "text/plain")
		a.body = []byte("Unauthorized\n")
	case "bare":
		a.replaceHeader("WWW-Authenticate", "")
	case "200":
		a.status = 200
		a.body = []byte(`{"status":"error"}`)
	}
}

// disguiseError changes an error body as the faults want it.
func (s *Sandbox) disguiseError(p *problem, body []byte) []byte {
	o, err := parseObject(body)
	if err != nil {
		return body
	}
	switch s.faults.word("error-status") {
	case "number":
		o.set("status", itoa(p.status))
	case "object":
		o.set("status", newObject(member{"code", strconv.Itoa(p.status)}))
	case "absent":
		o.del("status")
	}
	if s.faults.has("detail-array") {
		o.set("detail", []any{p.detail})
	}
	if s.faults.has("plain-409") && p.status == 409 {
		o.del("schemas")
		o.del("scimType")
	}
	return appendJSON(nil, o)
}

// retryAfter is the form of a Retry-After header that a fault asks for.
func (s *Sandbox) retryAfter(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil {
		return text
	}
	switch s.faults.word("retry-after") {
	case "fraction":
		return strconv.Itoa(max(n-1, 0)) + ".5"
	case "date":
		return time.Now().Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat)
	case "zero":
		return "0"
	case "none":
		return ""
	case "short":
		return strconv.Itoa(n / 2)
	case "epoch":
		return strconv.FormatInt(time.Now().Unix()+int64(n), 10)
	case "iso":
		return time.Now().Add(time.Duration(n) * time.Second).UTC().Format(time.RFC3339)
	case "ms":
		return strconv.Itoa(1000 * n)
	}
	return text
}

// fail turns a problem into an answer.
func (s *Sandbox) fail(q *request, err error) answer {
	p := asProblem(err)
	if p.notJSON && s.faults.has("html-bad-json") {
		return htmlPage(400)
	}
	if s.faults.has("uniqueness-400") && p.status == 409 {
		p.status = 400
	}
	a := answer{status: p.status, header: []string{"Content-Type", s.rules.errorType(p)}}
	for i := 0; i < len(p.header); i += 2 {
		value := p.header[i+1]
		if p.header[i] == "Retry-After" {
			value = s.retryAfter(value)
		}
		if value != "" {
			a.set(p.header[i], value)
		}
	}
	a.body = s.disguiseError(p, s.rules.failure(p, q.contextID))
	return a
}
