package sandbox

import (
	"fmt"
	"slices"
	"testing"
)

// What an index finds is what reading everybody finds, whatever was written
// since the index was made.
func TestIndexesAgreeWithTheDocuments(t *testing.T) {
	b := openGenesys(t, Options{Seed: 40})
	const department = enterpriseURN + `:department`
	filters := []string{
		`emails eq "NEW@example.com"`, `emails.value eq "new@example.com"`, `emails[type eq "work" and value eq "New@example.com"]`,
		department + ` eq "sales"`, department + ` eq "Support" and active eq true`, `title eq "Manager" or title eq "Agent"`,
		enterpriseURN + `:division eq "Europe" and ` + department + ` eq "Sales"`, enterpriseURN + `:manager.value eq "` + b.seeded(0) + `"`,
		`emails[not (value eq "new@example.com")]`, purecloudURN + `:externalIds[authority eq "hr"]`, `displayName eq "Ada"`,
	}
	check := func(after string) {
		t.Helper()
		for _, text := range filters {
			x, err := parseFilter(b.rules.user, text, false)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			b.dir.mu.RLock()
			found := b.dir.find(b.dir.users, &listing{filter: x, filterText: text})
			for i := range found.len() {
				got = append(got, found.at(i).rev.key)
			}
			for _, e := range b.dir.users.live() {
				if x.match(stored(e.rev)) {
					want = append(want, e.rev.key)
				}
			}
			b.dir.mu.RUnlock()
			if !slices.Equal(got, want) {
				t.Errorf("after %s, %s finds %q, want %q", after, text, got, want)
			}
		}
	}
	check("the start")
	ada := "/users/" + b.call("POST", "/users", `{"userName":"ada@example.com","displayName":"Ada","emails":[{"value":"new@example.com","type":"work"},{"value":"New@example.com"}],
		"`+enterpriseURN+`":{"department":"Sales"},"`+purecloudURN+`":{"externalIds":[{"authority":"hr","value":"1"}]}}`).want(t, 201, "").at("id")
	check("a create")
	if n := b.call("GET", query("/users", "filter", "email eq new@example.com"), "").at("totalResults"); n != "1" {
		t.Errorf("one person with two like addresses is found %s times", n)
	}
	for i := range 12 {
		path := "/users/" + b.seeded(i+1)
		b.call("PATCH", path, patchBody(fmt.Sprintf(`{"op":"replace","path":"%s","value":"%s"},{"op":"replace","path":"emails","value":[{"value":"new@example.com","type":"work"}]}`,
			department, []string{"Sales", "SALES", "Support"}[i%3]))).want(t, 200, "")
	}
	check("changes")
	b.call("PUT", ada, `{"userName":"ada@example.com","displayName":"Ada L"}`).want(t, 200, "")
	check("a replacement")
	b.call("DELETE", ada, "").want(t, 204, "")
	b.call("DELETE", "/users/"+b.seeded(1), "").want(t, 204, "")
	check("deletes")
	for name, ix := range b.dir.users.values.byName {
		for term, list := range ix.found {
			if len(list) == 0 {
				t.Errorf("%s keeps %q for nobody", name, term)
			}
		}
	}
}
