package scim_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// mostProbeRequests is what a probe may cost a directory.
const mostProbeRequests = 40

// TestProbeFindsTraps: each trap of a sandbox is found by the question that is
// meant for it, with the flags that help, and a clean sandbox has none.
func TestProbeFindsTraps(t *testing.T) {
	for _, tc := range []struct {
		fault   string
		dialect string // rfc, unless it says otherwise
		profile string // the dialect's own, unless it says otherwise
		traps   []string
		flags   []string
	}{
		{fault: ""},
		{fault: "", dialect: "genesys"},
		{
			fault: "", dialect: "genesys", profile: "rfc",
			traps: []string{"schemas", "page-tie", "inactive-listed", "groups"}, flags: []string{"--provider genesys"},
		},
		{fault: "short-pages=30", traps: []string{"short-pages"}, flags: []string{"--page-size 70"}},
		{fault: "short-pages=1", dialect: "genesys", traps: []string{"short-pages"}, flags: []string{"--page-size 99"}},
		{fault: "capped-total=120", traps: []string{"total"}},
		{fault: "total-is-page", traps: []string{"total"}},
		{fault: "ignore-start-index", traps: []string{"start-index"}},
		{fault: "ignore-count", traps: []string{"count"}, flags: []string{"--page-size 20"}},
		{fault: "wrap-pages", traps: []string{"past-end"}},
		{fault: "echo-items-per-page", traps: []string{"counters"}},
		{fault: "odd-start-index=-5", traps: []string{"counters"}},
		{fault: "odd-start-index=null", traps: []string{"counters"}},
		{fault: "null-resources=null"},
		{fault: "null-resources=absent"},
		{fault: "count-zero-all", traps: []string{"count-zero"}},
		{fault: "unstable-order", traps: []string{"order"}},
		{fault: "unstable-order", dialect: "genesys", traps: []string{"order"}},
		{fault: "many-results-500", traps: []string{"users"}},
		{fault: "ignore-filter", traps: []string{"filter"}, flags: []string{"--lookup directory"}},
		{fault: "ignore-filter", dialect: "genesys", traps: []string{"filter"}, flags: []string{"--lookup directory"}},
		{fault: "case-sensitive-lookup", traps: []string{"filter-case"}, flags: []string{"--lookup directory"}},
		{fault: "quote-in-filter=400", traps: []string{"filter-quotes"}, flags: []string{"--lookup directory"}},
		{fault: "quote-in-filter=500", traps: []string{"filter-quotes"}, flags: []string{"--lookup directory"}},
		{fault: "hidden-inactive", traps: []string{"inactive-listed", "inactive-lookup"}, flags: []string{"--lookup directory"}},
		{fault: "hidden-inactive", dialect: "genesys"},
		{fault: "ignore-attributes", traps: []string{"attributes"}},
		{fault: "urn-attributes-error", traps: []string{"attributes-urn"}},
		{fault: "etag-differs", traps: []string{"etag-meta"}},
		{fault: "text-plain", traps: []string{"content-type"}},
		{fault: "plural-discovery", traps: []string{"config"}},
		{fault: "no-discovery"},
		{fault: "bare-config"},
		{fault: "throttle=0.2"},
	} {
		t.Run(fmt.Sprint(tc.fault, " ", tc.dialect, " ", tc.profile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := sandbox.Options{Dialect: tc.dialect, Seed: 230}
				if tc.fault != "" {
					o.Faults = []string{tc.fault}
				}
				findings, _ := probe(t, directory(t, o, func(o *scim.Options) {
					if p, err := scim.ProfileByName(tc.profile); err == nil {
						o.Profile = p
					}
					o.MaxAttempts = 3
				}))
				traps, flags := trapsOf(findings)
				for _, want := range tc.traps {
					if !slices.Contains(traps, want) {
						t.Errorf("%s is not found: traps %q", want, traps)
					}
				}
				if len(tc.traps) == 0 && len(traps) > 0 {
					t.Errorf("traps that are none: %q", traps)
				}
				if !slices.Equal(flags, tc.flags) {
					t.Errorf("flags %q, want %q", flags, tc.flags)
				}
			})
		})
	}
}

// probe probes a directory and holds the findings to what is true of any: an
// answer to every question, in order, nobody's name, reads alone.
func probe(t *testing.T, c *scim.Client) ([]scim.Finding, error) {
	t.Helper()
	findings, err := c.Probe(t.Context())
	seen := map[string]bool{}
	for _, f := range findings {
		if f.Name == "" || f.Section == "" || f.Question == "" || f.Answer == "" || f.State == "" || seen[f.Name] {
			t.Errorf("not a finding: %+v", f)
		}
		if strings.Contains(f.Answer+f.Follows, "@") {
			t.Errorf("%s names somebody: %q", f.Name, f.Answer)
		}
		seen[f.Name] = true
	}
	if len(findings) < 30 {
		t.Errorf("%d findings", len(findings))
	}
	s := c.Stats()
	if s.Total != s.GET || s.Total-s.Retried > mostProbeRequests {
		t.Errorf("the probe sent %+v", s)
	}
	return findings, err
}

func trapsOf(findings []scim.Finding) (traps, flags []string) {
	for _, f := range findings {
		if f.State == scim.FindingTrap {
			traps = append(traps, f.Name)
		}
		if f.Flag != "" && !slices.Contains(flags, f.Flag) {
			flags = append(flags, f.Flag)
		}
	}
	return traps, flags
}

func finding(findings []scim.Finding, name string) scim.Finding {
	for _, f := range findings {
		if f.Name == name {
			return f
		}
	}
	return scim.Finding{}
}

// TestProbeAnswers: what a probe says of directories that differ in no trap.
func TestProbeAnswers(t *testing.T) {
	for _, tc := range []struct {
		name     string
		options  sandbox.Options
		question string
		want     string
	}{
		{"a larger page", sandbox.Options{Seed: 60, PageCap: 50}, "page-cap", "50"},
		{"everybody in a page", sandbox.Options{Seed: 30}, "page-cap", "30 or more: all came in one page"},
		{"nobody", sandbox.Options{}, "users", "yes, but there are none"},
		{"nobody to look up", sandbox.Options{}, "filter-case", "too few people came to tell"},
		{"weak versions", sandbox.Options{Seed: 5}, "etag", "weak"},
		{"strong versions", sandbox.Options{Seed: 5, Dialect: "genesys"}, "etag", "strong"},
		{"quoted versions", sandbox.Options{Seed: 5, Dialect: "genesys"}, "etag-meta", "yes, but for the quotes"},
		{"no discovery", sandbox.Options{Seed: 5, Faults: []string{"no-discovery"}}, "config", "refused: 404"},
		{"one user", sandbox.Options{Seed: 1}, "start-index", "too few people came to tell"},
		{"no filter", sandbox.Options{Seed: 5, Faults: []string{"ignore-filter"}}, "filter-quotes", "the filter cannot be relied on"},
		{"a quota", sandbox.Options{Seed: 5, Dialect: "genesys"}, "rate-headers", "inin-ratelimit-allowed 1000000, inin-ratelimit-count"},
		{"a limit", sandbox.Options{Seed: 5, RateLimit: "10/10s:window", Faults: []string{"no-quota-headers"}}, "retry-after", `yes: "`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				findings, err := probe(t, directory(t, tc.options))
				if got := finding(findings, tc.question).Answer; err != nil || !strings.HasPrefix(got, tc.want) {
					t.Errorf("%s: %q, want %q (%v)", tc.question, got, tc.want, err)
				}
			})
		})
	}
}

// TestProbeOfWhatIsNoDirectory: a probe that gets nowhere says how far it got.
func TestProbeOfWhatIsNoDirectory(t *testing.T) {
	const noUsers = "users cannot be listed"
	for _, tc := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   string
		trap   string
		why    string
	}{
		{"401", 401, "application/json", `{"detail":"the session is over"}`, "401: the session is over", "config", "the credentials are not accepted"},
		{"403", 403, "application/json", `{"detail":"scope is missing"}`, "403: scope is missing", "users", noUsers},
		{"404", 404, "application/json", `{}`, "404: there is no such resource", "users", noUsers},
		{"a web page", 200, "text/html", `<!doctype html><title>Sign in</title>`, "answered HTML, not SCIM", "users", noUsers},
		{"something else", 200, "application/json", `{"status":"error"}`, "is not a SCIM resource", "users", noUsers},
		{"nothing", 200, "application/json", ``, "the answer is empty", "users", noUsers},
		{"no answer", 0, "", ``, "no answer", "config", "the directory does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := scim.New(scim.Options{BaseURL: "https://directory.example/scim/v2", MaxAttempts: 2, Transport: answerer(func() *http.Response {
					return &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {tc.kind}}, Body: io.NopCloser(strings.NewReader(tc.body))}
				})})
				if err != nil {
					t.Fatal(err)
				}
				findings, err := probe(t, c)
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				if f := finding(findings, tc.trap); f.State != scim.FindingTrap || !strings.Contains(f.Answer, tc.want) {
					t.Errorf("%s: %+v", tc.trap, f)
				}
				if f := finding(findings, "filter"); f.State != scim.FindingUnknown || f.Answer != "not asked: "+tc.why {
					t.Errorf("filter: %+v", f)
				}
			})
		})
	}
}

// answerer is a server that has one answer.
type answerer func() *http.Response

func (a answerer) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := a()
	if answer.StatusCode == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	answer.Request = req
	return answer, nil
}

// TestProbeLeavesTheClientAsItWas: the watch over headers ends with the probe.
func TestProbeLeavesTheClientAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := directory(t, sandbox.Options{Seed: 5})
		before, err := probe(t, c)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		after, err := c.Probe(t.Context())
		if err != nil || !slices.Equal(before, after) {
			t.Errorf("probed again: %v, %v", after, err)
		}
	})
}
