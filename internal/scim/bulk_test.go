package scim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// bulkOps are a POST, a PATCH with a version, a PUT and a DELETE.
func bulkOps(t *testing.T, c *Client) []*BulkOperation {
	t.Helper()
	var ops []*BulkOperation
	for _, o := range []struct{ method, id, body, version string }{
		{http.MethodPost, "", `{"userName":"a","password":"s3cret-word"}`, ""},
		{http.MethodPatch, "p", `{"Operations":[]}`, `W/"3"`},
		{http.MethodPut, "q/r", `{"userName":"q"}`, ""},
		{http.MethodDelete, "d", "", ""},
	} {
		var body []byte
		if o.body != "" {
			body = []byte(o.body)
		}
		op, err := c.BulkOperation(o.method, Users, o.id, body, o.version)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

// TestBulkResults shows what is made of answers, in whatever order and however
// incomplete: "done ID", or the verdict, the class and the status of an error.
func TestBulkResults(t *testing.T) {
	const created = `{"method":"POST","bulkId":"1","location":"https://x/Users/new","status":"201"}`
	const patched = `{"method":"PATCH","location":"https://x/v2/Users/p","status":"200"}`
	const put = `{"method":"PUT","location":"/Users/q%2Fr","status":200}`
	const deleted = `{"method":"DELETE","location":"users/d","status":{"code":"204"}}`
	for _, tc := range []struct {
		name    string
		answers []string
		want    [4]string
	}{
		{"in order", []string{created, patched, put, deleted}, [4]string{"done new", "done p", "done q/r", "done d"}},
		{"reversed", []string{deleted, put, patched, created}, [4]string{"done new", "done p", "done q/r", "done d"}},
		{"none", nil, [4]string{"in doubt server", "in doubt server", "in doubt server", "in doubt server"}},
		{"fewer", []string{patched, created}, [4]string{"done new", "done p", "in doubt server", "in doubt server"}},
		{"twice, the first counts", []string{created, `{"bulkId":"1","status":"500"}`, patched, put, deleted}, [4]string{"done new", "done p", "done q/r", "done d"}},
		{"nameless, and all good", []string{created, `{"status":"200"}`, `{"status":"200"}`, `{"status":"204"}`}, [4]string{"done new", "done p", "done q/r", "done d"}},
		{"nameless, one refused", []string{created, `{"status":"200"}`, `{"status":"412"}`, `{"status":"204"}`}, [4]string{"done new", "in doubt server", "in doubt server", "in doubt server"}},
		{"nameless, one missing", []string{created, `{"status":"200"}`, `{"status":"204"}`}, [4]string{"done new", "in doubt server", "in doubt server", "in doubt server"}},
		{"nameless create", []string{`{"status":"201"}`, patched, put, deleted}, [4]string{"in doubt server", "done p", "done q/r", "done d"}},
		{"create without a location", []string{`{"bulkId":"1","status":"201"}`, patched, put, deleted}, [4]string{"in doubt server", "done p", "done q/r", "done d"}},
		{"the resource instead", []string{`{"bulkId":1,"status":201,"response":{"id":"new","meta":{"version":"W/\"1\""}}}`, patched, put, deleted}, [4]string{"done new", "done p", "done q/r", "done d"}},
		{"accepted only", []string{`{"bulkId":"1","status":"202","location":"/Users/new"}`, patched, put, deleted}, [4]string{"in doubt server", "done p", "done q/r", "done d"}},
		{"no status", []string{`{"bulkId":"1","location":"/Users/new"}`, patched, put, deleted}, [4]string{"in doubt server", "done p", "done q/r", "done d"}},
		{"refused", []string{
			`{"bulkId":"1","status":"409","response":{"status":"409","scimType":"uniqueness","detail":"taken"}}`,
			`{"location":"/Users/p","status":"412","response":{"detail":"moved"}}`,
			`{"location":"/Users/q%2Fr","status":"400","scimType":"invalidValue","detail":"beside it"}`,
			`{"location":"/Users/d","status":"404"}`,
		}, [4]string{"definite exists 409", "definite conflict 412", "definite data 400", "definite missing 404"}},
		{"in trouble", []string{
			`{"bulkId":"1","response":{"status":"500"}}`, `{"location":"/Users/p","status":"503"}`,
			`{"location":"/Users/q%2Fr","status":"429"}`, `{"location":"/Users/d","status":"501"}`,
		}, [4]string{"in doubt server 500", "in doubt server 503", "not processed throttled 429", "definite server 501"}},
		{"noise", []string{`null`, `7`, `{"bulkId":"99","status":"201"}`, created, patched, put, deleted}, [4]string{"done new", "done p", "done q/r", "done d"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := inTurn(says(200, `{"schemas":[],"operations":[`+strings.Join(tc.answers, ",")+`]}`))
			c := memoryClient(t, server)
			ops := bulkOps(t, c)
			results, err := c.Bulk(background, ops)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range results {
				if got := resultText(r); got != tc.want[i] {
					t.Errorf("%s: %q, want %q (%v)", ops[i].method, got, tc.want[i], r.Err)
				}
			}
		})
	}
}

func resultText(r BulkResult) string {
	var e *Error
	switch {
	case r.Response != nil:
		return "done " + r.Response.Resource.ID
	case !errors.As(r.Err, &e):
		return fmt.Sprint(r.Err)
	case e.Err != nil:
		return fmt.Sprintf("%s %s", e.Verdict(), e.Class())
	}
	return fmt.Sprintf("%s %s %d", e.Verdict(), e.Class(), e.Status)
}

// TestBulkRequest: what is sent is the form of RFC 7644 §3.7, and what a server
// repeats of a password goes nowhere.
func TestBulkRequest(t *testing.T) {
	server := inTurn(says(200, `{"Operations":[{"bulkId":"1","status":"400","response":{"detail":"s3cret-word is too weak"}}]}`))
	c := memoryClient(t, server)
	results, err := c.Bulk(background, bulkOps(t, c))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` +
		`{"method":"POST","bulkId":"1","path":"/Users","data":{"userName":"a","password":"s3cret-word"}},` +
		`{"method":"PATCH","version":"W/\"3\"","path":"/Users/p","data":{"Operations":[]}},` +
		`{"method":"PUT","path":"/Users/q%2Fr","data":{"userName":"q"}},` +
		`{"method":"DELETE","path":"/Users/d"}]}`
	if got := server.bodies[0]; got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
	if text := results[0].Err.Error(); strings.Contains(text, "s3cret") || !strings.Contains(text, redacted) {
		t.Errorf("the error is %q", text)
	}
}

func TestFeatures(t *testing.T) {
	for _, tc := range []struct {
		name, config string
		status       int
		want         Features
	}{
		{"both", `{"bulk":{"supported":true,"maxOperations":1000,"maxPayloadSize":1048576}}`, 200, Features{Bulk: true, BulkOperations: 1000, BulkPayload: 1 << 20}},
		{"as text, in other letters", `{"Bulk":{"Supported":true,"MaxOperations":"50"}}`, 200, Features{Bulk: true, BulkOperations: 50}},
		{"nonsense", `{"bulk":{"supported":true,"maxOperations":-3,"maxPayloadSize":"large"}}`, 200, Features{Bulk: true}},
		{"not supported", `{"bulk":{"supported":false,"maxOperations":1000}}`, 200, Features{BulkOperations: 1000}},
		{"not said", `{"patch":{"supported":true}}`, 200, Features{}},
		{"no PATCH", `{"Patch":{"Supported":false}}`, 200, Features{NoPatch: true}},
		{"nothing clear about PATCH", `{"patch":{"supported":null}}`, 200, Features{}},
		{"no configuration", `{}`, 404, Features{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := memoryClient(t, inTurn(says(tc.status, tc.config)))
			if got, err := c.Features(background); got != tc.want || err != nil {
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
	c := memoryClient(t, inTurn(says(401, `{}`)))
	if _, err := c.Features(background); err == nil {
		t.Error("a 401 is no answer to the question")
	}
}
