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
	known  map[spot]*column
	used   []*column // in the order in which they were first needed
	lost   map[string]bool
	some   bool // there are resources
}

// spot is where a column stands in the header: attributes in the order of
// their schemas, types in alphabetical order, parts in the order of the schema.
type spot struct {
	section, attr     int
	kind              string
	part              int
	afterAllOfTheKind bool
}

// column is what a path has, once it is known that something has a value there.
type column struct {
	spot
	path   string
	field  *field // how the automatic mapping reads it; nil: it does not
	used   bool
	number int // among those that are used
}

// NewColumns begins a layout.
func NewColumns(schema *scim.ResourceSchema) *Columns {
	c := &Columns{schema: schema, known: map[spot]*column{}, lost: map[string]bool{}}
	if i := slices.IndexFunc(schema.Core.Attributes, func(a scim.Attribute) bool { return a.Name == "members" }); i >= 0 {
		// Always there, so that the file can be told from one of users.
		c.use(c.column(spot{attr: i, afterAllOfTheKind: true}, scim.Path{Attr: "members"}))
	}
	return c
}

// column is that of a spot, which stands for a path.
func (c *Columns) column(at spot, path scim.Path) *column {
	at.kind = strings.Clone(at.kind) // it may be part of a text that is soon forgotten
	name := path.Short()
	col := &column{spot: at, path: name, field: c.field(name)}
	c.known[at] = col
	return col
}

func (c *Columns) use(col *column) {
	if !col.used {
		col.used, col.number = true, len(c.used)
		c.used = append(c.used, col)
	}
}

// Add makes room for what a resource holds.
func (c *Columns) Add(o scim.Object) {
	c.some = true
	c.each(o, func(col *column, _ any) { c.use(col) })
}

// Header names the columns that were needed so far. A file of nobody has those
// that everybody has, so that it can be read.
func (c *Columns) Header() []string {
	if !c.some {
		c.Add(scim.Object{"id": "-", "userName": "-", "displayName": "-"})
		c.some = false
	}
	columns := slices.Clone(c.used)
	slices.SortFunc(columns, func(a, b *column) int {
		return cmp.Or(
			cmp.Compare(a.section, b.section), cmp.Compare(a.attr, b.attr),
			compareBool(a.afterAllOfTheKind, b.afterAllOfTheKind),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.part, b.part), cmp.Compare(a.path, b.path))
	})
	return paths(columns)
}

func paths(columns []*column) []string {
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.path
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
	c.each(o, func(col *column, v any) { values[col.path] = col.field.text(v) })
	cells := make([]string, len(header))
	for i, name := range header {
		cells[i] = values[name]
	}
	return cells
}

// Row makes room for what a resource holds, as Add does, and hands each of its
// cells to visit, by the number of its column. It is Add and Cells at half the
// cost, for whoever keeps the cells until the header is known.
func (c *Columns) Row(o scim.Object, visit func(column int, text string)) {
	c.some = true
	c.each(o, func(col *column, v any) {
		c.use(col)
		visit(col.number, col.field.text(v))
	})
}

// Numbered names the columns that were needed so far, by their numbers.
func (c *Columns) Numbered() []string { return paths(c.used) }

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

// guarded are the characters by which a formula begins.
const guarded = "=+-@\t\r"

// Guard keeps a spreadsheet from running a cell as a formula, with the
// apostrophe that spreadsheets themselves use. Reading takes it away again.
func Guard(cell string) string {
	if strings.IndexAny(strings.TrimLeft(cell, "'"), guarded) == 0 {
		return "'" + cell
	}
	return cell
}

// each walks the values of a resource: single ones, or the list of what the
// columns of its types do not hold.
func (c *Columns) each(o scim.Object, visit func(col *column, value any)) {
	w := &cellWriter{c: c, visit: visit}
	extensions := 0
	for i, s := range c.schema.Extensions {
		_, v, there := scim.Member(o, s.ID)
		if there {
			extensions++
		}
		switch v := v.(type) {
		case nil:
		case scim.Object:
			w.section(i+1, s.ID, s.Attributes, v, 0)
		default:
			c.lose(s.ID)
		}
	}
	w.section(0, "", c.schema.Core.Attributes, o, extensions)
}

// cellWriter turns the values of the attributes into cells, one at a time.
type cellWriter struct {
	c     *Columns
	at    spot
	path  scim.Path
	attr  *scim.Attribute
	types []string // of the list, that have their columns
	visit func(*column, any)
}

// section walks the attributes of a schema. others is how many members of the
// object are known to be something else.
func (w *cellWriter) section(section int, urn string, attrs []scim.Attribute, o scim.Object, others int) {
	m := partsOf(o, attrs, others)
	for i := range attrs {
		attr := &attrs[i]
		v := m.value(attr.Name)
		if scim.Unassigned(v) || attr.Name == "schemas" || attr.Returned == "never" {
			continue
		}
		w.at, w.path, w.attr = spot{section: section, attr: i}, scim.Path{URN: urn, Attr: attr.Name}, attr
		switch {
		case attr.MultiValued:
			w.list(v)
		case attr.Type == "complex":
			w.complex(v)
		default:
			w.cell("", v)
		}
	}
	if !m.exact {
		w.loseUnknown(urn, o)
	}
}

// parts are the members of an object that has attributes. Where all have the very
// names of the schema, none has to be looked for in other letters.
type parts struct {
	scim.Object
	exact bool
}

// partsOf looks at the names of an object. others is how many members are known
// to be something else.
func partsOf(o scim.Object, attrs []scim.Attribute, others int) parts {
	exact := others
	for i := range attrs {
		if _, there := o[attrs[i].Name]; there {
			exact++
		}
	}
	return parts{Object: o, exact: exact == len(o)}
}

func (m parts) value(name string) any {
	if m.exact {
		return m.Object[name]
	}
	_, v, _ := scim.Member(m.Object, name)
	return v
}

// loseUnknown notes the members that no schema describes.
func (w *cellWriter) loseUnknown(urn string, o scim.Object) {
	schema := w.c.schema
	for name, v := range o {
		extension := urn == "" && schema.Schema(name) != nil
		if schema.Schema(urn).Attribute(name) == nil && !extension && !scim.Unassigned(v) {
			w.c.lose(scim.Path{URN: urn, Attr: name}.Short())
		}
	}
}

// cell gives the value of the attribute, or of a part of it, its column, if
// there is a path for it that can be read.
func (w *cellWriter) cell(sub string, v any) {
	col, known := w.c.known[w.at]
	if !known {
		path := w.path
		path.Sub = sub
		if w.at.kind != "" {
			path.Filter = scim.Comparison{Path: scim.Path{Attr: "type"}, Op: "eq", Value: w.at.kind}
		}
		col = w.c.column(w.at, path)
	}
	if col.field == nil {
		w.c.lose(col.path)
		return
	}
	w.visit(col, v)
}

// dullMeta are parts of meta that say nothing about the resource.
var dullMeta = [...]string{"resourceType", "location"}

func (w *cellWriter) complex(v any) {
	o, ok := v.(scim.Object)
	if !ok {
		w.c.lose(w.path.Short())
		return
	}
	m := partsOf(o, w.attr.SubAttributes, 0)
	if !m.exact {
		w.loseParts(o)
	}
	for i := range w.attr.SubAttributes {
		sub := &w.attr.SubAttributes[i]
		value := m.value(sub.Name)
		dull := w.attr.Name == "meta" && slices.Contains(dullMeta[:], sub.Name) || sub.Name == "$ref"
		if scim.Unassigned(value) || dull {
			continue
		}
		w.at.part = i
		w.cell(sub.Name, value)
	}
}

// loseParts notes the parts that no schema describes.
func (w *cellWriter) loseParts(o scim.Object) {
	for name, part := range o {
		if w.attr.Sub(name) == nil && !scim.Unassigned(part) {
			w.c.lose(scim.Path{URN: w.path.URN, Attr: w.path.Attr, Sub: name}.Short())
		}
	}
}

func (w *cellWriter) list(v any) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	w.types = w.types[:0]
	var rest []any
	for _, e := range list {
		if w.typed(e) {
			continue
		}
		if e = w.bare(e); !scim.Unassigned(e) {
			rest = append(rest, e)
		}
	}
	if len(rest) > 0 {
		w.at.kind, w.at.part, w.at.afterAllOfTheKind = "", 0, true
		w.cell("", rest)
	}
}

// typed gives a value the columns of its type. It says false where they cannot
// hold it: no type, a type that came before, or parts that no schema knows.
func (w *cellWriter) typed(e any) bool {
	o, ok := e.(scim.Object)
	if !ok || w.attr.ReadOnly() || w.attr.Name == "members" || w.attr.Sub("type") == nil {
		return false
	}
	m := partsOf(o, w.attr.SubAttributes, 0)
	name, _ := m.value("type").(string)
	if !plainWord(name) || slices.Contains(w.types, name) || !w.known(m) {
		return false
	}
	w.at.kind = name
	some := false
	for i := range w.attr.SubAttributes {
		sub := &w.attr.SubAttributes[i]
		value := m.value(sub.Name)
		if sub.Name == "type" || sub.ReadOnly() || scim.Unassigned(value) || sub.Name == "primary" && value == false {
			continue
		}
		w.at.part = i
		w.cell(sub.Name, value)
		some = true
	}
	if some {
		w.types = append(w.types, name)
	}
	return some
}

// plainWord says whether a type can stand in a column name: some servers have
// types in capitals, whose columns would not bring them back.
func plainWord(s string) bool {
	return s != "" && s == strings.ToLower(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	}) < 0
}

// known says whether the schema describes all parts of a value, and none has
// parts of its own.
func (w *cellWriter) known(m parts) bool {
	for name, v := range m.Object {
		if !m.exact && w.attr.Sub(name) == nil && !scim.Unassigned(v) {
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
