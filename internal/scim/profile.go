package scim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile says what is known of a provider before its server has said a word.
// It is data: a server's own answers override it.
type Profile struct {
	Name  string // as --provider takes it
	Title string // as people call it

	// PageSize is asked for when nobody says otherwise. LeanPageSize is asked
	// for when the secondary attributes of the resource are left out (0: the
	// same). MaxPageSize is never exceeded (0: unknown).
	PageSize, LeanPageSize, MaxPageSize int
	// UserSecondary and GroupSecondary are the attributes that cost the server
	// further look-ups, and so tie the page size.
	UserSecondary, GroupSecondary []string

	CanCreateGroups, CanDeleteGroups bool
	// GroupsNeedFilter: an unfiltered list of groups is refused below a base
	// URL that ends in FilteredBase, but not below the same URL without it.
	GroupsNeedFilter bool
	FilteredBase     string

	// InactiveFilter finds the inactive users where a plain listing leaves
	// them out; "" where it holds everybody.
	InactiveFilter string
	// LookupsSeeInactive: a look-up by userName is known to find inactive
	// users. Where it is not, a 409 whose look-up finds nobody is followed by
	// one reading of InactiveFilter.
	LookupsSeeInactive bool

	Workers int     // default number of workers
	Rate    float64 // requests a second that a client may start with; 0 is unknown

	// Me: the server may know whose account a request is made with (RFC 7644
	// §3.11).
	Me bool

	Patch           bool // PATCH works
	PatchIsSure     bool // with all servers of the provider
	Bulk            bool // /Bulk may be there
	MembersPerPatch int  // members in one PATCH of a group
	HidesMembers    bool // groups never show who is in them
	ContentType     string
	LowerCasePaths  bool // the provider documents its paths in lower case

	// UniqueMatch names the attributes ("User.userName") that the directory is
	// known to keep unique.
	UniqueMatch []string
	// ReusesUserName: the userName of a deleted account may be taken again.
	// RevivesDeleted: a POST of such a userName brings the old account back.
	ReusesUserName, RevivesDeleted bool
	// AddsExternalIDs: the server adds an identifier of its own to those that
	// it is given, so that a list which reads back longer is no drift.
	AddsExternalIDs bool

	// Ignored are the attributes that the server is known to take and to do
	// nothing with.
	Ignored []IgnoredAttribute

	// HintUnit is the unit of a bare Retry-After or quota reset (0: a second,
	// as RFC 9110 §10.2.3 has it; some vendors mean milliseconds).
	HintUnit time.Duration
}

// IgnoredAttribute is an attribute, or its values of one type, that a server
// does not take over from clients.
type IgnoredAttribute struct {
	Attribute, Type string // Type is "" for all values
	Reason          string
}

// String is the path of what is ignored.
func (a IgnoredAttribute) String() string {
	if a.Type == "" {
		return a.Attribute
	}
	return fmt.Sprintf("%s[type eq %q]", a.Attribute, a.Type)
}

const (
	defaultPageSize = 100
	defaultWorkers  = 16
	scimMediaType   = "application/scim+json"
	jsonMediaType   = "application/json"
)

// Profiles returns the known profiles, the default first.
func Profiles() []Profile {
	return []Profile{rfcProfile(), genesysProfile()}
}

// rfcProfile takes nothing for granted that RFC 7644 does not promise.
func rfcProfile() Profile {
	return Profile{
		Name:               "rfc",
		Title:              "SCIM 2.0 (RFC 7644)",
		PageSize:           defaultPageSize,
		CanCreateGroups:    true,
		CanDeleteGroups:    true,
		LookupsSeeInactive: true,
		Workers:            defaultWorkers,
		Me:                 true,
		Patch:              true,
		Bulk:               true,
		MembersPerPatch:    100, // several servers refuse more
		ContentType:        scimMediaType,
		ReusesUserName:     true, // RFC 7644 §3.6, a SHOULD
	}
}

func genesysProfile() Profile {
	return Profile{
		Name:         "genesys",
		Title:        "Genesys Cloud",
		PageSize:     25,
		LeanPageSize: 100,
		MaxPageSize:  100, // nothing above it is documented anywhere
		UserSecondary: []string{
			"externalId", "roles",
			GenesysURN + ":routingLanguages", GenesysURN + ":routingSkills",
		},
		GroupSecondary:   []string{"externalId", "members"},
		GroupsNeedFilter: true,
		FilteredBase:     "/v2",
		InactiveFilter:   "active eq false",
		Workers:          4,
		// The limits page says 300 a minute for a token, but answers have been
		// seen that allow 180: start with what both permit. The quota headers
		// of the first answer take over from there.
		Rate:            3,
		Patch:           true,
		PatchIsSure:     true,
		MembersPerPatch: 100,
		ContentType:     jsonMediaType, // what the vendor's own SDKs send
		LowerCasePaths:  true,
		UniqueMatch:     []string{"User.userName"},
		ReusesUserName:  true,
		RevivesDeleted:  true,
		AddsExternalIDs: true,
		Ignored: []IgnoredAttribute{
			{Attribute: "emails", Type: "other", Reason: "it is the userName, and changes with it"},
		},
	}
}

// ProfileByName finds a profile by its name, whatever its case.
func ProfileByName(name string) (Profile, error) {
	var known []string
	for _, p := range Profiles() {
		if strings.EqualFold(p.Name, strings.TrimSpace(name)) {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return Profile{}, fmt.Errorf("unknown provider %q: known are %s", name, strings.Join(known, ", "))
}

// ProfileForHost knows a provider from the host of its base URL, with or
// without a port; a host that nobody knows gets the RFC's profile.
func ProfileForHost(host string) Profile {
	if isGenesysHost(host) {
		return genesysProfile()
	}
	return rfcProfile()
}

// MatchIsUnique tells whether the directory is known to keep the attribute
// unique among the resources of the type ("User", "Group").
func (p Profile) MatchIsUnique(resourceType, attribute string) bool {
	want := resourceType + "." + attribute
	return slices.ContainsFunc(p.UniqueMatch, func(s string) bool { return strings.EqualFold(s, want) })
}

// PageSizeFor is the page to ask for, given what the listing names and leaves
// out: as large as the provider is known to take.
func (p Profile) PageSizeFor(e Endpoint, attributes, excluded []string) int {
	size := p.PageSize
	if size <= 0 {
		size = defaultPageSize
	}
	if p.LeanPageSize > size && p.trimmed(e, attributes, excluded) {
		size = p.LeanPageSize
	}
	return size
}

// Oversized tells that a page of count is known to be refused unless the
// listing names fewer attributes.
func (p Profile) Oversized(e Endpoint, count int, attributes, excluded []string) bool {
	return len(p.secondary(e)) > 0 && count > p.PageSizeFor(e, attributes, excluded)
}

func (p Profile) secondary(e Endpoint) []string {
	switch e {
	case Users:
		return p.UserSecondary
	case Groups:
		return p.GroupSecondary
	default:
		return nil
	}
}

// Cheap lists the attributes of a schema that clients may write, and that a
// listing may name without its pages becoming smaller.
func (p Profile) Cheap(e Endpoint, schema *ResourceSchema) []string {
	secondary := p.secondary(e)
	var cheap []string
	add := func(prefix string, attrs []Attribute) {
		for i := range attrs {
			name := prefix + attrs[i].Name
			if attrs[i].Verifiable() && !attrs[i].ReadOnly() && !namesAttribute(secondary, name) {
				cheap = append(cheap, name)
			}
		}
	}
	add("", schema.Core.Attributes)
	for i := range schema.Extensions {
		add(schema.Extensions[i].ID+":", schema.Extensions[i].Attributes)
	}
	return cheap
}

// trimmed tells whether the listing leaves all secondary attributes out.
func (p Profile) trimmed(e Endpoint, attributes, excluded []string) bool {
	secondary := p.secondary(e)
	if len(attributes) > 0 {
		return !slices.ContainsFunc(secondary, func(s string) bool { return namesAttribute(attributes, s) })
	}
	for _, s := range secondary {
		if !namesAttribute(excluded, s) {
			return false
		}
	}
	return len(secondary) > 0
}

// namesAttribute tells whether one of the names is the attribute, in its short
// or its full form (RFC 7644 §3.10), or the extension that holds it.
func namesAttribute(names []string, attribute string) bool {
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if strings.EqualFold(name, attribute) || endsInName(name, attribute) || endsInName(attribute, name) {
			return true
		}
		if len(attribute) > len(name) && attribute[len(name)] == ':' && strings.EqualFold(attribute[:len(name)], name) {
			return true
		}
	}
	return false
}

// endsInName tells whether long is short with a URN in front of it.
func endsInName(long, short string) bool {
	cut := len(long) - len(short)
	return cut > 0 && long[cut-1] == ':' && strings.EqualFold(long[cut:], short)
}
