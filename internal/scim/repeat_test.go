package scim_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// audited is a line of a sandbox's audit.
type audited struct {
	Kind, Method, Path string
	Status             int
	Body               string `json:"body_sha256"`
}

func auditedRequests(t *testing.T, path string) []audited {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []audited
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var a audited
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Kind == "request" {
			all = append(all, a)
		}
	}
	return all
}

// TestRetriesCarryTheSameBytes: what the directory has received of a write that
// was sent again is, to the byte, what the caller gave, each time.
func TestRetriesCarryTheSameBytes(t *testing.T) {
	const people = 40
	for _, method := range []string{"POST", "PUT", "PATCH"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				audit := filepath.Join(t.TempDir(), "audit.jsonl")
				c := directory(t, sandbox.Options{Audit: audit, Faults: []string{"throttle=0.4", "locked=0.2"}})
				sent := map[string]int{}
				for n := range people {
					body, err := write(t, c, method, n)
					if err != nil {
						t.Fatalf("row %d: %v", n, err)
					}
					sum := sha256.Sum256(body)
					sent[hex.EncodeToString(sum[:])] = 0
				}
				received, again := 0, 0
				for _, a := range auditedRequests(t, audit) {
					if a.Method != method {
						continue
					}
					before, known := sent[a.Body]
					if !known {
						t.Errorf("the directory received a body that nobody gave: %+v", a)
					}
					sent[a.Body] = before + 1
					received++
					again += min(before, 1)
				}
				if len(sent) != people || again < people/4 {
					t.Errorf("%d bodies, %d requests, %d of them repeated: the faults did not strike as meant", len(sent), received, again)
				}
				for body, times := range sent {
					if times == 0 {
						t.Errorf("body %s never arrived", body)
					}
				}
			})
		})
	}
}

// write sends a body of its own with the method, and returns it.
func write(t *testing.T, c *scim.Client, method string, n int) ([]byte, error) {
	t.Helper()
	body := person(n)
	made, err := c.Create(t.Context(), scim.Users, body)
	if err != nil || method == "POST" {
		return body, err
	}
	if method == "PUT" {
		body = person(n + 1000)
		_, err = c.Replace(t.Context(), scim.Users, made.Resource.ID, body, "")
		return body, err
	}
	body = titlePatch(fmt.Sprint("Title ", n))
	_, err = c.Patch(t.Context(), scim.Users, made.Resource.ID, body, "")
	return body, err
}

// TestTokenThatExpires: sixteen workers share a token that expires in the
// middle of a run. They fetch one new token between them, and no row fails;
// also where the directory alone knows that the token has expired.
func TestTokenThatExpires(t *testing.T) {
	const workers, life = 16, 10 * time.Second
	for _, tc := range []struct {
		name     string
		silently bool
	}{{"as announced", false}, {"before its time", true}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				audit := filepath.Join(t.TempDir(), "audit.jsonl")
				o := sandbox.Options{Token: "fixed", TokenTTL: life, Latency: 100 * time.Millisecond, Audit: audit}
				c := directory(t, o, func(o *scim.Options) {
					o.Workers = workers
					o.Credentials = scim.ClientCredentials("http://127.0.0.1/oauth/token", "sandbox", "sandbox")
					if tc.silently {
						o.Transport = longLived{o.Transport}
					}
				})
				rows := createFor(t, c, workers, life*3/2)
				tokens, refused, created := 0, 0, 0
				for _, a := range auditedRequests(t, audit) {
					switch {
					case a.Path == "/oauth/token":
						tokens++
					case a.Status == http.StatusUnauthorized:
						refused++
					case a.Status == http.StatusCreated:
						created++
					}
				}
				t.Logf("%d rows, %d tokens, %d refused", rows, tokens, refused)
				if tokens != 2 || created != rows || rows < workers*100 {
					t.Errorf("%d tokens for %d rows, %d of them created", tokens, rows, created)
				}
				if tc.silently != (refused > 0) || refused > workers {
					t.Errorf("%d requests were refused", refused)
				}
			})
		})
	}
}

// createFor lets workers create people for a time, none of which may fail.
func createFor(t *testing.T, c *scim.Client, workers int, duration time.Duration) int {
	t.Helper()
	var rows atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(duration)
	for range workers {
		wg.Go(func() {
			for time.Now().Before(end) {
				n := rows.Add(1)
				if _, err := c.Create(t.Context(), scim.Users, person(int(n))); err != nil {
					t.Errorf("row %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	return int(rows.Load())
}

// longLived lets tokens look as if they lived for an hour.
type longLived struct{ next http.RoundTripper }

func (l longLived) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(req)
	if err != nil || req.URL.Path != "/oauth/token" {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	text = bytes.Replace(text, []byte(`"expires_in":10`), []byte(`"expires_in":3600`), 1)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return answer, nil
}
