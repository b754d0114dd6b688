package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// names lists what a query finds, by the key attribute.
func (b *box) names(path string, query ...string) []string {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	got := b.call("GET", path+"?"+strings.ReplaceAll(values.Encode(), "+", "%20"), "").want(b.t, 200, "")
	var out []string
	for _, r := range got.doc.list("Resources") {
		name := r.(*object).text("userName")
		if name == "" {
			name = r.(*object).text("displayName")
		}
		out = append(out, name)
	}
	return out
}

// people fills a directory whose answers to the RFC's example filters are known.
func people(b *box) {
	b.user(`"userName":"bjensen","title":"Tour Guide","userType":"Employee","name":{"familyName":"O'Malley"},
		"emails":[{"type":"work","value":"bjensen@example.com"},{"type":"home","value":"babs@jensen.org"}],"externalId":"Ext-1"`)
	b.user(`"userName":"James","userType":"Intern","emails":[{"type":"home","value":"j@example.com"}],
		"ims":[{"type":"xmpp","value":"james@foo.com"}],"` + enterpriseURN + `":{"employeeNumber":"701984"}`)
	b.user(`"userName":"quo\"te\\d ü","userType":"Employee","active":false,
		"emails":[{"type":"work","value":"x@example.org"}],"addresses":[{"type":"work","primary":true,"country":"DE"}]`)
}

// The filters of RFC 7644 §3.4.2.2 (with the URN spelled out where it says
// "..."), then the rules of precedence, case and escapes.
func TestFilters(t *testing.T) {
	b := open(t, Options{})
	people(b)
	const babs, james, odd = "bjensen", "James", `quo"te\d ü`
	tests := []struct {
		filter string
		want   []string
	}{
		{`userName eq "bjensen"`, []string{babs}},
		{`name.familyName co "O'Malley"`, []string{babs}},
		{`userName sw "J"`, []string{james}},
		{userURN + `:userName sw "J"`, []string{james}},
		{`title pr`, []string{babs}},
		{`meta.lastModified gt "2011-05-13T04:42:34Z"`, []string{babs, james, odd}},
		{`meta.lastModified ge "2011-05-13T04:42:34Z"`, []string{babs, james, odd}},
		{`meta.lastModified lt "2011-05-13T04:42:34Z"`, nil},
		{`meta.lastModified le "2011-05-13T04:42:34Z"`, nil},
		{`title pr and userType eq "Employee"`, []string{babs}},
		{`title pr or userType eq "Intern"`, []string{babs, james}},
		{`schemas eq "` + enterpriseURN + `"`, []string{james}},
		{`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`, []string{babs, odd}},
		{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`, nil},
		{`userType eq "Employee" and (emails.type eq "work")`, []string{babs, odd}},
		{`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`, []string{babs}},
		{`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`, []string{babs, james}},

		{`title pr and userType eq "Intern" or userName eq "james"`, []string{james}},
		{`userName eq "james" or title pr and userType eq "Intern"`, []string{james}},
		{`(userName eq "james" or title pr) and userType eq "Intern"`, []string{james}},
		{`not (userType eq "Intern") and title pr`, []string{babs}},
		{`not (title pr or userType eq "Intern")`, []string{odd}},

		{`USERNAME EQ "BJENSEN"`, []string{babs}},
		{strings.ToUpper(userURN) + `:UserName eq "BJensen"`, []string{babs}},
		{`externalId eq "Ext-1"`, []string{babs}},
		{`externalId eq "ext-1"`, nil},
		{enterpriseURN + `:employeeNumber eq "701984"`, []string{james}},
		{`userName eq "quo\"te\\d \u00fc"`, []string{odd}},
		{`emails[type eq "home" and value ew "example.com"]`, []string{james}},
		{`active eq false`, []string{odd}},
		{`active ne false`, []string{babs, james}},
		{`title eq null`, []string{james, odd}},
		{`title ne null`, []string{babs}},
		{`title ne "Tour Guide"`, []string{james, odd}},
		{`userName eq "bjensen" and active eq false`, nil},
		{`id pr and userName ew "SEN"`, []string{babs}},
		{`meta.resourceType eq "User" and userName co "am"`, []string{james}},
	}
	for _, tt := range tests {
		if got := b.names("/Users", "filter", tt.filter); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.filter, got, tt.want)
		}
	}
}

func TestBadFilters(t *testing.T) {
	b := open(t, Options{})
	for _, filter := range []string{
		`userName`, `userName eq`, `userName eq bjensen`, `userName is "x"`, `eq "x"`, `userName eq "x`, `userName eq "x" and`,
		`(userName eq "x"`, `userName eq "x")`, `emails[type eq "work"`, `emails[emails[type eq "x"]]`, `shoeSize eq 44`,
		`active gt true`, `active eq "true"`, `userName eq 1`, `name eq "x"`, `password eq "x"`, `password pr`,
		`meta.created gt "yesterday"`, `userName gt null`, `urn:unknown:userName eq "x"`, `addresses[primary eq true].country eq "DE"`,
		`userName eq "\x"`, `x509Certificates gt "x"`, strings.Repeat("(", 300) + `title pr` + strings.Repeat(")", 300),
	} {
		b.call("GET", "/Users?filter="+url.PathEscape(strings.ReplaceAll(filter, "+", "%2B")), "").want(t, 400, "invalidFilter")
	}
}

func TestGroupFilters(t *testing.T) {
	b := open(t, Options{})
	people(b)
	id := b.call("GET", `/Users?filter=userName%20eq%20%22james%22`, "").at("Resources/0/id")
	b.group(`"displayName":"Tour Guides","members":[{"value":"` + id + `"}]`)
	b.group(`"displayName":"Empty"`)
	if got := b.names("/Groups", "filter", `members.value eq "`+id+`"`); !slices.Equal(got, []string{"Tour Guides"}) {
		t.Errorf("groups of James: %q", got)
	}
	if got := b.names("/Groups", "filter", `displayName eq "EMPTY"`); !slices.Equal(got, []string{"Empty"}) {
		t.Errorf("group by name: %q", got)
	}
	if got := b.names("/Users", "filter", `groups.display eq "tour guides"`); !slices.Equal(got, []string{"James"}) {
		t.Errorf("users by group: %q", got)
	}
}

// RFC 7644 §3.4.2.4, then what it says of odd numbers.
func TestPaging(t *testing.T) {
	b := open(t, Options{PageCap: 10})
	for i := range 30 {
		b.user(fmt.Sprintf(`"userName":"u%02d"`, i))
	}
	tests := []struct {
		query               string
		total, start, items string
		first               string
	}{
		{"startIndex=1&count=10", "30", "1", "10", "u00"},
		{"startIndex=11&count=10", "30", "11", "10", "u10"},
		{"startIndex=28&count=10", "30", "28", "3", "u27"},
		{"startIndex=31&count=10", "30", "31", "0", ""},
		{"startIndex=0&count=2", "30", "1", "2", "u00"},
		{"startIndex=-5&count=2", "30", "1", "2", "u00"},
		{"count=0", "30", "1", "0", ""},
		{"count=-1", "30", "1", "0", ""},
		{"count=500", "30", "1", "10", "u00"},
		{"", "30", "1", "10", "u00"},
		{"count=2&filter=userName%20ge%20%22u20%22&startIndex=3", "10", "3", "2", "u22"},
	}
	for _, tt := range tests {
		got := b.call("GET", "/Users?"+tt.query, "").want(t, 200, "")
		have := []string{got.at("totalResults"), got.at("startIndex"), got.at("itemsPerPage"), got.at("Resources/0/userName")}
		if want := []string{tt.total, tt.start, tt.items, tt.first}; !slices.Equal(have, want) {
			t.Errorf("%s: %q, want %q", tt.query, have, want)
		}
	}
	b.call("GET", "/Users?count=ten", "").want(t, 400, "invalidValue")
}

// Pages stay whole when people between them are gone.
func TestPagesAfterDeletes(t *testing.T) {
	b := open(t, Options{PageCap: 10})
	var want []string
	for i := range 40 {
		name := fmt.Sprintf("u%02d", i)
		id := b.user(`"userName":"` + name + `","active":` + fmt.Sprint(i%2 == 0))
		if i%3 == 0 {
			b.call("DELETE", "/Users/"+id, "").want(t, 204, "")
		} else {
			want = append(want, name)
		}
	}
	var got []string
	for start := 1; start <= len(want); start += 10 {
		got = append(got, b.names("/Users", "startIndex", fmt.Sprint(start))...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("walk: %q, want %q", got, want)
	}
	if got := b.call("GET", "/Users?filter=active%20eq%20false&count=0", "").at("totalResults"); got != "13" {
		t.Errorf("%s inactive, want 13", got)
	}
}

func TestSorting(t *testing.T) {
	b := open(t, Options{})
	b.user(`"userName":"c","title":"b","emails":[{"value":"z@x"},{"value":"a@x","primary":true}]`)
	b.user(`"userName":"A"`)
	b.user(`"userName":"b","title":"A","emails":[{"value":"m@x"}]`)
	tests := []struct{ by, order, want string }{
		{"userName", "", "A b c"},
		{"userName", "descending", "c b A"},
		{"title", "ascending", "b c A"},
		{"title", "descending", "A c b"},
		{"emails.value", "", "c b A"},
		{"emails", "", "c b A"},
		{"meta.created", "", "c A b"},
	}
	for _, tt := range tests {
		if got := strings.Join(b.names("/Users", "sortBy", tt.by, "sortOrder", tt.order), " "); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.by, tt.order, got, tt.want)
		}
	}
	b.call("GET", "/Users?sortBy=shoeSize", "").want(t, 400, "invalidPath")
	b.call("GET", "/Users?sortBy=userName&sortOrder=up", "").want(t, 400, "invalidValue")
}

func TestProjection(t *testing.T) {
	b := open(t, Options{})
	id := b.user(`"userName":"ada","title":"Countess","name":{"givenName":"Ada","familyName":"Lovelace"},
		"emails":[{"value":"ada@example.com","type":"work"}],"` + enterpriseURN + `":{"department":"R&D","division":"West"}`)
	tests := []struct {
		query string
		want  []string // the names that are there, sub-attributes after a dot
	}{
		{"attributes=userName", []string{"schemas", "id", "userName"}},
		{"attributes=USERNAME,name.familyName", []string{"schemas", "id", "userName", "name.familyName"}},
		{"attributes=emails.type", []string{"schemas", "id", "emails.type"}},
		{"attributes=" + enterpriseURN + ":department", []string{"schemas", "id", enterpriseURN + ".department"}},
		{"attributes=" + enterpriseURN, []string{"schemas", "id", enterpriseURN + ".department", enterpriseURN + ".division"}},
		{"attributes=nothing", []string{"schemas", "id"}},
		{"attributes=meta.version", []string{"schemas", "id", "meta.version"}},
		{"excludedAttributes=id,meta,name,active," + enterpriseURN, []string{"schemas", "id", "userName", "title", "emails.value", "emails.type"}},
		{"excludedAttributes=meta,active,name.givenName,emails," + enterpriseURN + ":division",
			[]string{"schemas", "id", "userName", "title", "name.familyName", enterpriseURN + ".department"}},
	}
	for _, tt := range tests {
		for _, path := range []string{"/Users/" + id + "?" + tt.query, "/Users?" + tt.query} {
			got := b.call("GET", path, "").want(t, 200, "").doc
			if list := got.list("Resources"); list != nil {
				got = list[0].(*object)
			}
			if have := memberNames(got); !slices.Equal(have, tt.want) {
				t.Errorf("%s: %q, want %q", path, have, tt.want)
			}
		}
	}
	b.call("GET", "/Users?attributes=id&excludedAttributes=id", "").want(t, 400, "invalidValue")
}

func memberNames(o *object) []string {
	var out []string
	for _, m := range o.members {
		v := m.value
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		sub, ok := v.(*object)
		if !ok {
			out = append(out, m.name)
			continue
		}
		for _, s := range sub.members {
			out = append(out, m.name+"."+s.name)
		}
	}
	return out
}

// Thousands of deletes close the gaps they leave; order and indexes stay.
func TestManyDeletes(t *testing.T) {
	b := open(t, Options{Seed: 3000})
	var want []string
	for i, e := range slices.Clone(b.dir.users.slots) {
		if i%10 == 0 {
			want = append(want, e.rev.key)
			continue
		}
		if err := b.dir.remove(&request{r: &http.Request{}}, b.rules.user, e.rev.id); err != nil {
			t.Fatal(err)
		}
	}
	if slots := len(b.dir.users.slots); slots > 2*len(want)+1024 {
		t.Errorf("%d slots for %d users", slots, len(want))
	}
	var got []string
	for start := 1; start <= len(want); start += 100 {
		got = append(got, b.names("/Users", "startIndex", fmt.Sprint(start))...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d users in the walk, want %d", len(got), len(want))
	}
	if found := b.names("/Users", "filter", `userName eq "`+want[250]+`"`); len(found) != 1 {
		t.Errorf("the 251st is found %d times", len(found))
	}
	b.user(`"userName":"last"`)
	if last := b.names("/Users", "startIndex", fmt.Sprint(len(want)+1)); !slices.Equal(last, []string{"last"}) {
		t.Errorf("after the last page: %q", last)
	}
}

// Look-ups and pages cost the same with 100 and with 20,000 people. The least
// of many runs is compared, which other work on the machine hardly disturbs; a
// search over everybody would be two hundred times as dear.
func TestCostDoesNotGrow(t *testing.T) {
	least := func(s *Sandbox, path string) time.Duration {
		best := time.Hour
		for range 40 {
			r, _ := http.NewRequest("GET", "http://sandbox/scim/v2"+path, nil)
			rec := &recorder{}
			began := time.Now()
			s.ServeHTTP(rec, r)
			best = min(best, time.Since(began))
			if rec.answer.status != 200 {
				t.Fatalf("%s: %s", path, rec.answer.body)
			}
		}
		return best
	}
	small, large := open(t, Options{Seed: 100}), open(t, Options{Seed: 20_000})
	paths := func(b *box) []string {
		last := b.dir.users.slots[len(b.dir.users.slots)-1].rev
		group := b.dir.groups.slots[len(b.dir.groups.slots)-1].rev
		return []string{
			"/Users/" + last.id,
			"/Users?filter=" + url.QueryEscape(`userName eq "`+strings.ToUpper(last.key)+`"`),
			"/Users?filter=" + url.QueryEscape(`externalId eq "`+last.external+`"`),
			"/Users?filter=" + url.QueryEscape(`id eq "`+last.id+`" and active eq true`),
			"/Groups?filter=" + url.QueryEscape(`displayName eq "`+group.key+`"`),
			"/Groups?attributes=displayName&filter=" + url.QueryEscape(`members.value eq "`+last.id+`"`),
			"/Users?filter=" + url.QueryEscape(`emails eq "`+last.key+`"`),
			"/Users?filter=" + url.QueryEscape(`emails[type eq "work" and value eq "`+last.key+`"]`),
			"/Users?filter=" + url.QueryEscape(enterpriseURN+`:employeeNumber eq "100001"`),
			fmt.Sprint("/Users?count=5&startIndex=", len(b.dir.users.slots)-10),
			fmt.Sprint("/Users?count=5&filter=active%20eq%20false&startIndex=", b.dir.users.inactive.n-4),
		}
	}
	many := paths(large)
	for i, path := range paths(small) {
		few, lots := least(small.Sandbox, path), least(large.Sandbox, many[i])
		if lots > 10*few {
			t.Errorf("%s takes %s with 100 people, %s with 20,000", path, few, lots)
		}
	}
}
