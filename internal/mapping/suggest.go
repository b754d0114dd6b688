package mapping

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// suggestPath names the path that a wrong one most likely means: one that is
// spelt like it, or what the table of well-known headers makes of its last
// part (firstName is name.givenName).
func suggestPath(schema *scim.ResourceSchema, path string) string {
	if near := scim.Nearest(path, shortPaths(schema)); near != "" {
		return near
	}
	last := path[strings.LastIndexAny(path, ".:")+1:]
	k, ok := lookUpHeader(plainHeader(last))
	if !ok {
		return ""
	}
	parsed, err := scim.ParsePath(k.path)
	if err != nil {
		return ""
	}
	if _, err := schema.Resolve(parsed); err != nil {
		return ""
	}
	return k.path
}

// Likely is the path that a column most likely means that maps to nothing: its
// header is one slip of the pen from a well-known one, and no other column is
// mapped to that path. It is "" where nothing is likely.
func (m *Mapping) Likely(column string) string {
	for _, path := range likely(column) {
		if !m.assigns(path) {
			return path
		}
	}
	return ""
}

// likely are the paths whose well-known headers are one slip of the pen away.
func likely(column string) (paths []string) {
	name := plainHeader(column)
	if len(name) < 4 { // too short to be sure
		return nil
	}
	for _, slip := range slips(name) {
		if k, ok := lookUpHeader(slip); ok && k.path != "op" {
			paths = append(paths, k.path)
		}
	}
	return paths
}

// assigns says whether some column is mapped to a path.
func (m *Mapping) assigns(short string) bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.target.Path.Short() == short })
}

// slips are the texts that one wrong, missing, added or swapped letter makes of a
// name of letters and digits.
func slips(name string) []string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	var list []string
	for i := range len(name) + 1 {
		head, tail := name[:i], name[i:]
		if len(tail) > 1 {
			list = append(list, head+tail[1:2]+tail[:1]+tail[2:])
		}
		if tail != "" {
			list = append(list, head+tail[1:])
		}
		for _, c := range letters {
			if list = append(list, head+string(c)+tail); tail != "" {
				list = append(list, head+string(c)+tail[1:])
			}
		}
	}
	return list
}

// shortPaths lists what can be written in a mapping, as people write it.
func shortPaths(schema *scim.ResourceSchema) []string {
	var list []string
	add := func(urn string, attrs []scim.Attribute) {
		for _, a := range attrs {
			if a.ReadOnly() {
				continue
			}
			if a.Type != "complex" || a.MultiValued || a.Sub("value") != nil {
				list = append(list, scim.Path{URN: urn, Attr: a.Name}.Short())
			}
			for _, s := range a.SubAttributes {
				if !a.MultiValued && !s.ReadOnly() {
					list = append(list, scim.Path{URN: urn, Attr: a.Name, Sub: s.Name}.Short())
				}
			}
		}
	}
	add("", schema.Core.Attributes)
	for _, s := range schema.Extensions {
		add(s.ID, s.Attributes)
	}
	return list
}
