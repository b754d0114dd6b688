package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// boxed is a directory of 60 people and one more, whose id is returned.
func boxed(t *testing.T, o sandbox.Options, userName string, active bool) (*directory, string) {
	t.Helper()
	o.Seed = 60
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	profile, err := scim.ProfileByName(cmp.Or(o.Dialect, "rfc"))
	if err != nil {
		t.Fatal(err)
	}
	profile.Rate = 0
	c, err := scim.New(scim.Options{BaseURL: "http://127.0.0.1" + box.BasePath(), Transport: box.Transport(), Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	name, err := json.Marshal(userName)
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Create(t.Context(), scim.Users, fmt.Appendf(nil, `{"schemas":[%q],"userName":%s,"displayName":"X","active":%t}`, scim.UserURN, name, active))
	if err != nil {
		t.Fatal(err)
	}
	return &directory{client: c, profile: profile}, made.Resource.ID
}

// TestFind: a name leads to the one who has it, whatever the directory makes of
// the look-up, or to nobody.
func TestFind(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options sandbox.Options
		absent  bool // the user is inactive
		has     string
		wanted  string
		nobody  bool
	}{
		{name: "plain", has: "ada@example.com"},
		{name: "in another case", has: "ada@example.com", wanted: "ADA@Example.com"},
		{name: "with a quote", has: `o'"b\ada@example.com`},
		{name: "inactive", has: "ada@example.com", absent: true},
		{name: "nobody", has: "ada@example.com", wanted: "eve@example.com", nobody: true},
		{name: "a filter that is ignored", options: sandbox.Options{Faults: []string{"ignore-filter"}}, has: "ada@example.com"},
		{name: "nobody by a filter that is ignored", options: sandbox.Options{Faults: []string{"ignore-filter"}}, has: "ada@example.com", wanted: "eve@example.com", nobody: true},
		{name: "genesys", options: sandbox.Options{Dialect: "genesys"}, has: "ada@example.com"},
		{name: "an inactive one who is hidden", options: sandbox.Options{Dialect: "genesys", Faults: []string{"hidden-inactive"}}, has: "ada@example.com", absent: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, id := boxed(t, tc.options, tc.has, !tc.absent)
			f := &finder{dir: dir, endpoint: scim.Users, key: "userName"}
			got, err := f.find(t.Context(), cmp.Or(tc.wanted, tc.has))
			if tc.nobody {
				id = ""
			}
			if err != nil || got != id {
				t.Errorf("found %q, want %q (%v)", got, id, err)
			}
		})
	}
}

// TestFindOfSeveral: one of them is taken by the letters of the name, or none.
func TestFindOfSeveral(t *testing.T) {
	dir, first := boxed(t, sandbox.Options{Faults: []string{"non-unique"}}, "ada@example.com", true)
	f := &finder{dir: dir, endpoint: scim.Users, key: "userName"}
	again := func(name string) {
		t.Helper()
		if _, err := dir.client.Create(t.Context(), scim.Users, fmt.Appendf(nil, `{"schemas":[%q],"userName":%q}`, scim.UserURN, name)); err != nil {
			t.Fatal(err)
		}
	}
	again("Ada@example.com")
	if got, err := f.find(t.Context(), "ada@example.com"); err != nil || got != first {
		t.Errorf("found %q, want %q (%v)", got, first, err)
	}
	if _, err := f.find(t.Context(), "ADA@example.com"); err == nil || !strings.Contains(err.Error(), "2 resources of the directory have the userName") {
		t.Errorf("two of another case: %v", err)
	}
	again("ada@example.com")
	if _, err := f.find(t.Context(), "ada@example.com"); err == nil || !strings.Contains(err.Error(), "by its id") {
		t.Errorf("two of one name: %v", err)
	}
}
