package scim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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
		{fault: "capped-total=50 ignore-start-index", traps: []string{"total", "start-index"}},
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
					o.Faults = strings.Fields(tc.fault)
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

// TestProbeAnswers: what a probe says of directories that differ in no trap. An
// answer may go on, unless $ ends what is wanted.
func TestProbeAnswers(t *testing.T) {
	for _, tc := range []struct {
		name     string
		options  sandbox.Options
		question string
		want     string
	}{
		{"a smaller page", sandbox.Options{Seed: 60, PageCap: 50}, "page-cap", "50$"},
		{"a page smaller than promised", sandbox.Options{Seed: 110, Faults: []string{"short-pages=30"}}, "page-cap", "70, although pagination.maxPageSize is 100$"},
		{"everybody in a page", sandbox.Options{Seed: 30}, "page-cap", "30 or more: all came in one page"},
		{"nobody", sandbox.Options{}, "users", "yes, but there are none"},
		{"nobody to look up", sandbox.Options{}, "filter-case", "too few people came to tell"},
		{"weak versions", sandbox.Options{Seed: 5}, "etag", "weak"},
		{"strong versions", sandbox.Options{Seed: 5, Dialect: "genesys"}, "etag", "strong"},
		{"versions that agree", sandbox.Options{Seed: 5}, "etag-meta", "yes$"},
		{"a provider's detour to its groups", sandbox.Options{Seed: 5, Dialect: "genesys"}, "groups", "not here, but below the base URL without /v2"},
		{"a page that was too large", sandbox.Options{Seed: 5, Dialect: "genesys"}, "retry-after", "no request was held back"},
		{"inactive people beyond the first page", sandbox.Options{Seed: 60, PageCap: 5}, "inactive-listed", "yes$"},
		{"a startIndex that is ignored", sandbox.Options{Seed: 30, Faults: []string{"ignore-start-index"}}, "past-end", "startIndex is ignored$"},
		{"pages that overlap", sandbox.Options{Seed: 6, Faults: []string{"unstable-order"}}, "start-index", "the order is not stable"},
		{"quoted versions", sandbox.Options{Seed: 5, Dialect: "genesys"}, "etag-meta", "yes, but for the quotes"},
		{"no discovery", sandbox.Options{Seed: 5, Faults: []string{"no-discovery"}}, "config", "refused: 404"},
		{"one user", sandbox.Options{Seed: 1}, "start-index", "too few people came to tell"},
		{"no filter", sandbox.Options{Seed: 5, Faults: []string{"ignore-filter"}}, "filter-quotes", "the filter cannot be relied on"},
		{"a quota", sandbox.Options{Seed: 5, Dialect: "genesys"}, "rate-headers", "inin-ratelimit-allowed 1000000, inin-ratelimit-count"},
		{"another quota", sandbox.Options{Seed: 5, RateLimit: "500/10s:window"}, "rate-headers", "x-ratelimit-limit 500, x-ratelimit-remaining"},
		{"a limit", sandbox.Options{Seed: 5, RateLimit: "10/10s:window", Faults: []string{"no-quota-headers"}}, "retry-after", `yes: "`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				findings, err := probe(t, directory(t, tc.options))
				if got := finding(findings, tc.question).Answer; err != nil || !strings.HasPrefix(got+"$", tc.want) {
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

// tampered changes what goes to a directory and what comes back.
type tampered struct {
	next   http.RoundTripper
	query  func(url.Values)
	header func(*http.Request, http.Header)
	body   func(string) string
	status func(*http.Request) int // 0 lets the request through
}

func (m tampered) RoundTrip(req *http.Request) (*http.Response, error) {
	if m.status != nil {
		if status := m.status(req); status != 0 {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}
	}
	if m.query != nil {
		q := req.URL.Query()
		m.query(q)
		req = req.Clone(req.Context())
		req.URL.RawQuery = q.Encode()
	}
	answer, err := m.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if m.header != nil {
		m.header(req, answer.Header)
	}
	if m.body != nil {
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		text = []byte(m.body(string(text)))
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	return answer, nil
}

// dropping takes a parameter out of every query.
func dropping(name string) func(url.Values) { return func(q url.Values) { q.Del(name) } }

// asking puts another filter in the place of one for a known name.
func asking(instead string) func(url.Values) {
	return func(q url.Values) {
		if strings.Contains(q.Get("filter"), "@example.com") {
			q.Set("filter", instead)
		}
	}
}

// TestProbeOfOddDirectories: what no fault of the sandbox shows.
func TestProbeOfOddDirectories(t *testing.T) {
	version := regexp.MustCompile(`,"version":"W/\\"[0-9]+\\""`)
	refusals := 0
	for _, tc := range []struct {
		name     string
		tampered tampered
		question string
		want     scim.Finding
	}{
		{"sortBy that is ignored", tampered{query: dropping("sortBy")}, "sort", scim.Finding{State: "trap", Answer: "no, although it says so"}},
		{"cursors that are promised", tampered{query: dropping("cursor")}, "cursor", scim.Finding{State: "trap", Answer: "no, although it says so"}},
		{
			"cursors that lead back", tampered{query: func(q url.Values) {
				if q.Has("cursor") {
					q.Set("cursor", "")
				}
			}}, "cursor", scim.Finding{State: "trap", Answer: "no: the second page repeats some of the first"},
		},
		{"somebody else", tampered{query: asking(`userName sw "a"`)}, "filter", scim.Finding{State: "trap", Answer: "no: it brings somebody else", Flag: "--lookup directory"}},
		{"nobody", tampered{query: asking(`userName eq "nobody"`)}, "filter", scim.Finding{State: "trap", Answer: "no: it does not find somebody who is there", Flag: "--lookup directory"}},
		{
			"no versions", tampered{header: func(_ *http.Request, h http.Header) { h.Del("ETag") }, body: func(text string) string { return version.ReplaceAllString(text, "") }},
			"etag", scim.Finding{State: "trap", Answer: "none"},
		},
		{"versions without a header", tampered{header: func(_ *http.Request, h http.Header) { h.Del("ETag") }}, "etag", scim.Finding{State: "note", Answer: "no header, meta.version alone"}},
		{
			"conditions that are ignored", tampered{status: func(r *http.Request) int {
				r.Header.Del("If-None-Match")
				return 0
			}}, "not-modified", scim.Finding{State: "note", Answer: "no"},
		},
		{
			"no PATCH", tampered{body: func(text string) string {
				return strings.Replace(text, `"patch":{"supported":true`, `"patch":{"supported":false`, 1)
			}}, "patch", scim.Finding{State: "trap", Answer: "no", Flag: "--op replace"},
		},
		{"no totals", tampered{body: func(text string) string { return strings.Replace(text, `"totalResults"`, `"n"`, 1) }}, "total", scim.Finding{State: "trap", Answer: "no total is given"}},
		{
			"a large page that is refused once", tampered{status: func(r *http.Request) int {
				if r.URL.Query().Get("count") == "100" && refusals == 0 {
					refusals++
					return http.StatusTooManyRequests
				}
				return 0
			}}, "page-tie", scim.Finding{State: "ok", Answer: "yes"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				findings, err := probe(t, directory(t, sandbox.Options{Seed: 60}, func(o *scim.Options) {
					tc.tampered.next = o.Transport
					o.Transport = tc.tampered
				}))
				got := finding(findings, tc.question)
				if err != nil || got.State != tc.want.State || got.Answer != tc.want.Answer || got.Flag != tc.want.Flag {
					t.Errorf("%+v, want %+v (%v)", got, tc.want, err)
				}
			})
		})
	}
}

// TestProbeOfPeople: what follows from who is in the directory.
func TestProbeOfPeople(t *testing.T) {
	for _, tc := range []struct {
		name     string
		fault    string
		people   []string
		question string
		want     string
	}{
		{"people in the order of their names", "", []string{"a", "b", "C", "d"}, "sort", "the people come in that order anyhow"},
		{"two of one name", "non-unique", []string{"a", "a", "b"}, "filter", "yes, but 2 people have one userName"},
		{"somebody with a quote", "", []string{"a", "o'b"}, "filter-quotes", "yes"},
		{"somebody with a quote who is not found", "quote-in-filter=empty", []string{"a", "o'b"}, "filter-quotes", "no: it finds the wrong people"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := directory(t, sandbox.Options{Faults: strings.Fields(tc.fault)})
				for _, name := range tc.people {
					if _, err := c.Create(t.Context(), scim.Users, fmt.Appendf(nil, `{"schemas":[%q],"userName":%q}`, scim.UserURN, name)); err != nil {
						t.Fatal(err)
					}
				}
				findings, err := c.Probe(t.Context())
				if got := finding(findings, tc.question).Answer; err != nil || got != tc.want {
					t.Errorf("%s: %q, want %q (%v)", tc.question, got, tc.want, err)
				}
			})
		})
	}
}

// TestProbeLeavesTheClientAsItWas: the watch over headers, which takes one
// request at a time, ends with the probe; and the same directory gets the same
// answers.
func TestProbeLeavesTheClientAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := directory(t, sandbox.Options{Seed: 5})
		before, err := probe(t, c)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 20 {
					if _, err := c.List(t.Context(), scim.Users, scim.ListOptions{Count: 1}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		after, err := c.Probe(t.Context())
		if err != nil || !slices.Equal(before, after) {
			t.Errorf("probed again: %v, %v", after, err)
		}
	})
}
