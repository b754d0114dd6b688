package sandbox

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	bulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	bulkPrefix      = "bulkId:"
)

// bulkJob is one /Bulk request while it is carried out (RFC 7644 §3.7).
type bulkJob struct {
	s      *Sandbox
	q      *request
	ops    []*bulkOperation
	ids    map[string]string // bulkId -> id of what it created; "" if that failed
	errors int
	most   int // failOnErrors; 0 is no limit
}

type bulkOperation struct {
	method  string
	bulkID  string
	version string
	path    string
	data    *object
	refs    []string // the bulkIds that path and data refer to

	done    bool
	partial bool // created without references that make a circle
	id      string
	answer  answer
}

// bulk serves POST /Bulk.
func (s *Sandbox) bulk(q *request) (answer, error) {
	if q.r.Method != "POST" {
		return answer{}, notAllowed(q, "POST")
	}
	if refusal := s.faults.word("bulk-refused"); refusal != "" {
		status, _ := strconv.Atoi(refusal) // the fault's own words are numbers
		return answer{}, refuse(status, "", "/Bulk is not for you")
	}
	if most := s.maxBulkPayload(); len(q.body) > most {
		return answer{}, s.bulkTooLarge("the body is larger than maxPayloadSize, %d bytes", most)
	}
	body, err := q.object()
	if err != nil {
		return answer{}, err
	}
	job := &bulkJob{s: s, q: q, ids: map[string]string{}}
	if err := job.parse(body); err != nil {
		return answer{}, err
	}
	job.run()
	return answer{status: 200, header: []string{"Content-Type", scimType}, body: job.response()}, nil
}

// cost is how many requests of the quota a request takes.
func (s *Sandbox) cost(q *request) int {
	if !s.faults.has("bulk-counts-operations") || !strings.HasSuffix(q.r.URL.Path, "/Bulk") {
		return 1
	}
	body, err := parseObject(q.body)
	if err != nil {
		return 1
	}
	return max(1, len(body.list("Operations")))
}

func (s *Sandbox) maxBulkOperations() int {
	return cmp.Or(s.faults.number("bulk-max-operations"), maxBulkOperations)
}

func (s *Sandbox) maxBulkPayload() int {
	return cmp.Or(s.faults.number("bulk-max-payload"), maxPayload)
}

func (s *Sandbox) bulkTooLarge(format string, n int) error {
	if s.faults.has("bulk-over-400") {
		return badSyntax(format, n)
	}
	return refuse(413, "", format, n)
}

func (j *bulkJob) parse(body *object) error {
	if !slices.ContainsFunc(body.list("schemas"), func(u any) bool { return u == bulkRequestURN }) {
		return badSyntax("schemas must hold %s", bulkRequestURN)
	}
	if n, ok := body.get("failOnErrors").(number); ok {
		j.most, _ = strconv.Atoi(string(n))
	}
	list := body.list("Operations")
	most := j.s.maxBulkOperations()
	if n := j.s.faults.number("bulk-takes"); n > 0 {
		most = n
	}
	if len(list) > most {
		return j.s.bulkTooLarge("more than maxOperations, %d", most)
	}
	for i, e := range list {
		o, ok := e.(*object)
		if !ok {
			return badSyntax("operation %d is not an object", i+1)
		}
		op := newBulkOperation(o)
		if _, twice := j.ids[op.bulkID]; twice && op.bulkID != "" {
			return badValue("bulkId %q is given twice", op.bulkID)
		}
		if op.bulkID != "" {
			j.ids[op.bulkID] = ""
		}
		j.ops = append(j.ops, op)
	}
	if len(j.ops) == 0 {
		return badSyntax("Operations must hold at least one operation")
	}
	return nil
}

func newBulkOperation(o *object) *bulkOperation {
	op := &bulkOperation{
		method: o.text("method"), bulkID: o.text("bulkId"), version: o.text("version"),
		path: o.text("path"), data: o.child("data"),
	}
	if _, ref, ok := strings.Cut(op.path, bulkPrefix); ok {
		op.refs = append(op.refs, ref)
	}
	eachText(op.data, func(text string) {
		if ref, ok := strings.CutPrefix(text, bulkPrefix); ok {
			op.refs = append(op.refs, ref)
		}
	})
	return op
}

// eachText calls f for every string value.
func eachText(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			eachText(e, f)
		}
	case *object:
		if v == nil {
			return
		}
		for _, m := range v.members {
			eachText(m.value, f)
		}
	}
}

// run carries the operations out in their order, except that one which refers
// to another waits for it. When all that are left wait for each other, the
// first is created without what it waits for and completed at the end.
func (j *bulkJob) run() {
	for !j.stopped() {
		progress := false
		for _, op := range j.ops {
			if !op.done && !j.stopped() && !j.waits(op) {
				j.carryOut(op)
				progress = true
			}
		}
		if progress {
			continue
		}
		i := slices.IndexFunc(j.ops, func(op *bulkOperation) bool { return !op.done })
		if i < 0 {
			break
		}
		j.ops[i].partial = true
		j.carryOut(j.ops[i])
	}
	for _, op := range j.ops {
		if op.partial && op.id != "" {
			j.complete(op)
		}
	}
}

func (j *bulkJob) stopped() bool { return j.most > 0 && j.errors >= j.most }

// waits says whether an operation refers to one that is still to be done.
func (j *bulkJob) waits(op *bulkOperation) bool {
	return slices.ContainsFunc(op.refs, func(ref string) bool {
		return slices.ContainsFunc(j.ops, func(o *bulkOperation) bool { return !o.done && o != op && o.bulkID == ref })
	})
}

func (j *bulkJob) carryOut(op *bulkOperation) {
	op.done = true
	a, err := j.performOrFail(op)
	if err != nil {
		a = j.s.fail(j.q, err)
	}
	if op.answer = a; !a.success() {
		j.errors++
		return
	}
	_, op.id = cutLast(a.get("Location"), "/")
	if op.method == "POST" {
		j.ids[op.bulkID] = op.id
	}
}

// performOrFail carries an operation out, unless a fault strikes it.
func (j *bulkJob) performOrFail(op *bulkOperation) (answer, error) {
	switch {
	case j.s.faults.hit("bulk-throttles"):
		return answer{}, throttled(time.Second)
	case j.s.faults.hit("bulk-5xx-before"):
		return answer{}, refuse(500, "", "internal error: nothing was done")
	}
	a, err := j.perform(op)
	if err == nil && j.s.faults.hit("bulk-5xx-after") {
		return answer{}, refuse(500, "", "internal error: it was done all the same")
	}
	return a, err
}

func cutLast(text, sep string) (before, after string) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return "", ""
	}
	return text[:i], text[i+len(sep):]
}

func (j *bulkJob) perform(op *bulkOperation) (answer, error) {
	method := op.method
	if j.s.faults.has("bulk-lower-case") {
		method = strings.ToUpper(method)
	}
	switch method {
	case "POST":
		if op.bulkID == "" {
			return answer{}, badSyntax("bulkId is required for POST")
		}
	case "PUT", "PATCH", "DELETE":
	default:
		return answer{}, badSyntax("method %q is none of POST, PUT, PATCH, DELETE", op.method)
	}
	if method != "DELETE" && op.data == nil {
		return answer{}, badSyntax("data is required for %s", method)
	}
	if err := j.checkRefs(op); err != nil {
		return answer{}, err
	}
	a, err := j.send(op, method, strings.Trim(j.resolvePath(op.path), "/"), j.data(op))
	if err == nil && method != op.method {
		return answer{}, badSyntax("method %q", op.method) // fault bulk-lower-case
	}
	return a, err
}

// checkRefs refuses references to what does not exist or failed.
func (j *bulkJob) checkRefs(op *bulkOperation) error {
	for _, ref := range op.refs {
		if j.ids[ref] == "" && !op.partial {
			return refuse(409, "invalidValue", "bulkId:%s cannot be resolved", ref)
		}
	}
	return nil
}

// send carries out one operation as if it were a request of its own.
func (j *bulkJob) send(op *bulkOperation, method, path string, data *object) (answer, error) {
	sub := &request{
		r: j.q.r, site: j.q.site, path: strings.Split(path, "/"), grant: j.q.grant, contextID: j.q.contextID,
		started: j.q.started, maxBody: j.q.maxBody, dry: j.q.dry, bulkMethod: method, bulkIfMatch: op.version,
	}
	if data != nil {
		sub.body = appendJSON(nil, data)
	}
	for _, t := range []*resourceType{j.s.rules.user, j.s.rules.group} {
		if j.s.named(sub.path[0], t.endpoint) && (method == "POST") == (len(sub.path) == 1) {
			return j.s.resources(sub, t)
		}
	}
	return answer{}, notFound("path", op.path)
}

func (j *bulkJob) resolvePath(path string) string {
	before, ref, ok := strings.Cut(path, bulkPrefix)
	if !ok {
		return path
	}
	return before + j.ids[ref]
}

// data is the operation's data with ids for bulkIds. What cannot be known yet
// is left out.
func (j *bulkJob) data(op *bulkOperation) *object {
	if op.data == nil {
		return nil
	}
	refs := op.refs
	if j.s.faults.has("bulk-last-reference") && len(refs) > 1 {
		refs = refs[len(refs)-1:]
	}
	out, _ := j.resolve(clone(op.data), refs).(*object)
	return out
}

// unresolved marks a value that refers to what is not there yet.
type unresolved struct{}

func (j *bulkJob) resolve(v any, refs []string) any {
	switch v := v.(type) {
	case string:
		ref, ok := strings.CutPrefix(v, bulkPrefix)
		switch {
		case !ok || !slices.Contains(refs, ref):
			return v
		case j.ids[ref] == "":
			return unresolved{}
		}
		return j.ids[ref]
	case []any:
		out := v[:0]
		for _, e := range v {
			if e := j.resolve(e, refs); e != (unresolved{}) {
				out = append(out, e)
			}
		}
		return out
	case *object:
		return j.resolveObject(v, refs)
	}
	return v
}

// resolveObject leaves out a complex value whose reference is open: a member
// or manager without its id would say nothing.
func (j *bulkJob) resolveObject(o *object, refs []string) any {
	kept := o.members[:0]
	for _, m := range o.members {
		m.value = j.resolve(m.value, refs)
		if m.value == (unresolved{}) {
			if m.name == "value" {
				return unresolved{}
			}
			continue
		}
		kept = append(kept, m)
	}
	o.members = kept
	return o
}

// complete replaces a resource that was created without some references.
func (j *bulkJob) complete(op *bulkOperation) {
	endpoint := strings.Trim(op.path, "/")
	op.partial, op.version = false, ""
	err := j.checkRefs(op)
	if err == nil {
		var a answer
		if a, err = j.send(op, "PUT", endpoint+"/"+op.id, j.data(op)); err == nil {
			a.status = op.answer.status
			op.answer = a
		}
	}
	if err != nil {
		op.answer = j.s.fail(j.q, err)
		j.errors++
	}
}

func (j *bulkJob) response() []byte {
	var list []any
	for _, op := range j.ops {
		if op.done && !j.s.faults.hit("bulk-omits") {
			list = append(list, j.result(op))
		}
	}
	if j.s.faults.has("bulk-shuffle") {
		slices.Reverse(list)
	}
	return appendJSON(nil, newObject(member{"schemas", []any{bulkResponseURN}}, member{"Operations", list}))
}

// result reports on one operation; only a POST that failed has no location.
func (j *bulkJob) result(op *bulkOperation) *object {
	o := newObject(member{"method", op.method})
	named := !j.s.faults.has("bulk-anonymous")
	if op.bulkID != "" && named {
		o.set("bulkId", op.bulkID)
	}
	location := op.answer.get("Location")
	if location == "" && op.method != "POST" {
		location = j.q.site.origin + j.q.site.base + j.resolvePath(op.path)
	}
	if location != "" && named {
		o.set("location", location)
	}
	if tag := op.answer.get("ETag"); tag != "" {
		o.set("version", tag)
	}
	o.set("status", strconv.Itoa(op.answer.status))
	if !op.answer.success() {
		body, err := parseObject(op.answer.body)
		if err == nil {
			o.set("response", body)
		}
	}
	return o
}
