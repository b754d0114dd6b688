package mapping

import "testing"

func TestBareExpressions(t *testing.T) {
	for _, tc := range []struct{ name, line, want string }{
		{"a choice", `op: =status == "Terminated" ? "deactivate" : "upsert"      # optional`, `op: '=status == "Terminated" ? "deactivate" : "upsert"'      # optional`},
		{"single quotes in it", `  title: =a ? 'x' : 'y'`, `  title: '=a ? ''x'' : ''y'''`},
		{"a path with a URN and a filter", `  emails[type eq "work"].value: =a ? b : nil`, `  emails[type eq "work"].value: '=a ? b : nil'`},
		{"a # in a text", `  title: =a + " # " + b`, `  title: '=a + " # " + b'`},
		{"nothing that YAML minds", `  title: =upper(a) # loud`, `  title: =upper(a) # loud`},
		{"in quotes already", `  title: '=a ? b : c'`, `  title: '=a ? b : c'`},
		{"in flow style", `  title: {expr: =a ? b : c}`, `  title: {expr: =a ? b : c}`},
		{"in a comment", `# title: =a ? b : c`, `# title: =a ? b : c`},
		{"no expression", `  title: Job Title`, `  title: Job Title`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := quoteExpression(tc.line); got != tc.want {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestTheExampleOfTheContract: the example that people copy first must work as
// it stands.
func TestTheExampleOfTheContract(t *testing.T) {
	file, err := Parse("m.yaml", []byte(`resource: User
match: userName
op: =status == "Terminated" ? "deactivate" : "upsert"      # optional
attributes:
  userName: Work Email                      # a column, by its header
  displayName: =first_name + " " + last_name   # "=" begins an expression over the row
  active: =status == "Active"
  emails[type eq "work"].value: Work Email
  phoneNumbers[type eq "work"].value: {column: Office Phone, transform: phone}
  title: {column: Title, default: Staff}
  roles: {column: Roles, split: "|"}
  enterprise:department: Department         # enterprise: and genesys: abbreviate the two URNs
  enterprise:manager: {column: Manager Email, ref: User.userName, on-missing: reject}
  genesys:routingSkills: {column: Skills, split: ",", each: "name:proficiency"}
`))
	if err != nil {
		t.Fatal(err)
	}
	header := []string{"Work Email", "Status", "First Name", "Last Name", "Office Phone", "Title", "Roles", "Department", "Manager Email", "Skills"}
	if _, err := file.Compile(header, false, Options{}); err != nil {
		t.Error(err)
	}
}
