package pipeline

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"scimbulk/internal/rows"
)

// record is an entry of a records file: three numbers, whatever they mean.
type record [3]uint64

const recordSize = 24

// records are a list on disk. It is read a part at a time, as much as memory
// may hold, and as often as there are parts: for a million entries that is
// quicker than a sorted file, and simpler.
type records struct {
	file *rows.Scratch
	out  *bufio.Writer
	n    int64
}

func newRecords() (*records, error) {
	file, err := rows.NewScratch("")
	if err != nil {
		return nil, err
	}
	return &records{file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

// add appends an entry. It is not safe for concurrent use.
func (r *records) add(entry record) error {
	var b [recordSize]byte
	for i, n := range entry {
		binary.LittleEndian.PutUint64(b[8*i:], n)
	}
	r.n++
	_, err := r.out.Write(b[:])
	return err
}

// each visits the entries in the order in which they were added.
func (r *records) each(visit func(record) error) error {
	if err := r.out.Flush(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.n*recordSize), 64<<10)
	var b [recordSize]byte
	for range r.n {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return errors.Join(errSpool, err)
		}
		var entry record
		for i := range entry {
			entry[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		if err := visit(entry); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the entries that are wanted.
func (r *records) pick(wanted func(record) bool) ([]record, error) {
	var picked []record
	err := r.each(func(entry record) error {
		if wanted(entry) {
			picked = append(picked, entry)
		}
		return nil
	})
	return picked, err
}

func (r *records) close() error { return r.file.Discard() }
