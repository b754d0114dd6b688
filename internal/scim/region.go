package scim

import (
	"fmt"
	"net"
	"strings"
)

// GenesysRegion is one region of Genesys Cloud.
type GenesysRegion struct {
	Name   string // us-east-1
	Domain string // mypurecloud.com
}

// BaseURL is the SCIM base of the region.
func (r GenesysRegion) BaseURL() string { return "https://api." + r.Domain + "/api/v2/scim/v2" }

// TokenURL is the OAuth token endpoint of the region.
func (r GenesysRegion) TokenURL() string { return "https://login." + r.Domain + "/oauth/token" }

// GenesysRegions returns the whole table, from the vendor's SDK and command
// line.
func GenesysRegions() []GenesysRegion {
	return []GenesysRegion{
		{"us-east-1", "mypurecloud.com"},
		{"eu-west-1", "mypurecloud.ie"},
		{"ap-southeast-2", "mypurecloud.com.au"},
		{"ap-northeast-1", "mypurecloud.jp"},
		{"eu-central-1", "mypurecloud.de"},
		{"us-west-2", "usw2.pure.cloud"},
		{"ca-central-1", "cac1.pure.cloud"},
		{"ap-northeast-2", "apne2.pure.cloud"},
		{"eu-west-2", "euw2.pure.cloud"},
		{"ap-south-1", "aps1.pure.cloud"},
		{"us-east-2", "use2.us-gov-pure.cloud"},
		{"sa-east-1", "sae1.pure.cloud"},
		{"me-central-1", "mec1.pure.cloud"},
		{"ap-northeast-3", "apne3.pure.cloud"},
		{"eu-central-2", "euc2.pure.cloud"},
		{"mx-central-1", "mxc1.pure.cloud"},
		{"ap-southeast-1", "apse1.pure.cloud"},
		{"eusc-de-east-1", "edee1.eusc-pure.cloud"},
	}
}

// Region finds a region by name or domain, whatever the case. The vendor's
// tools write some names with underscores, and people paste the host of the
// API or of the login page: both are taken.
func Region(name string) (GenesysRegion, error) {
	wanted := regionKey(name)
	for _, r := range GenesysRegions() {
		if wanted == r.Name || wanted == r.Domain {
			return r, nil
		}
	}
	return GenesysRegion{}, fmt.Errorf("unknown Genesys region %q: %s", name, regionHint(wanted))
}

func regionKey(name string) string {
	key := strings.ToLower(strings.TrimSpace(name))
	key = strings.TrimPrefix(key, "https://")
	key, _, _ = strings.Cut(key, "/")
	for _, host := range []string{"api.", "login.", "apps."} {
		key = strings.TrimPrefix(key, host)
	}
	return strings.ReplaceAll(key, "_", "-")
}

// regionHint names the nearest region, or all of them where none is near.
func regionHint(key string) string {
	var words, names []string
	for _, r := range GenesysRegions() {
		words = append(words, r.Name, r.Domain)
		names = append(names, r.Name)
	}
	if near := Nearest(key, words); near != "" {
		return "did you mean " + near + "?"
	}
	return "known are " + strings.Join(names, ", ")
}

// isGenesysHost tells whether the host belongs to one of the regions' domains.
func isGenesysHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, r := range GenesysRegions() {
		if host == r.Domain || strings.HasSuffix(host, "."+r.Domain) {
			return true
		}
	}
	return false
}
