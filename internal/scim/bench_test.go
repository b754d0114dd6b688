package scim

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func benchmarkServer(b *testing.B) *httptest.Server {
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-413861904646","userName":"bjensen","meta":{"resourceType":"User","version":"W/\"3694e05e9dff590\"","location":"https://example.com/v2/Users/2819c223-7f76-453a-919d-413861904646"},"x":"` + strings.Repeat("x", 800) + `"}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(201)
		_, _ = io.WriteString(w, body)
	}))
	b.Cleanup(srv.Close)
	return srv
}

var benchmarkBody = []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","x":"` + strings.Repeat("x", 1000) + `"}`)

// BenchmarkCreate against BenchmarkBarePost is what the client costs.
func BenchmarkCreate(b *testing.B) {
	srv := benchmarkServer(b)
	c, err := New(Options{BaseURL: srv.URL, Credentials: Bearer("t")})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Create(b.Context(), Users, benchmarkBody); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBarePost(b *testing.B) {
	srv := benchmarkServer(b)
	transport := newTransport(16)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.ReportAllocs()
	for b.Loop() {
		req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL+"/Users", bytes.NewReader(benchmarkBody))
		req.Header.Set("Content-Type", scimMediaType)
		req.Header.Set("Authorization", "Bearer t")
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

func BenchmarkParsePage(b *testing.B) {
	one := user("2819c223-7f76-453a-919d-413861904646")
	one = one[:len(one)-1] + `,"x":"` + strings.Repeat("x", 1100) + `"}`
	body := `{"totalResults":1000,"Resources":[` + strings.Repeat(one+",", 99) + one + `]}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if page, err := parsePage([]byte(body), ""); err != nil || len(page.Resources) != 100 {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	p := newPacer(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		t, _ := p.admit(b.Context(), postUsers, false, 0)
		p.settle(t, signal{kind: good})
	}
}
