package rows

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Writer writes rows as they were read, with cells added: the rejects of a
// run. A ragged row stays ragged, so that feeding it back cannot take it for a
// whole one. What an earlier Writer added to the input is replaced.
type Writer struct {
	csv   *csv.Writer // nil for JSONL
	out   io.Writer
	names []string // of the added cells
	again bool     // the input has such cells already, at the end of its rows
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
	header := r.Header()
	w.again = len(header) > len(names) && slices.Equal(header[len(header)-len(names):], names)
	return w, w.write(header, names)
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
	if w.again {
		cells = cells[:max(0, len(cells)-len(added))]
	}
	w.cells = append(append(w.cells[:0], cells...), added...)
	return w.csv.Write(w.cells)
}

// withMembers puts the added values at the end of a JSONL row's object. A row
// that is no object is written as it was read.
func (w *Writer) withMembers(row *Row, values []string) []byte {
	o := newObjects()
	out := []byte{'{'}
	err := o.each(row.Object, func(name string, value jsontext.Value) {
		if !slices.Contains(w.names, name) {
			out = appendMember(out, name, value)
		}
	})
	if err != nil {
		return slices.Clone(row.Object)
	}
	for i, name := range w.names {
		out = appendMember(out, name, quote(values[i]))
	}
	return append(out, '}')
}

func appendMember(out []byte, name string, value jsontext.Value) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(append(out, quote(name)...), ':')
	return append(out, value...)
}

// quote writes a text as JSON. Messages repeat bytes of the input, which need
// not be text.
func quote(s string) []byte {
	quoted, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "?"))
	if err != nil {
		return []byte(`""`) // not reached: the text is valid
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
