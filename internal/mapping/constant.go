package mapping

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"scimbulk/internal/scim"
)

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
