package scim_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"scimbulk/internal/scim"
)

// process is the sandbox as people run it: scimbulk sandbox, a process of its
// own behind a listener of its own.
type process struct {
	host string
	made atomic.Int64 // people, who need names of their own
}

func startSandbox(t *testing.T) *process {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "scimbulk")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/scimbulk").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "sandbox", "--dialect", "genesys", "--seed", "100", "--addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "SCIMBULK_SANDBOX_TOKEN=sandbox")
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	host, ok := strings.CutSuffix(strings.TrimSpace(line), "/api/v2/scim/v2")
	if err != nil || !ok {
		t.Fatalf("the first line of the sandbox is %q (%v), not its base URL", line, err)
	}
	return &process{host: host}
}

// stage takes down what its clients send to the directory; they have good,
// unknown and poor credentials.
type stage struct {
	t                        *testing.T
	process                  *process
	base                     string
	client, unknown, lacking *scim.Client
	aside                    *scim.Client // prepares what the others use, unseen

	mu   sync.Mutex
	sent []sent
}

// sent is a request as it leaves.
type sent struct {
	method, path string
	query        url.Values
	header       http.Header
	body         bool
}

func newStage(t *testing.T, p *process, base string, permissions []string) *stage {
	t.Helper()
	s := &stage{t: t, process: p}
	wires := &http.Transport{}
	t.Cleanup(wires.CloseIdleConnections)
	poor := scim.ClientCredentials(p.host+"/oauth/token", "sandbox-without-"+strings.ReplaceAll(strings.Join(permissions, ","), ":", "."), "sandbox")
	s.base = "/api/v2/scim" // where groups are listed without a filter
	s.aside = s.newClient(wires, scim.Bearer("sandbox"))
	s.base = base
	watched := watching{s, wires}
	s.client = s.newClient(watched, scim.Bearer("sandbox"))
	s.unknown = s.newClient(watched, scim.Bearer("stranger"))
	s.lacking = s.newClient(watched, poor)
	return s
}

// newClient knows the provider, but for the detour that it takes around the
// filter for groups.
func (s *stage) newClient(transport http.RoundTripper, c scim.Credentials) *scim.Client {
	profile, err := scim.ProfileByName("genesys")
	if err != nil {
		s.t.Fatal(err)
	}
	profile.GroupsNeedFilter, profile.Rate = false, 0
	client, err := scim.New(scim.Options{BaseURL: s.process.host + s.base, Transport: transport, Credentials: c, Profile: profile})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// watching takes requests down on their way to the directory; those for tokens
// are no operations.
type watching struct {
	stage *stage
	next  http.RoundTripper
}

func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/oauth/token" {
		w.stage.mu.Lock()
		w.stage.sent = append(w.stage.sent, sent{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone(), r.ContentLength > 0})
		w.stage.mu.Unlock()
	}
	return w.next.RoundTrip(r)
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
	n := s.process.made.Add(1)
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
