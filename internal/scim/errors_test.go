package scim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDecodeErrorBody(t *testing.T) {
	for name, tc := range map[string]struct {
		body, contentType string
		want              errorBody
	}{
		"rfc": {
			body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName is taken"}`,
			want: errorBody{status: 409, scimType: "uniqueness", detail: "userName is taken"},
		},
		"status as number":        {body: `{"status":404,"detail":"gone"}`, want: errorBody{status: 404, detail: "gone"}},
		"status as object":        {body: `{"status":{"code":"201"},"detail":"x"}`, want: errorBody{status: 201, detail: "x"}},
		"status absent":           {body: `{"detail":"x"}`, want: errorBody{detail: "x"}},
		"status nonsense":         {body: `{"status":"error","detail":"x"}`, want: errorBody{detail: "x"}},
		"detail as array":         {body: `{"detail":["a","b"],"status":"400"}`, want: errorBody{status: 400, detail: "a; b"}},
		"detail as object":        {body: `{"detail":{"message":"m"}}`, want: errorBody{detail: "m"}},
		"schemas as string":       {body: `{"schemas":"[\"urn:x\"]","status":409,"detail":"d"}`, want: errorBody{status: 409, detail: "d"}},
		"names in any case":       {body: `{"Status":"400","SCIMTYPE":"invalidValue","Detail":"d"}`, want: errorBody{status: 400, scimType: "invalidValue", detail: "d"}},
		"nulls":                   {body: `{"status":null,"scimType":null,"detail":null}`, want: errorBody{}},
		"doubled member":          {body: `{"detail":"first","detail":"second"}`, want: errorBody{detail: "first"}},
		"genesys":                 {body: `{"message":"Rate limit exceeded the maximum. Retry the request in [42] seconds","code":"too.many.requests.retry.after","status":429,"contextId":"c-1","details":[],"errors":[]}`, want: errorBody{status: 429, code: "too.many.requests.retry.after", context: "c-1", detail: "Rate limit exceeded the maximum. Retry the request in [42] seconds"}},
		"SCIM 1.1":                {body: `{"Errors":[{"description":"name_taken","code":"409"}]}`, want: errorBody{detail: "name_taken", code: "409"}},
		"OAuth":                   {body: `{"error":"invalid_token","error_description":"expired"}`, want: errorBody{code: "invalid_token", detail: "expired"}},
		"nested error":            {body: `{"error":{"code":403,"message":"no"}}`, want: errorBody{code: "403", detail: "no"}},
		"array of errors":         {body: `[{"message":"m","errorCode":"REQUIRED_FIELD_MISSING"}]`, want: errorBody{detail: "m", code: "REQUIRED_FIELD_MISSING"}},
		"problem details":         {body: `{"title":"Forbidden","status":403}`, want: errorBody{status: 403, detail: "Forbidden"}},
		"html by type":            {body: `Service Unavailable`, contentType: "text/html; charset=utf-8", want: errorBody{html: true}},
		"html by look":            {body: "\n <!DOCTYPE html><html>", contentType: "application/scim+json", want: errorBody{html: true}},
		"plain text":              {body: "Unauthorized\n", contentType: "text/plain", want: errorBody{detail: "Unauthorized"}},
		"empty":                   {body: " \n", want: errorBody{}},
		"truncated after detail":  {body: `{"status":"500","detail":"half","schem`, want: errorBody{status: 500, detail: "half"}},
		"truncated within detail": {body: `{"status":"500","detail":"hal`, want: errorBody{status: 500}},
		"byte order mark":         {body: "\ufeff" + `{"detail":"x"}`, want: errorBody{detail: "x"}},
		"control characters":      {body: `{"detail":"a\u001b[31m\u0000b\nc"}`, want: errorBody{detail: "a[31mb c"}},
		"lone surrogate":          {body: `{"detail":"a\ud800b"}`, want: errorBody{detail: "ab"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decodeErrorBody([]byte(tc.body), tc.contentType); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestDecodeErrorBodyIsShort(t *testing.T) {
	got := decodeErrorBody([]byte(`{"detail":"`+strings.Repeat("ä", 5000)+`"}`), "")
	if n := len([]rune(got.detail)); n != longestDetail+1 {
		t.Errorf("a long detail has %d characters, want %d and an ellipsis", n, longestDetail)
	}
}

func FuzzDecodeErrorBody(f *testing.F) {
	for _, seed := range []string{
		`{"status":"409","scimType":"uniqueness","detail":"d"}`, `{"status":{"code":"1"}}`, `[[[{"detail":["a",1,{"b":[]}]}`,
		`{"error":{"error":{"error":1}}}`, "<html>", "\xff\xfe", `{"a":`, `{"detail":"\ud800"}`,
	} {
		f.Add([]byte(seed), "application/json")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		b := decodeErrorBody(body, contentType)
		for _, s := range []string{b.detail, b.code, b.scimType, b.context} {
			if strings.ContainsAny(s, "\n\r\x1b\x00") || len([]rune(s)) > longestDetail+1 {
				t.Errorf("not fit for a cell: %q", s)
			}
		}
		if b.status != 0 && (b.status < 100 || b.status > 999) {
			t.Errorf("status %d", b.status)
		}
	})
}

func TestVerdict(t *testing.T) {
	notProcessed, definite, inDoubt := []int{301, 302, 307, 308, 401, 413, 423, 425, 429},
		[]int{400, 403, 404, 405, 406, 409, 410, 412, 415, 422, 428, 431, 501, 505},
		[]int{0, 200, 201, 202, 303, 408, 499, 500, 502, 503, 504, 507, 520, 529}
	check := func(e *Error, want Verdict) {
		t.Helper()
		if got := e.Verdict(); got != want {
			t.Errorf("%s %d unsent=%t: %v, want %v", e.Method, e.Status, e.Unsent, got, want)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, s := range notProcessed {
			check(&Error{Method: method, Status: s}, NotProcessed)
		}
		for _, s := range definite {
			check(&Error{Method: method, Status: s}, Definite)
		}
		for _, s := range inDoubt {
			check(&Error{Method: method, Status: s}, InDoubt)
		}
		check(&Error{Method: method, Unsent: true}, NotProcessed)
	}
	for s := range 600 {
		if (&Error{Method: "GET", Status: s}).Verdict() == InDoubt || (&Error{Method: "POST", Read: true, Status: s}).Verdict() == InDoubt {
			t.Errorf("a read that was answered %d is in doubt", s)
		}
	}
}

func TestConflicts(t *testing.T) {
	for name, tc := range map[string]struct {
		e               Error
		version, unique bool
		class           string
	}{
		"412":                         {Error{Status: 412, Method: "PUT"}, true, false, "conflict"},
		"genesys 400":                 {Error{Status: 400, ScimType: "invalidVers", Method: "PATCH", IfMatch: true}, true, false, "conflict"},
		"409 without scimType":        {Error{Status: 409, Method: "PATCH", IfMatch: true, Detail: "Version does not match current version."}, true, false, "conflict"},
		"409 uniqueness, If-Match":    {Error{Status: 409, ScimType: "uniqueness", Method: "PATCH", IfMatch: true}, false, true, "exists"},
		"409 in words, If-Match":      {Error{Status: 409, Method: "PUT", IfMatch: true, Detail: "User name already in use by non-deleted user."}, false, true, "exists"},
		"POST 409 with nothing":       {Error{Status: 409, Method: "POST"}, false, true, "exists"},
		"POST 409 Salesforce":         {Error{Status: 409, Method: "POST", Code: "REQUIRED_FIELD_MISSING"}, false, false, "conflict"},
		"POST 409 other scimType":     {Error{Status: 409, Method: "POST", ScimType: "mutability"}, false, false, "conflict"},
		"PATCH 409 without If-Match":  {Error{Status: 409, Method: "PATCH"}, false, false, "conflict"},
		"400 uniqueness":              {Error{Status: 400, ScimType: "Uniqueness", Method: "POST"}, false, true, "exists"},
		"400 in words":                {Error{Status: 400, Method: "POST", Detail: "The user already exists"}, false, true, "exists"},
		"400 duplicate member":        {Error{Status: 400, Method: "POST", Detail: "duplicate attribute in body"}, false, false, "data"},
		"500 that says already there": {Error{Status: 500, Method: "POST", Detail: "already exists"}, false, false, "server"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.e.VersionConflict(); got != tc.version {
				t.Errorf("VersionConflict() = %t", got)
			}
			if got := tc.e.Uniqueness(); got != tc.unique {
				t.Errorf("Uniqueness() = %t", got)
			}
			if got := tc.e.Class(); got != tc.class {
				t.Errorf("Class() = %s, want %s", got, tc.class)
			}
		})
	}
}

func TestClass(t *testing.T) {
	for _, tc := range []struct {
		e    Error
		want string
	}{
		{Error{Status: 401}, "permission"},
		{Error{Status: 403}, "permission"},
		{Error{Status: 404, Method: "PATCH"}, "missing"},
		{Error{Status: 404, Method: "POST"}, "server"},
		{Error{Status: 405}, "server"},
		{Error{Status: 429}, "throttled"},
		{Error{Status: 422}, "data"},
		{Error{Status: 413}, "data"},
		{Error{Status: 503}, "server"},
		{Error{Status: 0, Err: io.EOF}, "server"},
		{Error{Unsent: true, Err: &credentialError{action: "x", status: 401, err: io.EOF}}, "permission"},
		{Error{Unsent: true, Err: &credentialError{action: "x", status: 503, err: io.EOF}}, "server"},
	} {
		if got := tc.e.Class(); got != tc.want {
			t.Errorf("%d %v: %s, want %s", tc.e.Status, tc.e.Err, got, tc.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for name, tc := range map[string]struct {
		e    Error
		want string
	}{
		"server's words": {
			Error{Method: "POST", Path: "Users", Status: 409, ScimType: "uniqueness", Detail: "userName is taken", CorrelationID: "c-1", Attempts: 1},
			"POST Users: 409 uniqueness: userName is taken (correlation id c-1)",
		},
		"no words":     {Error{Method: "PATCH", Path: "Users/1", Status: 412}, "PATCH Users/1: 412: the resource has changed since it was read"},
		"html":         {Error{Method: "GET", Path: "Users", Status: 404, HTML: true}, "GET Users: 404: answered HTML, not SCIM: is the base URL right?"},
		"html, write":  {Error{Method: "POST", Path: "Users", Status: 502, HTML: true, Attempts: 1}, "POST Users: 502: answered HTML, not SCIM: is the base URL right?; it may have been carried out all the same"},
		"no answer":    {Error{Method: "PUT", Path: "Users/1", Err: io.EOF}, "PUT Users/1: no answer: the server closed the connection; it may have been carried out all the same"},
		"unsent":       {Error{Method: "PUT", Path: "Users/1", Unsent: true, Err: errors.New("connection refused"), Attempts: 3}, "PUT Users/1: not sent: connection refused, sent 3 times"},
		"server fault": {Error{Method: "DELETE", Path: "Users/1", Status: 500}, "DELETE Users/1: 500: internal server error; it may have been carried out all the same"},
		"odd status":   {Error{Method: "GET", Path: "Users", Status: 599}, "GET Users: 599: no reason was given"},
		"page too big": {Error{Method: "GET", Path: "users", Status: 429, Oversized: true}, "GET users: 429: the server refused so large a page; ask for fewer attributes or a smaller page"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.e.Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for name, tc := range map[string]struct{ body, detail, want string }{
		"password":         {`{"userName":"a","password":"s3cret"}`, `password "s3cret" is too short`, `password "[redacted]" is too short`},
		"escaped":          {`{"Password":"a\"b\u00e9"}`, `a"bé is weak`, `[redacted] is weak`},
		"patch path":       {`{"Operations":[{"op":"replace","value":"hunter2","path":"password"}]}`, `hunter2`, `[redacted]`},
		"patch full path":  {`{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":"hunter2"}]}`, `hunter2`, `[redacted]`},
		"patch value":      {`{"Operations":[{"op":"add","value":{"password":"hunter2","title":"t"}}]}`, `hunter2 t`, `[redacted] t`},
		"bulk":             {`{"Operations":[{"data":{"password":"hunter2"}},{"data":{"password":"other"}}]}`, `hunter2 other`, `[redacted] [redacted]`},
		"token":            {`{}`, `Bearer tok-123 expired`, `Bearer [redacted] expired`},
		"other attributes": {`{"title":"Boss","nickName":"password"}`, `Boss password`, `Boss password`},
		"broken body":      {`{"password":"hunter2","x":`, `hunter2`, `[redacted]`},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Error{Detail: tc.detail}
			e.redact("Bearer tok-123", []byte(tc.body))
			if e.Detail != tc.want {
				t.Errorf("got %q, want %q", e.Detail, tc.want)
			}
		})
	}
}

// TestErrorKeepsSecrets drives a server that repeats all it is told.
func TestErrorKeepsSecrets(t *testing.T) {
	echo := memory(func(req *http.Request) (*http.Response, error) {
		var body []byte
		if req.Body != nil {
			body, _ = io.ReadAll(req.Body)
		}
		resp := reply(400, req.Header.Get("Authorization")+" "+string(body), "X-Request-Id", req.Header.Get("Authorization"))
		resp.Request = req
		return resp, nil
	})
	c := memoryClient(t, echo, func(o *Options) { o.Credentials = Bearer("top-secret-token") })
	_, createErr := c.Create(background, Users, []byte(`{"password":"pass-word-1"}`))
	_, listErr := c.List(background, Users, ListOptions{Filter: `userName eq "somebody"`})
	for _, err := range []error{createErr, listErr} {
		for _, secret := range []string{"top-secret-token", "pass-word-1", "somebody"} {
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("error tells %q: %v", secret, err)
			}
		}
	}
	var e *Error
	if !errors.As(createErr, &e) || strings.Contains(e.CorrelationID, "top-secret") {
		t.Errorf("correlation id tells the token: %+v", e)
	}
}

func TestTransportErrorHidesQuery(t *testing.T) {
	c := memoryClient(t, inTurn(fails(errors.New("boom"))), func(o *Options) { o.MaxAttempts = 1; o.Timeout = time.Second })
	_, err := c.List(background, Users, ListOptions{Filter: `userName eq "somebody"`})
	if err == nil || strings.Contains(err.Error(), "somebody") || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
}
