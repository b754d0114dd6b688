package rows

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

const (
	// maxRecord bounds a CSV record: a group whose members our own export
	// wrote into one cell as JSON (some 100 bytes a member) must still fit.
	maxRecord = 16 << 20
	// maxRecordLines bounds how far an unclosed quote can reach.
	maxRecordLines = 4096
	// maxObject bounds a line of JSONL, which may be a whole group.
	maxObject = 64 << 20
)

// errTooLong is a line beyond its bound; it has been skipped.
var errTooLong = errors.New("line too long")

// lines hands out physical lines and can go back to the line after a mark. Its
// buffer holds the text from the mark on and no more.
type lines struct {
	in    io.Reader
	err   error // what in ended with
	buf   []byte
	mark  int // the buffer is kept from here on
	pos   int // the next line starts here
	end   int // the buffer is filled up to here
	max   int
	eol   byte
	line  int64 // number of the line handed out last
	first int   // length of the first line after the mark
	at    int64 // line number of the mark
}

func newLines(in io.Reader, eol byte, limit int) *lines {
	return &lines{in: in, buf: make([]byte, 64<<10), eol: eol, max: limit}
}

// next returns the next line with its end, valid until the next call. A file's
// last line need not have an end.
func (l *lines) next() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.buf[l.pos+searched:l.end], l.eol); i >= 0 {
			return l.take(searched + i + 1), nil
		}
		searched = l.end - l.pos
		if l.err != nil {
			return l.last()
		}
		if searched >= l.max {
			if l.pos > l.mark {
				return nil, errTooLong // the lines before it are still to be read again
			}
			return nil, l.discard()
		}
		l.fill()
	}
}

func (l *lines) take(n int) []byte {
	if l.pos == l.mark {
		l.first = n // the first line after the mark
	}
	line := l.buf[l.pos : l.pos+n]
	l.pos += n
	l.line++
	return line
}

// last is what stands after the last line end. After a reading error it is
// half a line, and so not handed out.
func (l *lines) last() ([]byte, error) {
	if l.err != io.EOF || l.pos == l.end {
		return nil, l.err
	}
	return l.take(l.end - l.pos), nil
}

// fill reads more text, after making room for it.
func (l *lines) fill() {
	if l.end == len(l.buf) {
		if l.mark > 0 {
			l.compact()
		} else {
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
	}
	n, err := l.in.Read(l.buf[l.end:])
	l.end += n
	l.err = err
}

func (l *lines) compact() {
	copy(l.buf, l.buf[l.mark:l.end])
	l.pos -= l.mark
	l.end -= l.mark
	l.mark = 0
}

// discard skips the rest of a line that is too long.
func (l *lines) discard() error {
	l.line++
	l.mark, l.first = 0, 0
	for {
		l.pos, l.end = 0, 0
		if l.err != nil {
			break
		}
		l.fill()
		if i := bytes.IndexByte(l.buf[:l.end], l.eol); i >= 0 {
			l.pos = i + 1
			break
		}
	}
	l.mark = l.pos
	return errTooLong
}

// set marks the next line as the first of a record.
func (l *lines) set() {
	l.mark, l.first, l.at = l.pos, 0, l.line+1
}

// firstLine is the marked record's first line, valid until the next call of
// next.
func (l *lines) firstLine() []byte { return l.buf[l.mark : l.mark+l.first] }

// rest is the marked record after its first line, valid until the next call of
// next.
func (l *lines) rest() []byte { return l.buf[l.mark+l.first : l.pos] }

// recordSize is the length of the text handed out since the mark.
func (l *lines) recordSize() int { return l.pos - l.mark }

// back returns to the second line of the marked record.
func (l *lines) back() {
	l.pos = l.mark + l.first
	l.line = l.at
}

// skipBlank goes past lines of nothing but spaces and marks the one that
// follows.
func (l *lines) skipBlank(blank string) error {
	for {
		l.set()
		line, err := l.next()
		if err != nil {
			return err
		}
		if len(bytes.Trim(line, blank)) > 0 {
			l.pos, l.line = l.mark, l.at-1
			return nil
		}
	}
}

// badByte finds the first byte of line that is no UTF-8, or that is NUL, which
// no text holds. ok says that there is none.
func badByte(line []byte) (at int, ok bool) {
	nul := bytes.IndexByte(line, 0)
	if utf8.Valid(line) {
		return nul, nul < 0
	}
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && size == 1 || i == nul {
			return i, false
		}
		i += size
	}
	return 0, true // not reached: the line is not valid
}
