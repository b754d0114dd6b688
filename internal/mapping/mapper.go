package mapping

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/vm"
	"golang.org/x/text/unicode/norm"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// RowError says why a row cannot be mapped.
type RowError struct {
	File    string
	Line    int64
	Column  string // name of the column, or path of the attribute; "" for the whole row
	Message string
	Hint    string
	More    []*RowError // further faults of the same row
}

// Error is "file:line: column: message (hint)", further faults after a
// semicolon.
func (e *RowError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason())
}

// Reason is the error without its place, for files that have the line already.
func (e *RowError) Reason() string {
	var b strings.Builder
	if e.Column != "" {
		b.WriteString(e.Column + ": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	for _, more := range e.More {
		b.WriteString("; " + more.Reason())
	}
	return b.String()
}

// Mapper maps rows, one at a time: it belongs to one goroutine.
type Mapper struct {
	m       *Mapping
	vm      vm.VM
	env     map[string]any
	cells   []string
	hygiene Hygiene
	codes   []codes

	warnings tally // of all rows
}

// NewMapper makes a mapper for one goroutine.
func (m *Mapping) NewMapper() *Mapper {
	mp := &Mapper{m: m, cells: make([]string, len(m.header)), env: make(map[string]any, len(m.shared))}
	mp.vm.MemoryBudget = memoryBudget
	for _, column := range m.coded {
		mp.codes = append(mp.codes, codes{column: column})
	}
	return mp
}

// Hygiene is what this mapper has taken from cells so far.
func (mp *Mapper) Hygiene() Hygiene { return mp.hygiene }

// Map makes the record of a row. The error is a [*RowError] with every fault
// of the row; the record then holds what could be told, its key at least where
// the row has one, and must not be written.
func (mp *Mapper) Map(row *rows.Row) (*Record, error) {
	rec := &Record{Number: row.Number, Line: row.Line, Op: mp.m.defOp, MatchBy: mp.m.Match()}
	if row.Err != nil {
		return rec, &RowError{File: row.Err.File, Line: row.Err.Line, Message: row.Err.Message, Hint: row.Err.Hint, Column: characterOf(row.Err)}
	}
	r := rowMapper{mp: mp, rec: rec}
	if mp.m.nested {
		r.resource(row)
	} else {
		r.cells(row)
	}
	for _, w := range rec.Warnings {
		mp.warnings.add(w)
	}
	if r.err != nil {
		return rec, r.err
	}
	return rec, nil
}

// characterOf names the place of a fault that is not a column's.
func characterOf(e *rows.Error) string {
	if e.Column == 0 {
		return ""
	}
	return fmt.Sprintf("character %d", e.Column)
}

// rowMapper is the mapping of one row.
type rowMapper struct {
	mp  *Mapper
	rec *Record
	err *RowError
}

func (r *rowMapper) fail(column, message, hint string) {
	e := &RowError{File: r.mp.m.input, Line: r.rec.Line, Column: column, Message: message, Hint: hint}
	if r.err == nil {
		r.err = e
		return
	}
	r.err.More = append(r.err.More, e)
}

func (r *rowMapper) failed(column string, err error) {
	if v, ok := err.(*valueError); ok {
		r.fail(column, v.message, v.hint)
		return
	}
	r.fail(column, err.Error(), "")
}

func (r *rowMapper) cells(row *rows.Row) {
	mp := r.mp
	for _, i := range mp.m.clean {
		mp.cells[i] = ""
		if i < len(row.Cells) {
			mp.cells[i] = mp.hygiene.clean(row.Cells[i])
		}
	}
	for i := range mp.codes {
		mp.codes[i].see(mp.cells[mp.codes[i].column])
	}
	for _, in := range mp.m.shared {
		mp.env[in.key] = mp.cells[in.column]
		if v, ok := literal(mp.cells[in.column]); ok {
			mp.env[in.key] = cellText(v)
		}
	}
	r.operation()
	r.rec.Assignments = make([]scim.Assignment, 0, len(mp.m.fields))
	for i := range mp.m.fields {
		if match := i == mp.m.match; match || !r.removes() {
			r.field(&mp.m.fields[i], match, row)
		}
	}
	if r.rec.Key == "" && r.err == nil {
		r.noKey()
	}
}

// removes says whether the row takes somebody away, for which its key is all
// that counts: a fault in another cell must not keep an account alive.
func (r *rowMapper) removes() bool { return r.rec.Op == "delete" || r.rec.Op == "deactivate" }

func (r *rowMapper) noKey() {
	by := r.mp.m.matchBy.Path.Short()
	hint := ""
	if by == "id" {
		hint = "to create it, match by another attribute: --match userName"
		if r.mp.m.resource == "Group" {
			hint = "to create it, match by another attribute: --match displayName"
		}
	}
	column := by
	if i := r.mp.m.match; i >= 0 {
		column = r.mp.m.fields[i].name
	}
	r.fail(column, by+", by which rows are matched, is blank", hint)
}

// field maps one attribute.
func (r *rowMapper) field(f *field, match bool, row *rows.Row) {
	if !r.applies(f) {
		return
	}
	v, err := r.value(f, row)
	if err != nil {
		if f.quiet {
			err = silent(err)
		}
		r.failed(f.name, err)
		return
	}
	if match {
		r.key(f, v)
	}
	switch {
	case match && v.state == cleared:
		r.fail(f.name, f.target.Path.Short()+", by which rows are matched, cannot be cleared", "")
	case v.state == absent && f.required:
		r.fail(f.name, f.target.Path.Short()+" is required and the cell is blank", "")
	case v.state == cleared && f.required:
		r.fail(f.name, f.target.Path.Short()+" is required and cannot be cleared", "")
	case v.state == absent || f.hidden:
	case v.state == cleared && f.ref.ofGroups():
		r.leaveGroups(f)
	case v.state == cleared:
		r.rec.Assignments = append(r.rec.Assignments, scim.Assignment{Target: f.target, Mode: scim.Clear})
	case f.ref != nil:
		r.refer(f, v.names)
	default:
		r.rec.Assignments = append(r.rec.Assignments, scim.Assignment{Target: f.target, Mode: f.mode, Value: v.v})
	}
}

// silent is an error without the value that it is about.
func silent(err error) error {
	hint := ""
	if v, ok := err.(*valueError); ok {
		hint = v.hint
	}
	return &valueError{"the value cannot be used", hint}
}

func (r *rowMapper) applies(f *field) bool {
	if f.when == nil {
		return true
	}
	v, err := r.run(f.when)
	if err != nil {
		r.failed(f.name, err)
		return false
	}
	yes, ok := v.(bool)
	if !ok && v != nil {
		r.fail(f.name, "when gives "+kindOf(v)+" and neither true nor false", "")
	}
	return yes
}

func (r *rowMapper) value(f *field, row *rows.Row) (value, error) {
	token := r.mp.m.clear
	switch {
	case f.program != nil:
		v, err := r.run(f.program)
		if err != nil {
			return value{}, err
		}
		return f.ofValue(v, token)
	case f.constant != nil:
		if _, ok := f.constant.(clearedConstant); ok {
			return value{state: cleared}, nil
		}
		return value{v: scim.Clone(f.constant), state: present}, nil
	case f.column < 0:
		return f.blank(), nil
	case f.secret && f.column < len(row.Cells):
		return f.ofText(row.Cells[f.column], token)
	}
	cell := r.mp.cells[f.column]
	if v, ok := literal(cell); ok {
		return f.exact(v)
	}
	if f.hasLocalNumber(cell) {
		r.rec.Warnings = append(r.rec.Warnings, f.name+": telephone numbers without a country code are left as they are (region: names the country)")
	}
	return f.ofText(cell, token)
}

// run evaluates an expression on the row.
func (r *rowMapper) run(p *vm.Program) (any, error) {
	v, err := r.mp.vm.Run(p, r.mp.env)
	if err != nil {
		return nil, evaluationError(err)
	}
	return v, nil
}

// key takes the match value.
func (r *rowMapper) key(f *field, v value) {
	if v.state != present {
		return
	}
	switch x := v.v.(type) {
	case string:
		r.rec.Key = x
	case scim.Number:
		r.rec.Key = string(x)
	default:
		return
	}
	r.rec.KeyFold = foldKey(f.leaf, r.rec.Key)
}

// foldKey is one text for all spellings that a directory takes for one value.
func foldKey(attr *scim.Attribute, key string) string {
	if !isASCII(key) {
		key = norm.NFC.String(key)
	}
	if attr.CaseExact {
		return key
	}
	return strings.ToLower(key)
}

// operation finds what the row asks for.
func (r *rowMapper) operation() {
	f := r.mp.m.op
	if f == nil || !r.applies(f) {
		return
	}
	v, err := r.value(f, &rows.Row{})
	if err != nil {
		r.failed(f.name, err)
		return
	}
	if v.state != present {
		return
	}
	op, _ := v.v.(string)
	if !isOp(op) {
		r.fail(f.name, fmt.Sprintf("there is no operation %s", shown(op)), "use "+strings.Join(ops[:], ", "))
		return
	}
	r.rec.Op = op
}
