package mapping

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v4"

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
	c.m = &Mapping{input: o.Input, header: header, nested: nested, match: -1, notes: slices.Clone(f.notes)}
	c.settings()
	if c.m.schema == nil {
		return nil, c.faults.err()
	}
	if !nested && !c.auto && !c.listed {
		c.faults.add(position{}, "the file maps no attributes", "name them under attributes:")
	}
	if nested {
		c.wholeResources()
	} else {
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
	t, err := c.m.schema.Resolve(path)
	if err != nil {
		if !e.auto { // a directory without an extension has no use for its columns: they are unmapped
			c.pathFault(e, err)
		}
		return
	}
	if t.ReadOnly() && !c.isMatchID(t) {
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
	f.hidden = t.ReadOnly()
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
		return "import a membership file, or the groups"
	}
	return "leave it out"
}

// isMatchID says whether a target is the id by which rows are matched: it is
// read, and never sent.
func (c *compiler) isMatchID(t *scim.Target) bool {
	return t.Path.URN == "" && t.Attr.Name == "id" && (strings.EqualFold(c.matchPath(), "id") || strings.EqualFold(c.match.s, "id"))
}

func (c *compiler) pathFault(e *entry, err error) {
	switch err := err.(type) {
	case *scim.SyntaxError:
		at := e.path.at
		if e.path.at.line > 0 {
			at = e.path.offset(utf8.RuneCountInString(err.Input[:err.Offset]))
		}
		c.faults.add(at, fmt.Sprintf("%q is no attribute path: %s", e.path.s, err.Message), didYouMean(scim.Nearest(e.path.s, shortPaths(c.m.schema))))
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

// expression compiles one; its fault is shown at the very character.
func (c *compiler) expression(t text) *vm.Program {
	program, fault := c.exprs.compile(t.s)
	if fault != nil {
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
		if e.onMissing.given {
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

// setValues converts constant and default to the attribute's type.
func (c *compiler) setValues(f *field, e *entry) {
	if e.value != nil {
		v, ok := c.constant(f, e.value)
		if ok && v == nil {
			c.faults.add(place(e.value), "the value is empty", "a blank leaves the attribute alone; "+c.m.clear+" removes it")
		}
		f.constant = v
	}
	if e.def.given && e.def.s != "" {
		written := *f
		written.steps = nil // a default is written as it should be
		v, err := written.ofText(e.def.s, "")
		if err != nil {
			c.valueFault(e.def.at, err)
			return
		}
		f.def = v.v
		if f.ref != nil {
			c.faults.add(e.def.at, "a reference cannot have a default", "leave it out")
		}
	}
}

// clearedConstant is what {value: #N/A} compiles to.
type clearedConstant struct{}

func (c *compiler) constant(f *field, n *yaml.Node) (any, bool) {
	raw, ok := c.plain(n, 0)
	if !ok {
		return nil, false
	}
	if f.ref != nil {
		c.faults.add(place(n), "a reference must be a column or an expression", "")
		return nil, false
	}
	v, err := f.ofValue(raw, c.m.clear)
	if err != nil {
		c.valueFault(place(n), err)
		return nil, false
	}
	if v.state == cleared {
		return clearedConstant{}, true
	}
	return v.v, true
}

// maxNesting bounds constants, in which YAML could otherwise nest for ever.
const maxNesting = 8

// plain makes a tree of a YAML value. Aliases are refused: a few lines of them
// can stand for more than any memory holds.
func (c *compiler) plain(n *yaml.Node, depth int) (any, bool) {
	if n.Kind == yaml.AliasNode {
		c.faults.addf(place(n), "a value cannot hold an alias")
		return nil, false
	}
	if depth > maxNesting {
		c.faults.addf(place(n), "the value is nested too deeply")
		return nil, false
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, ok := c.plain(item, depth+1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case yaml.MappingNode:
		o := scim.Object{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, ok := c.plain(n.Content[i+1], depth+1)
			if !ok {
				return nil, false
			}
			o[n.Content[i].Value] = v
		}
		return o, true
	}
	return plainScalar(n), true
}

func plainScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		if b, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return b
		}
	case "!!int", "!!float":
		if v, err := convertDecimal(n.Value); err == nil && scim.Number(n.Value) == v.(scim.Number) {
			return v
		}
	}
	return n.Value
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
	if c.m.match < 0 && !faulty && !c.isFaultyEntry(t) {
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
	if c.auto {
		return fmt.Sprintf("no column is known to hold it among %s; write a mapping file, or name another attribute with --match", someOf(c.m.header))
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
