package rows

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/gocarina/gocsv"
)

// queue is how many rows are read ahead of the consumer.
const queue = 256

// fault is what a faulty row holds instead of its cells.
type fault struct {
	err   *Error
	cells []string
}

// faulty queues a fault and returns the record that announces it.
func (s *csvSource) faulty(at int64, err *Error, cells []string) []string {
	s.mu.Lock()
	s.faults = append(s.faults, &fault{err, s.asWritten(append([]string(nil), cells...))})
	s.mu.Unlock()
	s.count++
	clear(s.padded)
	s.padded[0] = s.position(at, true)
	return s.padded
}

func (s *csvSource) takeFault() *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f
}

// positionSize is line, offset, width (its lowest bit says that the row is
// faulty).
const positionSize = 8 + 8 + 4

func (s *csvSource) position(line int64, faulty bool) string {
	var b [positionSize]byte
	binary.LittleEndian.PutUint64(b[:], uint64(line))
	binary.LittleEndian.PutUint64(b[8:], uint64(s.r.stream.read))
	width := uint32(len(s.r.header)) << 1
	if faulty {
		width |= 1
	}
	binary.LittleEndian.PutUint32(b[16:], width)
	return string(b[:])
}

// record is the row as gocsv fills it, by position: names may repeat.
type record struct {
	Position string
	cells    []string
}

// UnmarshalCSVWithFields takes the next cell (gocsv calls it for each).
func (r *record) UnmarshalCSVWithFields(_, value string) error {
	if r.Position != "" {
		r.cells = append(r.cells, value)
		return nil
	}
	r.Position = value
	if width := uint32At(value, 16); width&1 == 0 {
		r.cells = make([]string, 0, width>>1)
	}
	return nil
}

func (r *record) line() int64   { return int64(uint64At(r.Position, 0)) }
func (r *record) offset() int64 { return int64(uint64At(r.Position, 8)) }
func (r *record) faulty() bool  { return uint32At(r.Position, 16)&1 == 1 }

func uint64At(s string, i int) uint64 { return uint64(uint32At(s, i)) | uint64(uint32At(s, i+4))<<32 }

func uint32At(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

// csvRows streams the rows through gocsv. Its goroutine has ended when the
// loop over the rows ends, however that ends: it is told to stop and the
// channel, in whose Send it may wait, is drained.
func (r *Reader) csvRows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		ch, done := make(chan record, queue), make(chan error, 1)
		go func() { done <- gocsv.UnmarshalDecoderToChan(gocsv.NewSimpleDecoderFromCSVReader(r.csv), ch) }()
		release := context.AfterFunc(ctx, func() { r.csv.stopped.Store(true); r.file.Close() })
		ended := false
		defer func() {
			release()
			r.csv.stopped.Store(true)
			for range ch {
			}
			if !ended {
				<-done
			}
		}()
		number := int64(0)
		for rec := range ch {
			if ctx.Err() != nil {
				break
			}
			number++
			if !yield(r.rowOf(rec, number), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Row{}, err)
			return
		}
		err := <-done
		ended = true
		if err != nil {
			yield(Row{}, fmt.Errorf("reading %s after line %d: %w", r.opts.Name, r.lines.line, err))
		}
	}
}

func (r *Reader) rowOf(rec record, number int64) Row {
	row := Row{Number: number, Line: rec.line(), Offset: rec.offset(), Cells: rec.cells}
	if rec.faulty() {
		f := r.csv.takeFault()
		row.Cells, row.Err = f.cells, f.err
	}
	return row
}
