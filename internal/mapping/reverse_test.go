package mapping

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

const reversible = `
match: userName
clear-token: '#N/A'
attributes:
  userName: Login
  displayName: Full Name
  name.givenName: First
  active: {column: Active, default: true}
  title: Job
  emails[type eq "work"].value: Work Mail
  emails[type eq "home"].value: Home Mail
  roles: {column: Roles, split: "|"}
  entitlements: Right
  enterprise:department: Department
  enterprise:dateHire: {column: Hired, format: DD/MM/YYYY}
  genesys:routingSkills: {column: Skills, split: ";", each: "name:proficiency"}
  locale: {value: de}
  externalId: Login
`

// TestRowsComeBack says that what is mapped and laid out through the reversed
// mapping is the same row, and without a word about cells that are not.
func TestRowsComeBack(t *testing.T) {
	f, err := Parse("m.yaml", []byte(reversible))
	if err != nil {
		t.Fatal(err)
	}
	header := []string{"Login", "Full Name", "First", "Active", "Job", "Work Mail", "Home Mail", "Roles", "Right", "Department", "Hired", "Skills"}
	text := func(t *rapid.T, label string) string {
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abZ9é漢 .'=+-@\"{")), 0, 8, -1).Draw(t, label)
		if s = Clean(s); mangledNumber(s) || strings.HasPrefix(s, "'") {
			return "x"
		}
		return s
	}
	list := func(t *rapid.T, label, sep, tail string) string {
		var pieces []string
		for _, s := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,3}( [a-c])?`), 0, 3, rapid.ID).Draw(t, label) {
			pieces = append(pieces, s+tail)
		}
		return strings.Join(pieces, sep)
	}
	rapid.Check(t, func(t *rapid.T) {
		m, err := f.Compile(header, false, Options{Input: "x.csv"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Reverse(Options{})
		if err != nil {
			t.Fatal(err)
		}
		cells := []string{
			"u" + text(t, "login"), text(t, "full"), text(t, "first"), rapid.SampledFrom([]string{"true", "false", "#N/A"}).Draw(t, "active"), text(t, "job"),
			text(t, "work"), text(t, "home"), list(t, "roles", "|", ""), text(t, "right"), text(t, "department"),
			rapid.SampledFrom([]string{"", "01/02/2020", "31/12/1999"}).Draw(t, "hired"), list(t, "skills", ";", ":4.5"),
		}
		cells[0] = strings.TrimSpace(cells[0])
		for i := range cells {
			cells[i] = Guard(cells[i])
		}
		rec, err := m.NewMapper().Map(&rows.Row{Line: 2, Cells: cells})
		if err != nil {
			t.Fatalf("%v\n%q", err, cells)
		}
		o := apply(t, slices.DeleteFunc(rec.Assignments, func(a scim.Assignment) bool { return a.Mode == scim.Clear }))
		r.Add(o)
		if diff := cmp.Diff(header, r.Header()); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(cells, r.Cells(o, r.Header())); diff != "" {
			t.Fatalf("cells (-in +back):\n%s", diff)
		}
		if lost := r.Lost(); lost != nil {
			t.Fatalf("lost: %q", lost)
		}
	})
}

// TestReverse shows what cannot be turned round, and how references are named.
func TestReverse(t *testing.T) {
	f, err := Parse("m.yaml", []byte(`
op: {column: What, default: upsert}
attributes:
  userName: Login
  displayName: =first + " " + last
  title: {column: Job, when: 'job != "?"'}
  nickName: {value: x}
  password: Secret
  phoneNumbers[type eq "work"].value: {column: Phone, transform: phone, region: DE}
  roles: {column: Roles, split: "|"}
  entitlements: Rights
  enterprise:manager: {column: Boss, ref: User.userName}
`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Reverse(Options{})
	if err != nil {
		t.Fatal(err)
	}
	value := func(v string) scim.Object { return scim.Object{"value": v} }
	managed := func(id, login, boss string) scim.Object {
		return scim.Object{"id": id, "userName": login, scim.EnterpriseURN: scim.Object{"manager": value(boss)}}
	}
	people := []scim.Object{managed("1", "ann", "2"), managed("2", "bob", "2"), managed("3", "cyd", "elsewhere"), {
		"id": "4", "userName": "dee", "phoneNumbers": []any{scim.Object{"type": "work", "value": "030 123456"}},
		"roles": []any{value("a|b"), value("c")}, "entitlements": []any{value("a"), scim.Object{"value": "b", "display": "B"}},
	}}
	for _, o := range people {
		r.Add(o)
	}
	if !r.Refers() {
		t.Fatal("nobody is referred to")
	}
	for _, o := range people {
		r.Learn(o)
	}
	got := [][]string{r.Header()}
	for _, o := range people {
		got = append(got, r.Cells(o, r.Header()))
	}
	want := [][]string{
		{"What", "Login", "Secret", "Phone", "Roles", "Rights", "Boss"},
		{"", "ann", "", "", "", "", "bob"},
		{"", "bob", "", "", "", "", "bob"},
		{"", "cyd", "", "", "", "", "elsewhere"},
		{"", "dee", "", "030 123456", `json:["a|b","c"]`, `["a","b"]`, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantNotes := []string{
		"displayName is an expression, which cannot be turned round: its columns are left out",
		"title is mapped on a condition, which cannot be turned round: it is left out",
	}
	if diff := cmp.Diff(wantNotes, r.Notes()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`"Phone" (1 cell)`}, r.Lost()); diff != "" {
		t.Error(diff)
	}
}

func TestReverseFaults(t *testing.T) {
	for _, tt := range []struct{ mapping, want string }{
		{"attributes:\n  usrName: Login\n", "m.yaml:2:3: User has no attribute usrName"},
		{"attributes:\n  userName: =a\n", "m.yaml: no attribute is mapped from a column of its own"},
		{"resource: Person\nattributes:\n  userName: A\n", `m.yaml:1:11: there are no resources "Person"`},
	} {
		f, err := Parse("m.yaml", []byte(tt.mapping))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Reverse(Options{}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
