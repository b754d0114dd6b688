package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestCreateReadAndDelete(t *testing.T) {
	b := open(t, Options{})
	got := b.call("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"Ada@example.com","id":"mine","shoeSize":44,
		"password":"secret","`+enterpriseURN+`":{"department":"R&D","big":1}}`).want(t, 201, "")
	id := got.at("id")
	for way, want := range map[string]string{
		"schemas/1": enterpriseURN, "userName": "Ada@example.com", "active": "true", "shoeSize": "", "password": "",
		enterpriseURN: `{"department":"R&D"}`, "meta/version": `W/"1"`, "meta/resourceType": "User",
		"meta/location": b.url + "/Users/" + id, "meta/lastModified": got.at("meta/created"),
	} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if id == "mine" {
		t.Error("the id of the client was taken")
	}
	if l := got.Header.Get("Location"); l != b.url+"/Users/"+id {
		t.Errorf("Location %q", l)
	}
	if ct := got.Header.Get("Content-Type"); ct != "application/scim+json" {
		t.Errorf("Content-Type %q", ct)
	}
	b.call("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"ADA@example.com"}`).want(t, 409, "uniqueness")
	b.call("DELETE", "/Users/"+id, "").want(t, 204, "")
	b.call("DELETE", "/Users/"+id, "").want(t, 404, "")
	b.call("GET", "/Users/"+id, "").want(t, 404, "")
	b.user(`"userName":"ada@example.com"`)
}

func TestETags(t *testing.T) {
	b := open(t, Options{})
	path := "/Users/" + b.user(`"userName":"ada"`)
	tag := b.call("GET", path, "").Header.Get("ETag")
	if got := b.call("GET", path, "", "If-None-Match", tag); got.StatusCode != 304 || got.text != "" {
		t.Errorf("If-None-Match with the current version: %d %q", got.StatusCode, got.text)
	}
	change := patchBody(`{"op":"replace","path":"title","value":"Countess"}`)
	b.call("PATCH", path, change, "If-Match", `W/"0"`).want(t, 412, "")
	b.call("PUT", path, `{"schemas":["`+userURN+`"],"userName":"ada"}`, "If-Match", `W/"0"`).want(t, 412, "")
	b.call("DELETE", path, "", "If-Match", `W/"0"`).want(t, 412, "")
	first := b.call("PATCH", path, change, "If-Match", tag).want(t, 200, "")
	again := b.call("PATCH", path, change, "If-Match", "*").want(t, 200, "")
	if first.at("meta/version") == tag || first.at("meta/version") != again.at("meta/version") ||
		first.at("meta/lastModified") != again.at("meta/lastModified") {
		t.Errorf("versions %s, %s, %s: the second patch changes nothing", tag, first.at("meta"), again.at("meta"))
	}
	if got := b.call("GET", path, "", "If-None-Match", tag).want(t, 200, ""); got.at("title") != "Countess" {
		t.Errorf("title %q", got.at("title"))
	}
}

func TestBearerToken(t *testing.T) {
	b := open(t, Options{Token: "let-me-in"})
	if got := b.call("GET", "/Users", "").want(t, 401, ""); !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("WWW-Authenticate %q", got.Header.Get("WWW-Authenticate"))
	}
	b.call("GET", "/Users", "", "Authorization", "Bearer wrong").want(t, 401, "")
	b.call("GET", "/Users", "", "Authorization", "Bearer let-me-in").want(t, 200, "")
}

func TestTransportServesInProcess(t *testing.T) {
	s, err := New(Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := http.Client{Transport: s.Transport()}
	res, err := client.Get("http://sandbox" + s.BasePath() + "/Users?count=2")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/scim+json" || res.ContentLength < 100 {
		t.Errorf("%s %v", res.Status, res.Header)
	}
}

func TestSeedIsReproducible(t *testing.T) {
	list := func() string {
		b := open(t, Options{Seed: 60})
		text := b.call("GET", "/Users?count=100", "").text + b.call("GET", "/Groups", "").text
		return strings.ReplaceAll(text, b.url, "")
	}
	first := list()
	if first != list() {
		t.Error("two directories with the same seed differ")
	}
	for _, part := range []string{`"totalResults":60`, `"totalResults":3`, `"active":false`, `'`, `ü`, `"manager":`, `"groups":`} {
		if !strings.Contains(first, part) {
			t.Errorf("nothing in the seed holds %s", part)
		}
	}
}

func BenchmarkLookUps(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		s, err := New(Options{Seed: n})
		if err != nil {
			b.Fatal(err)
		}
		client := s.Transport()
		last := s.dir.users.slots[n-1].rev
		for name, path := range map[string]string{
			"id":         "/Users/" + last.id,
			"userName":   `/Users?filter=userName%20eq%20%22` + last.key + `%22`,
			"externalId": `/Users?filter=externalId%20eq%20%22` + last.external + `%22`,
			"last page":  fmt.Sprintf("/Users?count=100&startIndex=%d", n-99),
			"inactive":   "/Users?count=5&filter=active%20eq%20false",
		} {
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				for b.Loop() {
					r, _ := http.NewRequest("GET", "http://sandbox/scim/v2"+path, nil)
					res, err := client.RoundTrip(r)
					if err != nil || res.StatusCode != 200 {
						b.Fatal(err, res.StatusCode)
					}
				}
			})
		}
	}
}

// The figure that matters to somebody who starts a sandbox.
func BenchmarkStart100000(b *testing.B) {
	dir := b.TempDir()
	start := func(b *testing.B, opt Options) {
		for b.Loop() {
			s, err := New(opt)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("seeded in memory", func(b *testing.B) { start(b, Options{Seed: 100_000}) })
	b.Run("seeded into a folder, then loaded", func(b *testing.B) { start(b, Options{Seed: 100_000, Dir: dir}) })
	b.Run("loaded", func(b *testing.B) { start(b, Options{Dir: dir}) })
}

func BenchmarkCreate(b *testing.B) {
	for _, name := range []string{"in memory", "into a folder"} {
		b.Run(name, func(b *testing.B) {
			opt := Options{}
			if name == "into a folder" {
				opt.Dir = b.TempDir()
			}
			s, err := New(opt)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var n atomic.Int64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					body := fmt.Sprintf(`{"schemas":["%s"],"userName":"u%d","name":{"givenName":"A"},"emails":[{"value":"a@b"}]}`, userURN, n.Add(1))
					r, _ := http.NewRequest("POST", "http://sandbox/scim/v2/Users", strings.NewReader(body))
					r.Header.Set("Content-Type", scimType)
					if res, err := s.Transport().RoundTrip(r); err != nil || res.StatusCode != 201 {
						b.Fatal(err, res.StatusCode)
					}
				}
			})
		})
	}
}

// A membership import adds members to a group that has many already.
func BenchmarkAddMembersToLargeGroup(b *testing.B) {
	s, err := New(Options{Seed: 50_000})
	if err != nil {
		b.Fatal(err)
	}
	send := func(method, path, body string) *answer {
		r, _ := http.NewRequest(method, "http://sandbox/scim/v2"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", scimType)
		rec := &recorder{}
		s.ServeHTTP(rec, r)
		if !rec.answer.success() {
			b.Fatalf("%s", rec.answer.body)
		}
		return &rec.answer
	}
	refs := func(from, to int) string {
		var list []string
		for _, e := range s.dir.users.slots[from:to] {
			list = append(list, `{"value":"`+e.rev.id+`"}`)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	_, id := cutLast(send("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"All"}`).get("Location"), "/")
	for i := range 40 {
		send("PATCH", "/Groups/"+id+"?attributes=id", patchBody(`{"op":"add","path":"members","value":`+refs(i*1000, i*1000+1000)+`}`))
	}
	body := patchBody(`{"op":"add","path":"members","value":` + refs(49_000, 50_000) + `}`)
	gone := patchBody(`{"op":"remove","path":"members[value eq \"` + s.dir.users.slots[49_500].rev.id + `\"]"}`)
	for b.Loop() {
		send("PATCH", "/Groups/"+id+"?attributes=id", body)
		send("PATCH", "/Groups/"+id+"?attributes=id", gone)
	}
}
