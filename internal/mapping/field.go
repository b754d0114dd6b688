package mapping

import (
	"strings"

	"github.com/expr-lang/expr/vm"

	"scimbulk/internal/scim"
)

// field is an attribute of the mapping, compiled: where its values come from,
// what is done with them, and where they go.
type field struct {
	target *scim.Target
	leaf   *scim.Attribute // what single values, or the elements of a list, are checked against
	name   string          // for messages: the column, else the path

	column   int         // -1 when it is not a column
	program  *vm.Program // nil when it is not an expression
	constant any         // with the type of the attribute; nil when it is not a constant

	steps    []transform
	def      any // of the attribute's type; nil when there is none
	required bool
	split    string
	each     *pattern
	mode     scim.Mode // of values; Set when the attribute has one
	ref      *reference
	date     *dateFormat
	when     *vm.Program

	list   bool // the values are elements of a list
	auto   bool // "|" separates values
	negate bool
	secret bool // values are not cleaned
	quiet  bool // values are not shown
	hidden bool // the value is known and not sent (id)
}

// reference is how a name becomes an id.
type reference struct{ resource, by, onMissing string }

// pattern reads the parts of a list's element: "name:proficiency".
type pattern struct {
	names []string // of sub-attributes
	attrs []*scim.Attribute
	seps  []string // between them
}

// value is what a field gives for one row.
type value struct {
	v     any
	state state
	names []string // of a reference
}

type state int

const (
	absent  state = iota // leave the attribute alone
	present              // v, or names
	cleared              // take the attribute away
)

// ofText makes the value of text: a cell, or the result of an expression.
func (f *field) ofText(s, clearToken string) (value, error) {
	if s == "" {
		return f.blank(), nil
	}
	if s == clearToken {
		return value{state: cleared}, nil
	}
	for _, step := range f.steps {
		var err error
		if s, err = step(s); err != nil {
			return value{}, err
		}
	}
	switch {
	case s == "":
		return f.blank(), nil
	case f.ref != nil:
		return f.reference(s), nil
	case f.list:
		return f.elements(s)
	}
	v, err := convert(f.leaf, s, f.date)
	if err != nil {
		return value{}, err
	}
	if b, ok := v.(bool); ok && f.negate {
		v = !b
	}
	return value{v: v, state: present}, nil
}

// blank is what a blank cell means: nothing, unless there is a default.
func (f *field) blank() value {
	if f.def == nil {
		return value{}
	}
	return value{v: scim.Clone(f.def), state: present}
}

func (f *field) reference(s string) value {
	names := f.pieces(s)
	if len(names) == 0 {
		return value{}
	}
	return value{state: present, names: names}
}

// pieces cuts a cell of several values.
func (f *field) pieces(s string) []string {
	sep := f.split
	if sep == "" && f.auto && f.list {
		sep = "|"
	}
	if sep == "" {
		return []string{s}
	}
	var list []string
	for piece := range strings.SplitSeq(s, sep) {
		if piece = strings.TrimSpace(piece); piece != "" {
			list = append(list, piece)
		}
	}
	return list
}

// elements makes the list of a multi-valued attribute. Without a split, a JSON
// array is one: our own exports write what has no columns so, and a flat object
// of JSONL can hold one.
func (f *field) elements(s string) (value, error) {
	if f.split == "" && strings.HasPrefix(s, "[") {
		v, err := scim.Decode([]byte(s))
		switch {
		case err == nil:
			return f.ofValue(v, "")
		case f.auto:
			return value{}, &valueError{"the cell begins with [ and is no JSON array: " + err.Error(), ""}
		}
	}
	pieces := f.pieces(s)
	list := make([]any, 0, len(pieces))
	for _, piece := range pieces {
		e, err := f.element(piece)
		if err != nil {
			return value{}, err
		}
		list = append(list, e)
	}
	if len(list) == 0 {
		return value{}, nil
	}
	return value{v: list, state: present}, nil
}

func (f *field) element(piece string) (any, error) {
	if f.each != nil {
		return f.each.read(piece)
	}
	return elementOf(f.target.Attr, piece, f.date)
}

// ofValue makes the value of what an expression, a constant or JSON gives.
func (f *field) ofValue(v any, clearToken string) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{}, nil
	case string:
		return f.ofText(v, clearToken)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return f.ofList(list)
	case []any:
		return f.ofList(v)
	}
	if f.ref != nil {
		return value{}, &valueError{"a reference must be a text", ""}
	}
	if f.list {
		e, err := elementOf(f.target.Attr, v, f.date)
		return value{v: []any{e}, state: present}, err
	}
	converted, err := convertAny(f.leaf, v, f.date)
	return value{v: converted, state: present}, err
}

func (f *field) ofList(list []any) (value, error) {
	if f.ref != nil {
		return f.namesOf(list)
	}
	if !f.list {
		return value{}, &valueError{f.leaf.Name + " has one value and not a list", ""}
	}
	elements := make([]any, 0, len(list))
	for _, v := range list {
		if v == nil || v == "" {
			continue
		}
		s, isText := v.(string)
		var e any
		var err error
		if isText {
			e, err = f.element(s)
		} else {
			e, err = elementOf(f.target.Attr, v, f.date)
		}
		if err != nil {
			return value{}, err
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return value{}, nil
	}
	return value{v: elements, state: present}, nil
}

func (f *field) namesOf(list []any) (value, error) {
	var names []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return value{}, &valueError{"a reference must be a text", ""}
		}
		if s != "" {
			names = append(names, s)
		}
	}
	if len(names) == 0 {
		return value{}, nil
	}
	return value{state: present, names: names}, nil
}

// elementOf makes an element of a multi-valued attribute: an object as it is,
// its members checked; anything else becomes the member that tells one element
// from another.
func elementOf(attr *scim.Attribute, v any, date *dateFormat) (any, error) {
	if o, ok := v.(map[string]any); ok {
		return membersOf(attr, o)
	}
	if attr.Type != "complex" {
		return convertAny(attr, v, date)
	}
	sub := mainSub(attr)
	if sub == nil {
		return nil, &valueError{attr.Name + " has no sub-attributes", ""}
	}
	converted, err := convertAny(sub, v, date)
	if err != nil {
		return nil, err
	}
	return scim.Object{sub.Name: converted}, nil
}

// mainSub is the sub-attribute that a bare value means: value, else the first
// that is required, else the first.
func mainSub(attr *scim.Attribute) *scim.Attribute {
	if sub := attr.Sub("value"); sub != nil {
		return sub
	}
	for i := range attr.SubAttributes {
		if attr.SubAttributes[i].Required {
			return &attr.SubAttributes[i]
		}
	}
	if len(attr.SubAttributes) > 0 {
		return &attr.SubAttributes[0]
	}
	return nil
}

// membersOf checks an object against an attribute: names are spelt as the
// schema does, read-only members and nulls are left out, members that the
// schema does not know are kept.
func membersOf(attr *scim.Attribute, o map[string]any) (any, error) {
	if attr.Type != "complex" {
		return nil, &valueError{attr.Name + " cannot be an object", "it is " + article(attr.Type)}
	}
	out := scim.Object{}
	for name, v := range o {
		sub := attr.Sub(name)
		switch {
		case v == nil:
		case sub == nil:
			out[name] = plainValue(v)
		case sub.ReadOnly():
		default:
			converted, err := subValue(sub, v)
			if err != nil {
				return nil, err
			}
			out[sub.Name] = converted
		}
	}
	return out, nil
}

func subValue(sub *scim.Attribute, v any) (any, error) {
	switch v.(type) {
	case []any, map[string]any:
		return plainValue(v), nil
	}
	if v == "" {
		return "", nil
	}
	return convertAny(sub, v, nil)
}

// plainValue makes the numbers of expressions those of the model.
func plainValue(v any) any {
	switch v := v.(type) {
	case int, int64, float64:
		n, err := convertAny(&scim.Attribute{Type: "decimal"}, v, nil)
		if err != nil {
			return nil
		}
		return n
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plainValue(e)
		}
		return list
	case map[string]any:
		o := make(scim.Object, len(v))
		for k, e := range v {
			o[k] = plainValue(e)
		}
		return o
	}
	return v
}

// parsePattern reads "name:proficiency": sub-attributes with what stands
// between them.
func parsePattern(s string, attr *scim.Attribute) (*pattern, *expressionFault) {
	p := &pattern{}
	rest, at := s, 0
	for {
		end := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r) })
		if end < 0 {
			end = len(rest)
		}
		name := rest[:end]
		sub := attr.Sub(name)
		if sub == nil {
			return nil, &expressionFault{at, attr.Name + " has no sub-attribute " + shown(name), didYouMean(scim.Nearest(name, subNames(attr)))}
		}
		p.names, p.attrs = append(p.names, sub.Name), append(p.attrs, sub)
		rest, at = rest[end:], at+end
		if rest == "" {
			return p, nil
		}
		next := strings.IndexFunc(rest, isNameRune)
		if next < 0 {
			return nil, &expressionFault{at, "each must end with a sub-attribute", "for example name:proficiency"}
		}
		p.seps = append(p.seps, rest[:next])
		rest, at = rest[next:], at+next
	}
}

func isNameRune(r rune) bool {
	return r == '$' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func subNames(attr *scim.Attribute) []string {
	list := make([]string, len(attr.SubAttributes))
	for i := range attr.SubAttributes {
		list[i] = attr.SubAttributes[i].Name
	}
	return list
}

// read makes an element of a piece. Parts at its end may be missing; the last
// separator is looked for from the end, so that a name may hold it.
func (p *pattern) read(piece string) (any, error) {
	o := scim.Object{}
	rest := piece
	for i, attr := range p.attrs {
		part := rest
		if i < len(p.seps) {
			at := strings.Index(rest, p.seps[i])
			if i == len(p.seps)-1 {
				at = strings.LastIndex(rest, p.seps[i])
			}
			if at >= 0 {
				part, rest = rest[:at], rest[at+len(p.seps[i]):]
			} else {
				rest = ""
			}
		}
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		v, err := convert(attr, part, nil)
		if err != nil {
			return nil, err
		}
		o[attr.Name] = v
	}
	if len(o) == 0 {
		return nil, &valueError{shown(piece) + " is no " + strings.Join(p.names, ", "), ""}
	}
	return o, nil
}
