package scimbulk_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestOddValuesSurviveTheRoundTrip: what a directory holds is what its export
// asks for, however little a cell is made for it.
func TestOddValuesSurviveTheRoundTrip(t *testing.T) {
	for _, c := range []struct{ name, title string }{
		{"a formula", "=SUM(A1)"},
		{"a sign", "-1+1"},
		{"a guarded formula", "'=x"},
		{"digits", "007"},
		{"a list", "[1,2]"},
		{"a separator", "a|b"},
		{"quotes", `"q", r`},
		{"two lines", "line\nbreak"},
		{"two lines as Windows has them", "line\r\nbreak"},
		{"spaces around", "  padded  "},
		{"a no-break space", "no\u00a0break"},
		{"a zero-width space", "zero\u200bwidth"},
		{"the clear token", "#N/A"},
		{"a number in short", "1.2E+11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			who, err := json.Marshal(map[string]any{
				"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "odd@example.com", "title": c.title,
			})
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "odd.jsonl"), string(who)+"\n")
			wants(t, 0, dir, "import", "odd.jsonl", "--sandbox")
			for _, file := range []string{"out.csv", "out.jsonl"} {
				wants(t, 0, dir, "export", "users", "--sandbox", "--out", file)
				wants(t, 0, dir, "import", file, "--sandbox", "--run-dir", file+".run")
				if rows := readSummary(t, filepath.Join(dir, file+".run")).Rows; rows["unchanged"] != 1 {
					t.Errorf("%s imported where it came from: %v, want 1 unchanged", file, rows)
				}
			}
			wants(t, 0, dir, "export", "users", "--sandbox", "--out", "after.jsonl")
			if got := at("title")(resources(t, filepath.Join(dir, "after.jsonl"))[0]); got != c.title {
				t.Errorf("the title was %q and is %q", c.title, got)
			}
		})
	}
}

// TestNobodyExportedIsNobodyImported: the export of an empty directory is an
// import file too.
func TestNobodyExportedIsNobodyImported(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"nobody.csv", "nobody.jsonl"} {
		wants(t, 0, dir, "export", "users", "--sandbox", "--out", file)
		got := wants(t, 0, dir, "import", file, "--sandbox", "--json")
		if rows := parseSummary(t, []byte(got.out)).Rows; rows["read"] != 0 {
			t.Errorf("%s: %v, want no rows", file, rows)
		}
	}
}
