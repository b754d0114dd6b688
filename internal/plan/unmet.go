package plan

import (
	"slices"

	"scimbulk/internal/scim"
)

// Unmet names what a change sets and a resource that was read afterwards does
// not show. Values that cannot be read back, and what the directory decides
// itself, are left out; what else it has added is its own business, and so is
// what a PUT does not name (RFC 7644 §3.5.1).
func (r *Rules) Unmet(c *Change, have scim.Object) []string {
	wanted := c.Differences
	if c.Action == ActCreate { // only a plan lists what a create sets
		_, wanted = r.diff(scim.Object{}, c.Body)
	}
	var unmet []string
	for _, d := range wanted {
		if c.Body != nil {
			if d.Old = nil; scim.Unassigned(d.New) {
				continue
			}
		}
		if !d.Secret && !r.met(d, have) && !slices.Contains(unmet, d.Path) {
			unmet = append(unmet, d.Path)
		}
	}
	return unmet
}

func (r *Rules) met(d Difference, have scim.Object) bool {
	path, err := scim.ParsePath(d.Path)
	if err != nil {
		return true // nobody can tell
	}
	_, attr := r.attributeAt(path)
	if attr == nil || !leafOf(attr, path).Verifiable() || leafOf(attr, path).ReadOnly() {
		return true
	}
	now := r.valueAt(have, path, attr)
	switch {
	case attr.MultiValued && path.Filter == nil && path.Sub == "":
		return listMet(attr, asList(d.Old), asList(d.New), asList(now))
	case scim.Unassigned(d.New):
		return scim.Unassigned(now) || attr.Type == "complex" && path.Sub == "" && bare(attr, now)
	}
	if path.Sub != "" {
		return scim.Covers(attr, scim.Object{path.Sub: now}, scim.Object{path.Sub: d.New})
	}
	return scim.Equal(attr, now, d.New)
}

// listMet says whether a list has all values that came, and none that went.
func listMet(attr *scim.Attribute, gone, come, now []any) bool {
	for _, v := range come {
		shown := func(have any) bool {
			h, okH := have.(scim.Object)
			w, okW := v.(scim.Object)
			return okH && okW && scim.Covers(attr, h, w) || scim.Equal(attr, have, v)
		}
		if !slices.ContainsFunc(now, shown) {
			return false
		}
	}
	for _, v := range gone {
		if indexOf(attr, come, v) < 0 && indexOf(attr, now, v) >= 0 {
			return false
		}
	}
	return true
}
