package rows

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// swallowed says whether a ragged record over several lines has taken rows into
// a cell: its second line by itself has the header's width.
func (s *csvSource) swallowed(at int64) bool {
	if s.lines.line == at {
		return false
	}
	second, _, _ := strings.Cut(string(s.lines.rest()), string(s.lines.eol))
	r := csv.NewReader(strings.NewReader(second))
	r.Comma, r.FieldsPerRecord = s.delimiter, -1
	cells, err := r.Read()
	return err == nil && len(cells) == len(s.r.header) && len(cells) > 1
}

func (s *csvSource) ragged(at int64, found int) *Error {
	want := len(s.r.header)
	hint := "a cell that holds the delimiter must stand in " + s.quoteName() + " quotes"
	switch {
	case want == 1:
		hint = fmt.Sprintf("if line %d is a title, --skip-rows %[1]d goes past it", s.r.headerLine)
	case found < want:
		hint = "is a delimiter missing, or a line broken in two?"
	}
	return s.r.fault(at, 0, fmt.Sprintf("the row has %s, the header has %d", count(found, "cell"), want), hint)
}

// unparsable makes a faulty row of the record's first line and goes back to
// the second.
func (s *csvSource) unparsable(at int64, err error) []string {
	first := string(s.lines.firstLine())
	reason, open := s.quoteFault(at, first, err)
	if s.bad != nil && s.bad.Line == at {
		reason = s.bad
	}
	s.reset()
	return s.faulty(at, reason, s.lenient(first, open))
}

// reset forgets all of the record but its first line.
func (s *csvSource) reset() {
	s.line, s.runaway, s.bad = nil, false, nil
	if s.lines.first > 0 {
		s.lines.back()
	}
}

// quoteFault explains which quote is wrong, and whether it is one that opens a
// cell and is not closed.
func (s *csvSource) quoteFault(at int64, first string, err error) (fault *Error, open bool) {
	name := s.quoteName() + " quote"
	hint := "a " + name + " inside a cell is written twice, and the cell stands in " + name + "s"
	syntax, ok := errors.AsType[*csv.ParseError](err)
	if ok && syntax.Line == syntax.StartLine && !atEnd(first, syntax.Column) {
		column := int64(utf8.RuneCountInString(first[:min(len(first), syntax.Column-1)])) + 1
		return s.r.fault(at, column, "stray "+name, hint), false
	}
	column := int64(utf8.RuneCountInString(first[:openQuote(first, s.delimiter)])) + 1
	return s.r.fault(at, column, "the "+name+" that opens here is not closed", "close it, or remove it; "+hint), true
}

// atEnd says whether a column lies behind the text of a line: there the file
// ended within quotes.
func atEnd(line string, column int) bool { return column > len(strings.TrimRight(line, "\r\n")) }

// openQuote is the offset of the quote that is open at the end of a line.
func openQuote(line string, delimiter rune) int {
	for i := 0; i < len(line); {
		if line[i] == '"' {
			end := closingQuote(line, i+1)
			if end < 0 {
				return i
			}
			i = end
		}
		n := strings.IndexRune(line[i:], delimiter)
		if n < 0 {
			break
		}
		i += n + utf8.RuneLen(delimiter)
	}
	return 0
}

// closingQuote is the offset behind the quote that closes a cell, or -1.
func closingQuote(line string, i int) int {
	for ; i < len(line); i++ {
		if line[i] != '"' {
			continue
		}
		if i+1 < len(line) && line[i+1] == '"' {
			i++
			continue
		}
		return i + 1
	}
	return -1
}

// lenient makes what cells it can of a line with stray quotes: with quotes
// taken as they come, or cut at each delimiter, whichever has the header's
// width. Where a quote is open the cut comes first: it keeps the quote.
func (s *csvSource) lenient(line string, open bool) []string {
	line = strings.TrimRight(line, "\r\n")
	cut := strings.Split(line, string(s.delimiter))
	if open && len(cut) == len(s.r.header) {
		return cut
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = s.delimiter, true, -1
	if cells, err := r.Read(); err == nil && (s.r.header == nil || len(cells) == len(s.r.header)) {
		return cells
	}
	return cut
}
