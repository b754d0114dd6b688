package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (b *box) bulkCall(extra, operations string) reply {
	b.t.Helper()
	return b.call("POST", "/Bulk", `{"schemas":["`+bulkRequestURN+`"],`+extra+`"Operations":[`+operations+`]}`)
}

// statuses lists "status location-kind" of each result.
func statuses(r reply) []string {
	var out []string
	for _, e := range r.doc.list("Operations") {
		o := e.(*object)
		out = append(out, o.text("method")+" "+o.text("status")+" "+o.child("response").text("scimType"))
	}
	return out
}

func bulkGroup(bulkID, members string) string {
	return `{"method":"POST","path":"/Groups","bulkId":"` + bulkID + `","data":{"schemas":["` + groupURN + `"],"displayName":"` + bulkID + `","members":[` + members + `]}}`
}

// RFC 7644 §3.7.3: the four methods in one request, with versions.
func TestBulkMethods(t *testing.T) {
	b := open(t, Options{})
	put, patch, del := b.user(`"userName":"put"`), b.user(`"userName":"patch"`), b.user(`"userName":"del"`)
	got := b.bulkCall(`"failOnErrors":1,`, bulkUser("Alice")+`,
		{"method":"PUT","path":"/Users/`+put+`","version":"W/\"1\"","data":{"schemas":["`+userURN+`"],"userName":"Bob"}},
		{"method":"PATCH","path":"/Users/`+patch+`","version":"W/\"1\"","data":`+patchBody(`{"op":"add","path":"nickName","value":"Babs"}`)+`},
		{"method":"DELETE","path":"/Users/`+del+`","version":"W/\"1\""}`).want(t, 200, "")
	if want := []string{"POST 201 ", "PUT 200 ", "PATCH 200 ", "DELETE 204 "}; !slices.Equal(statuses(got), want) {
		t.Fatalf("%q, want %q", statuses(got), want)
	}
	for way, want := range map[string]string{
		"schemas/0": bulkResponseURN, "Operations/0/bulkId": "Alice", "Operations/1/location": b.url + "/Users/" + put,
		"Operations/1/version": `W/"2"`, "Operations/3/location": b.url + "/Users/" + del,
	} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if names := b.names("/Users", "sortBy", "userName"); !slices.Equal(names, []string{"Alice", "Bob", "patch"}) {
		t.Errorf("users %q", names)
	}
}

// §3.7.2: a group that refers to a user of the same request, before and after.
func TestBulkReferences(t *testing.T) {
	for _, order := range []string{"user first", "group first"} {
		b := open(t, Options{})
		operations := []string{bulkUser("qwerty"), bulkGroup("ytrewq", `{"type":"User","value":"bulkId:qwerty"}`)}
		if order == "group first" {
			slices.Reverse(operations)
		}
		got := b.bulkCall("", strings.Join(operations, ",")).want(t, 200, "")
		if s := statuses(got); !slices.Equal(s, []string{"POST 201 ", "POST 201 "}) {
			t.Fatalf("%s: %q: %s", order, s, got.text)
		}
		if m := b.call("GET", "/Groups", "").at("Resources/0/members/0/display"); m != "qwerty" {
			t.Errorf("%s: first member %q", order, m)
		}
	}
}

// §3.7.1: two groups, each a member of the other.
func TestBulkCircle(t *testing.T) {
	b := open(t, Options{})
	got := b.bulkCall("", bulkGroup("a", `{"value":"bulkId:b"}`)+","+bulkGroup("b", `{"value":"bulkId:a"}`)).want(t, 200, "")
	if s := statuses(got); !slices.Equal(s, []string{"POST 201 ", "POST 201 "}) {
		t.Fatalf("%q: %s", s, got.text)
	}
	list := b.call("GET", "/Groups", "")
	for i, member := range []string{"b", "a"} {
		if have := list.at(fmt.Sprintf("Resources/%d/members/0/display", i)); have != member {
			t.Errorf("group %d has member %q, want %q", i, have, member)
		}
	}
}

func TestBulkErrors(t *testing.T) {
	b := open(t, Options{})
	b.user(`"userName":"taken"`)
	bad := strings.Replace(bulkUser("taken"), `"bulkId":"taken"`, `"bulkId":"x1"`, 1)
	other := strings.Replace(bulkUser("taken"), `"bulkId":"taken"`, `"bulkId":"x2"`, 1)
	refers := bulkGroup("g", `{"value":"bulkId:x1"}`)
	lower := strings.Replace(bulkUser("lower"), "POST", "post", 1)
	tests := []struct {
		extra, operations string
		want              []string
	}{
		{"", bad + "," + refers + "," + bulkUser("n1"), []string{"POST 409 uniqueness", "POST 409 invalidValue", "POST 201 "}},
		{`"failOnErrors":1,`, bulkUser("n2") + "," + bad + "," + bulkUser("n3"), []string{"POST 201 ", "POST 409 uniqueness"}},
		{`"failOnErrors":2,`, bad + "," + other + "," + bulkUser("n4"), []string{"POST 409 uniqueness", "POST 409 uniqueness"}},
		{"", lower, []string{"post 400 invalidSyntax"}},
		{"", `{"method":"POST","path":"/Users","data":{}}`, []string{"POST 400 invalidSyntax"}},
		{"", `{"method":"DELETE","path":"/Users/nobody"}`, []string{"DELETE 404 "}},
		{"", `{"method":"DELETE","path":"/Bulk"}`, []string{"DELETE 404 "}},
		{"", `{"method":"PATCH","path":"/Users/nobody"}`, []string{"PATCH 400 invalidSyntax"}},
	}
	for _, tt := range tests {
		if got := b.bulkCall(tt.extra, tt.operations).want(t, 200, ""); !slices.Equal(statuses(got), tt.want) {
			t.Errorf("%s%.300s: %q, want %q", tt.extra, tt.operations, statuses(got), tt.want)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"method":"DELETE","path":"/Users/x"},`, maxBulkOperations+1), ",")
	if got := b.bulkCall("", many).want(t, 413, ""); !strings.Contains(got.at("detail"), "maxOperations, 1000") {
		t.Errorf("detail %q does not name the limit", got.at("detail"))
	}
	b.bulkCall(`"x":"`+strings.Repeat("x", maxPayload)+`",`, bulkUser("big")).want(t, 413, "")
	b.bulkCall("", bulkUser("a")+","+bulkUser("a")).want(t, 400, "invalidValue")
	b.call("GET", "/Bulk", "").want(t, 405, "")
}

func TestSearch(t *testing.T) {
	b := open(t, Options{Seed: 40})
	find := func(path, body string) reply {
		return b.call("POST", path, `{"schemas":["`+searchURN+`"]`+body+`}`)
	}
	got := find("/Users/.search", `,"filter":"active eq false","attributes":["userName"],"startIndex":2,"count":1`).want(t, 200, "")
	for way, want := range map[string]string{"totalResults": "3", "startIndex": "2", "itemsPerPage": "1", "Resources/0/title": ""} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if got.at("Resources/0/userName") == "" {
		t.Error("userName is missing")
	}
	all := find("/.search", `,"startIndex":40,"count":2,"filter":"meta.resourceType eq \"User\" or meta.resourceType eq \"Group\""`).want(t, 200, "")
	if all.at("totalResults") != "42" || all.at("Resources/0/meta/resourceType") != "User" || all.at("Resources/1/meta/resourceType") != "Group" {
		t.Errorf("users and groups: %s", all.text)
	}
	if n := find("/.search", `,"filter":"members pr"`).want(t, 200, "").at("totalResults"); n != "2" {
		t.Errorf("%s have members, want the 2 groups", n)
	}
	find("/.search", `,"filter":"shoeSize pr"`).want(t, 400, "invalidFilter")
	b.call("POST", "/Users/.search", `{}`).want(t, 400, "invalidSyntax")
	find("/Users/.search", `,"filter":true`).want(t, 400, "invalidValue")
	b.call("GET", "/Me", "").want(t, 501, "")
}

// A walk by cursors sees everybody once, although people come and go.
func TestCursors(t *testing.T) {
	for _, query := range []string{"", "&filter=active%20eq%20true", "&sortBy=userName"} {
		b := open(t, Options{Seed: 40})
		seen := map[string]int{}
		next, pages := "", 0
		for {
			got := b.call("GET", "/Users?count=7&cursor="+next+query, "").want(t, 200, "")
			for _, r := range got.doc.list("Resources") {
				seen[r.(*object).text("id")]++
			}
			pages++
			if query == "" && pages == 2 {
				b.call("DELETE", "/Users/"+b.seeded(0), "").want(t, 204, "")
			}
			if next = got.at("nextCursor"); next == "" {
				break
			}
		}
		want := 40
		if strings.Contains(query, "active") {
			want = 37
		}
		if len(seen) != want || pages != (want+6)/7 {
			t.Errorf("%q: %d people on %d pages, want %d", query, len(seen), pages, want)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%q: %s came %d times", query, id, n)
			}
		}
	}
}

func TestBadCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Seed: 40})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		get := func(query string) reply { return inProcess(t, s, "GET", "/Users?"+query) }
		cursor := get("count=5&cursor=").want(t, 200, "").at("nextCursor")
		get("count=5&cursor="+cursor).want(t, 200, "")
		get("count=5&cursor="+cursor+"&filter=active%20eq%20true").want(t, 400, "invalidCursor")
		get("count=5&cursor=AAAA").want(t, 400, "invalidCursor")
		get("count=5&cursor="+strings.ToUpper(cursor)).want(t, 400, "invalidCursor")
		get("count=some&cursor=").want(t, 400, "invalidCount")
		time.Sleep(cursorTimeout + 2*time.Second) // synthetic
		get("count=5&cursor="+cursor).want(t, 400, "expiredCursor")
	})
}
