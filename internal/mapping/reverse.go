package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"scimbulk/internal/scim"
)

// Reverse lays resources out as the rows that a mapping file reads: its columns
// are the header, and a cell is what would be read as the value that is there.
// It does for a mapping file what [Columns] does without one.
type Reverse struct {
	schema *scim.ResourceSchema
	clear  string
	header []string
	fields []field
	notes  []string

	names map[string]string // of resources that others refer to, by resource, attribute and id
	bent  map[string]int64  // cells that would not be read as the value, by column
}

// Reverse prepares the mapping for an export. The error is [Faults], as with
// [File.Compile].
func (f *File) Reverse(o Options) (*Reverse, error) {
	c := &compiler{File: f, opts: o, paths: map[string]position{}, read: map[int]bool{}}
	r := &Reverse{names: map[string]string{}, bent: map[string]int64{}}
	r.header = f.columnNames()
	c.exprs = newExpressions(r.header)
	c.faults = faultList{file: f.faults.file, lines: f.faults.lines, list: slices.Clone(f.faults.list)}
	c.m = &Mapping{input: o.Input, header: r.header, match: -1}
	c.settings()
	if c.m.schema != nil {
		r.schema, r.clear = c.m.schema, c.m.clear
		r.take(c)
	}
	if err := c.faults.err(); err != nil {
		return nil, err
	}
	if len(r.fields) == 0 {
		return nil, fmt.Errorf("%s: no attribute is mapped from a column of its own, so that there is nothing to export through it", f.faults.file)
	}
	return r, nil
}

// columnNames are the columns that the file names, in its order. Those that only
// expressions read are not known by their names.
func (f *File) columnNames() []string {
	var names []string
	add := func(e *entry) {
		name := strings.TrimSpace(e.column.s)
		known := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		if e.column.given && e.when.s == "" && !known {
			names = append(names, name)
		}
	}
	if f.op != nil {
		add(f.op)
	}
	for i := range f.entries {
		add(&f.entries[i])
	}
	return names
}

// take compiles the entries that are columns, and names those that cannot be
// turned round.
func (r *Reverse) take(c *compiler) {
	for i := range c.entries {
		e := &c.entries[i]
		switch {
		case e.expr.given:
			r.notes = append(r.notes, e.path.s+" is an expression, which cannot be turned round: its columns are left out")
		case e.when.given:
			r.notes = append(r.notes, e.path.s+" is mapped on a condition, which cannot be turned round: it is left out")
		case e.column.given:
			f, ok := c.compileEntry(e)
			if f.ref.ofGroups() && f.ref.by == "externalId" {
				r.notes = append(r.notes, e.path.s+" are named by externalId, which users do not show: they are left out")
				continue
			}
			if ok && !f.secret {
				r.fields = append(r.fields, f)
			}
		}
	}
}

// Resource is the resource type that the mapping is for.
func (r *Reverse) Resource() string { return r.schema.Resource }

// Notes name what of the mapping cannot be turned round.
func (r *Reverse) Notes() []string { return r.notes }

// Header names the columns.
func (r *Reverse) Header() []string { return r.header }

// Lost names the columns of which some cells would not be read as the values
// that are there.
func (r *Reverse) Lost() []string {
	var list []string
	for _, name := range r.header {
		if n := r.bent[name]; n > 0 {
			list = append(list, fmt.Sprintf("%q (%s)", name, cellCount(n)))
		}
	}
	return list
}

// Add notes whom a resource refers to.
func (r *Reverse) Add(o scim.Object) {
	for i := range r.fields {
		f := &r.fields[i]
		if f.ref == nil || f.ref.resource != r.schema.Resource {
			continue
		}
		for _, id := range idsOf(valueAt(f.target, o)) {
			r.names[f.ref.by+" "+id] = ""
		}
	}
}

// Refers says whether names are wanted: then [Reverse.Learn] must see all
// resources before the first call of Cells.
func (r *Reverse) Refers() bool { return len(r.names) > 0 }

// Learn notes the names of a resource, if others refer to it.
func (r *Reverse) Learn(o scim.Object) {
	_, v, _ := scim.Member(o, "id")
	id, _ := v.(string)
	for i := range r.fields {
		f := &r.fields[i]
		if f.ref == nil {
			continue
		}
		key := f.ref.by + " " + id
		if _, wanted := r.names[key]; !wanted {
			continue
		}
		if path, err := scim.ParsePath(f.ref.by); err == nil {
			if t, err := r.schema.Resolve(path); err == nil {
				r.names[key], _ = valueAt(t, o).(string)
			}
		}
	}
}

// idsOf are the ids in the value of a reference.
func idsOf(v any) []string {
	var ids []string
	for _, e := range listOf(v) {
		if o, ok := e.(scim.Object); ok {
			_, e, _ = scim.Member(o, "value")
		}
		if id, ok := e.(string); ok && id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func listOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// valueAt is what stands at a path: of several values that a filter fits, the
// first that has one.
func valueAt(t *scim.Target, o scim.Object) any {
	if t.Path.URN != "" {
		_, v, _ := scim.Member(o, t.Path.URN)
		o, _ = v.(scim.Object)
	}
	_, v, _ := scim.Member(o, t.Attr.Name)
	if t.Sub == nil {
		return v
	}
	for _, e := range listOf(v) {
		element, ok := e.(scim.Object)
		if !ok || t.Path.Filter != nil && !scim.Matches(t.Path.Filter, element, t.Attr.SubAttributes) {
			continue
		}
		if _, part, _ := scim.Member(element, t.Sub.Name); !scim.Unassigned(part) {
			return part
		}
	}
	return nil
}

// Cells are the values of a resource. Of several attributes that one column is
// mapped to, the first that has a value fills it.
func (r *Reverse) Cells(o scim.Object, header []string) []string {
	cells := make([]string, len(header))
	for i := range r.fields {
		f := &r.fields[i]
		if v := valueAt(f.target, o); cells[f.column] == "" {
			cells[f.column] = r.cell(f, v)
		}
	}
	return cells
}

func (r *Reverse) cell(f *field, v any) string {
	if scim.Unassigned(v) || v == "" {
		if f.def != nil && !f.required {
			return r.clear // a blank would be read as the default
		}
		return ""
	}
	if f.ref.ofGroups() {
		return r.groupsCell(f, v)
	}
	if f.ref != nil {
		return Guard(strings.Join(r.namesOf(f, v), firstOf(f.split, " ")))
	}
	forms := f.forms(v)
	for _, form := range forms {
		if cell := Guard(form); f.reads(cell, v, r.clear) {
			return cell
		}
	}
	r.bent[r.header[f.column]]++
	return Guard(forms[0])
}

// namesOf turns ids back into names, where the export holds them.
func (r *Reverse) namesOf(f *field, v any) []string {
	ids := idsOf(v)
	for i, id := range ids {
		ids[i] = firstOf(r.names[f.ref.by+" "+id], id)
	}
	return ids
}

// forms are the texts of a value that the field may read as it, the most
// readable first.
func (f *field) forms(v any) []string {
	if !f.list {
		text := cellText(v)
		forms := []string{text, exactMark + plainJSON(v)}
		if f.date != nil {
			forms = append([]string{f.date.write(text)}, forms...)
		}
		return forms
	}
	list := listOf(v)
	texts := make([]string, len(list))
	values := make([]any, len(list))
	for i, e := range list {
		texts[i] = f.elementText(e)
		values[i] = texts[i]
	}
	whole := plainJSON(values)
	if f.split != "" {
		return []string{strings.Join(texts, f.split), exactMark + whole}
	}
	if len(texts) == 1 {
		return []string{texts[0], whole, exactMark + whole}
	}
	return []string{whole, exactMark + whole}
}

// elementText is an element of a list as a piece of a cell.
func (f *field) elementText(e any) string {
	o, ok := e.(scim.Object)
	if !ok {
		return cellText(e)
	}
	if f.each != nil {
		return f.each.write(o)
	}
	if sub := mainSub(f.target.Attr); sub != nil {
		if _, v, _ := scim.Member(o, sub.Name); !scim.Unassigned(v) {
			return cellText(v)
		}
	}
	return plainJSON(e)
}

// reads says whether a cell is read as a value, or for a list as values that are
// all there.
func (f *field) reads(cell string, v any, clearToken string) bool {
	if cell == "" || !survivesFile(cell) {
		return false
	}
	var h Hygiene
	cell = h.clean(cell)
	var got value
	var err error
	if exact, ok := literal(cell); ok {
		got, err = f.exact(exact)
	} else {
		got, err = f.ofText(cell, clearToken)
	}
	if err != nil || got.state != present {
		return false
	}
	if !f.list {
		return scim.Equal(f.leaf, got.v, v)
	}
	elements := listOf(got.v)
	if len(elements) != len(listOf(v)) {
		return false
	}
	for i, e := range listOf(v) {
		if !covers(f.target.Attr, e, elements[i]) {
			return false
		}
	}
	return true
}

func covers(attr *scim.Attribute, have, want any) bool {
	h, okH := have.(scim.Object)
	w, okW := want.(scim.Object)
	if okH && okW {
		return scim.Covers(attr, h, w)
	}
	return scim.Equal(attr, have, want)
}

// write puts the parts of an element together as read takes them apart.
func (p *pattern) write(o scim.Object) string {
	var b strings.Builder
	pending := ""
	for i, name := range p.names {
		_, v, _ := scim.Member(o, name)
		if !scim.Unassigned(v) {
			b.WriteString(pending + cellText(v))
			pending = ""
		}
		if i < len(p.seps) {
			pending += p.seps[i]
		}
	}
	return b.String()
}

// write writes a day or a time as the format reads it; what is neither stays as
// it is.
func (f *dateFormat) write(s string) string {
	layout := strings.NewReplacer("YYYY", "2006", "MMMM", "January", "MMM", "Jan", "YY", "06", "MM", "01", "DD", "02", "HH", "15", "hh", "03", "mm", "04", "ss", "05",
		"M", "1", "D", "2", "H", "15", "h", "3", "A", "PM", "a", "PM").
		Replace(strings.NewReplacer("yyyy", "YYYY", "yy", "YY", "dd", "DD", "d", "D").Replace(f.pattern))
	for _, known := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(known, s); err == nil {
			return t.Format(layout)
		}
	}
	return s
}
