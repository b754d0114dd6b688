package mapping

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"scimbulk/internal/scim"
)

// Columns lays resources out as rows, so that importing the rows again with no
// mapping file says the same: one column a path, in the order of the schema.
// See Add, Header, Cells and Lost.
//
// A value of a multi-valued attribute with a type has its own columns, such as
// emails[type eq "work"].value. What they cannot hold is in the column of the
// attribute itself: values separated by |, or a JSON array of the rest. A value
// that its text alone would not bring back is json: and the value as JSON.
type Columns struct {
	schema *scim.ResourceSchema
	used   map[string]column
	fields map[string]*field // how the automatic mapping reads a column, by path
	lost   map[string]bool
	some   bool // there are resources
}

// column is where a column stands in the header: attributes in the order of
// their schemas, types in alphabetical order, parts in the order of the schema.
type column struct {
	path              string
	section, attr     int
	kind              string
	part              int
	afterAllOfTheKind bool
}

// NewColumns begins a layout.
func NewColumns(schema *scim.ResourceSchema) *Columns {
	c := &Columns{schema: schema, used: map[string]column{}, fields: map[string]*field{}, lost: map[string]bool{}}
	if i := slices.IndexFunc(schema.Core.Attributes, func(a scim.Attribute) bool { return a.Name == "members" }); i >= 0 {
		// Always there, so that the file can be told from one of users.
		c.used["members"] = column{path: "members", attr: i, afterAllOfTheKind: true}
	}
	return c
}

// Add makes room for what a resource holds.
func (c *Columns) Add(o scim.Object) {
	c.some = true
	c.each(o, func(at column, _ any) {
		if _, known := c.used[at.path]; !known {
			c.used[at.path] = at
		}
	})
}

// Header names the columns that were needed so far. A file of nobody has those
// that everybody has, so that it can be read.
func (c *Columns) Header() []string {
	if !c.some {
		c.Add(scim.Object{"id": "-", "userName": "-", "displayName": "-"})
		c.some = false
	}
	columns := make([]column, 0, len(c.used))
	for _, at := range c.used {
		columns = append(columns, at)
	}
	slices.SortFunc(columns, func(a, b column) int {
		return cmp.Or(
			cmp.Compare(a.section, b.section), cmp.Compare(a.attr, b.attr),
			compareBool(a.afterAllOfTheKind, b.afterAllOfTheKind),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.part, b.part), cmp.Compare(a.path, b.path))
	})
	names := make([]string, len(columns))
	for i, at := range columns {
		names[i] = at.path
	}
	return names
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Cells are the values of a resource under a header.
func (c *Columns) Cells(o scim.Object, header []string) []string {
	values := map[string]string{}
	c.each(o, func(at column, v any) { values[at.path] = c.text(at.path, v) })
	cells := make([]string, len(header))
	for i, name := range header {
		cells[i] = values[name]
	}
	return cells
}

// Row makes room for what a resource holds, as Add does, and hands each of its
// cells to visit, by the name of its column. It is Add and Cells at half the cost,
// for whoever keeps the cells until the header is known.
func (c *Columns) Row(o scim.Object, visit func(column, text string)) {
	c.some = true
	c.each(o, func(at column, v any) {
		if _, known := c.used[at.path]; !known {
			c.used[at.path] = at
		}
		visit(at.path, c.text(at.path, v))
	})
}

// mostLost bounds what Lost names.
const mostLost = 100

// Lost names what the resources so far hold and no column can: attributes and
// parts that no schema describes, and values of another shape than theirs. An
// import of the rows leaves all that alone.
func (c *Columns) Lost() []string { return slices.Sorted(maps.Keys(c.lost)) }

func (c *Columns) lose(name string) {
	if len(c.lost) < mostLost {
		c.lost[name] = true
	}
}

// Guard keeps a spreadsheet from running a cell as a formula, with the
// apostrophe that spreadsheets themselves use. Reading takes it away again.
func Guard(cell string) string {
	if strings.IndexAny(strings.TrimLeft(cell, "'"), "=+-@\t\r") == 0 {
		return "'" + cell
	}
	return cell
}

// each walks the values of a resource: single ones, or the list of what the
// columns of its types do not hold.
func (c *Columns) each(o scim.Object, visit func(at column, value any)) {
	c.section(0, "", c.schema.Core.Attributes, o, visit)
	for i, s := range c.schema.Extensions {
		switch _, v, _ := scim.Member(o, s.ID); v := v.(type) {
		case nil:
		case scim.Object:
			c.section(i+1, s.ID, s.Attributes, v, visit)
		default:
			c.lose(s.ID)
		}
	}
}

func (c *Columns) section(section int, urn string, attrs []scim.Attribute, o scim.Object, visit func(column, any)) {
	for i := range attrs {
		attr := &attrs[i]
		_, v, _ := scim.Member(o, attr.Name)
		if scim.Unassigned(v) || attr.Name == "schemas" || attr.Returned == "never" {
			continue
		}
		w := &cellWriter{c: c, at: column{section: section, attr: i}, path: scim.Path{URN: urn, Attr: attr.Name}, attr: attr, visit: visit}
		switch {
		case attr.MultiValued:
			w.list(v)
		case attr.Type == "complex":
			w.complex(v)
		default:
			w.cell(w.path, v)
		}
	}
	for name, v := range o {
		schema := urn == "" && c.schema.Schema(name) != nil
		if c.schema.Schema(urn).Attribute(name) == nil && !schema && !scim.Unassigned(v) {
			c.lose(scim.Path{URN: urn, Attr: name}.Short())
		}
	}
}

// cellWriter turns the value of one attribute into cells.
type cellWriter struct {
	c     *Columns
	at    column
	path  scim.Path
	attr  *scim.Attribute
	visit func(column, any)
}

// cell gives a value its column, if there is a path for it that can be read.
func (w *cellWriter) cell(path scim.Path, v any) {
	at := w.at
	at.path = path.Short()
	if w.c.field(at.path) == nil {
		w.c.lose(at.path)
		return
	}
	w.visit(at, v)
}

// dullMeta are parts of meta that say nothing about the resource.
var dullMeta = [...]string{"resourceType", "location"}

func (w *cellWriter) complex(v any) {
	o, ok := v.(scim.Object)
	if !ok {
		w.c.lose(w.path.Short())
		return
	}
	for name, part := range o {
		if w.attr.Sub(name) == nil && !scim.Unassigned(part) {
			w.c.lose(scim.Path{URN: w.path.URN, Attr: w.path.Attr, Sub: name}.Short())
		}
	}
	for i := range w.attr.SubAttributes {
		sub := &w.attr.SubAttributes[i]
		_, value, _ := scim.Member(o, sub.Name)
		dull := w.attr.Name == "meta" && slices.Contains(dullMeta[:], sub.Name) || sub.Name == "$ref"
		if scim.Unassigned(value) || dull {
			continue
		}
		w.at.part = i
		path := w.path
		path.Sub = sub.Name
		w.cell(path, value)
	}
}

func (w *cellWriter) list(v any) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	seen := map[string]bool{}
	var rest []any
	for _, e := range list {
		if w.typed(e, seen) {
			continue
		}
		if e = w.bare(e); !scim.Unassigned(e) {
			rest = append(rest, e)
		}
	}
	if len(rest) > 0 {
		w.at.kind, w.at.part, w.at.afterAllOfTheKind = "", 0, true
		w.cell(w.path, rest)
	}
}

// typed gives a value the columns of its type. It says false where they cannot
// hold it: no type, a type that came before, or parts that no schema knows.
func (w *cellWriter) typed(e any, seen map[string]bool) bool {
	o, ok := e.(scim.Object)
	if !ok || w.attr.ReadOnly() || w.attr.Name == "members" || w.attr.Sub("type") == nil {
		return false
	}
	_, kind, _ := scim.Member(o, "type")
	name, _ := kind.(string)
	if !plainWord(name) || seen[name] || !w.known(o) {
		return false
	}
	w.at.kind = name
	filter := scim.Comparison{Path: scim.Path{Attr: "type"}, Op: "eq", Value: name}
	for i := range w.attr.SubAttributes {
		sub := &w.attr.SubAttributes[i]
		_, value, _ := scim.Member(o, sub.Name)
		if sub.Name == "type" || sub.ReadOnly() || scim.Unassigned(value) || sub.Name == "primary" && value == false {
			continue
		}
		w.at.part = i
		path := w.path
		path.Filter, path.Sub = filter, sub.Name
		w.cell(path, value)
		seen[name] = true
	}
	return seen[name]
}

// plainWord says whether a type can stand in a column name: some servers have
// types in capitals, whose columns would not bring them back.
func plainWord(s string) bool {
	return s != "" && s == strings.ToLower(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	}) < 0
}

func (w *cellWriter) known(o scim.Object) bool {
	for name, v := range o {
		if w.attr.Sub(name) == nil && !scim.Unassigned(v) {
			return false
		}
		switch v.(type) {
		case scim.Object, []any:
			return false
		}
	}
	return true
}

// bare leaves out what the directory adds to a value by itself.
func (w *cellWriter) bare(e any) any {
	o, ok := e.(scim.Object)
	if !ok {
		return e
	}
	kept := scim.Object{}
	for name, v := range o {
		sub := w.attr.Sub(name)
		derived := sub != nil && (sub.ReadOnly() && !w.attr.ReadOnly() || strings.EqualFold(name, "primary") && v == false)
		if w.attr.Name == "members" || w.attr.Name == "groups" {
			derived = !strings.EqualFold(name, "value")
		}
		if !derived && !scim.Unassigned(v) {
			kept[name] = v
		}
	}
	return kept
}

func loneValue(e any) (string, bool) {
	if text, ok := e.(string); ok {
		return text, true
	}
	o, ok := e.(scim.Object)
	if !ok || len(o) != 1 {
		return "", false
	}
	_, v, _ := scim.Member(o, "value")
	text, ok := v.(string)
	return text, ok
}
