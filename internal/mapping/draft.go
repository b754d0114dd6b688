package mapping

import (
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Draft writes a mapping for a file that has none, from its header and what its
// cells show. It sees every row and holds a few KiB a column.
type Draft struct {
	o       DraftOptions
	header  []string
	columns []*facts
	rows    int64
	faulty  int64
	hygiene Hygiene
}

// DraftOptions say what a draft is for.
type DraftOptions struct {
	Input    string               // the file's name, for comments
	Resource string               // "" is known by the columns
	Provider string               // whose attributes they are, for comments
	Schema   *scim.ResourceSchema // what the directory keeps of the resource
}

// NewDraft begins a draft. Schema is asked for the resource that the rows are.
func NewDraft(header []string, o DraftOptions) *Draft {
	d := &Draft{o: o, header: header}
	for _, h := range header {
		d.columns = append(d.columns, newFacts(h))
	}
	return d
}

// See takes a row in.
func (d *Draft) See(row *rows.Row) {
	d.rows++
	if row.Err != nil {
		d.faulty++
		return
	}
	for i, cell := range row.Cells {
		if i < len(d.columns) {
			d.columns[i].see(d.hygiene.clean(cell))
		}
	}
}

// choice is a line of the draft.
type choice struct {
	path    string
	column  int
	expr    string   // in place of the column
	details []string // beside the column: "transform: phone"
	why     string   // a comment of its own, above
	off     bool     // a comment altogether
}

// chooser finds out what each column is.
type chooser struct {
	*Draft
	resource string
	wide     *scim.ResourceSchema // with what the directory does not keep
	choices  []choice
	used     []bool          // columns that have a line
	taken    map[string]bool // paths that have a line that counts, lower case
	readOnly []string        // columns whose values the directory decides
	op       string
	key      int // the column by which people are told apart, -1 for none
}

// choose goes from what is certain to what is likely: the paths and well-known
// names of the header, then what the cells show.
func (d *Draft) choose() *chooser {
	c := &chooser{Draft: d, resource: firstOf(d.o.Resource, ResourceOf(d.header, nil)), used: make([]bool, len(d.header)), taken: map[string]bool{}, key: -1}
	if d.o.Schema == nil {
		d.o.Schema = scim.Builtin(c.resource)
	}
	c.wide = scim.Builtin(c.resource)
	c.leaveOut()
	c.byHeader(d.o.Schema)
	c.byHeader(c.wide)
	if c.resource == "User" {
		c.chooseActive()
		c.byCells()
		c.chooseManager()
		c.chooseGroups()
		c.chooseKey()
		c.likelyReferences()
		c.chooseDisplayName()
	}
	c.inOrder()
	return c
}

// leaveOut sets aside what cannot or must not be mapped: secrets, and columns
// that no name tells apart.
func (c *chooser) leaveOut() {
	for i, f := range c.columns {
		_, fault := findColumn(c.header, c.header[i])
		switch {
		case strings.HasPrefix(c.header[i], "_"), c.header[i] == "":
			c.used[i] = true
		case fault != nil:
			c.add(choice{path: "PATH", column: i, off: true, why: fault.message + ": " + fault.hint})
		case c.decided(c.header[i]):
			c.readOnly = append(c.readOnly, c.header[i])
			c.used[i] = true
		case f.secret && c.resource == "User":
			c.add(choice{path: "password", column: i, off: true, why: "A password is mapped only by somebody who means it:"})
		}
	}
}

// decided says whether a header is a path that only the directory writes.
func (c *chooser) decided(header string) bool {
	p, err := scim.ParsePath(header)
	if err != nil || c.namesGroups(p) {
		return false
	}
	t, err := c.wide.Resolve(p)
	return err == nil && t.ReadOnly() || p.URN == "" && (strings.EqualFold(p.Attr, "schemas") || strings.EqualFold(p.Attr, "meta"))
}

// namesGroups says whether a column called groups is that of an HR system and
// not that of an export, which has the ids of its people too.
func (c *chooser) namesGroups(p scim.Path) bool {
	return c.resource == "User" && p.Sub == "" && strings.EqualFold(p.Attr, "groups") &&
		!slices.ContainsFunc(c.header, func(h string) bool { return strings.EqualFold(h, "id") })
}

// isSecretHeader knows a column that holds a secret by its name.
func isSecretHeader(header string) bool {
	name := plainHeader(header)
	for _, word := range []string{"password", "passwd", "passwort", "kennwort", "secret", "passphrase", "pincode"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "pin" || name == "pwd"
}

// byHeader takes the columns whose names say what they are.
func (c *chooser) byHeader(schema *scim.ResourceSchema) {
	file := &File{auto: true}
	a := autoMapper{f: file, header: c.header, schema: schema, taken: map[string]bool{}}
	for i, used := range c.used {
		if used {
			a.taken[columnKey(i)] = true
		}
	}
	for path := range c.taken {
		a.taken[path] = true
	}
	a.mapPaths()
	a.mapKnown()
	if op := file.op; op != nil && c.op == "" && c.columns[op.index].areOps() {
		c.op, c.used[op.index] = c.header[op.index], true
	}
	for _, e := range file.entries {
		switch {
		case e.path.s == "active", e.ref.s != "": // which want a closer look
		case e.path.s == "userName" && c.columns[e.index].filled == 0 && c.hasKey():
		default:
			c.take(e.path.s, e.index)
		}
	}
}

// areOps says whether all values of a column are operations.
func (f *facts) areOps() bool {
	return f.filled > 0 && f.words != nil && !slices.ContainsFunc(f.sortedWords(), func(w string) bool { return !isOp(w) })
}

// take gives a column a path, with what its values need to be read; where the
// directory does not keep the path, as a comment.
func (c *chooser) take(path string, column int) {
	ch := choice{path: path, column: column}
	t := c.resolve(c.o.Schema, path)
	switch {
	case t == nil:
		ch.off, ch.why = true, c.lacks(path)
	case t.ReadOnly() && !(c.resource == "Group" && path == "displayName"): // by which groups are found
		ch.off, ch.why = true, "The directory decides it:"
	case t.List():
		ch.details = c.listDetails(t, c.columns[column])
	case t.Attr.Name == "phoneNumbers" && c.columns[column].all(c.columns[column].callable):
		ch.details = []string{"transform: phone"}
	case strings.EqualFold(t.Path.Short(), "enterprise:dateHire"):
		ch.details, ch.why, ch.off = dateDetails(c.columns[column])
	}
	c.add(ch)
}

func (c *chooser) lacks(path string) string {
	return fmt.Sprintf("%s has no %s:", firstOf(c.o.Provider, "the directory"), path)
}

func (c *chooser) add(ch choice) {
	if ch.column >= 0 && ch.expr == "" {
		c.used[ch.column] = true
	}
	if !ch.off {
		c.taken[strings.ToLower(ch.path)] = true
	}
	c.choices = append(c.choices, ch)
}

// resolve finds a path that the directory keeps, for a type that it knows.
func (c *chooser) resolve(schema *scim.ResourceSchema, path string) *scim.Target {
	p, err := scim.ParsePath(path)
	if err != nil {
		return nil
	}
	t, err := schema.Resolve(p)
	if err != nil || (t.Path.URN != "" && p.URN == "") {
		return nil
	}
	typ := t.Attr.Sub("type")
	if eq, ok := p.Filter.(scim.Comparison); ok && typ != nil && len(typ.CanonicalValues) > 0 && strings.EqualFold(eq.Path.Attr, "type") {
		if !slices.ContainsFunc(typ.CanonicalValues, func(s string) bool { v, _ := eq.Value.(string); return strings.EqualFold(s, v) }) {
			return nil
		}
	}
	return t
}

// keeps says whether the directory keeps a path that has no line yet.
func (c *chooser) keeps(path string) bool {
	t := c.resolve(c.o.Schema, path)
	return t != nil && !t.ReadOnly() && !c.taken[strings.ToLower(path)]
}

func (c *chooser) listDetails(t *scim.Target, f *facts) []string {
	var details []string
	if s := f.splitter(); s != "" {
		details = append(details, "split: "+yamlText(s))
	}
	if t.Attr.Name == "members" && f.emails > 0 {
		details = append(details, "ref: User.userName", "on-missing: skip")
	}
	if t.Attr.Sub("proficiency") != nil && t.Attr.Sub("name") != nil {
		details = append(details, `each: "name:proficiency"`)
	}
	return details
}

// dateDetails says how a column writes dates, if it does so in one way.
func dateDetails(f *facts) (details []string, why string, off bool) {
	switch {
	case f.filled == 0 || len(f.dates) == 0:
		return nil, "Not all of its values are dates of one form:", true
	case f.dates[0] == "YYYY-MM-DD":
		return nil, "", false
	case len(f.dates) > 1:
		return []string{"format: " + f.dates[0]}, "Nothing tells " + strings.Join(f.dates, " from ") + " in these values, say which it is:", true
	}
	return []string{"format: " + yamlText(f.dates[0])}, "", false
}

// inOrder puts the lines into the order of the schema, those that count first
// where there are two for a path.
func (c *chooser) inOrder() {
	rank := map[string]int{}
	for i, path := range shortPaths(c.wide) {
		rank[strings.ToLower(path)] = i
	}
	place := func(ch choice) int {
		p, err := scim.ParsePath(ch.path)
		if err != nil {
			return 1 << 20
		}
		if i, ok := rank[strings.ToLower(p.Short())]; ok {
			return i
		}
		p.Filter, p.Sub = nil, ""
		if i, ok := rank[strings.ToLower(p.Short())]; ok {
			return i
		}
		return 1 << 19
	}
	slices.SortStableFunc(c.choices, func(a, b choice) int {
		if c.isKey(a) != c.isKey(b) {
			return compareBool(c.isKey(b), c.isKey(a))
		}
		return place(a) - place(b)
	})
}

func (c *chooser) isKey(ch choice) bool {
	return c.resource == "User" && ch.path == "userName" && !ch.off
}
