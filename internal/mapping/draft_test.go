package mapping

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// draftOf drafts a mapping for a CSV text.
func draftOf(t *testing.T, text, provider string) (header []string, draft []byte) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := scim.ProfileByName(provider)
	if err != nil {
		t.Fatal(err)
	}
	resource := ResourceOf(lines[0], nil)
	d := NewDraft(lines[0], DraftOptions{Input: "people.csv", Resource: resource, Provider: profile.Title, Schema: profile.Schema(resource)})
	for _, cells := range lines[1:] {
		d.See(&rows.Row{Cells: cells})
	}
	return lines[0], d.Text()
}

// TestDrafts shows what mapping init makes of files as people have them. Every
// draft must be ready to run.
func TestDrafts(t *testing.T) {
	tests := []struct{ name, provider, csv string }{
		{"an HR export", "rfc", `Work Email,First Name,Last Name,Employment Status,Manager Email,Start Date,Mobile Phone,Initial Password,Shoe Size
ann@example.com,Ann,Lee,Active,,31.01.2020,+49 171 1234567,hunter2hunter2,38
bob@example.com,Bob,Ray,On Leave,ann@example.com,01.02.2021,0171 7654321,correcthorse,44
cyd@example.com,Cyd,Fox,Terminated,ann@example.com,15.03.2019,0171 7654322,batterystaple,41
`},
		{"the same for Genesys Cloud", "genesys", `Work Email,First Name,Last Name,Employment Status,Manager Email,Start Date,City,Home Email,Skills
ann@example.com,Ann,Lee,Active,,31.01.2020,Ulm,a@home.example,"Sales:4, Support:2"
bob@example.com,Bob,Ray,On Leave,ann@example.com,01.02.2021,Ulm,b@home.example,Sales:3
`},
		{"words that nobody knows", "rfc", "login,Status,Hire Date\na1,zed,01/02/2020\nb2,active,03/04/2020\nc3,left,05/06/2020\n"},
		{"a sign-in that is blocked", "rfc", "User principal name,Display name,Block sign in\na@x.org,A,Yes\nb@x.org,B,No\n"},
		{"a German export", "rfc", "Personalnummer,Vorname,Nachname,E-Mail,Telefon,Eintrittsdatum,Abteilung,Vorgesetzter,Aktiv,Straße,Ort,PLZ,Land\n0012,Jürgen,Groß,j@x.org,030 123456,01.02.2020,Vertrieb,a@x.org,WAHR,Am Markt 1,Köln,01234,DE\n0013,Anna,Müller,a@x.org,030 123457,15.12.2019,Vertrieb,,FALSCH,Am Markt 1,Köln,50667,DE\n"},
		{"a French export", "rfc", "Matricule,Prénom,Nom,Courriel,Service,Statut,Téléphone,Pays,Responsable\nF1,Élodie,Roy,e@x.org,Ventes,Actif,01 42 68 53 00,FR,\nF2,Noël,Arc,n@x.org,Ventes,En congé,01 42 68 53 01,FR,e@x.org\nF3,Zoé,Lac,z@x.org,Ventes,Parti,01 42 68 53 02,FR,e@x.org\n"},
		{"a column called groups", "rfc", "userName,Groups,Dept\nann,Sales;Support,HR\nbob,Sales,HR\n"},
		{"a column called teams", "rfc", "userName,Teams\nann,Sales|Support\nbob,Sales\n"},
		{"a new user name for nobody", "rfc", "User Name,Email Address [Required],New Primary Email [UPLOAD ONLY]\n,a@x.org,\n,b@x.org,\n"},
		{"managers by name", "rfc", "User ID,Full Name,Manager\nu1,Ann Lee,Bob Ray\nu2,Bob Ray,\nu3,Cyd Fox,Bob Ray\n"},
		{"managers by user name", "rfc", "User ID,Full Name,Supervisor ID\nu1,Ann Lee,u2\nu2,Bob Ray,\nu3,Cyd Fox,u2\n"},
		{"managers by e-mail, people by another name", "rfc", "Username,Email,Line Manager Email\nu1,ann@x.org,bob@x.org\nu2,bob@x.org,\nu3,cyd@x.org,bob@x.org\n"},
		{"managers who are in no column", "rfc", "Username,Manager,Supervisor\nu1,zed@x.org,Z. Ed\nu2,zoe@x.org,Z. Oe\n"},
		{"a reference without a name for it", "rfc", "User ID,Mentor\nu1,u2\nu2,u1\nu3,u1\nu4,u1\nu5,u1\n"},
		{"awkward headers", "rfc", "\"a: b\",=SUM,Name,Name,,yes,\"[x], {y}\",#hash,user name,#N/A\n1,2,3,4,5,6,7,8,u1,9\n1,2,3,4,5,6,7,8,u2,9\n"},
		{"our own export", "rfc", "id,externalId,userName,name.givenName,\"emails[type eq \"\"work\"\"].value\",emails,meta.created\n1,e1,u1,A,a@x.org,\"[{\"\"value\"\":\"\"b@x.org\"\"}]\",2020-01-01T00:00:00Z\n"},
		{"groups", "rfc", "displayName,members\nStaff,ann@x.org;bob@x.org\nBoard,ann@x.org\n"},
		{"groups of people", "rfc", "userName,Member Of,Group Name\nann,Sales|Support,Sales\nbob,Sales,Sales\n"},
		{"an operation column", "rfc", "op,userName,Title\ncreate,u1,Boss\ndelete,u2,\n"},
		{"operations by another name", "rfc", "Action,userName\ndeactivate,u1\nDelete,u2\n"},
		{"groups, or people without user names", "rfc", "displayName\nStaff\nBoard\n"},
		{"nothing to go by", "rfc", "Colour,Size\nred,1\nred,2\n"},
		{"no rows", "rfc", "userName,Title\n"},
	}
	var b strings.Builder
	for _, tt := range tests {
		header, draft := draftOf(t, tt.csv, tt.provider)
		fmt.Fprintf(&b, "== %s\n%s\n", tt.name, draft)
		f, err := Parse("draft.yaml", draft)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		profile, _ := scim.ProfileByName(tt.provider)
		if _, err = f.Compile(header, false, Options{Schema: profile.Schema, Input: "people.csv"}); (err != nil) != slices.Contains([]string{"nothing to go by", "groups, or people without user names"}, tt.name) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	golden(t, "drafts.golden", b.String())
	for _, secret := range []string{"hunter2", "correcthorse", "Ann", "ann@", "1234567"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("a value is shown: %s", secret)
		}
	}
}

// TestDraftOfAnything says that any file gives a draft that is a mapping without
// faults, the same each time, and shows no value of a cell.
func TestDraftOfAnything(t *testing.T) {
	name := rapid.OneOf(rapid.SampledFrom([]string{"userName", "User ID", "Email", "Manager", "ManagerID", "Status", "Active", "Hire Date", "Password", "Roles", "id", "groups", "op", "Phone", "title", "emails[type eq \"home\"].value", "_x", "="}), rapid.String())
	cell := rapid.OneOf(rapid.SampledFrom([]string{"", "#N/A", "Active", "Terminated", "a@x.org", "01/02/2020", "+1 212 555 0100", "a;b", "yes"}), rapid.StringMatching(`q[a-z]{5,9}q`))
	rapid.Check(t, func(t *rapid.T) {
		header := append([]string{"userName"}, rapid.SliceOfN(name, 0, 8).Draw(t, "header")...)
		table := rapid.SliceOfN(rapid.SliceOfN(cell, len(header), len(header)), 0, 12).Draw(t, "rows")
		text := func() []byte {
			d := NewDraft(header, DraftOptions{Input: "x.csv", Schema: scim.Builtin("User"), Resource: "User"})
			for _, cells := range table {
				d.See(&rows.Row{Cells: cells})
			}
			return d.Text()
		}
		draft := text()
		if !bytes.Equal(draft, text()) {
			t.Fatal("two drafts of one file differ")
		}
		f, err := Parse("draft.yaml", draft)
		if err != nil {
			t.Fatalf("%v\n%s", err, draft)
		}
		again := slices.ContainsFunc(header[1:], func(h string) bool { return strings.EqualFold(h, "userName") })
		if _, err := f.Compile(header, false, Options{Input: "x.csv"}); err != nil && !again {
			t.Fatalf("%v\n%s", err, draft)
		}
		for _, cells := range table {
			for _, c := range cells {
				if strings.HasPrefix(c, "q") && strings.Contains(string(draft), c) && !slices.ContainsFunc(header, func(h string) bool { return strings.Contains(h, c) }) {
					t.Fatalf("%q is shown:\n%s", c, draft)
				}
			}
		}
	})
}

// TestSketch holds the estimates to what they promise.
func TestSketch(t *testing.T) {
	var small, half, large sketch
	for i := range 1000 {
		small.add(fmt.Sprint(i % 500))
	}
	for i := range 200_000 {
		large.add(fmt.Sprint("v", i))
		if i%2 == 0 {
			half.add(fmt.Sprint("v", i))
			half.add(fmt.Sprint("w", i))
		}
	}
	if n, exact := small.distinct(); n != 500 || !exact {
		t.Errorf("%d distinct, exact %v", n, exact)
	}
	if n, exact := large.distinct(); n < 185_000 || n > 215_000 || exact {
		t.Errorf("%d distinct of 200000, exact %v", n, exact)
	}
	if share := half.within(&large); share < 0.45 || share > 0.55 {
		t.Errorf("half of the values are in the other column, and the sketch says %.2f", share)
	}
	if share := small.within(&large); share != 0 {
		t.Errorf("nothing in common, and the sketch says %.2f", share)
	}
	if len(large.smallest) != sketchSize {
		t.Errorf("the sketch holds %d values", len(large.smallest))
	}
}
