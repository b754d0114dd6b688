package sandbox

import (
	"strings"
	"testing"
)

// patchBody wraps operations into a PATCH request.
func patchBody(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

// The examples of RFC 7644 §3.5.2.1 to §3.5.2.3, each on the resource that it
// is about; what they leave open ("...") is filled in.
func TestPatchExamplesOfTheRFC(t *testing.T) {
	const babs = `"userName":"bjensen","nickName":"Barbie",
	 "emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"old@jensen.org","type":"home"}],
	 "addresses":[{"type":"work","streetAddress":"100 Universal City Plaza","locality":"Hollywood"},
	              {"type":"home","streetAddress":"456 Hollywood Blvd","primary":true}]`
	tests := []struct {
		name, resource, operations string
		want                       map[string]string
	}{
		{"3.5.2.1 add a member", "group", `{"op":"add","path":"members","value":[
			{"display":"Babs Jensen","$ref":"https://example.com/v2/Users/BABS","value":"BABS"}]}`,
			map[string]string{"members/0/value": "JAMES", "members/1/value": "BABS"}},
		{"3.5.2.1 add attributes without a path", "user", `{"op":"add","value":{
			"emails":[{"value":"babs@jensen.org","type":"home"}],"nickname":"Babs"}}`,
			map[string]string{"nickName": "Babs", "emails/2/value": "babs@jensen.org", "emails/0/value": "bjensen@example.com"}},
		{"3.5.2.2 remove one member", "group", `{"op":"remove","path":"members[value eq \"JAMES\"]"}`,
			map[string]string{"members": ""}},
		{"3.5.2.2 remove all members", "group", `{"op":"remove","path":"members"}`,
			map[string]string{"members": ""}},
		{"3.5.2.2 remove a complex value", "user", `{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"}`,
			map[string]string{"emails/0/value": "old@jensen.org", "emails/1/value": ""}},
		{"3.5.2.2 remove and add a member", "group", `{"op":"remove","path":"members[value eq\"JAMES\"]"},
			{"op":"add","path":"members","value":[{"display":"James Smith","$ref":"https://example.com/v2/Users/BABS","value":"BABS"}]}`,
			map[string]string{"members/0/value": "BABS", "members/1/value": ""}},
		{"3.5.2.2 replace all members in two steps", "group", `{"op":"remove","path":"members"},
			{"op":"add","path":"members","value":[{"display":"Babs Jensen","value":"BABS"},{"display":"James Smith","value":"JAMES"}]}`,
			map[string]string{"members/0/value": "BABS", "members/1/value": "JAMES"}},
		{"3.5.2.3 replace all members at once", "group", `{"op":"replace","path":"members","value":[
			{"display":"Babs Jensen","value":"BABS"},{"display":"James Smith","value":"JAMES"}]}`,
			map[string]string{"members/0/value": "BABS", "members/1/value": "JAMES", "members/2/value": ""}},
		{"3.5.2.3 replace the work address", "user", `{"op":"replace","path":"addresses[type eq \"work\"]","value":{
			"type":"work","streetAddress":"911 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608",
			"country":"US","formatted":"911 Universal City Plaza\nHollywood, CA 91608 US","primary":true}}`,
			map[string]string{"addresses/0/streetAddress": "911 Universal City Plaza", "addresses/0/primary": "true",
				"addresses/1/primary": "false", "addresses/1/streetAddress": "456 Hollywood Blvd"}},
		{"3.5.2.3 replace one sub-attribute", "user", `{"op":"replace","path":"addresses[type eq \"work\"].streetAddress","value":"1010 Broadway Ave"}`,
			map[string]string{"addresses/0/streetAddress": "1010 Broadway Ave", "addresses/0/locality": "Hollywood"}},
		{"3.5.2.3 replace attributes without a path", "user", `{"op":"replace","value":{
			"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],"nickname":"Babs"}}`,
			map[string]string{"nickName": "Babs", "emails/1/value": "babs@jensen.org", "emails/2/value": "", "userName": "bjensen"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, Options{})
			ids := strings.NewReplacer("BABS", b.user(babs), "JAMES", b.user(`"userName":"jsmith","displayName":"James Smith"`))
			path := "/Users/" + ids.Replace("BABS")
			if tt.resource == "group" {
				path = "/Groups/" + b.group(ids.Replace(`"displayName":"Tour Guides","members":[{"value":"JAMES"}]`))
			}
			got := b.call("PATCH", path, ids.Replace(patchBody(tt.operations))).want(t, 200, "")
			stored := b.call("GET", path, "").want(t, 200, "")
			for way, want := range tt.want {
				if have := got.at(way); have != ids.Replace(want) {
					t.Errorf("answer: %s = %q, want %q", way, have, ids.Replace(want))
				}
				if have := stored.at(way); have != ids.Replace(want) {
					t.Errorf("stored: %s = %q, want %q", way, have, ids.Replace(want))
				}
			}
		})
	}
}
