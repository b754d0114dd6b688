package mapping

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// matchPath is the path by which rows are matched.
func (c *compiler) matchPath() string {
	given := firstOf(c.opts.Match, c.match.s)
	if given != "" {
		return given
	}
	if (c.auto || c.m.nested) && slices.ContainsFunc(c.m.header, func(h string) bool { return strings.EqualFold(h, "id") }) {
		return "id"
	}
	if c.m.resource == "Group" {
		return "displayName"
	}
	return "userName"
}

// setMatch finds the field by which rows are matched.
func (c *compiler) setMatch() {
	at := c.match.at
	if c.opts.Match != "" {
		at = position{}
	}
	name := c.matchPath()
	path, err := scim.ParsePath(name)
	var t *scim.Target
	if err == nil {
		t, err = c.m.schema.Resolve(path)
	}
	if err != nil {
		hint := "use an attribute with one value, such as userName, externalId or id"
		if near := suggestPath(c.m.schema, name); near != "" {
			hint = didYouMean(near)
		}
		c.faults.add(at, fmt.Sprintf("rows cannot be matched by %q", name), hint)
		return
	}
	if t.List() {
		c.faults.add(at, fmt.Sprintf("rows cannot be matched by %q, which holds several values", name), "use an attribute with one, such as userName or externalId")
		return
	}
	c.m.matchBy = t
	if c.m.nested {
		return
	}
	full := t.Path.String()
	c.m.match = slices.IndexFunc(c.m.fields, func(f field) bool { return strings.EqualFold(f.target.Path.String(), full) })
	_, faulty := c.paths[strings.ToLower(full)]
	if c.m.match < 0 && !faulty && !c.isFaultyEntry(t) && len(c.m.header) > 0 { // without columns there are no rows
		c.faults.add(at, fmt.Sprintf("rows are matched by %s, to which nothing is mapped", t.Path.Short()), c.matchHint(t))
	}
	if c.m.match >= 0 && c.m.fields[c.m.match].ref != nil {
		c.faults.add(at, fmt.Sprintf("rows cannot be matched by the reference %s", t.Path.Short()), "")
	}
}

// isFaultyEntry says whether an entry for the target is there, misspelt
// perhaps, and has a fault of its own, which is then the one to mend.
func (c *compiler) isFaultyEntry(t *scim.Target) bool {
	if len(c.entries) == 0 && !c.auto {
		return true // there are no attributes at all, which is a fault already
	}
	want := []string{t.Path.Short()}
	return slices.ContainsFunc(c.entries, func(e entry) bool {
		name := strings.TrimSpace(e.path.s)
		if strings.EqualFold(name, want[0]) {
			return true
		}
		path, err := scim.ParsePath(name)
		if err == nil {
			_, err = c.m.schema.Resolve(path)
		}
		return err != nil && scim.Nearest(name, want) != ""
	})
}

func (c *compiler) matchHint(t *scim.Target) string {
	if c.auto && slices.ContainsFunc(c.m.header, func(h string) bool { return strings.Contains(h, "@") }) {
		return "the first line must name the columns, and this one looks like a row of data"
	}
	for _, h := range c.m.header {
		if c.auto && slices.Contains(likely(h), t.Path.Short()) {
			return fmt.Sprintf("is %q meant to be %s?", h, t.Path.Short())
		}
	}
	if c.auto {
		return fmt.Sprintf("no column is known to hold it among %s; scimbulk mapping init writes a mapping file to start from, --match names another attribute", someOf(c.m.header))
	}
	if c.opts.Match != "" {
		return fmt.Sprintf("map %s, or name another attribute with --match", t.Path.Short())
	}
	return fmt.Sprintf("map %s, or name another attribute with match:", t.Path.Short())
}

// setOp finds the operation of rows.
func (c *compiler) setOp() {
	c.m.defOp = "upsert"
	if c.opts.Op != "" {
		c.m.defOp = strings.ToLower(strings.TrimSpace(c.opts.Op))
		if !isOp(c.opts.Op) {
			c.faults.add(position{}, fmt.Sprintf("there is no operation %q", c.opts.Op), "use "+strings.Join(ops[:], ", "))
		}
	}
	e := c.op
	if e == nil {
		return
	}
	if e.value != nil {
		c.constantOp(e)
		return
	}
	f := field{column: -1, name: "op", leaf: &scim.Attribute{Name: "op", Type: "string"}}
	if _, fault := findColumn(c.m.header, e.column.s); e.column.given && fault != nil && !c.m.nested {
		c.faults.add(e.column.at, fault.message, "op is a column, an =expression or one of "+strings.Join(ops[:], ", "))
		return
	}
	c.setSource(&f, e)
	f.when = c.condition(e.when)
	if f.program != nil && resultKind(f.program) != reflect.String && resultKind(f.program) != reflect.Interface {
		c.faults.add(e.expr.at, "op must be a text, and the expression gives "+kindName(resultKind(f.program)), "use "+strings.Join(ops[:], ", "))
	}
	f.steps = []transform{plain(strings.ToLower), plain(strings.TrimSpace)}
	if e.def.given {
		if !isOp(e.def.s) {
			c.faults.add(e.def.at, fmt.Sprintf("there is no operation %q", e.def.s), "use "+strings.Join(ops[:], ", "))
		}
		f.def = strings.ToLower(e.def.s)
	}
	if c.m.nested {
		c.faults.add(e.path.at, "the input holds whole SCIM resources, which have no columns to take op from", "use --op")
	}
	c.m.op = &f
}

func (c *compiler) constantOp(e *entry) {
	if !isOp(e.value.Value) {
		c.faults.add(place(e.value), fmt.Sprintf("there is no operation %q", e.value.Value), "use "+strings.Join(ops[:], ", "))
		return
	}
	if c.opts.Op == "" {
		c.m.defOp = strings.ToLower(e.value.Value)
	}
}
