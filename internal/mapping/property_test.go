package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// FuzzMapping says that no bytes of a mapping file, and no cell, make anything
// panic, and that every fault says where it is.
func FuzzMapping(f *testing.F) {
	f.Add([]byte(benchMapping), "Ann")
	f.Add([]byte(rowMapping), "a:b,c")
	for _, s := range []string{
		"attributes:\n  userName: A\n  title: '=a[0:2] + row[\"B c\"]'\n", "match: id\nattributes:\n  id: A\n",
		"op: =a\nattributes:\n  userName: A\n  roles: {column: B c, split: ',', mode: replace}\n",
		"attributes:\n  userName: A\n  title: {value: &x [*x]}\n", "attributes: {userName: =let x = a; x + x}\n",
		"resource: Group\nattributes:\n  displayName: A\n  members: {column: B c, ref: User.userName, split: ';'}\n",
		"attributes:\n  userName: A\n  enterprise:dateHire: {column: B c, format: DD/MM/YYYY, when: a != ''}\n",
	} {
		f.Add([]byte(s), "[1,{\"value\":2}]")
	}
	header := []string{"A", "B c", "Work Email", "First Name", "Last Name", "", "a"}
	f.Fuzz(func(t *testing.T, text []byte, cell string) {
		file, err := Parse("m.yaml", text)
		if err != nil {
			checkFaults(t, err)
			return
		}
		m, err := file.Compile(header, false, Options{Input: "x.csv"})
		if err != nil {
			checkFaults(t, err)
			return
		}
		mapper := m.NewMapper()
		rec, err := mapper.Map(&rows.Row{Line: 2, Cells: []string{cell, cell, "", cell, "x", cell, ""}})
		if _, ok := err.(*RowError); err != nil && !ok {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil && rec.Key == "" {
			t.Fatal("a record without a key, and no error")
		}
		for _, a := range rec.Assignments {
			if _, err := scim.Encode(a.Value); err != nil && utf8.ValidString(cell) && utf8.Valid(text) {
				t.Fatalf("%s: %#v is no JSON: %v", a.Target.Path, a.Value, err)
			}
		}
	})
}

func checkFaults(t *testing.T, err error) {
	faults, ok := err.(Faults)
	if !ok || len(faults) == 0 {
		t.Fatalf("%T: %v", err, err)
	}
	for i := range faults {
		if f := &faults[i]; f.File == "" || f.Message == "" || f.Line < 0 || f.Column < 0 || strings.Contains(f.Message, "\x00") {
			t.Fatalf("%+v", f)
		}
	}
}

// FuzzResource says the same of whole resources.
func FuzzResource(f *testing.F) {
	for _, s := range []string{
		`{"userName":"a","name":{"givenName":1},"emails":[{"value":"x"}]}`, `{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"x"}}`,
		`{"userName":[],"active":"x","emails.value":"y","emails[type eq \"work\"]":"z","a:b:c":1,"":2,".":3}`, `[1]`, `{"addresses":{"type":"work"}}`,
	} {
		f.Add([]byte(s))
	}
	m, err := Auto([]string{"userName"}, nil, "").Compile([]string{"userName"}, true, Options{Input: "x.jsonl"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		rec, err := m.NewMapper().Map(&rows.Row{Line: 1, Object: object})
		if _, ok := err.(*RowError); err != nil && !ok {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil && rec.Key == "" {
			t.Fatal("a record without a key, and no error")
		}
	})
}

// TestAutoAnything says that any header gives a mapping or faults, and that
// every column is accounted for.
func TestAutoAnything(t *testing.T) {
	name := rapid.OneOf(rapid.SampledFrom([]string{"id", "userName", "Email", "Manager", "Groups", "password", "_x", "", "meta.created", "emails", "op", "title", "Title"}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.SliceOfN(name, 0, 12).Draw(t, "header")
		m, err := Auto(header, nil, "").Compile(header, false, Options{Input: "x.csv"})
		if err != nil {
			return
		}
		for i, h := range header {
			read := slices.Contains(m.clean, i)
			told := slices.Contains(m.unmapped, h) || slices.Contains(m.readOnly, h)
			if !read && !told && h != "" && !strings.HasPrefix(h, "_") {
				t.Fatalf("column %q is neither mapped nor named", h)
			}
		}
		if _, err := m.NewMapper().Map(&rows.Row{Cells: slices.Repeat([]string{"x"}, len(header))}); err != nil {
			if _, ok := err.(*RowError); !ok {
				t.Fatal(err)
			}
		}
	})
}

// cellsFor draws cells that need no text hygiene.
func drawText(t *rapid.T, label string) string {
	s := rapid.StringOfN(rapid.SampledFrom([]rune("abZ9é漢 .'=+-@|[\"")), 1, 8, -1).Draw(t, label)
	s = strings.TrimSpace(s)
	if s == "" || mangledNumber(s) || s == DefaultClearToken {
		return "x"
	}
	return s
}

// TestExportedRowsComeBack says that what is laid out in columns and mapped
// again by those columns is the same resource, and gives the same cells.
func TestExportedRowsComeBack(t *testing.T) {
	schema := scim.Builtin("User")
	rapid.Check(t, func(t *rapid.T) {
		o := drawUser(t)
		columns := NewColumns(schema)
		columns.Add(o)
		header := columns.Header()
		cells := columns.Cells(o, header)
		m, err := Auto(header, nil, "").Compile(header, false, Options{Input: "x.csv", Match: "userName"})
		if err != nil {
			t.Fatal(err)
		}
		if unmapped := m.Unmapped(); unmapped != nil {
			t.Fatalf("our own export has columns that map to nothing: %q", unmapped)
		}
		rec, err := m.NewMapper().Map(&rows.Row{Line: 2, Cells: cells})
		if err != nil {
			t.Fatalf("%v\n%q\n%q", err, header, cells)
		}
		back := apply(t, rec.Assignments)
		back["id"] = o["id"]
		if diff := cmp.Diff(cells, columns.Cells(back, header)); diff != "" {
			t.Fatalf("cells (-out +back):\n%s\n%q", diff, header)
		}
	})
}

func drawUser(t *rapid.T) scim.Object {
	o := scim.Object{"id": "7", "userName": drawText(t, "userName"), "active": rapid.Bool().Draw(t, "active")}
	maybe := func(label string, set func()) {
		if rapid.Bool().Draw(t, label) {
			set()
		}
	}
	maybe("title", func() { o["title"] = drawText(t, "titleText") })
	maybe("name", func() { o["name"] = scim.Object{"givenName": drawText(t, "given")} })
	maybe("enterprise", func() {
		o[scim.EnterpriseURN] = scim.Object{"department": drawText(t, "department"), "manager": scim.Object{"value": drawText(t, "manager")}}
	})
	element := rapid.Custom(func(t *rapid.T) any {
		e := scim.Object{"value": drawText(t, "value")}
		if kind := rapid.SampledFrom([]string{"", "work", "home", "Work", "my type"}).Draw(t, "type"); kind != "" {
			e["type"] = kind
		}
		return e
	})
	for _, name := range []string{"emails", "roles"} {
		maybe(name, func() {
			list := rapid.SliceOfNDistinct(element, 1, 4, func(e any) string { return fmt.Sprint(e) }).Draw(t, name+"List")
			o[name] = list
		})
	}
	maybe("skills", func() {
		o[scim.GenesysURN] = scim.Object{"routingSkills": []any{scim.Object{"name": drawText(t, "skill"), "proficiency": scim.Number("4.50")}}}
	})
	return o
}

// apply carries assignments out on an empty resource.
func apply(t *rapid.T, assignments []scim.Assignment) scim.Object {
	o := scim.Object{}
	for _, a := range assignments {
		home, p := o, a.Target.Path
		if p.URN != "" {
			home = child(o, p.URN)
		}
		switch {
		case a.Target.List():
			have, _ := home[p.Attr].([]any)
			home[p.Attr] = append(have, a.Value.([]any)...)
		case p.Filter != nil:
			eq, ok := p.Filter.(scim.Comparison)
			if !ok || eq.Op != "eq" {
				t.Fatalf("filter %s", p.Filter)
			}
			have, _ := home[p.Attr].([]any)
			home[p.Attr] = withElement(have, eq, p.Sub, a.Value)
		case p.Sub != "":
			child(home, p.Attr)[p.Sub] = a.Value
		default:
			home[p.Attr] = a.Value
		}
	}
	return o
}

func child(o scim.Object, name string) scim.Object {
	c, ok := o[name].(scim.Object)
	if !ok {
		c = scim.Object{}
		o[name] = c
	}
	return c
}

func withElement(list []any, eq scim.Comparison, sub string, v any) []any {
	for _, e := range list {
		if o := e.(scim.Object); o[eq.Path.Attr] == eq.Value {
			o[sub] = v
			return list
		}
	}
	return append(list, scim.Object{eq.Path.Attr: eq.Value, sub: v})
}
