package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/scim"
)

// assignment builds one from "path mode value": mode is = (set), + (add), :=
// (replace all) or - (clear), the value is JSON.
func assignment(t *testing.T, line string) scim.Assignment {
	t.Helper()
	schema := scim.Builtin("User")
	if strings.HasPrefix(line, "members") {
		schema = scim.Builtin("Group")
	}
	for _, mode := range []struct {
		sign string
		mode scim.Mode
	}{{" := ", scim.ReplaceAll}, {" += ", scim.Add}, {" = ", scim.Set}, {" -", scim.Clear}} {
		name, text, ok := strings.Cut(line, mode.sign)
		if !ok {
			continue
		}
		path, err := scim.ParsePath(name)
		if err != nil {
			t.Fatal(err)
		}
		target, err := schema.Resolve(path)
		if err != nil {
			t.Fatal(err)
		}
		a := scim.Assignment{Target: target, Mode: mode.mode}
		if mode.mode != scim.Clear {
			if a.Value, err = scim.Decode([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		return a
	}
	t.Fatalf("no mode in %q", line)
	return scim.Assignment{}
}

const bjensen = `{
  "id": "2819", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "bjensen@example.com",
  "displayName": "Babs Jensen", "active": true, "nickName": null,
  "name": {"givenName": "Barbara", "familyName": "Jensen"},
  "emails": [{"value": "bjensen@example.com", "type": "work", "primary": true}, {"value": "babs@jensen.org", "type": "home"}],
  "phoneNumbers": [{"value": "+1 555 555 8377", "type": "work"}],
  "roles": [{"value": "admin", "primary": false}],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "manager": {"value": "26118915", "displayName": "John Smith"}},
  "meta": {"version": "W/\"1\""}
}`

func TestUpdate(t *testing.T) {
	for _, tc := range []struct {
		name        string
		assignments []string
		want        string // the PATCH operations, one a line; "" where nothing changes
	}{
		{"the same values in other clothes", []string{`userName = "BJensen@Example.com"`, `active = true`, `nickName -`, `emails[type eq "work"].value = "BJENSEN@example.com"`, `phoneNumbers[type eq "work"].value = "tel:+1-555-555-8377"`, `roles += [{"value":"admin"}]`, `enterprise:manager = "26118915"`}, ``},
		{"a simple value", []string{`displayName = "Barbara Jensen"`}, `{"op":"replace","path":"displayName","value":"Barbara Jensen"}`},
		{"a value where there was none", []string{`title = "Tour Guide"`}, `{"op":"add","path":"title","value":"Tour Guide"}`},
		{"false is a value", []string{`active = false`}, `{"op":"replace","path":"active","value":false}`},
		{"a value taken away", []string{`displayName -`}, `{"op":"remove","path":"displayName"}`},
		{"a part of a complex value", []string{`name.givenName = "Babs"`}, `{"op":"replace","path":"name.givenName","value":"Babs"}`},
		{"an extension", []string{`enterprise:department = "Tours"`}, `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Tours"}`},
		{"another manager", []string{`enterprise:manager = "77"`}, `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value","value":"77"}`},
		{"a typed value", []string{`emails[type eq "work"].value = "b@example.com"`}, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"b@example.com"}`},
		{"a typed value that is not there", []string{`phoneNumbers[type eq "mobile"].value = "+49 170 1"`}, `{"op":"add","path":"phoneNumbers","value":[{"type":"mobile","value":"+49 170 1"}]}`},
		{"a typed value taken away", []string{`emails[type eq "home"].value -`}, `{"op":"remove","path":"emails[type eq \"home\"]"}`},
		{"the last value taken away", []string{`phoneNumbers[type eq "work"].value -`}, `{"op":"remove","path":"phoneNumbers"}`},
		{"a role more", []string{`roles += [{"value":"admin"},{"value":"agent"}]`}, `{"op":"add","path":"roles","value":[{"value":"agent"}]}`},
		{"a role instead", []string{`roles := [{"value":"agent"}]`}, `{"op":"replace","path":"roles","value":[{"value":"agent"}]}`},
		{"another primary: the directory takes it from the first", []string{`emails[type eq "home"].primary = true`}, `{"op":"add","path":"emails[type eq \"home\"].primary","value":true}`},
		{"a password is no difference", []string{`password = "secret"`}, ``},
		{"names in another order", []string{`title = "T"`, `displayName = "D"`}, `{"op":"replace","path":"displayName","value":"D"}
{"op":"add","path":"title","value":"T"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			object, err := scim.DecodeObject([]byte(bjensen))
			if err != nil {
				t.Fatal(err)
			}
			untouched := scim.Clone(object)
			rules := &Rules{Schema: scim.Builtin("User")}
			change := rules.Decide(wish(t, Upsert, tc.assignments...), &Current{ID: "2819", Object: object})
			if got := lines(t, change.Patch); got != tc.want {
				t.Errorf("sends\n%s\nwant\n%s", got, tc.want)
			}
			if (tc.want == "") != (change.Action == ActNothing) {
				t.Errorf("action %s", change.Action)
			}
			if diff := cmp.Diff(untouched, any(object)); diff != "" {
				t.Errorf("the resource that was passed in has changed:\n%s", diff)
			}
		})
	}
}

// TestOddComplexValuesAreLeftAlone holds resources that are not as the schema has
// them against a row that says nothing of it.
func TestOddComplexValuesAreLeftAlone(t *testing.T) {
	const enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	for _, tc := range []struct{ name, have string }{
		{"a text", `{"name": "Ann Lee"}`},
		{"a text in an extension", `{` + enterprise + `: {"manager": "26118915"}}`},
		{"parts that the schema does not know", `{"name": {"nobility": "Dr."}}`},
		{"nothing but the URI of a manager", `{` + enterprise + `: {"manager": {"$ref": "../Users/26118915"}}}`},
		{"nothing but what the directory says of a manager", `{` + enterprise + `: {"manager": {"displayName": "John Smith"}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have, err := scim.DecodeObject([]byte(tc.have))
			if err != nil {
				t.Fatal(err)
			}
			rules := &Rules{Schema: scim.Builtin("User")}
			change := rules.Decide(wish(t, Upsert, `title = "Tour Guide"`), &Current{ID: "2819", Object: have})
			if got, want := lines(t, change.Patch), `{"op":"add","path":"title","value":"Tour Guide"}`; got != want {
				t.Errorf("sends\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func wish(t *testing.T, op Op, assignments ...string) Wish {
	t.Helper()
	w := Wish{Op: op}
	for _, line := range assignments {
		w.Assignments = append(w.Assignments, assignment(t, line))
	}
	return w
}

func lines(t *testing.T, ops []scim.PatchOperation) string {
	t.Helper()
	var out []string
	for _, op := range ops {
		b := new(strings.Builder)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(op); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSuffix(strings.TrimSpace(b.String()), `,"value":null}`))
	}
	for i, line := range out {
		if !strings.HasSuffix(line, "}") {
			out[i] = line + "}"
		}
	}
	return strings.Join(out, "\n")
}

func TestDecide(t *testing.T) {
	for _, tc := range []struct {
		name    string
		op      Op
		rules   Rules
		wish    []string
		present bool
		want    Action
		reason  string
	}{
		{"upsert makes what is not there", Upsert, Rules{}, []string{`userName = "a"`}, false, ActCreate, ""},
		{"a create without a required attribute", Create, Rules{}, []string{`title = "T"`}, false, ActReject, "without userName"},
		{"create of what is there", Create, Rules{}, []string{`userName = "a"`}, true, ActReject, "in the directory already"},
		{"create of what is there, skipped", Create, Rules{OnExisting: ExistingSkip}, nil, true, ActSkip, "in the directory already"},
		{"create of what is there, updated", Create, Rules{OnExisting: ExistingUpdate}, []string{`title = "T"`}, true, ActUpdate, ""},
		{"patch of what is not there", Patch, Rules{}, []string{`title = "T"`}, false, ActReject, "there is none"},
		{"patch sends a password", Patch, Rules{}, []string{`password = "p"`}, true, ActUpdate, ""},
		{"replace of what is not there", Replace, Rules{}, nil, false, ActReject, "there is none"},
		{"replace by the same", Replace, Rules{}, []string{`displayName = "Babs Jensen"`}, true, ActNothing, ""},
		{"replace that clears the rest", Replace, Rules{Unmapped: UnmappedClear}, []string{`userName = "bjensen@example.com"`}, true, ActReplace, ""},
		{"delete", Delete, Rules{}, nil, true, ActDelete, ""},
		{"delete of what is not there", Delete, Rules{}, nil, false, ActSkip, "not in the directory"},
		{"deactivate", Deactivate, Rules{}, []string{`title = "ignored"`}, true, ActDeactivate, ""},
		{"deactivate of what is not there", Deactivate, Rules{}, nil, false, ActReject, "there is none"},
		{"a create where nothing can be created", Create, Rules{NoCreate: "they come from elsewhere"}, []string{`userName = "x"`}, false, ActReject, "elsewhere"},
		{"an upsert of what is there, where nothing can be created", Upsert, Rules{NoCreate: "they come from elsewhere"}, []string{`title = "T"`}, true, ActUpdate, ""},
		{"a delete where nothing can be deleted", Delete, Rules{NoDelete: "they stay"}, nil, true, ActReject, "they stay"},
		{"a delete of nobody, where nothing can be deleted", Delete, Rules{NoDelete: "they stay"}, nil, false, ActSkip, ""},
		{"an update to a directory without PATCH", Upsert, Rules{NoPatch: true}, []string{`title = "T"`}, true, ActUpdate, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var have *Current
			if tc.present {
				object, err := scim.DecodeObject([]byte(bjensen))
				if err != nil {
					t.Fatal(err)
				}
				have = &Current{ID: "2819", Version: `W/"1"`, Object: object}
			}
			tc.rules.Schema, tc.rules.Explain = scim.Builtin("User"), true
			c := tc.rules.Decide(wish(t, tc.op, tc.wish...), have)
			if c.Action != tc.want || !strings.Contains(c.Reason, tc.reason) {
				t.Errorf("%s (%s), want %s (%s)", c.Action, c.Reason, tc.want, tc.reason)
			}
			if tc.present && (c.ID != "2819" || c.Version != `W/"1"`) {
				t.Errorf("id %q, version %q", c.ID, c.Version)
			}
			if c.Action.Writes() && c.Action != ActDelete && len(c.Differences) == 0 {
				t.Error("a write without a difference to show")
			}
		})
	}
}

func TestReplaceKeepsWhatNoRowNames(t *testing.T) {
	object, err := scim.DecodeObject([]byte(strings.Replace(bjensen, `"active"`, `"urn:acme:2.0:User": {"badge": 9007199254740993}, "active"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	rules := &Rules{Schema: scim.Builtin("User")}
	c := rules.Decide(wish(t, Replace, `title = "T"`), &Current{ID: "2819", Object: object})
	got, err := scim.Encode(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"title":"T"`, `"badge":9007199254740993`, `"manager":{"value":"26118915"}`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for _, unwanted := range []string{`"meta"`, `"id"`, "John Smith", "nickName"} {
		if strings.Contains(string(got), unwanted) {
			t.Errorf("%s in %s", unwanted, got)
		}
	}
}

func TestMembersAreNeverReplaced(t *testing.T) {
	group, err := scim.DecodeObject([]byte(`{"displayName":"Sales","members":[{"value":"1","display":"One"},{"value":"2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rules := &Rules{Schema: scim.Builtin("Group")}
	c := rules.Decide(wish(t, Upsert, `members := [{"value":"2"},{"value":"3"}]`), &Current{Object: group})
	want := `{"op":"remove","path":"members[value eq \"1\"]"}
{"op":"add","path":"members","value":[{"value":"3"}]}`
	if got := lines(t, c.Patch); got != want {
		t.Errorf("sends\n%s\nwant\n%s", got, want)
	}
}
