package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const newUser = `{"schemas":["` + userURN + `"],"userName":"Neo@Example.com"}`

// total counts what a filter finds.
func (b *box) total(filter string) string {
	return b.call("GET", "/Users?filter="+strings.ReplaceAll(strings.ReplaceAll(filter, " ", "%20"), `"`, "%22"), "").at("totalResults")
}

// outcome describes an answer, or how the connection ended.
func (b *box) outcome(method, path, body string, headers ...string) string {
	r, err := b.try(method, path, body, headers...)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "cut"
	case err != nil:
		return err.Error()
	}
	return fmt.Sprint(r.StatusCode)
}

// after describes an answer and what the write left behind.
func (b *box) after(method, path, body string) string {
	return b.outcome(method, path, body) + " " + b.total(`userName eq "neo@example.com"`)
}

func (b *box) seeded(i int) string { return b.dir.users.slots[i].rev.id }

// group makes a group of the first n people and returns its path.
func (b *box) groupOf(n int) string {
	var members []string
	for i := range n {
		members = append(members, `{"value":"`+b.seeded(i)+`"}`)
	}
	return "/Groups/" + b.group(`"displayName":"G","members":[`+strings.Join(members, ",")+`]`)
}

// members counts a group's members after a PATCH.
func (b *box) members(path, operations string) string {
	b.call("PATCH", path, patchBody(operations)).want(b.t, 200, "")
	return fmt.Sprint(len(b.call("GET", path, "").doc.list("members")))
}

// faultProbes show each fault: what probe returns with the fault, and that it
// returns something else without. Chances are 1 here.
func faultProbes() map[string]struct {
	value, want string
	probe       func(b *box) string
} {
	type probe = struct {
		value, want string
		probe       func(b *box) string
	}
	post := func(b *box) string { return b.after("POST", "/Users", newUser) }
	list := func(query string, ways ...string) func(*box) string {
		return func(b *box) string {
			got := b.call("GET", "/Users?"+query, "")
			var out []string
			for _, way := range ways {
				out = append(out, got.at(way))
			}
			return strings.Join(out, " ")
		}
	}
	throttled := func(b *box) string {
		got := b.call("GET", "/Users", "")
		return fmt.Sprint(got.StatusCode, " ", got.Header.Get("Retry-After"))
	}
	patchFirst := func(operations, way string) func(*box) string {
		return func(b *box) string {
			path := "/Users/" + b.user(patchSubject)
			got := b.call("PATCH", path, patchBody(operations))
			return fmt.Sprint(got.StatusCode) + " " + b.call("GET", path, "").at(way)
		}
	}
	header := func(method, path, body, name string) func(*box) string {
		return func(b *box) string {
			got := b.call(method, strings.ReplaceAll(path, "{id}", b.seeded(0)), body)
			return fmt.Sprint(got.StatusCode, " ", got.Header.Get(name))
		}
	}
	twice := func(b *box) string {
		b.call("POST", "/Users", newUser)
		return b.after("POST", "/Users", newUser)
	}
	again := func(b *box) string {
		id := b.user(`"userName":"neo@example.com"`)
		b.call("DELETE", "/Users/"+id, "")
		got := b.call("POST", "/Users", newUser)
		return fmt.Sprint(got.StatusCode, " ", got.at("id") == id)
	}
	failure := func(way string) func(*box) string {
		return func(b *box) string { return b.call("GET", "/Users/nobody", "").at(way) }
	}
	walk := func(b *box) string {
		seen := map[string]bool{}
		for start := 1; start <= 40; start += 10 {
			for _, name := range b.names("/Users", "count", "10", "startIndex", fmt.Sprint(start)) {
				seen[name] = true
			}
		}
		return fmt.Sprint(len(seen) < 40)
	}
	sorted := func(b *box) string {
		return fmt.Sprint(slices.IsSorted(b.names("/Users", "sortBy", "userName", "count", "40")))
	}
	bulk := func(way string, operations string) func(*box) string {
		return func(b *box) string {
			return b.call("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+operations+`]}`).at(way)
		}
	}
	return map[string]probe{
		"throttle": {"1", "429 1", throttled},
		"locked":   {"1", "423 1", throttled},
		"retry-after": {"zero", "0", func(b *box) string {
			limits, _ := newLimiter("1/1h", "rfc")
			b.limiter = limits
			b.call("GET", "/Users", "")
			return b.call("GET", "/Users", "").Header.Get("Retry-After")
		}},
		"no-quota-headers":    {"", "200 ", header("GET", "/Users/{id}", "", "X-RateLimit-Limit")},
		"5xx-before-commit":   {"1", "50x 0", func(b *box) string { return strings.NewReplacer("500", "50x", "503", "50x").Replace(post(b)) }},
		"5xx-after-commit":    {"1", "50x 1", func(b *box) string { return strings.NewReplacer("500", "50x", "503", "50x").Replace(post(b)) }},
		"reset-before-commit": {"1", "reset 0", post},
		"reset-after-commit":  {"1", "reset 1", post},
		"truncate":            {"1", "cut", func(b *box) string { return b.outcome("GET", "/Users", "") }},
		"html-error":          {"1", "502 text/html; charset=utf-8", header("GET", "/Users", "", "Content-Type")},
		"die-after": {"2", "200 200 reset", func(b *box) string {
			return b.outcome("GET", "/Users", "") + " " + b.outcome("GET", "/Users", "") + " " + b.outcome("GET", "/Users", "")
		}},
		"drop-on-filter": {"", "reset", func(b *box) string { return b.outcome("GET", "/Users?filter=userName%20sw%20%22x%22", "") }},
		"hang-then-commit": {"1", "1", func(b *box) string {
			ctx, cancel := context.WithCancel(b.t.Context())
			cancel()
			r, _ := http.NewRequestWithContext(ctx, "POST", b.url+"/Users", strings.NewReader(newUser))
			r.Header.Set("Content-Type", scimType)
			rec := &recorder{}
			b.ServeHTTP(rec, r)
			if rec.answer.status == 201 {
				return "answered"
			}
			return b.total(`userName eq "neo@example.com"`)
		}},

		"ignore-filter":         {"", "40", func(b *box) string { return b.total(`userName eq "nobody"`) }},
		"empty-filter":          {"", "0", func(b *box) string { return b.total(`userName pr`) }},
		"case-sensitive-lookup": {"", "201 0", post},
		"lookup-by-email": {"", "1 0", func(b *box) string {
			b.user(`"userName":"plain","emails":[{"value":"mail@example.com"}]`)
			return b.total(`userName eq "mail@example.com"`) + " " + b.total(`userName eq "plain"`)
		}},
		"quote-in-filter": {"500", "500", func(b *box) string { return b.outcome("GET", `/Users?filter=title%20eq%20%22O%27Brien%22`, "") }},
		"double-decode":   {"", "0", func(b *box) string { b.user(`"userName":"a+b"`); return b.total(`userName eq "a%2Bb"`) }},
		"hidden-inactive": {"", "37 0 3", func(b *box) string {
			return b.call("GET", "/Users", "").at("totalResults") + " " + b.total(`userName eq "`+b.dir.users.slots[10].rev.key+`"`) + " " + b.total("active eq false")
		}},
		"late-visibility": {"1h", "201 0", post},
		"ignore-attributes": {"", "true", func(b *box) string {
			return fmt.Sprint(b.call("GET", "/Users/"+b.seeded(0)+"?attributes=id", "").at("userName") != "")
		}},
		"urn-attributes-error": {"", "400", func(b *box) string { return b.outcome("GET", "/Users?attributes="+userURN+":userName", "") }},

		"short-pages":         {"3", "7", list("count=10", "itemsPerPage")},
		"capped-total":        {"25", "25", list("count=10", "totalResults")},
		"total-is-page":       {"", "10", list("count=10", "totalResults")},
		"ignore-start-index":  {"", "1", list("count=10&startIndex=11", "startIndex")},
		"ignore-count":        {"", "20", list("count=5", "itemsPerPage")},
		"wrap-pages":          {"", "1", list("count=1&startIndex=99", "itemsPerPage")},
		"echo-items-per-page": {"", "30", list("count=30&startIndex=31", "itemsPerPage")},
		"odd-start-index":     {"null", "", list("count=1", "startIndex")},
		"null-resources":      {"null", "", list("count=0", "Resources")},
		"count-zero-all":      {"", "40", list("count=0", "itemsPerPage")},
		"unstable-order":      {"", "true", walk},
		"swap-neighbours":     {"1", "false", sorted},
		"ignore-sort":         {"", "false", sorted},
		"no-cursor":           {"", "", list("cursor=&count=10", "nextCursor")},
		"overlap-pages":       {"2", "9", list("count=10&startIndex=11", "startIndex")},
		"short-total":         {"3", "37", list("count=10", "totalResults")},
		"hide-rows":           {"5", "8", list("count=10", "itemsPerPage")},
		"lose-rows":           {"1", "0", list("count=10", "itemsPerPage")},
		"many-results-500": {"", "500", func(b *box) string {
			for i := range 61 {
				b.user(fmt.Sprintf(`"userName":"m%d"`, i))
			}
			return b.outcome("GET", "/Users", "")
		}},

		"no-effect": {"1", "201 0", post},
		"no-patch": {"said", "501 false", func(b *box) string {
			return b.outcome("PATCH", "/Users/"+b.seeded(0), patchBody(`{"op":"remove","path":"title"}`)) + " " +
				b.call("GET", "/ServiceProviderConfig", "").at("patch/supported")
		}},
		"deaf-paths":        {"", "200 Ada", patchFirst(`{"op":"replace","path":"name.givenName","value":"A"}`, "name/givenName")},
		"error-but-applied": {"1", "500 A", patchFirst(`{"op":"replace","path":"title","value":"A"}`, "title")},
		"percent-poison": {"", "400 400", func(b *box) string {
			return b.outcome("POST", "/Users", strings.Replace(newUser, "Neo", "N%o", 1)) + " " + b.outcome("GET", "/Users?startIndex=41", "")
		}},
		"non-unique": {"", "201 2", twice},
		"race-duplicates": {"", "3", func(b *box) string {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					r, _ := http.NewRequest("POST", b.url+"/Users", strings.NewReader(newUser))
					r.Header.Set("Content-Type", scimType)
					q := b.newRequest(r)
					q.started = time.Now().Add(-time.Hour) // all arrived before any was carried out
					b.serve(q)
				})
			}
			all.Wait()
			return b.total(`userName eq "neo@example.com"`)
		}},
		"revive-deleted":    {"", "201 true", again},
		"keep-deleted-keys": {"", "409 false", again},
		"adopt-existing":    {"", "200 1", twice},
		"inactive-deletes":  {"", "200 ", patchFirst(`{"op":"replace","path":"active","value":false}`, "userName")},
		"normalise": {"", `neo@example.com [{"value":"b@x","primary":true}]`, func(b *box) string {
			got := b.call("POST", "/Users", strings.TrimSuffix(newUser, "}")+`,"emails":[{"value":"A@x"},{"value":"B@x","primary":true}]}`)
			return got.at("userName") + " " + got.at("emails")
		}},
		"put-merges": {"", "Countess", func(b *box) string {
			return b.call("PUT", "/Users/"+b.user(patchSubject), `{"schemas":["`+userURN+`"],"userName":"ada"}`).at("title")
		}},
		"add-replaces":         {"", `200 [{"value":"n@x"}]`, patchFirst(`{"op":"add","path":"emails","value":[{"value":"n@x"}]}`, "emails")},
		"pathless-drops":       {"", `200 {"givenName":"A"}`, patchFirst(`{"op":"replace","value":{"name":{"givenName":"A"}}}`, "name")},
		"pathless-appends":     {"", "200 n@x", patchFirst(`{"op":"replace","value":{"emails":[{"value":"n@x"}]}}`, "emails/2/value")},
		"keep-string-booleans": {"", "200 False", patchFirst(`{"op":"replace","path":"active","value":"False"}`, "active")},
		"html-bad-json":        {"", "400 text/html; charset=utf-8", header("POST", "/Users", "{", "Content-Type")},
		"quota-headers":        {"ietf", `200 "default";q=100000;w=1`, header("GET", "/Users/{id}", "", "RateLimit-Policy")},
		"string-booleans":      {"", "200 false", patchFirst(`{"op":"replace","path":"active","value":"False"}`, "active")},
		"remove-value-wipes": {"", "0", func(b *box) string {
			path := b.groupOf(3)
			b.call("PATCH", path, patchBody(`{"op":"remove","path":"members","value":[{"value":"`+b.seeded(0)+`"}]}`))
			return fmt.Sprint(len(b.call("GET", path, "").doc.list("members")))
		}},
		"members-filter-noop": {"", "3", func(b *box) string {
			return b.members(b.groupOf(3), `{"op":"remove","path":"members[value eq \"`+b.seeded(0)+`\"]"}`)
		}},
		"replace-members-merges": {"", "4", func(b *box) string {
			return b.members(b.groupOf(3), `{"op":"replace","path":"members","value":[{"value":"`+b.seeded(5)+`"}]}`)
		}},
		"member-limit": {"3", "400", func(b *box) string {
			m := func(i int) string { return `{"value":"` + b.seeded(i) + `"}` }
			return b.outcome("PATCH", b.groupOf(3), patchBody(`{"op":"add","path":"members","value":[`+m(4)+","+m(5)+","+m(6)+","+m(7)+`]}`))
		}},
		"hide-members": {"", "[]", func(b *box) string { return b.call("GET", b.groupOf(3), "").at("members") }},
		"empty-members-break": {"", "500", func(b *box) string {
			path := "/Groups/" + b.group(`"displayName":"E","members":[]`)
			return b.outcome("PATCH", path, patchBody(`{"op":"add","path":"members","value":[{"value":"`+b.seeded(0)+`"}]}`))
		}},

		"stale-etag": {"1", `200 W/"0"`, header("GET", "/Users/{id}", "", "ETag")},
		"etag-differs": {"", "false", func(b *box) string {
			r := b.call("GET", "/Users/"+b.seeded(0), "")
			return fmt.Sprint(r.Header.Get("ETag") == r.at("meta/version"))
		}},
		"ignore-if-match": {"", "200", func(b *box) string {
			return b.outcome("PATCH", "/Users/"+b.seeded(0), patchBody(`{"op":"remove","path":"title"}`), "If-Match", `"9"`)
		}},
		"ignore-if-match-delete": {"", "204", func(b *box) string { return b.outcome("DELETE", "/Users/"+b.seeded(0), "", "If-Match", `"9"`) }},
		"no-location":            {"", "201 ", header("POST", "/Users", newUser, "Location")},
		"text-plain":             {"", "201 text/plain;charset=utf-8", header("POST", "/Users", newUser, "Content-Type")},
		"empty-201":              {"", "201 0", header("POST", "/Users", newUser, "Content-Length")},
		"patch-204": {"", "204", func(b *box) string {
			return b.outcome("PATCH", "/Users/"+b.seeded(0), patchBody(`{"op":"remove","path":"title"}`))
		}},
		"delete-200":   {"", "200", func(b *box) string { return b.outcome("DELETE", "/Users/"+b.seeded(0), "") }},
		"error-status": {"object", `{"code":"404"}`, failure("status")},
		"detail-array": {"", `["User \"nobody\" does not exist"]`, failure("detail")},
		"plain-409": {"", "", func(b *box) string {
			b.call("POST", "/Users", newUser)
			return b.call("POST", "/Users", newUser).at("scimType")
		}},
		"uniqueness-400": {"", "400 1", twice},
		"odd-401":        {"200", `{"status":"error"}`, func(b *box) string { b.tokens.fixed = "x"; return b.call("GET", "/Users", "").text }},

		"no-discovery": {"", "404", func(b *box) string { return b.outcome("GET", "/Schemas", "") }},
		"plural-discovery": {"", "404 200", func(b *box) string {
			return b.outcome("GET", "/ServiceProviderConfig", "") + " " + b.outcome("GET", "/ServiceProviderConfigs", "")
		}},
		"bare-config": {"", "", func(b *box) string { return b.call("GET", "/ServiceProviderConfig", "").at("filter/maxResults") }},

		"bulk-last-reference": {"", "1", func(b *box) string {
			op := func(id string) string {
				return `{"method":"POST","path":"/Users","bulkId":"` + id + `","data":` + strings.Replace(newUser, "Neo", id, 1) + `}`
			}
			bulk("", op("a")+","+op("b")+`,{"method":"POST","path":"/Groups","bulkId":"g","data":{"schemas":["`+groupURN+`"],
				"displayName":"G","members":[{"value":"bulkId:a"},{"value":"bulkId:b"}]}}`)(b)
			group := b.dir.groups.slots[len(b.dir.groups.slots)-1].rev
			return strings.Repeat("1", strings.Count(strings.Join(group.members, " "), "bulkId:"))
		}},
		"bulk-shuffle":        {"", "c", bulk("Operations/0/bulkId", strings.Join([]string{bulkUser("a"), bulkUser("b"), bulkUser("c")}, ","))},
		"bulk-over-400":       {"", "400", bulk("status", strings.TrimSuffix(strings.Repeat(bulkUser("a")+",", maxBulkOperations+1), ","))},
		"bulk-refused":        {"501", "501", bulk("status", bulkUser("a"))},
		"bulk-max-operations": {"3", "3", func(b *box) string { return b.call("GET", "/ServiceProviderConfig", "").at("bulk/maxOperations") }},
		"bulk-max-payload":    {"50", "413", bulk("status", bulkUser("a"))},
		"bulk-takes":          {"2", "413", bulk("status", strings.Join([]string{bulkUser("a"), bulkUser("b"), bulkUser("c")}, ","))},
		"bulk-counts-operations": {"", "3", func(b *box) string {
			b.limiter.window = true
			bulk("", bulkUser("a")+","+bulkUser("b")+","+bulkUser("c"))(b)
			return fmt.Sprint(b.limiter.used)
		}},
		"bulk-omits":     {"1", "", bulk("Operations/0/bulkId", bulkUser("a"))},
		"bulk-anonymous": {"", "", bulk("Operations/0/location", bulkUser("a"))},
		"bulk-5xx-before": {"1", "500 0", func(b *box) string {
			return bulk("Operations/0/status", bulkUser("a"))(b) + " " + b.total(`userName eq "a"`)
		}},
		"bulk-5xx-after": {"1", "500 1", func(b *box) string {
			return bulk("Operations/0/status", bulkUser("a"))(b) + " " + b.total(`userName eq "a"`)
		}},
		"bulk-throttles": {"1", "429 0", func(b *box) string {
			return bulk("Operations/0/status", bulkUser("a"))(b) + " " + b.total(`userName eq "a"`)
		}},
		"bulk-lower-case": {"", "400 1", func(b *box) string {
			status := bulk("Operations/0/status", strings.Replace(bulkUser("neo"), "POST", "post", 1))(b)
			return status + " " + b.total(`userName eq "neo"`)
		}},
	}
}

// bulkUser is a bulk operation that creates a user with its bulkId as userName.
func bulkUser(id string) string {
	return `{"method":"POST","path":"/Users","bulkId":"` + id + `","data":{"schemas":["` + userURN + `"],"userName":"` + id + `"}}`
}

func TestEveryFaultShows(t *testing.T) {
	probes := faultProbes()
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			p, ok := probes[f.Name]
			if !ok {
				t.Fatal("no probe shows this fault")
			}
			text := f.Name
			if p.value != "" {
				text += "=" + p.value
			}
			opt := Options{Seed: 40, RateLimit: "100000/1s", Faults: []string{text}}
			if got := p.probe(open(t, opt)); got != p.want {
				t.Errorf("with the fault: %q, want %q", got, p.want)
			}
			opt.Faults = nil
			if got := p.probe(open(t, opt)); got == p.want {
				t.Errorf("without the fault it is %q as well", got)
			}
		})
	}
	if len(probes) != len(Faults()) {
		t.Errorf("%d probes for %d faults", len(probes), len(Faults()))
	}
}

func TestFaultOptionsAreChecked(t *testing.T) {
	_, err := New(Options{Dialect: "ldap", RateLimit: "fast", Seed: -1, PageCap: -1, Latency: -1,
		Faults: []string{"throtle=0.1", "throttle", "throttle=2", "short-pages=0", "non-unique=1", "odd-401=teapot", "late-visibility=soon", "hang-then-commit=0.5:x"}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{
		`--dialect "ldap": allowed are rfc and genesys`, `--rate-limit "fast"`, "--seed -1", "--page-cap -1", "--latency -1ns",
		"throtle=0.1: there is no fault of that name; the nearest is throttle", "throttle: throttle needs a value, a probability",
		"throttle=2", "short-pages=0", "non-unique takes no value", "one of text, bare, 200", "late-visibility=soon", "hang-then-commit=0.5:x",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing says %q in:\n%v", part, err)
		}
	}
}

// The same seed gives the same luck.
func TestFaultsAreReproducible(t *testing.T) {
	run := func(seed int64) string {
		b := open(t, Options{Faults: []string{"throttle=0.5"}, FaultSeed: seed})
		var out []string
		for range 40 {
			out = append(out, b.outcome("GET", "/Users", ""))
		}
		return strings.Join(out, " ")
	}
	got := run(1)
	if again := run(1); got != again {
		t.Error("the same seed gave different answers")
	}
	if got == run(2) {
		t.Error("another seed gave the same answers")
	}
	if !strings.Contains(got, "429") || !strings.Contains(got, "200") {
		t.Errorf("half of the requests should be throttled: %s", got)
	}
}

func TestLateCommitWithoutTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Faults: []string{"hang-then-commit=1:20s"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, "POST", "http://sandbox/scim/v2/Users", strings.NewReader(newUser))
		r.Header.Set("Content-Type", scimType)
		if _, err := s.Transport().RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the client saw %v, want its own timeout", err)
		}
		users := func() int { s.dir.mu.RLock(); defer s.dir.mu.RUnlock(); return s.dir.users.all.n }
		if n := users(); n != 0 {
			t.Errorf("%d users before the late commit", n)
		}
		time.Sleep(16 * time.Second) // synthetic
		if n := users(); n != 1 {
			t.Errorf("%d users after the late commit", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// In process, a cut connection looks as it does over TCP.
func TestTransportShowsCuts(t *testing.T) {
	try := func(fault string) (*http.Response, error) {
		s, err := New(Options{Faults: []string{fault}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r, _ := http.NewRequest("POST", "http://sandbox/scim/v2/Users", strings.NewReader(newUser))
		r.Header.Set("Content-Type", scimType)
		return s.Transport().RoundTrip(r)
	}
	if _, err := try("reset-after-commit=1"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	res, err := try("truncate=1")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || res.ContentLength <= int64(len(body)) {
		t.Errorf("truncate: %d of %d bytes, %v", len(body), res.ContentLength, err)
	}
}

func TestAuditIsTheGroundTruth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	b := open(t, Options{Audit: path, Faults: []string{"reset-after-commit=1"}})
	b.outcome("POST", "/Users", newUser)
	b.outcome("GET", "/Users?count=1", "")
	b.outcome("POST", "/Users", newUser)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var l struct {
			Kind, T, Method, Path, Query, Op, Resource, ID, Key string
			Status                                              int
			Sum                                                 string `json:"body_sha256"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, l.T); err != nil {
			t.Error(err)
		}
		got = append(got, strings.TrimSpace(fmt.Sprint(l.Kind, " ", l.Method, l.Op, " ", l.Path, l.Resource, " ", l.Query, l.Key, " ", l.Status, " ", len(l.Sum))))
	}
	want := []string{
		"commit create User Neo@Example.com 0 0",
		"request POST /scim/v2/Users  0 64",
		"request GET /scim/v2/Users count=1 200 0",
		"request POST /scim/v2/Users  409 64",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			limit    string
			burst    int           // admitted at once
			retry    string        // Retry-After then
			wait     time.Duration // after which so many more are admitted
			admitted int
		}{
			{"10/1s", 10, "1", 500 * time.Millisecond, 5},
			{"10/1s:bucket=3", 3, "1", 200 * time.Millisecond, 2},
			{"180/1m:bucket=20", 20, "1", time.Second, 3},
			{"10/10s:window", 10, "10", 9 * time.Second, 0},
			{"10/10s:window", 10, "10", 10 * time.Second, 10},
			{"2/s:window", 2, "1", time.Second, 2},
		} {
			s, err := New(Options{RateLimit: tt.limit})
			if err != nil {
				t.Fatal(err)
			}
			if n, last := s.drain(); n != tt.burst || last.Header.Get("Retry-After") != tt.retry || last.Header.Get("X-RateLimit-Remaining") != "0" {
				t.Errorf("%s: %d admitted at once, want %d; then %v", tt.limit, n, tt.burst, last.Header)
			}
			time.Sleep(tt.wait) // synthetic
			if n, _ := s.drain(); n != tt.admitted {
				t.Errorf("%s: %d admitted after %s, want %d", tt.limit, n, tt.wait, tt.admitted)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// drain sends requests until one is refused and counts the others.
func (s *Sandbox) drain() (int, *http.Response) {
	for n := 0; ; n++ {
		r, _ := http.NewRequest("GET", "http://sandbox/scim/v2/Users", nil)
		res, _ := s.Transport().RoundTrip(r)
		if res.StatusCode == 429 {
			return n, res
		}
	}
}

// Faults with several forms show each of them.
func TestFaultForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		epoch := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
		tests := []struct{ fault, path, header, want string }{
			{"retry-after=fraction", "/Users", "Retry-After", "9.5"},
			{"retry-after=date", "/Users", "Retry-After", now.Add(10 * time.Second).Format(http.TimeFormat)},
			{"retry-after=none", "/Users", "Retry-After", ""},
			{"retry-after=short", "/Users", "Retry-After", "5"},
			{"retry-after=epoch", "/Users", "Retry-After", epoch(10 * time.Second)},
			{"retry-after=iso", "/Users", "Retry-After", now.Add(10 * time.Second).Format(time.RFC3339)},
			{"retry-after=ms", "/Users", "Retry-After", "10000"},
			{"quota-headers=epoch", "/Users", "X-RateLimit-Reset", epoch(10 * time.Second)},
			{"quota-headers=iso", "/Users", "X-RateLimit-Reset", now.Add(10 * time.Second).Format("2006-01-02T15:04Z")},
			{"quota-headers=okta", "/Users", "X-Rate-Limit-Reset", epoch(10 * time.Second)},
			{"quota-headers=ietf", "/Users", "RateLimit", `"default";r=0;t=10`},
		}
		for _, tt := range tests {
			s, err := New(Options{RateLimit: "1/10s:window", Faults: []string{tt.fault}})
			if err != nil {
				t.Fatal(err)
			}
			inProcess(t, s, "GET", tt.path)
			if got := inProcess(t, s, "GET", tt.path); got.StatusCode != 429 || got.Header.Get(tt.header) != tt.want {
				t.Errorf("%s: %d, %s %q, want %q", tt.fault, got.StatusCode, tt.header, got.Header.Get(tt.header), tt.want)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	quoted := "/Users?filter=title%20eq%20%22a%5C%5Cb%22"
	for fault, want := range map[string]string{
		"quote-in-filter=400": "400 ", "quote-in-filter=500": "500 ", "quote-in-filter=empty": "200 0",
	} {
		b := open(t, Options{Faults: []string{fault}})
		b.user(`"userName":"a","title":"a\\b"`)
		if got := b.call("GET", quoted, ""); fmt.Sprint(got.StatusCode, " ", got.at("totalResults")) != want {
			t.Errorf("%s: %s", fault, got.text)
		}
	}
	for fault, want := range map[string]string{"error-status=number": "404", "error-status=absent": "", "error-status=object": `{"code":"404"}`} {
		if got := open(t, Options{Faults: []string{fault}}).call("GET", "/Users/x", "").at("status"); got != want {
			t.Errorf("%s: %q", fault, got)
		}
	}
	for fault, want := range map[string]string{"odd-401=text": "401 text/plain true", "odd-401=bare": "401 application/scim+json false", "odd-401=200": "200 application/scim+json true"} {
		got := open(t, Options{Token: "x", Faults: []string{fault}}).call("GET", "/Users", "")
		if have := fmt.Sprint(got.StatusCode, " ", got.Header.Get("Content-Type"), " ", got.Header.Get("WWW-Authenticate") != ""); have != want {
			t.Errorf("%s: %s", fault, have)
		}
	}
}
