package mapping

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"scimbulk/internal/scim"
)

// exactMark begins a cell that is the JSON of a value, taken as it is: no
// hygiene, no clear token, no conversion. Exports write it where the text alone
// would not come back as the same value.
const exactMark = "json:"

// literal reads such a cell.
func literal(cell string) (v any, ok bool) {
	text, ok := strings.CutPrefix(cell, exactMark)
	if !ok {
		return nil, false
	}
	v, err := scim.Decode([]byte(text))
	return v, err == nil && v != nil
}

// exact makes the value of a cell that is JSON. An entry of a mapping file does
// with it what it does with other values.
func (f *field) exact(v any) (value, error) {
	if !f.auto || f.ref != nil || f.negate {
		return f.ofValue(v, "")
	}
	if _, isList := v.([]any); f.list && !isList {
		v = []any{v}
	}
	return value{v: v, state: present}, nil
}

// TextCell writes a text as a cell that [Clean] reads as the same text, and that
// no spreadsheet runs.
func TextCell(text string) string {
	cell := Guard(text)
	if survivesFile(cell) && Clean(cell) == text && text != DefaultClearToken {
		return cell
	}
	return exactMark + plainJSON(text)
}

// field is how the automatic mapping reads the column of a path, nil when it
// does not.
func (c *Columns) field(path string) *field {
	p, err := scim.ParsePath(path)
	if err != nil {
		return nil
	}
	t, err := c.schema.Resolve(p)
	if err != nil || !strings.EqualFold(t.Path.Short(), path) {
		return nil
	}
	return &field{target: t, leaf: t.Leaf(), list: t.List(), auto: true}
}

// text writes a value as the first of its forms that reads back as the value.
func (f *field) text(v any) string {
	if s, ok := v.(string); ok && !f.list && f.leaf.Type == "string" && isUneventful(s) {
		return s
	}
	for _, form := range forms(v) {
		if cell := Guard(form); f.brings(cell, v) {
			return cell
		}
	}
	return exactMark + plainJSON(v)
}

// isUneventful is the quick answer for nearly every text: nothing that reads or
// writes a cell does anything to it.
func isUneventful(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && isClean(s) && strings.IndexByte(guarded, s[0]) < 0 && !strings.HasPrefix(s, exactMark) && s != DefaultClearToken && !mangledNumber(s)
}

// forms are the texts that a value may have, the most readable first.
func forms(v any) []string {
	list, isList := v.([]any)
	if !isList {
		return []string{cellText(v)}
	}
	values := make([]string, len(list))
	for i, e := range list {
		text, ok := loneValue(e)
		if !ok {
			return []string{plainJSON(v)}
		}
		values[i] = text
	}
	return []string{strings.Join(values, "|"), plainJSON(v)}
}

// brings says whether a cell is read as a value. Of what only the directory
// writes, nothing is read but the id.
func (f *field) brings(cell string, v any) bool {
	if cell == "" || !survivesFile(cell) {
		return false
	}
	if f.target.ReadOnly() && f.target.Attr.Name != "id" {
		return true
	}
	var h Hygiene
	var got value
	var err error
	if exact, ok := literal(h.clean(cell)); ok {
		got, err = f.exact(exact)
	} else {
		got, err = f.ofText(h.clean(cell), DefaultClearToken)
	}
	if err != nil || got.state != present {
		return false
	}
	a, isText := got.v.(string)
	if b, ok := v.(string); ok && isText {
		return a == b
	}
	return reflect.DeepEqual(got.v, v) || !f.list && scim.Equal(f.leaf, got.v, v)
}

// longestLines bounds the lines of a cell, well below where the reader takes a
// quote for one that was never closed.
const longestLines = 1000

// survivesFile says whether a cell is the same after it was in a CSV file:
// readers make CR LF one line end, and refuse other control characters.
func survivesFile(cell string) bool {
	if strings.Count(cell, "\n") > longestLines {
		return false
	}
	return !strings.ContainsFunc(cell, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == unicode.ReplacementChar || r == '\ufeff' || r == 0x7f
	})
}

// plainJSON is the JSON of a value with all that hygiene would change escaped.
func plainJSON(v any) string {
	text, err := scim.Encode(v)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == ' ' || unicode.IsPrint(r) && r != unicode.ReplacementChar && visible(r) == r:
			b.WriteRune(r)
		case r < 1<<16:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// cellText writes a simple value as it is, and anything else as JSON.
func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case scim.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return plainJSON(v)
}
