package scim_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"scimbulk/internal/scim"
)

var update = flag.Bool("update", false, "write docs/operations.md anew")

// operation is one operation of the provider's API. The table of them is what
// the test walks, and what docs/operations.md shows.
type operation struct {
	name        string // %s stands for nothing, or for v2_
	method      string
	path        string // below the base
	parameters  []string
	permissions []string // any of them
	good        int
	call        func(*stage, *scim.Client) (int, error) // with nothing but what it needs
	shows       []show
}

// show is an answer that the operation must give.
type show struct {
	status int
	fault  string // scimType, or the vendor's code
	when   string
	do     func(*stage) (int, error)
}

// The API has each operation below two bases.
func bases() []struct{ infix, path string } {
	return []struct{ infix, path string }{{"", "/api/v2/scim"}, {"v2_", "/api/v2/scim/v2"}}
}

func userPermissions(first ...string) []string {
	return append(first, "authorization:grant:add", "authorization:grant:delete",
		"routing:skill:assign", "routing:language:assign", "telephony:extension:assign")
}

const unknownID = "00000000-0000-4000-8000-000000000000"

// operations are those below one base, which differ in one point: below v2 a
// list of groups needs a filter.
func operations(infix string) []operation {
	ops := append(userOperations(), groupOperations(infix != "")...)
	return append(ops, discoveryOperations()...)
}

func userOperations() []operation {
	u := resource{scim.Users, (*stage).user}
	edit := userPermissions("directory:user:edit", "directory:user:setPassword")
	return []operation{
		{
			name: "delete_scim_%suser", method: "DELETE", path: "/users/{userId}", parameters: []string{"userId", "If-Match"},
			permissions: []string{"directory:user:delete"}, good: 204, call: u.remove("", false), shows: []show{
				{204, "", "If-Match is the version", on(u.remove("current", false))},
				{400, "invalidVers", "If-Match is another version", on(u.remove(`"999"`, false))},
				{404, "not.found", "nobody has the id", on(u.remove("", true))},
			},
		},
		{
			name: "get_scim_%suser", method: "GET", path: "/users/{userId}",
			parameters: []string{"userId", "attributes", "excludedAttributes", "If-None-Match"},
			good:       200, call: u.read, shows: append(u.readings("displayName", "title"),
				show{404, "not.found", "nobody has the id", u.readUnknown}),
		},
		{
			name: "get_scim_%susers", method: "GET", path: "/users",
			parameters: []string{"startIndex", "count", "attributes", "excludedAttributes", "filter"},
			good:       200, call: u.list, shows: append(u.listings("userName", "title"),
				show{200, "", "the filter is active eq false", inactiveUsers},
				show{400, "invalidFilter", "the filter is none of the documented ones", on(u.filtered(`title sw "A"`, -1))},
			),
		},
		{
			name: "patch_scim_%suser", method: "PATCH", path: "/users/{userId}", parameters: []string{"userId", "body", "If-Match"},
			permissions: edit, good: 200, call: u.patch(titleBody, "", false), shows: append(u.changes(u.patch, titleBody),
				show{400, "invalidPath", "a path that no schema knows", on(u.patch(patchBody("nickName", "x"), "", false))},
				show{400, "invalidValue", "a proficiency above 5", on(u.patch(skillBody, "", false))},
			),
		},
		{
			name: "post_scim_%susers", method: "POST", path: "/users", parameters: []string{"body"},
			permissions: userPermissions("directory:user:add"), good: 201, call: createNew, shows: []show{
				{409, "uniqueness", "the userName is taken", createTaken},
				{400, "invalidValue", "the userName is no e-mail address", on(creating(`"userName":"nobody","displayName":"N"`))},
				{413, "request.entity.too.large", "more than 512,000 bytes", on(creating(`"userName":"big@example.com","displayName":"` + strings.Repeat("x", 600_000) + `"`))},
			},
		},
		{
			name: "put_scim_%suser", method: "PUT", path: "/users/{userId}", parameters: []string{"userId", "body", "If-Match"},
			permissions: edit, good: 200, call: u.replace(`{"title":"Boss"}`, "", false), shows: append(u.changes(u.replace, `{"title":"Boss"}`),
				show{409, "uniqueness", "the userName is taken", replaceTaken}),
		},
	}
}

func groupOperations(needFilter bool) []operation {
	unfiltered := show{200, "", "no filter is given", on(resource{e: scim.Groups}.filtered("", -1))}
	if needFilter {
		unfiltered.status, unfiltered.fault = 400, "bad.request"
	}
	g := resource{scim.Groups, (*stage).group}
	edit := []string{"directory:group:edit"}
	return []operation{
		{
			name: "get_scim_%sgroup", method: "GET", path: "/groups/{groupId}", permissions: edit,
			parameters: []string{"groupId", "attributes", "excludedAttributes", "If-None-Match"},
			good:       200, call: g.read, shows: append(g.readings("displayName", "members"),
				show{404, "not.found", "no group has the id", g.readUnknown}),
		},
		{
			name: "get_scim_%sgroups", method: "GET", path: "/groups", permissions: edit,
			parameters: []string{"startIndex", "count", "attributes", "excludedAttributes", "filter"},
			good:       200, call: g.list, shows: append(g.listings("displayName", "members"), unfiltered),
		},
		{
			name: "patch_scim_%sgroup", method: "PATCH", path: "/groups/{groupId}", parameters: []string{"groupId", "body", "If-Match"},
			permissions: edit, good: 200, call: g.patch(externalBody, "", false), shows: append(g.changes(g.patch, externalBody),
				show{400, "mutability", "displayName is read-only", on(g.patch(patchBody("displayName", "x"), "", false))}),
		},
		{
			name: "put_scim_%sgroup", method: "PUT", path: "/groups/{groupId}", parameters: []string{"groupId", "body", "If-Match"},
			permissions: edit, good: 200, call: g.replace(`{"externalId":"g-1"}`, "", false), shows: g.changes(g.replace, `{"externalId":"g-1"}`),
		},
	}
}

func discoveryOperations() []operation {
	return []operation{
		{
			name: "get_scim_%sresourcetype", method: "GET", path: "/resourcetypes/{resourceType}", parameters: []string{"resourceType"},
			good: 200, call: document(func(s *stage, c *scim.Client) (any, error) { return c.ResourceType(s.t.Context(), "User") }),
			shows: []show{{404, "not.found", "there is no such type", on(document(func(s *stage, c *scim.Client) (any, error) { return c.ResourceType(s.t.Context(), "Robot") }))}},
		},
		{
			name: "get_scim_%sresourcetypes", method: "GET", path: "/resourcetypes",
			good: 200, call: document(func(s *stage, c *scim.Client) (any, error) { return c.ResourceTypes(s.t.Context()) }),
		},
		{
			name: "get_scim_%sschema", method: "GET", path: "/schemas/{schemaId}", parameters: []string{"schemaId"},
			good: 200, call: document(func(s *stage, c *scim.Client) (any, error) { return c.Schema(s.t.Context(), scim.GenesysURN) }),
			shows: []show{{404, "not.found", "there is no such schema", on(document(func(s *stage, c *scim.Client) (any, error) { return c.Schema(s.t.Context(), "urn:none") }))}},
		},
		{
			name: "get_scim_%sschemas", method: "GET", path: "/schemas", parameters: []string{"filter"},
			good: 200, call: document(func(s *stage, c *scim.Client) (any, error) { return c.Schemas(s.t.Context()) }),
			shows: []show{{403, "not.authorized", "a filter is given", on(resource{e: "Schemas"}.filtered(`displayName eq "x"`, -1))}},
		},
		{
			name: "get_scim_%sserviceproviderconfig", method: "GET", path: "/serviceproviderconfig", parameters: []string{"If-None-Match"},
			good: 200, call: configuration(""),
			shows: []show{
				{304, "", "If-None-Match is the version", on(configuration(`"1"`))},
				{200, "", "If-None-Match is another version", on(configuration(`"0"`))},
			},
		},
	}
}

// TestOperations walks the thirty operations through the client, over real
// HTTP to the sandbox as a process, each with all of its parameters, its good
// answer and its failures.
func TestOperations(t *testing.T) {
	walked, p := 0, startSandbox(t)
	for _, base := range bases() {
		for _, op := range operations(base.infix) {
			walked++
			t.Run(fmt.Sprintf(op.name, base.infix), func(t *testing.T) { op.walk(t, p, base.path) })
		}
	}
	if walked != 30 {
		t.Errorf("%d operations, the API has 30", walked)
	}
}

func (op operation) walk(t *testing.T, p *process, base string) {
	s := newStage(t, p, base, op.permissions)
	for _, sh := range op.answers() {
		status, err := sh.do(s)
		e := fault(err)
		switch {
		case sh.status < 400 && (err != nil || status != sh.status):
			t.Errorf("%s: status %d, %v", sh.text(), status, err)
		case sh.status >= 400 && (e == nil || e.Status != sh.status || e.ScimType+e.Code != sh.fault):
			t.Errorf("%s: %v", sh.text(), err)
		}
	}
	for _, r := range s.seen() {
		if r.method != op.method || !fits(op.path, strings.TrimPrefix(r.path, base)) {
			t.Errorf("the client sent %s %s", r.method, r.path)
		}
	}
	for _, parameter := range op.parameters {
		if !s.used(parameter) {
			t.Errorf("%s was never sent", parameter)
		}
	}
}

// answers are the shows of an operation with those that all have: the good one,
// and a token that is not known or lacks the permission.
func (op operation) answers() []show {
	all := append([]show{{op.good, "", "", on(op.call)}}, op.shows...)
	all = append(all, show{401, "authentication.required", "the token is not known", func(s *stage) (int, error) { return op.call(s, s.unknown) }})
	if len(op.permissions) > 0 {
		all = append(all, show{403, "missing.any.permissions", "the token lacks the permission", func(s *stage) (int, error) { return op.call(s, s.lacking) }})
	}
	return all
}

func (sh show) text() string {
	text := fmt.Sprint(sh.status)
	if sh.fault != "" {
		text += " `" + sh.fault + "`"
	}
	if sh.when != "" {
		text += " (" + sh.when + ")"
	}
	return text
}

// fits tells whether a path is of a template: /users/{userId}.
func fits(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i, part := range a {
		if part != b[i] && (!strings.HasPrefix(part, "{") || b[i] == "") {
			return false
		}
	}
	return true
}

// TestOperationsDocument: the page shows what TestOperations proves.
func TestOperationsDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "operations.md")
	want := operationsPage()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s does not show the operations that are tested (%v): go test ./internal/scim -run OperationsDocument -update", path, err)
	}
}

// TestReadmeShowsTheOperations: the README shows the same operations, in short.
func TestReadmeShowsTheOperations(t *testing.T) {
	path := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- operations -->\n", "<!-- /operations -->"
	before, rest, found := strings.Cut(string(readme), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the operations, between %q and %q", path, begin, end)
	}
	want := before + begin + operationsInShort() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(readme) != want {
		t.Errorf("%s does not show the operations that are tested: go test ./internal/scim -run Operations -update", path)
	}
}

// operationsInShort is a line for an operation and its twin below the other
// base, with the statuses that both are shown to give.
func operationsInShort() string {
	var b strings.Builder
	b.WriteString("| operation, below `/api/v2/scim` and `/api/v2/scim/v2` | request | answers shown |\n|---|---|---|\n")
	first, second := bases()[0], bases()[1]
	twins := operations(second.infix)
	for i, op := range operations(first.infix) {
		statuses := map[int]bool{}
		for _, sh := range append(op.answers(), twins[i].answers()...) {
			statuses[sh.status] = true
		}
		var list []string
		for _, status := range slices.Sorted(maps.Keys(statuses)) {
			list = append(list, strconv.Itoa(status))
		}
		fmt.Fprintf(&b, "| `%s`, `%s` | `%s %s` | %s |\n", fmt.Sprintf(op.name, first.infix), fmt.Sprintf(op.name, second.infix),
			op.method, op.path, strings.Join(list, " "))
	}
	return b.String()
}

func operationsPage() []byte {
	var b bytes.Buffer
	b.WriteString(`# The operations of the Genesys Cloud SCIM API

Written by ` + "`go test ./internal/scim -run OperationsDocument -update`" + ` from the table
that ` + "`TestOperations`" + ` walks: each operation goes through the client to the
sandbox (` + "`--dialect genesys`" + `) over HTTP with all of its parameters, and must give
every answer that stands here.

| Operation | Request | Parameters | Permissions (any) | Answers |
|---|---|---|---|---|
`)
	for _, base := range bases() {
		for _, op := range operations(base.infix) {
			var answers []string
			for _, sh := range op.answers() {
				answers = append(answers, sh.text())
			}
			fmt.Fprintf(&b, "| `%s` | `%s %s%s` | %s | %s | %s |\n", fmt.Sprintf(op.name, base.infix), op.method, base.path, op.path,
				orNone(op.parameters), orNone(op.permissions), strings.Join(answers, " · "))
		}
	}
	return b.Bytes()
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func statusOf(resp *scim.Response, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return resp.Status, nil
}

// document makes a call of a reading that shows no status.
func document(read func(*stage, *scim.Client) (any, error)) func(*stage, *scim.Client) (int, error) {
	return func(s *stage, c *scim.Client) (int, error) {
		doc, err := read(s, c)
		if err == nil && len(fmt.Sprint(doc)) < 100 {
			err = fmt.Errorf("so short a document: %v", doc)
		}
		return http.StatusOK, err
	}
}

func configuration(ifNoneMatch string) func(*stage, *scim.Client) (int, error) {
	return func(s *stage, c *scim.Client) (int, error) {
		return statusOf(c.ServiceProviderConfig(s.t.Context(), ifNoneMatch))
	}
}

// on makes a show of a call with good credentials.
func on(call func(*stage, *scim.Client) (int, error)) func(*stage) (int, error) {
	return func(s *stage) (int, error) { return call(s, s.client) }
}
