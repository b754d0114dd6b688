package scimbulk_test

import (
	"context"
	"encoding/csv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// oddTexts are values that spreadsheets, text hygiene, the clear token or the
// layout of a CSV file could change.
var oddTexts = []string{
	" lead", "trail ", "\u00a0", "a\u00a0b", "z\u200bw", "\ufeffb", "soft\u00adhyphen", "a\u2028b", "'tis", "'=x", "''=x", "=1+1", "+49 30", "-1", "@x", "\t=x",
	"#N/A", "a\r\nb", "a\nb", "a\rb", "\r", "\n", "a|b", "|", "[x]", "[", "{}", "json:1", `json:"x"`, "1.2E+11", "true", "False", "yes", "007", "", "\x00", "\x7f", "\ufffd",
	"a;b,c\td", `"q"`, `say "hi"`, "sep=;", "🙂", "ẞ", "x", "Work", "1e400", "2024-01-01",
}

func drawOddText(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom(oddTexts), rapid.StringOfN(rapid.SampledFrom([]rune("ab \u00a0\u200b'=|#[{\r\n\"")), 0, 6, -1), rapid.String()).Draw(t, "text")
}

// drawSimple draws what a server may hold where a schema says string, boolean or
// number, which is not always that.
func drawSimple(t *rapid.T) any {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return rapid.Bool().Draw(t, "bool")
	case 1:
		return scim.Number(rapid.SampledFrom([]string{"5", "1.50", "-0", "1e3", "9007199254740993", "1e400"}).Draw(t, "number"))
	case 2:
		return nil
	}
	return drawOddText(t)
}

func drawElements(t *rapid.T, types []string) any {
	list := []any{}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "elements") {
		e := scim.Object{"value": drawSimple(t)}
		for _, name := range []string{"display", "note"} {
			if rapid.IntRange(0, 3).Draw(t, name) == 0 {
				e[name] = drawSimple(t)
			}
		}
		if typ := rapid.SampledFrom(append(types, "")).Draw(t, "type"); typ != "" {
			e["type"] = typ
		}
		if rapid.IntRange(0, 4).Draw(t, "primary") == 0 {
			e["primary"] = !seen["primary"]
			seen["primary"] = true
		}
		text, err := scim.Encode(e["value"])
		if err != nil {
			t.Fatal(err)
		}
		// A value stands in a list once (RFC 7643 §2.4), and false is "False".
		if key := strings.ToLower(strings.Trim(string(text), `"`)); e["value"] == nil || seen[key] {
			continue
		} else {
			seen[key] = true
		}
		list = append(list, e)
	}
	return list
}

func drawResource(t *rapid.T, id string) scim.Object {
	o := scim.Object{"id": id, "userName": "u" + id, "meta": scim.Object{"resourceType": "User", "created": "2024-01-01T00:00:00Z"}, "schemas": []any{scim.UserURN}}
	maybe := func(name string, in scim.Object, draw func() any) {
		if rapid.IntRange(0, 2).Draw(t, name) == 0 {
			in[name] = draw()
		}
	}
	simple := func() any { return drawSimple(t) }
	for _, name := range []string{"title", "displayName", "nickName", "active", "externalId"} {
		maybe(name, o, simple)
	}
	name := scim.Object{}
	maybe("givenName", name, simple)
	maybe("familyName", name, simple)
	maybe("name", o, func() any { return name })
	types := []string{"work", "home", "Work", "WORK", "my type", "other"}
	for _, attr := range []string{"emails", "phoneNumbers", "roles", "entitlements"} {
		maybe(attr, o, func() any { return drawElements(t, types) })
	}
	maybe("photos", o, func() any { return []any{"plain", drawOddText(t) + "?"} })
	enterprise := scim.Object{}
	maybe("department", enterprise, simple)
	maybe("manager", enterprise, func() any { return scim.Object{"value": drawOddText(t), "displayName": "x"} })
	maybe(scim.EnterpriseURN, o, func() any { return enterprise })
	maybe(scim.GenesysURN, o, func() any {
		return scim.Object{"routingSkills": []any{scim.Object{"name": drawOddText(t) + "s", "proficiency": scim.Number("4.0")}}}
	})
	return o
}

// TestExportsComeBack says that importing an export sends no write, whatever the
// values, and that into an empty directory it brings the same people.
func TestExportsComeBack(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var people []scim.Object
		for i := range rapid.IntRange(1, 3).Draw(t, "people") {
			people = append(people, drawResource(t, string(rune('1'+i))))
		}
		checkRoundTrip(t, dir, people, true)
	})
}

// TestGroupsComeBack says the same of groups: they are known by their columns,
// and a list of members that came back takes nobody away.
func TestGroupsComeBack(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		members := []any{}
		for _, id := range rapid.SliceOfNDistinct(rapid.OneOf(rapid.SampledFrom(oddTexts), rapid.String()), 0, 4, rapid.ID).Draw(t, "members") {
			if id != "" {
				members = append(members, scim.Object{"value": id, "type": "User", "$ref": "../Users/" + id})
			}
		}
		group := scim.Object{"id": "1", "displayName": drawOddText(t), "members": members, "externalId": drawSimple(t)}
		checkRoundTripOf(t, dir, scim.Builtin("Group"), []scim.Object{group}, false)
	})
}

// TestStrangersAreLeftAlone says the same of resources with what no column can
// hold: an import changes nothing of it.
func TestStrangersAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	strange := map[string]any{
		"shoeSize": scim.Number("38"), "name": "Ann Lee", "urn:acme:badge": scim.Object{"number": "7"}, scim.EnterpriseURN: "none",
		"emails": "a@x.org", "roles": []any{nil, []any{"x"}, scim.Object{"value": scim.Object{"a": "b"}}}, "title": []any{"a", "b"}, "addresses": scim.Object{"type": "work", "locality": "Ulm", "country": nil},
		"phoneNumbers": []any{scim.Object{"type": "work"}, scim.Object{"display": "x"}}, "nickName": scim.Object{"a": scim.Number("1")}, "active": "perhaps",
	}
	rapid.Check(t, func(t *rapid.T) {
		o := drawResource(t, "1")
		for _, name := range slices.Sorted(maps.Keys(strange)) { // in one order, or no failure could be brought about again
			if rapid.IntRange(0, 3).Draw(t, name) == 0 {
				o[name] = strange[name]
			}
		}
		if _, ok := o["name"].(scim.Object); ok {
			o["name"].(scim.Object)["nobility"] = "Dr."
		}
		checkRoundTrip(t, dir, []scim.Object{o}, false)
	})
}

func checkRoundTrip(t *rapid.T, dir string, people []scim.Object, alsoEmpty bool) {
	checkRoundTripOf(t, dir, scim.Builtin("User"), people, alsoEmpty)
}

func checkRoundTripOf(t *rapid.T, dir string, schema *scim.ResourceSchema, people []scim.Object, alsoEmpty bool) {
	path := writeExport(t, dir, schema, people)
	in, err := rows.Open(path, rows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	m, err := mapping.Auto(in.Header(), nil, "").Compile(in.Header(), false, mapping.Options{Input: "export.csv"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Resource() != schema.Resource {
		t.Fatalf("an export of %ss is taken for one of %ss", schema.Resource, m.Resource())
	}
	if unmapped := m.Unmapped(); len(unmapped) > 0 {
		t.Fatalf("columns of our own that map to nothing: %q", unmapped)
	}
	rules, mapper, n := plan.Rules{Schema: schema}, m.NewMapper(), 0
	for row, err := range in.Rows(context.Background()) {
		if err != nil || row.Err != nil {
			t.Fatal(err, row.Err)
		}
		record, err := mapper.Map(&row)
		if err != nil {
			t.Fatalf("%v\n%q\n%q", err, in.Header(), row.Cells)
		}
		have := people[n]
		n++
		wish := plan.Wish{Op: plan.Upsert, Assignments: record.Assignments}
		if c := rules.Decide(wish, &plan.Current{ID: record.Key, Object: have}); c.Action != plan.ActNothing || record.Key != have["id"] {
			t.Fatalf("%s %+v %s\n%q\n%q", c.Action, c.Patch, c.Reason, in.Header(), row.Cells)
		}
		if alsoEmpty {
			c := rules.Decide(wish, nil)
			if c.Action != plan.ActCreate || !sameApart(c.Body, have) {
				t.Fatalf("created %v\nout of %v\n%s\n%q\n%q", c.Body, have, c.Reason, in.Header(), row.Cells)
			}
		}
	}
	if n != len(people) {
		t.Fatalf("%d rows of %d people", n, len(people))
	}
}

// TestWholeResourcesComeBack says that importing an export of whole resources
// sends no write, whatever the values.
func TestWholeResourcesComeBack(t *testing.T) {
	schema := scim.Builtin("User")
	path := filepath.Join(t.TempDir(), "export.jsonl")
	rapid.Check(t, func(t *rapid.T) {
		o := drawResource(t, "1")
		if _, truth := o["active"].(bool); !truth {
			o["active"] = rapid.SampledFrom([]any{"True", "false", nil}).Draw(t, "active")
		}
		delete(o, "photos") // texts where objects belong are made objects
		text, err := scim.Encode(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := rows.Open(path, rows.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		m, err := mapping.Auto(in.Header(), in.Schemas(), "").Compile(in.Header(), in.Nested(), mapping.Options{Input: "export.jsonl"})
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range in.Rows(context.Background()) {
			if err != nil || row.Err != nil {
				t.Fatal(err, row.Err)
			}
			record, err := m.NewMapper().Map(&row)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			rules := plan.Rules{Schema: schema}
			if c := rules.Decide(plan.Wish{Op: plan.Upsert, Assignments: record.Assignments}, &plan.Current{ID: record.Key, Object: o}); c.Action != plan.ActNothing {
				t.Fatalf("%s %+v %s\n%s", c.Action, c.Patch, c.Reason, text)
			}
		}
	})
}

func writeExport(t *rapid.T, dir string, schema *scim.ResourceSchema, people []scim.Object) string {
	columns := mapping.NewColumns(schema)
	for _, o := range people {
		columns.Add(o)
	}
	path := filepath.Join(dir, "export.csv")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := csv.NewWriter(file)
	lines := [][]string{columns.Header()}
	for _, o := range people {
		lines = append(lines, columns.Cells(o, lines[0]))
	}
	for _, cell := range slices.Concat(lines...) {
		if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "+") || strings.HasPrefix(cell, "-") || strings.HasPrefix(cell, "@") {
			t.Fatalf("a spreadsheet would run %q", cell)
		}
	}
	if err := w.WriteAll(lines); err != nil {
		t.Fatal(err)
	}
	return path
}

// sameApart says whether two resources are the same apart from what the
// directory decides.
func sameApart(a, b scim.Object) bool {
	strip := func(o scim.Object) scim.Object {
		o = scim.Clone(o).(scim.Object)
		for _, name := range []string{"id", "meta", "schemas"} {
			delete(o, name)
		}
		if e, ok := o[scim.EnterpriseURN].(scim.Object); ok {
			if m, ok := e["manager"].(scim.Object); ok {
				delete(m, "displayName")
			}
		}
		return o
	}
	return scim.Equal(nil, strip(a), strip(b))
}
