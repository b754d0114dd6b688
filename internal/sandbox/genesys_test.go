package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"net/http"
)

func openGenesys(t *testing.T, opt Options) *box {
	opt.Dialect = "genesys"
	return open(t, opt)
}

// query is a path with its parameters escaped.
func query(path string, pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + v.Encode()
}

const agent = `{"userName":"ada@example.com","displayName":"Ada L"}`

// The thirty operations of the API documents: fifteen, on two bases.
func TestGenesysOperations(t *testing.T) {
	for _, base := range []string{"/api/v2/scim", "/api/v2/scim/v2"} {
		b := openGenesys(t, Options{Seed: 40})
		b.url = strings.TrimSuffix(b.url, b.BasePath()) + base
		id := b.call("POST", "/users", agent).want(t, 201, "").at("id")
		group := b.dir.groups.slots[0].rev
		title := patchBody(`{"op":"replace","path":"title","value":"T"}`)
		tests := []struct {
			name, method, path, body string
			status                   int
			way, want                string
		}{
			{"get users", "GET", "/users", "", 200, "itemsPerPage", "25"},
			{"get user", "GET", "/users/" + id, "", 200, "meta/location", base + "/users/" + id},
			{"patch user", "PATCH", "/users/" + id, title, 200, "title", "T"},
			{"put user", "PUT", "/users/" + id, `{"userName":"ada@example.com","displayName":"Ada"}`, 200, "displayName", "Ada"},
			{"delete user", "DELETE", "/users/" + id, "", 204, "", ""},
			{"get groups", "GET", query("/groups", "filter", "displayName eq "+group.key), "", 200, "totalResults", "1"},
			{"get group", "GET", "/groups/" + group.id, "", 200, "displayName", group.key},
			{"patch group", "PATCH", "/groups/" + group.id, patchBody(`{"op":"replace","path":"externalId","value":"E"}`), 200, "externalId", "E"},
			{"put group", "PUT", "/groups/" + group.id, `{"externalId":"F","displayName":"other"}`, 200, "displayName", group.key},
			{"get resource types", "GET", "/resourcetypes", "", 200, "totalResults", "5"},
			{"get resource type", "GET", "/resourcetypes/User", "", 200, "endpoint", "/Users"},
			{"get resource type of resource types", "GET", "/resourcetypes/ResourceType", "", 200, "endpoint", "/ResourceTypes"},
			{"get resource type of schemas", "GET", "/resourcetypes/Schema", "", 200, "endpoint", "/Schemas"},
			{"get resource type of the configuration", "GET", "/resourcetypes/ServiceProviderConfig", "", 200, "endpoint", "/ServiceProviderConfig"},
			{"get schemas", "GET", "/schemas", "", 200, "totalResults", "7"},
			{"get schema", "GET", "/schemas/" + purecloudURN, "", 200, "id", purecloudURN},
			{"get schema of schemas", "GET", "/schemas/urn:ietf:params:scim:schemas:core:2.0:Schema", "", 200, "attributes/0/name", "id"},
			{"get schema of resource types", "GET", "/schemas/" + resourceTypeURN, "", 200, "attributes/3/name", "endpoint"},
			{"get schema of the configuration", "GET", "/schemas/" + configURN, "", 200, "attributes/1/name", "patch"},
			{"get service provider config", "GET", "/serviceproviderconfig", "", 200, "bulk/supported", "false"},
			{"version of the configuration", "GET", "/serviceproviderconfig", "", 200, "meta/version", "1"},
		}
		for _, tt := range tests {
			got := b.call(tt.method, tt.path, tt.body)
			if got.StatusCode != tt.status || got.at(tt.way) != tt.want && tt.way != "" {
				t.Errorf("%s %s: %d, %s = %q, want %d, %q: %s", base, tt.name, got.StatusCode, tt.way, got.at(tt.way), tt.status, tt.want, got.text)
			}
			if got.Header.Get("ININ-Correlation-Id") == "" || got.Header.Get("inin-ratelimit-allowed") != "1000000" {
				t.Errorf("%s: headers %v", tt.name, got.Header)
			}
		}
	}
}

func TestGenesysRefusals(t *testing.T) {
	b := openGenesys(t, Options{Seed: 40})
	user, group := "/users/"+b.seeded(0), "/groups/"+b.dir.groups.slots[0].rev.id
	plain := strings.Replace(b.url, "/scim/v2", "/scim", 1)
	tests := []struct {
		name, method, path, body string
		status                   int
		scimType                 string
	}{
		{"post group", "POST", "/groups", `{"displayName":"G"}`, 405, ""},
		{"delete group", "DELETE", group, "", 405, ""},
		{"v2 groups without filter", "GET", "/groups", "", 400, ""},
		{"groups without filter", "GET", plain + "/groups", "", 200, ""},
		{"no bulk", "POST", "/Bulk", `{}`, 404, ""},
		{"no search", "POST", "/users/.search", `{}`, 405, ""},
		{"schemas with a filter", "GET", query("/schemas", "filter", "id eq x"), "", 403, ""},
		{"26 users", "GET", "/users?count=26", "", 429, ""},
		{"26 users without routing", "GET", query("/users", "count", "26", "excludedAttributes", "externalId,roles"), "", 429, ""},
		{"26 trimmed users", "GET", query("/users", "count", "26", "excludedAttributes", "externalId,roles,"+purecloudURN+":routingSkills,"+purecloudURN+":routingLanguages"), "", 200, ""},
		{"26 small users", "GET", query("/users", "count", "26", "attributes", "userName,active"), "", 200, ""},
		{"26 users with roles", "GET", query("/users", "count", "26", "attributes", "userName,roles"), "", 429, ""},
		{"repeated attributes", "GET", "/users?count=26&attributes=roles&attributes=userName", "", 429, ""},
		{"26 groups", "GET", plain + "/groups?count=26", "", 429, ""},
		{"26 small groups", "GET", plain + "/groups?count=26&excludedAttributes=members,externalId", "", 200, ""},
		{"no display name", "POST", "/users", `{"userName":"a@b"}`, 400, "invalidValue"},
		{"no e-mail address", "POST", "/users", `{"userName":"ada","displayName":"A"}`, 400, "invalidValue"},
		{"unknown manager", "POST", "/users", `{"userName":"a@b","displayName":"A","` + enterpriseURN + `":{"manager":{"value":"x"}}}`, 400, "invalidValue"},
		{"phone", "POST", "/users", `{"userName":"a@b","displayName":"A","phoneNumbers":[{"value":"555-1234","type":"work"}]}`, 400, "invalidValue"},
		{"phone type", "POST", "/users", `{"userName":"a@b","displayName":"A","phoneNumbers":[{"value":"+15551234567","type":"fax"}]}`, 400, "invalidValue"},
		{"email type", "POST", "/users", `{"userName":"a@b","displayName":"A","emails":[{"value":"x@y","type":"home"}]}`, 400, "invalidValue"},
		{"other email", "POST", "/users", `{"userName":"a@b","displayName":"A","emails":[{"value":"x@y","type":"other"}]}`, 400, "mutability"},
		{"proficiency", "POST", "/users", `{"userName":"a@b","displayName":"A","` + purecloudURN + `":{"routingSkills":[{"name":"X","proficiency":5.1}]}}`, 400, "invalidValue"},
		{"case of a skill", "POST", "/users", `{"userName":"a@b","displayName":"A","` + purecloudURN + `":{"routingSkills":[{"name":"billing","proficiency":5}]}}`, 400, "invalidValue"},
		{"nameless skill", "POST", "/users", `{"userName":"a@b","displayName":"A","` + purecloudURN + `":{"routingSkills":[{"proficiency":5}]}}`, 400, "invalidValue"},
		{"date", "POST", "/users", `{"userName":"a@b","displayName":"A","` + enterpriseURN + `":{"dateHire":"01/02/2026"}}`, 400, "invalidValue"},
		{"51 skills", "POST", "/users", `{"userName":"a@b","displayName":"A","` + purecloudURN + `":{"routingSkills":[` + manySkills(51) + `]}}`, 400, "invalidValue"},
		{"50 skills", "POST", "/users", `{"userName":"a@b","displayName":"A","` + purecloudURN + `":{"routingSkills":[` + manySkills(50) + `]}}`, 201, ""},
		{"taken", "POST", "/users", `{"userName":"A@B","displayName":"A"}`, 409, "uniqueness"},
		{"taken external id", "POST", "/users", `{"userName":"a@c","displayName":"A","externalId":"hr-000001"}`, 409, "uniqueness"},
		{"name of a group", "PATCH", group, patchBody(`{"op":"replace","path":"displayName","value":"x"}`), 400, "mutability"},
		{"groups of a user", "PATCH", user, patchBody(`{"op":"add","path":"groups","value":[{"value":"x"}]}`), 400, "mutability"},
		{"short path", "PATCH", user, patchBody(`{"op":"replace","path":"externalIds","value":[]}`), 400, "invalidPath"},
		{"own authority", "PATCH", user, patchBody(`{"op":"replace","path":"` + purecloudURN + `:externalIds","value":[{"authority":"x-pc:scimv2:v1:sandbox","value":"z"}]}`), 400, "mutability"},
		{"too large", "POST", "/users", strings.Repeat(" ", 512_001), 413, ""},
		{"nobody", "GET", "/users/nobody", "", 404, ""},
	}
	for _, tt := range tests {
		got := b.call(tt.method, tt.path, tt.body)
		if got.StatusCode != tt.status || got.at("scimType") != tt.scimType {
			t.Errorf("%s: %d %q, want %d %q: %.300s", tt.name, got.StatusCode, got.at("scimType"), tt.status, tt.scimType, got.text)
		}
		if tt.status < 400 || tt.scimType != "" {
			continue
		}
		if got.at("code") == "" || got.at("status") != fmt.Sprint(tt.status) || got.at("contextId") != got.Header.Get("ININ-Correlation-Id") || got.at("errors") != "[]" {
			t.Errorf("%s: not the vendor's error body: %s", tt.name, got.text)
		}
	}
}

func manySkills(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"name":"Skill %d","proficiency":%d.5}`, i, i%5))
	}
	return strings.Join(list, ",")
}

func TestGenesysFilters(t *testing.T) {
	b := openGenesys(t, Options{Seed: 40})
	boss := b.seeded(0)
	b.call("POST", "/users", `{"userName":"ada@example.com","displayName":"Ada","externalId":"E 1","emails":[{"value":"work@example.com","type":"work"}],
		"`+enterpriseURN+`":{"division":"Far East","manager":{"value":"`+boss+`"},"employeeNumber":"77"},
		"`+purecloudURN+`":{"externalIds":[{"authority":"hr","value":"v1"}]}}`).want(t, 201, "")
	const ext = purecloudURN + `:externalIds`
	for _, filter := range []string{
		`userName eq ada@example.com`, `userName eq "ADA@example.com"`, `username EQ ada@example.com`, `email eq work@example.com`, `externalId eq E 1`, `externalId eq "E 1"`,
		`division eq Far East`, `division eq "Far East"`, `employeeNumber eq 77`, ext + `[authority eq "hr" and value eq "v1"]`,
		ext + `[authority eq 'hr' and value eq 'v1']`, ext + `[authority eq "x-pc:scimv2:v1:sandbox" and value eq "E 1"]`,
	} {
		if got := b.names("/users", "filter", filter); !slices.Equal(got, []string{"ada@example.com"}) {
			t.Errorf("%s: %q", filter, got)
		}
	}
	if got := b.names("/users", "filter", "manager eq "+boss); !slices.Contains(got, "ada@example.com") || len(got) != 9 {
		t.Errorf("reports of the first: %q", got)
	}
	if got := b.names("/groups", "filter", "displayname eq Customer Care 1"); !slices.Equal(got, []string{"Customer Care 1"}) {
		t.Errorf("group by name: %q", got)
	}
	inactive := b.dir.users.slots[10].rev
	for filter, want := range map[string]string{"": "38", "active eq false": "3", "active eq true": "38", `active eq "False"`: "3", "userName eq " + inactive.key: "1", "id eq " + inactive.id: "1"} {
		if got := b.call("GET", query("/users", "filter", filter, "count", "1"), "").at("totalResults"); got != want {
			t.Errorf("filter %q: %s, want %s", filter, got, want)
		}
	}
	for _, filter := range []string{`userName sw "a"`, `title eq "x"`, `userName eq a and active eq true`, `not (active eq true)`, `userName pr`, `meta.lastModified gt "2020-01-01T00:00:00Z"`} {
		b.call("GET", query("/users", "filter", filter), "").want(t, 400, "invalidFilter")
	}
}

func TestGenesysUserRules(t *testing.T) {
	b := openGenesys(t, Options{})
	got := b.call("POST", "/users", `{"userName":"ada@example.com","displayName":"Ada","externalId":"7","name":{"givenName":"Ada"},
		"phoneNumbers":[{"value":"tel:+1 (317) 872-3000; ext=105","type":"work"},{"value":"+49 30 1234567","type":"mobile"},{"value":"ada@teams","type":"microsoftteams"}],
		"`+enterpriseURN+`":{"dateHire":"2026-02-01T00:00:00.000Z"}}`).want(t, 201, "")
	id := got.at("id")
	for way, want := range map[string]string{
		"emails": `[{"value":"ada@example.com","type":"other"}]`, "phoneNumbers/0/value": "tel:+13178723000;ext=105", "phoneNumbers/1/value": "+49301234567",
		"phoneNumbers/2/value": "ada@teams", enterpriseURN + "/dateHire": "2026-02-01", enterpriseURN + "/division": "Home", "roles/0/value": "employee",
		purecloudURN + "/externalIds/0/authority": "x-pc:scimv2:v1:sandbox", purecloudURN + "/externalIds/0/value": "7",
		"name": "", "password": "", "active": "true", "meta/version": "1", "meta/created": "",
	} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if got.Header.Get("ETag") != `"1"` || b.dir.users.byID[id].rev.secret == "" {
		t.Errorf("ETag %s, or no random password", got.Header.Get("ETag"))
	}
	path := "/users/" + id
	b.call("PATCH", path, patchBody(`{"op":"remove","path":"title"}`), "If-Match", `1`).want(t, 400, "invalidVers")
	b.call("DELETE", path, "", "If-Match", `"9"`).want(t, 400, "invalidVers")
	if got := b.call("GET", path, "", "If-None-Match", `"1"`); got.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", got.StatusCode)
	}
	got = b.call("PATCH", path, patchBody(`{"op":"replace","path":"userName","value":"love@example.com"},{"op":"replace","path":"externalId","value":"8"}`), "If-Match", `"1"`).want(t, 200, "")
	if got.at("emails/0/value") != "love@example.com" || got.at(purecloudURN+"/externalIds/0/value") != "8" || got.at("meta/version") != "2" {
		t.Errorf("after a new userName and externalId: %s", got.text)
	}
	if names := memberNames(b.call("GET", path+"?attributes=title", "").doc); !slices.Equal(names, []string{"schemas", "id", "userName", "active", "meta.resourceType", "meta.lastModified", "meta.location", "meta.version"}) {
		t.Errorf("attributes=title shows %q", names)
	}
	for _, proficiency := range []string{"2.5", "4.0"} {
		got = b.call("PATCH", path, patchBody(`{"op":"add","path":"`+purecloudURN+`:routingSkills","value":[{"name":"Billing","proficiency":`+proficiency+`}]}`)).want(t, 200, "")
	}
	if skills := got.at(purecloudURN + "/routingSkills"); skills != `[{"name":"Billing","proficiency":4.0}]` {
		t.Errorf("a skill that is added again: %s", skills)
	}
	// The paths of the vendor's mappings have single quotes.
	for i, mapped := range []string{purecloudURN + `:externalIds[authority eq 'ringcentral'].value`, `phoneNumbers[type eq \"work2\"].value`, `phoneNumbers[type eq 'work3'].value`} {
		b.call("PATCH", path, patchBody(fmt.Sprintf(`{"op":"add","path":"%s","value":"+1317555000%d"}`, mapped, i))).want(t, 200, "")
	}
	got = b.call("PATCH", path, patchBody(`{"op":"remove","path":"`+purecloudURN+`:routingSkills[proficiency eq 4]"}`)).want(t, 200, "")
	if got.at(purecloudURN+"/externalIds/1/value") != "+13175550000" || got.at("phoneNumbers/4/type") != "work3" || got.at(purecloudURN+"/routingSkills") != "" {
		t.Errorf("after paths with single quotes: %s", got.text)
	}
	b.call("PATCH", path, patchBody(`{"op":"replace","path":"active","value":false}`)).want(t, 200, "")
	got = b.call("PUT", path, `{"title":"Countess"}`).want(t, 200, "")
	if got.at("userName") != "love@example.com" || got.at("active") != "false" || got.at("title") != "Countess" || got.at("roles") != "" {
		t.Errorf("PUT that names the title only: %s", got.text)
	}
}

func TestGenesysDeletedUsers(t *testing.T) {
	for _, revive := range []bool{false, true} {
		opt := Options{Dir: t.TempDir()}
		if revive {
			opt.Faults = []string{"revive-deleted"}
		}
		b := openGenesys(t, opt)
		first := b.call("POST", "/users", `{"userName":"ada@example.com","displayName":"Ada","title":"T","roles":[{"value":"admin"}],"`+enterpriseURN+`":{"division":"Europe"}}`).want(t, 201, "")
		b.call("DELETE", "/users/"+first.at("id"), "").want(t, 204, "")
		b.call("GET", "/users/"+first.at("id"), "").want(t, 404, "")
		if n := b.call("GET", query("/users", "filter", "userName eq ada@example.com"), "").at("totalResults"); n != "0" {
			t.Errorf("%s deleted users are found", n)
		}
		again := b.call("POST", "/users", agent).want(t, 201, "")
		roles, division := again.at("roles/0/value"), again.at(enterpriseURN+"/division")
		if same := again.at("id") == first.at("id"); same != revive || division != "Home" || revive != (roles == "") || revive != (again.at("title") == "T") {
			t.Errorf("revive-deleted %v: same id %v, roles %q, division %q, title %q", revive, same, roles, division, again.at("title"))
		}
	}
}

// A deleted user is still there to be revived after a restart.
func TestGenesysGraveyardIsKept(t *testing.T) {
	opt := Options{Dialect: "genesys", Dir: t.TempDir(), Faults: []string{"revive-deleted"}}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	b := serve(t, s)
	id := b.call("POST", "/users", agent).want(t, 201, "").at("id")
	b.call("DELETE", "/users/"+id, "").want(t, 204, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: opt.Dir}); err == nil || !strings.Contains(err.Error(), "dialect genesys, not rfc") {
		t.Errorf("a directory of another dialect: %v", err)
	}
	if again := open(t, opt).call("POST", "/users", agent).want(t, 201, "").at("id"); again != id {
		t.Errorf("id %s, want %s", again, id)
	}
}

func (b *box) token(id string, form ...string) string {
	b.t.Helper()
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {"sandbox"}}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	root := strings.TrimSuffix(b.url, b.BasePath())
	return b.call("POST", root+"/oauth/token", v.Encode(), "Content-Type", "application/x-www-form-urlencoded").at("access_token")
}

func TestPermissions(t *testing.T) {
	b := openGenesys(t, Options{Seed: 20, Token: "all"})
	user, group := "/users/"+b.seeded(0), "/groups/"+b.dir.groups.slots[0].rev.id
	clerk := "Bearer " + b.token("sandbox-without-directory.user.delete,directory.group.edit")
	adder := "Bearer " + b.token("sandbox", "lacking", "directory:user:edit")
	tests := []struct {
		token, method, path, body string
		status                    int
	}{
		{clerk, "GET", "/users", "", 200},
		{clerk, "DELETE", user, "", 403},
		{clerk, "GET", group, "", 403},
		{clerk, "PATCH", group, patchBody(`{"op":"remove","path":"externalId"}`), 403},
		{clerk, "POST", "/users", agent, 201},
		{adder, "PATCH", user, patchBody(`{"op":"replace","path":"title","value":"T"}`), 200}, // any of seven is enough
		{adder, "DELETE", user, "", 204},
		{"Bearer all", "GET", group, "", 200},
	}
	for _, tt := range tests {
		got := b.call(tt.method, tt.path, tt.body, "Authorization", tt.token)
		if got.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d: %s", tt.method, tt.path, got.StatusCode, tt.status, got.text)
		}
		if tt.method == "DELETE" && tt.status == 403 && !strings.Contains(got.at("message"), "[directory:user:delete]") {
			t.Errorf("the error does not name the permission: %s", got.text)
		}
	}
}

func TestOAuth(t *testing.T) {
	b := open(t, Options{Token: "fixed"})
	root := strings.TrimSuffix(b.url, b.BasePath())
	form := "grant_type=client_credentials"
	post := func(body string, headers ...string) reply {
		return b.call("POST", root+"/oauth/token", body, append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	}
	got := post(form, "Authorization", "Basic c2FuZGJveDpzYW5kYm94").want(t, 200, "") // sandbox:sandbox
	if got.at("token_type") != "bearer" || got.at("expires_in") != "3600" {
		t.Errorf("token answer %s", got.text)
	}
	b.call("GET", "/Users", "", "Authorization", "bearer "+got.at("access_token")).want(t, 200, "")
	if got := post(form, "Authorization", "Basic c2FuZGJveDp3cm9uZw==").want(t, 401, ""); got.at("error") != "invalid_client" {
		t.Error(got.text)
	}
	post(form).want(t, 401, "")
	post(form+"&client_id=sandbox&client_secret=sandbox").want(t, 200, "")
	post("grant_type=password&client_id=sandbox&client_secret=sandbox").want(t, 400, "")
	b.call("GET", root+"/oauth/token", "").want(t, 405, "")
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Token: "fixed", TokenTTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		body := "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
		r, _ := http.NewRequest("POST", "http://sandbox/oauth/token", strings.NewReader(body))
		rec := &recorder{}
		s.ServeHTTP(rec, r)
		doc, err := parseObject(rec.answer.body)
		if err != nil {
			t.Fatal(err)
		}
		status := func(token string) int {
			r, _ := http.NewRequest("GET", "http://sandbox/scim/v2/Users", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			s.ServeHTTP(rec, r)
			return rec.answer.status
		}
		time.Sleep(59 * time.Second) // synthetic
		if got := status(doc.text("access_token")); got != 200 {
			t.Errorf("%d before the token's end", got)
		}
		time.Sleep(time.Second) // synthetic
		if got := status(doc.text("access_token")); got != 401 {
			t.Errorf("%d after the token's end", got)
		}
		if got := status("fixed"); got != 200 {
			t.Errorf("%d with the fixed token", got)
		}
	})
}

func TestGenesysRateLimit(t *testing.T) {
	b := openGenesys(t, Options{RateLimit: "2/1m"})
	b.call("GET", "/users", "").want(t, 200, "")
	got := b.call("GET", "/users", "").want(t, 200, "")
	if c, a := got.Header.Get("inin-ratelimit-count"), got.Header.Get("inin-ratelimit-allowed"); c != "2" || a != "2" || got.Header.Get("inin-ratelimit-reset") == "" {
		t.Errorf("count %s, allowed %s: %v", c, a, got.Header)
	}
	got = b.call("GET", "/users", "").want(t, 429, "")
	if got.Header.Get("Retry-After") == "" || got.at("code") != "too.many.requests.retry.after" ||
		got.at("message") != "Rate limit exceeded the maximum. Retry the request in ["+got.Header.Get("Retry-After")+"] seconds" {
		t.Errorf("%v %s", got.Header, got.text)
	}
}
