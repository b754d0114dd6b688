package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

func TestGroupsOfARow(t *testing.T) {
	tests := []struct {
		name, entry, cell string
		want              string // Ref: mode, names, by or on-missing
		fault             string
	}{
		{name: "split", entry: `groups: {column: C, split: "|"}`, cell: "Sales | Support||", want: `groups += Group.displayName ["Sales" "Support"] or skip`},
		{name: "a column alone is one name", entry: `groups: C`, cell: "Sales|Support", want: `groups += Group.displayName ["Sales|Support"] or skip`},
		{name: "a list of an expression", entry: `groups: '=c == "x" ? ["All", "X"] : ["All"]'`, cell: "x", want: `groups += Group.displayName ["All" "X"] or skip`},
		{name: "a text of an expression", entry: `groups: ="Team " + c`, cell: "7", want: `groups += Group.displayName ["Team 7"] or skip`},
		{name: "an expression that is split", entry: `groups: {expr: 'c + ",Staff"', split: ","}`, cell: "Sales", want: `groups += Group.displayName ["Sales" "Staff"] or skip`},
		{name: "by externalId", entry: `groups: {column: C, ref: Group.externalid, on-missing: reject}`, cell: "g7", want: `groups += Group.externalId ["g7"] or reject`},
		{name: "by id, replacing", entry: `groups: {column: C, ref: Group.id, mode: replace}`, cell: "7", want: `groups := Group.id ["7"] or skip`},
		{name: "a blank says nothing", entry: `groups: C`},
		{name: "the clear token, replacing", entry: `groups: {column: C, mode: replace}`, cell: "#N/A", want: `groups := Group.displayName [] or skip`},
		{name: "the clear token, adding", entry: `groups: C`, cell: "#N/A",
			fault: "people.csv:2: C: #N/A would take the person out of all groups, and the mapping only adds to them (leave the cell blank, or write mode: replace in the mapping)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := mapOne(t, tt.entry, tt.cell)
			if fmt.Sprint(err) != tt.fault && (err != nil || tt.fault != "") {
				t.Fatalf("fault %v, want %q", err, tt.fault)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, ", ")); tt.fault == "" && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLeaversNeedNoGroups: what a row that takes somebody away says of groups
// does not count.
func TestLeaversNeedNoGroups(t *testing.T) {
	m, err := compileText("op: Do\nattributes:\n  userName: K\n  groups: C\n", []string{"K", "C", "Do"}, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"delete", "deactivate"} {
		rec, err := m.NewMapper().Map(&rows.Row{Line: 2, Cells: []string{"ann", "#N/A", op}})
		if err != nil || len(rec.Refs) > 0 {
			t.Errorf("%s: %v, %v", op, rec.Refs, err)
		}
	}
}

func TestGroupsLaidOut(t *testing.T) {
	ann := scim.Object{"userName": "ann", "groups": []any{
		scim.Object{"value": "1", "display": "Sales"}, scim.Object{"value": "2", "display": "Europe", "type": "indirect"},
		scim.Object{"value": "3", "display": "Support", "type": "direct"},
	}}
	tests := []struct{ name, entry, cell, lost string }{
		{"by name", `{column: Groups, split: "|"}`, "Sales|Support", ""},
		{"by id", `{column: Groups, split: "|", ref: Group.id}`, "1|3", ""},
		{"one column for several", `Groups`, "Sales", `"Groups" (1 cell)`},
		{"a separator within a name", `{column: Groups, split: "p"}`, "Sales", `"Groups" (1 cell)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("m.yaml", []byte("attributes:\n  userName: Login\n  groups: "+tt.entry+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := f.Reverse(Options{})
			if err != nil {
				t.Fatal(err)
			}
			r.Add(ann)
			if got := r.Cells(ann, r.Header())[1]; got != tt.cell {
				t.Errorf("cell %q, want %q", got, tt.cell)
			}
			if got := strings.Join(r.Lost(), ", "); got != tt.lost {
				t.Errorf("lost %q, want %q", got, tt.lost)
			}
		})
	}
}
