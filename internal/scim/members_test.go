package scim_test

import (
	"slices"
	"testing"

	"scimbulk/internal/scim"
)

func TestMemberIDs(t *testing.T) {
	for _, tc := range []struct {
		name, group string
		want        []string
		fails       bool
	}{
		{"none", `{"id":"g"}`, nil, false},
		{"null", `{"id":"g","members":null}`, nil, false},
		{"in order, whatever stands beside", `{"id":"g","Members":[{"value":"b","$ref":"x"},{"Value":"a","display":"A"}]}`, []string{"b", "a"}, false},
		{"numbers", `{"id":"g","members":[{"value":17}]}`, []string{"17"}, false},
		{"no value", `{"id":"g","members":[{"display":"A"},{"value":"a"}]}`, []string{"a"}, false},
		{"no list", `{"id":"g","members":"a"}`, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resource, err := scim.ParseResource([]byte(tc.group))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			err = resource.MemberIDs(func(id string) { got = append(got, id) })
			if !slices.Equal(got, tc.want) || (err != nil) != tc.fails {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestDirectGroups(t *testing.T) {
	resource, err := scim.ParseResource([]byte(`{"id":"u","groups":[{"value":"a"},{"value":"b","type":"Indirect"},{"value":"c","type":"direct"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := resource.DirectGroups(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %q", got)
	}
}

func TestMemberPatch(t *testing.T) {
	body, err := scim.EncodePatch(scim.MemberPatch([]string{"a", "b"}, []string{`c"d`}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` +
		`{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"}]},{"op":"remove","path":"members[value eq \"c\\\"d\"]"}]}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if got := scim.IsMember("g", "u"); got != `id eq "g" and members eq "u"` {
		t.Errorf("filter %s", got)
	}
}
