package mapping

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// TestAuto maps the headers of the user files of well-known systems, each with
// one row.
func TestAuto(t *testing.T) {
	tests := []struct {
		name, csv, resource string
		opts                Options
		match, key          string
		want                []string
		unmapped, readOnly  []string
		notes               []string
	}{
		{
			name: "SCIM paths", csv: `userName,NAME.GIVENNAME,"emails[type eq ""work""].value",roles,enterprise:manager,_error,Shoe Size` + "\nann,Ann,a@x,a|b,77,old,43",
			match: "userName", key: "ann",
			want:     []string{`userName = "ann"`, `name.givenName = "Ann"`, `emails[type eq "work"].value = "a@x"`, `roles += [{"value":"a"},{"value":"b"}]`, `enterprise:manager.value = "77"`},
			unmapped: []string{"Shoe Size"},
		},
		{
			name: "an export", csv: `id,userName,meta.created,groups,roles,enterprise:manager.displayName` + "\n7,ann,2024,g,\"[{\"\"value\"\":\"\"a\"\",\"\"type\"\":\"\"X\"\"}]\",Boss",
			match: "id", key: "7", want: []string{`userName = "ann"`, `roles += [{"type":"X","value":"a"}]`},
			readOnly: []string{"meta.created", "groups", "enterprise:manager.displayName"},
		},
		{
			name: "an export matched by name", csv: "id,userName\n7,ann", opts: Options{Match: "userName"}, match: "userName", key: "ann",
			want: []string{`userName = "ann"`}, readOnly: []string{"id"},
		},
		{
			name: "Microsoft Entra, bulk create",
			csv: "Name [displayName] Required,User name [userPrincipalName] Required,Initial password [passwordProfile] Required,Block sign in (Yes/No) [accountEnabled] Required,First name [givenName],Last name [surname],Job title [jobTitle],Department [department],Usage location [usageLocation],Street address [streetAddress],State or province [state],Country or region [country],Office [physicalDeliveryOfficeName],City [city],ZIP or postal code [postalCode],Office phone [telephoneNumber],Mobile phone [mobile]\n" +
				"Ann B,ann@x,secret,No,Ann,B,Boss,Sales,US,1 St,NY,US,1A,City,123,1,2",
			match: "userName", key: "ann@x",
			want: []string{
				`displayName = "Ann B"`, `userName = "ann@x"`, `active = true`, `name.givenName = "Ann"`, `name.familyName = "B"`, `title = "Boss"`, `enterprise:department = "Sales"`,
				`addresses[type eq "work"].streetAddress = "1 St"`, `addresses[type eq "work"].region = "NY"`, `addresses[type eq "work"].country = "US"`, `addresses[type eq "work"].locality = "City"`,
				`addresses[type eq "work"].postalCode = "123"`, `phoneNumbers[type eq "work"].value = "1"`, `phoneNumbers[type eq "mobile"].value = "2"`,
			},
			unmapped: []string{"Initial password [passwordProfile] Required", "Usage location [usageLocation]", "Office [physicalDeliveryOfficeName]"},
		},
		{
			name: "Okta", csv: "login,firstName,lastName,email,secondEmail,mobilePhone,employeeNumber,costCenter,manager,status\nann@x,Ann,B,ann@x,b@x,1,7,C,boss@x,ACTIVE", match: "userName", key: "ann@x",
			want: []string{
				`userName = "ann@x"`, `name.givenName = "Ann"`, `name.familyName = "B"`, `emails[type eq "work"].value = "ann@x"`, `emails[type eq "other"].value = "b@x"`, `phoneNumbers[type eq "mobile"].value = "1"`,
				`enterprise:employeeNumber = "7"`, `enterprise:costCenter = "C"`, `enterprise:manager.value = User.userName ["boss@x"] or skip`,
			},
			unmapped: []string{"status"},
		},
		{
			name: "Google Workspace", csv: "First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Org Unit Path [Required],New Primary Email [UPLOAD ONLY],Work Phone,Employee ID,Employee Title,Manager Email\nAnn,B,ann@x,pw,/,,1,7,Boss,boss@x",
			match: "userName", key: "ann@x",
			want: []string{
				`name.givenName = "Ann"`, `name.familyName = "B"`, `emails[type eq "work"].value = "ann@x"`, `phoneNumbers[type eq "work"].value = "1"`, `enterprise:employeeNumber = "7"`, `title = "Boss"`,
				`userName = "ann@x"`, `enterprise:manager.value = User.userName ["boss@x"] or skip`,
			},
			unmapped: []string{"Password [Required]", "Org Unit Path [Required]", "New Primary Email [UPLOAD ONLY]"},
			notes:    []string{`userName is taken from column "Email Address [Required]"`},
		},
		{
			name: "Genesys Cloud", csv: "name,email,phone_work,extension,title,department,email_manager,division\nAnn B,ann@x,1,2,Boss,Sales,boss@x,Home", match: "userName", key: "ann@x",
			want: []string{
				`title = "Boss"`, `displayName = "Ann B"`, `emails[type eq "work"].value = "ann@x"`, `phoneNumbers[type eq "work"].value = "1"`, `enterprise:department = "Sales"`, `enterprise:division = "Home"`, `userName = "ann@x"`,
				`enterprise:manager.value = User.userName ["boss@x"] or skip`,
			},
			unmapped: []string{"extension"}, notes: []string{`userName is taken from column "email"`},
		},
		{
			name: "a French export", csv: "Matricule,Prénom,Nom,Adresse e-mail,Téléphone,Ville,Code postal,Responsable,Actif\n007,Hélène,Noël,h@x,1,Lyon,01000,boss@x,Oui", match: "userName", key: "h@x",
			want: []string{
				`enterprise:employeeNumber = "007"`, `name.givenName = "Hélène"`, `name.familyName = "Noël"`, `emails[type eq "work"].value = "h@x"`, `phoneNumbers[type eq "work"].value = "1"`,
				`addresses[type eq "work"].locality = "Lyon"`, `addresses[type eq "work"].postalCode = "01000"`, `active = true`, `userName = "h@x"`, `enterprise:manager.value = User.userName ["boss@x"] or skip`,
			},
			notes: []string{`userName is taken from column "Adresse e-mail"`},
		},
		{
			name: "an id and an address", csv: "id,Email\n7,ann@x", match: "id", key: "7", want: []string{`emails[type eq "work"].value = "ann@x"`},
		},
		{
			name: "an id and an address, matched by name", csv: "id,Email\n7,ann@x", opts: Options{Match: "userName"}, match: "userName", key: "ann@x",
			want: []string{`emails[type eq "work"].value = "ann@x"`, `userName = "ann@x"`}, readOnly: []string{"id"}, notes: []string{`userName is taken from column "Email"`},
		},
		{
			name: "a change set", csv: "op,userName,active\ndeactivate,ann,true", match: "userName", key: "ann", want: []string{`userName = "ann"`},
		},
		{
			name: "groups", csv: "displayName,members,id,schemas\nStaff,\"[{\"\"value\"\":\"\"7\"\"}]\",9,x", opts: Options{Match: "displayName"}, match: "displayName", key: "Staff",
			want: []string{`displayName = "Staff"`, `members += [{"value":"7"}]`}, readOnly: []string{"id", "schemas"},
			notes: []string{"the rows are taken for groups, as --resource Group would; --resource User overrides"},
		},
		{
			name: "a password by its path", csv: "userName,password\nann,pw", match: "userName", key: "ann", want: []string{`userName = "ann"`}, unmapped: []string{"password"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, err := csv.NewReader(strings.NewReader(tt.csv)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			m, err := Auto(lines[0], nil, tt.resource).Compile(lines[0], false, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := m.NewMapper().Map(&rows.Row{Cells: lines[1]})
			if err != nil {
				t.Fatal(err)
			}
			if m.Match() != tt.match || rec.Key != tt.key {
				t.Errorf("match %s, key %q", m.Match(), rec.Key)
			}
			for _, c := range []struct {
				what      string
				want, got []string
			}{{"record", tt.want, showRecord(rec)}, {"unmapped", tt.unmapped, m.Unmapped()}, {"read-only", tt.readOnly, m.ReadOnly()}, {"notes", tt.notes, m.Notes()}} {
				if diff := cmp.Diff(c.want, c.got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.what, diff)
				}
			}
			if m.HasPassword() {
				t.Error("a password is mapped that nobody asked for")
			}
		})
	}
}

// TestAutoKnowsTheDirectory maps a column of an extension that only this
// directory has, and leaves one that it has not.
func TestAutoKnowsTheDirectory(t *testing.T) {
	own := scim.Schema{ID: "urn:acme:params:scim:schemas:extension:badge:2.0:User", Attributes: []scim.Attribute{{Name: "badge", Type: "integer"}}}
	core := scim.Builtin("User").Core
	schema := scim.NewResourceSchema("User", []scim.Schema{core, own})
	header := []string{"userName", own.ID + ":badge", "enterprise:department", "Department"}
	f := Auto(header, nil, "")
	for range 2 { // compiling changes nothing of the file
		m, err := f.Compile(header, false, Options{Schema: func(string) *scim.ResourceSchema { return schema }})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := m.NewMapper().Map(&rows.Row{Cells: []string{"ann", "007", "x", "y"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{`userName = "ann"`, own.ID + ":badge = 7"}, showRecord(rec)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"enterprise:department", "Department"}, m.Unmapped()); diff != "" {
			t.Error(diff)
		}
	}
}
