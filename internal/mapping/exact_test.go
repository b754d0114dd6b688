package mapping

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/scim"
)

// TestCells shows the forms that values take in an export.
func TestCells(t *testing.T) {
	value := func(v any) scim.Object { return scim.Object{"value": v} }
	tests := []struct {
		name, path string
		v          any
		want       string
	}{
		{"plain text", "title", "Boss", "Boss"},
		{"a formula", "title", "=1+1", "'=1+1"},
		{"an apostrophe before a formula", "title", "'=1", "''=1"},
		{"an apostrophe of its own", "title", "'tis", "'tis"},
		{"a space at the end", "title", "Boss ", `json:"Boss "`},
		{"a no-break space", "title", "a\u00a0b", `json:"a\u00a0b"`},
		{"the clear token", "title", "#N/A", `json:"#N/A"`},
		{"a shortened number", "title", "1.2E+11", `json:"1.2E+11"`},
		{"an empty text", "title", "", `json:""`},
		{"line ends", "title", "a\nb", "a\nb"},
		{"line ends of two characters", "title", "a\r\nb", `json:"a\r\nb"`},
		{"what looks like such a cell", "title", "json:1", `json:"json:1"`},
		{"beyond the basic plane", "title", " 🙂", `json:" 🙂"`},
		{"a private character beyond it", "title", "\U000f0000 ", `json:"\udb80\udc00 "`},
		{"a number where text belongs", "title", scim.Number("5"), "5"},
		{"a number where a boolean belongs", "active", scim.Number("5"), "json:5"},
		{"a boolean", "active", true, "true"},
		{"a boolean as text", "active", "True", "True"},
		{"a word for a boolean", "active", "yes", `json:"yes"`},
		{"values", "roles", []any{value("a"), value("b")}, "a|b"},
		{"values with a bar", "roles", []any{value("a|b")}, `[{"value":"a|b"}]`},
		{"a formula among values", "roles", []any{value("=a"), value("b")}, "'=a|b"},
		{"the clear token among values", "roles", []any{value("#N/A")}, `[{"value":"#N/A"}]`},
		{"a shortened number among values", "roles", []any{value("1.2E+11")}, `[{"value":"1.2E+11"}]`},
		{"texts where objects belong", "roles", []any{"a"}, `json:["a"]`},
		{"a date of the directory's own", "meta.created", "2024-01-01", "2024-01-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewColumns(scim.Builtin("User"))
			if got := c.field(tt.path).text(tt.v); got != tt.want {
				t.Errorf("%s is written %s, want %s", tt.path, got, tt.want)
			}
		})
	}
}

// TestExactCellsInMappings says what a mapping file makes of such a cell.
func TestExactCellsInMappings(t *testing.T) {
	for _, tt := range []struct{ entry, cell, want string }{
		{"title: C", `json:" x"`, `title = " x"`},
		{"title: {column: C, transform: upper}", `json:" x"`, `title = " X"`},
		{"title: =c + \"!\"", `json:" x"`, `title = " x!"`},
		{"title: C", `json:"#N/A"`, `title = "#N/A"`},
		{"title: C", "json:5", `title = "5"`},
		{"title: C", "json: is a format", `title = "json: is a format"`},
		{"title: C", "json:null", `title = "json:null"`},
	} {
		got, err := mapOne(t, tt.entry, tt.cell)
		if err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s of %s: %q %v, want %s", tt.entry, tt.cell, got, err, tt.want)
		}
	}
}

func TestTextCell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(" '=\u00a0\u200b\r\na#N/A")))).Draw(t, "text")
		if got := Clean(TextCell(s)); got != s {
			t.Fatalf("%q is written %q and read %q", s, TextCell(s), got)
		}
	})
}

// TestLost names what no column can hold, and nothing else.
func TestLost(t *testing.T) {
	c := NewColumns(scim.Builtin("User"))
	c.Add(scim.Object{
		"schemas": []any{scim.UserURN}, "id": "1", "userName": "ann", "name": scim.Object{"givenName": "Ann", "nobility": "Dr."}, "shoeSize": scim.Number("38"),
		"urn:acme:badge": scim.Object{"a": "b"}, scim.EnterpriseURN: scim.Object{"desk": "7", "manager": "x"}, "emails": []any{scim.Object{"value": "x", "note": "y"}}, "nothing": nil,
	})
	want := []string{"enterprise:desk", "enterprise:manager", "name.nobility", "shoeSize", "urn:acme:badge"}
	if got := c.Lost(); !slices.Equal(got, want) {
		t.Errorf("lost %q, want %q", got, want)
	}
}

// TestCellsAreDocumented holds the table of docs/csv.md to what is written.
func TestCellsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "csv.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := NewColumns(scim.Builtin("User"))
	for _, row := range []struct{ shown, path, value string }{
		{"`Boss`", "title", "Boss"}, {"`=1+1`", "title", "=1+1"}, {"`'=1`", "title", "'=1"}, {"`Boss `", "title", "Boss "}, {"`#N/A`", "title", "#N/A"},
		{"`1.2E+11`", "title", "1.2E+11"}, {"an empty text", "title", ""}, {"`yes` in a boolean", "active", "yes"}, {"`json:1`", "title", "json:1"},
	} {
		if line := "| " + row.shown + " | `" + c.field(row.path).text(row.value) + "` |"; !strings.Contains(string(text), line) {
			t.Errorf("docs/csv.md has no line %s", line)
		}
	}
}
