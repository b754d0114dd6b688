package scim

import (
	"testing"

	"pgregory.net/rapid"
)

// TestCanonicalIsEqual: two values have one canonical form when, and only when,
// they mean the same to a directory.
func TestCanonicalIsEqual(t *testing.T) {
	user := Builtin("User").Core
	values := map[string]*rapid.Generator[any]{
		"title":    texts("Lead", "lead", "", "Agent"),
		"userName": texts("ann@example.com", "Ann@Example.com", "bob@example.com"),
		"active":   rapid.SampledFrom([]any{true, false, "True", "false", nil}),
		"emails": lists(map[string][]any{
			"value": {"a@b.c", "A@B.c", "d@e.f"}, "type": {"work", "home", nil}, "primary": {true, false, nil},
		}),
		"phoneNumbers": lists(map[string][]any{
			"value": {"+49 30 123", "tel:+4930123", "030 123"}, "type": {"work", nil},
		}),
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"title", "userName", "active", "emails", "phoneNumbers"}).Draw(t, "attribute")
		a, b := values[name].Draw(t, "a"), values[name].Draw(t, "b")
		attr := user.Attribute(name)
		if same := canonicalJSON(t, attr, a) == canonicalJSON(t, attr, b); same != Equal(attr, a, b) {
			t.Fatalf("%s: %v and %v are equal: %v, their canonical forms: %v", name, a, b, !same, same)
		}
	})
}

func texts(all ...any) *rapid.Generator[any] { return rapid.SampledFrom(append(all, nil)) }

// lists makes lists of objects with the given members.
func lists(members map[string][]any) *rapid.Generator[any] {
	element := rapid.Custom(func(t *rapid.T) any {
		o := Object{}
		for _, name := range []string{"value", "type", "primary"} {
			if choices := members[name]; choices != nil {
				if v := rapid.SampledFrom(choices).Draw(t, name); v != nil {
					o[name] = v
				}
			}
		}
		return o
	})
	return rapid.Map(rapid.SliceOfN(element, 0, 3), func(list []any) any { return list })
}

func canonicalJSON(t *rapid.T, attr *Attribute, v any) string {
	text, err := Encode(Canonical(attr, v))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
