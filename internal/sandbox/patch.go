package sandbox

import (
	"slices"
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
	bareValues          bool // values in paths need no double quotes
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
		bareValues:          s.rules.bareFilters,
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
	tgt, err := parsePath(p.t, op.path, p.quirks.bareValues)
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

// remove carries out §3.5.2.2.
func (p *patcher) remove(tgt target, op operation) error {
	if err := p.mutable(tgt); err != nil {
		return err
	}
	if op.hasValue && op.value != nil && !p.quirks.removeValueWipes {
		return badSyntax("remove takes no value: select what goes with a filter in the path")
	}
	if tgt.attr == nil && tgt.urn == "" {
		return badPath("a path must name an attribute")
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
