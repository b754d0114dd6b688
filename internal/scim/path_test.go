package scim

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for _, tc := range []struct{ in, want, short string }{
		{"userName", "userName", "userName"},
		{"name.givenName", "name.givenName", "name.givenName"},
		{`emails[type eq "work"].value`, `emails[type eq "work"].value`, `emails[type eq "work"].value`},
		{`EMAILS[Type EQ "work"]`, `EMAILS[Type eq "work"]`, `EMAILS[Type eq "work"]`},
		{"enterprise:department", EnterpriseURN + ":department", "enterprise:department"},
		{"Enterprise:manager.value", EnterpriseURN + ":manager.value", "enterprise:manager.value"},
		{"genesys:routingSkills", GenesysURN + ":routingSkills", "genesys:routingSkills"},
		{UserURN + ":name.givenName", "name.givenName", "name.givenName"},
		{`urn:acme:2.0:User:badges[kind eq "a:b"].value`, `urn:acme:2.0:User:badges[kind eq "a:b"].value`, `urn:acme:2.0:User:badges[kind eq "a:b"].value`},
		{"members.$ref", "members.$ref", "members.$ref"},
	} {
		p, err := ParsePath(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got := p.String(); got != tc.want {
			t.Errorf("%s: String() = %s, want %s", tc.in, got, tc.want)
		}
		if got := p.Short(); got != tc.short {
			t.Errorf("%s: Short() = %s, want %s", tc.in, got, tc.short)
		}
	}
}

func TestParsePathErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "expected an attribute name",
		"Work Email":            "unexpected text at character 5",
		`emails[type eq "work"`: "expected ]",
		`emails[type eq work]`:  "expected a value",
		`emails[type is "a"]`:   "expected one of eq",
		"acme:department":       `unknown prefix "acme:"`,
		"name.":                 "expected an attribute name",
		"emails[0].value":       "expected an attribute name",
	} {
		_, err := ParsePath(in)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a SyntaxError with %q", in, err, want)
		}
	}
}

// The examples are those of RFC 7644 §3.4.2.2.
func TestParseFilter(t *testing.T) {
	for in, want := range map[string]string{
		`userName Eq "bjensen"`:               `userName eq "bjensen"`,
		`name.familyName co "O'M"`:            `name.familyName co "O'M"`,
		`title pr`:                            `title pr`,
		`title pr and userType eq "Employee"`: `title pr and userType eq "Employee"`,
		`a pr or b pr and c pr`:               `a pr or b pr and c pr`,
		`(a pr or b pr) and c pr`:             `(a pr or b pr) and c pr`,
		`userType ne "Employee" and not (emails co "example.com" or emails eq "x")`: `userType ne "Employee" and not (emails co "example.com" or emails eq "x")`,
		`not(a pr)`: `not (a pr)`,
		`emails[type eq "work" and value co "@example.com"]`:     `emails[type eq "work" and value co "@example.com"]`,
		`emails[type eq "work"].value eq "x" or active eq false`: `emails[type eq "work"].value eq "x" or active eq false`,
		`nickName eq "a\"b\\c"`:                                  `nickName eq "a\"b\\c"`,
		`x gt 9007199254740993`:                                  `x gt 9007199254740993`,
		`x eq null`:                                              `x eq null`,
		EnterpriseURN + `:department eq "R&D"`:                   EnterpriseURN + `:department eq "R&D"`,
	} {
		f, err := ParseFilter(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := f.String(); got != want {
			t.Errorf("%s: String() = %s, want %s", in, got, want)
		}
	}
}

func TestParseFilterErrors(t *testing.T) {
	for _, in := range []string{"", "a", "a eq", "a eq b", "a eq [1]", "(a pr", "a pr)", "a pr and", "not a pr", "a[b[c pr] pr]", "a eq 1 2", strings.Repeat("(", 100_000)} {
		if f, err := ParseFilter(in); err == nil {
			t.Errorf("%.40q parsed as %s", in, f)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`emails[type eq "work" and not (value co "\u00e9")] or a.b pr`)
	f.Fuzz(func(t *testing.T, in string) {
		filter, err := ParseFilter(in)
		if err != nil {
			return
		}
		again, err := ParseFilter(filter.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which does not parse: %v", in, filter, err)
		}
		if again.String() != filter.String() {
			t.Fatalf("%q prints as %q and then as %q", in, filter, again)
		}
	})
}

func TestResolve(t *testing.T) {
	user := Builtin("User")
	for _, tc := range []struct{ in, want string }{
		{"username", "userName"},
		{"NAME.GIVENNAME", "name.givenName"},
		{"department", EnterpriseURN + ":department"},
		{"enterprise:manager", EnterpriseURN + ":manager.value"},
		{`Emails[type eq "work"]`, `emails[type eq "work"].value`},
		{"roles", "roles"},
		{"id", "id"},
	} {
		p, err := ParsePath(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		target, err := user.Resolve(p)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got := target.Path.String(); got != tc.want {
			t.Errorf("%s resolves to %s, want %s", tc.in, got, tc.want)
		}
	}
	for in, want := range map[string]string{
		"usrName":         "did you mean userName?",
		"name":            "name one, such as name.formatted",
		"name.givnName":   "did you mean name.givenName?",
		"emails.value":    `write emails[type eq "work"].value`,
		"givenName":       "did you mean name.givenName?",
		"urn:acme:User:x": "no schema urn:acme:User",
		`title[a pr]`:     "leave the filter out",
		"genesys:skills":  "",
	} {
		p, err := ParsePath(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = user.Resolve(p)
		var pathError *PathError
		if !errors.As(err, &pathError) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a PathError with %q", in, err, want)
		}
	}
}
