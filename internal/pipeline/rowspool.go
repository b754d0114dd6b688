package pipeline

import (
	"bufio"
	"encoding/binary"
	"errors"

	"scimbulk/internal/rows"
)

// rowSpool keeps rows on disk, to be read again in any order: an import that
// works group by group needs the cells of a row only when it has its outcome.
type rowSpool struct {
	file *rows.Scratch
	out  *bufio.Writer
	size int64
	text []byte
}

func newRowSpool() (*rowSpool, error) {
	file, err := rows.NewScratch("")
	if err != nil {
		return nil, err
	}
	return &rowSpool{file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

// add appends a row and says where it lies. It is not safe for concurrent use.
func (s *rowSpool) add(row *rows.Row) (at int64, err error) {
	t := encodeRow(s.text[:0], row)
	s.text = t
	length := binary.AppendUvarint(nil, uint64(len(t)))
	at = s.size
	s.size += int64(len(length) + len(t))
	if _, err := s.out.Write(length); err != nil {
		return 0, err
	}
	_, err = s.out.Write(t)
	return at, err
}

func (s *rowSpool) flush() error { return s.out.Flush() }

// firstRead is how much of the file is read for a row at first: nearly all fit.
const firstRead = 512

// row reads a row. It is safe for concurrent use once the spool is flushed.
func (s *rowSpool) row(at int64) (*rows.Row, error) {
	text := make([]byte, min(firstRead, s.size-at))
	if _, err := s.file.ReadAt(text, at); err != nil {
		return nil, err
	}
	length, n := binary.Uvarint(text)
	if n <= 0 || int64(length) > s.size-at-int64(n) {
		return nil, errSpool
	}
	if uint64(len(text)-n) < length {
		text = make([]byte, uint64(n)+length)
		if _, err := s.file.ReadAt(text, at); err != nil {
			return nil, err
		}
	}
	return decodeRow(text[n : uint64(n)+length])
}

func (s *rowSpool) close() error { return s.file.Discard() }

var errSpool = errors.New("the temporary file of rows is not as it was written")

func encodeRow(t []byte, row *rows.Row) []byte {
	for _, n := range []int64{row.Number, row.Line, row.Offset, int64(len(row.Cells))} {
		t = binary.AppendUvarint(t, uint64(n))
	}
	for _, cell := range row.Cells {
		t = appendText(t, cell)
	}
	t = appendText(t, string(row.Object))
	if row.Err == nil {
		return append(t, 0)
	}
	t = append(t, 1)
	t = binary.AppendUvarint(t, uint64(row.Err.Line))
	t = binary.AppendUvarint(t, uint64(row.Err.Column))
	for _, s := range []string{row.Err.File, row.Err.Message, row.Err.Hint} {
		t = appendText(t, s)
	}
	return t
}

func appendText(t []byte, s string) []byte {
	return append(binary.AppendUvarint(t, uint64(len(s))), s...)
}

func decodeRow(text []byte) (*rows.Row, error) {
	d := &rowDecoder{rest: string(text)} // all cells share one string
	row := &rows.Row{Number: d.number(), Line: d.number(), Offset: d.number()}
	if n := d.number(); n > 0 && n <= int64(len(d.rest)) {
		row.Cells = make([]string, n)
	}
	for i := range row.Cells {
		row.Cells[i] = d.text()
	}
	if object := d.text(); object != "" {
		row.Object = []byte(object)
	}
	if d.number() == 1 {
		row.Err = &rows.Error{Line: d.number(), Column: d.number(), File: d.text(), Message: d.text(), Hint: d.text()}
	}
	if d.bad {
		return nil, errSpool
	}
	return row, nil
}

type rowDecoder struct {
	rest string
	bad  bool
}

func (d *rowDecoder) number() int64 {
	n, used := binary.Uvarint([]byte(d.rest[:min(len(d.rest), binary.MaxVarintLen64)]))
	if d.bad = d.bad || used <= 0; d.bad {
		return 0
	}
	d.rest = d.rest[used:]
	return int64(n)
}

func (d *rowDecoder) text() string {
	n := d.number()
	if d.bad = d.bad || n < 0 || n > int64(len(d.rest)); d.bad {
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}
