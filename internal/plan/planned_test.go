package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/scim"
)

func babs(t *testing.T) *Current {
	t.Helper()
	object, err := scim.DecodeObject([]byte(bjensen))
	if err != nil {
		t.Fatal(err)
	}
	return &Current{ID: "2819", Version: `W/"1"`, Object: object}
}

// wishes are what a row may ask of bjensen.
var wishes = []string{
	`title = "Lead"`, `displayName = "Babs"`, `displayName -`, `active = false`, `userName = "babs@example.com"`,
	`name.givenName = "Babs"`, `name.familyName -`, `name.middleName = "J"`,
	`emails[type eq "work"].value = "new@example.com"`, `emails[type eq "home"].value -`, `emails[type eq "other"].value = "o@example.com"`,
	`emails := [{"value":"only@example.com","type":"work","primary":true}]`, `emails := []`,
	`phoneNumbers[type eq "work"].value = "+1 555 1"`, `phoneNumbers += [{"value":"+1 555 2","type":"mobile"}]`,
	`roles += [{"value":"agent"}]`, `roles := [{"value":"agent"},{"value":"lead"}]`, `roles -`,
	`enterprise:department = "Ops"`, `enterprise:department -`, `enterprise:manager.value = "99"`, `enterprise:costCenter = "7"`,
}

// TestPatchedAndReversed: the operations of a change lead to where the change
// says they do, those of its reverse lead back, and both survive being written
// down.
func TestPatchedAndReversed(t *testing.T) {
	rules := Rules{Schema: scim.Builtin("User")}
	rapid.Check(t, func(rt *rapid.T) {
		picked := rapid.SliceOfNDistinct(rapid.SampledFrom(wishes), 1, 5, func(s string) string { return s }).Draw(rt, "wishes")
		have := babs(t)
		c := rules.Decide(wish(t, Upsert, picked...), have)
		if c.Action != ActUpdate {
			return
		}
		forward := through(t, NewLine(2, "User", "bjensen", &c, false))
		back := through(t, rules.Reverse(2, "bjensen", &c, have))
		if now := patchedBy(t, &rules, have.Object, forward); !same(&rules, now, c.After) {
			rt.Fatalf("patched to %v, want %v", now, c.After)
		}
		if now := patchedBy(t, &rules, c.After, back); !same(&rules, now, have.Object) {
			rt.Fatalf("%v reversed to %v, want %v", back.Patch, now, have.Object)
		}
		if again := rules.DecidePlanned(forward, &Current{ID: "2819", Object: c.After}, DriftAny); again.Action != ActNothing {
			rt.Fatalf("carried out already, and decided as %s: %s", again.Action, again.Reason)
		}
		forward.Seen = rules.Fingerprint(have.Object)
		if first := rules.DecidePlanned(forward, have, DriftAny); first.Action != ActUpdate {
			rt.Fatalf("nothing has drifted, and decided as %s: %s", first.Action, first.Reason)
		}
	})
}

// through writes a line down and reads it again.
func through(t *testing.T, l *Line) *Line {
	t.Helper()
	text, err := scim.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseLine(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return read
}

func patchedBy(t *testing.T, r *Rules, o scim.Object, l *Line) scim.Object {
	t.Helper()
	now, err := r.patched(o, l.Patch)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func same(r *Rules, a, b scim.Object) bool {
	ops, _ := r.diff(a, b)
	return len(ops) == 0 && maps.Equal(r.Fingerprint(a), r.Fingerprint(b))
}

// TestMoved names what has drifted.
func TestMoved(t *testing.T) {
	rules := Rules{Schema: scim.Builtin("User")}
	for _, tc := range []struct {
		name    string
		planned string
		others  []string // what somebody else has done
		any     string   // what counts, by drift
		only    string
	}{
		{"nothing", `title = "Lead"`, nil, "", ""},
		{"the same, in another form", `title = "Lead"`, []string{`phoneNumbers[type eq "work"].value = "tel:+15555558377"`, `emails[type eq "work"].value = "BJENSEN@example.com"`}, "", ""},
		{"the planned one", `displayName = "Babs"`, []string{`displayName = "B."`}, "displayName", "displayName"},
		{"another one", `displayName = "Babs"`, []string{`enterprise:department = "Ops"`}, "enterprise:department", ""},
		{"both", `displayName = "Babs"`, []string{`displayName -`, `title = "x"`}, "displayName title", "displayName"},
		{"another part", `name.givenName = "Babs"`, []string{`name.familyName = "J"`}, "name.familyName", ""},
		{"another value of the list", `emails[type eq "work"].value = "n@e.c"`, []string{`emails[type eq "home"].value = "h@e.c"`}, "emails", ""},
		{"that value of the list", `emails[type eq "work"].value = "n@e.c"`, []string{`emails[type eq "work"].value = "h@e.c"`}, `emails[type eq "work"].value`, `emails[type eq "work"].value`},
		{"a list that is added to", `roles += [{"value":"agent"}]`, []string{`roles += [{"value":"lead"}]`}, "roles", "roles"},
		{"what had no value", `displayName = "Babs"`, []string{`enterprise:costCenter = "7"`}, "enterprise:costCenter", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have := babs(t)
			c := rules.Decide(wish(t, Upsert, tc.planned), have)
			l := NewLine(2, "User", "bjensen", &c, false)
			l.Seen = rules.Fingerprint(have.Object)
			if len(tc.others) > 0 {
				if other := rules.Decide(wish(t, Upsert, tc.others...), have); other.Action == ActUpdate {
					have.Object = other.After
				}
			}
			for drift, want := range map[string]string{DriftAny: tc.any, DriftPlanned: tc.only} {
				if got := strings.Join(rules.Moved(l, have, drift), " "); got != want {
					t.Errorf("with drift %s: %q, want %q", drift, got, want)
				}
			}
		})
	}
}

// TestPartialPlans: of what a plan did not read, the version alone tells.
func TestPartialPlans(t *testing.T) {
	rules := Rules{Schema: scim.Builtin("User")}
	have := babs(t)
	c := rules.Decide(wish(t, Upsert, `title = "Lead"`), have)
	l := NewLine(2, "User", "bjensen", &c, false)
	l.Seen, l.Partial = rules.FingerprintOf(scim.Object{"userName": have.Object["userName"]}, []string{"userName", "title"}), true
	if keys := slices.Sorted(maps.Keys(l.Seen)); fmt.Sprint(keys) != "[title userName]" {
		t.Fatalf("seen %v", keys)
	}
	if moved := rules.Moved(l, have, DriftAny); moved != nil {
		t.Errorf("the same version, and %v have moved", moved)
	}
	have.Version = `W/"2"`
	if moved := rules.Moved(l, have, DriftAny); fmt.Sprint(moved) != "[an attribute that the plan did not read]" {
		t.Errorf("another version, and %v have moved", moved)
	}
	if moved := rules.Moved(l, have, DriftPlanned); moved != nil {
		t.Errorf("with drift planned, %v have moved", moved)
	}
}

// TestSecretsAreLost: a password that was set is not in what undoes it, which
// says so.
func TestSecretsAreLost(t *testing.T) {
	rules := Rules{Schema: scim.Builtin("User")}
	have := babs(t)
	c := rules.Decide(wish(t, Patch, `password = "h0rse"`, `title = "Lead"`), have)
	withheld, kept, back := NewLine(2, "User", "b", &c, false), NewLine(2, "User", "b", &c, true), rules.Reverse(2, "b", &c, have)
	for _, l := range []*Line{withheld, back} {
		if text, err := scim.Encode(l); err != nil || strings.Contains(string(text), "h0rse") || strings.Contains(string(text), `"path":"password"`) {
			t.Errorf("%s (%v)", text, err)
		}
	}
	if fmt.Sprint(withheld.Withheld, back.Lost) != "[password] [password]" {
		t.Errorf("withheld %v, lost %v", withheld.Withheld, back.Lost)
	}
	if got := rules.DecidePlanned(withheld, have, DriftAny); got.Class != "data" {
		t.Errorf("a change without its secret is decided as %s", got.Action)
	}
	if text, err := scim.Encode(kept); err != nil || !strings.Contains(string(text), "h0rse") {
		t.Errorf("%s (%v)", text, err)
	}
}

// TestGroupsOfWhoIsDeleted: what undoes a delete names the groups that somebody
// was a member of, and not those that hold these. It reads back as it was written.
func TestGroupsOfWhoIsDeleted(t *testing.T) {
	rules := Rules{Schema: scim.Builtin("User")}
	have := babs(t)
	have.Object["groups"] = []any{
		scim.Object{"value": "1", "display": "Sales", "type": "direct"},
		scim.Object{"value": "2", "display": "Everybody", "type": "indirect"},
		scim.Object{"Value": scim.Number("3")},
		scim.Object{"display": "Nameless"},
	}
	l := rules.Reverse(2, "b", &Change{Action: ActDelete, ID: have.ID}, have)
	text, err := scim.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseLine(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, groups := range [][]GroupRef{l.Groups, back.Groups} {
		if want := []GroupRef{{"1", "Sales"}, {"3", ""}}; !slices.Equal(groups, want) {
			t.Errorf("groups %v, want %v", groups, want)
		}
	}
}
