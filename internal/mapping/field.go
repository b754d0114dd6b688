package mapping

import (
	"slices"
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

	list       bool // the values are elements of a list
	auto       bool // "|" separates values
	negate     bool
	secret     bool // values are not cleaned
	quiet      bool // values are not shown
	hidden     bool // the value is known and not sent (id)
	regionless bool // telephone numbers, of a country that the mapping does not name
	json       bool // the values are those of a whole resource, and were in no spreadsheet
}

// reference is how a name becomes an id.
type reference struct {
	resource, by, onMissing string

	memberships bool // the names are groups that a user is to be in
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
	if f.split != "" {
		return f.several(s)
	}
	s, err := f.transformed(s)
	switch {
	case err != nil:
		return value{}, err
	case s == "":
		return f.blank(), nil
	case f.ref != nil:
		return f.reference([]string{s}), nil
	case f.list:
		return f.elements(s)
	}
	if err := shortened(f.leaf, s); err != nil && f.date == nil && !f.json {
		return value{}, err
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

func (f *field) transformed(s string) (string, error) {
	for _, step := range f.steps {
		var err error
		if s, err = step(s); err != nil {
			return "", err
		}
	}
	return s, nil
}

// several makes the values of a cell that is split; each is transformed.
func (f *field) several(s string) (value, error) {
	var list []string
	for _, piece := range pieces(s, f.split) {
		piece, err := f.transformed(piece)
		if err != nil {
			return value{}, err
		}
		if piece != "" {
			list = append(list, piece)
		}
	}
	if f.ref != nil {
		return f.reference(list), nil
	}
	return f.listOf(list)
}

// hasLocalNumber says whether a cell holds a telephone number that cannot be
// dialled from abroad, for want of a region.
func (f *field) hasLocalNumber(cell string) bool {
	if !f.regionless {
		return false
	}
	numbers := []string{cell}
	if f.split != "" {
		numbers = pieces(cell, f.split)
	}
	return slices.ContainsFunc(numbers, func(piece string) bool {
		number, err := phone(piece, regionCode{})
		return err == nil && !strings.HasPrefix(number, "+")
	})
}

func (f *field) reference(names []string) value {
	if len(names) == 0 {
		return value{}
	}
	return value{state: present, names: names}
}

// pieces cuts a cell of several values.
func pieces(s, sep string) []string {
	var list []string
	for piece := range strings.SplitSeq(s, sep) {
		if piece = strings.TrimSpace(piece); piece != "" {
			list = append(list, piece)
		}
	}
	return list
}

// elements makes the list of a multi-valued attribute of a cell without split.
// A JSON array is one: our own exports write what has no columns so, and a flat
// object of JSONL can hold one.
func (f *field) elements(s string) (value, error) {
	if strings.HasPrefix(s, "[") {
		v, err := scim.Decode([]byte(s))
		switch {
		case err == nil:
			return f.ofValue(v, "")
		case f.auto:
			return value{}, &valueError{"the cell begins with [ and is no JSON array: " + err.Error(), ""}
		}
	}
	if f.auto {
		return f.listOf(pieces(s, "|"))
	}
	return f.listOf([]string{s})
}

func (f *field) listOf(pieces []string) (value, error) {
	list := make([]any, 0, len(pieces))
	for _, piece := range pieces {
		if err := shortened(f.leaf, piece); err != nil && f.date == nil && !f.json {
			return value{}, err
		}
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
