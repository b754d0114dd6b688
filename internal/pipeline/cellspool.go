package pipeline

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// cellSpool keeps the cells of a CSV file on disk, resource by resource, until
// all columns are known. Its methods must not be called concurrently, but for lay.
type cellSpool struct {
	mu     sync.Mutex // for layout
	layout rowLayout
	file   *rows.Scratch
	out    *bufio.Writer
	in     *bufio.Reader
	size   int64
}

func newCellSpool(layout rowLayout) (*cellSpool, error) {
	file, err := rows.NewScratch("")
	if err != nil {
		return nil, err
	}
	return &cellSpool{layout: layout, file: file, out: bufio.NewWriterSize(file, 64<<10), in: bufio.NewReaderSize(nil, 64<<10)}, nil
}

func (s *cellSpool) close() { _ = s.file.Discard() } // nobody misses it

// lay finds the cells of a resource; what it returns keeps them.
func (s *cellSpool) lay(o scim.Object) func() error {
	const usual = 512
	row := make([]byte, 0, usual)
	s.mu.Lock()
	s.layout.Row(o, func(column int, text string) {
		row = appendText(binary.AppendUvarint(row, uint64(column)), text)
	})
	s.mu.Unlock()
	return func() error { return s.keep(row) }
}

func (s *cellSpool) keep(row []byte) error {
	length := binary.AppendUvarint(nil, uint64(len(row)))
	s.size += int64(len(length) + len(row))
	if _, err := s.out.Write(length); err != nil {
		return err
	}
	_, err := s.out.Write(row)
	return err
}

// each hands the rows from a place on to do, under a header. A row is valid until
// do returns.
func (s *cellSpool) each(from int64, header []string, do func(cells []string) error) error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	places := s.places(header)
	cells := make([]string, len(header))
	s.in.Reset(io.NewSectionReader(s.file, from, s.size-from))
	var row []byte
	for {
		length, err := binary.ReadUvarint(s.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row = slices.Grow(row[:0], int(length))[:length]
		if _, err := io.ReadFull(s.in, row); err != nil {
			return err
		}
		clear(cells)
		d := &rowDecoder{rest: string(row)}
		for d.rest != "" {
			n, text := d.number(), d.text()
			if d.bad || n >= int64(len(places)) {
				return errSpool
			}
			if at := places[n]; at >= 0 {
				cells[at] = text
			}
		}
		if err := do(cells); err != nil {
			return err
		}
	}
}

// columns is how many columns are needed so far.
func (s *cellSpool) columns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.layout.Numbered())
}

// header names them, in the order of a file.
func (s *cellSpool) header() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layout.Header()
}

// places are where the columns stand in a header; -1 if they do not.
func (s *cellSpool) places(header []string) []int {
	s.mu.Lock()
	names := s.layout.Numbered()
	s.mu.Unlock()
	places := make([]int, len(names))
	for n, name := range names {
		places[n] = slices.Index(header, name)
	}
	return places
}
