package mapping

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hygiene counts the cells from which something that nobody typed on purpose
// was taken.
type Hygiene struct {
	Spaces      int64 // spaces around the text, no-break spaces in it
	Invisible   int64 // zero-width characters
	Apostrophes int64 // the guard before = + - @ of a formula-safe export
}

// Add adds up what several mappers counted.
func (h *Hygiene) Add(o Hygiene) {
	h.Spaces += o.Spaces
	h.Invisible += o.Invisible
	h.Apostrophes += o.Apostrophes
}

// String says what was done, "" when nothing was.
func (h Hygiene) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{
		{h.Spaces, "surrounding or no-break spaces"},
		{h.Invisible, "invisible characters"},
		{h.Apostrophes, "the apostrophe that guards a formula"},
	} {
		if p.n == 1 {
			parts = append(parts, p.what+" from 1 cell")
		} else if p.n > 1 {
			parts = append(parts, fmt.Sprintf("%s from %d cells", p.what, p.n))
		}
	}
	if parts == nil {
		return ""
	}
	return "removed " + strings.Join(parts, ", ")
}

// clean is the cell as a person would read it.
func (h *Hygiene) clean(s string) string {
	if isClean(s) {
		return s
	}
	t := strings.Map(visible, s)
	if len(t) != len(s) && hasInvisible(s) {
		h.Invisible++
	}
	trimmed := strings.TrimFunc(t, unicode.IsSpace)
	if trimmed != t || hasNoBreakSpace(s) {
		h.Spaces++
	}
	if trimmed != "" && isGuarded(trimmed) {
		h.Apostrophes++
		trimmed = trimmed[1:]
	}
	return trimmed
}

// isClean is the quick answer for nearly every cell.
func isClean(s string) bool {
	if s == "" {
		return true
	}
	if s[0] <= ' ' || s[0] == '\'' || s[len(s)-1] <= ' ' {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case 0xc2, 0xe2, 0xef, 0xe1, 0xe3: // first bytes of all spaces and invisible characters
			return false
		}
	}
	return true
}

// visible drops zero-width characters and makes no-break spaces ordinary ones.
// The joiners U+200C and U+200D are kept between letters of scripts that need
// them: only those of Unicode category Cf that carry no text are dropped.
func visible(r rune) rune {
	switch r {
	case '\u200b', '\u2060', '\ufeff', '\u00ad', '\u200e', '\u200f':
		return -1
	case '\u00a0', '\u202f', '\u2007':
		return ' '
	}
	return r
}

func hasInvisible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return visible(r) == -1 })
}

func hasNoBreakSpace(s string) bool { return strings.ContainsAny(s, "\u00a0\u202f\u2007") }

// isGuarded knows the apostrophe by which exports keep spreadsheets from
// running a cell as a formula. Text that begins with apostrophes and such a
// character by itself is guarded with one more.
func isGuarded(s string) bool {
	return s[0] == '\'' && strings.IndexAny(strings.TrimLeft(s, "'"), "=+-@\t\r") == 0
}

// mangledNumber knows what spreadsheets make of long numbers: 1.2E+11 has lost
// its last digits.
func mangledNumber(s string) bool {
	i := strings.IndexByte(s, 'E')
	if i < 1 || i+3 > len(s)-1 || s[i+1] != '+' || s[0] < '0' || s[0] > '9' {
		return false
	}
	return isDigits(strings.Replace(s[:i], ".", "", 1)) && isDigits(s[i+2:])
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// shown is a cell in a message: quoted, and not longer than a line wants.
func shown(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
