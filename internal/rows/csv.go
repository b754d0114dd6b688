package rows

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// csvSource is the reader that gocsv reads from. It gives each record the
// header's width, whatever the file holds, because gocsv panics on a longer
// one and stops at any error; what it holds travels in the position, which
// stands before the cells, and in faults.
//
// A record that cannot be parsed costs its first physical line only: reading
// goes on with the second. So an unclosed quote, which would otherwise take
// the rest of the file into its cell, is one faulty row. It is found out where
// the next quote is followed by text, where the record is ragged and its second
// line is not, at the end of the file, or after 4096 lines or 16 MiB.
type csvSource struct {
	r         *Reader
	lines     *lines
	csv       *csv.Reader
	delimiter rune
	line      []byte // what csv has not yet taken of the current line
	runaway   bool   // the record is longer than it may be
	bad       *Error // the first undecodable byte of the record
	fragile   bool   // decoded text: U+FFFD stands for bytes that mean nothing
	blank     string // what a blank line is made of
	sentHead  bool
	padded    []string
	count     int
	stopped   atomic.Bool

	mu     sync.Mutex
	faults []*fault
}

// errStopped ends the reading when the consumer has enough.
var errStopped = errors.New("stopped")

func newCSVSource(r *Reader) *csvSource {
	s := &csvSource{r: r, lines: r.lines, delimiter: r.opts.Delimiter, blank: " \t\r\n"}
	switch {
	case s.delimiter != 0:
	case r.opts.Format == TSV:
		s.delimiter = '\t'
	default:
		s.delimiter = r.found.delimiter
	}
	if s.delimiter == '\t' {
		s.blank = " \r\n"
	}
	s.fragile = r.found.charset.decoder != nil
	s.csv = csv.NewReader(lineFeed{s})
	s.csv.Comma, s.csv.FieldsPerRecord, s.csv.ReuseRecord = s.delimiter, -1, true
	s.csv.LazyQuotes = r.found.apostrophes
	return s
}

// read gives csv a line at a time, so that it never reads ahead of the record.
func (s *csvSource) read(p []byte) (int, error) {
	if len(s.line) == 0 {
		if s.lines.recordSize() > s.lines.max || s.lines.line-s.lines.at >= maxRecordLines {
			s.runaway = true
			return 0, errTooLong
		}
		line, err := s.lines.next()
		if err != nil {
			s.runaway = s.runaway || err == errTooLong
			return 0, err
		}
		s.inspect(line)
		s.line = line
	}
	n := copy(p, s.line)
	s.line = s.line[n:]
	if len(s.line) == 0 && p[n-1] == '\r' && s.lines.eol == '\r' {
		p[n-1] = '\n'
	}
	return n, nil
}

// lineFeed makes read an io.Reader without making Read, which gocsv calls,
// ambiguous.
type lineFeed struct{ s *csvSource }

func (f lineFeed) Read(p []byte) (int, error) { return f.s.read(p) }

// readHeader reads the first record that is not blank, leniently: SCIM paths
// such as emails[type eq "work"].value stand in headers with bare quotes.
func (s *csvSource) readHeader() ([]string, int64, error) {
	for {
		if err := s.lines.skipBlank(s.blank); err != nil {
			return nil, 0, s.headerError(err)
		}
		at := s.lines.at
		cells, err := s.csv.Read()
		first := s.lines.firstLine()
		if d, ok := sepLine(first); ok && s.isExcelHint(at, d) || isVersionLine(first) {
			s.reset()
			continue
		}
		if s.bad != nil {
			return nil, at, s.bad
		}
		if err != nil && !s.broken(err) {
			return nil, at, s.headerError(err)
		}
		if err != nil {
			cells = s.lenient(string(first), false)
			s.reset()
		}
		cells = append([]string(nil), cells...)
		return s.asWritten(cells), at, nil
	}
}

// isExcelHint says whether a first line sep=; is the hint it looks like, and
// takes its delimiter unless the user gave one.
func (s *csvSource) isExcelHint(at int64, d rune) bool {
	if at != int64(s.r.opts.SkipRows)+1 {
		return false
	}
	if s.r.opts.Delimiter == 0 && s.r.opts.Format == CSV {
		s.delimiter, s.csv.Comma = d, d
	}
	return true
}

func (s *csvSource) headerError(err error) error {
	switch {
	case err == io.EOF:
		return s.r.fault(0, 0, "the file is empty", "its first line must name the columns")
	case err == errTooLong:
		return s.r.fault(s.lines.line, 0, "the header is longer than 16 MiB", "is this a CSV file?")
	}
	return fmt.Errorf("reading %s: %w", s.r.opts.Name, err)
}

// Read gives gocsv the header, then the records, each with its position in
// front. It is called from gocsv's goroutine only.
func (s *csvSource) Read() ([]string, error) {
	if !s.sentHead {
		s.sentHead = true
		s.padded = make([]string, len(s.r.header)+1)
		return append([]string{"position"}, s.r.header...), nil
	}
	if s.stopped.Load() {
		return nil, errStopped
	}
	if s.r.opts.MaxRows > 0 && s.count >= s.r.opts.MaxRows {
		return nil, io.EOF
	}
	return s.record()
}

// ReadAll is not used: it would hold the file in memory.
func (s *csvSource) ReadAll() ([][]string, error) { return nil, errors.ErrUnsupported }

func (s *csvSource) record() ([]string, error) {
	err := s.lines.skipBlank(s.blank)
	if err == errTooLong {
		return s.faulty(s.lines.line, s.r.fault(s.lines.line, 0, "the line is longer than 16 MiB", ""), nil), nil
	}
	if err != nil {
		return nil, err
	}
	at := s.lines.at
	cells, err := s.csv.Read()
	switch {
	case err != nil && s.broken(err):
		return s.unparsable(at, err), nil
	case err != nil:
		return nil, err
	case s.bad != nil:
		bad := s.bad
		s.bad = nil
		return s.faulty(at, bad, cells), nil
	case len(cells) != len(s.r.header) && s.swallowed(at):
		return s.unparsable(at, &csv.ParseError{StartLine: int(at), Line: int(at) + 1, Err: csv.ErrQuote}), nil
	case len(cells) != len(s.r.header):
		return s.faulty(at, s.ragged(at, len(cells)), cells), nil
	}
	s.count++
	s.padded[0] = s.position(at, false)
	copy(s.padded[1:], s.asWritten(cells))
	return s.padded, nil
}

// broken says whether err is a fault of the record and not of the file.
func (s *csvSource) broken(err error) bool {
	_, syntax := errors.AsType[*csv.ParseError](err)
	return syntax || s.runaway
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
