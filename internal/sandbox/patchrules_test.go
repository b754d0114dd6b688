package sandbox

import (
	"strings"
	"testing"
)

const patchSubject = `"userName":"ada","title":"Countess","name":{"givenName":"Ada","familyName":"Lovelace"},
	"emails":[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}],
	"` + enterpriseURN + `":{"department":"R&D"}`

// What RFC 7644 §3.5.2 says beside its examples.
func TestPatchRules(t *testing.T) {
	tests := []struct {
		name, operations string
		want             map[string]string
	}{
		{"add to a single value replaces", `{"op":"add","path":"title","value":"Analyst"}`, map[string]string{"title": "Analyst"}},
		{"replace of nothing adds", `{"op":"replace","path":"nickName","value":"A"}`, map[string]string{"nickName": "A"}},
		{"complex add merges", `{"op":"add","path":"name","value":{"middleName":"K"}}`,
			map[string]string{"name/middleName": "K", "name/givenName": "Ada"}},
		{"complex replace merges", `{"op":"replace","path":"name","value":{"givenName":"A"}}`,
			map[string]string{"name/givenName": "A", "name/familyName": "Lovelace"}},
		{"sub-attribute", `{"op":"replace","path":"name.givenName","value":"A"}`, map[string]string{"name/givenName": "A", "name/familyName": "Lovelace"}},
		{"remove sub-attribute", `{"op":"remove","path":"name.givenName"}`, map[string]string{"name/givenName": "", "name/familyName": "Lovelace"}},
		{"replace multi-valued replaces all", `{"op":"replace","path":"emails","value":[{"value":"n@x"}]}`,
			map[string]string{"emails/0/value": "n@x", "emails/1/value": ""}},
		{"one value without its array", `{"op":"add","path":"emails","value":{"value":"n@x"}}`, map[string]string{"emails/2/value": "n@x"}},
		{"a value that is there", `{"op":"add","path":"emails","value":[{"value":"h@x","type":"home"}]}`, map[string]string{"emails/2/value": ""}},
		{"a value that is there, now primary", `{"op":"add","path":"emails","value":[{"value":"h@x","type":"home","primary":true}]}`,
			map[string]string{"emails/0/primary": "false", "emails/1/primary": "true", "emails/2": ""}},
		{"a new primary clears the old", `{"op":"add","path":"emails","value":[{"value":"n@x","primary":true}]}`,
			map[string]string{"emails/0/primary": "false", "emails/2/primary": "true"}},
		{"primary by filter clears the old", `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`,
			map[string]string{"emails/0/primary": "false", "emails/1/primary": "true"}},
		{"every match is replaced", `{"op":"replace","path":"emails[value ew \"x\"].display","value":"d"}`,
			map[string]string{"emails/0/display": "d", "emails/1/display": "d"}},
		{"null unassigns", `{"op":"replace","path":"title","value":null}`, map[string]string{"title": ""}},
		{"empty array unassigns", `{"op":"replace","path":"emails","value":[]}`, map[string]string{"emails": ""}},
		{"removing the last value unassigns", `{"op":"remove","path":"emails[value pr]"}`, map[string]string{"emails": ""}},
		{"remove by filter without a match", `{"op":"remove","path":"emails[type eq \"fax\"]"}`, map[string]string{"emails/1/value": "h@x"}},
		{"null for a selected value removes it", `{"op":"replace","path":"emails[type eq \"work\"]","value":null}`,
			map[string]string{"emails/0/value": "h@x", "emails/1/value": ""}},
		{"adding null to a selected value", `{"op":"add","path":"emails[type eq \"work\"]","value":null}`, map[string]string{"emails/0/value": "w@x"}},
		{"adding null to no value", `{"op":"add","path":"emails[type eq \"fax\"]","value":{}}`, map[string]string{"emails/2": ""}},
		{"remove what is not there", `{"op":"remove","path":"nickName"}`, map[string]string{"title": "Countess"}},
		{"add with a filter that matches nothing", `{"op":"add","path":"emails[type eq \"other\"].value","value":"o@x"}`,
			map[string]string{"emails/2/value": "o@x", "emails/2/type": "other"}},
		{"extension attribute adds its URN", `{"op":"add","path":"` + enterpriseURN + `:employeeNumber","value":"7"}`,
			map[string]string{enterpriseURN + "/employeeNumber": "7", enterpriseURN + "/department": "R&D", "schemas/1": enterpriseURN}},
		{"extension as a whole merges", `{"op":"replace","path":"` + enterpriseURN + `","value":{"division":"West"}}`,
			map[string]string{enterpriseURN + "/division": "West", enterpriseURN + "/department": "R&D"}},
		{"extension without a path", `{"op":"add","value":{"` + enterpriseURN + `":{"division":"West"}}}`,
			map[string]string{enterpriseURN + "/division": "West", enterpriseURN + "/department": "R&D"}},
		{"removing an extension removes its URN", `{"op":"remove","path":"` + enterpriseURN + `"}`, map[string]string{"schemas/1": "", enterpriseURN: ""}},
		{"core URN in the path", `{"op":"replace","path":"` + userURN + `:name.givenName","value":"A"}`, map[string]string{"name/givenName": "A"}},
		{"names have no case", `{"op":"replace","path":"NAME.GIVENNAME","value":"A"}`, map[string]string{"name/givenName": "A"}},
		{"operations are sequential", `{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"n@x"}]}`,
			map[string]string{"emails/0/value": "n@x", "emails/1/value": ""}},
		{"unknown attributes without a path are dropped", `{"op":"add","value":{"shoeSize":44,"title":"B"}}`, map[string]string{"title": "B", "shoeSize": ""}},
		{"big numbers elsewhere do no harm", `{"op":"add","value":{"big":9007199254740993}}`, map[string]string{"title": "Countess"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, Options{})
			path := "/Users/" + b.user(patchSubject)
			b.call("PATCH", path, patchBody(tt.operations)).want(t, 200, "")
			got := b.call("GET", path, "")
			for way, want := range tt.want {
				if have := got.at(way); have != want {
					t.Errorf("%s = %q, want %q", way, have, want)
				}
			}
		})
	}
}

func TestPatchRefusals(t *testing.T) {
	b := open(t, Options{})
	path := "/Users/" + b.user(patchSubject)
	before := b.call("GET", path, "").text
	tests := []struct{ operations, scimType string }{
		{`{"op":"remove"}`, "noTarget"},
		{`{"op":"replace","path":"emails[type eq \"fax\"]","value":{"value":"x"}}`, "noTarget"},
		{`{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}`, "noTarget"},
		{`{"op":"replace","path":"ims.value","value":"x"}`, "noTarget"},
		{`{"op":"remove","path":"userName"}`, "mutability"},
		{`{"op":"replace","path":"userName","value":null}`, "mutability"},
		{`{"op":"replace","path":"id","value":"x"}`, "mutability"},
		{`{"op":"replace","path":"meta.version","value":"x"}`, "mutability"},
		{`{"op":"add","path":"groups","value":[{"value":"x"}]}`, "mutability"},
		{`{"op":"remove","path":"groups"}`, "mutability"},
		{`{"op":"add","value":{"id":"x"}}`, "mutability"},
		{`{"op":"replace","path":"shoeSize","value":44}`, "invalidPath"},
		{`{"op":"replace","path":"emails[type eq work].value","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"emails[0].value","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"emails[type eq \"work\"].nothing","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"name.nothing","value":"x"}`, "invalidPath"},
		{`{"op":"remove","path":"` + userURN + `"}`, "invalidPath"},
		{`{"op":"replace","path":"` + userURN + `","value":{"title":"x"}}`, "invalidPath"},
		{`{"op":"replace","path":"title extra","value":"x"}`, "invalidPath"},
		{`{"op":"remove","path":"name[givenName eq \"Ada\"]"}`, "invalidPath"},
		{`{"op":"replace","path":"active","value":"False"}`, "invalidValue"},
		{`{"op":"replace","path":"title","value":7}`, "invalidValue"},
		{`{"op":"replace","path":"name","value":"Ada"}`, "invalidValue"},
		{`{"op":"add","path":"emails","value":["x"]}`, "invalidValue"},
		{`{"op":"add","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, "invalidValue"},
		{`{"op":"replace","value":"x"}`, "invalidValue"},
		{`{"op":"Replace","path":"title","value":"x"}`, "invalidSyntax"},
		{`{"op":"replace","path":"title"}`, "invalidSyntax"},
		{`{"op":"remove","path":"emails","value":[{"value":"h@x"}]}`, "invalidSyntax"},
		{`{"op":"replace","path":7,"value":"x"}`, "invalidSyntax"},
		{``, "invalidSyntax"},
	}
	for _, tt := range tests {
		// The first operation is good: the request must be all or nothing.
		operations := tt.operations
		if operations != "" {
			operations = `{"op":"replace","path":"title","value":"never"},` + operations
		}
		got := b.call("PATCH", path, patchBody(operations))
		if got.StatusCode != 400 || got.at("scimType") != tt.scimType {
			t.Errorf("%s: %d %s, want 400 %s", tt.operations, got.StatusCode, got.text, tt.scimType)
		}
	}
	b.call("PATCH", path, strings.Replace(patchBody(`{"op":"remove","path":"title"}`), "PatchOp", "Else", 1)).want(t, 400, "invalidSyntax")
	if after := b.call("GET", path, "").text; after != before {
		t.Errorf("refused patches changed the user:\n%s\n%s", before, after)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	b := open(t, Options{})
	head := `{"schemas":["` + userURN + `"],`
	tests := []struct {
		body     string
		status   int
		scimType string
	}{
		{head + `"userName":"a","active":"False"}`, 400, "invalidValue"},
		{head + `"userName":7}`, 400, "invalidValue"},
		{head + `"userName":" "}`, 400, "invalidValue"},
		{head + `"displayName":"a"}`, 400, "invalidValue"},
		{head + `"userName":"a","emails":{"value":"x"}}`, 400, "invalidValue"},
		{head + `"userName":"a","emails":["x"]}`, 400, "invalidValue"},
		{head + `"userName":"a","name":"Ada"}`, 400, "invalidValue"},
		{head + `"userName":"a","x509Certificates":[{"value":"not base64!"}]}`, 400, "invalidValue"},
		{head + `"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}`, 400, "invalidValue"},
		{head + `"userName":"a","username":"b"}`, 400, "invalidSyntax"},
		{`{"userName":"a"}`, 400, "invalidValue"},
		{`{"schemas":["` + groupURN + `"],"userName":"a"}`, 400, "invalidValue"},
		{`{"schemas":["` + userURN + `"],"userName":"a"`, 400, "invalidSyntax"},
		{`[]`, 400, "invalidSyntax"},
		{`{} {}`, 400, "invalidSyntax"},
		{``, 415, ""},
		{head + `"userName":"` + strings.Repeat("a", maxPayload) + `"}`, 413, ""},
	}
	for _, tt := range tests {
		got := b.call("POST", "/Users", tt.body)
		if got.StatusCode != tt.status || got.at("scimType") != tt.scimType || got.at("status") == "" {
			t.Errorf("%.100s: %d %.200s, want %d %s", tt.body, got.StatusCode, got.text, tt.status, tt.scimType)
		}
	}
	b.call("POST", "/Users", head+`"userName":"a"}`, "Content-Type", "text/plain").want(t, 415, "")
	b.call("POST", "/Users", head+`"userName":"a"}`, "Content-Type", "application/json; charset=utf-8").want(t, 201, "")
	if total := b.call("GET", "/Users", "").at("totalResults"); total != "1" {
		t.Errorf("%s users, want 1", total)
	}
}

func TestPutReplaces(t *testing.T) {
	b := open(t, Options{})
	path := "/Users/" + b.user(patchSubject+`,"password":"old","active":false`)
	got := b.call("PUT", path, `{"schemas":["`+userURN+`"],"userName":"Ada","emails":[],"title":null,"id":"x","meta":{"version":"x"}}`).want(t, 200, "")
	for way, want := range map[string]string{"userName": "Ada", "emails": "", "name": "", "schemas/1": "", "active": "true", "meta/version": `W/"2"`} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	b.user(`"userName":"bob"`)
	b.call("PUT", path, `{"schemas":["`+userURN+`"],"userName":"BOB"}`).want(t, 409, "uniqueness")
	b.call("PUT", "/Users/nobody", `{"schemas":["`+userURN+`"],"userName":"x"}`).want(t, 404, "")
	b.call("PUT", path, `{"schemas":["`+userURN+`"]}`).want(t, 400, "invalidValue")
}

func TestMembership(t *testing.T) {
	b := open(t, Options{})
	ada, bob := b.user(`"userName":"ada","displayName":"Ada L"`), b.user(`"userName":"bob"`)
	inner := b.group(`"displayName":"Inner","members":[{"value":"` + ada + `"},{"value":"` + ada + `"}]`)
	outer := b.group(`"displayName":"Outer","members":[{"value":"` + inner + `","type":"Group"},{"value":"` + bob + `"}]`)
	got := b.call("GET", "/Groups/"+outer, "")
	for way, want := range map[string]string{"members/0/display": "Inner", "members/0/type": "Group", "members/1/type": "User",
		"members/1/$ref": b.url + "/Users/" + bob, "members/2": ""} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	got = b.call("GET", "/Users/"+ada, "")
	for way, want := range map[string]string{"groups/0/display": "Inner", "groups/0/type": "direct", "groups/1/display": "Outer", "groups/1/type": "indirect"} {
		if have := got.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	version := b.call("GET", "/Groups/"+inner, "").at("meta/version")
	same := b.call("PATCH", "/Groups/"+inner, patchBody(`{"op":"add","path":"members","value":[{"value":"`+ada+`","display":"other"}]}`)).want(t, 200, "")
	if same.at("meta/version") != version {
		t.Error("adding a member that is there made a new version")
	}
	b.call("PATCH", "/Groups/"+inner, patchBody(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`)).want(t, 400, "invalidValue")
	b.call("PATCH", "/Groups/"+inner, patchBody(`{"op":"replace","path":"members[value eq \"`+ada+`\"].value","value":"`+bob+`"}`)).want(t, 400, "mutability")
	b.call("PATCH", "/Groups/"+inner, patchBody(`{"op":"remove","path":"displayName"}`)).want(t, 400, "mutability")
	b.call("DELETE", "/Users/"+ada, "").want(t, 204, "")
	if got := b.call("GET", "/Groups/"+inner, ""); got.at("members") != "" || got.at("meta/version") == version {
		t.Errorf("a deleted user is still a member: %s", got.text)
	}
	b.call("DELETE", "/Groups/"+inner, "").want(t, 204, "")
	if got := b.call("GET", "/Groups/"+outer, "").at("members/0/value"); got != bob {
		t.Errorf("first member of Outer is %s, want bob", got)
	}
}

func TestManagerIsLinked(t *testing.T) {
	b := open(t, Options{})
	boss := b.user(`"userName":"boss","displayName":"The Boss"`)
	got := b.call("GET", "/Users/"+b.user(`"userName":"ada","`+enterpriseURN+`":{"manager":{"value":"`+boss+`"}}`), "")
	if m := got.at(enterpriseURN + "/manager"); !strings.Contains(m, "The Boss") || !strings.Contains(m, "../Users/"+boss) {
		t.Errorf("manager %s", m)
	}
}
