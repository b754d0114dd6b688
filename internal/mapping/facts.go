package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// mostWords is how many different values a column may have for them to be taken
// for words of a list, such as those of a status.
const mostWords = 24

// facts are what the cells of a column show. They hold no value of a person,
// but for hashes and for the words of columns that have few.
type facts struct {
	header string
	secret bool // the cells are not looked at

	rows, filled int64
	longest      int
	values       sketch
	words        map[string]bool // lower case; nil when they are too many

	emails, booleans, integers, spaced, objects int64
	phones, callable, international             int64
	split                                       [len(splitters)]int64
	dates                                       []string // formats that all cells so far have
}

// splitters are what separates several values in a cell, the most telling first.
const splitters = "|;,"

// dateFormats are looked for in this order; the first is that of ISO 8601,
// which needs no format.
func dateFormats() []string {
	return []string{"YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "YYYY/MM/DD", "DD-MMM-YYYY", "DD MMM YYYY", "MMM D, YYYY"}
}

func newFacts(header string) *facts {
	return &facts{header: header, secret: isSecretHeader(header), words: map[string]bool{}, dates: dateFormats()}
}

// see takes a cell in.
func (f *facts) see(cell string) {
	f.rows++
	if f.secret || cell == "" || cell == DefaultClearToken {
		return
	}
	f.filled++
	f.longest = max(f.longest, utf8.RuneCountInString(cell))
	folded := strings.ToLower(cell)
	f.values.add(folded)
	if f.words != nil {
		f.words[folded] = true
		if len(f.words) > mostWords {
			f.words = nil
		}
	}
	f.classify(cell)
	f.dates = slices.DeleteFunc(f.dates, func(format string) bool { return !isDate(cell, format) })
}

func (f *facts) classify(cell string) {
	if looksLikeEmail(cell) {
		f.emails++
	}
	if _, ok := parseBoolean(cell); ok {
		f.booleans++
	}
	if isDigits(cell) {
		f.integers++
	}
	if strings.ContainsRune(cell, ' ') {
		f.spaced++
	}
	if cell[0] == '{' || cell[0] == '[' {
		f.objects++
	}
	if number, ok := dialled(cell); ok && len(number) >= 7 && len(number) <= 16 && !isDate(cell, "YYYY-MM-DD") {
		f.phones++
	}
	if strings.HasPrefix(cell, "+") || strings.HasPrefix(cell, "00") {
		f.international++
	}
	if _, err := phone(cell, regionCode{}); err == nil {
		f.callable++
	}
	for i, c := range splitters {
		if strings.ContainsRune(cell, c) {
			f.split[i]++
		}
	}
}

func looksLikeEmail(s string) bool {
	user, host, _ := strings.Cut(s, "@")
	return user != "" && strings.Contains(host, ".") && !strings.ContainsAny(s, " ,;") && !strings.Contains(host, "@")
}

func isDate(cell, format string) bool {
	if len(cell) < 6 || len(cell) > 12 {
		return false
	}
	if format == "YYYY-MM-DD" {
		_, err := time.Parse(time.DateOnly, cell)
		return err == nil
	}
	f, err := parseDateFormat(format)
	if err != nil {
		return false
	}
	_, err = f.parse(cell)
	return err == nil
}

// all says whether a count is that of all cells that are not blank.
func (f *facts) all(n int64) bool { return f.filled > 0 && n == f.filled }

// most says whether a count is that of nearly all of them.
func (f *facts) most(n int64) bool { return f.filled > 0 && n*100 >= f.filled*95 }

// tellsApart says whether the column may tell people apart: it is in nearly
// every row, and at least half of its values are different ones.
func (f *facts) tellsApart() bool {
	n, _ := f.values.distinct()
	return f.rows > 0 && f.filled*100 >= f.rows*98 && n*2 >= f.filled
}

// splitter is what separates the values of the column's cells, "" for none.
func (f *facts) splitter() string {
	for i, c := range splitters {
		if f.split[i] > 0 && f.objects == 0 {
			return string(c)
		}
	}
	return ""
}

// String describes the column without a value of it.
func (f *facts) String() string {
	if f.secret {
		return "not looked at"
	}
	if f.filled == 0 {
		return "always blank"
	}
	n, exact := f.values.distinct()
	count := fmt.Sprintf("%s distinct", grouped(n))
	if !exact {
		count = "about " + grouped(roughly(n)) + " distinct"
	}
	text := f.kind() + ", " + count
	if blank := f.rows - f.filled; blank > 0 {
		text += fmt.Sprintf(", %s blank", grouped(blank))
	}
	return text
}

func (f *facts) kind() string {
	switch {
	case f.all(f.booleans) && f.integers < f.filled:
		return "true or false"
	case f.all(f.emails):
		return "e-mail addresses"
	case len(f.dates) > 0:
		return "dates written " + strings.Join(f.dates, " or ")
	case f.all(f.phones) && f.integers < f.filled:
		return "telephone numbers"
	case f.all(f.integers):
		return fmt.Sprintf("digits, up to %d", f.longest)
	case f.longest == 1:
		return "text of 1 character"
	}
	return fmt.Sprintf("text, up to %d characters", f.longest)
}

// sortedWords are the values of a column that has few.
func (f *facts) sortedWords() []string { return slices.Sorted(maps.Keys(f.words)) }

// roughly keeps the two leading digits of an estimate.
func roughly(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
