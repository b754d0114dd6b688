package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// stage is a directory of the provider behind a real listener that takes down
// what it is sent, and clients with good, unknown and poor credentials.
type stage struct {
	t                        *testing.T
	base                     string
	client, unknown, lacking *scim.Client
	aside                    *scim.Client // prepares what the others use, unseen
	made                     atomic.Int64

	mu   sync.Mutex
	sent []sent
}

// sent is a request as it came in.
type sent struct {
	method, path string
	query        url.Values
	header       http.Header
	body         bool
}

func newStage(t *testing.T, base string, permissions []string) *stage {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{Dialect: "genesys", Seed: 100, Token: "sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, base: base}
	server := httptest.NewServer(s.watching(box))
	wires := &http.Transport{}
	t.Cleanup(func() {
		wires.CloseIdleConnections()
		server.Close()
		_ = box.Close()
	})
	poor := scim.ClientCredentials(server.URL+"/oauth/token", "sandbox-without-"+strings.ReplaceAll(strings.Join(permissions, ","), ":", "."), "sandbox")
	s.client = s.newClient(server.URL, wires, scim.Bearer("sandbox"))
	s.unknown = s.newClient(server.URL, wires, scim.Bearer("stranger"))
	s.lacking = s.newClient(server.URL, wires, poor)
	s.base = "/api/v2/scim" // where groups are listed without a filter
	s.aside = s.newClient("http://127.0.0.1", box.Transport(), scim.Bearer("sandbox"))
	s.base = base
	return s
}

// newClient knows the provider, but for the detour that it takes around the
// filter for groups.
func (s *stage) newClient(host string, transport http.RoundTripper, c scim.Credentials) *scim.Client {
	profile, err := scim.ProfileByName("genesys")
	if err != nil {
		s.t.Fatal(err)
	}
	profile.GroupsNeedFilter, profile.Rate = false, 0
	client, err := scim.New(scim.Options{BaseURL: host + s.base, Transport: transport, Credentials: c, Profile: profile})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// watching takes requests down on their way to the directory; those for tokens
// are no operations.
func (s *stage) watching(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			s.mu.Lock()
			s.sent = append(s.sent, sent{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone(), r.ContentLength > 0})
			s.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

func (s *stage) seen() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// used tells whether a parameter was ever sent, wherever it belongs.
func (s *stage) used(parameter string) bool {
	for _, r := range s.seen() {
		if r.query.Has(parameter) || r.header.Get(parameter) != "" || parameter == "body" && r.body {
			return true
		}
	}
	return strings.HasSuffix(parameter, "Id") || parameter == "resourceType" // in the path, which is checked
}

// user makes a user.
func (s *stage) user() scim.Resource {
	s.t.Helper()
	resp, err := s.aside.Create(s.t.Context(), scim.Users, fmt.Appendf(nil, `{"schemas":[%q],%s,"title":"Agent"}`, scim.UserURN, s.newName()))
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.Resource
}

func (s *stage) newName() string {
	n := s.made.Add(1)
	return fmt.Sprintf(`"userName":"made%d@example.com","displayName":"Made %d"`, n, n)
}

// group is one that is there: groups cannot be made.
func (s *stage) group() scim.Resource {
	s.t.Helper()
	page, err := s.aside.List(s.t.Context(), scim.Groups, scim.ListOptions{Count: 1})
	if err != nil || len(page.Resources) == 0 {
		s.t.Fatalf("no groups: %v", err)
	}
	return page.Resources[0]
}

// text is a member of a resource that is text.
func (s *stage) text(r scim.Resource, name string) string {
	s.t.Helper()
	o, err := scim.DecodeObject(r.Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	_, v, _ := scim.Member(o, name)
	text, _ := v.(string)
	return text
}
