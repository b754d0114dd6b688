package mapping

import (
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// compiler checks a file against a schema and a header, and collects all that
// is wrong.
type compiler struct {
	*File
	opts   Options
	m      *Mapping
	exprs  *expressions
	faults faultList
	paths  map[string]position // of the fields so far
	read   map[int]bool        // columns that some field reads
}

// Compile checks the mapping against the header of the input and the schema of
// the directory. The error is [Faults]: everything that is wrong, at once.
func (f *File) Compile(header []string, nested bool, o Options) (*Mapping, error) {
	c := &compiler{File: f, opts: o, exprs: newExpressions(header), paths: map[string]position{}, read: map[int]bool{}}
	c.faults = faultList{file: f.faults.file, lines: f.faults.lines, list: slices.Clone(f.faults.list)}
	if c.faults.file == "" {
		c.faults.file = o.Input
	}
	c.m = &Mapping{input: o.Input, header: header, nested: nested, match: -1}
	c.settings()
	if c.m.schema == nil {
		return nil, c.faults.err()
	}
	if !nested && !c.auto && !c.listed {
		c.faults.add(position{}, "the file maps no attributes", "name them under attributes:")
	}
	switch {
	case nested:
		c.wholeResources()
	case c.auto:
		c.mapHeader()
		c.attributes()
	default:
		c.attributes()
	}
	c.setMatch()
	c.setOp()
	if err := c.faults.err(); err != nil {
		return nil, err
	}
	c.finish()
	return c.m, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// settings finds what stands beside the attributes.
func (c *compiler) settings() {
	c.m.clear = firstOf(c.opts.ClearToken, c.clearToken.s, DefaultClearToken)
	name := firstOf(c.opts.Resource, c.resource.s, "User")
	at := c.resource.at
	if c.opts.Resource != "" {
		at = position{}
	}
	for _, known := range []string{"User", "Group"} {
		if strings.EqualFold(strings.TrimSuffix(strings.ToLower(name), "s"), known) {
			c.m.resource = known
		}
	}
	if c.m.resource == "" {
		c.faults.add(at, fmt.Sprintf("there are no resources %q", name), "use User or Group")
		return
	}
	if c.opts.Schema != nil {
		c.m.schema = c.opts.Schema(c.m.resource)
	}
	if c.m.schema == nil {
		c.m.schema = scim.Builtin(c.m.resource)
	}
	c.regionCode(c.region)
	if c.guessed && c.opts.Resource == "" {
		c.m.notes = append(c.m.notes, "the rows are taken for groups, as --resource Group would; --resource User overrides")
	}
}

// regionCode reads the region of telephone numbers; the file's own is that of
// all entries that name none.
func (c *compiler) regionCode(t text) regionCode {
	if !t.given {
		if t = c.region; !t.given {
			return regionCode{}
		}
		region, _ := regionOf(t.s)
		return region
	}
	region, ok := regionOf(t.s)
	if !ok {
		c.faults.add(t.at, fmt.Sprintf("unknown region %q", t.s), "use an ISO 3166 code of two letters, such as US, GB or DE")
	}
	return region
}

// wholeResources sees that nothing is asked of rows without columns.
func (c *compiler) wholeResources() {
	if len(c.entries) > 0 && !c.auto {
		c.faults.add(c.entries[0].path.at, "the input holds whole SCIM resources, which have no columns to map", "leave the mapping out")
	}
}

func (c *compiler) attributes() {
	for i := range c.entries {
		if f, ok := c.compileEntry(&c.entries[i]); ok {
			c.m.fields = append(c.m.fields, f)
		}
	}
}

// finish lists what the mapper needs to know of the columns.
func (c *compiler) finish() {
	c.quieten()
	for i := range c.m.fields {
		f := &c.m.fields[i]
		if f.column >= 0 && f.leaf.Type == "string" && !f.list && !slices.Contains(c.m.coded, f.column) {
			c.m.coded = append(c.m.coded, f.column)
		}
	}
	for i, h := range c.m.header {
		if c.exprs.used[i] {
			c.m.shared = append(c.m.shared, input{i, c.exprs.keys[i]})
		}
		if c.read[i] || c.exprs.used[i] {
			c.m.clean = append(c.m.clean, i)
			continue
		}
		switch {
		case c.m.nested, strings.HasPrefix(h, "_"), h == "":
		case c.isReadOnlyPath(h):
			c.m.readOnly = append(c.m.readOnly, h)
		default:
			c.m.unmapped = append(c.m.unmapped, h)
		}
	}
}

// quieten keeps the cells of a secret's column out of all messages.
func (c *compiler) quieten() {
	secret := map[int]bool{}
	for i := range c.m.fields {
		if f := &c.m.fields[i]; f.secret {
			for _, column := range c.columnsOf(f) {
				secret[column] = true
			}
		}
	}
	for i := range c.m.fields {
		f := &c.m.fields[i]
		f.quiet = f.secret || slices.ContainsFunc(c.columnsOf(f), func(column int) bool { return secret[column] })
	}
}

// columnsOf are the columns that a field's values are made of.
func (c *compiler) columnsOf(f *field) []int {
	if f.column >= 0 {
		return []int{f.column}
	}
	return c.exprs.reads[f.program]
}

func (c *compiler) isReadOnlyPath(header string) bool {
	path, err := scim.ParsePath(header)
	if err != nil {
		return false
	}
	if strings.EqualFold(path.Attr, "schemas") || strings.EqualFold(path.Attr, "meta") && path.URN == "" {
		return true
	}
	t, err := c.m.schema.Resolve(path)
	return err == nil && t.ReadOnly()
}
