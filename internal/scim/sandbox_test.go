package scim_test

import (
	"bufio"
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

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// directory is a client of a sandbox in process.
func directory(t *testing.T, o sandbox.Options, change ...func(*scim.Options)) *scim.Client {
	t.Helper()
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	dialect := o.Dialect
	if dialect == "" {
		dialect = "rfc"
	}
	profile, err := scim.ProfileByName(dialect)
	if err != nil {
		t.Fatal(err)
	}
	options := scim.Options{BaseURL: "http://127.0.0.1" + box.BasePath(), Transport: box.Transport(), Profile: profile}
	for _, f := range change {
		f(&options)
	}
	client, err := scim.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func person(n int) []byte {
	return fmt.Appendf(nil, `{"schemas":[%q],"userName":"p%d@example.com","displayName":"Person %d"}`, scim.UserURN, n, n)
}

func titlePatch(title string) []byte {
	return fmt.Appendf(nil, `{"schemas":[%q],"Operations":[{"op":"replace","path":"title","value":%q}]}`, scim.PatchOpURN, title)
}

// TestLifeOfAUser runs through every operation on a user, in both dialects.
func TestLifeOfAUser(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			c, ctx := directory(t, sandbox.Options{Dialect: dialect}), t.Context()
			made, err := c.Create(ctx, scim.Users, person(1))
			if err != nil || made.Status != 201 || made.Resource.ID == "" || made.Resource.Version == "" || made.Date.IsZero() {
				t.Fatalf("create: %+v, %v", made, err)
			}
			id, version := made.Resource.ID, made.Resource.Version

			_, err = c.Create(ctx, scim.Users, person(1))
			if e := fault(err); e == nil || !e.Uniqueness() || e.Class() != "exists" || e.Verdict() != scim.Definite {
				t.Errorf("create again: %v", err)
			}

			read, err := c.Get(ctx, scim.Users, id, scim.ReadOptions{})
			if err != nil || read.Resource.Version != version {
				t.Fatalf("get: %+v, %v", read, err)
			}
			same, err := c.Get(ctx, scim.Users, id, scim.ReadOptions{IfNoneMatch: version})
			if err != nil || !same.NotModified {
				t.Errorf("get if changed: %+v, %v", same, err)
			}

			patched, err := c.Patch(ctx, scim.Users, id, titlePatch("Boss"), version)
			if err != nil || patched.Resource.Version == version {
				t.Fatalf("patch: %+v, %v", patched, err)
			}
			for name, call := range map[string]func() (*scim.Response, error){
				"patch":   func() (*scim.Response, error) { return c.Patch(ctx, scim.Users, id, titlePatch("x"), version) },
				"replace": func() (*scim.Response, error) { return c.Replace(ctx, scim.Users, id, person(1), version) },
				"delete":  func() (*scim.Response, error) { return c.Delete(ctx, scim.Users, id, version) },
			} {
				_, err := call()
				if e := fault(err); e == nil || !e.VersionConflict() || e.Class() != "conflict" {
					t.Errorf("%s of an old version: %v", name, err)
				}
			}

			if _, err := c.Replace(ctx, scim.Users, id, person(2), patched.Resource.Version); err != nil {
				t.Errorf("replace: %v", err)
			}
			if _, err := c.Delete(ctx, scim.Users, id, ""); err != nil {
				t.Errorf("delete: %v", err)
			}
			_, err = c.Get(ctx, scim.Users, id, scim.ReadOptions{})
			if e := fault(err); e == nil || e.Status != http.StatusNotFound || e.Class() != "missing" {
				t.Errorf("get of the deleted: %v", err)
			}
		})
	}
}

func fault(err error) *scim.Error {
	var e *scim.Error
	if !errors.As(err, &e) {
		return nil
	}
	return e
}

// TestListingsOfASandbox: each listing is complete, whatever the paging faults,
// or says that it is not.
func TestListingsOfASandbox(t *testing.T) {
	const people = 230
	for _, tc := range []struct {
		dialect string
		faults  []string
		gap     bool
	}{
		{dialect: "rfc"},
		{dialect: "genesys"},
		{dialect: "rfc", faults: []string{"short-pages=30"}},
		{dialect: "rfc", faults: []string{"capped-total=50"}},
		{dialect: "rfc", faults: []string{"ignore-start-index"}, gap: true},
		{dialect: "rfc", faults: []string{"unstable-order"}, gap: true},
		{dialect: "rfc", faults: []string{"total-is-page"}},
		{dialect: "rfc", faults: []string{"ignore-count"}},
		{dialect: "rfc", faults: []string{"wrap-pages"}},
		{dialect: "rfc", faults: []string{"echo-items-per-page", "odd-start-index=-5"}},
		{dialect: "rfc", faults: []string{"null-resources=null", "odd-start-index=null"}},
		{dialect: "rfc", faults: []string{"null-resources=absent"}},
		{dialect: "rfc", faults: []string{"truncate=0.2"}},
	} {
		t.Run(fmt.Sprint(tc.dialect, tc.faults), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := directory(t, sandbox.Options{Dialect: tc.dialect, Seed: people, Faults: tc.faults})
				seen, gap := listEverybody(t, c)
				if gap != tc.gap || !tc.gap && seen != people {
					t.Errorf("saw %d of %d, gap %t", seen, people, gap)
				}
			})
		})
	}
}

func listEverybody(t *testing.T, c *scim.Client) (seen int, gap bool) {
	t.Helper()
	filters := []string{""}
	if inactive := c.Profile().InactiveFilter; inactive != "" {
		filters = append(filters, inactive)
	}
	for _, filter := range filters {
		for _, err := range c.All(t.Context(), scim.Users, scim.ListOptions{Filter: filter}) {
			var g *scim.Gap
			switch {
			case errors.As(err, &g):
				gap = true
			case err != nil:
				t.Fatal(err)
			default:
				seen++
			}
		}
	}
	return seen, gap
}

// TestGenesysDiscoveryAndGroups: the operations of the API that are not about
// users, below both bases.
func TestGenesysDiscoveryAndGroups(t *testing.T) {
	for _, base := range []string{"/api/v2/scim/v2", "/api/v2/scim"} {
		t.Run(base, func(t *testing.T) {
			c := directory(t, sandbox.Options{Dialect: "genesys", Seed: 100}, func(o *scim.Options) { o.BaseURL = "http://127.0.0.1" + base })
			ctx := t.Context()
			if types, err := c.ResourceTypes(ctx); err != nil || len(types) < 2 {
				t.Errorf("resource types: %d, %v", len(types), err)
			}
			if _, err := c.ResourceType(ctx, "User"); err != nil {
				t.Errorf("resource type: %v", err)
			}
			if schemas, err := c.Schemas(ctx); err != nil || len(schemas) < 2 {
				t.Errorf("schemas: %d, %v", len(schemas), err)
			}
			if _, err := c.Schema(ctx, scim.UserURN); err != nil {
				t.Errorf("schema: %v", err)
			}
			if config, err := c.ServiceProviderConfig(ctx, ""); err != nil || !strings.Contains(string(config.Resource.Raw), "patch") {
				t.Errorf("config: %+v, %v", config, err)
			}
			groups, err := c.List(ctx, scim.Groups, scim.ListOptions{Count: 5})
			if err != nil || len(groups.Resources) != 5 {
				t.Fatalf("groups: %+v, %v", groups, err)
			}
			group := groups.Resources[0]
			if _, err := c.Get(ctx, scim.Groups, group.ID, scim.ReadOptions{Attributes: []string{"displayName"}}); err != nil {
				t.Errorf("group: %v", err)
			}
			_, err = c.Create(ctx, scim.Groups, []byte(`{"displayName":"x"}`))
			if e := fault(err); e == nil || e.Status != http.StatusMethodNotAllowed || e.Class() != "server" {
				t.Errorf("create a group: %v", err)
			}
			_, err = c.List(ctx, scim.Users, scim.ListOptions{Count: 26})
			if e := fault(err); e == nil || !e.Oversized || e.Attempts != 1 {
				t.Errorf("a page of 26: %v", err)
			}
		})
	}
}

// TestFaultsOfASandbox: sixteen workers, every fault at once. Whatever the
// client reports must agree with what the directory holds, and it must have
// resent nothing that was in doubt.
func TestFaultsOfASandbox(t *testing.T) {
	const people, workers = 400, 16
	synctest.Test(t, func(t *testing.T) {
		audit := filepath.Join(t.TempDir(), "audit.jsonl")
		c := directory(t, sandbox.Options{
			Audit:     audit,
			FaultSeed: 1,
			Faults: []string{
				"throttle=0.05", "5xx-before-commit=0.05", "5xx-after-commit=0.05", "reset-before-commit=0.05",
				"reset-after-commit=0.05", "truncate=0.05", "html-error=0.05", "locked=0.05",
			},
		}, func(o *scim.Options) { o.Timeout = 5 * time.Second })
		var mu sync.Mutex
		outcome := map[string]int{}
		rows := make(chan int)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for n := range rows {
					name := create(t, c, n)
					mu.Lock()
					outcome[name]++
					mu.Unlock()
				}
			})
		}
		for n := range people {
			rows <- n
		}
		close(rows)
		wg.Wait()
		requests, commits := readAudit(t, audit)
		if s := c.Stats(); s.Total != requests || s.POST != requests || s.Retried == 0 || s.Throttled == 0 {
			t.Errorf("stats %+v, the sandbox saw %d requests", s, requests)
		}
		if outcome["created"] > commits || outcome["created"]+outcome["in doubt"] < commits || outcome["other"] != 0 {
			t.Errorf("%v, but %d commits", outcome, commits)
		}
		if outcome["in doubt"] == 0 || outcome["created"] < people/2 {
			t.Errorf("the faults did not strike as meant: %v", outcome)
		}
	})
}

func create(t *testing.T, c *scim.Client, n int) string {
	_, err := c.Create(t.Context(), scim.Users, person(n))
	if err == nil {
		return "created"
	}
	e := fault(err)
	if e != nil && e.Verdict() == scim.InDoubt {
		return "in doubt"
	}
	t.Errorf("row %d: %v", n, err)
	return "other"
}

func readAudit(t *testing.T, path string) (requests int64, commits int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), `"kind":"commit"`) {
			commits++
		} else {
			requests++
		}
	}
	return requests, commits
}

// TestHintsOfASandbox: every form of Retry-After ends a wait in time, and every
// form of quota headers spares the waits.
func TestHintsOfASandbox(t *testing.T) {
	for fault, mostThrottled := range map[string]int64{
		"retry-after=fraction": 10, "retry-after=date": 10, "retry-after=epoch": 10, "retry-after=iso": 10,
		"retry-after=short": 30, "retry-after=zero": 30, "retry-after=none": 30, "": 0,
		"quota-headers=epoch": 0, "quota-headers=iso": 4, "quota-headers=okta": 0, "quota-headers=ietf": 0,
	} {
		t.Run(fault, func(t *testing.T) {
			faults := []string{fault}
			if strings.HasPrefix(fault, "retry-after") {
				faults = append(faults, "no-quota-headers")
			}
			if fault == "" {
				faults = nil
			}
			synctest.Test(t, func(t *testing.T) {
				c := directory(t, sandbox.Options{RateLimit: "20/10s:window", Faults: faults})
				start := time.Now()
				for n := range 100 {
					if _, err := c.Create(t.Context(), scim.Users, person(n)); err != nil {
						t.Fatal(err)
					}
				}
				took, throttled := time.Since(start), c.Stats().Throttled
				t.Logf("%v, %d throttled", took, throttled)
				if took > 100*time.Second || throttled > mostThrottled || throttled == 0 && mostThrottled >= 10 {
					t.Errorf("100 creates at 20 in 10 s took %v with %d throttled", took, throttled)
				}
			})
		})
	}
}

// TestTokensOfASandbox: tokens that live for seconds do not cost a row.
func TestTokensOfASandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := directory(t, sandbox.Options{Token: "sandbox", TokenTTL: 3 * time.Second}, func(o *scim.Options) {
			o.Credentials = scim.ClientCredentials("http://127.0.0.1/oauth/token", "sandbox", "sandbox")
		})
		for n := range 100 {
			if _, err := c.Create(t.Context(), scim.Users, person(n)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}
