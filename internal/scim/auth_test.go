package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// issuer is a directory with a token endpoint beside it.
type issuer struct {
	mu       sync.Mutex
	lifetime int // seconds, 0 is not said
	valid    string
	issued   int
	refused  int
	fail     func() *http.Response // answers the token endpoint instead
}

func (s *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(req.URL.Path, "/oauth/token") {
		return s.token(req), nil
	}
	if req.Header.Get("Authorization") != "Bearer "+s.valid || s.valid == "" {
		s.refused++
		return reply(401, ""), nil
	}
	return reply(201, user("1")), nil
}

func (s *issuer) token(req *http.Request) *http.Response {
	id, secret, _ := req.BasicAuth()
	if s.fail != nil {
		if answer := s.fail(); answer != nil {
			return answer
		}
	}
	if id != "id" || secret != "secret" {
		return reply(401, `{"error":"invalid_client","error_description":"secret `+secret+` is wrong"}`, "Content-Type", "application/json")
	}
	s.issued++
	s.valid = fmt.Sprintf("token-%d", s.issued)
	answer := map[string]any{"access_token": s.valid, "token_type": "bearer"}
	if s.lifetime > 0 {
		answer["expires_in"] = s.lifetime
	}
	body, _ := json.Marshal(answer)
	return reply(200, string(body), "Content-Type", "application/json")
}

func (s *issuer) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valid = ""
}

func oauthClient(t *testing.T, s *issuer, secret string) *Client {
	return memoryClient(t, s, func(o *Options) {
		o.Credentials = ClientCredentials("https://login.example/oauth/token", "id", secret)
	})
}

// TestTokenRevoked: sixteen workers meet a 401 at once; it costs one token and
// no row.
func TestTokenRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &issuer{}
		c := oauthClient(t, s, "secret")
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for n := range 20 {
					if i == 0 && n == 10 {
						s.revoke()
					}
					if _, err := c.Create(background, Users, []byte(sample)); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		if s.issued != 2 || s.refused == 0 {
			t.Errorf("%d tokens for %d refusals, want 2", s.issued, s.refused)
		}
		if st := c.Stats(); st.POST != int64(320+s.refused) || st.Retried != int64(s.refused) {
			t.Errorf("stats %+v count the token requests", st)
		}
	})
}

func TestTokenExpires(t *testing.T) {
	for _, lifetime := range []int{5, 300} {
		synctest.Test(t, func(t *testing.T) {
			s := &issuer{lifetime: lifetime}
			c := oauthClient(t, s, "secret")
			for range 20 {
				if _, err := c.Create(background, Users, []byte(sample)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(lifetime) * time.Second / 10)
			}
			if s.refused != 0 || s.issued < 2 || s.issued > 3 {
				t.Errorf("lifetime %d s: %d tokens, %d refusals in two lifetimes", lifetime, s.issued, s.refused)
			}
		})
	}
}

// TestTokenEndpointFails: what is transient is waited for, what is not is
// reported without what was sent.
func TestTokenEndpointFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		s := &issuer{fail: func() *http.Response {
			if calls++; calls <= 2 { // x/oauth2 tries both ways of sending the secret
				return reply(503, "")
			}
			return nil
		}}
		if _, err := oauthClient(t, s, "secret").Create(background, Users, []byte(sample)); err != nil {
			t.Errorf("after a 503: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &issuer{}
		_, err := oauthClient(t, s, "wr0ng-secret").Create(background, Users, []byte(sample))
		var e *Error
		if !errors.As(err, &e) || e.Verdict() != NotProcessed || e.Class() != "permission" || e.Attempts != 0 {
			t.Errorf("%+v", e)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "wr0ng") || !strings.Contains(text, "check the client id") {
			t.Errorf("error: %s", text)
		}
	})
}

func TestTokenEndpointUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &issuer{}
		var tries int
		server := memory(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/oauth/token") {
				if tries++; tries < 5 {
					return nil, errRefused
				}
			}
			return s.RoundTrip(req)
		})
		c := memoryClient(t, server, func(o *Options) {
			o.Credentials = ClientCredentials("https://login.example/oauth/token", "id", "secret")
		})
		resp, err := c.Create(background, Users, []byte(sample))
		if err != nil || resp.Attempts != 1 {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

func TestTokenRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &issuer{}
		c := oauthClient(t, s, "secret")
		refuse := memory(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/oauth/token") {
				return s.RoundTrip(req)
			}
			return reply(401, ""), nil
		})
		c.http.Transport, c.tokenHTTP.Transport = refuse, refuse
		_, err := c.Create(background, Users, []byte(sample))
		var e *Error
		if !errors.As(err, &e) || e.Status != 401 || e.Attempts != 2 || s.issued != 2 {
			t.Errorf("%v, %d tokens", err, s.issued)
		}
	})
}

func TestTokenWaitIsInterruptible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := memory(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		c := memoryClient(t, hang, func(o *Options) {
			o.Credentials = ClientCredentials("https://login.example/oauth/token", "id", "secret")
		})
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		var wg sync.WaitGroup
		start := time.Now()
		for range 4 {
			wg.Go(func() {
				if _, err := c.Create(ctx, Users, []byte(sample)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if time.Since(start) != time.Second {
			t.Errorf("took %v", time.Since(start))
		}
	})
}

// TestBearerFile: a token that somebody renewed in its file is picked up after
// a 401, and a file that did not change is not tried twice.
func TestBearerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	s := &issuer{valid: "old"}
	c := memoryClient(t, s, func(o *Options) { o.Credentials = BearerFile(path) })
	create := func() error { _, err := c.Create(background, Users, []byte(sample)); return err }
	if err := create(); err != nil {
		t.Fatal(err)
	}
	s.valid = "new"
	write("new\n")
	if err := create(); err != nil || s.refused != 1 {
		t.Errorf("renewed: %v after %d refusals", err, s.refused)
	}
	s.revoke()
	var e *Error
	if err := create(); !errors.As(err, &e) || e.Status != 401 || s.refused != 2 {
		t.Errorf("revoked: %v after %d refusals", err, s.refused)
	}
}

func TestBadTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, creds := range map[string]Credentials{
		"empty":        Bearer(""),
		"two lines":    Bearer("secret1\nsecret2"),
		"not ASCII":    Bearer("secret1é"),
		"empty file":   BearerFile(path),
		"missing file": BearerFile(path + "x"),
	} {
		server := inTurn(says(201, user("1")))
		c := memoryClient(t, server, func(o *Options) { o.Credentials = creds })
		_, err := c.Create(background, Users, []byte(sample))
		var e *Error
		if !errors.As(err, &e) || e.Class() != "permission" || len(server.urls) != 0 || strings.Contains(err.Error(), "secret1") {
			t.Errorf("%s: %v, sent %d", name, err, len(server.urls))
		}
	}
}

func TestStaticTokenRefused(t *testing.T) {
	server := inTurn(says(401, "", "WWW-Authenticate", "Bearer"))
	_, err := memoryClient(t, server, func(o *Options) { o.Credentials = Bearer("t") }).Create(background, Users, []byte(sample))
	if err == nil || len(server.urls) != 1 || err.Error() != "POST Users: 401: the server does not accept the credentials" {
		t.Errorf("%v after %d", err, len(server.urls))
	}
}
