package mapping

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testSchema is the built-in user schema with an attribute of each type that
// it does not have.
func testSchema(resource string) *scim.ResourceSchema {
	rs := scim.Builtin(resource)
	if rs == nil || rs.Resource != "User" {
		return rs
	}
	rs.Core.Attributes = append(rs.Core.Attributes,
		scim.Attribute{Name: "age", Type: "integer"},
		scim.Attribute{Name: "born", Type: "dateTime"},
		scim.Attribute{Name: "tags", Type: "string", MultiValued: true},
		scim.Attribute{Name: "limits", Type: "integer", MultiValued: true},
	)
	return rs
}

var modeNames = map[scim.Mode]string{scim.Set: "=", scim.Add: "+=", scim.ReplaceAll: ":=", scim.Clear: "clear"}

// showRecord writes what a record asks for, a line an assignment.
func showRecord(rec *Record) []string {
	var list []string
	for _, a := range rec.Assignments {
		line := a.Target.Path.Short() + " " + modeNames[a.Mode]
		if a.Mode != scim.Clear {
			value, err := scim.Encode(a.Value)
			if err != nil {
				line += " ! " + err.Error()
			}
			line += " " + string(value)
		}
		list = append(list, line)
	}
	for _, r := range rec.Refs {
		list = append(list, fmt.Sprintf("%s %s %s.%s %q or %s", r.Target.Path.Short(), modeNames[r.Mode], r.Resource, r.By, r.Names, r.OnMissing))
	}
	return append(list, rec.Warnings...)
}

// mapOne maps one row; the first column is K, to which userName is mapped.
func mapOne(t *testing.T, entry, cell string) ([]string, error) {
	t.Helper()
	m, err := compileText("attributes:\n  userName: K\n  "+entry+"\n", []string{"K", "C", "First Name", "Zwölf"}, false, Options{Schema: testSchema})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.NewMapper().Map(&rows.Row{Line: 2, Cells: []string{"k", cell, "Ünal", "zwölf"}})
	return showRecord(rec)[1:], err
}

func TestValues(t *testing.T) {
	const fail = "!"
	tests := []struct{ name, entry, cell, want string }{
		{"text", "title: C", "Boss", `title = "Boss"`},
		{"a blank leaves alone", "title: C", "", ""},
		{"spaces are blank", "title: C", " \u00a0\t", ""},
		{"the clear token removes", "title: C", " #N/A ", "title clear"},
		{"the clear token of a list", "roles: C", "#N/A", "roles clear"},
		{"the clear token from an expression", `title: '=c == "x" ? "#N/A" : c'`, "x", "title clear"},
		{"a constant that removes", "title: {value: '#N/A'}", "", "title clear"},
		{"default", "title: {column: C, default: Staff}", "", `title = "Staff"`},
		{"default after a transform", "title: {column: C, transform: digits, default: none}", "abc", `title = "none"`},
		{"default alone", "title: {default: Staff}", "", `title = "Staff"`},
		{"the clear token beats the default", "title: {column: C, default: Staff}", "#N/A", "title clear"},
		{"boolean words", "active: C", "Yes", "active = true"},
		{"boolean digits", "active: C", "0", "active = false"},
		{"boolean status", "active: C", "INACTIVE", "active = false"},
		{"no boolean", "active: C", "maybe", fail},
		{"boolean as text", "title: C", "true", `title = "true"`},
		{"boolean expression", `active: =c == "Active"`, "Active", "active = true"},
		{"boolean expression as text", `title: =c == "Active"`, "Active", `title = "true"`},
		{"integer", "age: C", "0042", "age = 42"},
		{"big integer", "age: C", "9007199254740993", "age = 9007199254740993"},
		{"integer written as a decimal", "age: C", "3.00", "age = 3"},
		{"integer with an exponent", "age: C", "1e3", "age = 1000"},
		{"no integer", "age: C", "3.5", fail},
		{"hexadecimal", "age: C", "0x10", fail},
		{"thousands", "age: C", "1,000", fail},
		{"an absurd exponent", "age: C", "1e999999999", fail},
		{"an absurdly long number", "age: C", strings.Repeat("9", 100), fail},
		{"a code that there is not", "title: {column: C, transform: phone}", "+0123456789", fail},
		{"negative", "age: C", "-07", "age = -7"},
		{"plus", "age: C", "+7", "age = 7"},
		{"integer expression", "age: =len(c) + 1", "ab", "age = 3"},
		{"division", "age: =len(c) / 2", "ab", "age = 1"},
		{"not a number", "age: =(len(c) - 2) / 0", "ab", fail},
		{"decimal keeps its form", `genesys:routingSkills: {column: C, each: "name:proficiency"}`, "a:1.50", `genesys:routingSkills += [{"name":"a","proficiency":1.50}]`},
		{"date", "born: C", "2024-02-29", `born = "2024-02-29T00:00:00Z"`},
		{"time", "born: C", "2024-02-29 12:30:00", `born = "2024-02-29T12:30:00Z"`},
		{"time with a zone", "born: C", "2024-02-29T12:30:00+01:00", `born = "2024-02-29T12:30:00+01:00"`},
		{"ambiguous date", "born: C", "02/03/2024", fail},
		{"date with a format", "born: {column: C, format: DD/MM/YYYY}", "2/03/2024", `born = "2024-03-02T00:00:00Z"`},
		{"date of a text attribute", "enterprise:dateHire: {column: C, format: 'MMM D, YYYY'}", "Mar 2, 2024", `enterprise:dateHire = "2024-03-02"`},
		{"a format and an ISO date", "enterprise:dateHire: {column: C, format: DD/MM/YYYY}", "2024-03-02", `enterprise:dateHire = "2024-03-02"`},
		{"date function", `enterprise:dateHire: =date(c, "M/D/YY")`, "3/2/24", `enterprise:dateHire = "2024-03-02"`},
		{"shortened number", "title: C", "4.91234E+11", fail},
		{"no shortened number", "title: C", "1E5", `title = "1E5"`},
		{"constant", "title: {value: Staff}", "", `title = "Staff"`},
		{"constant expression", `title: ="Staff"`, "", `title = "Staff"`},
		{"constant boolean", "active: {value: true}", "", "active = true"},
		{"constant number as text", "title: {value: 007}", "", `title = "007"`},
		{"constant list", "roles: {value: [a, {value: b, primary: yes, type: x}]}", "", `roles += [{"value":"a"},{"primary":true,"type":"x","value":"b"}]`},
		{"several values", "roles: {column: C, split: ;}", " a; ;b ", `roles += [{"value":"a"},{"value":"b"}]`},
		{"only separators", "roles: {column: C, split: ;}", " ; ", ""},
		{"the whole list", "roles: {column: C, split: ;, mode: replace}", "a;b", `roles := [{"value":"a"},{"value":"b"}]`},
		{"no split", "roles: C", "a|b", `roles += [{"value":"a|b"}]`},
		{"a JSON array", "roles: C", `["a",{"value":"b","x":1}]`, `roles += [{"value":"a"},{"value":"b","x":1}]`},
		{"something in brackets", "roles: C", "[draft] a", `roles += [{"value":"[draft] a"}]`},
		{"a list of texts", "tags: {column: C, split: ','}", "a, b", `tags += ["a","b"]`},
		{"a list of numbers", "limits: {column: C, split: ','}", "1,02", `limits += [1,2]`},
		{"a list from an expression", `roles: =split(c, ",")`, "a,b", `roles += [{"value":"a"},{"value":"b"}]`},
		{"a filtered list", `roles: '=filter(split(c, ","), # != "b")'`, "a,b", `roles += [{"value":"a"}]`},
		{"objects from an expression", `genesys:routingSkills: '=map(split(c, ","), ({"name": #, "proficiency": 3}))'`, "a,b", `genesys:routingSkills += [{"name":"a","proficiency":3},{"name":"b","proficiency":3}]`},
		{"an empty list from an expression", `roles: '=filter(split(c, ","), # == "x")'`, "a,b", ""},
		{"each with parts missing", `genesys:routingSkills: {column: C, split: ",", each: "name:proficiency"}`, "a:b:3, c", `genesys:routingSkills += [{"name":"a:b","proficiency":3},{"name":"c"}]`},
		{"the main part", "genesys:routingSkills: {column: C, split: ','}", "a", `genesys:routingSkills += [{"name":"a"}]`},
		{"one value of a list", `emails[type eq "work"].value: C`, "x@y.z", `emails[type eq "work"].value = "x@y.z"`},
		{"one value, its part left out", `emails[type eq "work"]: C`, "x@y.z", `emails[type eq "work"].value = "x@y.z"`},
		{"a reference", "enterprise:manager: {column: C, ref: user.username, on-missing: keep}", "boss", `enterprise:manager.value = User.userName ["boss"] or keep`},
		{"a blank reference", "enterprise:manager: {column: C, ref: User.userName}", "", ""},
		{"a reference to be removed", "enterprise:manager: {column: C, ref: User.userName}", "#N/A", "enterprise:manager.value clear"},
		{"a reference from an expression", `enterprise:manager: {expr: c + "@x", ref: User.userName, transform: upper}`, "boss", `enterprise:manager.value = User.userName ["BOSS@X"] or skip`},
		{"when", `title: {column: C, when: first_name == "Ünal"}`, "x", `title = "x"`},
		{"when not", `title: {column: C, when: first_name == "Anna"}`, "x", ""},
		{"transforms in order", `title: {column: C, transform: [unaccent, "upper, trim"]}`, "Łódź ß", `title = "LODZ SS"`},
		{"title", "title: {column: C, transform: title}", "o'neil SMITH-jones", `title = "O'Neil Smith-Jones"`},
		{"ascii", "title: {column: C, transform: ascii}", "Ünal 漢", `title = "Unal "`},
		{"phone", "title: {column: C, transform: phone, region: US}", "(555) 123-4567 x12", `title = "+15551234567;ext=12"`},
		{"phone without a region", "title: {column: C, transform: phone}", "030 1234567", "title = \"030 1234567\"\n" +
			"C: telephone numbers without a country code are left as they are (region: names the country)"},
		{"phone with a code", "title: {column: C, transform: phone}", "0049 (30) 1234567", `title = "+49301234567"`},
		{"phone with a code and a trunk prefix", "title: {column: C, transform: phone, region: FR}", "+49 (0)30 1234567", `title = "+49301234567"`},
		{"Italian phone", "title: {column: C, transform: phone, region: it}", "06 1234567", `title = "+39061234567"`},
		{"phone function", `title: =phone(c, "GB")`, "020 7946 0000", `title = "+442079460000"`},
		{"no-break spaces inside", "title: C", "a\u00a0b\u200b", `title = "a b"`},
		{"guard apostrophe", "title: C", "'=1+1", `title = "=1+1"`},
		{"guard of a guard", "title: C", "''=1", `title = "'=1"`},
		{"an apostrophe of its own", "title: C", "'tis", `title = "'tis"`},
		{"a password is not cleaned", "password: C", " '=x ", `password = " '=x "`},
		{"runes: slice", "title: =zwölf[1:3]", "", `title = "wö"`},
		{"runes: slice from the end", "title: =zwölf[-2:]", "", `title = "lf"`},
		{"runes: slice beyond the end", "title: =zwölf[3:99]", "", `title = "lf"`},
		{"runes: index", "title: =zwölf[2]", "", `title = "ö"`},
		{"runes: index of nothing", "title: =c[0]", "", ""},
		{"runes: length", "age: =len(zwölf)", "", "age = 5"},
		{"runes: place", `age: =indexOf(zwölf, "l")`, "", "age = 3"},
		{"left and right", `title: =left(first_name, 2) + right(zwölf, 2)`, "", `title = "Ünlf"`},
		{"part", `title: =part(c, ",", -1) + part(c, ",", 9)`, "a, b", `title = "b"`},
		{"ifEmpty", `title: =ifEmpty(c, "", first_name)`, "", `title = "Ünal"`},
		{"an exact header", `title: =row["First Name"] + row.C`, "x", `title = "Ünalx"`},
		{"variables", `title: =let first_name = c; upper(first_name)`, "x", `title = "X"`},
		{"nil leaves out", `title: '=c == "x" ? nil : c'`, "x", ""},
		{"an empty text leaves out", `title: =trim(c)`, "", ""},
		{"transforms of each value", "phoneNumbers: {column: C, split: ;, transform: phone, region: DE}", "030 123456; 0171-1234567", `phoneNumbers += [{"value":"+4930123456"},{"value":"+491711234567"}]`},
		{"references, each transformed", "enterprise:manager: {column: C, ref: User.userName, transform: lower}", "BOSS", `enterprise:manager.value = User.userName ["boss"] or skip`},
		{"join", `title: =join(split(c, ","), "-")`, "a,b", `title = "a-b"`},
		{"replace", `title: =replace(c, "a", "é")`, "banana", `title = "bénéné"`},
		{"a number as text", `title: =string(len(c)) + "!"`, "ab", `title = "2!"`},
		{"adding what depends on the row", `title: '=(c == "" ? nil : c) + "x"'`, "y", `title = "yx"`},
		{"adding to nothing", `title: '=(c == "" ? nil : c) + "x"'`, "", fail},
		{"adding numbers", "age: =len(c) + len(c)", "ab", "age = 4"},
		{"a text that doubles without end", "title: =let a = c + c + c + c + c + c + c + c; let b = a + a + a + a + a + a + a + a; let d = b + b + b + b + b + b + b + b; let e = d + d + d + d + d + d + d + d; e + e + e + e + e", "x", fail},
		{"a text that squares itself", `title: =let a = replace(c, "", c); let b = replace(a, "", a); replace(b, "", b)`, "xxxxxxxxxx", fail},
		{"a list that is joined without end", `title: =join(map(1..9000, c), c)`, "xxx", fail},
		{"a text that is computed and not right", `active: =c + "?"`, "yes", fail},
		{"too much", `roles: '=map(1..20000, c)'`, "x", fail},
		{"unassigned part", "name.givenName: C", "Ann", `name.givenName = "Ann"`},
		{"a URN in full", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT: C", "x", `enterprise:department = "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := mapOne(t, tt.entry, tt.cell)
			got := strings.Join(list, "\n")
			switch {
			case tt.want == fail:
				if err == nil {
					t.Errorf("%q is taken: %s", tt.cell, got)
				}
			case err != nil:
				t.Error(err)
			case got != tt.want:
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestFunctionNamesAsColumns sees that a column that is called like a function
// hides it as little as the function hides the column.
func TestFunctionNamesAsColumns(t *testing.T) {
	header := []string{"Title", "Phone", "Date", "Left", "Count", "Len", "row"}
	m, err := compileText("attributes:\n  userName: =title(title) + left(left, 1) + phone + date + count + string(len(len))\n  title: =row[\"row\"]\n", header, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.NewMapper().Map(&rows.Row{Cells: []string{"mr", "1", "2", "xyz", "4", "five", "six"}})
	if err != nil || rec.Key != "Mrx1244" || rec.Assignments[1].Value != "six" {
		t.Errorf("%q %v, %v", rec.Key, showRecord(rec), err)
	}
}

func TestRecord(t *testing.T) {
	const text = "match: externalId\nop: '=left ? \"deactivate\" : \"\"'\nattributes:\n  externalId: Id\n  userName: Login\n  title: {column: Title, required: true}\n"
	header := []string{"Id", "Login", "Title", "Gone", "meta.created", "schemas", "_error", ""}
	m, err := compileText(strings.Replace(text, "left", "gone == \"x\"", 1), header, false, Options{Op: "create"})
	if err != nil {
		t.Fatal(err)
	}
	if !m.HasOps() || m.HasPassword() || m.HasRefs() || m.Match() != "externalId" || m.Resource() != "User" {
		t.Errorf("ops %v, password %v, refs %v, match %s, resource %s", m.HasOps(), m.HasPassword(), m.HasRefs(), m.Match(), m.Resource())
	}
	if diff := cmp.Diff([]string{"meta.created", "schemas"}, m.ReadOnly()); diff != "" {
		t.Error(diff)
	}
	if m.Unmapped() != nil {
		t.Errorf("unmapped: %q", m.Unmapped())
	}
	mapper := m.NewMapper()
	tests := []struct {
		name, cells, op, key, fold string
		assignments                int
		fails                      bool
	}{
		{"the operation of the flag", "A1|Ann|x|", "create", "A1", "A1", 3, false},
		{"the row's own operation", "A1|Ann|x|x", "deactivate", "A1", "A1", 1, false},
		{"a removal needs its key alone", "A1|||x", "deactivate", "A1", "A1", 1, false},
		{"a faulty row has its key", "A1|Ann||", "create", "A1", "A1", 2, true},
		{"no key", "|Ann|x|", "create", "", "", 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cells := append(strings.Split(tt.cells, "|"), "", "", "", "")
			rec, err := mapper.Map(&rows.Row{Number: 4, Line: 5, Cells: cells})
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if rec.Op != tt.op || rec.Key != tt.key || rec.KeyFold != tt.fold || rec.MatchBy != "externalId" || len(rec.Assignments) != tt.assignments || rec.Number != 4 || rec.Line != 5 {
				t.Errorf("%+v", rec)
			}
		})
	}
}

func TestKeyFold(t *testing.T) {
	m, err := compileText("attributes:\n  userName: K\n", []string{"K"}, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mapper := m.NewMapper()
	fold := func(s string) string {
		rec, err := mapper.Map(&rows.Row{Cells: []string{s}})
		if err != nil {
			t.Fatal(err)
		}
		return rec.KeyFold
	}
	if a, b := fold("Mu\u0308ller@X.org "), fold("M\u00dcLLER@x.ORG"); a != b {
		t.Errorf("%q and %q are one name", a, b)
	}
	if fold("muller@x.org") == fold("müller@x.org") {
		t.Error("an accent makes another name")
	}
}

func TestResourceFlag(t *testing.T) {
	for _, given := range []string{"group", "Groups", "Group"} {
		m, err := compileText("attributes:\n  displayName: K\n  members: {column: M, split: ',', ref: User.userName}\n", []string{"K", "M"}, false, Options{Resource: given})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := m.NewMapper().Map(&rows.Row{Cells: []string{"Staff", "a,b"}})
		if err != nil || rec.Key != "Staff" || rec.KeyFold != "staff" {
			t.Errorf("%q: %+v, %v", given, rec, err)
		}
		if diff := cmp.Diff([]string{`displayName = "Staff"`, `members += User.userName ["a" "b"] or skip`}, showRecord(rec)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestHygieneCounts(t *testing.T) {
	m, err := compileText("attributes:\n  userName: K\n  title: T\n  nickName: T\n", []string{"K", "T", "U"}, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mapper := m.NewMapper()
	for _, cells := range [][]string{{"a", "b", " x "}, {" a", "b\u00a0c", ""}, {"'+49", "\u200bx", ""}, {"é", "d", ""}} {
		if _, err := mapper.Map(&rows.Row{Cells: cells}); err != nil {
			t.Fatal(err)
		}
	}
	h := mapper.Hygiene()
	if want := (Hygiene{Spaces: 2, Invisible: 1, Apostrophes: 1}); h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
	h.Add(Hygiene{Invisible: 1})
	const want = "removed surrounding or no-break spaces from 2 cells, invisible characters from 2 cells, the apostrophe that guards a formula from 1 cell"
	if h.String() != want {
		t.Errorf("got %s", h)
	}
	if (Hygiene{}).String() != "" {
		t.Error("nothing was done, and something is said")
	}
}

// TestMappersShareNothing maps in several goroutines at once, for the race
// detector.
func TestMappersShareNothing(t *testing.T) {
	m, err := compileText(benchMapping, strings.Split("Employee ID,First Name,Last Name,Status,Work Email,Office Phone,Title,Department,Division,Cost Center,City,Country", ","), false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			mapper := m.NewMapper()
			for i := range 200 {
				key := fmt.Sprintf("x%dy%d", g, i)
				rec, err := mapper.Map(&rows.Row{Cells: []string{"1", "Ann", key, "Active", "", "", "", "", "", "", "", ""}})
				if err != nil || rec.Key != "a"+key+"@acme.com" {
					t.Error(rec.Key, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestSuspicions(t *testing.T) {
	tests := []struct {
		name, cells, want string
	}{
		{"post codes", "01067 85434 1067 53965 6108 07743", `column "C": 2 cells of fewer than 5 digits, where others begin with 0: a spreadsheet may have taken their leading zeros`},
		{"none is short", "01067 85434", ""},
		{"none begins with 0", "1067 85434", ""},
		{"no fixed width", "01067 0106 12", ""},
		{"most are short", "01067 1 2 3", ""},
		{"no digits", "0a b1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := compileText("attributes:\n  userName: {value: x}\n  title: C\n  nickName: C\n  active: {value: true}\n", []string{"C"}, false, Options{})
			if err != nil {
				t.Fatal(err)
			}
			mapper := m.NewMapper()
			for cell := range strings.FieldsSeq(tt.cells) {
				if _, err := mapper.Map(&rows.Row{Cells: []string{cell}}); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(mapper.Suspicions(), "; "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMappingFileForms(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark": "\ufeffattributes:\n  userName: K\n",
		"CRLF":            "attributes:\r\n  userName: K\r\n",
		"flow":            "{attributes: {userName: K}}",
		"JSON":            `{"attributes": {"userName": {"column": "K"}}}`,
		"folded":          "attributes:\n  userName: >-\n    =k\n",
		"block":           "attributes:\n  userName:\n    expr: |\n      k +\n      \"\"\n",
		"alias":           "attributes:\n  userName: &k K\n  title: *k\n",
		"match by id":     "match: id\nattributes:\n  id: K\n  userName: K\n",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := compileText(text, []string{"K"}, false, Options{Match: "userName"})
			if err != nil {
				t.Fatal(err)
			}
			if rec, err := m.NewMapper().Map(&rows.Row{Cells: []string{"ann"}}); err != nil || rec.Key != "ann" {
				t.Error(rec, err)
			}
		})
	}
}

func TestIdentifiers(t *testing.T) {
	header := []string{"First Name", "E-Mail (work)", "#Id", "2nd Phone", "Größe", "", "a__b", "FIRST-NAME", "Re\u0301sume\u0301"}
	want := []string{"first_name", "e_mail_work", "id", "_2nd_phone", "größe", "", "a_b", "", "r\u00e9sum\u00e9"}
	if diff := cmp.Diff(want, identifiers(header)); diff != "" {
		t.Error(diff)
	}
	m, err := compileText("attributes:\n  userName: =first_name + e_mail_work + e_mail_work_ + id + _id + _2nd_phone + größe + a_b + r\u00e9sum\u00e9\n", header, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.NewMapper().Map(&rows.Row{Cells: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}})
	if err != nil || rec.Key != "122334579" {
		t.Errorf("%q, %v", rec.Key, err)
	}
}
