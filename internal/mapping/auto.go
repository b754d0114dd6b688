package mapping

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// Auto is the mapping of a file that has none: a header that is a SCIM path
// maps to it, a well-known one by the table. resource is the flag's value; ""
// is what [ResourceOf] says. The columns are mapped when Compile knows the
// directory's schema.
func Auto(header, schemas []string, resource string) *File {
	f := &File{auto: true}
	if f.resource.s = resource; resource == "" {
		f.resource.s = ResourceOf(header, schemas)
		f.guessed = f.resource.s != "User"
	}
	return f
}

// mapHeader makes the entries of an automatic mapping.
func (c *compiler) mapHeader() {
	file := *c.File // which other headers may be compiled with
	c.File = &file
	a := autoMapper{f: c.File, header: c.m.header, schema: c.m.schema, taken: map[string]bool{}, match: c.matchPath()}
	a.mapPaths()
	a.mapKnown()
	if !strings.EqualFold(c.matchPath(), "id") {
		a.mapUserName()
	}
	c.m.notes = append(c.m.notes, a.notes...)
}

// ResourceOf is the resource that the rows of a file describe, as far as its
// columns and the schemas of its objects tell: User, unless they are plainly
// those of groups.
func ResourceOf(header, schemas []string) string {
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
	}
	columns := has(header, "displayName") && has(header, "members") && !has(header, "userName")
	if columns || has(schemas, scim.GroupURN) && !has(schemas, scim.UserURN) {
		return "Group"
	}
	return "User"
}

type autoMapper struct {
	f      *File
	header []string
	schema *scim.ResourceSchema
	match  string          // the attribute by which rows are matched
	taken  map[string]bool // paths, and columns by number
	notes  []string
}

func columnKey(i int) string { return "#" + string(rune(i)) }

func (a *autoMapper) add(i int, path string, negate bool) {
	if a.taken[strings.ToLower(path)] || a.taken[columnKey(i)] {
		return
	}
	a.taken[strings.ToLower(path)], a.taken[columnKey(i)] = true, true
	a.f.entries = append(a.f.entries, entry{path: text{s: path}, auto: true, index: i, negate: negate})
}

// mapPaths maps the headers that are SCIM paths. Extension attributes need
// their prefix here; without it the table decides, for in other people's files
// Manager is a name and not an id.
func (a *autoMapper) mapPaths() {
	for i, h := range a.header {
		if strings.HasPrefix(h, "_") {
			continue
		}
		path, err := scim.ParsePath(h)
		if err != nil || isSecret(path.Attr) {
			continue
		}
		t, err := a.schema.Resolve(path)
		if err != nil || (t.Path.URN != "" && path.URN == "") || (t.ReadOnly() && t.Attr.Name != "id" && !strings.EqualFold(t.Path.Short(), a.match)) {
			continue
		}
		a.add(i, t.Path.Short(), false)
	}
}

func isSecret(attr string) bool { return strings.EqualFold(attr, "password") }

func (a *autoMapper) mapKnown() {
	for i, h := range a.header {
		if strings.HasPrefix(h, "_") || a.taken[columnKey(i)] {
			continue
		}
		k, ok := knownHeader(h)
		switch {
		case !ok:
		case k.path == "op":
			if a.f.op == nil {
				a.taken[columnKey(i)] = true
				a.f.op = &entry{path: text{s: "op"}, auto: true, index: i}
			}
		case a.resolves(k.path):
			a.addKnown(i, k)
		}
	}
}

func (a *autoMapper) resolves(path string) bool {
	p, err := scim.ParsePath(path)
	if err != nil {
		return false
	}
	_, err = a.schema.Resolve(p)
	return err == nil
}

func (a *autoMapper) addKnown(i int, k known) {
	n := len(a.f.entries)
	a.add(i, k.path, k.negate)
	if len(a.f.entries) > n && k.ref != "" {
		a.f.entries[n].ref = text{s: k.ref, given: true}
	}
}

// mapUserName takes the e-mail address for the user name where no column says
// another: that is what such files mean.
func (a *autoMapper) mapUserName() {
	if a.schema.Resource != "User" || a.taken["username"] {
		return
	}
	const email = `emails[type eq "work"].value`
	for _, e := range a.f.entries {
		if e.path.s == email {
			a.f.entries = append(a.f.entries, entry{path: text{s: "userName"}, auto: true, index: e.index})
			a.notes = append(a.notes, `userName is taken from column "`+a.header[e.index]+`"`)
			return
		}
	}
}
