package scim

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	for url, want := range map[string]string{
		"https://h/scim/v2":               "",
		"https://h/scim/v2/":              "",
		"http://127.0.0.1:8484/scim/v2":   "",
		"http://[::1]:8484/scim/v2":       "",
		"http://localhost/scim/v2":        "",
		"http://h/scim/v2":                "in the clear",
		"http://127.0.0.1.example.com":    "in the clear",
		"http://localhost.example.com":    "in the clear",
		"ftp://h/":                        "not a URL such as",
		"h/scim":                          "not a URL such as",
		"":                                "not a URL such as",
		"https://u:pw-secret@h/scim":      "give them as credentials",
		"https://h/scim?x=1":              "neither query nor fragment",
		"https://h/scim/v2/Users":         "leave the /Users",
		"https://h/scim/v2/groups/":       "leave the /groups",
		"https://h:port/scim":             "does not parse",
		"https://bad host/pw-secret/\x7f": "does not parse",
	} {
		_, err := New(Options{BaseURL: url})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", url, err, want)
		case err != nil && strings.Contains(err.Error(), "pw-secret@"):
			t.Errorf("%q: error tells the password: %v", url, err)
		}
	}
	if _, err := New(Options{BaseURL: "http://h/scim", InsecureHTTP: true}); err != nil {
		t.Errorf("--insecure-http: %v", err)
	}
	_, err := New(Options{BaseURL: "https://h/scim", Credentials: ClientCredentials("http://h/token", "i", "s")})
	if err == nil || !strings.Contains(err.Error(), "token URL") {
		t.Errorf("token URL in the clear: %v", err)
	}
}

func TestStartRate(t *testing.T) {
	for name, tc := range map[string]struct {
		o    Options
		want float64
		by   string
	}{
		"rfc":          {Options{}, math.Inf(1), ""},
		"genesys":      {Options{Profile: genesysProfile()}, 3, "server"},
		"genesys, cap": {Options{Profile: genesysProfile(), Rate: 20}, 20, "cap"},
	} {
		tc.o.BaseURL = "https://h/scim"
		c, err := New(tc.o)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := c.pacer.queue(postUsers, false)
		c.pacer.ask(l, postUsers)
		if rate := lowest(time.Now(), c.pacer.policy, l); rate != tc.want {
			t.Errorf("%s: %v", name, rate)
		}
		_, wait := c.pacer.ask(l, postUsers)
		if p := c.Pace(); p.LimitedBy != tc.by || wait > 0 && p.Rate != tc.want {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestProfileByName(t *testing.T) {
	for _, name := range []string{"rfc", "Genesys", " GENESYS "} {
		if p, err := ProfileByName(name); err != nil || !strings.EqualFold(p.Name, strings.TrimSpace(name)) {
			t.Errorf("%q: %v, %v", name, p.Name, err)
		}
	}
	if _, err := ProfileByName("okta"); err == nil || !strings.Contains(err.Error(), "rfc, genesys") {
		t.Errorf("okta: %v", err)
	}
}

func TestProfileForHost(t *testing.T) {
	for host, want := range map[string]string{
		"api.mypurecloud.com": "genesys", "API.mypurecloud.com.au:443": "genesys", "api.usw2.pure.cloud": "genesys",
		"api.edee1.eusc-pure.cloud.": "genesys", "mypurecloud.ie": "genesys",
		"notmypurecloud.com": "rfc", "mypurecloud.com.evil.example": "rfc", "localhost:8484": "rfc", "": "rfc", "[::1]:80": "rfc",
	} {
		if got := ProfileForHost(host).Name; got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}

func TestPageSizeFor(t *testing.T) {
	const core, genesys = "urn:ietf:params:scim:schemas:core:2.0:User", GenesysURN
	p := genesysProfile()
	for name, tc := range map[string]struct {
		e        Endpoint
		in, out  []string
		want     int
		oversize bool // 26 would be refused
	}{
		"all":                        {e: Users, want: 25, oversize: true},
		"few":                        {e: Users, in: []string{"id", "userName"}, want: 100},
		"few, one costly":            {e: Users, in: []string{"id", "ROLES"}, want: 25, oversize: true},
		"few, costly in full":        {e: Users, in: []string{core + ":roles"}, want: 25, oversize: true},
		"few, the extension":         {e: Users, in: []string{genesys}, want: 25, oversize: true},
		"few, costly short":          {e: Users, in: []string{"routingSkills"}, want: 25, oversize: true},
		"few, harmless extension":    {e: Users, in: []string{genesys + ":externalIds"}, want: 100},
		"without some":               {e: Users, out: []string{"roles", "externalId"}, want: 25, oversize: true},
		"without all":                {e: Users, out: []string{"roles", "externalId", genesys + ":routingSkills", genesys + ":routingLanguages"}, want: 100},
		"without all, by extension":  {e: Users, out: []string{"roles", "externalid", genesys}, want: 100},
		"groups":                     {e: Groups, want: 25, oversize: true},
		"groups, names":              {e: Groups, in: []string{"displayName"}, want: 100},
		"groups without members":     {e: Groups, out: []string{"members", "externalId"}, want: 100},
		"something else":             {e: "Devices", want: 25},
		"empty name is no attribute": {e: Users, out: []string{"", "roles"}, want: 25, oversize: true},
	} {
		if got := p.PageSizeFor(tc.e, tc.in, tc.out); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
		if got := p.Oversized(tc.e, 26, tc.in, tc.out); got != tc.oversize {
			t.Errorf("%s: 26 is oversized: %t", name, got)
		}
	}
	if rfcProfile().Oversized(Users, 5000, nil, nil) {
		t.Error("rfc knows no page that is too large")
	}
}

func TestMatchIsUnique(t *testing.T) {
	g := genesysProfile()
	if !g.MatchIsUnique("User", "username") || g.MatchIsUnique("Group", "displayName") || rfcProfile().MatchIsUnique("User", "userName") {
		t.Error("genesys keeps userName unique, and nothing else is known to be")
	}
}

// TestRegions holds the table against what the vendor publishes.
func TestRegions(t *testing.T) {
	if n := len(GenesysRegions()); n != 18 {
		t.Errorf("%d regions, want 18", n)
	}
	for _, r := range GenesysRegions() {
		for _, name := range []string{r.Name, strings.ToUpper(r.Name), strings.ReplaceAll(r.Name, "-", "_"), r.Domain, strings.ToUpper(r.Domain), "api." + r.Domain, "https://login." + r.Domain + "/"} {
			if got, err := Region(name); err != nil || got != r {
				t.Errorf("%q: %v, %v", name, got, err)
			}
		}
		if ProfileForHost("api."+r.Domain).Name != "genesys" {
			t.Errorf("%s is not known as genesys", r.Domain)
		}
	}
	r, err := Region("US-EAST-1")
	if err != nil || r.BaseURL() != "https://api.mypurecloud.com/api/v2/scim/v2" || r.TokenURL() != "https://login.mypurecloud.com/oauth/token" {
		t.Errorf("%+v, %v", r, err)
	}
	for name, want := range map[string]string{"us-east-3": "us-east-1", "mypurecloud.con": "mypurecloud.com", "": "known are us-east-1", "zzz": "known are us-east-1"} {
		if _, err := Region(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a hint at %s", name, err, want)
		}
	}
}

// TestCheap: what Genesys Cloud shows on pages of a hundred, and no more.
func TestCheap(t *testing.T) {
	p, err := ProfileByName("genesys")
	if err != nil {
		t.Fatal(err)
	}
	got := p.Cheap(Users, p.Schema("User"))
	want := []string{
		"userName", "displayName", "title", "active", "phoneNumbers", "emails",
		EnterpriseURN + ":division", EnterpriseURN + ":department", EnterpriseURN + ":manager",
		EnterpriseURN + ":employeeNumber", EnterpriseURN + ":dateHire", GenesysURN + ":externalIds",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if size := p.PageSizeFor(Users, got, nil); size != p.LeanPageSize {
		t.Errorf("pages of %d", size)
	}
}
