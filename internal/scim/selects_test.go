package scim

import "testing"

// TestSelects evaluates filters as a directory would.
func TestSelects(t *testing.T) {
	person, err := DecodeObject([]byte(`{"id":"1","userName":"Ada@example.com","userType":"Admin","active":true,
		"emails":[{"type":"work","value":"ada@example.com"},{"type":"home","value":"ada@home.example"}],
		"groups":[{"value":"g1","display":"Admins"}],
		"meta":{"created":"2026-01-02T00:00:00+02:00"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":{"value":"7"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]bool{
		`userType eq "admin"`:                                   true,
		`userType ne "admin"`:                                   false,
		`userType sw "Adm" and active eq true`:                  true,
		`not (userType eq "Admin")`:                             false,
		`title pr`:                                              false,
		`title ne "Boss"`:                                       true,
		`emails.value ew "@home.example"`:                       true,
		`emails ew "@home.example"`:                             true,
		`emails[type eq "home" and value co "example.com"]`:     false,
		`emails[type eq "work" and value co "example.com"]`:     true,
		`groups.display eq "Admins"`:                            true,
		`enterprise:department eq "sales"`:                      true,
		`department eq "Sales"`:                                 true,
		EnterpriseURN + `:department eq "Sales"`:                true,
		EnterpriseURN + `:manager.value eq "7"`:                 true,
		`enterprise:costCenter pr`:                              false,
		`meta.created lt "2026-01-01T23:00:00Z"`:                true,
		`meta.created eq "2026-01-01T22:00:00.000Z"`:            true,
		`id eq "2" or userName eq "ada@EXAMPLE.com"`:            true,
		`UserName sw "ADA"`:                                     true,
		`externalId eq null`:                                    true,
		`active eq false or (title pr and userType eq "Admin")`: false,
	} {
		f, err := ParseFilter(filter)
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		schema := Builtin("User")
		if err := schema.CheckFilter(f); err != nil {
			t.Errorf("%s: %v", filter, err)
		}
		if got := schema.Selects(f, person); got != want {
			t.Errorf("%s: %t", filter, got)
		}
	}
}

// TestQualify: a filter is sent as a directory knows its paths.
func TestQualify(t *testing.T) {
	f, err := ParseFilter(`not (DEPARTMENT eq "Sales") and (username sw "a" or emails[type eq "work"]) and nobody.knows pr`)
	if err != nil {
		t.Fatal(err)
	}
	want := `not (` + EnterpriseURN + `:department eq "Sales") and (userName sw "a" or emails[type eq "work"]) and nobody.knows pr`
	if got := Builtin("User").Qualify(f).String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestCheckFilter: what would fit nobody without a word is a fault.
func TestCheckFilter(t *testing.T) {
	for filter, want := range map[string]string{
		`userTyp eq "Admin"`:              `User has no attribute userTyp (did you mean userType?)`,
		`active eq true or nmae pr`:       `User has no attribute nmae (did you mean name?)`,
		`name.famlyName eq "x"`:           `name has no sub-attribute famlyName (did you mean familyName?)`,
		`emails[typ eq "work"]`:           `emails has no sub-attribute typ (did you mean type?)`,
		`password pr`:                     `password cannot be read, so that no filter can look at it`,
		`urn:example:2.0:User:shoe eq 44`: `the directory has no schema urn:example:2.0:User for User resources`,
	} {
		f, err := ParseFilter(filter)
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		if err := Builtin("User").CheckFilter(f); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", filter, err, want)
		}
	}
}

// TestFilterAttributes: what must be read to evaluate a filter.
func TestFilterAttributes(t *testing.T) {
	f, err := ParseFilter(`usertype eq "a" and (emails[type eq "work"] or emails.value pr) and department pr`)
	if err != nil {
		t.Fatal(err)
	}
	got := Builtin("User").FilterAttributes(f)
	want := []string{"userType", "emails", EnterpriseURN + ":department"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
