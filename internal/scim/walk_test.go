package scim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// listing is a directory of n users and one habit of real servers.
type listing struct {
	n     int
	habit func(l *listing, start, count int) string
	asked []string
}

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	l.asked = append(l.asked, req.URL.RawQuery)
	start, _ := strconv.Atoi(q.Get("startIndex"))
	count, err := strconv.Atoi(q.Get("count"))
	if err != nil {
		count = 100
	}
	resp := reply(200, l.habit(l, start, count))
	resp.Request = req
	return resp, nil
}

// ids are the users from start, at most count of them.
func (l *listing) ids(start, count int) []string {
	var ids []string
	for i := max(start, 1); i <= l.n && len(ids) < count; i++ {
		ids = append(ids, strconv.Itoa(i))
	}
	return ids
}

func honest(l *listing, start, count int) string { return pageOf(l.n, l.ids(start, count)...) }

// TestAll walks past every paging trap.
func TestAll(t *testing.T) {
	for name, tc := range map[string]struct {
		habit func(l *listing, start, count int) string
		seen  int // of 95, with pages of 10
		gap   string
		most  int // requests
	}{
		"honest": {honest, 95, "", 11},
		"server caps the page at 7": {func(l *listing, start, count int) string {
			return pageOf(l.n, l.ids(start, min(count, 7))...)
		}, 95, "", 15},
		"total is the page's": {func(l *listing, start, count int) string {
			ids := l.ids(start, count)
			return pageOf(len(ids), ids...)
		}, 95, "", 11},
		"total is capped": {func(l *listing, start, count int) string {
			return pageOf(50, l.ids(start, count)...)
		}, 95, "", 11},
		"no total": {func(l *listing, start, count int) string {
			return strings.Replace(honest(l, start, count), `"totalResults":95,`, "", 1)
		}, 95, "", 11},
		"null past the end": {func(l *listing, start, count int) string {
			if start > l.n {
				return `{"totalResults":95,"startIndex":null,"Resources":null}`
			}
			return honest(l, start, count)
		}, 95, "", 11},
		"absent past the end": {func(l *listing, start, count int) string {
			if start > l.n {
				return `{"totalResults":"95","itemsPerPage":10,"startIndex":-5}`
			}
			return honest(l, start, count)
		}, 95, "", 11},
		"page one again past the end": {func(l *listing, start, count int) string {
			if start > l.n {
				start = 1
			}
			return honest(l, start, count)
		}, 95, "", 11},
		"startIndex ignored": {func(l *listing, _, count int) string { return honest(l, 1, count) },
			10, "the server claims 95, its pages brought 10", 2},
		"startIndex and count ignored": {func(l *listing, _, _ int) string { return pageOf(20, l.ids(1, 20)...) }, 20, "", 2},
		"pages overlap":                {func(l *listing, start, count int) string { return honest(l, start-1, count+1) }, 95, "", 11},
		"last page hidden": {func(l *listing, start, count int) string {
			return pageOf(l.n, (&listing{n: 83}).ids(start, count)...)
		}, 83, "the server claims 95, its pages brought 83", 10},
		"another total past the end": {func(l *listing, start, count int) string {
			if start > l.n {
				return pageOf(9999)
			}
			return honest(l, start, count)
		}, 95, "", 11},
		"empty but claims": {func(l *listing, _, _ int) string { return pageOf(5) }, 0, "the server claims 5, its pages brought 0", 1},
		"no id at all": {func(l *listing, start, count int) string {
			return strings.ReplaceAll(honest(l, start, count), `"id"`, `"x"`)
		}, 95, "", 11},
		"names in another case": {func(l *listing, start, count int) string {
			return strings.NewReplacer("Resources", "resources", "totalResults", "TotalResults").Replace(honest(l, start, count))
		}, 95, "", 11},
		"a bare array":       {func(l *listing, _, _ int) string { return "[" + user("1") + "," + user("2") + "]" }, 2, "", 2},
		"a single, unlisted": {func(l *listing, _, _ int) string { return `{"Resources":` + user("1") + `}` }, 1, "", 2},
		"counts everything":  {func(l *listing, start, _ int) string { return pageOf(l.n, l.ids(start, 1000)...) }, 95, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listing{n: 95, habit: tc.habit}
			c := memoryClient(t, l)
			ids, err := collect(c, ListOptions{Count: 10})
			if len(ids) != tc.seen {
				t.Errorf("saw %d, want %d", len(ids), tc.seen)
			}
			var gap *Gap
			if errors.As(err, &gap) != (tc.gap != "") || err != nil && !strings.Contains(err.Error(), tc.gap) {
				t.Errorf("error %v, want %q", err, tc.gap)
			}
			if len(l.asked) > tc.most {
				t.Errorf("%d requests, want at most %d", len(l.asked), tc.most)
			}
		})
	}
}

// collect lists all, and counts an id that comes twice twice.
func collect(c *Client, q ListOptions) ([]string, error) {
	var ids []string
	for r, err := range c.All(background, Users, q) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// TestAllUnstableOrder: a listing whose order changes between pages shows some
// twice and some never; the walk gives each once and says what is missing.
func TestAllUnstableOrder(t *testing.T) {
	l := &listing{n: 100, habit: func(l *listing, start, count int) string {
		var ids []string
		for i := start; i < start+count && i <= l.n; i++ {
			ids = append(ids, strconv.Itoa((i*7+start*31)%l.n))
		}
		return pageOf(l.n, ids...)
	}}
	ids, err := collect(memoryClient(t, l), ListOptions{Count: 10})
	once := map[string]bool{}
	for _, id := range ids {
		if once[id] {
			t.Errorf("%s came twice", id)
		}
		once[id] = true
	}
	var gap *Gap
	if !errors.As(err, &gap) || gap.Seen != len(ids) || gap.Claimed != 100 {
		t.Errorf("%d seen, %v", len(ids), err)
	}
}

func TestAllByCursor(t *testing.T) {
	pages := func(answers map[string]string) memory {
		return func(req *http.Request) (*http.Response, error) {
			key := "first"
			if req.URL.Query().Has("cursor") {
				key = req.URL.Query().Get("cursor")
			}
			body, ok := answers[key]
			if !ok {
				return reply(400, `{"scimType":"invalidCursor"}`), nil
			}
			return reply(200, body), nil
		}
	}
	next := func(cursor, page string) string {
		return strings.Replace(page, `{"totalResults"`, `{"nextCursor":"`+cursor+`","totalResults"`, 1)
	}
	empty := ""
	for name, tc := range map[string]struct {
		answers map[string]string
		options ListOptions
		seen    string
		gap     bool
	}{
		"asked for":                  {map[string]string{"": next("b+/=", pageOf(3, "1", "2")), "b+/=": pageOf(3, "3")}, ListOptions{Cursor: &empty}, "1 2 3", false},
		"unasked":                    {map[string]string{"first": next("b", pageOf(3, "1", "2")), "b": pageOf(3, "3")}, ListOptions{}, "1 2 3", false},
		"an empty page on the way":   {map[string]string{"first": next("b", pageOf(2, "1")), "b": next("c", pageOf(2)), "c": pageOf(2, "2")}, ListOptions{}, "1 2", false},
		"cursor null":                {map[string]string{"first": next("b", pageOf(2, "1")), "b": `{"nextCursor":null,"Resources":[` + user("2") + `]}`}, ListOptions{}, "1 2", false},
		"a cursor that stands still": {map[string]string{"first": next("b", pageOf(3, "1")), "b": next("b", pageOf(3, "2"))}, ListOptions{}, "1 2", true},
		"cursors in a circle":        {map[string]string{"first": next("b", pageOf(3, "1")), "b": next("c", pageOf(3, "2")), "c": next("b", pageOf(3, "2"))}, ListOptions{}, "1 2", true},
	} {
		t.Run(name, func(t *testing.T) {
			ids, err := collect(memoryClient(t, pages(tc.answers)), tc.options)
			var gap *Gap
			if got := strings.Join(ids, " "); got != tc.seen || errors.As(err, &gap) != tc.gap || err != nil && !tc.gap {
				t.Errorf("saw %s, %v", got, err)
			}
		})
	}
}

// TestAllCursorIgnored: a server that does not know the parameter answers by
// index (RFC 7644 §3.4.2), and so must the walk go on.
func TestAllCursorIgnored(t *testing.T) {
	empty := ""
	l := &listing{n: 25, habit: honest}
	ids, err := collect(memoryClient(t, l), ListOptions{Cursor: &empty, Count: 10})
	if err != nil || len(ids) != 25 {
		t.Errorf("%d, %v: %q", len(ids), err, l.asked)
	}
}

// TestAllShrinksPages: Genesys answers 429 to a page that is too large for its
// attributes. That is no reason to wait, but to ask for less.
func TestAllShrinksPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counts []string
		server := memory(func(req *http.Request) (*http.Response, error) {
			count := req.URL.Query().Get("count")
			counts = append(counts, count)
			if n, _ := strconv.Atoi(count); n > 25 {
				return reply(429, `{"message":"too large"}`, "Retry-After", "42"), nil
			}
			if req.URL.Query().Get("startIndex") == "1" {
				return reply(200, pageOf(2, "1", "2")), nil
			}
			return reply(200, pageOf(2)), nil
		})
		c := memoryClient(t, server, func(o *Options) { o.Profile = genesysProfile() })
		ids, err := collect(c, ListOptions{Count: 80})
		if err != nil || len(ids) != 2 || strings.Join(counts, " ") != "80 40 25 25" {
			t.Errorf("saw %v, %v; asked for %v", ids, err, counts)
		}
	})
}

func TestAllPageSize(t *testing.T) {
	for name, tc := range map[string]struct {
		profile Profile
		options ListOptions
		want    string
	}{
		"rfc":              {rfcProfile(), ListOptions{}, "100"},
		"genesys":          {genesysProfile(), ListOptions{}, "25"},
		"genesys, trimmed": {genesysProfile(), ListOptions{Attributes: []string{"userName"}}, "100"},
		"asked for":        {rfcProfile(), ListOptions{Count: 7}, "7"},
		"never above most": {genesysProfile(), ListOptions{Count: 500, Attributes: []string{"userName"}}, "100"},
	} {
		l := &listing{n: 1, habit: honest}
		c := memoryClient(t, l, func(o *Options) { o.Profile = tc.profile })
		if _, err := collect(c, tc.options); err != nil || !strings.Contains(l.asked[0], "count="+tc.want) {
			t.Errorf("%s: asked %q, %v", name, l.asked[0], err)
		}
	}
}

func TestAllStopsWhenTold(t *testing.T) {
	l := &listing{n: 95, habit: honest}
	for range memoryClient(t, l).All(background, Users, ListOptions{Count: 10}) {
		break
	}
	if len(l.asked) != 1 {
		t.Errorf("asked %d times", len(l.asked))
	}
}

func TestAllReportsAFailedPage(t *testing.T) {
	l := &listing{n: 95}
	l.habit = func(l *listing, start, count int) string {
		if start > 20 {
			return `{"detail":"no session","status":"error"}`
		}
		return honest(l, start, count)
	}
	ids, err := collect(memoryClient(t, l), ListOptions{Count: 10})
	if len(ids) != 20 || !errors.Is(err, errNotSCIM) || !strings.Contains(err.Error(), "no session") {
		t.Errorf("%d seen, %v", len(ids), err)
	}
}

func TestPageAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		body, contentType string
		want              error
		total             int
		resources         int
	}{
		"plain":             {body: pageOf(7, "1"), total: 7, resources: 1},
		"total as text":     {body: `{"totalResults":"7"}`, total: 7},
		"total with points": {body: `{"totalResults":7.0}`, total: 7},
		"total absurd":      {body: `{"totalResults":1e300,"Resources":[]}`},
		"nulls in the list": {body: `{"Resources":[null,` + user("1") + `]}`, resources: 1},
		"unknown members":   {body: `{"x":{"Resources":[1]},"Resources":[` + user("1") + `],"y":[[]]}`, resources: 1},
		"html":              {body: "<html>", want: errHTML},
		"html by type":      {body: "oops", contentType: "text/html", want: errHTML},
		"empty object":      {body: "{}", want: errNotSCIM},
		"a word":            {body: `"ok"`, want: errNotSCIM},
		"a number in it":    {body: `{"Resources":[7]}`, want: errNotSCIM},
		"not JSON":          {body: `{Resources}`, want: errNotSCIM},
		"an error":          {body: `{"status":"error"}`, want: errNotSCIM},
		"empty":             {body: "", want: errEmpty},
		"cut in a resource": {body: pageOf(7, "1")[:60], want: errTruncated},
		"cut in the list":   {body: strings.TrimSuffix(pageOf(7, "1"), "]}"), want: errTruncated},
		"cut at the end":    {body: strings.TrimSuffix(pageOf(7, "1"), "}"), want: errTruncated},
		"cut in a name":     {body: `{"totalRes`, want: errTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := parsePage([]byte(tc.body), tc.contentType)
			if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && (page.TotalResults != tc.total || len(page.Resources) != tc.resources) {
				t.Errorf("got %+v", page)
			}
		})
	}
}

// TestPageCutAnywhere: no prefix of a page passes for a page.
func TestPageCutAnywhere(t *testing.T) {
	body := pageOf(3, "1", "2", "3")
	for i := range len(body) {
		if page, err := parsePage([]byte(body[:i]), ""); err == nil {
			t.Fatalf("%q is a page of %d", body[:i], len(page.Resources))
		}
	}
	answer := reply(200, "")
	answer.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:50]), failingReader{io.ErrUnexpectedEOF}))
	if _, err := readBody(answer); !errors.Is(err, errTruncated) {
		t.Errorf("connection lost: %v", err)
	}
}

func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{pageOf(2, "1", "2"), "[]", `{"Resources":null}`, `{"nextCursor":1,"Resources":{}}`, "<"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := parsePage(body, "")
		if (page == nil) == (err == nil) {
			t.Errorf("page %v, error %v", page, err)
		}
	})
}

func TestUnfilteredGroups(t *testing.T) {
	server := inTurn(says(200, goodFor))
	c := memoryClient(t, server, func(o *Options) {
		o.Profile = genesysProfile()
		o.BaseURL = "https://api.mypurecloud.com/api/v2/scim/v2/"
	})
	_, _ = c.List(background, Groups, ListOptions{Count: -1})
	_, _ = c.List(background, Groups, ListOptions{Count: -1, Filter: `displayName eq "a"`})
	_, _ = c.List(background, Users, ListOptions{Count: -1})
	want := fmt.Sprint([]string{
		"https://api.mypurecloud.com/api/v2/scim/groups",
		"https://api.mypurecloud.com/api/v2/scim/v2/groups?filter=displayName%20eq%20%22a%22",
		"https://api.mypurecloud.com/api/v2/scim/v2/users",
	})
	if got := fmt.Sprint(server.urls); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestServiceProviderConfig(t *testing.T) {
	plural := func(body string) memory {
		return func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/ServiceProviderConfigs") {
				return reply(200, body), nil
			}
			return reply(404, ""), nil
		}
	}
	for name, tc := range map[string]struct {
		server memory
		want   string
	}{
		"plural":         {plural(`{"patch":{"supported":true}}`), `{"patch":{"supported":true}}`},
		"plural, listed": {plural(`{"totalResults":1,"Resources":[{"patch":{}}]}`), `{"patch":{}}`},
		"singular":       {func(*http.Request) (*http.Response, error) { return reply(200, `{"etag":{}}`), nil }, `{"etag":{}}`},
	} {
		resp, err := memoryClient(t, tc.server).ServiceProviderConfig(background, "")
		if err != nil || string(resp.Resource.Raw) != tc.want {
			t.Errorf("%s: %+v, %v", name, resp, err)
		}
	}
	_, err := memoryClient(t, inTurn(says(404, ""))).ServiceProviderConfig(background, "")
	var e *Error
	if !errors.As(err, &e) || e.Status != 404 || e.Path != "ServiceProviderConfig" {
		t.Errorf("none: %v", err)
	}
	resp, err := memoryClient(t, inTurn(says(304, ""))).ServiceProviderConfig(background, `"1"`)
	if err != nil || !resp.NotModified {
		t.Errorf("304: %+v, %v", resp, err)
	}
}

func TestDiscoveryLists(t *testing.T) {
	c := memoryClient(t, inTurn(says(200, `{"Resources":[{"id":"User"},{"id":"Group"}]}`), says(200, `[{"id":"urn:x"}]`), says(200, `{"id":"User"}`)))
	types, err := c.ResourceTypes(background)
	if err != nil || len(types) != 2 || string(types[1]) != `{"id":"Group"}` {
		t.Errorf("%s, %v", types, err)
	}
	schemas, err := c.Schemas(background)
	if err != nil || len(schemas) != 1 {
		t.Errorf("%s, %v", schemas, err)
	}
	one, err := c.ResourceType(background, "User")
	if err != nil || string(one) != `{"id":"User"}` {
		t.Errorf("%s, %v", one, err)
	}
}
