package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm/runtime"

	"scimbulk/internal/scim"
)

// The names by which the compiler calls what has no name in expressions.
const (
	sliceFunction  = "\x00slice"
	atFunction     = "\x00at"
	concatFunction = "\x00concat"
	addFunction    = "\x00add"
)

// longestText bounds what an expression can make of a few cells: no attribute
// of a directory is that long, and a mapping that somebody else wrote must not
// be able to fill the memory.
const longestText = 16 << 10

func tooLong(n int) error {
	if n > longestText {
		return &valueError{"the expression makes a text of more than 16 KiB", ""}
	}
	return nil
}

// functions are those that expressions have beside expr's own, and those of
// expr's that counted bytes where people count characters.
func functions() []expr.Option {
	return []expr.Option{
		one("title", title), one("unaccent", unaccent), one("ascii", ascii), one("digits", digits),
		expr.Function("left", left, new(func(string, int) string)),
		expr.Function("right", right, new(func(string, int) string)),
		expr.Function("part", part, new(func(string, string, int) string)),
		expr.Function("phone", phoneFunction, new(func(string) string), new(func(string, string) string)),
		expr.Function("date", dateFunction, new(func(string, string) string)),
		expr.Function("ifEmpty", ifEmpty, new(func(string, string, ...string) string)),
		expr.Function("len", length, new(func(any) int)),
		expr.Function("indexOf", indexOf(strings.Index), new(func(string, string) int)),
		expr.Function("lastIndexOf", indexOf(strings.LastIndex), new(func(string, string) int)),
		expr.Function("replace", replace, new(func(string, string, string) string)),
		expr.Function("join", join, new(func([]any, string) string), new(func([]string, string) string), new(func([]any) string), new(func([]string) string)),
		expr.Function("string", textFunction, new(func(any) string)),
		expr.Function(concatFunction, add, new(func(string, string) string)),
		expr.Function(addFunction, add, new(func(any, any) any)),
		expr.Function(sliceFunction, sliceOf, new(func(any, any, any) any)),
		expr.Function(atFunction, characterAt, new(func(string, int) string)),
	}
}

// functionNames are the functions of ours that have a name, for hints.
func functionNames() []string {
	return []string{"title", "unaccent", "ascii", "digits", "left", "right", "part", "phone", "date", "ifEmpty", "len",
		"indexOf", "lastIndexOf", "lower", "upper", "trim", "split", "join", "replace", "hasPrefix", "hasSuffix"}
}

func one(name string, f func(string) string) expr.Option {
	return expr.Function(name, func(p ...any) (any, error) { return f(textOfAny(p[0])), nil }, new(func(string) string))
}

// textOfAny reads a parameter that is declared as text: nil, which any branch
// of an expression may give, is the empty one.
func textOfAny(v any) string {
	s, _ := v.(string)
	return s
}

func intOfAny(v any) int {
	n, _ := v.(int)
	return n
}

func left(p ...any) (any, error) {
	s, n := textOfAny(p[0]), intOfAny(p[1])
	return s[:runeOffset(s, n)], nil
}

func right(p ...any) (any, error) {
	s, n := textOfAny(p[0]), intOfAny(p[1])
	return s[runeOffset(s, utf8.RuneCountInString(s)-n):], nil
}

// runeOffset is the byte at which the n-th character begins, within the text.
func runeOffset(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// part is one of the parts between separators, counted from 0 or, when
// negative, from the end; blank when there is none.
func part(p ...any) (any, error) {
	s, i := textOfAny(p[0]), intOfAny(p[2])
	parts := strings.Split(s, textOfAny(p[1]))
	if i < 0 {
		i += len(parts)
	}
	if i < 0 || i >= len(parts) {
		return "", nil
	}
	return strings.TrimSpace(parts[i]), nil
}

func phoneFunction(p ...any) (any, error) {
	var region regionCode
	if len(p) > 1 {
		var ok bool
		if region, ok = regionOf(textOfAny(p[1])); !ok {
			return nil, fmt.Errorf("unknown region %q", textOfAny(p[1]))
		}
	}
	s := textOfAny(p[0])
	if s == "" {
		return "", nil
	}
	return phone(s, region)
}

func dateFunction(p ...any) (any, error) {
	s := textOfAny(p[0])
	if s == "" {
		return "", nil
	}
	f, err := parseDateFormat(textOfAny(p[1]))
	if err != nil {
		return nil, err
	}
	return f.day(s)
}

func ifEmpty(p ...any) (any, error) {
	for _, v := range p {
		if s := textOfAny(v); s != "" {
			return s, nil
		}
	}
	return "", nil
}

func length(p ...any) (any, error) {
	switch v := p[0].(type) {
	case nil:
		return 0, nil
	case string:
		return utf8.RuneCountInString(v), nil
	case []string:
		return len(v), nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	}
	return nil, fmt.Errorf("len is for texts and lists")
}

// indexOf counts in characters, as slices do.
func indexOf(find func(s, part string) int) func(p ...any) (any, error) {
	return func(p ...any) (any, error) {
		s := textOfAny(p[0])
		i := find(s, textOfAny(p[1]))
		if i < 0 {
			return -1, nil
		}
		return utf8.RuneCountInString(s[:i]), nil
	}
}

func characterAt(p ...any) (any, error) {
	s, i := textOfAny(p[0]), intOfAny(p[1])
	if i < 0 {
		i += utf8.RuneCountInString(s)
	}
	if i < 0 {
		return "", nil
	}
	rest := s[runeOffset(s, i):]
	return rest[:runeOffset(rest, 1)], nil
}

// sliceOf cuts texts by characters. As in expr, ends beyond the text are its
// ends and negative ones count from the end.
func sliceOf(p ...any) (any, error) {
	switch v := p[0].(type) {
	case nil:
		return "", nil
	case string:
		from, to := bounds(p[1], p[2], func() int { return utf8.RuneCountInString(v) })
		start := runeOffset(v, from)
		return v[start : start+runeOffset(v[start:], to-from)], nil
	case []string:
		from, to := bounds(p[1], p[2], func() int { return len(v) })
		return v[from:to], nil
	case []any:
		from, to := bounds(p[1], p[2], func() int { return len(v) })
		return v[from:to], nil
	}
	return nil, fmt.Errorf("cannot slice %s", kindOf(p[0]))
}

func bounds(from, to any, length func() int) (int, int) {
	n := length()
	end := func(v any, missing int) int {
		i, ok := v.(int)
		if !ok {
			return missing
		}
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	a, b := end(from, 0), end(to, n)
	return a, max(a, b)
}

// add is + where a text may be among the two: texts are joined within bounds.
func add(p ...any) (any, error) {
	a, okA := p[0].(string)
	b, okB := p[1].(string)
	if !okA || !okB {
		return runtime.Add(p[0], p[1]), nil // panics, which the machine makes an error of, where + means nothing
	}
	return a + b, tooLong(len(a) + len(b))
}

func replace(p ...any) (any, error) {
	s, old, by := textOfAny(p[0]), textOfAny(p[1]), textOfAny(p[2])
	if err := tooLong(len(s) + strings.Count(s, old)*max(0, len(by)-len(old))); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, old, by), nil
}

func join(p ...any) (any, error) {
	sep := ""
	if len(p) > 1 {
		sep = textOfAny(p[1])
	}
	var list []string
	switch v := p[0].(type) {
	case []string:
		list = v
	case []any:
		for _, e := range v {
			list = append(list, textOfAny(e))
		}
	}
	n := len(sep) * max(0, len(list)-1)
	for _, s := range list {
		n += len(s)
	}
	if err := tooLong(n); err != nil {
		return nil, err
	}
	return strings.Join(list, sep), nil
}

func textFunction(p ...any) (any, error) {
	switch v := p[0].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return convertAny(&scim.Attribute{Name: "a text", Type: "string"}, p[0], nil)
}

// forbidden are the functions of expr that expressions do not have: those with
// a clock, and those that make something out of all proportion to the row.
func forbidden() []string {
	return []string{"now", "duration", "timezone", "reduce", "repeat", "toJSON"}
}

// isForbidden explains a name that people know from elsewhere.
func isForbidden(name string) (why string, ok bool) {
	if !slices.Contains(forbidden(), name) {
		return "", false
	}
	switch name {
	case "now", "duration", "timezone":
		return "a plan must not depend on the clock", true
	}
	return "expressions are bounded", true
}
