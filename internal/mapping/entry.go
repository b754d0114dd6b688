package mapping

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"

	"scimbulk/internal/scim"
)

func (c *compiler) compileEntry(e *entry) (field, bool) {
	before := len(c.faults.list)
	f := field{column: -1, auto: e.auto, negate: e.negate, required: e.required, split: e.split.s}
	c.setTarget(&f, e)
	if f.target == nil && e.auto {
		return f, false
	}
	c.setSource(&f, e)
	if f.target == nil {
		return f, false
	}
	c.setList(&f, e)
	c.setSteps(&f, e)
	c.setReference(&f, e)
	if c.isMemberships(f.target, e) {
		c.setMemberships(&f, e)
	}
	c.setValues(&f, e)
	f.when = c.condition(e.when)
	c.checkKind(&f, e)
	return f, len(c.faults.list) == before
}

// setTarget resolves the path.
func (c *compiler) setTarget(f *field, e *entry) {
	path, err := scim.ParsePath(strings.TrimSpace(e.path.s))
	if err != nil {
		c.pathFault(e, err)
		return
	}
	if path.URN == "" && strings.EqualFold(path.Attr, "meta") && path.Sub == "" {
		c.faults.add(e.path.at, "meta is read-only: the directory decides it", "leave it out")
		return
	}
	t, err := c.m.schema.Resolve(path)
	if err != nil {
		c.pathFault(e, err)
		return
	}
	memberships := c.isMemberships(t, e)
	if t.ReadOnly() && !c.isKey(t) && !memberships {
		if e.auto {
			return // an id that nobody matches by is known and not sent
		}
		c.faults.add(e.path.at, t.Path.Short()+" is read-only: the directory decides it", readOnlyHint(t))
		return
	}
	if t.Sub == nil && t.Path.Filter != nil && t.Attr.Type == "complex" {
		c.faults.add(e.path.at, e.path.s+" is made of parts", "name one, such as "+e.path.s+"."+t.Attr.SubAttributes[0].Name)
		return
	}
	full := strings.ToLower(t.Path.String())
	if first, again := c.paths[full]; again {
		c.faults.add(e.path.at, t.Path.Short()+" is mapped twice", firstOn(first))
		return
	}
	c.paths[full] = e.path.at
	f.target, f.leaf = t, t.Leaf()
	f.hidden = t.ReadOnly() && !memberships
	f.secret = strings.EqualFold(t.Attr.Name, "password") || strings.EqualFold(f.leaf.Returned, "never")
	f.name = t.Path.Short()
}

func firstOn(at position) string {
	if at.line == 0 {
		return "leave one out"
	}
	return fmt.Sprintf("first on line %d", at.line)
}

func readOnlyHint(t *scim.Target) string {
	switch t.Attr.Name {
	case "id":
		return "write match: id to find resources by it"
	case "groups":
		return "map groups itself, by the names of the groups"
	}
	return "leave it out"
}

// isKey says whether rows are matched by a target. Where only the directory
// writes it, as an id or the names of Genesys Cloud's groups, it is read all the
// same, and never sent. An id of match: is known even if --match overrides it.
func (c *compiler) isKey(t *scim.Target) bool {
	name := t.Path.Short()
	return strings.EqualFold(c.matchPath(), name) || name == "id" && strings.EqualFold(c.match.s, name)
}

func (c *compiler) pathFault(e *entry, err error) {
	switch err := err.(type) {
	case *scim.SyntaxError:
		at := e.path.at
		if e.path.at.line > 0 {
			at = e.path.offset(utf8.RuneCountInString(err.Input[:err.Offset]))
		}
		hint := c.unnumbered(e.path.s)
		if hint == "" {
			hint = didYouMean(scim.Nearest(e.path.s, shortPaths(c.m.schema)))
		}
		c.faults.add(at, fmt.Sprintf("%q is no attribute path: %s", e.path.s, err.Message), hint)
	case *scim.PathError:
		hint := err.Hint
		if near := suggestPath(c.m.schema, e.path.s); near != "" && (hint == "" || strings.HasPrefix(hint, "did you mean")) {
			hint = didYouMean(near)
		}
		c.faults.add(e.path.at, err.Message, hint)
	default:
		c.faults.add(e.path.at, err.Error(), "")
	}
}

// unnumbered tells those who write emails[0].value, as other tools have it, how
// SCIM chooses a value; "" where a path is wrong in another way.
func (c *compiler) unnumbered(path string) string {
	attr, rest, _ := strings.Cut(path, "[")
	number, rest, closed := strings.Cut(rest, "]")
	if !closed || !isDigits(number) {
		return ""
	}
	right := attr + `[type eq "work"]` + rest
	if p, err := scim.ParsePath(right); err != nil {
		return ""
	} else if _, err := c.m.schema.Resolve(p); err != nil {
		return ""
	}
	return "values have no numbers in SCIM: write " + right
}

// setSource finds column, expression or constant.
func (c *compiler) setSource(f *field, e *entry) {
	switch {
	case e.auto:
		f.column = e.index
		f.name = c.m.header[e.index]
	case e.column.given:
		c.setColumn(f, e)
	case e.expr.given:
		f.program = c.expression(e.expr)
	}
	if f.column >= 0 {
		c.read[f.column] = true
	}
}

func (c *compiler) setColumn(f *field, e *entry) {
	i, fault := findColumn(c.m.header, e.column.s)
	if fault != nil {
		hint := fault.hint
		if !e.column.isText {
			hint = fmt.Sprintf("for a constant write {value: %s}", e.column.s)
		}
		c.faults.add(e.column.at, fault.message, hint)
		return
	}
	f.column, f.name = i, c.m.header[i]
}

// expression compiles one; its faults are shown at the very character.
func (c *compiler) expression(t text) *vm.Program {
	program, faults := c.exprs.compile(t.s)
	for _, fault := range faults {
		at := t.at
		if at.line > 0 {
			at = t.offset(fault.at)
		}
		if fault.hint == "" && c.cutByComment(t) {
			fault.hint = "YAML takes # for a comment: put the expression in quotes"
		}
		c.faults.add(at, fault.message, fault.hint)
	}
	return program
}

// cutByComment says whether YAML has ended a text at a #.
func (c *compiler) cutByComment(t text) bool {
	if t.at.line < 1 || t.at.line > len(c.File.faults.lines) || t.block {
		return false
	}
	_, rest, found := strings.Cut(c.File.faults.lines[t.at.line-1], t.s)
	return found && strings.HasPrefix(strings.TrimLeft(rest, " "), "#")
}

func (c *compiler) condition(t text) *vm.Program {
	if !t.given {
		return nil
	}
	p := c.expression(t)
	if p != nil && resultKind(p) != reflect.Bool && resultKind(p) != reflect.Interface {
		c.faults.add(t.at, "when must be true or false, and this is "+kindName(resultKind(p)), `compare it, for example when: status == "Active"`)
		return nil
	}
	return p
}

// setList settles how several values are read and whether they replace.
func (c *compiler) setList(f *field, e *entry) {
	f.list = f.target.List()
	if f.list {
		f.mode = scim.Add
		if e.mode.s == "replace" {
			f.mode = scim.ReplaceAll
		}
	}
	switch one := f.target.Path.Short(); {
	case f.list:
	case e.mode.given:
		c.faults.add(e.mode.at, one+" has one value, so that mode means nothing", "leave mode out")
	case e.split.given:
		c.faults.add(e.split.at, one+" has one value, so that it cannot be split", c.wholeList(f))
	case e.each.given:
		c.faults.add(e.each.at, one+" has one value, so that each means nothing", c.wholeList(f))
	}
	if e.split.given && e.split.s == "" {
		c.faults.add(e.split.at, "split is empty", `name what stands between the values, for example split: "|"`)
	}
	if f.list && e.each.given {
		p, fault := parsePattern(e.each.s, f.target.Attr)
		if fault != nil {
			c.faults.add(e.each.offset(fault.at), fault.message, fault.hint)
		}
		f.each = p
	}
}

func (c *compiler) wholeList(f *field) string {
	if f.target.Attr.MultiValued {
		return "map " + f.target.Attr.Name + " for the whole list"
	}
	return "leave it out"
}

func (c *compiler) setSteps(f *field, e *entry) {
	region := c.regionCode(e.region)
	for _, name := range e.transform {
		step := transformNamed(name.s, region)
		if step == nil {
			hint := didYouMean(scim.Nearest(name.s, transformNames()))
			if hint == "" {
				hint = "known are " + strings.Join(transformNames(), ", ")
			}
			c.faults.add(name.at, fmt.Sprintf("unknown transform %q", name.s), hint)
			continue
		}
		f.steps = append(f.steps, step)
		f.regionless = f.regionless || name.s == "phone" && region.code == ""
	}
	if e.format.given {
		date, err := parseDateFormat(e.format.s)
		if err != nil {
			c.valueFault(e.format.at, err)
		}
		f.date = date
	}
	if f.date != nil && f.leaf.Type != "dateTime" && f.leaf.Type != "string" {
		c.faults.add(e.format.at, fmt.Sprintf("%s is %s, which no date can be", f.target.Path.Short(), article(f.leaf.Type)), "leave format out")
	}
}

func (c *compiler) valueFault(at position, err error) {
	if v, ok := err.(*valueError); ok {
		c.faults.add(at, v.message, v.hint)
		return
	}
	c.faults.add(at, err.Error(), "")
}

// setReference reads ref: User.userName.
func (c *compiler) setReference(f *field, e *entry) {
	if !e.ref.given {
		if e.onMissing.given && !c.isMemberships(f.target, e) {
			c.faults.add(e.onMissing.at, "on-missing is for references", "add ref: User.userName, or leave it out")
		}
		return
	}
	resource, by, _ := strings.Cut(e.ref.s, ".")
	r := &reference{by: by, onMissing: firstOf(e.onMissing.s, "skip")}
	schema := scim.Builtin(resource)
	if schema == nil || by == "" {
		c.faults.add(e.ref.at, fmt.Sprintf("ref cannot be %q", e.ref.s), "use a resource and the attribute that the names are values of: User.userName, User.externalId, Group.displayName")
		return
	}
	r.resource = schema.Resource
	if c.opts.Schema != nil {
		if served := c.opts.Schema(r.resource); served != nil {
			schema = served
		}
	}
	path, err := scim.ParsePath(by)
	if err == nil {
		var t *scim.Target
		if t, err = schema.Resolve(path); err == nil && !t.List() {
			r.by = t.Path.String()
			f.ref = r
			return
		}
	}
	hint := "use an attribute such as userName, externalId or displayName"
	if p, ok := err.(*scim.PathError); ok && p.Hint != "" {
		hint = p.Hint
	}
	c.faults.add(e.ref.at, fmt.Sprintf("%s cannot be found by %q", r.resource, by), hint)
}

// checkKind sees that an expression gives what the attribute can be, as far as
// that does not depend on the row.
func (c *compiler) checkKind(f *field, e *entry) {
	if f.program == nil {
		return
	}
	got := resultKind(f.program)
	fits := true
	switch got {
	case reflect.Interface, reflect.String:
	case reflect.Bool:
		fits = f.list || f.leaf.Type == "boolean" || f.leaf.Type == "string"
	case reflect.Int, reflect.Int64, reflect.Float64:
		fits = f.list || f.leaf.Type == "integer" || f.leaf.Type == "decimal" || f.leaf.Type == "string"
	case reflect.Slice, reflect.Array:
		fits = f.list || f.ref != nil
	case reflect.Map:
		fits = f.list
	default:
		fits = false
	}
	if !fits {
		c.faults.add(e.expr.at, fmt.Sprintf("%s is %s, and the expression gives %s", f.target.Path.Short(), article(f.leaf.Type), kindName(got)), "")
	}
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number"
	}
	return "nothing of use"
}
