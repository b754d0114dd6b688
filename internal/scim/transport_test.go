package scim

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// overHTTP makes a client of a server on a real socket.
func overHTTP(t *testing.T, h http.HandlerFunc) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Options{BaseURL: srv.URL + "/scim/v2", Timeout: 5 * time.Second, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, srv
}

// cut ends the connection without an answer, or in the middle of one.
func cut(w http.ResponseWriter, send string) {
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = buf.WriteString(send)
	_ = buf.Flush()
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// TestLostAnswer: a write whose answer is lost reaches the server once, though
// the connection was in use before, which is when net/http likes to repeat.
func TestLostAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"reset":          "",
		"cut in headers": "HTTP/1.1 201 Created\r\nLoc",
		"cut in body":    "HTTP/1.1 201 Created\r\nLocation: /scim/v2/Users/77\r\nContent-Length: 100\r\n\r\n{\"id\":",
	} {
		t.Run(name, func(t *testing.T) {
			var posts, reads atomic.Int64
			c, _ := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Method == http.MethodGet {
					if reads.Add(1) == 2 {
						cut(w, strings.Replace(answer, "201 Created", "200 OK", 1))
						return
					}
					_, _ = io.WriteString(w, user("1"))
					return
				}
				posts.Add(1)
				cut(w, answer)
			})
			if _, err := c.Get(t.Context(), Users, "1", ReadOptions{}); err != nil {
				t.Fatal(err)
			}
			_, err := c.Create(t.Context(), Users, []byte(sample))
			var e *Error
			if !errors.As(err, &e) || e.Verdict() != InDoubt || posts.Load() != 1 || e.Attempts != 1 {
				t.Errorf("the server saw %d posts: %v", posts.Load(), err)
			}
			if name == "cut in body" && (e.ID != "77" || e.Status != 201) {
				t.Errorf("the Location was lost: %+v", e)
			}
			if _, err := c.Get(t.Context(), Users, "1", ReadOptions{}); err != nil {
				t.Errorf("a read is repeated: %v", err)
			}
			if s := c.Stats(); s.GET != reads.Load() || s.POST != 1 {
				t.Errorf("stats %+v, the server saw %d reads", s, reads.Load())
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	c, err := New(Options{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.Create(t.Context(), Users, []byte(sample))
	var e *Error
	if !errors.As(err, &e) || !e.Unsent || e.Verdict() != NotProcessed || e.Class() != "server" || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	if s := c.Stats(); s.Total != 0 {
		t.Errorf("stats %+v for what never left", s)
	}
	if time.Since(start) > 4*time.Second {
		t.Errorf("took %v to find out", time.Since(start))
	}
}

func TestWrongCertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	c, err := New(Options{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Create(t.Context(), Users, []byte(sample))
	var e *Error
	if !errors.As(err, &e) || e.Verdict() != NotProcessed || e.Attempts != 0 || !strings.Contains(err.Error(), "is this the right host") {
		t.Errorf("%v", err)
	}
}

// TestHandshakeCut: a connection that ends before it is made has carried
// nothing, whatever the error says.
func TestHandshakeCut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	c, err := New(Options{BaseURL: "https://" + l.Addr().String(), MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Create(t.Context(), Users, []byte(sample))
	var e *Error
	if !errors.As(err, &e) || !e.Unsent || e.Verdict() != NotProcessed || c.Stats().Total != 0 {
		t.Errorf("%v, %+v", err, c.Stats())
	}
}

// TestHTTPSOfAPlainServer: the commonest mistyped URL.
func TestHTTPSOfAPlainServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	c, err := New(Options{BaseURL: strings.Replace(srv.URL, "http:", "https:", 1)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.Get(t.Context(), Users, "1", ReadOptions{})
	var e *Error
	if !errors.As(err, &e) || !e.Unsent || e.Attempts != 0 || !strings.Contains(err.Error(), "and https?") {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 400*time.Millisecond {
		t.Errorf("repeated for %v what no repetition mends", d)
	}
}

// TestHTTP2: a stream that is reset leaves a write in doubt and a read to be
// repeated, and the counts hold on one shared connection.
func TestHTTP2(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 2 {
			panic(http.ErrAbortHandler) // RST_STREAM INTERNAL_ERROR, after the request
		}
		_, _ = io.WriteString(w, user("1"))
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	transport := newTransport(4)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	c, err := New(Options{BaseURL: srv.URL, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Create(t.Context(), Users, []byte(sample))
	if err != nil || resp.Attempts != 1 {
		t.Fatalf("%+v, %v", resp, err)
	}
	_, err = c.Create(t.Context(), Users, []byte(sample))
	var e *Error
	if !errors.As(err, &e) || e.Verdict() != InDoubt || n.Load() != 2 {
		t.Errorf("stream reset: %v after %d", err, n.Load())
	}
	if _, err := c.Get(t.Context(), Users, "1", ReadOptions{}); err != nil || c.Stats().Total != n.Load() {
		t.Errorf("%v, %+v, server saw %d", err, c.Stats(), n.Load())
	}
}

func TestRedirects(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	var seen atomic.Int64
	c, _ := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		switch {
		case strings.HasSuffix(r.URL.Path, "/there"):
			_, _ = io.WriteString(w, user("1"))
		case strings.HasSuffix(r.URL.Path, "/loop"):
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		case strings.HasSuffix(r.URL.Path, "/away"):
			http.Redirect(w, r, other.URL+"/login?name=somebody", http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, "/scim/v2/Users/there", http.StatusTemporaryRedirect)
		}
	})
	if resp, err := c.Get(t.Context(), Users, "here", ReadOptions{}); err != nil || resp.Resource.ID != "1" {
		t.Errorf("a read within the host: %v", err)
	}
	if _, err := c.Get(t.Context(), Users, "loop", ReadOptions{}); err == nil {
		t.Error("a loop of redirects is an answer")
	}
	_, err := c.Get(t.Context(), Users, "away", ReadOptions{})
	if err == nil || elsewhere.Load() != 0 || strings.Contains(err.Error(), "somebody") || !strings.Contains(err.Error(), "points to another host") {
		t.Errorf("a read to another host: %v", err)
	}
	seen.Store(0)
	_, err = c.Create(t.Context(), Users, []byte(sample))
	var e *Error
	if !errors.As(err, &e) || e.Status != 307 || e.Verdict() != NotProcessed || seen.Load() != 1 {
		t.Errorf("a write was sent %d times: %v", seen.Load(), err)
	}
}

// TestConnectionsAreReused: answers of every kind are drained, so that sixteen
// requests in turn need one connection.
func TestConnectionsAreReused(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]bool{}
	var n int
	c, _ := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		n++
		kind := n % 4
		mu.Unlock()
		switch kind {
		case 0:
			w.WriteHeader(404)
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		case 1:
			_, _ = io.WriteString(w, user("1")+strings.Repeat(" ", 10_000))
		case 2:
			_, _ = io.WriteString(w, "<html>"+strings.Repeat("x", 100_000))
		default:
			w.WriteHeader(304)
		}
	})
	for range 16 {
		_, _ = c.Get(t.Context(), Users, "1", ReadOptions{IfNoneMatch: "1"})
		_, _ = c.List(t.Context(), Users, ListOptions{})
		_, _ = c.Delete(t.Context(), Users, "1", "")
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for %d requests in turn", len(connections), n)
	}
}

func TestErrorsOfTheNetwork(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		refused bool
		dial    bool
	}{
		"refused stream":  {streamError{Code: 7}, true, false},
		"cancelled":       {streamError{Code: 8}, false, false},
		"graceful goaway": {errors.New("http2: Transport received Server's graceful shutdown GOAWAY"), true, false},
		"dial":            {errRefused, false, true},
		"proxy":           {&net.OpError{Op: "proxyconnect", Err: io.EOF}, false, true},
		"name":            {&net.DNSError{Err: "no such host"}, false, true},
		"read":            {&net.OpError{Op: "read", Err: io.EOF}, false, false},
		"nil":             {nil, false, false},
	} {
		if got := isRefusedStream(tc.err); got != tc.refused {
			t.Errorf("%s: refused stream %t", name, got)
		}
		if got := isDialFault(tc.err); got != tc.dial {
			t.Errorf("%s: dial fault %t", name, got)
		}
	}
}
