package scim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}

// operation is one way of calling the client.
type operation struct {
	name string
	call func(*Client) error
}

const sample = `{"userName":"a","note":1.50}`

func writes() []operation {
	body := []byte(sample)
	return []operation{
		{"POST", func(c *Client) error { _, err := c.Create(background, Users, body); return err }},
		{"PUT", func(c *Client) error { _, err := c.Replace(background, Users, "1", body, `"7"`); return err }},
		{"PATCH", func(c *Client) error { _, err := c.Patch(background, Users, "1", body, ""); return err }},
		{"BULK", func(c *Client) error { return bulkOf(c, body) }},
	}
}

func bulkOf(c *Client, body []byte) error {
	op, err := c.BulkOperation(http.MethodPost, Users, "", body, "")
	if err == nil {
		_, err = c.Bulk(background, []*BulkOperation{op})
	}
	return err
}

func reads() []operation {
	return []operation{
		{"GET", func(c *Client) error { _, err := c.Get(background, Users, "1", ReadOptions{}); return err }},
		{"LIST", func(c *Client) error { _, err := c.List(background, Users, ListOptions{Count: 5}); return err }},
		{"SEARCH", func(c *Client) error {
			_, err := c.List(background, Users, ListOptions{Count: 5, Post: true})
			return err
		}},
	}
}

// goodFor is an answer that every operation takes for a good one.
const goodFor = `{"id":"1","totalResults":0,"Resources":[],"Operations":[]}`

// TestResend shows for each failure which operations the client sends again by
// itself, and what the verdict is where it does not.
func TestResend(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	half := func(status int) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp := reply(status, goodFor)
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(goodFor[:9]), failingReader{io.ErrUnexpectedEOF}))
			return resp, nil
		}
	}
	cases := []struct {
		name          string
		first         func() (*http.Response, error)
		reads, writes bool // sent again
		verdict       Verdict
	}{
		{"429", says(429, ""), true, true, 0},
		{"429 zero", says(429, "", "Retry-After", "0"), true, true, 0},
		{"403 of GitHub", says(403, "", "Retry-After", "2"), true, true, 0},
		{"403 in words", says(403, `{"message":"You have exceeded a secondary rate limit"}`), true, true, 0},
		{"425", says(425, ""), true, true, 0},
		{"423", says(423, "", "Retry-After", "3"), true, true, 0},
		{"dial", fails(errRefused), true, true, 0},
		{"refused stream", fails(streamError{StreamID: 3, Code: 7}), true, true, 0},
		{"cancelled stream", fails(streamError{StreamID: 3, Code: 8}), true, false, InDoubt},
		{"reset", fails(reset), true, false, InDoubt},
		{"EOF", fails(io.EOF), true, false, InDoubt},
		{"500", says(500, ""), true, false, InDoubt},
		{"502 html", says(502, "<html>bad gateway", "Content-Type", "text/html"), true, false, InDoubt},
		{"503", says(503, ""), true, false, InDoubt},
		{"503 Retry-After", says(503, "", "Retry-After", "2"), true, false, InDoubt},
		{"504", says(504, ""), true, false, InDoubt},
		{"408", says(408, ""), true, false, InDoubt},
		{"truncated", half(200), true, false, InDoubt},
		{"truncated json", says(200, goodFor[:9]), true, false, InDoubt},
		{"html 200", says(200, "<html>log in", "Content-Type", "text/html"), false, false, InDoubt},
		{"200 with an error", says(200, `{"status":"error","message":"no session"}`), false, false, InDoubt},
		{"500 tooMany", says(500, `{"scimType":"tooMany","detail":"d"}`), false, false, InDoubt},
		{"501", says(501, ""), false, false, Definite},
		{"400", says(400, ""), false, false, Definite},
		{"403", says(403, ""), false, false, Definite},
		{"404", says(404, ""), false, false, Definite},
		{"409", says(409, ""), false, false, Definite},
		{"412", says(412, ""), false, false, Definite},
		{"413", says(413, ""), false, false, NotProcessed},
		{"307", says(307, "", "Location", "https://elsewhere.example/"), false, false, NotProcessed},
		{"401", says(401, ""), false, false, NotProcessed},
	}
	for _, tc := range cases {
		for _, op := range reads() {
			t.Run(tc.name+"/"+op.name, func(t *testing.T) { checkResend(t, tc.first, op, tc.reads, NotProcessed, tc.verdict) })
		}
		for _, op := range writes() {
			t.Run(tc.name+"/"+op.name, func(t *testing.T) { checkResend(t, tc.first, op, tc.writes, tc.verdict, tc.verdict) })
		}
	}
}

func checkResend(t *testing.T, first func() (*http.Response, error), op operation, again bool, want, other Verdict) {
	synctest.Test(t, func(t *testing.T) {
		server := inTurn(first, says(200, goodFor))
		c := memoryClient(t, server)
		c.reached.Store(true)
		err := op.call(c)
		if again {
			if err != nil || len(server.bodies) != 2 || server.bodies[0] != server.bodies[1] {
				t.Fatalf("error %v after sending %q", err, server.bodies)
			}
			if s := c.Stats(); s.Retried != 1 || s.Total != 2 {
				t.Errorf("stats %+v", s)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(server.bodies) != 1 {
			t.Fatalf("error %v after sending %d times", err, len(server.bodies))
		}
		if v := e.Verdict(); v != want && v != other || v == InDoubt && want != InDoubt {
			t.Errorf("verdict %v, want %v", v, want)
		}
	})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestDelete: a DELETE has no body to repeat, and any body in its answer means
// nothing.
func TestDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := inTurn(says(429, "", "Retry-After", "1"), says(200, `"deleted"`, "Content-Type", "text/plain"))
		c := memoryClient(t, server)
		resp, err := c.Delete(background, Users, "1", "7")
		if err != nil || resp.Attempts != 2 || server.headers[1].Get("If-Match") != `"7"` {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

// TestAttempts: each kind of failure has its end.
func TestAttempts(t *testing.T) {
	for name, tc := range map[string]struct {
		answer  func() (*http.Response, error)
		reached bool
		want    int
	}{
		"server failing":    {says(500, ""), true, defaultMaxAttempts},
		"never reached":     {fails(errRefused), false, firstContactAttempts},
		"lost":              {fails(errRefused), true, defaultMaxAttempts},
		"no such host":      {fails(&net.DNSError{Name: "h", IsNotFound: true}), false, 1},
		"throttled for all": {says(429, ""), true, throttleFactor * defaultMaxAttempts},
		"told to wait days": {says(429, "", "Retry-After", "200000"), true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := inTurn(tc.answer)
				c := memoryClient(t, server)
				c.reached.Store(tc.reached)
				_, err := c.Get(background, Users, "1", ReadOptions{})
				var e *Error
				if !errors.As(err, &e) || len(server.bodies) != tc.want || e.Attempts != tc.want {
					t.Errorf("sent %d times, want %d: %v", len(server.bodies), tc.want, err)
				}
			})
		})
	}
}

// TestLongPause: a server that wants hours of silence is not waited for, by
// nobody.
func TestLongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := inTurn(says(429, "", "Retry-After", "90000"))
		c := memoryClient(t, server)
		start := time.Now()
		for range 3 {
			_, err := c.Create(background, Users, []byte(sample))
			var e *Error
			if !errors.As(err, &e) || e.Class() != "throttled" || e.Verdict() != NotProcessed {
				t.Errorf("%v", err)
			}
		}
		if len(server.bodies) != 1 || time.Since(start) > time.Second {
			t.Errorf("sent %d in %v", len(server.bodies), time.Since(start))
		}
	})
}

// TestServerGoneForAWhile: sixteen workers ride out a restart of twenty seconds
// without losing a call, and without knocking all the time.
func TestServerGoneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var knocks, served int
		var mu sync.Mutex
		server := memory(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if d := time.Since(start); d > time.Second && d < 21*time.Second {
				knocks++
				return nil, errRefused
			}
			served++
			return reply(201, user("1")), nil
		})
		c := memoryClient(t, server)
		var failed int
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 20 {
					if _, err := c.Create(background, Users, []byte(sample)); err != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		if failed != 0 || served != 320 {
			t.Errorf("%d calls failed, %d served", failed, served)
		}
		if knocks > 16+12 {
			t.Errorf("knocked %d times at a closed door", knocks)
		}
	})
}

// TestServerGoneForGood: nobody waits long for a server that was never there.
func TestServerGoneForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := memoryClient(t, inTurn(fails(errRefused)))
		first := make(chan time.Duration, 16)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				_, err := c.Get(background, Users, "1", ReadOptions{})
				if err == nil {
					t.Error("no error")
				}
				first <- time.Since(start)
			})
		}
		if d := <-first; d > 5*time.Second {
			t.Errorf("the first call took %v to find out", d)
		}
		wg.Wait()
	})
}

func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := inTurn(says(500, ""))
		c := memoryClient(t, server)
		const calls = 100
		for range calls {
			_, _ = c.Get(background, Users, "1", ReadOptions{})
		}
		if n := len(server.bodies); n != calls+fullBudget {
			t.Errorf("%d calls sent %d requests, want %d", calls, n, calls+fullBudget)
		}
	})
}

// TestRetryBudgetIsGivenBack: retries that lead to an answer cost nothing.
func TestRetryBudgetIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		server := memory(func(*http.Request) (*http.Response, error) {
			if n++; n%2 == 1 {
				return reply(500, ""), nil
			}
			return reply(200, user("1")), nil
		})
		c := memoryClient(t, server)
		for i := range 3 * fullBudget {
			if _, err := c.Get(background, Users, "1", ReadOptions{}); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 6: 16 * time.Second, 7: backoffCap, 500: backoffCap} {
		if got := backoff(failures, 1); got != want {
			t.Errorf("ceiling after %d failures is %v, want %v", failures, got, want)
		}
		if got := backoff(failures, 0); got != 0 {
			t.Errorf("jitter is not full: %v", got)
		}
	}
}

// TestInterrupt: every wait ends with the context, and an error says so.
func TestInterrupt(t *testing.T) {
	hang := memory(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	for name, tc := range map[string]struct {
		transport http.RoundTripper
		rate      float64
		verdict   Verdict
	}{
		"while the server thinks":  {hang, 0, InDoubt},
		"while the gate is closed": {inTurn(says(429, "", "Retry-After", "600")), 0, NotProcessed},
		"while the pace holds":     {inTurn(says(201, user("1"))), 0.001, NotProcessed},
		"while the server is gone": {inTurn(fails(errRefused)), 0, NotProcessed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := memoryClient(t, tc.transport, func(o *Options) { o.Rate = tc.rate; o.Timeout = time.Hour })
				if tc.rate > 0 {
					if _, err := c.Create(background, Users, []byte(sample)); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(background)
				start := time.Now()
				time.AfterFunc(150*time.Millisecond, cancel)
				_, err := c.Create(ctx, Users, []byte(sample))
				var e *Error
				if !errors.As(err, &e) || e.Verdict() != tc.verdict || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if d := time.Since(start); d != 150*time.Millisecond {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

// TestTimeout: the client's own deadline for a request must not look like the
// end of the caller's.
func TestTimeout(t *testing.T) {
	hang := memory(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	synctest.Test(t, func(t *testing.T) {
		c := memoryClient(t, hang, func(o *Options) { o.Timeout = 3 * time.Second })
		start := time.Now()
		_, err := c.Create(background, Users, []byte(sample))
		var e *Error
		if !errors.As(err, &e) || e.Verdict() != InDoubt || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if time.Since(start) != 3*time.Second || !strings.Contains(err.Error(), "no answer within 3s") {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestTimeoutWithinAnswer: the same, where the answer had begun.
func TestTimeoutWithinAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory(func(req *http.Request) (*http.Response, error) {
			resp := reply(201, "", "Location", "/scim/v2/Users/7")
			resp.Body = io.NopCloser(hanging{req.Context()})
			return resp, nil
		})
		c := memoryClient(t, server, func(o *Options) { o.Timeout = 3 * time.Second })
		_, err := c.Create(background, Users, []byte(sample))
		var e *Error
		if !errors.As(err, &e) || e.Verdict() != InDoubt || errors.Is(err, context.DeadlineExceeded) || e.ID != "7" {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if _, err := c.Create(ctx, Users, []byte(sample)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's own deadline: %v", err)
		}
	})
}

func TestBodyThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		server := memory(func(req *http.Request) (*http.Response, error) {
			n++
			resp := reply(200, user("1"))
			if n == 1 {
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id":`), hanging{req.Context()}))
			}
			return resp, nil
		})
		c := memoryClient(t, server)
		if resp, err := c.Get(background, Users, "1", ReadOptions{}); err != nil || resp.Attempts != 2 {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// TestHeaders: what every request carries, and what none may.
func TestHeaders(t *testing.T) {
	server := inTurn(says(200, goodFor))
	c := memoryClient(t, server, func(o *Options) { o.Credentials = Basic("u", "p") })
	for _, op := range append(reads(), writes()...) {
		if err := op.call(c); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
	}
	for i, h := range server.headers {
		if h.Get("User-Agent") != "scimbulk" || h.Get("Accept") != "application/scim+json, application/json" || h.Get("Authorization") != "Basic dTpw" {
			t.Errorf("request %d: %v", i, h)
		}
		if h.Get("Idempotency-Key")+h.Get("X-Idempotency-Key") != "" {
			t.Errorf("request %d lets net/http post again", i)
		}
		hasBody := server.bodies[i] != ""
		if got := h.Get("Content-Type"); hasBody != (got == "application/scim+json") {
			t.Errorf("request %d: Content-Type %q for body %q", i, got, server.bodies[i])
		}
	}
}

func TestPathsAndQueries(t *testing.T) {
	cursor := "a+b/c="
	for _, tc := range []struct {
		want string
		call func(*Client) error
	}{
		{"/Users/a%26b%2Fc%20d", func(c *Client) error {
			_, err := c.Get(background, Users, "a&b/c d", ReadOptions{})
			return err
		}},
		{"/Users/1?attributes=id%2Cmeta.version", func(c *Client) error {
			_, err := c.Get(background, Users, "1", ReadOptions{Attributes: []string{"id", "meta.version"}})
			return err
		}},
		{"/Groups/1?excludedAttributes=members", func(c *Client) error {
			_, err := c.Get(background, Groups, "1", ReadOptions{ExcludedAttributes: []string{"members"}})
			return err
		}},
		{"/Users?filter=userName%20eq%20%22a%2Bb%26c%22&sortBy=id&startIndex=3&count=0", func(c *Client) error {
			_, err := c.List(background, Users, ListOptions{Filter: `userName eq "a+b&c"`, SortBy: "id", StartIndex: 3})
			return err
		}},
		{"/Users?cursor=a%2Bb%2Fc%3D&count=10", func(c *Client) error {
			_, err := c.List(background, Users, ListOptions{Cursor: &cursor, StartIndex: 9, Count: 10})
			return err
		}},
		{"/Users", func(c *Client) error { _, err := c.List(background, Users, ListOptions{Count: -1}); return err }},
		{"/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", func(c *Client) error {
			_, err := c.Schema(background, "urn:ietf:params:scim:schemas:core:2.0:User")
			return err
		}},
	} {
		server := inTurn(says(200, goodFor))
		if err := tc.call(memoryClient(t, server)); err != nil {
			t.Errorf("%s: %v", tc.want, err)
			continue
		}
		if got := strings.TrimPrefix(server.urls[0], "https://directory.example/scim/v2"); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestSearchRequest(t *testing.T) {
	server := inTurn(says(200, goodFor))
	c := memoryClient(t, server)
	_, err := c.List(background, Users, ListOptions{Filter: `userName eq "a"`, StartIndex: 1, Count: 0, Attributes: []string{"id"}, Post: true})
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"a\"","startIndex":1,"count":0,"attributes":["id"]}`
	if err != nil || server.bodies[0] != want || !strings.HasSuffix(server.urls[0], "/Users/.search") {
		t.Errorf("%v\ngot  %s\nwant %s", err, server.bodies[0], want)
	}
}

// TestIDsThatNameNoResource: a DELETE of "" would reach the collection.
func TestIDsThatNameNoResource(t *testing.T) {
	server := inTurn(says(204, ""))
	c := memoryClient(t, server)
	for _, id := range []string{"", ".", ".."} {
		_, err := c.Delete(background, Users, id, "")
		var e *Error
		if !errors.As(err, &e) || e.Verdict() != NotProcessed || len(server.urls) != 0 {
			t.Errorf("id %q: %v, sent %v", id, err, server.urls)
		}
	}
}

func TestAttributesExclude(t *testing.T) {
	server := inTurn(says(200, goodFor))
	c := memoryClient(t, server)
	_, getErr := c.Get(background, Users, "1", ReadOptions{Attributes: []string{"a"}, ExcludedAttributes: []string{"b"}})
	_, listErr := c.List(background, Users, ListOptions{Attributes: []string{"a"}, ExcludedAttributes: []string{"b"}})
	if !errors.Is(getErr, errBothSets) || !errors.Is(listErr, errBothSets) || len(server.urls) != 0 {
		t.Errorf("%v, %v, sent %v", getErr, listErr, server.urls)
	}
}

func TestNotModified(t *testing.T) {
	server := inTurn(says(304, "", "ETag", `"7"`))
	c := memoryClient(t, server)
	resp, err := c.Get(background, Users, "1", ReadOptions{IfNoneMatch: "7"})
	if err != nil || !resp.NotModified || resp.Status != 304 || server.headers[0].Get("If-None-Match") != `"7"` {
		t.Errorf("%+v, %v", resp, err)
	}
	if _, err := c.Get(background, Users, "1", ReadOptions{}); err == nil {
		t.Error("a 304 that nobody asked for is an answer")
	}
}

// TestCreateAnswers: RFC 7644 §3.3 promises no more than a status and a
// Location, and not all servers keep to that.
func TestCreateAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		answer      func() (*http.Response, error)
		id, version string
		doubt       bool
		knownID     string
	}{
		"body":                  {answer: says(201, user("9")), id: "9", version: `W/"1"`},
		"plain text":            {answer: says(201, user("9"), "Content-Type", "text/plain"), id: "9", version: `W/"1"`},
		"ETag but no version":   {answer: says(201, `{"id":"9"}`, "ETag", `"5"`), id: "9", version: `"5"`},
		"version before ETag":   {answer: says(201, user("9"), "ETag", `"hash-of-body"`), id: "9", version: `W/"1"`},
		"no body":               {answer: says(201, "", "Location", "https://directory.example/scim/v2/Users/a%2Fb", "ETag", `"5"`), id: "a/b", version: `"5"`},
		"relative Location":     {answer: says(201, "", "Location", "/api/v2/scim/v2/users/9"), id: "9"},
		"no body, no Location":  {answer: says(201, "")},
		"Location of a page":    {answer: says(201, "", "Location", "https://directory.example/login")},
		"200":                   {answer: says(200, user("9")), id: "9", version: `W/"1"`},
		"number for an id":      {answer: says(201, `{"id":9007199254740993}`), id: "9007199254740993"},
		"accepted":              {answer: says(202, "", "Location", "/scim/v2/Users/9"), doubt: true, knownID: "9"},
		"truncated, Location":   {answer: says(201, `{"id":"9","na`, "Location", "/scim/v2/Users/9"), doubt: true, knownID: "9"},
		"no resource":           {answer: says(200, `{"status":"error"}`), doubt: true},
		"an array":              {answer: says(201, `[]`), doubt: true},
		"a word":                {answer: says(201, `created`), doubt: true},
		"html":                  {answer: says(200, `<html>`, "Location", "/scim/v2/Users/9"), doubt: true, knownID: "9"},
		"invalid UTF-8 is kept": {answer: says(201, "{\"id\":\"9\",\"x\":\"\xff\"}"), id: "9"},
	} {
		t.Run(name, func(t *testing.T) {
			c := memoryClient(t, inTurn(tc.answer))
			resp, err := c.Create(background, Users, []byte(sample))
			if tc.doubt {
				var e *Error
				if !errors.As(err, &e) || e.Verdict() != InDoubt || e.ID != tc.knownID {
					t.Fatalf("%+v, %v", e, err)
				}
				return
			}
			if err != nil || resp.Resource.ID != tc.id || resp.Resource.Version != tc.version {
				t.Errorf("%+v, %v", resp, err)
			}
		})
	}
}

func TestResponseMeta(t *testing.T) {
	c := memoryClient(t, inTurn(says(200, user("1"), "Date", "Fri, 05 Jun 2026 05:55:00 GMT", "ININ-Correlation-Id", "c-1",
		"inin-ratelimit-count", "7", "inin-ratelimit-allowed", "200", "inin-ratelimit-reset", "4")))
	resp, err := c.Get(background, Users, "1", ReadOptions{})
	if err != nil || resp.CorrelationID != "c-1" || resp.Date.Minute() != 55 || resp.Quota.Remaining != 193 || resp.Attempts != 1 {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestErrorMeta(t *testing.T) {
	c := memoryClient(t, inTurn(says(400, `{"status":400,"scimType":"invalidVers","detail":"d","contextId":"body-id"}`)))
	_, err := c.Patch(background, Users, "1", []byte(sample), "7")
	var e *Error
	if !errors.As(err, &e) || e.Method != "PATCH" || e.Path != "Users/1" || e.CorrelationID != "body-id" || !e.IfMatch || e.Attempts != 1 || !e.VersionConflict() {
		t.Errorf("%+v", e)
	}
}

func TestRawIsKept(t *testing.T) {
	body := `{ "id" : "1", "big":9007199254740993, "price":1.50, "urn:x:y":{"A":null}, "e":"\u00e9" }`
	c := memoryClient(t, inTurn(says(200, body), says(200, `{"Resources":[`+body+`]}`)))
	one, err := c.Get(background, Users, "1", ReadOptions{})
	if err != nil || string(one.Resource.Raw) != body {
		t.Errorf("%s, %v", one.Resource.Raw, err)
	}
	page, err := c.List(background, Users, ListOptions{})
	if err != nil || string(page.Resources[0].Raw) != body {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestParseResource(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  string
		want Resource
		bad  bool
	}{
		"plain":              {raw: user("1"), want: Resource{ID: "1", Version: `W/"1"`}},
		"genesys version":    {raw: `{"id":"1","meta":{"version":"56","location":"/api/v2/scim/v2/users/1"}}`, want: Resource{ID: "1", Version: `"56"`, Location: "/api/v2/scim/v2/users/1"}},
		"version a number":   {raw: `{"id":"1","meta":{"version":56}}`, want: Resource{ID: "1", Version: `"56"`}},
		"version weak, bare": {raw: `{"id":"1","meta":{"version":"W/56"}}`, want: Resource{ID: "1", Version: `W/"56"`}},
		"any case":           {raw: `{"ID":"1","Meta":{"Version":"\"a\""}}`, want: Resource{ID: "1", Version: `"a"`}},
		"odd meta":           {raw: `{"id":"1","meta":"x"}`, want: Resource{ID: "1"}},
		"null meta":          {raw: `{"id":"1","meta":null}`, want: Resource{ID: "1"}},
		"null id":            {raw: `{"id":null}`, want: Resource{}},
		"any version":        {raw: `{"id":"1","meta":{"version":"*"}}`, want: Resource{ID: "1", Version: `*`}},
		"array":              {raw: `[]`, bad: true},
		"empty":              {raw: ``, bad: true},
		"broken":             {raw: `{"id":`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseResource([]byte(tc.raw))
			if tc.bad {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			tc.want.Raw = []byte(tc.raw)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	r := &capped{r: strings.NewReader("12345"), left: 4}
	if text, err := io.ReadAll(r); !errors.Is(err, errTooLarge) || string(text) != "1234" {
		t.Errorf("%q, %v", text, err)
	}
	r = &capped{r: strings.NewReader("1234"), left: 5}
	if text, err := io.ReadAll(r); err != nil || string(text) != "1234" {
		t.Errorf("%q, %v", text, err)
	}
}
