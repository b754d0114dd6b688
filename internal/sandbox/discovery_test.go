package sandbox

import (
	"strings"
	"testing"
)

func TestDiscovery(t *testing.T) {
	b := open(t, Options{PageCap: 50})
	config := b.call("GET", "/ServiceProviderConfig", "").want(t, 200, "")
	for way, want := range map[string]string{
		"patch/supported": "true", "bulk/maxOperations": "1000", "bulk/maxPayloadSize": "1048576", "filter/maxResults": "50", "sort/supported": "true",
		"etag/supported": "true", "changePassword/supported": "true", "pagination/cursor": "true", "pagination/maxPageSize": "50",
		"authenticationSchemes/0/type": "oauthbearertoken", "meta/resourceType": "ServiceProviderConfig",
	} {
		if have := config.at(way); have != want {
			t.Errorf("%s = %q, want %q", way, have, want)
		}
	}
	if got := b.call("GET", "/ServiceProviderConfig", "", "If-None-Match", config.Header.Get("ETag")); got.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", got.StatusCode)
	}
	types := b.call("GET", "/ResourceTypes", "").want(t, 200, "")
	if types.at("Resources/0/schemaExtensions/0/schema") != enterpriseURN || types.at("Resources/1/endpoint") != "/Groups" {
		t.Error(types.text)
	}
	schemas := b.call("GET", "/Schemas", "").want(t, 200, "")
	if schemas.at("totalResults") != "3" {
		t.Error(schemas.text)
	}
	user := b.call("GET", "/Schemas/"+userURN, "").want(t, 200, "")
	var names []string
	for _, a := range user.doc.list("attributes") {
		names = append(names, a.(*object).text("name"))
	}
	want := "userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("attributes of a User:\n%s\nwant\n%s", got, want)
	}
	b.call("GET", "/ResourceTypes/User", "").want(t, 200, "")
	b.call("GET", "/ResourceTypes/Device", "").want(t, 404, "")
	b.call("GET", "/Schemas?filter=id%20pr", "").want(t, 403, "")
	b.call("POST", "/Schemas", "{}").want(t, 405, "")
	b.call("GET", "/Nothing", "").want(t, 404, "")
	for _, base := range []string{"/scim/v2", "/api/v2/scim/v2", "/api/v2/scim"} {
		root := strings.TrimSuffix(b.url, b.BasePath())
		if got := b.call("GET", root+base+"/ResourceTypes/User", "").want(t, 200, ""); got.at("meta/location") != root+base+"/ResourceTypes/User" {
			t.Errorf("location under %s: %s", base, got.at("meta/location"))
		}
	}
}
