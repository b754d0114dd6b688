package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"golang.org/x/text/unicode/norm"

	"scimbulk/internal/scim"
)

const (
	// memoryBudget bounds, in elements, the lists that an expression makes.
	memoryBudget = 10_000
	// maxLoops bounds how deep loops such as map and filter stand within each
	// other, and with it the time: the square of the row's length.
	maxLoops = 2
	// maxNodes bounds an expression's length.
	maxNodes = 1000
)

// identifiers are the names by which expressions know the columns: lower case,
// runs of other characters as one underscore, which at the ends can be left
// out. Of several columns with one name, the first has it. "" is a column
// without a name of its own.
func identifiers(header []string) []string {
	names, seen := make([]string, len(header)), map[string]bool{}
	for i, h := range header {
		name := identifier(h)
		if name != "" && !seen[name] {
			names[i] = name
			seen[name] = true
		}
	}
	return names
}

func identifier(header string) string {
	name := strings.Trim(words(header), "_")
	if name != "" && unicode.IsDigit([]rune(name)[0]) {
		name = "_" + name
	}
	return name
}

// words is a header in lower case with each run of other characters as one
// underscore, at its ends too.
func words(header string) string {
	var b strings.Builder
	other := false
	for _, r := range strings.ToLower(norm.NFC.String(header)) {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		switch {
		case letter:
			b.WriteRune(r)
		case !other:
			b.WriteByte('_')
		}
		other = !letter
	}
	return b.String()
}

// expressions compiles expressions against one header.
type expressions struct {
	header []string
	names  []string
	keys   []string // of the environment, by column
	used   map[int]bool
	reads  map[*vm.Program][]int // the columns of each
}

func newExpressions(header []string) *expressions {
	e := &expressions{header: header, names: identifiers(header), used: map[int]bool{}, reads: map[*vm.Program][]int{}}
	for i := range header {
		// A key that no identifier can be: a column may be called title
		// without hiding the function.
		e.keys = append(e.keys, "#"+string(rune('A'+i%26))+string(rune('0'+i/26)))
	}
	return e
}

// expressionFault is what is wrong with an expression, and at which character.
type expressionFault struct {
	at            int
	message, hint string
}

// compile makes a program of an expression, or says all that is wrong with it.
func (e *expressions) compile(source string) (*vm.Program, []expressionFault) {
	if strings.TrimSpace(source) == "" {
		return nil, []expressionFault{{message: "the expression is empty"}}
	}
	env := make(map[string]any, len(e.keys))
	for _, key := range e.keys {
		env[key] = ""
	}
	columns := &columnVisitor{e: e, declared: map[string]bool{}}
	options := append(functions(), expr.Env(env), expr.MaxNodes(maxNodes), expr.Patch(&declarations{columns}), expr.Patch(columns), expr.Patch(textOperators{}))
	for _, name := range forbidden() {
		options = append(options, expr.DisableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	switch {
	case columns.faults != nil || err != nil && len(columns.unknown) > 1:
		return nil, e.allFaults(columns)
	case err != nil:
		return nil, []expressionFault{e.explain(source, err)}
	case nested(program.Node()) > maxLoops:
		return nil, []expressionFault{{message: "the expression has loops within loops within loops", hint: "expressions are bounded"}}
	}
	e.reads[program] = columns.read
	for _, i := range columns.read {
		e.used[i] = true
	}
	return program, nil
}

// declarations collects the variables of an expression, which hide columns.
type declarations struct{ to *columnVisitor }

func (d *declarations) Visit(node *ast.Node) {
	if v, ok := (*node).(*ast.VariableDeclaratorNode); ok {
		d.to.declared[v.Name] = true
	}
}

// columnVisitor turns the names of columns into the keys of the environment.
type columnVisitor struct {
	e        *expressions
	declared map[string]bool
	read     []int
	unknown  []*ast.IdentifierNode // neither columns nor functions
	faults   []expressionFault
}

// Visit is called for children before their parents.
func (v *columnVisitor) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		v.identifier(n)
	case *ast.MemberNode:
		v.member(node, n)
	case *ast.CallNode:
		v.restoreCallee(n)
	}
}

func (v *columnVisitor) identifier(n *ast.IdentifierNode) {
	if v.declared[n.Value] || n.Value == "row" {
		return
	}
	for i, name := range v.e.names {
		if name != "" && (name == n.Value || n.Value == words(v.e.header[i])) {
			v.read = append(v.read, i)
			n.Value = v.e.keys[i]
			return
		}
	}
	if !slices.Contains(functionNames(), n.Value) {
		v.unknown = append(v.unknown, n)
	}
}

// member resolves row["Exact Header"].
func (v *columnVisitor) member(node *ast.Node, n *ast.MemberNode) {
	base, ok := n.Node.(*ast.IdentifierNode)
	if !ok || base.Value != "row" {
		return
	}
	at := n.Property.Location().From
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		v.fail(at, `row[…] needs a header in quotes`, `row["Exact Header"]`)
		return
	}
	i, problem := findColumn(v.e.header, name.Value)
	if problem != nil {
		v.fail(at, problem.message, problem.hint)
		return
	}
	v.read = append(v.read, i)
	ast.Patch(node, &ast.IdentifierNode{Value: v.e.keys[i]})
}

func (v *columnVisitor) fail(at int, message, hint string) {
	v.faults = append(v.faults, expressionFault{at, message, hint})
}

// restoreCallee gives a function its name back that is a column's too.
func (v *columnVisitor) restoreCallee(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return
	}
	for i, key := range v.e.keys {
		if key == callee.Value {
			callee.Value = v.e.names[i]
		}
	}
}

// textOperators makes slices and indexes of texts count characters, and keeps what
// + makes of texts within bounds.
type textOperators struct{}

// Visit replaces the node by a call of ours.
func (textOperators) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		a, b := kindOfNode(n.Left), kindOfNode(n.Right)
		switch {
		case n.Operator != "+":
		case a == reflect.String && b == reflect.String:
			ast.Patch(node, call(concatFunction, n.Left, n.Right))
		case a == reflect.Interface && (b == reflect.Interface || b == reflect.String), a == reflect.String && b == reflect.Interface:
			ast.Patch(node, call(addFunction, n.Left, n.Right))
		}
	case *ast.SliceNode:
		if kind := kindOfNode(n.Node); kind == reflect.String || kind == reflect.Interface {
			ast.Patch(node, call(sliceFunction, n.Node, orNil(n.From), orNil(n.To)))
		}
	case *ast.MemberNode:
		if kindOfNode(n.Node) == reflect.String && kindOfNode(n.Property) == reflect.Int {
			ast.Patch(node, call(atFunction, n.Node, n.Property))
		}
	}
}

// loops finds the loop bodies of an expression and how deep they stand.
type loops struct{ deepest int }

// Visit is called for children before their parents, so that each loop counts
// those within it.
func (l *loops) Visit(node *ast.Node) {
	if p, ok := (*node).(*ast.PredicateNode); ok {
		l.deepest = max(l.deepest, 1+nested(p.Node))
	}
}

// nested is how deep loops stand within each other in an expression.
func nested(node ast.Node) int {
	var l loops
	ast.Walk(&node, &l)
	return l.deepest
}

func kindOfNode(n ast.Node) reflect.Kind {
	if t := n.Type(); t != nil {
		return t.Kind()
	}
	return reflect.Interface
}

func orNil(n ast.Node) ast.Node {
	if n == nil {
		return &ast.NilNode{}
	}
	return n
}

func call(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
}

// allFaults are those of row["…"] and of names that nothing has.
func (e *expressions) allFaults(v *columnVisitor) []expressionFault {
	faults := v.faults
	for _, n := range v.unknown {
		f := expressionFault{at: n.Location().From}
		e.explainName(&f, n.Value)
		faults = append(faults, f)
	}
	return faults
}

// explainName says what is wrong with a name, and which one was meant.
func (e *expressions) explainName(f *expressionFault, name string) {
	if why, forbidden := isForbidden(name); forbidden {
		f.message, f.hint = "there is no function "+name, why
		return
	}
	f.message, f.hint = "no column or function is called "+name, e.nearest(name)
}

// explain rewords a compiler's message and finds the name that was meant.
func (e *expressions) explain(source string, err error) expressionFault {
	f := expressionFault{message: err.Error()}
	compile, ok := errors.AsType[*file.Error](err)
	if !ok {
		return f
	}
	f.at, f.message = compile.From, compile.Message
	f.at = min(f.at, len([]rune(source)))
	name, ok := strings.CutPrefix(f.message, "unknown name ")
	if !ok {
		f.message = e.reword(f.message)
		f.hint = e.spelling(source)
		return f
	}
	e.explainName(&f, name)
	return f
}

// reword says in other words what the compiler says in its own.
func (e *expressions) reword(message string) string {
	if token, ok := strings.CutPrefix(message, "unexpected token "); ok {
		if token == "EOF" {
			return "the expression ends too early"
		}
		_, token, _ = strings.Cut(strings.TrimSuffix(token, ")"), "(")
		return "unexpected " + token
	}
	if message == "literal not terminated" {
		return "the text in quotes is not closed"
	}
	if wrong, rest, ok := strings.Cut(strings.TrimPrefix(message, "cannot use "), " as argument (type "); ok && rest != message {
		wanted, function, _ := strings.Cut(rest, ") to call ")
		return fmt.Sprintf("%s takes %s here, and this is %s", strings.TrimSpace(function), typeName(wanted), typeName(wrong))
	}
	if operator, rest, ok := strings.Cut(strings.TrimPrefix(message, "invalid operation: "), " (mismatched types "); ok {
		a, b, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(rest), ")"), " and ")
		return fmt.Sprintf("the operator %s does not go with %s and %s", operator, typeName(a), typeName(b))
	}
	for i, key := range e.keys { // a column where something else is wanted
		message = strings.ReplaceAll(message, key, e.names[i])
	}
	return strings.NewReplacer("mismatched types", "these do not go together:", "argument (type", "argument (which is", " string", " text", "(string", "(text").
		Replace(strings.TrimSpace(message))
}

// typeName is a type of the compiler's as people call it.
func typeName(s string) string {
	switch s {
	case "string":
		return "a text"
	case "int", "float64", "int64":
		return "a number"
	case "bool":
		return "a boolean"
	case "[]interface {}", "[]string", "array":
		return "a list"
	}
	return s
}

// spelling is the hint for a header that stands in an expression as it is.
func (e *expressions) spelling(source string) string {
	for i, h := range e.header {
		if h != "" && e.names[i] != "" && h != e.names[i] && !strings.Contains(source, `row["`+h) && strings.Contains(source, h) {
			return fmt.Sprintf("column %q is written %s", h, e.names[i])
		}
	}
	return ""
}

func (e *expressions) nearest(name string) string {
	if near := scim.Nearest(name, e.known()); near != "" {
		return didYouMean(near)
	}
	if i, problem := findColumn(e.header, name); problem == nil {
		return didYouMean(e.names[i])
	}
	return `a column is its header in lower case with _ between the words, or row["Exact Header"]; text stands in quotes`
}

func (e *expressions) known() []string {
	var list []string
	for _, name := range e.names {
		if name != "" {
			list = append(list, name)
		}
	}
	return append(list, functionNames()...)
}

// resultKind is what an expression gives, Interface when it depends on the row.
func resultKind(p *vm.Program) reflect.Kind {
	if n := p.Node(); n != nil {
		return kindOfNode(n)
	}
	return reflect.Interface
}
