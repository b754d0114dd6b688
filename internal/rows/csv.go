package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/gocarina/gocsv"
)

// queue is how many rows are read ahead of the consumer.
const queue = 256

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

// fault is what a faulty row holds instead of its cells.
type fault struct {
	err   *Error
	cells []string
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
	return s
}

// read gives csv a line at a time, so that it never reads ahead of the record.
func (s *csvSource) read(p []byte) (int, error) {
	if len(s.line) == 0 {
		if s.lines.recordSize() > maxRecord || s.lines.line-s.lines.at >= maxRecordLines {
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

// inspect remembers the first byte of a record that is no text.
func (s *csvSource) inspect(line []byte) {
	if s.bad != nil {
		return
	}
	at, ok := badByte(line)
	if ok && s.fragile {
		at, ok = undecodable(line)
	}
	if ok {
		return
	}
	column := int64(utf8.RuneCount(line[:at])) + 1
	s.bad = s.r.fault(s.lines.line, column, byteMessage(line[at], s.fragile), byteHint(line[at], s.fragile))
}

// undecodable finds what a decoder leaves of bytes that its encoding does not
// define: U+FFFD, or a C1 control character.
func undecodable(line []byte) (at int, ok bool) {
	at = bytes.Index(line, []byte("\ufffd"))
	for i := 0; i+1 < len(line); i++ {
		if line[i] == 0xc2 && line[i+1] < 0xa0 && (at < 0 || i < at) {
			return i, false
		}
	}
	return at, at < 0
}

func byteMessage(c byte, decoded bool) string {
	switch {
	case c == 0:
		return "NUL byte"
	case decoded:
		return "bytes that the encoding does not define"
	}
	return fmt.Sprintf("byte 0x%02X is not UTF-8", c)
}

func byteHint(c byte, decoded bool) string {
	switch {
	case c == 0:
		return "the file is damaged, or no text"
	case decoded:
		return "name the right encoding with --encoding"
	}
	return "save the file as UTF-8, or name its encoding with --encoding"
}

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
		return cells, at, nil
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
	copy(s.padded[1:], cells)
	return s.padded, nil
}

// swallowed says whether a ragged record over several lines has taken rows into
// a cell: its second line by itself has the header's width.
func (s *csvSource) swallowed(at int64) bool {
	if s.lines.line == at {
		return false
	}
	second, _, _ := strings.Cut(string(s.lines.rest()), string(s.lines.eol))
	r := csv.NewReader(strings.NewReader(second))
	r.Comma, r.FieldsPerRecord = s.delimiter, -1
	cells, err := r.Read()
	return err == nil && len(cells) == len(s.r.header) && len(cells) > 1
}

// broken says whether err is a fault of the record and not of the file.
func (s *csvSource) broken(err error) bool {
	_, syntax := errors.AsType[*csv.ParseError](err)
	return syntax || s.runaway
}

func (s *csvSource) ragged(at int64, found int) *Error {
	want := len(s.r.header)
	hint := "a cell that holds the delimiter must stand in double quotes"
	if found < want {
		hint = "is a delimiter missing, or a line broken in two?"
	}
	return s.r.fault(at, 0, fmt.Sprintf("the row has %s, the header has %d", count(found, "cell"), want), hint)
}

// unparsable makes a faulty row of the record's first line and goes back to
// the second.
func (s *csvSource) unparsable(at int64, err error) []string {
	first := string(s.lines.firstLine())
	reason, open := s.quoteFault(at, first, err)
	if s.bad != nil && s.bad.Line == at {
		reason = s.bad
	}
	s.reset()
	return s.faulty(at, reason, s.lenient(first, open))
}

// reset forgets all of the record but its first line.
func (s *csvSource) reset() {
	s.line, s.runaway, s.bad = nil, false, nil
	if s.lines.first > 0 {
		s.lines.back()
	}
}

// quoteFault explains which quote is wrong, and whether it is one that opens a
// cell and is not closed.
func (s *csvSource) quoteFault(at int64, first string, err error) (fault *Error, open bool) {
	const hint = `a double quote inside a cell is written twice, and the cell stands in double quotes`
	syntax, ok := errors.AsType[*csv.ParseError](err)
	if ok && syntax.Line == syntax.StartLine && !atEnd(first, syntax.Column) {
		column := int64(utf8.RuneCountInString(first[:min(len(first), syntax.Column-1)])) + 1
		return s.r.fault(at, column, "stray double quote", hint), false
	}
	column := int64(utf8.RuneCountInString(first[:openQuote(first, s.delimiter)])) + 1
	return s.r.fault(at, column, "the double quote that opens here is not closed", "close it, or remove it; "+hint), true
}

// atEnd says whether a column lies behind the text of a line: there the file
// ended within quotes.
func atEnd(line string, column int) bool { return column > len(strings.TrimRight(line, "\r\n")) }

// openQuote is the offset of the quote that is open at the end of a line.
func openQuote(line string, delimiter rune) int {
	for i := 0; i < len(line); {
		if line[i] == '"' {
			end := closingQuote(line, i+1)
			if end < 0 {
				return i
			}
			i = end
		}
		n := strings.IndexRune(line[i:], delimiter)
		if n < 0 {
			break
		}
		i += n + utf8.RuneLen(delimiter)
	}
	return 0
}

// closingQuote is the offset behind the quote that closes a cell, or -1.
func closingQuote(line string, i int) int {
	for ; i < len(line); i++ {
		if line[i] != '"' {
			continue
		}
		if i+1 < len(line) && line[i+1] == '"' {
			i++
			continue
		}
		return i + 1
	}
	return -1
}

// lenient makes what cells it can of a line with stray quotes: with quotes
// taken as they come, or cut at each delimiter, whichever has the header's
// width. Where a quote is open the cut comes first: it keeps the quote.
func (s *csvSource) lenient(line string, open bool) []string {
	line = strings.TrimRight(line, "\r\n")
	cut := strings.Split(line, string(s.delimiter))
	if open && len(cut) == len(s.r.header) {
		return cut
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = s.delimiter, true, -1
	if cells, err := r.Read(); err == nil && (s.r.header == nil || len(cells) == len(s.r.header)) {
		return cells
	}
	return cut
}

// faulty queues a fault and returns the record that announces it.
func (s *csvSource) faulty(at int64, err *Error, cells []string) []string {
	s.mu.Lock()
	s.faults = append(s.faults, &fault{err, append([]string(nil), cells...)})
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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
