package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// box is a sandbox behind a real HTTP server.
type box struct {
	*Sandbox
	t     *testing.T
	url   string
	wires *http.Transport
}

func open(t *testing.T, opt Options) *box {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s)
}

// serve puts a sandbox behind a server; both end with the test.
func serve(t *testing.T, s *Sandbox) *box {
	srv := httptest.NewServer(s)
	wires := &http.Transport{}
	t.Cleanup(func() {
		wires.CloseIdleConnections()
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &box{s, t, srv.URL + s.BasePath(), wires}
}

// reply is a response with its body read and, if it is JSON, parsed.
type reply struct {
	*http.Response
	text string
	doc  *object
}

// call sends a request; path is below the base unless it is a whole URL, and
// headers are name, value, ….
func (b *box) call(method, path, body string, headers ...string) reply {
	b.t.Helper()
	r, err := b.try(method, path, body, headers...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (b *box) try(method, path, body string, headers ...string) (reply, error) {
	if !strings.HasPrefix(path, "http") {
		path = b.url + path
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.wires.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	out := reply{Response: res, text: string(text)}
	out.doc, _ = parseObject(text)
	return out, err
}

// want fails the test unless the reply has the status and, if it is given,
// the scimType.
func (r reply) want(t *testing.T, status int, scimType string) reply {
	t.Helper()
	if r.StatusCode != status || r.doc.text("scimType") != scimType {
		t.Fatalf("got %d %q, want %d %q: %s", r.StatusCode, r.doc.text("scimType"), status, scimType, r.text)
	}
	return r
}

// user creates a user from members of a JSON object and returns its id.
func (b *box) user(members string) string {
	b.t.Helper()
	return b.call("POST", "/Users", `{"schemas":["`+userURN+`"],`+members+`}`).want(b.t, 201, "").doc.text("id")
}

func (b *box) group(members string) string {
	b.t.Helper()
	return b.call("POST", "/Groups", `{"schemas":["`+groupURN+`"],`+members+`}`).want(b.t, 201, "").doc.text("id")
}

// at reads a value by its way through objects and arrays, for example
// "emails/0/value"; JSON text is returned for what is not a string.
func (r reply) at(way string) string {
	if r.doc == nil {
		return ""
	}
	return lookAt(r.doc, way)
}

func lookAt(v any, way string) string {
	for way != "" {
		var step string
		step, way, _ = strings.Cut(way, "/")
		switch x := v.(type) {
		case *object:
			v = x.get(step)
		case []any:
			i := int(step[0] - '0')
			if i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return string(appendJSON(nil, v))
}

// inProcess sends a request without a network, as synctest needs it.
func inProcess(t *testing.T, s *Sandbox, method, path string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sandbox"+s.BasePath()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{Response: res, text: string(text)}
	out.doc, _ = parseObject(text)
	return out
}
