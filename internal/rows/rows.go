// Package rows reads and writes rows (CSV, JSON Lines) with their line
// numbers. What a cell means is left to package mapping.
package rows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Format is the kind of a file.
type Format string

// The formats that can be read. The empty one is known by the file's name.
const (
	CSV   Format = "csv"
	TSV   Format = "tsv"
	JSONL Format = "jsonl"
)

// Options say how a file is read. The zero value detects everything.
type Options struct {
	Format    Format // "" is known by the extension, else csv
	Delimiter rune   // 0 is detected among , ; tab and |
	Encoding  string // a WHATWG label such as windows-1252; "" is detected
	SkipRows  int    // physical lines before the header (CSV) or the first object (JSONL)
	MaxRows   int    // rows to read at most; 0 is all
	Name      string // the file in messages; "" is its path

	// found holds what reading the file once has shown, so that a second Open
	// with [Reader.Options] need not look again.
	found *findings
}

// Row is one data record. Rows that cannot be used come too, with Err set, so
// that each line of a file is accounted for.
type Row struct {
	Number int64 // 1-based ordinal of the record, faulty ones counted
	Line   int64 // physical line on which the record starts
	Offset int64 // bytes of the file read so far, compressed ones if it is compressed

	// Cells are as many as the header has, unless Err is set: then they are
	// what the record had, as well as could be told. They stay valid.
	Cells []string

	// Object is the JSON object of a JSONL row, or the raw line when it is not
	// one (Err is set then). It stays valid.
	Object jsontext.Value

	Err *Error // why the row cannot be used; nil when it can
}

// Blank says whether a row of cells has nothing in any of them: spreadsheets end
// their files with such rows.
func (r *Row) Blank() bool {
	if r.Object != nil || len(r.Cells) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.Cells, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

// Error is a fault of a file or of one of its rows.
type Error struct {
	File    string
	Line    int64 // 0 when the fault is of the whole file
	Column  int64 // in characters, from 1; 0 when the fault is of the whole row
	Message string
	Hint    string // how to mend it, "" when nothing is known
}

// Error is "file:line:column: message (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	b.WriteString(": " + e.Message)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}
