package mapping

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/rows"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), go test -update accepts it:\n%s", name, diff)
	}
}

// faultHeader is the input that the faulty mappings are for.
var faultHeader = []string{"Work Email", "First Name", "Last Name", "Status", "Phone", "Phone", "Start Date", "Skills", "Résumé"}

// TestMappingFaults shows each fault of a mapping as a user sees it.
func TestMappingFaults(t *testing.T) {
	tests := []struct {
		name, mapping string
		opts          Options
		nested        bool
	}{
		{name: "not YAML", mapping: "attributes:\n  userName: [Work Email\n"},
		{name: "a misspelt column in a bare expression with a colon", mapping: "attributes:\n  userName: Work Email\n  active: =statsu == \"x\" ? true : false # why\n"},
		{name: "not YAML: a tab", mapping: "attributes:\n\tuserName: Work Email\n"},
		{name: "not UTF-8", mapping: "attributes:\n  userName: R\xe9sum\xe9\n"},
		{name: "empty", mapping: ""},
		{name: "a list", mapping: "- userName\n"},
		{name: "no attributes", mapping: "resource: User\n"},
		{name: "attributes is a text", mapping: "attributes: userName\n"},
		{name: "unknown key", mapping: "resorce: User\nfilter: x\nattributes:\n  userName: Work Email\n"},
		{name: "unknown detail", mapping: "attributes:\n  userName: {column: Work Email, transfrom: lower, colour: red}\n"},
		{name: "doubled key", mapping: "attributes:\n  userName: Work Email\n  title: {column: Status, column: Phone}\nmatch: userName\nmatch: id\n"},
		{name: "wrong kinds", mapping: "match: [userName]\nattributes:\n  userName: [Work Email]\n  title: {column: {a: b}}\n  active: {column: Status, required: maybe}\n  roles: {column: Skills, mode: append}\n"},
		{name: "nothing said", mapping: "attributes:\n  userName: Work Email\n  title:\n  nickName: {}\n"},
		{name: "two sources", mapping: "attributes:\n  userName: {column: Work Email, value: x}\n"},
		{name: "unknown resource", mapping: "resource: Person\nattributes:\n  userName: Work Email\n"},
		{name: "unknown path", mapping: "attributes:\n  usrName: Work Email\n  name.firstName: First Name\n  givenName: First Name\n  shoeSize: Phone\n"},
		{name: "unknown part of an extension", mapping: "attributes:\n  userName: Work Email\n  enterprise:departmant: Status\n  entreprise:department: Status\n  urn:x:y:User:z: Status\n"},
		{name: "path that does not parse", mapping: "attributes:\n  userName: Work Email\n  emails[type eq work].value: Work Email\n  \"emails[type eq \\\"work\\\"\": Work Email\n  name..givenName: First Name\n  emails[0].value: Work Email\n  title[0]: Status\n"},
		{name: "read-only path", mapping: "attributes:\n  userName: Work Email\n  id: Work Email\n  meta.version: Status\n  meta: Status\n  groups[type eq \"direct\"].value: Status\n"},
		{name: "groups of a person", mapping: "attributes:\n  userName: Work Email\n  groups: {column: Status, ref: User.userName, on-missing: keep, each: \"name:x\"}\n"},
		{name: "groups of a person that are kept", mapping: "attributes:\n  userName: Work Email\n  groups: {column: Status, ref: Group.members, split: \"|\"}\n"},
		{name: "groups that nobody made", mapping: "attributes:\n  userName: Work Email\n  groups: {column: Status, on-missing: keep, each: \"display:value\"}\n"},
		{name: "path made of parts", mapping: "attributes:\n  userName: Work Email\n  name: First Name\n  addresses[type eq \"work\"]: Status\n"},
		{name: "several values and no choice", mapping: "attributes:\n  userName: Work Email\n  emails.value: Work Email\n  addresses.locality: Status\n"},
		{name: "filter on a single value", mapping: "attributes:\n  userName: Work Email\n  title[type eq \"work\"]: Status\n"},
		{name: "two entries for one path", mapping: "attributes:\n  userName: Work Email\n  USERNAME: Status\n  enterprise:department: Status\n  urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: Status\n"},
		{name: "missing column", mapping: "attributes:\n  userName: Work Emial\n  title: Shoe Size\n  active: {value: true}\n  locale: true\n"},
		{name: "column twice in the header", mapping: "attributes:\n  userName: Work Email\n  title: Phone\n"},
		{name: "misspelt column in an expression", mapping: "attributes:\n  userName: Work Email\n  displayName: =first_name + \" \" + lst_name\n  title: '=First Name'\n  nickName: =upper(FirstName)\n"},
		{name: "several misspelt names in an expression", mapping: "attributes:\n  userName: Work Email\n  displayName: =frist_name + uper(lst_name) + row[\"Statos\"]\n  title: =frist_name + lst_name\n"},
		{name: "misspelt column in row", mapping: "attributes:\n  userName: Work Email\n  title: =row[\"Statos\"]\n  nickName: =row[status]\n"},
		{name: "expression that does not parse", mapping: "attributes:\n  userName: Work Email\n  title: =status +\n  nickName: \"=\"\n  displayName: '=\"open'\n"},
		{name: "expression that YAML cuts", mapping: "attributes:\n  userName: Work Email\n  roles: =filter(split(skills, \",\"), # != \"x\")\n"},
		{name: "loops within loops", mapping: "attributes:\n  userName: Work Email\n  roles: '=map(split(skills, \",\"), len(filter(split(skills, \",\"), any(split(skills, \",\"), # == \"x\"))))'\n"},
		{name: "misspelt function", mapping: "attributes:\n  userName: Work Email\n  title: =uper(status)\n  nickName: =now()\n  displayName: =repeat(status, 9)\n"},
		{name: "wrong arguments", mapping: "attributes:\n  userName: Work Email\n  title: =upper(status, 2)\n  nickName: =left(status, \"x\")\n  displayName: =status - 1\n"},
		{name: "expression of the wrong type", mapping: "attributes:\n  userName: Work Email\n  active: =len(status)\n  title: =[status]\n  name.givenName: '={\"a\": status}'\n  nickName: {column: Status, when: =status}\n"},
		{name: "constant of the wrong type", mapping: "attributes:\n  userName: Work Email\n  active: {value: perhaps}\n  title: {value: [a, b]}\n  nickName: {value: {a: b}}\n  locale: {value: }\n"},
		{name: "default of the wrong type", mapping: "attributes:\n  userName: Work Email\n  active: {column: Status, default: perhaps}\n"},
		{name: "unknown transform", mapping: "attributes:\n  userName: {column: Work Email, transform: lowercase}\n  title: {column: Status, transform: [trim, frobnicate]}\n"},
		{name: "unknown region", mapping: "region: XX\nattributes:\n  userName: Work Email\n  title: {column: Status, transform: phone, region: Germany}\n"},
		{name: "list details on a single value", mapping: "attributes:\n  userName: {column: Work Email, split: \",\"}\n  title: {column: Status, mode: replace}\n  emails[type eq \"work\"].value: {column: Work Email, split: \";\", each: value}\n"},
		{name: "bad each and split", mapping: "attributes:\n  userName: Work Email\n  roles: {column: Skills, split: \"\"}\n  genesys:routingSkills: {column: Skills, split: \",\", each: \"name:profficiency\"}\n  genesys:routingLanguages: {column: Skills, each: \"name:\"}\n"},
		{name: "bad reference", mapping: "attributes:\n  userName: Work Email\n  enterprise:manager: {column: Status, ref: userName}\n  nickName: {column: Status, ref: User.usrName}\n  title: {column: Status, on-missing: reject}\n"},
		{name: "bad date format", mapping: "attributes:\n  userName: Work Email\n  title: {column: Start Date, format: day/month}\n  nickName: {column: Start Date, format: MM/DD}\n  active: {column: Status, format: DD.MM.YYYY}\n"},
		{name: "unknown operation", mapping: "op: Kind\nattributes:\n  userName: Work Email\n"},
		{name: "operation of the wrong type", mapping: "op: =status == \"x\"\nattributes:\n  userName: Work Email\n"},
		{name: "operation by a flag", mapping: "attributes:\n  userName: Work Email\n", opts: Options{Op: "merge"}},
		{name: "match that is not mapped", mapping: "match: externalId\nattributes:\n  userName: Work Email\n"},
		{name: "match that is unknown", mapping: "match: user\nattributes:\n  userName: Work Email\n"},
		{name: "match by a list", mapping: "match: roles\nattributes:\n  userName: Work Email\n  roles: Skills\n"},
		{name: "match by a flag", mapping: "attributes:\n  userName: Work Email\n", opts: Options{Match: "externalID"}},
		{name: "columns of whole resources", mapping: "op: =status\nattributes:\n  userName: Work Email\n", nested: true},
		{name: "a bomb of aliases", mapping: "attributes:\n  userName: Work Email\n  roles: {value: [&a [x, x], *a, *a]}\n"},
		{name: "everything at once", mapping: "resource: User\nmatch: userNam\nattributes:\n  userName: Work Emial\n  nme.givenName: First Name\n  displayName: =frist_name\n  active: {colum: Status}\n  title: {column: Status, transform: lowr}\n"},
	}
	var b strings.Builder
	for _, tt := range tests {
		fmt.Fprintf(&b, "== %s\n", tt.name)
		_, err := compileText(tt.mapping, faultHeader, tt.nested, tt.opts)
		if err == nil {
			t.Errorf("%s: no fault is found", tt.name)
			continue
		}
		fmt.Fprintf(&b, "%s\n\n", err)
	}
	golden(t, "mapping_faults.golden", b.String())
}

// compileText parses and compiles.
func compileText(mapping string, header []string, nested bool, o Options) (*Mapping, error) {
	f, err := Parse("people.mapping.yaml", []byte(mapping))
	if err != nil {
		return nil, err
	}
	if o.Input == "" {
		o.Input = "people.csv"
	}
	return f.Compile(header, nested, o)
}

// TestAutoFaults shows what is said of files that need a mapping and have none.
func TestAutoFaults(t *testing.T) {
	tests := []struct {
		name, header string
		opts         Options
	}{
		{"nothing to match by", "First Name,Last Name,Shoe Size", Options{}},
		{"another attribute to match by", "First Name,Last Name,User name", Options{Match: "externalId"}},
		{"one column twice", "userName,externalId,userName", Options{}},
	}
	var b strings.Builder
	for _, tt := range tests {
		fmt.Fprintf(&b, "== %s\n", tt.name)
		header := strings.Split(tt.header, ",")
		tt.opts.Input = "people.csv"
		m, err := Auto(header, nil, "").Compile(header, false, tt.opts)
		if err == nil {
			fmt.Fprintf(&b, "not mapped: %q\n\n", m.Unmapped())
			continue
		}
		fmt.Fprintf(&b, "%s\n\n", err)
	}
	golden(t, "auto_faults.golden", b.String())
}

const rowMapping = `
op: {column: Op, default: upsert}
attributes:
  userName: {column: Email, transform: lower}
  displayName: '=name[0:1] == "" ? nil : name'
  active: Active
  title: {column: Title, required: true}
  nickName: '=split(name, " ")[1]'
  roles: {column: Roles, split: ";"}
  phoneNumbers[type eq "work"].value: {column: Phone, transform: phone, region: DE}
  enterprise:dateHire: {column: Hired, format: DD.MM.YYYY}
  enterprise:employeeNumber: Number
  password: Secret
  emails[type eq "work"].primary: Secret
  genesys:routingSkills: {column: Skills, split: ",", each: "name:proficiency"}
`

// TestRowFaults shows each fault of a row as a user sees it.
func TestRowFaults(t *testing.T) {
	header := []string{"Email", "Name", "Active", "Title", "Roles", "Phone", "Hired", "Number", "Secret", "Skills", "Op"}
	m, err := compileText(rowMapping, header, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"a@x.org", "A B", "yes", "Boss", "r", "030 123456", "31.12.2024", "0017", "true", "Sales:4", ""}
	tests := []struct {
		name   string
		column string
		cell   string
	}{
		{"no key", "Email", "\u00a0"},
		{"the key is to be cleared", "Email", "#N/A"},
		{"neither true nor false", "Active", "ja, klar"},
		{"required", "Title", " "},
		{"required and to be cleared", "Title", "#N/A"},
		{"expression that fails", "Name", "Single"},
		{"no telephone number", "Phone", "see Anna"},
		{"too short a telephone number", "Phone", "12"},
		{"no date", "Hired", "12/31/2024"},
		{"no such day", "Hired", "31.02.2024"},
		{"number that a spreadsheet has shortened", "Number", "1.2E+11"},
		{"no number", "Skills", "Sales:high"},
		{"no skill", "Skills", ":,:"},
		{"a secret is not shown", "Secret", "hunter2"},
		{"unknown operation", "Op", "remove"},
	}
	var b strings.Builder
	mapper := m.NewMapper()
	show := func(name string, row rows.Row) {
		_, err := mapper.Map(&row)
		if err == nil {
			t.Errorf("%s: no fault is found", name)
		}
		fmt.Fprintf(&b, "== %s\n%v\n\n", name, err)
	}
	if _, err := mapper.Map(&rows.Row{Line: 2, Cells: good}); err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		cells := append([]string(nil), good...)
		c, fault := findColumn(header, tt.column)
		if fault != nil {
			t.Fatal(fault)
		}
		cells[c] = tt.cell
		show(tt.name, rows.Row{Number: int64(i + 1), Line: int64(i + 2), Cells: cells})
	}
	show("several faults", rows.Row{Line: 99, Cells: []string{"", "A B", "perhaps", "", "", "x", "y", "1E+15", "", "a:b", "x"}})
	show("a row that was not read", rows.Row{Line: 7, Err: &rows.Error{File: "people.csv", Line: 7, Column: 12, Message: "stray double quote", Hint: "write it twice"}})
	golden(t, "row_faults.golden", b.String())
	if strings.Contains(b.String(), "hunter2") {
		t.Error("a secret is shown")
	}
}
