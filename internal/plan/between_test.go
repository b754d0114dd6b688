package plan

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/scim"
)

// TestBetween makes one state of a resource another: the operations lead from
// the old one to the new one, whatever the two are.
func TestBetween(t *testing.T) {
	for _, resource := range []string{"User", "Group"} {
		t.Run(resource, func(t *testing.T) {
			r := &Rules{Schema: scim.Builtin(resource)}
			rapid.Check(t, func(t *rapid.T) {
				old, now := drawState(t, resource, "old"), drawState(t, resource, "new")
				r.Comparable(old)
				r.Comparable(now)
				c := r.Between(&Current{ID: "1", Version: "v", Object: old}, now)
				if c.Action == ActNothing {
					if again := r.Between(&Current{Object: now}, old); again.Action != ActNothing {
						t.Fatalf("nothing one way, %v the other", again.Differences)
					}
					return
				}
				if c.Action != ActUpdate || c.ID != "1" || c.Version != "v" || len(c.Differences) == 0 {
					t.Fatalf("%s of %q with %d differences", c.Action, c.ID, len(c.Differences))
				}
				after, err := r.patched(old, c.Patch)
				if err != nil {
					t.Fatal(err)
				}
				if left := r.Between(&Current{Object: after}, now); left.Action != ActNothing {
					t.Fatalf("from %v\nto %v\nthe operations %v\nleave %v", old, now, c.Patch, left.Differences)
				}
			})
		})
	}
}

// drawState makes a resource of what directories hold.
func drawState(t *rapid.T, resource, name string) scim.Object {
	word := rapid.SampledFrom([]string{"a", "b", "c", "Ä", ""})
	maybe := func(o scim.Object, attr string, v any) {
		if rapid.Bool().Draw(t, name+" has "+attr) {
			o[attr] = v
		}
	}
	o := scim.Object{"id": "1", "schemas": []any{scim.UserURN}, "meta": scim.Object{"version": word.Draw(t, name+" version")}}
	if resource == "Group" {
		o["displayName"] = word.Draw(t, name)
		maybe(o, "members", drawList(t, name+" members", func(i int) scim.Object {
			return scim.Object{"value": fmt.Sprint(i), "type": "User", "$ref": "../Users/x", "display": word.Draw(t, name+" display")}
		}))
		return o
	}
	o["userName"] = word.Draw(t, name)
	maybe(o, "title", word.Draw(t, name+" title"))
	maybe(o, "active", rapid.Bool().Draw(t, name+" active"))
	maybe(o, "password", word.Draw(t, name+" password"))
	maybe(o, "name", scim.Object{"givenName": word.Draw(t, name+" given"), "familyName": nil})
	maybe(o, "emails", drawList(t, name+" emails", func(i int) scim.Object {
		return scim.Object{"value": fmt.Sprintf("%d@example.com", i), "type": []string{"work", "home", "other"}[i%3], "primary": false}
	}))
	maybe(o, "roles", drawList(t, name+" roles", func(i int) scim.Object { return scim.Object{"value": fmt.Sprint("role", i)} }))
	maybe(o, scim.EnterpriseURN, scim.Object{
		"department": word.Draw(t, name+" department"),
		"manager":    scim.Object{"value": word.Draw(t, name+" manager"), "$ref": "../Users/x", "displayName": "Boss"},
	})
	return o
}

func drawList(t *rapid.T, name string, value func(i int) scim.Object) []any {
	var list []any
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 0, 4, rapid.ID[int]).Draw(t, name) {
		list = append(list, value(i))
	}
	return list
}

func TestBetweenSomethingAndNothing(t *testing.T) {
	r := &Rules{Schema: scim.Builtin("User")}
	person := scim.Object{"id": "1", "userName": "a", "meta": scim.Object{"version": "v"}, "title": nil,
		scim.EnterpriseURN: scim.Object{"department": "Sales"}}
	c := r.Between(nil, person)
	if c.Action != ActCreate || c.Body["id"] != nil || c.Body["meta"] != nil || len(asList(c.Body["schemas"])) != 2 {
		t.Errorf("%s with the body %v", c.Action, c.Body)
	}
	if _, there := c.Body["title"]; there {
		t.Error("a create sends null")
	}
	if c := r.Between(&Current{ID: "1"}, nil); c.Action != ActDelete || c.ID != "1" {
		t.Errorf("%s of %q", c.Action, c.ID)
	}
	r.NoCreate, r.NoDelete = "cannot create", "cannot delete"
	if c := r.Between(nil, person); c.Action != ActReject || c.Reason != r.NoCreate {
		t.Errorf("%s: %s", c.Action, c.Reason)
	}
	if c := r.Between(&Current{ID: "1"}, nil); c.Action != ActReject || c.Reason != r.NoDelete {
		t.Errorf("%s: %s", c.Action, c.Reason)
	}
}

// TestPartsCarry takes every part from one state to another, after which the two
// are the same.
func TestPartsCarry(t *testing.T) {
	r := &Rules{Schema: scim.Builtin("User")}
	parts := r.Parts()
	rapid.Check(t, func(t *rapid.T) {
		old, now := drawState(t, "User", "old"), drawState(t, "User", "new")
		r.Comparable(old)
		r.Comparable(now)
		for i := range parts {
			parts[i].Carry(old, now)
		}
		if c := r.Between(&Current{Object: old}, now); c.Action != ActNothing {
			t.Fatalf("still different: %v", c.Differences)
		}
	})
	for _, p := range parts {
		for _, never := range []string{"id", "meta", "groups", "schemas", "password", "enterprise:manager.$ref"} {
			if p.Name() == never {
				t.Errorf("%s is compared", never)
			}
		}
	}
}
