package scim

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	bulkRequestStart = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`
	bulkRequestEnd   = `]}`

	// BulkOverhead is what a bulk request takes beside its operations, in bytes.
	BulkOverhead = len(bulkRequestStart) + len(bulkRequestEnd)
)

// mostBulkThrottles is after how many 429s in a row a bulk request is given up.
const mostBulkThrottles = 3

// What is wrong with one result of a bulk answer.
var (
	errNotListed = errors.New("the answer to the bulk request does not tell what became of it")
	errNoStatus  = errors.New("the answer to the bulk request names no status for it")
	errNoneNamed = errors.New("the answer to the bulk request does not say which resource was created")
)

// Features are what a ServiceProviderConfig says of writes (RFC 7643 §5).
type Features struct {
	// NoPatch: the server says in so many words that it has no PATCH. Many
	// that have it do not say so.
	NoPatch bool
	// Bulk: it takes bulk requests. One that does not say so takes none.
	Bulk           bool
	BulkOperations int   // in one request; 0 where it does not say
	BulkPayload    int   // bytes; 0 where it does not say
	Quota          Quota // as it stood after the question
}

// Features reads the ServiceProviderConfig. A server that has none says nothing,
// which is no error.
func (c *Client) Features(ctx context.Context) (Features, error) {
	resp, err := c.ServiceProviderConfig(ctx, "")
	var fault *Error
	if errors.As(err, &fault) && fault.Status >= 400 && fault.Status != http.StatusUnauthorized {
		return Features{}, nil
	}
	if err != nil {
		return Features{}, err
	}
	said := topMembers(resp.Resource.Raw)
	patch, bulk := topMembers(said["patch"]), topMembers(said["bulk"])
	return Features{
		NoPatch: patch["supported"].Kind() == 'f', Bulk: bulk["supported"].Kind() == 't',
		BulkOperations: limitOf(bulk["maxoperations"]), BulkPayload: limitOf(bulk["maxpayloadsize"]), Quota: resp.Quota,
	}, nil
}

func limitOf(v jsontext.Value) int {
	n, err := strconv.Atoi(scalarText(v))
	if err != nil {
		return 0
	}
	return max(0, n)
}

// BulkOperation is one write of a bulk request. It is encoded once, and does not
// change.
type BulkOperation struct {
	method   string
	endpoint Endpoint
	id       string
	path     string // below the base URL, escaped; goes into errors
	ifMatch  bool
	bulkID   string // of a POST
	text     []byte
}

// BulkOperation makes an operation of a write. id and ifMatch are "" for a POST,
// body is nil for a DELETE.
func (c *Client) BulkOperation(method string, e Endpoint, id string, body []byte, ifMatch string) (*BulkOperation, error) {
	op := &BulkOperation{method: method, endpoint: e, id: id, path: c.casePath(string(e)), ifMatch: ifMatch != ""}
	if method == http.MethodPost {
		op.bulkID = strconv.FormatInt(c.bulkIDs.Add(1), 10) // RFC 7644 §3.7: unique within the request
	} else {
		var err error
		if op.path, err = resourcePath(Endpoint(op.path), id); err != nil {
			return nil, &Error{Method: method, Path: string(e), Unsent: true, Err: err}
		}
	}
	op.encode(body, quoteETag(ifMatch))
	return op, nil
}

// encode puts the operation around the body, which is JSON already.
func (op *BulkOperation) encode(body []byte, version string) {
	b := make([]byte, 0, len(body)+len(op.path)+100)
	member := func(name, value string) {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b, _ = jsontext.AppendQuote(b, value) // bytes that are no UTF-8 are replaced
	}
	member("method", op.method)
	if op.bulkID != "" {
		member("bulkId", op.bulkID)
	}
	if version != "" {
		member("version", version)
	}
	member("path", "/"+op.path)
	if body != nil {
		b = append(append(b, `,"data":`...), body...)
	}
	b[0] = '{'
	op.text = append(b, '}')
}

// Size is how many bytes the operation adds to a bulk request.
func (op *BulkOperation) Size() int { return len(op.text) + len(",") }

// Target tells operations on one resource from those on others; "" for a POST.
func (op *BulkOperation) Target() string {
	if op.method == http.MethodPost {
		return ""
	}
	return placeOf(op.endpoint, op.id)
}

func placeOf(e Endpoint, id string) string { return strings.ToLower(string(e)) + "/" + id }

// BulkResult is what became of one operation: a Response, or an [*Error] that
// says of it what it would say of a request of its own.
type BulkResult struct {
	Response *Response
	Err      error
}

// Bulk sends operations in one request (RFC 7644 §3.7), all of which the server
// is to carry out, whatever becomes of the others. No two of them may be on one
// resource. The results are in the order of the operations. An error is an
// [*Error] of the whole request; if it is in doubt, every operation is.
func (c *Client) Bulk(ctx context.Context, ops []*BulkOperation) ([]BulkResult, error) {
	texts := make([][]byte, len(ops))
	for i, op := range ops {
		texts[i] = op.text
	}
	body := append([]byte(bulkRequestStart), bytes.Join(texts, []byte(","))...)
	resp, err := c.do(ctx, &call{
		method:    http.MethodPost,
		endpoint:  bulkEndpoint,
		path:      c.casePath(string(bulkEndpoint)),
		body:      append(body, bulkRequestEnd...),
		receive:   receiveBulk,
		throttles: mostBulkThrottles,
	})
	if err != nil {
		return nil, err
	}
	return matchBulk(ops, resp), nil
}

// receiveBulk reads the answer to a bulk request, which must list what became of
// its operations (RFC 7644 §3.7.3).
func receiveBulk(resp *Response, answer *http.Response) error {
	if err := receiveDocument(resp, answer); err != nil {
		return err
	}
	if topMembers(resp.Resource.Raw)["operations"].Kind() != '[' {
		return &oddBody{detail: decodeErrorBody(resp.Resource.Raw, "").detail}
	}
	return nil
}

// bulkAnswer is what a server says of one operation, as far as it can be read.
type bulkAnswer struct {
	bulkID, location, version string
	status                    int
	response, raw             jsontext.Value
}

func bulkAnswers(raw jsontext.Value) []bulkAnswer {
	var list []jsontext.Value
	if json.Unmarshal(topMembers(raw)["operations"], &list, wireJSON) != nil {
		return nil
	}
	answers := make([]bulkAnswer, len(list))
	for i, text := range list {
		m := topMembers(text)
		a := bulkAnswer{
			bulkID: scalarText(m["bulkid"]), location: scalarText(m["location"]), version: scalarText(m["version"]),
			status: statusOf(m["status"]), response: m["response"], raw: text,
		}
		if a.status == 0 {
			a.status = statusOf(topMembers(a.response)["status"])
		}
		answers[i] = a
	}
	return answers
}

func (a *bulkAnswer) good() bool { return a.status >= 200 && a.status < 300 }

// matchBulk finds the answer of each operation: that of a POST by its bulkId, the
// others by the resource, since servers answer in any order. What is left over
// is told apart only where it makes no difference.
func matchBulk(ops []*BulkOperation, resp *Response) []BulkResult {
	byID, byPlace := map[string]int{}, map[string]int{}
	for i, op := range ops {
		if op.bulkID != "" {
			byID[op.bulkID] = i
		} else {
			byPlace[op.Target()] = i
		}
	}
	results := make([]BulkResult, len(ops))
	var nameless []bulkAnswer
	for _, a := range bulkAnswers(resp.Resource.Raw) {
		i, known := byID[a.bulkID]
		for _, e := range []Endpoint{Users, Groups} {
			if !known {
				i, known = byPlace[placeOf(e, idFromLocation(e, a.location))]
			}
		}
		switch {
		case !known:
			nameless = append(nameless, a)
		case results[i] == BulkResult{}: // the first answer counts
			results[i] = ops[i].result(a, resp)
		}
	}
	completeBulk(ops, results, nameless, resp)
	return results
}

// completeBulk settles the operations that no answer names. Where as many
// answers name none, and all are good, all of them were carried out; but which
// resource a POST has made cannot be known. Everything else is in doubt.
func completeBulk(ops []*BulkOperation, results []BulkResult, nameless []bulkAnswer, resp *Response) {
	var left []int
	allGood := true
	for i := range results {
		if results[i] == (BulkResult{}) {
			left = append(left, i)
			allGood = allGood && ops[i].bulkID == ""
		}
	}
	for _, a := range nameless {
		allGood = allGood && a.good() && a.status != http.StatusAccepted
	}
	for n, i := range left {
		if allGood && len(left) == len(nameless) {
			results[i] = ops[i].result(bulkAnswer{status: nameless[n].status}, resp)
			continue
		}
		results[i] = BulkResult{Err: ops[i].fault(&Error{Status: resp.Status, Err: errNotListed}, resp)}
	}
}

// result is what an answer says of the operation.
func (op *BulkOperation) result(a bulkAnswer, resp *Response) BulkResult {
	if a.status == 0 {
		return BulkResult{Err: op.fault(&Error{Status: resp.Status, Err: errNoStatus}, resp)}
	}
	if !a.good() {
		return BulkResult{Err: op.refused(a, resp)}
	}
	if a.status == http.StatusAccepted {
		return BulkResult{Err: op.fault(&Error{Status: a.status, Err: errAccepted}, resp)}
	}
	done := &Response{Status: a.status, Attempts: resp.Attempts, CorrelationID: resp.CorrelationID, Date: resp.Date, Quota: resp.Quota, Took: resp.Took}
	if r, err := ParseResource(a.response); err == nil {
		done.Resource = r
	}
	if done.Resource.ID == "" {
		done.Resource.ID = op.id
	}
	if done.Resource.ID == "" {
		done.Resource.ID = idFromLocation(op.endpoint, a.location)
	}
	if done.Resource.ID == "" {
		return BulkResult{Err: op.fault(&Error{Status: a.status, Err: errNoneNamed}, resp)}
	}
	if done.Resource.Version == "" {
		done.Resource.Version = quoteETag(a.version)
	}
	done.Resource.Location = a.location
	return BulkResult{Response: done}
}

// refused makes an error of a result, as one would be made of an answer. Some
// servers put what stands in response beside it.
func (op *BulkOperation) refused(a bulkAnswer, resp *Response) *Error {
	text := a.response
	if len(text) == 0 {
		text = a.raw
	}
	body := decodeErrorBody(text, "")
	if text.Kind() == '"' {
		body.detail = oneLine(scalarText(text))
	}
	return op.fault(&Error{Status: a.status, ScimType: body.scimType, Detail: body.detail, Code: body.code, HTML: body.html}, resp)
}

// fault completes an error with what is known of the operation.
func (op *BulkOperation) fault(e *Error, resp *Response) *Error {
	e.Method, e.Path, e.IfMatch = op.method, op.path, op.ifMatch
	e.Attempts, e.CorrelationID, e.Date = resp.Attempts, resp.CorrelationID, resp.Date
	e.redact("", op.text)
	return e
}

// ErrorOf is an error of a whole bulk request, as the operation met it.
func (op *BulkOperation) ErrorOf(failed *Error) *Error {
	e := *failed
	e.Method, e.Path, e.IfMatch = op.method, op.path, op.ifMatch
	return &e
}
