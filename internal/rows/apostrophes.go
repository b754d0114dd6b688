package rows

import (
	"bytes"
	"io"
	"strings"
)

// RFC 4180 knows double quotes alone. Where a file has its cells in single ones,
// the two change places before it is parsed, and again in what comes out. Those
// who write such files seldom double an apostrophe, so one that no delimiter
// follows is text.

// singleQuoted says whether that is so: of the lines of a sample most have a
// cell in single quotes, and none has one in double quotes.
func singleQuoted(sample []byte, delimiters string, eol byte) bool {
	all, quoted := 0, 0
	for line := range bytes.SplitSeq(sample, []byte{eol}) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		if holdsCell(line, '"', delimiters) {
			return false
		}
		all++
		if holdsCell(line, '\'', delimiters) {
			quoted++
		}
	}
	return quoted*2 > all
}

// holdsCell says whether a quote opens a cell of the line, whatever delimits
// cells, and another one closes it. The apostrophe that guards a formula closes
// nothing.
func holdsCell(line []byte, quote byte, delimiters string) bool {
	ends := func(i int) bool { return i == len(line) || strings.IndexByte(delimiters, line[i]) >= 0 }
	for i := 0; i < len(line); i++ {
		if line[i] != quote || i > 0 && !ends(i-1) || i+1 < len(line) && guarded(line[i+1]) {
			continue
		}
		for end := i + 2; end < len(line); end++ {
			if line[end] == quote && ends(end+1) {
				return true
			}
		}
	}
	return false
}

func guarded(b byte) bool { return strings.IndexByte("=+-@", b) >= 0 }

// swapQuotes has the two kinds of quotes change places.
func swapQuotes(text []byte) {
	for i, b := range text {
		switch b {
		case '\'':
			text[i] = '"'
		case '"':
			text[i] = '\''
		}
	}
}

// quoteSwapper does so with what is read through it.
type quoteSwapper struct{ in io.Reader }

func (q quoteSwapper) Read(p []byte) (int, error) {
	n, err := q.in.Read(p)
	swapQuotes(p[:n])
	return n, err
}

// asWritten gives cells the quotes that the file has.
func (s *csvSource) asWritten(cells []string) []string {
	if !s.r.found.apostrophes {
		return cells
	}
	for i, cell := range cells {
		if strings.ContainsAny(cell, `'"`) {
			text := []byte(cell)
			swapQuotes(text)
			cells[i] = string(text)
		}
	}
	return cells
}

// quoteName is the name, in messages, of the quote that holds cells together.
func (s *csvSource) quoteName() string {
	if s.r.found.apostrophes {
		return "single"
	}
	return "double"
}
