package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"scimbulk/internal/scim"
)

// entry is what one attribute is made of.
type entry struct {
	path      text
	column    text
	expr      text // without the "="
	value     *yaml.Node
	transform []text
	def       text
	required  bool
	split     text
	each      text
	mode      text
	ref       text
	onMissing text
	format    text
	when      text
	region    text

	auto   bool // made by the table, not by a person
	index  int  // the column of an automatic entry
	negate bool // the column says the opposite
}

func (f *File) readOp(n *yaml.Node) *entry {
	e := &entry{path: text{s: "op", at: place(n)}}
	f.readEntry(e, n)
	if e.column.given && isOp(e.column.s) {
		return &entry{path: e.path, value: n}
	}
	return e
}

func isOp(s string) bool { return slices.Contains(ops[:], strings.ToLower(strings.TrimSpace(s))) }

func (f *File) readAttributes(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		f.faults.add(place(n), "attributes must be a list of path: source", `for example userName: Work Email`)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			f.faults.addf(place(key), "a key must be an attribute path")
			continue
		}
		e := entry{path: textOf(key)}
		f.readEntry(&e, resolveAlias(n.Content[i+1]))
		f.entries = append(f.entries, e)
	}
}

func (f *File) readEntry(e *entry, n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		f.readSource(e, n)
	case yaml.MappingNode:
		f.readDetails(e, n)
	default:
		f.faults.add(place(n), e.path.s+" must be a column, an =expression or a {…} of details", `for a constant list write {value: […]}`)
	}
}

// readSource reads the short form: a column, or an expression after "=".
func (f *File) readSource(e *entry, n *yaml.Node) {
	t := textOf(n)
	switch {
	case n.ShortTag() == "!!null":
		f.faults.add(e.path.at, "nothing is said of "+e.path.s, "name a column, an =expression or {value: …}")
	case strings.HasPrefix(t.s, "="):
		e.expr = t
		e.expr.s = t.s[1:]
		e.expr.shift++
	default:
		e.column = t
	}
}

// entryKeys are the details of an attribute.
func entryKeys() []string {
	return []string{"column", "expr", "value", "transform", "default", "required", "split", "each",
		"mode", "ref", "on-missing", "format", "when", "region"}
}

func (f *File) readDetails(e *entry, n *yaml.Node) {
	before := len(f.faults.list)
	f.members(n, entryKeys(), e.path.s, func(key string, at position, v *yaml.Node) {
		switch key {
		case "column":
			e.column = f.scalar(v, key)
		case "expr":
			e.expr = f.expression(v, key)
		case "value":
			e.value = v
		case "transform":
			e.transform = f.names(v, key)
		case "default":
			e.def = f.scalar(v, key)
		case "required":
			e.required = f.truth(v, key)
		case "split":
			e.split = f.scalar(v, key)
		case "each":
			e.each = f.scalar(v, key)
		case "mode":
			e.mode = f.oneOf(v, key, "add", "replace")
		case "ref":
			e.ref = f.scalar(v, key)
		case "on-missing":
			e.onMissing = f.oneOf(v, key, "skip", "reject", "keep")
		case "format":
			e.format = f.scalar(v, key)
		case "when":
			e.when = f.expression(v, key)
		case "region":
			e.region = f.scalar(v, key)
		}
	})
	if len(f.faults.list) == before {
		f.checkSources(e, n)
	}
}

// checkSources sees that an attribute has one source.
func (f *File) checkSources(e *entry, n *yaml.Node) {
	var sources []string
	for _, s := range []struct {
		name  string
		given bool
	}{{"column", e.column.given}, {"expr", e.expr.given}, {"value", e.value != nil}} {
		if s.given {
			sources = append(sources, s.name)
		}
	}
	switch {
	case len(sources) > 1:
		f.faults.add(place(n), fmt.Sprintf("%s has %s", e.path.s, strings.Join(sources, " and ")), "keep one of them")
	case len(sources) == 0 && !e.def.given:
		f.faults.add(place(n), e.path.s+" has no column, expr or value", "")
	}
}

// expression reads an expression, whose "=" may be left out here.
func (f *File) expression(n *yaml.Node, key string) text {
	t := f.scalar(n, key)
	if strings.HasPrefix(t.s, "=") {
		t.s = t.s[1:]
		t.shift++
	}
	return t
}

func (f *File) truth(n *yaml.Node, key string) bool {
	if n.Kind == yaml.ScalarNode {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on":
			return true
		case "false", "no", "off":
			return false
		}
	}
	f.faults.addf(place(n), "%s must be true or false", key)
	return false
}

func (f *File) oneOf(n *yaml.Node, key string, known ...string) text {
	t := f.scalar(n, key)
	if t.given && !slices.Contains(known, t.s) {
		hint := didYouMean(scim.Nearest(t.s, known))
		f.faults.add(t.at, fmt.Sprintf("%s cannot be %q: use %s", key, t.s, strings.Join(known, " or ")), hint)
		return text{}
	}
	return t
}

// names reads one name, several with commas between, or a list.
func (f *File) names(n *yaml.Node, key string) []text {
	if n.Kind == yaml.SequenceNode {
		var list []text
		for _, item := range n.Content {
			list = append(list, f.names(resolveAlias(item), key)...)
		}
		return list
	}
	t := f.scalar(n, key)
	var list []text
	at := 0
	for part := range strings.SplitSeq(t.s, ",") {
		if name := strings.TrimSpace(part); name != "" {
			lead := strings.Index(part, name)
			list = append(list, text{s: name, at: t.offset(utf8.RuneCountInString(t.s[:at+lead])), given: true})
		}
		at += len(part) + 1
	}
	return list
}
