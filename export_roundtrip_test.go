package scimbulk_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// oddNames are what spreadsheets, CSV and JSON make much of.
var oddNames = []string{`"Ann", said Bob`, "two\nlines", "🙂 ẞ", "=HYPERLINK(1)", "-1+1", "007", "a|b", "[1,2]", " padded ", "@x", "#N/A"}

// TestEverythingExportedChangesNothing: users, groups and memberships of a whole
// export, in either format and dialect, are import files that ask for nothing.
func TestEverythingExportedChangesNothing(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serveSandbox(t, "--seed", "60", "--dialect", dialect)
			target := []string{"--url", s.url, "--provider", dialect}
			run := func(code int, args ...string) outcome { return wants(t, code, dir, append(args, target...)...) }

			run(0, "import", oddPeople(t, dir, dialect), "--quiet")
			if dialect == "rfc" {
				run(0, "export", "users", "--out", "people.jsonl", "--quiet")
				run(0, "import", oddGroups(t, dir), "--resource", "Group", "--quiet")
			}
			for _, format := range []string{"csv", "jsonl"} {
				run(0, "export", "all", "--out", format, "--format", format, "--quiet")
				before := len(s.events(t))
				for _, file := range []string{"users." + format, "groups." + format, "memberships.csv"} {
					args := []string{"import", filepath.Join(format, file), "--json"}
					if strings.HasPrefix(file, "groups.") {
						args = append(args, "--resource", "Group")
					}
					rows := parseSummary(t, []byte(run(0, args...).out)).Rows
					if rows["read"] == 0 || rows["unchanged"] != rows["read"] {
						t.Errorf("%s: %v, want all unchanged", file, rows)
					}
				}
				if sent := s.writes(t, before); len(sent) > 0 {
					t.Errorf("importing the %s files sent %v", format, sent)
				}
			}
		})
	}
}

// oddPeople is a file of people with odd values, none, and several.
func oddPeople(t *testing.T, dir, dialect string) string {
	t.Helper()
	var lines strings.Builder
	for i, name := range oddNames {
		who := map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "odd" + string(rune('a'+i)) + "@example.com",
			"displayName": "Odd " + name, "title": name, "active": i%3 > 0,
		}
		if dialect == "rfc" {
			who["emails"] = []any{
				map[string]any{"value": "one@example.com", "type": "work"}, map[string]any{"value": "two@example.com", "type": "work"},
				map[string]any{"value": name, "type": "other"},
			}[:i%4]
		}
		appendLine(t, &lines, who)
	}
	path := filepath.Join(dir, "odd.jsonl")
	write(t, path, lines.String())
	return path
}

// oddGroups is a file of groups with odd names, whose members are whoever is
// there, nobody among them.
func oddGroups(t *testing.T, dir string) string {
	t.Helper()
	people := resources(t, filepath.Join(dir, "people.jsonl"))
	var lines strings.Builder
	for i, name := range oddNames {
		members := []any{}
		for _, p := range people[:i] {
			members = append(members, map[string]any{"value": at("id")(p)})
		}
		appendLine(t, &lines, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name, "members": members,
		})
	}
	path := filepath.Join(dir, "odd-groups.jsonl")
	write(t, path, lines.String())
	return path
}

func appendLine(t *testing.T, lines *strings.Builder, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	lines.Write(append(text, '\n'))
}
