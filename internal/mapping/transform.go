package mapping

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// transform changes the text of a cell.
type transform func(s string) (string, error)

// transformNames lists the transforms of a mapping file.
func transformNames() []string {
	return []string{"trim", "lower", "upper", "title", "unaccent", "ascii", "phone", "digits", "collapse"}
}

// transformNamed finds a transform; region is for phone.
func transformNamed(name string, region regionCode) transform {
	switch name {
	case "trim":
		return plain(strings.TrimSpace)
	case "lower":
		return plain(strings.ToLower)
	case "upper":
		return plain(strings.ToUpper)
	case "title":
		return plain(title)
	case "unaccent":
		return plain(unaccent)
	case "ascii":
		return plain(ascii)
	case "digits":
		return plain(digits)
	case "collapse":
		return plain(func(s string) string { return strings.Join(strings.Fields(s), " ") })
	case "phone":
		return func(s string) (string, error) { return phone(s, region) }
	}
	return nil
}

func plain(f func(string) string) transform {
	return func(s string) (string, error) { return f(s), nil }
}

// title makes each word begin with a capital: o'neil smith-jones becomes
// O'Neil Smith-Jones.
func title(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		letter := unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
		defer func() { start = !letter }()
		if start {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

// unaccent takes the accents from letters: Müller becomes Muller. Letters that
// are no accented ones are spelt as their languages do: ß is ss, ø is o.
func unaccent(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case spelling(r) != "":
			b.WriteString(spelling(r))
		default:
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

func spelling(r rune) string {
	switch r {
	case 'ß':
		return "ss"
	case 'ẞ':
		return "SS"
	case 'æ':
		return "ae"
	case 'Æ':
		return "AE"
	case 'œ':
		return "oe"
	case 'Œ':
		return "OE"
	case 'ø':
		return "o"
	case 'Ø':
		return "O"
	case 'ł':
		return "l"
	case 'Ł':
		return "L"
	case 'đ', 'ð':
		return "d"
	case 'Đ', 'Ð':
		return "D"
	case 'þ':
		return "th"
	case 'Þ':
		return "Th"
	case 'ı':
		return "i"
	case 'ħ':
		return "h"
	case 'Ħ':
		return "H"
	case '\u2018', '\u2019':
		return "'"
	case '\u2010', '\u2011', '\u2013', '\u2014':
		return "-"
	}
	return ""
}

// ascii is unaccent without what then is not ASCII.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return -1
		}
		return r
	}, unaccent(s))
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}
