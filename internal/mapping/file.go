package mapping

import (
	"errors"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"scimbulk/internal/scim"
)

// File is a mapping as it is written: what it says has a place, and nothing is
// checked against a schema or a header yet.
type File struct {
	faults     faultList
	auto       bool
	guessed    bool // nobody has said what the resource is, and it is not the usual one
	resource   text
	match      text
	op         *entry
	clearToken text
	region     text
	entries    []entry
	listed     bool // there are attributes, whatever they are
}

// text is a scalar of the file.
type text struct {
	s      string
	at     position
	shift  int  // characters before the text begins: 1 for a quote
	block  bool // it stands over several lines, where a character's place is not known
	given  bool
	isText bool // YAML takes it for a string
}

// Load reads a mapping file.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads a mapping. Only what is not YAML is an error here; all else is
// reported by Compile, together with what is wrong for the header at hand.
func Parse(name string, data []byte) (*File, error) {
	f := &File{faults: faultList{file: name, lines: strings.Split(string(data), "\n")}}
	if at, ok := invalidText(data); !ok {
		f.faults.add(at, "the file is not UTF-8 text", "save it as UTF-8")
		return nil, f.faults.err()
	}
	if strings.TrimSpace(string(data)) == "" {
		f.faults.add(position{}, "the file is empty", "it begins with: attributes:")
		return nil, f.faults.err()
	}
	var doc yaml.Node
	quoted, bare := quoteExpressions(data)
	if err := yaml.Load(quoted, &doc); err != nil {
		f.addYAMLError(err)
		return nil, f.faults.err()
	}
	unquote(&doc, bare)
	f.readDocument(&doc)
	return f, nil
}

func invalidText(data []byte) (position, bool) {
	at := position{1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return at, false
		}
		at.column++
		if r == '\n' {
			at = position{at.line + 1, 1}
		}
		i += size
	}
	return position{}, true
}

func (f *File) addYAMLError(err error) {
	at, message := position{}, err.Error()
	if list, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(list.Errors) > 0 {
		err = list.Errors[0]
	}
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		at, message = f.yamlPlace(one), one.Message
	}
	f.faults.add(at, "not YAML: "+message, f.yamlHint(at, message))
}

// yamlPlace is where the fault is, or, when the file has ended by then, where
// what is not ended begins.
func (f *File) yamlPlace(e *yaml.LoadError) position {
	mark := e.Mark
	if (mark.Line > len(f.faults.lines) || mark.Line > 0 && f.faults.lines[mark.Line-1] == "") && e.ContextMark.Line > 0 {
		mark = e.ContextMark
	}
	return position{mark.Line, max(mark.Column, 1)}
}

func (f *File) yamlHint(at position, message string) string {
	if at.line < 1 || at.line > len(f.faults.lines) {
		return ""
	}
	switch line := f.faults.lines[at.line-1]; {
	case strings.Contains(message, "',' or ']'"):
		return "[ is not closed"
	case strings.Contains(message, "',' or '}'"):
		return "{ is not closed, or a text in it needs quotes"
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		return "indent with spaces, not with tabs"
	case strings.Contains(line, "="):
		return "an expression with a colon or a # in it must stand in quotes: '=…'"
	}
	return ""
}

func (f *File) readDocument(doc *yaml.Node) {
	node := doc
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	if node.Kind != yaml.MappingNode {
		at := position{}
		if node.Line > 0 {
			at = place(node)
		}
		f.faults.add(at, "the file holds no mapping", "it begins with: attributes:")
		f.listed = true // which says enough
		return
	}
	known := []string{"resource", "match", "op", "clear-token", "region", "attributes"}
	f.members(node, known, "", func(key string, at position, v *yaml.Node) {
		switch key {
		case "resource":
			f.resource = f.scalar(v, key)
		case "match":
			f.match = f.scalar(v, key)
		case "clear-token":
			f.clearToken = f.scalar(v, key)
		case "region":
			f.region = f.scalar(v, key)
		case "op":
			f.op = f.readOp(v)
		case "attributes":
			f.listed = true
			f.readAttributes(v)
		}
	})
}

// members calls found for each member with a known key, and reports the
// others and the doubled ones. No known keys: all are.
func (f *File) members(node *yaml.Node, known []string, of string, found func(key string, at position, v *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], resolveAlias(node.Content[i+1])
		at := place(key)
		if key.Kind != yaml.ScalarNode {
			f.faults.addf(at, "a key must be a name")
			continue
		}
		if line, again := seen[key.Value]; again {
			f.faults.addf(at, "%s stands twice, first on line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		if known != nil && !slices.Contains(known, key.Value) {
			f.unknownKey(key, known, of)
			continue
		}
		found(key.Value, at, value)
	}
}

func (f *File) unknownKey(key *yaml.Node, known []string, of string) {
	hint := didYouMean(scim.Nearest(key.Value, known))
	switch {
	case hint == "" && of == "":
		hint = "known are " + strings.Join(known, ", ") + "; what is mapped belongs under attributes:"
	case hint == "":
		hint = "known are " + strings.Join(known, ", ")
	}
	f.faults.add(place(key), "unknown key "+key.Value, hint)
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func place(n *yaml.Node) position { return position{n.Line, n.Column} }

// scalar reads a member that must be a single text.
func (f *File) scalar(n *yaml.Node, key string) text {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		f.faults.addf(place(n), "%s must be a text", key)
		return text{}
	}
	return textOf(n)
}

func textOf(n *yaml.Node) text {
	t := text{s: n.Value, at: place(n), given: true, isText: n.ShortTag() == "!!str"}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.Contains(n.Value, "\n"):
		t.block = true
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		t.shift = 1
	}
	return t
}

// offset is the place of a character of the text.
func (t text) offset(n int) position {
	if t.block {
		return t.at
	}
	return position{t.at.line, t.at.column + t.shift + n}
}
