package journal

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

// readSize is how much is read at once: enough that system calls do not show.
const readSize = 1 << 16

// A lineReader cuts a stream into lines, holding one line and a buffer.
type lineReader struct {
	from       io.Reader
	buf        []byte
	start, end int
	ended      bool
}

// next returns a line without its newline, valid until the next call. At the
// end whole is false, and the line is what follows the last newline. A line
// above maxRecord is not whole either, and nothing can be read after it.
func (r *lineReader) next() (line []byte, whole bool, err error) {
	for searched := r.start; ; {
		if i := bytes.IndexByte(r.buf[searched:r.end], '\n'); i >= 0 {
			line = r.buf[r.start : searched+i]
			r.start = searched + i + 1
			return line, true, nil
		}
		if r.ended || r.end-r.start > maxRecord {
			return r.buf[r.start:r.end], false, nil
		}
		pending := r.end - r.start
		if err := r.fill(); err != nil {
			return nil, false, err
		}
		searched = r.start + pending
	}
}

// fill reads on, moving or growing the buffer where there is no room.
func (r *lineReader) fill() error {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		grown := make([]byte, max(readSize, 2*len(r.buf)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	n, err := r.from.Read(r.buf[r.end:])
	r.end += n
	if errors.Is(err, io.EOF) {
		r.ended = true
		return nil
	}
	return err
}

// A reader verifies a log record by record and gathers its State.
type reader struct {
	lines  lineReader
	path   string
	state  *State
	decode decoder
}

func (r *reader) run() error {
	for {
		line, whole, err := r.lines.next()
		if err != nil {
			return err
		}
		if !whole && len(line) == 0 && r.state.Records > 0 {
			return nil
		}
		text, ok := verify(line)
		if !whole || !ok {
			return r.tail(line, whole)
		}
		if err := r.record(text); err != nil {
			return err
		}
		r.state.Records++
		r.state.Bytes += int64(len(line)) + 1
	}
}

// record takes in a record whose checksum is right.
func (r *reader) record(text []byte) error {
	err := r.decode.header
	if r.state.Records > 0 {
		err = r.decode.record
	}
	switch e := err(text).(type) {
	case nil:
		return nil
	case badRecord:
		return r.damage(string(e))
	case *FormatError:
		e.Path = r.path
		return e
	default:
		return e
	}
}

// tail decides what a bad record means. A write that was cut short leaves the
// beginning of a record at the very end, without its newline. Everything else
// was changed after it was written: cutting it could lose an intent whose
// request was sent.
func (r *reader) tail(line []byte, whole bool) error {
	switch {
	case r.state.Records == 0 && !whole && len(line) == 0:
		return r.damage("the log is empty")
	case whole:
		return r.damage("its checksum does not match")
	case len(line) > maxRecord:
		return r.damage("it is longer than a record can be")
	case r.state.Records == 0:
		return r.damage("the header is cut short")
	}
	if _, ok := verify(line[:len(line)-1]); ok {
		return r.damage("it does not end in a newline")
	}
	r.state.Torn = int64(len(line))
	return nil
}

func (r *reader) damage(reason string) error {
	record := r.state.Records + 1
	return &DamageError{Path: r.path, Record: record, Line: record, Offset: r.state.Bytes, Reason: reason}
}

// verify returns the JSON text of a line whose checksum matches it.
func verify(line []byte) (text []byte, ok bool) {
	if len(line) < crcLen || line[crcLen-1] != ' ' {
		return nil, false
	}
	sum, ok := parseHex(line[:crcLen-1])
	if !ok || uint32(sum) != crc32.Checksum(line[crcLen:], castagnoli) {
		return nil, false
	}
	return line[crcLen:], true
}

// parseHex reads lower-case hex digits, at most 16.
func parseHex(digits []byte) (uint64, bool) {
	var v uint64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, len(digits) > 0 && len(digits) <= 16
}
