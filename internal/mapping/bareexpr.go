package mapping

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// quoteExpressions puts the expressions that stand bare in a mapping, and that
// YAML would read otherwise, into quotes: a colon or a # in an expression is no
// YAML. Only values in block style are touched, each on its line. It says which
// lines, counted from 1, it has changed.
func quoteExpressions(data []byte) (quoted []byte, changed map[int]bool) {
	changed = map[int]bool{}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if lines[i] = quoteExpression(line); lines[i] != line {
			changed[i+1] = true
		}
	}
	return []byte(strings.Join(lines, "\n")), changed
}

// unquote lets the expressions on the given lines stand bare again, so that
// places in them are counted as in the file.
func unquote(n *yaml.Node, lines map[int]bool) {
	if n.Kind == yaml.ScalarNode && lines[n.Line] && strings.HasPrefix(n.Value, "=") {
		n.Style = 0
	}
	for _, child := range n.Content {
		unquote(child, lines)
	}
}

func quoteExpression(line string) string {
	key, value, found := strings.Cut(line, ": =")
	if !found || strings.ContainsAny(key, "{#") {
		return line
	}
	text, comment := cutComment("=" + value)
	if !strings.Contains(text, ": ") && !strings.Contains(text, " #") && !strings.HasSuffix(text, ":") {
		return line
	}
	return key + ": '" + strings.ReplaceAll(text, "'", "''") + "'" + comment
}

// cutComment takes the comment from behind an expression, with the space before
// it: a # after a space, outside the texts of the expression.
func cutComment(expression string) (text, comment string) {
	var quote byte
	end := len(expression)
	for i := 0; i < len(expression); i++ {
		c := expression[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\'' || c == '`'):
			quote = c
		case quote == 0 && c == '#' && (expression[i-1] == ' ' || expression[i-1] == '\t'):
			end = i
			i = len(expression)
		}
	}
	text = strings.TrimRight(expression[:end], " \t\r")
	return text, expression[len(text):]
}
