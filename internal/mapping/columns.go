package mapping

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"scimbulk/internal/scim"
)

// Columns lays resources out as rows, so that importing the rows again with no
// mapping file says the same: one column a path, in the order of the schema.
// See Add, Header and Cells.
//
// A value of a multi-valued attribute with a type has its own columns, such as
// emails[type eq "work"].value. What they cannot hold is in the column of the
// attribute itself: values separated by |, or a JSON array of the rest.
type Columns struct {
	schema *scim.ResourceSchema
	used   map[string]column
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
	c := &Columns{schema: schema, used: map[string]column{}}
	if i := slices.IndexFunc(schema.Core.Attributes, func(a scim.Attribute) bool { return a.Name == "members" }); i >= 0 {
		// Always there, so that the file can be told from one of users.
		c.used["members"] = column{path: "members", attr: i, afterAllOfTheKind: true}
	}
	return c
}

// Add makes room for what a resource holds.
func (c *Columns) Add(o scim.Object) {
	c.each(o, func(at column, _ string) {
		if _, known := c.used[at.path]; !known {
			c.used[at.path] = at
		}
	})
}

// Header names the columns that were needed so far.
func (c *Columns) Header() []string {
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
	c.each(o, func(at column, value string) { values[at.path] = value })
	cells := make([]string, len(header))
	for i, name := range header {
		cells[i] = Guard(values[name])
	}
	return cells
}

// Guard keeps a spreadsheet from running a cell as a formula, with the
// apostrophe that spreadsheets themselves use. Reading takes it away again.
func Guard(cell string) string {
	if strings.IndexAny(strings.TrimLeft(cell, "'"), "=+-@\t\r") == 0 {
		return "'" + cell
	}
	return cell
}

// each walks the values of a resource as cells.
func (c *Columns) each(o scim.Object, visit func(at column, value string)) {
	c.section(0, "", c.schema.Core.Attributes, o, visit)
	for i, s := range c.schema.Extensions {
		_, v, _ := scim.Member(o, s.ID)
		if extension, ok := v.(scim.Object); ok {
			c.section(i+1, s.ID, s.Attributes, extension, visit)
		}
	}
}

func (c *Columns) section(section int, urn string, attrs []scim.Attribute, o scim.Object, visit func(column, string)) {
	for i := range attrs {
		attr := &attrs[i]
		_, v, _ := scim.Member(o, attr.Name)
		if scim.Unassigned(v) || attr.Name == "schemas" || attr.Returned == "never" {
			continue
		}
		w := &cellWriter{at: column{section: section, attr: i}, path: scim.Path{URN: urn, Attr: attr.Name}, attr: attr, visit: visit}
		switch {
		case attr.MultiValued:
			w.list(v)
		case attr.Type == "complex":
			w.complex(v)
		default:
			w.cell(w.path, v)
		}
	}
}

// cellWriter turns the value of one attribute into cells.
type cellWriter struct {
	at    column
	path  scim.Path
	attr  *scim.Attribute
	visit func(column, string)
}

func (w *cellWriter) cell(path scim.Path, v any) {
	at := w.at
	at.path = path.Short()
	w.visit(at, cellText(v))
}

// cellText writes a simple value as it is, and anything else as JSON.
func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case scim.Number:
		return string(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	b, err := scim.Encode(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// dullMeta are parts of meta that say nothing about the resource.
var dullMeta = [...]string{"resourceType", "location"}

func (w *cellWriter) complex(v any) {
	o, ok := v.(scim.Object)
	if !ok {
		w.cell(w.path, v)
		return
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
		if !w.typed(e, seen) {
			rest = append(rest, e)
		}
	}
	if len(rest) > 0 {
		w.at.kind, w.at.part, w.at.afterAllOfTheKind = "", 0, true
		w.cell(w.path, w.joined(rest))
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
	folded := strings.ToLower(name)
	if !plainWord(name) || seen[folded] || !w.known(o) {
		return false
	}
	seen[folded] = true
	w.at.kind = folded
	filter := scim.Comparison{Path: scim.Path{Attr: "type"}, Op: "eq", Value: folded}
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
	}
	return true
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

// joined writes values that are no more than a value with | between them, and
// others as a JSON array.
func (w *cellWriter) joined(rest []any) string {
	values := make([]string, 0, len(rest))
	kept := make([]any, 0, len(rest))
	for _, e := range rest {
		e = w.bare(e)
		kept = append(kept, e)
		text, ok := loneValue(e)
		if ok && text == strings.TrimSpace(text) && text != "" && !strings.ContainsAny(text, "|") && !strings.HasPrefix(text, "[") {
			values = append(values, text)
		}
	}
	if len(values) == len(kept) {
		return strings.Join(values, "|")
	}
	return cellText(kept)
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
