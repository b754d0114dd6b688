package scim

import (
	"strings"
)

// Filter is a parsed filter of RFC 7644 §3.4.2.2: [And], [Or], [Not],
// [Comparison] or [ValueFilter].
type Filter interface {
	String() string
	isFilter()
}

// And, Or and Not combine filters.
type (
	And struct{ Left, Right Filter }
	Or  struct{ Left, Right Filter }
	Not struct{ Inner Filter }
)

// Comparison compares one attribute with a value. Op is lower-case: eq ne co
// sw ew gt ge lt le, or pr, which has no value.
type Comparison struct {
	Path  Path
	Op    string
	Value any // string, bool, Number or nil
}

// ValueFilter is attribute[filter]: some value of the attribute fits.
type ValueFilter struct{ Path Path }

func (And) isFilter()         {}
func (Or) isFilter()          {}
func (Not) isFilter()         {}
func (Comparison) isFilter()  {}
func (ValueFilter) isFilter() {}

func (f And) String() string { return operand(f.Left) + " and " + operand(f.Right) }
func (f Or) String() string  { return f.Left.String() + " or " + f.Right.String() }
func (f Not) String() string { return "not (" + f.Inner.String() + ")" }

func (f ValueFilter) String() string { return f.Path.String() }

func (f Comparison) String() string {
	if f.Op == "pr" {
		return f.Path.String() + " pr"
	}
	value, err := Encode(f.Value)
	if err != nil {
		value = []byte(`""`)
	}
	return f.Path.String() + " " + f.Op + " " + string(value)
}

// operand puts an or below an and in parentheses: and binds tighter.
func operand(f Filter) string {
	if _, ok := f.(Or); ok {
		return "(" + f.String() + ")"
	}
	return f.String()
}

// Equals is the filter `attribute eq "value"` with the value escaped as RFC
// 7644 §3.4.2.2 asks for (JSON string rules).
func Equals(attr Path, value string) string {
	return Comparison{Path: attr, Op: "eq", Value: value}.String()
}

// ParseFilter reads a filter.
func ParseFilter(s string) (Filter, error) {
	p := &parser{in: s}
	f, err := p.disjunction(false)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.in) {
		return nil, p.fail("unexpected text")
	}
	return f, nil
}

// maxDepth bounds nesting, so that no input can exhaust the stack.
const maxDepth = 64

// parser reads paths and filters by recursive descent. inner says that it is
// inside a value filter, where another one may not stand.
type parser struct {
	in    string
	pos   int
	depth int
}

func (p *parser) fail(message string) error {
	return &SyntaxError{Input: p.in, Offset: min(p.pos, len(p.in)), Message: message}
}

func (p *parser) disjunction(inner bool) (Filter, error) {
	left, err := p.conjunction(inner)
	for err == nil && p.keyword("or") {
		var right Filter
		if right, err = p.conjunction(inner); err == nil {
			left = Or{left, right}
		}
	}
	return left, err
}

func (p *parser) conjunction(inner bool) (Filter, error) {
	left, err := p.term(inner)
	for err == nil && p.keyword("and") {
		var right Filter
		if right, err = p.term(inner); err == nil {
			left = And{left, right}
		}
	}
	return left, err
}

func (p *parser) term(inner bool) (Filter, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested too deeply")
	}
	defer func() { p.depth-- }()
	p.space()
	if negated := p.keywordBefore("not", '('); negated || p.peek() == '(' {
		return p.group(negated, inner)
	}
	return p.comparison(inner)
}

func (p *parser) group(negated, inner bool) (Filter, error) {
	p.space()
	p.take("(")
	f, err := p.disjunction(inner)
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take(")") {
		return nil, p.fail("expected )")
	}
	if negated {
		return Not{f}, nil
	}
	return f, nil
}

func (p *parser) comparison(inner bool) (Filter, error) {
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	if path.Filter != nil {
		if inner {
			return nil, p.fail("a value filter cannot stand inside another")
		}
		if path.Sub == "" && p.endsTerm() {
			return ValueFilter{path}, nil
		}
	}
	op, err := p.operator()
	if err != nil || op == "pr" {
		return Comparison{Path: path, Op: op}, err
	}
	value, err := p.value()
	return Comparison{Path: path, Op: op, Value: value}, err
}

// endsTerm says whether what follows ends the term it stands behind.
func (p *parser) endsTerm() bool {
	rest := strings.ToLower(strings.TrimLeft(p.in[p.pos:], " "))
	return rest == "" || rest[0] == ')' || strings.HasPrefix(rest, "and ") || strings.HasPrefix(rest, "or ")
}

func (p *parser) operator() (string, error) {
	p.space()
	start := p.pos
	for p.pos < len(p.in) && isAlpha(p.in[p.pos]) {
		p.pos++
	}
	op := strings.ToLower(p.in[start:p.pos])
	switch op {
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr":
		return op, nil
	}
	p.pos = start
	return "", p.fail("expected one of eq ne co sw ew gt ge lt le pr")
}

// value reads a JSON literal (RFC 7644 §3.4.2.2, compValue).
func (p *parser) value() (any, error) {
	p.space()
	end := p.literalEnd()
	raw := p.in[p.pos:end]
	v, err := Decode([]byte(raw))
	if err != nil || (raw != "" && (raw[0] == '{' || raw[0] == '[')) {
		return nil, p.fail(`expected a value: "text" in double quotes, a number, true, false or null`)
	}
	p.pos = end
	return v, nil
}

func (p *parser) literalEnd() int {
	if p.peek() != '"' {
		if n := strings.IndexAny(p.in[p.pos:], " )]"); n >= 0 {
			return p.pos + n
		}
		return len(p.in)
	}
	for i := p.pos + 1; i < len(p.in); i++ {
		switch p.in[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(p.in)
}

// name reads ATTRNAME of RFC 7644 §3.4.2.2, with the $ that RFC 7643 §2.1
// allows ($ref).
func (p *parser) name() (string, error) {
	start := p.pos
	for p.pos < len(p.in) && isNameChar(p.in[p.pos], p.pos == start) {
		p.pos++
	}
	if p.pos == start {
		return "", p.fail("expected an attribute name")
	}
	return p.in[start:p.pos], nil
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isNameChar(c byte, first bool) bool {
	if isAlpha(c) || c == '$' {
		return true
	}
	return !first && (c == '-' || c == '_' || '0' <= c && c <= '9')
}

func (p *parser) peek() byte {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.peek() == ' ' {
		p.pos++
	}
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.in[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

// keyword takes a word that stands between spaces or parentheses.
func (p *parser) keyword(word string) bool {
	start := p.pos
	p.space()
	if n := p.pos + len(word); n <= len(p.in) && strings.EqualFold(p.in[p.pos:n], word) {
		if n == len(p.in) || p.in[n] == ' ' || p.in[n] == '(' {
			p.pos = n
			return true
		}
	}
	p.pos = start
	return false
}

// keywordBefore takes a word that is followed by next, spaces between or not.
func (p *parser) keywordBefore(word string, next byte) bool {
	start := p.pos
	if p.keyword(word) {
		if p.space(); p.peek() == next {
			return true
		}
	}
	p.pos = start
	return false
}
