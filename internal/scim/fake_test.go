package scim

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a server as a function: no sockets, so that time can be virtual.
type memory func(*http.Request) (*http.Response, error)

func (m memory) RoundTrip(req *http.Request) (*http.Response, error) { return m(req) }

// reply builds an answer; headers come in pairs.
func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode:    status,
		Header:        h,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// answered sends the replies in turn, the last one for ever, and keeps what it
// was sent.
type answered struct {
	mu      sync.Mutex
	replies []func() (*http.Response, error)
	bodies  []string
	times   []time.Time
	headers []http.Header
	urls    []string
}

func (a *answered) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		text, _ := io.ReadAll(req.Body)
		body = string(text)
	}
	a.mu.Lock()
	n := len(a.bodies)
	a.bodies = append(a.bodies, body)
	a.times = append(a.times, time.Now())
	a.headers = append(a.headers, req.Header)
	a.urls = append(a.urls, req.URL.String())
	a.mu.Unlock()
	resp, err := a.replies[min(n, len(a.replies)-1)]()
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func inTurn(replies ...func() (*http.Response, error)) *answered { return &answered{replies: replies} }

func says(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return reply(status, body, headers...), nil }
}

func fails(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

func memoryClient(t *testing.T, transport http.RoundTripper, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{BaseURL: "https://directory.example/scim/v2", Transport: transport}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func user(id string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"` + id + `","meta":{"version":"W/\"1\""}}`
}

func pageOf(total int, ids ...string) string {
	var users []string
	for _, id := range ids {
		users = append(users, user(id))
	}
	return `{"totalResults":` + strconv.Itoa(total) + `,"Resources":[` + strings.Join(users, ",") + `]}`
}

var background = context.Background()
