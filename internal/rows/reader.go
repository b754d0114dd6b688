package rows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode"
)

// Reader reads the rows of one file, once and in order. It is not safe for
// concurrent use.
type Reader struct {
	opts       Options
	file       *os.File
	size       int64
	stream     *stream
	lines      *lines
	found      *findings
	header     []string
	headerLine int64
	notes      []string
	csv        *csvSource // nil for JSONL
}

// findings are what looking at a file has shown.
type findings struct {
	charset     charset
	eol         byte
	delimiter   rune
	apostrophes bool     // cells stand in single quotes
	members     []string // JSONL of flat objects: the names, in the order in which they appear
	nested      bool
	schemas     []string // JSONL: what the objects' schemas name, each once
	notes       []string
}

// sampleSize is how much of the text decides on delimiter and line ends.
const sampleSize = 64 << 10

// Open opens a file for reading and reads its header. What the options leave
// open is detected, for which a regular file is read once before: the encoding
// and the member names of JSONL cannot be told from its beginning. The error
// is an [*Error] where the file itself is at fault.
func Open(path string, o Options) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{opts: o.withDefaults(path), file: file}
	if err := r.start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (o Options) withDefaults(path string) Options {
	if o.Name == "" {
		o.Name = path
	}
	if o.Format == "" {
		o.Format = formatOf(path)
	}
	return o
}

func (r *Reader) start() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return r.fault(0, 0, "is a directory", "give a CSV or JSONL file")
	}
	if info.Mode().IsRegular() && isWorkbook(r.file) {
		return r.fault(0, 0, "is a workbook, and no text", "save it as CSV UTF-8 in the spreadsheet program")
	}
	switch r.opts.Format {
	case CSV, TSV, JSONL, "":
	default:
		return fmt.Errorf("unknown format %q: csv, tsv and jsonl are known", r.opts.Format)
	}
	if strings.ContainsRune("\"\r\n\ufffd", r.opts.Delimiter) {
		return fmt.Errorf("%q cannot be a delimiter", r.opts.Delimiter)
	}
	r.size = info.Size()
	if r.found = r.opts.found; r.found == nil {
		if err := r.look(info.Mode().IsRegular()); err != nil {
			return err
		}
	}
	r.notes = slices.Clone(r.found.notes)
	return r.begin()
}

// isWorkbook knows the files of spreadsheet programs by how they begin: as a zip
// archive, or, the old ones, as a compound file.
func isWorkbook(file io.ReaderAt) bool {
	head := make([]byte, 4)
	if _, err := file.ReadAt(head, 0); err != nil {
		return false
	}
	return string(head) == "PK\x03\x04" || string(head) == "\xd0\xcf\x11\xe0"
}

// begin opens the text and reads up to the first row.
func (r *Reader) begin() (err error) {
	if r.stream == nil {
		if r.stream, err = openStream(r.file); err != nil {
			return fmt.Errorf("%s: %w", r.opts.Name, err)
		}
	}
	if err := r.openLines(); err != nil {
		return err
	}
	if r.opts.Format == JSONL {
		r.header = r.found.members
		return nil
	}
	return r.readHeader()
}

// openLines decodes the text and skips the lines before the header.
func (r *Reader) openLines() error {
	text, err := r.found.charset.reader(r.stream.text)
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.opts.Name, err)
	}
	if r.found.apostrophes {
		text = quoteSwapper{text}
	}
	limit := maxRecord
	if r.opts.Format == JSONL {
		limit = maxObject
	}
	r.lines = newLines(text, r.found.eol, limit)
	for range r.opts.SkipRows {
		r.lines.set()
		if _, err := r.lines.next(); err != nil && err != errTooLong {
			break // the header, or its absence, will tell
		}
	}
	return nil
}

// Header is the column names: trimmed, in the order of the cells, duplicates
// kept. For JSONL it is the union of the member names of all objects; when they
// are whole SCIM resources, rows have no cells all the same.
func (r *Reader) Header() []string { return r.header }

// Nested says that the objects of a JSONL file are whole SCIM resources: some
// object has schemas, an object or an array of objects among its members.
func (r *Reader) Nested() bool { return r.found.nested }

// Schemas are the URNs that the objects of a JSONL file name as their schemas,
// each once.
func (r *Reader) Schemas() []string { return r.found.schemas }

// Notes are what was detected and is worth a line on stderr.
func (r *Reader) Notes() []string { return r.notes }

// Size is the file's length in bytes, to which [Row.Offset] runs.
func (r *Reader) Size() int64 { return r.size }

// Delimiter is what separates the cells; 0 for JSONL.
func (r *Reader) Delimiter() rune {
	if r.csv == nil {
		return 0
	}
	return r.csv.delimiter
}

// Encoding is the name of the text's encoding.
func (r *Reader) Encoding() string { return r.found.charset.name }

// Format is the format that is read.
func (r *Reader) Format() Format { return r.opts.Format }

// Options are those of Open with everything that was detected, so that opening
// the same file again does not look again.
func (r *Reader) Options() Options {
	o := r.opts
	o.found = r.found
	return o
}

// Rows yields the rows. A fault of a row is its Err and does not end the
// reading; an error does: the file could not be read further, or ctx was
// cancelled. Rows may be called once.
func (r *Reader) Rows(ctx context.Context) iter.Seq2[Row, error] {
	if r.opts.Format == JSONL {
		return r.objectRows(ctx)
	}
	return r.csvRows(ctx)
}

// Close releases the file.
func (r *Reader) Close() error {
	if r.stream != nil {
		r.stream.release()
		r.stream = nil
	}
	if err := r.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err // cancelling closes it too
	}
	return nil
}

func (r *Reader) fault(line, column int64, message, hint string) *Error {
	return &Error{File: r.opts.Name, Line: line, Column: column, Message: message, Hint: hint}
}

// look finds out encoding, line ends, delimiter and, for JSONL, the names. A
// pipe cannot be read twice: there its beginning must do.
func (r *Reader) look(regular bool) error {
	s, err := openStream(r.file)
	if err != nil {
		return fmt.Errorf("%s: %w", r.opts.Name, err)
	}
	defer s.release()
	peek := bufio.NewReaderSize(s.text, sampleSize)
	s.text = peek
	sample, err := peek.Peek(sampleSize)
	if err != nil && err != io.EOF {
		return fmt.Errorf("reading %s: %w", r.opts.Name, err)
	}
	sample = slices.Clone(sample)
	whole := err == io.EOF
	r.found = &findings{eol: lineEnd(sample)}
	if err := r.lookAtBytes(sample, peek, regular); err != nil {
		return err
	}
	text := r.lookAtText(sample, whole)
	if !regular {
		s.release = func() {}
		r.stream = s
		return r.lookAtNames(newLines(strings.NewReader(string(text)), r.found.eol, maxObject))
	}
	return r.lookAgain()
}

// lookAgain reads the file a second time for the names of JSONL, and leaves it
// at its start.
func (r *Reader) lookAgain() error {
	if err := r.rewind(); err != nil || r.opts.Format != JSONL {
		return err
	}
	s, err := openStream(r.file)
	if err != nil {
		return err
	}
	defer s.release()
	r.stream = s
	err = r.openLines()
	r.stream = nil
	if err != nil {
		return err
	}
	if err := r.lookAtNames(r.lines); err != nil {
		return err
	}
	return r.rewind()
}

func (r *Reader) rewind() error {
	_, err := r.file.Seek(0, io.SeekStart)
	return err
}

// lookAtBytes settles the encoding: what the user says, a byte order mark, the
// NULs of UTF-16, or the whole file.
func (r *Reader) lookAtBytes(sample []byte, rest io.Reader, regular bool) error {
	if r.opts.Encoding != "" {
		c, err := declaredCharset(r.opts.Encoding, sample)
		if err != nil {
			return fmt.Errorf("%s: %w", r.opts.Name, err)
		}
		r.found.charset = c
		return nil
	}
	if c, ok := charsetByBOM(sample); ok {
		r.found.charset = c
		return nil
	}
	if c, ok := charsetByNULs(sample); ok {
		r.found.charset = c
		r.note("encoding " + c.name + " detected, though the file has no byte order mark; --encoding overrides")
		return nil
	}
	t := &tally{eol: r.found.eol}
	if regular {
		if _, err := io.Copy(t, rest); err != nil {
			return fmt.Errorf("reading %s: %w", r.opts.Name, err)
		}
	} else {
		t.Write(sample)
	}
	t.finish()
	c, note, fault := t.charset()
	if fault != nil {
		fault.File = r.opts.Name
		return fault
	}
	r.found.charset = c
	r.note(note)
	return nil
}

func (r *Reader) note(s string) {
	if s != "" {
		r.found.notes = append(r.found.notes, s)
	}
}

// lookAtText settles line ends and delimiter and returns the sample as UTF-8.
func (r *Reader) lookAtText(sample []byte, whole bool) []byte {
	text := sample[min(len(sample), r.found.charset.bom):]
	if d := r.found.charset.decoder; d != nil {
		text, _ = d.NewDecoder().Bytes(text) // a cut last character does not matter here
	}
	r.found.eol = lineEnd(text)
	text = completeLines(text, whole, r.found.eol)
	text = dropLines(text, r.opts.SkipRows, r.found.eol)
	if r.opts.Format == "" {
		r.opts.Format = formatBy(text)
	}
	if r.opts.Format != JSONL {
		r.chooseDialect(text)
	}
	return text
}

// chooseDialect settles the quote, and then the delimiter: quotes may hold it.
func (r *Reader) chooseDialect(text []byte) {
	if r.found.apostrophes = singleQuoted(text, delimiters+string(r.opts.Delimiter), r.found.eol); r.found.apostrophes {
		text = slices.Clone(text)
		swapQuotes(text)
		r.note("cells stand in single quotes, and are read as if those were double ones")
	}
	if r.opts.Format == CSV && r.opts.Delimiter == 0 {
		r.found.delimiter = r.chooseDelimiter(text)
	}
}

func (r *Reader) chooseDelimiter(text []byte) rune {
	first, _, _ := strings.Cut(string(text), string(r.found.eol))
	if d, ok := sepLine([]byte(first)); ok {
		return d
	}
	if r.found.eol == '\r' {
		text = []byte(strings.ReplaceAll(string(text), "\r", "\n"))
	}
	if isVersionLine([]byte(first)) {
		text = dropLines(text, 1, '\n')
	}
	if n := titleLines(text, '\n'); n > 0 {
		r.note(fmt.Sprintf("line %d has one cell, and line %d several: if the header begins there, --skip-rows %d goes to it", r.opts.SkipRows+1, r.opts.SkipRows+n+1, r.opts.SkipRows+n))
	}
	d := detectDelimiter(text)
	if d != ',' {
		r.note("delimiter " + delimiterName(d) + " detected; --delimiter overrides")
	}
	return d
}

// readHeader reads the header of a CSV file.
func (r *Reader) readHeader() error {
	r.csv = newCSVSource(r)
	cells, line, err := r.csv.readHeader()
	if err != nil {
		return err
	}
	r.header = make([]string, len(cells))
	blank := true
	for i, c := range cells {
		r.header[i] = cleanName(c)
		blank = blank && r.header[i] == ""
	}
	if blank {
		return r.fault(line, 0, "the header has no names", "the first line must name the columns; --skip-rows skips lines before it")
	}
	r.headerLine = line
	r.noteHeader()
	return nil
}

// named is how many columns have a name.
func (r *Reader) named() int {
	n := 0
	for _, name := range r.header {
		if name != "" {
			n++
		}
	}
	return n
}

// noteHeader names the columns that cannot be told apart.
func (r *Reader) noteHeader() {
	if named := r.named(); 2*named < len(r.header) {
		r.notes = append(r.notes, fmt.Sprintf("line %d names %d of %d columns: if it is a title, --skip-rows %[1]d goes past it", r.headerLine, named, len(r.header)))
		return
	}
	seen := map[string]int{}
	for i, name := range r.header {
		first, again := seen[strings.ToLower(name)]
		switch {
		case name == "":
			r.notes = append(r.notes, fmt.Sprintf("column %d has no name in the header", i+1))
		case again:
			r.notes = append(r.notes, fmt.Sprintf("the header has %q twice, as columns %d and %d", name, first+1, i+1))
		default:
			seen[strings.ToLower(name)] = i
		}
	}
}

// cleanName takes from a column's name what cannot be seen: spaces around it,
// byte order marks and zero-width characters. Line breaks inside become spaces.
func cleanName(s string) string {
	s = strings.Map(func(c rune) rune {
		switch c {
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff':
			return -1
		case '\r', '\n', '\t', '\u00a0', '\u202f':
			return ' '
		}
		return c
	}, s)
	return strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " ")
}
