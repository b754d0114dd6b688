package report

import (
	"fmt"
	"strings"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// ignored counts the changes of attributes that the provider is known to take
// and to do nothing with.
type ignored struct {
	profile scim.Profile
	counts  []int64 // by the attributes of the profile
}

func (g *ignored) add(differences []plan.Difference) {
	for i, attr := range g.profile.Ignored {
		if len(g.counts) == 0 {
			g.counts = make([]int64, len(g.profile.Ignored))
		}
		for _, d := range differences {
			if touches(attr, d) {
				g.counts[i]++
				break
			}
		}
	}
}

// touches says whether a difference sets an attribute, or a value of its type
// where that is what is ignored.
func touches(a scim.IgnoredAttribute, d plan.Difference) bool {
	path, err := scim.ParsePath(d.Path)
	if err != nil || !strings.EqualFold(path.Attr, a.Attribute) {
		return false
	}
	if a.Type == "" {
		return true
	}
	if path.Filter != nil {
		return scim.Matches(path.Filter, scim.Object{"type": a.Type}, nil)
	}
	list, _ := d.New.([]any)
	for _, e := range list {
		if o, ok := e.(scim.Object); ok && o["type"] == a.Type {
			return true
		}
	}
	return false
}

func (g *ignored) warnings() []string {
	var list []string
	for i, attr := range g.profile.Ignored {
		if len(g.counts) > 0 && g.counts[i] > 0 {
			list = append(list, fmt.Sprintf("%s set %s, which %s does not take over: %s",
				countText(g.counts[i], "change"), attr.String(), g.profile.Title, attr.Reason))
		}
	}
	return list
}
