package sandbox

import (
	"slices"
	"strings"
)

// operation is one step of a PATCH request (RFC 7644 §3.5.2).
type operation struct {
	op       string
	path     string
	hasPath  bool
	value    any
	hasValue bool
}

// patcher changes a document in place. Its caller throws the document away on
// an error, which makes the request atomic.
type patcher struct {
	t      *resourceType
	doc    *object
	quirks quirks
}

// quirks are the faults that change what a write means.
type quirks struct {
	addReplaces         bool // add to a multi-valued attribute replaces its values
	pathlessAppends     bool // replace without a path adds to multi-valued attributes
	pathlessDrops       bool // a complex value without a path loses the siblings not named
	removeIgnoresFilter bool // members[value eq ...] removes nobody
	removeValueWipes    bool // remove with a value takes all values away
	replaceMerges       bool // replace members adds
	textBooleans        bool // "True" and "False" count as booleans
	deafPaths           bool // paths to names, extensions and filtered values do nothing
}

func (s *Sandbox) quirks() quirks {
	f := s.faults
	return quirks{
		addReplaces:         f.has("add-replaces"),
		pathlessAppends:     f.has("pathless-appends"),
		pathlessDrops:       f.has("pathless-drops"),
		removeIgnoresFilter: f.has("members-filter-noop"),
		removeValueWipes:    f.has("remove-value-wipes"),
		replaceMerges:       f.has("replace-members-merges"),
		textBooleans:        f.has("string-booleans"),
		deafPaths:           f.has("deaf-paths"),
	}
}

// parsePatch reads the request's body.
func parsePatch(body *object) ([]operation, error) {
	if !slices.ContainsFunc(body.list("schemas"), func(u any) bool { return u == patchURN }) {
		return nil, badSyntax("schemas must hold %s", patchURN)
	}
	list, _ := body.get("Operations").([]any)
	if len(list) == 0 {
		return nil, badSyntax("Operations must hold at least one operation")
	}
	ops := make([]operation, 0, len(list))
	for i, e := range list {
		o, ok := e.(*object)
		if !ok {
			return nil, badSyntax("operation %d is not an object", i+1)
		}
		op, err := parseOperation(o)
		if err != nil {
			return nil, badSyntax("operation %d: %s", i+1, err.(*problem).detail)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func parseOperation(o *object) (operation, error) {
	op := operation{op: o.text("op"), value: o.get("value"), hasValue: o.index("value") >= 0}
	switch op.op {
	case "add", "replace", "remove":
	default:
		return op, badSyntax("op %q is none of add, remove, replace", op.op)
	}
	if i := o.index("path"); i >= 0 && o.members[i].value != nil {
		if op.path, op.hasPath = o.members[i].value.(string); !op.hasPath {
			return op, badSyntax("path must be a string")
		}
	}
	if op.op != "remove" && !op.hasValue {
		return op, badSyntax("%s needs a value", op.op)
	}
	return op, nil
}

func (p *patcher) apply(ops []operation) error {
	for _, op := range ops {
		if err := p.one(op); err != nil {
			return err
		}
	}
	return nil
}

func (p *patcher) one(op operation) error {
	if !op.hasPath {
		return p.pathless(op)
	}
	tgt, err := parsePath(p.t, op.path)
	if err != nil {
		return err
	}
	if p.quirks.deafPaths && (tgt.urn != "" || tgt.filter != nil || tgt.attr != nil && tgt.attr.Name == "name") {
		return nil
	}
	if op.op == "remove" {
		return p.remove(tgt, op)
	}
	return p.put(tgt, op.op, op.value)
}

// pathless applies each member of the value as an operation of its own.
func (p *patcher) pathless(op operation) error {
	if op.op == "remove" {
		return refuse(400, "noTarget", "remove needs a path")
	}
	value, ok := op.value.(*object)
	if !ok {
		return badValue("%s without a path needs an object of attributes", op.op)
	}
	for _, m := range value.members {
		ref, known := p.t.resolve(m.name)
		if !known {
			continue
		}
		if p.quirks.pathlessDrops && ref.attr != nil && ref.attr.complex() && !ref.attr.MultiValued {
			p.container(ref).del(ref.attr.Name)
		}
		verb := op.op
		if p.quirks.pathlessAppends && ref.attr != nil && ref.attr.MultiValued {
			verb = "add"
		}
		if err := p.put(target{attrRef: ref}, verb, m.value); err != nil {
			return err
		}
	}
	return nil
}

// container is the object that holds the attribute; an extension's is made
// when it is missing, which is how its URN gets into schemas.
func (p *patcher) container(ref attrRef) *object {
	if ref.urn == "" {
		return p.doc
	}
	c := p.doc.child(ref.urn)
	if c == nil {
		c = newObject()
		p.doc.members = append(p.doc.members, member{ref.urn, c})
	}
	return c
}

// mutable refuses what the client must not touch.
func (p *patcher) mutable(tgt target) error {
	if tgt.attr != nil && tgt.attr.readOnly() || tgt.sub != nil && tgt.sub.readOnly() {
		return notMutable("%s is read-only", tgt.name())
	}
	return nil
}

// put carries out add and replace.
func (p *patcher) put(tgt target, op string, v any) error {
	switch {
	case tgt.attr == nil && tgt.urn == "":
		return badPath("a path must name an attribute")
	case tgt.attr == nil:
		return p.putExtension(tgt.urn, op, v)
	case tgt.attr.Name == "schemas":
		return nil // it follows from the attributes that are there
	}
	if err := p.mutable(tgt); err != nil {
		return err
	}
	if p.quirks.textBooleans {
		v = readTextBoolean(tgt.leafTarget(), v)
	}
	switch {
	case tgt.filter != nil:
		return p.putMatches(tgt, op, v)
	case tgt.sub != nil:
		return p.putSub(tgt, v)
	case tgt.attr.MultiValued:
		return p.putValues(tgt, op, v)
	}
	return p.putSingle(tgt, v)
}

// leafTarget is the attribute whose value the operation gives.
func (t target) leafTarget() *attribute {
	if t.sub != nil {
		return t.sub
	}
	return t.attr
}

func readTextBoolean(a *attribute, v any) any {
	text, ok := v.(string)
	if !ok || a.Type != "boolean" {
		return v
	}
	return strings.EqualFold(text, "true")
}

func (p *patcher) putExtension(urn, op string, v any) error {
	in, ok := v.(*object)
	if !ok {
		return badValue("%s must be an object", urn)
	}
	for _, m := range in.members {
		a := findAttribute(p.t.extension(urn).Attributes, m.name)
		if a == nil {
			continue
		}
		if err := p.put(target{attrRef: attrRef{urn: urn, attr: a}}, op, m.value); err != nil {
			return err
		}
	}
	return nil
}

// putSingle sets a simple value or merges into a complex one.
func (p *patcher) putSingle(tgt target, v any) error {
	in, err := tgt.attr.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	c := p.container(tgt.attrRef)
	old := c.get(tgt.attr.Name)
	if unassigned(in) {
		return p.clear(tgt, c)
	}
	if tgt.attr.Mutability == "immutable" && old != nil && !same(old, in) {
		return notMutable("%s is immutable", tgt.name())
	}
	if into, ok := old.(*object); ok {
		merge(into, in.(*object))
		return nil
	}
	c.set(tgt.attr.Name, in)
	return nil
}

func merge(into, from *object) {
	for _, m := range from.members {
		into.set(m.name, m.value)
	}
}

// putSub sets a sub-attribute: of the complex value, or of every value.
func (p *patcher) putSub(tgt target, v any) error {
	in, err := tgt.sub.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	c := p.container(tgt.attrRef)
	if tgt.attr.MultiValued {
		values := c.list(tgt.attr.Name)
		if len(values) == 0 {
			return refuse(400, "noTarget", "%s has no values", tgt.attr.Name)
		}
		return p.setSubs(tgt, values, values, in)
	}
	o := c.child(tgt.attr.Name)
	if o == nil {
		o = newObject()
	}
	if err := setSub(tgt, o, in); err != nil {
		return err
	}
	c.set(tgt.attr.Name, o)
	return nil
}

func setSub(tgt target, o *object, v any) error {
	old := o.get(tgt.sub.Name)
	if tgt.sub.Mutability == "immutable" && old != nil && !same(old, v) {
		return notMutable("%s is immutable", tgt.name())
	}
	o.set(tgt.sub.Name, v)
	return nil
}

// setSubs sets the sub-attribute in each of the matched values of all.
func (p *patcher) setSubs(tgt target, all, matched []any, v any) error {
	for _, e := range matched {
		o, ok := e.(*object)
		if !ok {
			return badPath("%s has no sub-attributes", tgt.attr.Name)
		}
		if err := setSub(tgt, o, v); err != nil {
			return err
		}
	}
	if tgt.sub.Name == "primary" && v == true {
		clearPrimary(all, matched)
	}
	return checkPrimary(tgt.name(), all)
}

// clearPrimary sets primary to false in the values that were not just set
// (RFC 7644 §3.5.2).
func clearPrimary(all, fresh []any) {
	for _, e := range all {
		o, ok := e.(*object)
		if ok && o.get("primary") == true && !slices.Contains(fresh, any(o)) {
			o.set("primary", false)
		}
	}
}

func hasPrimary(values []any) bool {
	return slices.ContainsFunc(values, func(e any) bool {
		o, ok := e.(*object)
		return ok && o.get("primary") == true
	})
}

// putValues adds to or replaces a multi-valued attribute. One value that
// stands without its array is taken as an array of one.
func (p *patcher) putValues(tgt target, op string, v any) error {
	if _, isList := v.([]any); !isList && v != nil {
		v = []any{v}
	}
	in, err := tgt.attr.admit(tgt.name(), v)
	if err != nil {
		return err
	}
	fresh, _ := in.([]any)
	c := p.container(tgt.attrRef)
	replace := op == "replace" && !(p.quirks.replaceMerges && tgt.attr.Name == "members")
	if replace || p.quirks.addReplaces {
		if len(fresh) == 0 {
			return p.clear(tgt, c)
		}
		c.set(tgt.attr.Name, fresh)
		return nil
	}
	old := c.list(tgt.attr.Name)
	if hasPrimary(fresh) {
		clearPrimary(old, fresh)
	}
	c.set(tgt.attr.Name, tgt.attr.appendNew(old, fresh))
	return nil
}

// appendNew adds the values that are not there yet: adding what is present
// changes nothing (RFC 7644 §3.5.2.1).
func (a *attribute) appendNew(old, fresh []any) []any {
	seen := make(map[string]bool, len(old))
	for _, e := range old {
		seen[a.identity(e)] = true
	}
	for _, e := range fresh {
		if id := a.identity(e); !seen[id] {
			seen[id] = true
			old = append(old, e)
		}
	}
	return old
}

// identity is the text by which two values of an attribute are the same. A
// member is its id, whatever its label; a primary that is false says no more
// than none.
func (a *attribute) identity(e any) string {
	o, ok := e.(*object)
	if !ok {
		return string(appendJSON(nil, e))
	}
	if v := a.sub("value"); v != nil && v.Mutability == "immutable" {
		return o.text("value")
	}
	sorted := slices.DeleteFunc(slices.Clone(o.members), func(m member) bool {
		return m.name == "primary" && m.value == false
	})
	slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return string(appendJSON(nil, &object{members: sorted}))
}

// putMatches works on the values that the path's filter selects.
func (p *patcher) putMatches(tgt target, op string, v any) error {
	c := p.container(tgt.attrRef)
	all := c.list(tgt.attr.Name)
	matched := matching(all, tgt.filter)
	if len(matched) == 0 {
		return p.putNew(tgt, c, op, v)
	}
	if tgt.sub != nil {
		in, err := tgt.sub.admit(tgt.name(), v)
		if err != nil {
			return err
		}
		return p.setSubs(tgt, all, matched, in)
	}
	return p.putWhole(tgt, c, op, v)
}

func matching(list []any, x expr) []any {
	var out []any
	for _, e := range list {
		if x.match(element(e)) {
			out = append(out, e)
		}
	}
	return out
}

// putWhole replaces (or, for add, merges into) every matched value.
func (p *patcher) putWhole(tgt target, c *object, op string, v any) error {
	in, err := tgt.attr.admitOne(tgt.name(), v)
	if err != nil {
		return err
	}
	all := c.list(tgt.attr.Name)
	var fresh []any
	for i, e := range all {
		if !tgt.filter.match(element(e)) {
			continue
		}
		if err := checkImmutable(tgt, e, in); err != nil {
			return err
		}
		old, isObject := e.(*object)
		if op == "add" && isObject {
			merge(old, in.(*object))
		} else {
			all[i] = clone(in)
		}
		fresh = append(fresh, all[i])
	}
	if hasPrimary(fresh) {
		clearPrimary(all, fresh)
	}
	return checkPrimary(tgt.name(), all)
}

// checkImmutable refuses a whole value that would change an immutable part.
func checkImmutable(tgt target, old, fresh any) error {
	o, ok1 := old.(*object)
	f, ok2 := fresh.(*object)
	if !ok1 || !ok2 {
		return nil
	}
	for _, sub := range tgt.attr.SubAttributes {
		was, is := o.get(sub.Name), f.get(sub.Name)
		if sub.Mutability == "immutable" && was != nil && is != nil && !same(was, is) {
			return notMutable("%s.%s is immutable", tgt.attr.Name, sub.Name)
		}
	}
	return nil
}

// putNew handles a filter that selects nothing: replace is refused (RFC 7644
// §3.5.2.3), add creates the value that the filter describes.
func (p *patcher) putNew(tgt target, c *object, op string, v any) error {
	fresh := newObject()
	if op == "replace" || !describe(tgt.filter, fresh) || !tgt.attr.complex() {
		return refuse(400, "noTarget", "no value of %s matches the path's filter", tgt.attr.Name)
	}
	if tgt.sub != nil {
		in, err := tgt.sub.admit(tgt.name(), v)
		if err != nil {
			return err
		}
		fresh.set(tgt.sub.Name, in)
	} else {
		in, err := tgt.attr.admitOne(tgt.name(), v)
		if err != nil {
			return err
		}
		merge(fresh, in.(*object))
	}
	old := c.list(tgt.attr.Name)
	if hasPrimary([]any{fresh}) {
		clearPrimary(old, nil)
	}
	c.set(tgt.attr.Name, append(old, any(fresh)))
	return nil
}

// describe writes into o what a filter of eq terms demands.
func describe(x expr, o *object) bool {
	switch x := x.(type) {
	case andExpr:
		return describe(x.left, o) && describe(x.right, o)
	case comparison:
		if x.op != "eq" || x.value == nil || x.ref.attr.readOnly() {
			return false
		}
		o.set(x.ref.attr.Name, x.value)
		return true
	}
	return false
}

// remove carries out §3.5.2.2.
func (p *patcher) remove(tgt target, op operation) error {
	if err := p.mutable(tgt); err != nil {
		return err
	}
	if op.hasValue && op.value != nil && !p.quirks.removeValueWipes {
		return badSyntax("remove takes no value: select what goes with a filter in the path")
	}
	if tgt.attr == nil {
		p.doc.del(tgt.urn)
		return nil
	}
	if tgt.urn != "" && p.doc.child(tgt.urn) == nil {
		return nil
	}
	c := p.container(tgt.attrRef)
	if tgt.filter == nil && tgt.sub == nil {
		return p.clear(tgt, c)
	}
	if c.get(tgt.attr.Name) == nil || p.quirks.removeIgnoresFilter && tgt.attr.Name == "members" {
		return nil
	}
	return p.removeParts(tgt, c)
}

// clear unassigns a whole attribute.
func (p *patcher) clear(tgt target, c *object) error {
	if tgt.attr.Required || tgt.attr.Name == "schemas" {
		return notMutable("%s is required and cannot be removed", tgt.name())
	}
	if tgt.attr.Mutability == "immutable" && c.get(tgt.attr.Name) != nil {
		return notMutable("%s is immutable", tgt.name())
	}
	c.del(tgt.attr.Name)
	return nil
}

// removeParts removes sub-attributes, or the values that a filter selects; a
// value with nothing left, and an attribute with no values, are unassigned.
func (p *patcher) removeParts(tgt target, c *object) error {
	if tgt.sub != nil && (tgt.sub.Required || tgt.sub.Mutability == "immutable") {
		return notMutable("%s cannot be removed", tgt.name())
	}
	if o := c.child(tgt.attr.Name); o != nil {
		o.del(tgt.sub.Name)
		c.set(tgt.attr.Name, o)
		return nil
	}
	keep := slices.DeleteFunc(c.list(tgt.attr.Name), func(e any) bool {
		if tgt.filter != nil && !tgt.filter.match(element(e)) {
			return false
		}
		o, isObject := e.(*object)
		if tgt.sub == nil || !isObject {
			return true
		}
		o.del(tgt.sub.Name)
		return unassigned(o)
	})
	c.set(tgt.attr.Name, keep)
	return nil
}
