package sandbox

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// expr is a compiled filter (RFC 7644 §3.4.2.2).
type expr interface{ match(o *object) bool }

type (
	andExpr struct{ left, right expr }
	orExpr  struct{ left, right expr }
	notExpr struct{ x expr }
	// valueExpr holds when one value of the attribute satisfies all of x.
	valueExpr struct {
		ref attrRef
		x   expr
	}
	comparison struct {
		ref   attrRef
		op    string
		value any
	}
)

// maxDepth bounds the nesting of a filter, which is parsed by recursion.
const maxDepth = 200

type parser struct {
	text  string
	pos   int
	scope scope
	bare  bool // whether values may stand without quotes
	depth int
}

// parseFilter compiles a filter for resources of type t.
func parseFilter(s scope, text string, bare bool) (expr, error) {
	p := &parser{text: text, scope: s, bare: bare}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos != len(p.text) {
		return nil, badFilter("unexpected %q at position %d", p.text[p.pos:], p.pos+1)
	}
	return x, nil
}

func (p *parser) skip() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func nameChar(c byte) bool {
	return c == '-' || c == '_' || c == '$' || '0' <= c && c <= '9' || letter(c)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// word reads a name without dots and colons.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.text) && nameChar(p.text[p.pos]) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// keyword takes a whole word if it is the wanted one, whatever its case.
func (p *parser) keyword(want string) bool {
	p.skip()
	start := p.pos
	if strings.EqualFold(p.word(), want) {
		return true
	}
	p.pos = start
	return false
}

func (p *parser) or() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, badFilter("the filter is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.and()
	for err == nil && p.keyword("or") {
		var right expr
		right, err = p.and()
		left = orExpr{left, right}
	}
	return left, err
}

func (p *parser) and() (expr, error) {
	left, err := p.term()
	for err == nil && p.keyword("and") {
		var right expr
		right, err = p.term()
		left = andExpr{left, right}
	}
	return left, err
}

// term reads a group, a negated group, or one expression.
func (p *parser) term() (expr, error) {
	start := p.pos
	if p.keyword("not") {
		if p.skip(); p.peek() == '(' {
			x, err := p.group()
			return notExpr{x}, err
		}
		p.pos = start
	}
	if p.skip(); p.peek() == '(' {
		return p.group()
	}
	ref, err := p.attribute()
	if err != nil {
		return nil, err
	}
	if p.peek() == '[' {
		x, err := p.valueFilter(ref)
		return valueExpr{ref, x}, err
	}
	return p.comparison(ref)
}

func (p *parser) group() (expr, error) {
	p.pos++
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.peek() != ')' {
		return nil, badFilter("missing ) at position %d", p.pos+1)
	}
	p.pos++
	return x, nil
}

func (p *parser) attribute() (attrRef, error) {
	start := p.pos
	for p.pos < len(p.text) && (nameChar(p.text[p.pos]) || p.text[p.pos] == '.' || p.text[p.pos] == ':') {
		p.pos++
	}
	name := p.text[start:p.pos]
	if name == "" {
		return attrRef{}, badFilter("missing attribute name at position %d", start+1)
	}
	ref, ok := p.scope.resolve(name)
	if !ok {
		return attrRef{}, badFilter("unknown attribute %q", name)
	}
	return ref, nil
}

// valueFilter reads "[" filter "]", whose names are ref's sub-attributes.
func (p *parser) valueFilter(ref attrRef) (expr, error) {
	if ref.attr == nil || ref.sub != nil || !ref.attr.MultiValued && !ref.attr.complex() {
		return nil, badFilter("%s holds no values that a [ ] filter could select", ref.name())
	}
	if _, nested := p.scope.(elementScope); nested {
		return nil, badFilter("a [ ] filter cannot stand inside another")
	}
	outer := p.scope
	p.scope = elementScope{ref.attr}
	p.pos++
	x, err := p.or()
	p.scope = outer
	if err != nil {
		return nil, err
	}
	if p.skip(); p.peek() != ']' {
		return nil, badFilter("missing ] at position %d", p.pos+1)
	}
	p.pos++
	return x, nil
}

func (p *parser) comparison(ref attrRef) (expr, error) {
	p.skip()
	op := strings.ToLower(p.word())
	c := comparison{ref: ref, op: op}
	switch op {
	case "pr":
		return c, checkReadable(ref)
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		return nil, badFilter("unknown operator %q after %s", op, ref.name())
	}
	p.skip()
	var err error
	if c.value, err = p.literal(); err != nil {
		return nil, err
	}
	if p.bare {
		c.value = readAs(c.ref.leaf(), c.value)
	}
	return c, c.check()
}

func (p *parser) literal() (any, error) {
	if p.peek() == '"' {
		return p.quoted()
	}
	if p.bare {
		return p.bareValue(), nil
	}
	start := p.pos
	for p.pos < len(p.text) && !strings.ContainsRune(" )]", rune(p.text[p.pos])) {
		p.pos++
	}
	word := p.text[start:p.pos]
	if v, ok := scalar(word); ok {
		return v, nil
	}
	return nil, badFilter("%q is not a JSON value; text stands in double quotes", word)
}

// scalar reads true, false, null or a number.
func scalar(word string) (any, bool) {
	switch word {
	case "true":
		return true, true
	case "false":
		return false, true
	case "null":
		return nil, true
	}
	v := jsontext.Value(word)
	if v.Kind() == jsontext.KindNumber && v.IsValid() {
		return number(word), true
	}
	return nil, false
}

// quoted reads a JSON string with its escapes.
func (p *parser) quoted() (any, error) {
	end := p.pos + 1
	for end < len(p.text) && p.text[end] != '"' {
		if p.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.text) {
		return nil, badFilter("missing closing quote after position %d", p.pos+1)
	}
	raw := p.text[p.pos : end+1]
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return nil, badFilter("%s is not a JSON string", raw)
	}
	p.pos = end + 1
	return string(text), nil
}

// readAs makes of text what the attribute holds: where quotes do not matter,
// active eq "false" means what active eq false does.
func readAs(leaf *attribute, v any) any {
	text, isText := v.(string)
	if !isText || leaf == nil {
		return v
	}
	switch leaf.Type {
	case "boolean", "integer", "decimal":
		if read, ok := scalar(strings.ToLower(text)); ok {
			return read
		}
	}
	return v
}

// bareValue reads up to the next logical operator or closing bracket, so that
// a name of several words needs no quotes.
func (p *parser) bareValue() any {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] != ')' && p.text[p.pos] != ']' {
		rest := strings.ToLower(p.text[p.pos:])
		if strings.HasPrefix(rest, " and ") || strings.HasPrefix(rest, " or ") {
			break
		}
		p.pos++
	}
	text := strings.Trim(strings.TrimSpace(p.text[start:p.pos]), "'")
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}
