package mapping

import (
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
