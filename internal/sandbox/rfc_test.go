package sandbox

import (
	"strings"
	"testing"
)

// The life of the user in the examples of RFC 7644 §3.3, §3.4.1.1, §3.5.1,
// §3.6 and §3.12.
func TestExampleUserOfTheRFC(t *testing.T) {
	b := open(t, Options{})
	made := b.call("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","externalId":"bjensen",
		"name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara"}}`,
		"Accept", "application/scim+json").want(t, 201, "")
	location := made.Header.Get("Location")
	read := b.call("GET", location, "").want(t, 200, "")
	if made.text != read.text || location != made.at("meta/location") || made.Header.Get("ETag") != made.at("meta/version") {
		t.Errorf("created\n%s\nread\n%s\nfrom %s", made.text, read.text, location)
	}
	if b.call("HEAD", location, "").text != "" {
		t.Error("HEAD has a body")
	}
	put := b.call("PUT", location, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"`+made.at("id")+`","userName":"bjensen","externalId":"bjensen",
		"name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara","middleName":"Jane"},
		"roles":[],"emails":[{"value":"bjensen@example.com"},{"value":"babs@jensen.org"}]}`, "If-Match", made.Header.Get("ETag")).want(t, 200, "")
	for way, want := range map[string]string{
		"name/middleName": "Jane", "roles": "", "emails": `[{"value":"bjensen@example.com"},{"value":"babs@jensen.org"}]`,
		"id": made.at("id"), "meta/created": made.at("meta/created"), "meta/location": location,
	} {
		if have := put.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if put.at("meta/version") == made.at("meta/version") {
		t.Error("the version did not change")
	}
	b.call("DELETE", location, "", "If-Match", put.Header.Get("ETag")).want(t, 204, "")
	gone := b.call("GET", location, "").want(t, 404, "")
	if gone.at("schemas/0") != errorURN || gone.at("status") != "404" || gone.at("detail") == "" || gone.Header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("error body %s", gone.text)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		b.call(method, location, map[string]string{
			"PUT":   `{"schemas":["` + userURN + `"],"userName":"bjensen"}`,
			"PATCH": patchBody(`{"op":"remove","path":"title"}`),
		}[method]).want(t, 404, "")
	}
	b.user(`"userName":"bjensen"`) // "SHOULD NOT return a 409" (§3.6)
}

// The enterprise user of RFC 7643 §8.3: what a client may set comes back as it
// was sent, but for what the server says itself.
func TestEnterpriseUserOfTheRFC(t *testing.T) {
	b := open(t, Options{})
	const sent = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"externalId":"701984","userName":"bjensen@example.com",
	"name":{"formatted":"Ms. Barbara J Jensen, III","familyName":"Jensen","givenName":"Barbara","middleName":"Jane","honorificPrefix":"Ms.","honorificSuffix":"III"},
	"displayName":"Babs Jensen","nickName":"Babs","profileUrl":"https://login.example.com/bjensen",
	"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
	"addresses":[{"streetAddress":"100 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608","country":"USA",
		"formatted":"100 Universal City Plaza\nHollywood, CA 91608 USA","type":"work","primary":true}],
	"phoneNumbers":[{"value":"555-555-5555","type":"work"},{"value":"555-555-4444","type":"mobile"}],
	"ims":[{"value":"someaimhandle","type":"aim"}],
	"photos":[{"value":"https://photos.example.com/profilephoto/72930000000Ccne/F","type":"photo"}],
	"userType":"Employee","title":"Tour Guide","preferredLanguage":"en-US","locale":"en-US","timezone":"America/Los_Angeles","active":true,
	"x509Certificates":[{"value":"MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAwTjELMAkGA1UEBhMCVVMx"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","costCenter":"4130","organization":"Universal Studios",
		"division":"Theme Park","department":"Tour Operations","manager":{"value":"26118915-6090-4610-87e4-49d8ca9f808d","$ref":"../Users/26118915-6090-4610-87e4-49d8ca9f808d"}}}`
	want, err := parseObject([]byte(sent))
	if err != nil {
		t.Fatal(err)
	}
	got := b.call("POST", "/Users", strings.Replace(sent, `"active":true`, `"active":true,"password":"t1meMa$heen","groups":[{"value":"x"}],"meta":{"version":"W/\"a\""}`, 1)).want(t, 201, "").doc
	got.del("id")
	got.del("meta")
	if !same(got, want) {
		t.Errorf("got\n%s\nwant\n%s", appendJSON(nil, got), appendJSON(nil, want))
	}
}

// The answers to writes keep to attributes (§3.9).
func TestAnswersToWritesAreProjected(t *testing.T) {
	b := open(t, Options{})
	made := b.call("POST", "/Users?attributes=userName", `{"schemas":["`+userURN+`"],"userName":"ada","title":"T"}`).want(t, 201, "")
	path := "/Users/" + made.at("id")
	for name, got := range map[string]reply{
		"POST":  made,
		"PATCH": b.call("PATCH", path+"?attributes=userName", patchBody(`{"op":"add","path":"nickName","value":"A"}`)).want(t, 200, ""),
		"PUT":   b.call("PUT", path+"?attributes=userName", `{"schemas":["`+userURN+`"],"userName":"ada"}`).want(t, 200, ""),
	} {
		if names := strings.Join(memberNames(got.doc), " "); names != "schemas id userName" {
			t.Errorf("%s shows %s", name, names)
		}
	}
}
