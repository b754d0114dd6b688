package rows

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Writer writes rows as they were read, with cells added: the rejects of a
// run. A ragged row stays ragged, so that feeding it back cannot take it for a
// whole one.
type Writer struct {
	csv   *csv.Writer // nil for JSONL
	out   io.Writer
	names []string // of the added cells
	cells []string
}

// NewWriter starts a file in the format, and with the delimiter, of r. Its
// header is r's, then names.
func NewWriter(out io.Writer, r *Reader, names ...string) (*Writer, error) {
	w := &Writer{out: out, names: names}
	if r.Format() == JSONL {
		return w, nil
	}
	w.csv = csv.NewWriter(out)
	w.csv.Comma = r.Delimiter()
	return w, w.write(r.Header(), names)
}

// Write writes a row and a value for each added name.
func (w *Writer) Write(row *Row, values ...string) error {
	if w.csv != nil {
		return w.write(row.Cells, values)
	}
	_, err := w.out.Write(append(w.withMembers(row, values), '\n'))
	return err
}

func (w *Writer) write(cells, added []string) error {
	w.cells = append(append(w.cells[:0], cells...), added...)
	return w.csv.Write(w.cells)
}

// withMembers puts the added values at the end of a JSONL row's object. A row
// that is no object is written as it was read.
func (w *Writer) withMembers(row *Row, values []string) []byte {
	text := strings.TrimRight(string(row.Object), " \t\r\n")
	if row.Object.Kind() != '{' || !row.Object.IsValid() {
		return []byte(text)
	}
	out := []byte(strings.TrimRight(text[:len(text)-1], " \t"))
	for i, name := range w.names {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendString(out, name)
		out = append(out, ':')
		out = appendString(out, values[i])
	}
	return append(out, '}')
}

func appendString(out []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(out, s)
	if err != nil { // invalid UTF-8: the message repeats bytes of the input
		quoted, _ = jsontext.AppendQuote(out, strings.ToValidUTF8(s, "?"))
	}
	return quoted
}

// Flush writes out what is buffered.
func (w *Writer) Flush() error {
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}
