package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// attributeLine is what a change does to one value: it comes (+), goes (-) or
// becomes another (~).
type attributeLine struct{ Mark, Path, Text string }

// Class is what a page calls a line of this mark.
func (l attributeLine) Class() string {
	switch l.Mark {
	case "+":
		return "add"
	case "-":
		return "del"
	case "~":
		return "chg"
	}
	return ""
}

// How much of a change people are shown: so many values of one attribute, and
// so many characters of a value, a path or a key.
const (
	longestList  = 10
	longestValue = 60
	longestKey   = 100
)

const hiddenText = "(hidden)" // stands for a secret

// attributeLines writes the differences of a change as people read them. names are
// what ids stand for.
func attributeLines(differences []plan.Difference, names map[string]string) []attributeLine {
	var lines []attributeLine
	w := valueWriter{names}
	for _, d := range differences {
		lines = append(lines, w.difference(d)...)
	}
	return lines
}

// valueWriter writes values, and names for ids where they are known.
type valueWriter struct{ names map[string]string }

func (w valueWriter) difference(d plan.Difference) []attributeLine {
	if d.Secret {
		return []attributeLine{{"~", d.Path, hiddenText}}
	}
	path := d.Path
	if !strings.Contains(path, "[") { // the value of a manager is the manager
		path = strings.TrimSuffix(path, ".value")
	}
	gone, come := w.values(path, d.Old), w.values(path, d.New)
	lines := paired(gone, come)
	if len(lines) <= longestList {
		return lines
	}
	more := attributeLine{Path: path, Text: fmt.Sprintf("and %d more", len(lines)-longestList)}
	return append(lines[:longestList:longestList], more)
}

// placed is a value and where it stands.
type placed struct{ path, text string }

// values are what stands at a path: one of a list is shown by its own path, and
// one of several parts part by part.
func (w valueWriter) values(path string, v any) []placed {
	if scim.Unassigned(v) {
		return nil
	}
	switch v := v.(type) {
	case []any:
		var all []placed
		for _, e := range v {
			all = append(all, w.values(path, e)...)
		}
		return all
	case scim.Object:
		return w.parts(path, v)
	}
	return []placed{{path, w.text(v)}}
}

// parts are those of a complex value.
func (w valueWriter) parts(path string, v scim.Object) []placed {
	base, keyed := path, ""
	if !strings.HasSuffix(path, "]") { // else the path singles it out already
		for _, name := range []string{"type", "authority", "name"} {
			if text, ok := v[name].(string); ok && (name != "name" || v["value"] == nil) {
				base, keyed = fmt.Sprintf("%s[%s eq %s]", path, name, strconv.Quote(shortened(text))), name
				break
			}
		}
	}
	var all []placed
	for _, name := range slices.Sorted(maps.Keys(v)) {
		told := name == keyed || name == "$ref" || name == "display" || name == "displayName" && v["value"] != nil || name == "primary" && v[name] == false
		if told || scim.Unassigned(v[name]) {
			continue
		}
		all = append(all, w.values(base+"."+name, v[name])...)
	}
	if len(all) == 1 && keyed == "" && all[0].path == base+".value" {
		all[0].path = base // nothing but a value
	}
	if len(all) == 0 {
		text, _ := v[keyed].(string)
		return []placed{{path, w.text(text)}}
	}
	return all
}

// text writes a single value.
func (w valueWriter) text(v any) string {
	s, ok := v.(string)
	if name := w.names[s]; ok && name != "" {
		return harmless(name)
	}
	if ok {
		return strconv.Quote(s) // with its spaces, and nothing that a terminal would obey
	}
	b, err := scim.Encode(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// paired puts what went and what came at one place together. A value that did
// both has not changed.
func paired(gone, come []placed) []attributeLine {
	stayed := map[placed]bool{}
	for _, v := range gone {
		stayed[v] = slices.Contains(come, v)
	}
	changed := func(v placed) bool { return stayed[v] }
	gone, come = slices.DeleteFunc(gone, changed), slices.DeleteFunc(come, changed)
	left, right := byPath(gone), byPath(come)
	var lines []attributeLine
	for _, v := range gone {
		if left[v.path] == 1 && right[v.path] == 1 {
			now := come[slices.IndexFunc(come, func(c placed) bool { return c.path == v.path })]
			was, is := shortenedPair(v.text, now.text)
			lines = append(lines, attributeLine{"~", v.path, was + " → " + is})
			continue
		}
		lines = append(lines, attributeLine{"-", v.path, shortened(v.text)})
	}
	for _, v := range come {
		if left[v.path] != 1 || right[v.path] != 1 {
			lines = append(lines, attributeLine{"+", v.path, shortened(v.text)})
		}
	}
	return lines
}

func byPath(values []placed) map[string]int {
	n := map[string]int{}
	for _, v := range values {
		n[v.path]++
	}
	return n
}

// shortened cuts a long text off.
func shortened(text string) string { return cutTo(text, longestValue) }

func cutTo(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// shortenedPair cuts two long texts so that what tells them apart can be seen.
func shortenedPair(old, now string) (string, string) {
	was, is := shortened(old), shortened(now)
	if was != is {
		return was, is
	}
	a, b := []rune(old), []rune(now)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	const before = 10 // characters that show where
	from := max(0, same-before)
	return shortened("…" + string(a[from:])), shortened("…" + string(b[from:]))
}

// harmless leaves out of a text what a terminal would obey instead of showing.
func harmless(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return utf8.RuneError
	}, text)
}
