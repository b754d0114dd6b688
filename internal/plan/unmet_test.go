package plan

import (
	"strings"
	"testing"

	"scimbulk/internal/scim"
)

// TestUnmet reads back what a change was to set.
func TestUnmet(t *testing.T) {
	rules := &Rules{Schema: scim.Builtin("User")}
	work := scim.Object{"type": "work", "value": "a@example.com"}
	home := scim.Object{"type": "home", "value": "h@example.com"}
	diff := func(path string, old, now any) Change {
		return Change{Action: ActUpdate, Differences: []Difference{{Path: path, Old: old, New: now}}}
	}
	for _, tc := range []struct {
		name   string
		change Change
		have   string
		want   string
	}{
		{"set", diff("title", "A", "B"), `{"title":"B"}`, ""},
		{"set in other letters where they do not count", diff("userName", "a", "Bob"), `{"userName":"bob"}`, ""},
		{"left as it was", diff("title", "A", "B"), `{"title":"A"}`, "title"},
		{"cleared", diff("title", "A", nil), `{}`, ""},
		{"not cleared", diff("title", "A", nil), `{"title":"A"}`, "title"},
		{"a manager cleared, and the URI stays", diff("enterprise:manager", scim.Object{"value": "1"}, nil), `{"` + scim.EnterpriseURN + `":{"manager":{"$ref":"../Users/1"}}}`, ""},
		{"a manager who stays", diff("enterprise:manager", scim.Object{"value": "1"}, nil), `{"` + scim.EnterpriseURN + `":{"manager":{"value":"1"}}}`, "enterprise:manager"},
		{"a part of one value", diff(`emails[type eq "work"].value`, "x", "a@example.com"), `{"emails":[{"type":"work","value":"A@example.com","primary":true}]}`, ""},
		{"a value that nothing fits", diff(`emails[type eq "work"].value`, "x", "a@example.com"), `{"emails":[{"type":"home","value":"a@example.com"}]}`, `emails[type eq "work"].value`},
		{"values added, and more by the directory", diff("emails", nil, []any{work}), `{"emails":[{"type":"work","value":"a@example.com","primary":true},{"type":"other","value":"o@example.com"}]}`, ""},
		{"one of two kept", diff("emails", nil, []any{work, home}), `{"emails":[{"type":"work","value":"a@example.com"}]}`, "emails"},
		{"values taken away", diff("emails", []any{home}, nil), `{"emails":[{"type":"work","value":"a@example.com"}]}`, ""},
		{"values that stay", diff("emails", []any{home}, nil), `{"emails":[{"type":"home","value":"h@example.com"}]}`, "emails"},
		{"a list replaced", diff("emails", []any{home, work}, []any{work}), `{"emails":[{"type":"work","value":"a@example.com"}]}`, ""},
		{"a password", Change{Action: ActUpdate, Differences: []Difference{{Path: "password", Secret: true}}}, `{}`, ""},
		{"a create", Change{Action: ActCreate, Body: scim.Object{"userName": "a", "title": "T", "password": "secret", "emails": []any{work}}}, `{"userName":"a","active":true}`, "title emails"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have, err := scim.DecodeObject([]byte(tc.have))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(rules.Unmet(&tc.change, have), " "); got != tc.want {
				t.Errorf("unmet %q, want %q", got, tc.want)
			}
		})
	}
}
