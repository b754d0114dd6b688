package report

import (
	"testing"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// TestTaken counts the values that changes take away from lists.
func TestTaken(t *testing.T) {
	list := func(values ...string) []any {
		var all []any
		for _, v := range values {
			all = append(all, scim.Object{"value": v})
		}
		return all
	}
	phone := func(kind, number string) any { return scim.Object{"type": kind, "value": number} }
	tests := []struct {
		name    string
		changes [][]plan.Difference
		want    string
	}{
		{name: "nothing", changes: [][]plan.Difference{{{Path: "title", Old: "a"}}, {{Path: "roles", New: list("x")}}}},
		{
			name:    "some and all of a list",
			changes: [][]plan.Difference{{{Path: "roles", Old: list("x", "y", "z"), New: list("y")}}, {{Path: "roles", Old: list("x")}}},
			want:    "values taken away: 3 of roles (2 users)",
		},
		{
			name:    "one for another",
			changes: [][]plan.Difference{{{Path: "roles", Old: list("x"), New: list("q")}}},
			want:    "values taken away: 1 of roles (1 user)",
		},
		{
			name: "a new number in the place of the old one",
			changes: [][]plan.Difference{
				{{Path: "phoneNumbers", Old: []any{phone("work", "1"), phone("home", "2")}, New: []any{phone("work", "3")}}},
				{{Path: `phoneNumbers[type eq "work"].value`, Old: "1", New: "2"}},
			},
			want: "values taken away: 1 of phoneNumbers (1 user)",
		},
		{
			name: "one for several of its type",
			changes: [][]plan.Difference{
				{{Path: "entitlements", Old: []any{phone("app", "1"), phone("app", "2"), phone("app", "3")}, New: []any{phone("app", "4")}}},
			},
			want: "values taken away: 3 of entitlements (1 user)",
		},
		{
			name: "one that stays, of the type of one that comes",
			changes: [][]plan.Difference{
				{{Path: "entitlements", Old: []any{phone("app", "1"), phone("app", "2")}, New: []any{phone("app", "2"), phone("app", "9")}}},
			},
			want: "values taken away: 1 of entitlements (1 user)",
		},
		{
			name: "one that a filter singles out, beside others",
			changes: [][]plan.Difference{{
				{Path: `emails[type eq "work"].value`, Old: "a@x"}, {Path: `emails[type eq "home"].value`, Old: "b@x"}, {Path: "roles", Old: list("a", "b", "c")},
			}},
			want: "values taken away: 3 of roles (1 user), 2 of emails (1 user)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sum taken
			for _, differences := range tt.changes {
				sum.add(differences)
			}
			if got := takenText(sum.mostFirst(), "user"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
