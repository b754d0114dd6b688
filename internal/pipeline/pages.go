package pipeline

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Pages keeps what an export has read in a file, until the file that it is made
// for can be written: the columns of a CSV file are known when the last resource
// has been seen. Memory does not grow with the directory, and resume finds in
// the run's directory what was read before. It is not safe for concurrent use.
//
// A line is a resource as JSON, or begins with a mark:
//
//	-"ID"          a resource that is left out
//	+PLACE {…}     a newer version of the one that lies at PLACE
//	@{…}           how far the reading has come
type Pages struct {
	file  *os.File
	free  func() error // lets go of the file
	out   *bufio.Writer
	in    *bufio.Reader
	size  int64 // of what was written
	ready int64 // of it, what the file holds
	sum   uint32
	newer map[int64]int64 // where the newer version of a resource lies
	buf   []byte
	index []*idIndex // of what lies in them
}

// Mark is a place in the pages of an export up to which a checkpoint log has
// them, and the CRC-32C of all before it.
type Mark struct {
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"crc32c"`
	Read  int64  `json:"read"` // resources, in all
}

const (
	lineLeftOut = '-'
	lineNewer   = '+'
	lineState   = '@'
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewPages keeps pages in a file that is gone when the process ends. dir is its
// folder, "" the system's for temporary files.
func NewPages(dir string) (*Pages, error) {
	file, err := rows.NewScratch(dir)
	if err != nil {
		return nil, err
	}
	return pagesIn(file.File, file.Discard), nil
}

// OpenPages keeps pages at a path, and goes on behind the last of the marks that
// the file agrees with. What lies behind it is cut off.
func OpenPages(path string, marks []Mark) (*Pages, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	p := pagesIn(file, file.Close)
	if err := p.recover(marks); err != nil {
		return nil, errors.Join(fmt.Errorf("pages of the export in %s: %w", path, err), file.Close())
	}
	return p, nil
}

func pagesIn(file *os.File, free func() error) *Pages {
	return &Pages{file: file, free: free, out: bufio.NewWriterSize(file, 64<<10), in: bufio.NewReaderSize(nil, 64<<10), newer: map[int64]int64{}}
}

// recover finds the last mark that holds.
func (p *Pages) recover(marks []Mark) error {
	var held Mark
	var at Mark
	for _, m := range marks {
		n, err := io.CopyN(sumWriter{&at.Sum}, p.file, m.Bytes-at.Bytes)
		at.Bytes += n
		if errors.Is(err, io.EOF) || err == nil && at.Sum != m.Sum {
			break // the machine went down before the file was written
		}
		if err != nil {
			return err
		}
		held = m
	}
	if err := p.cut(held.Bytes); err != nil {
		return err
	}
	_, err := p.file.Seek(held.Bytes, io.SeekStart)
	p.size, p.ready, p.sum = held.Bytes, held.Bytes, held.Sum
	return err
}

// cut leaves alone what is as long as it has to be: some file systems write a
// file that was ever truncated to disk when it is closed.
func (p *Pages) cut(size int64) error {
	info, err := p.file.Stat()
	if err != nil || info.Size() == size {
		return err
	}
	return p.file.Truncate(size)
}

// sumWriter adds what is written to a CRC-32C.
type sumWriter struct{ sum *uint32 }

func (w sumWriter) Write(b []byte) (int, error) {
	*w.sum = crc32.Update(*w.sum, castagnoli, b)
	return len(b), nil
}

// Close lets go of the file.
func (p *Pages) Close() error {
	for _, x := range p.index {
		x.discard()
	}
	return p.free()
}

// indexed is an index of what lies in the pages; text reads the key of what lies
// at a place. It goes with the pages.
func (p *Pages) indexed(text func(place int64) (string, error)) *idIndex {
	x := newIDIndex(text)
	p.index = append(p.index, x)
	return x
}

// mark writes out what there is and says how much it is.
func (p *Pages) mark() (Mark, error) {
	return Mark{Bytes: p.size, Sum: p.sum}, p.flush()
}

func (p *Pages) flush() error {
	p.ready = p.size
	return p.out.Flush()
}

// line appends a line of several parts and says where it lies.
func (p *Pages) line(parts ...[]byte) (place int64, err error) {
	place = p.size
	for _, part := range append(parts, []byte{'\n'}) {
		p.sum = crc32.Update(p.sum, castagnoli, part)
		p.size += int64(len(part))
		if _, err := p.out.Write(part); err != nil {
			return 0, err
		}
	}
	return place, nil
}

// add keeps a resource, or that it is left out.
func (p *Pages) add(it item) (place int64, err error) {
	if !it.leftOut {
		return p.line(it.line)
	}
	quoted, err := scim.Encode(it.id)
	if err != nil {
		return 0, err
	}
	return p.line([]byte{lineLeftOut}, quoted)
}

// replace keeps a newer version of a resource in the place of an older one.
func (p *Pages) replace(old int64, it item) (place int64, err error) {
	head := strconv.AppendInt([]byte{lineNewer}, old, 10)
	if place, err = p.line(append(head, ' '), it.line); err != nil {
		return 0, err
	}
	p.newer[old] = place
	return place, nil
}

// at reads the line at a place, without its end. It is valid until the next
// call.
func (p *Pages) at(place int64) ([]byte, error) {
	const usual = 4 << 10
	for length := int64(usual); ; length *= 4 {
		text, err := p.bytes(place, length)
		if err != nil {
			return nil, err
		}
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			return text[:end], nil
		}
		if place+length >= p.size {
			return nil, errSpool
		}
	}
}

// bytes reads what lies at a place, at most a length of it. It is valid until
// the next call.
func (p *Pages) bytes(place, length int64) ([]byte, error) {
	length = min(length, p.size-place)
	if length <= 0 {
		return nil, errSpool
	}
	if place+length > p.ready {
		if err := p.flush(); err != nil {
			return nil, err
		}
	}
	p.buf = slices.Grow(p.buf[:0], int(length))[:length]
	_, err := p.file.ReadAt(p.buf, place)
	return p.buf, err
}

// resource is the JSON in a line, nil where it holds none.
func resource(line []byte) []byte {
	switch {
	case len(line) > 0 && line[0] == '{':
		return line
	case len(line) > 0 && line[0] == lineNewer:
		if _, text, ok := bytes.Cut(line, []byte{' '}); ok {
			return text
		}
	}
	return nil
}

// idAt is the id of the resource at a place.
func (p *Pages) idAt(place int64) (string, error) {
	line, err := p.at(place)
	if err != nil {
		return "", err
	}
	return lineID(line)
}

// lineID is what identifies the resource of a line.
func lineID(line []byte) (string, error) {
	if line[0] == lineLeftOut {
		v, err := scim.Decode(line[1:])
		id, _ := v.(string)
		return id, err
	}
	text := resource(line)
	r, err := scim.ParseResource(text)
	if err != nil {
		return "", err
	}
	return idOf(r.ID, text), nil
}

// lines hands the lines from a place on to do, each valid until the next.
func (p *Pages) lines(place int64, do func(place int64, line []byte) error) error {
	if err := p.flush(); err != nil {
		return err
	}
	in := p.in
	in.Reset(io.NewSectionReader(p.file, place, p.size-place))
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line = long
		}
		if err := do(place, line[:len(line)-1]); err != nil {
			return err
		}
		place += int64(len(line))
		long = long[:0]
	}
}

// Resources hands the resources to do, each once, in its newest version and
// in the order in which they were first read. The bytes are valid until do
// returns.
func (p *Pages) Resources(do func(text []byte) error) error {
	return p.lines(0, func(place int64, line []byte) error {
		if len(line) == 0 || line[0] != '{' {
			return nil
		}
		newest, changed := place, false
		for newer, ok := p.newer[newest]; ok; newer, ok = p.newer[newest] {
			newest, changed = newer, true
		}
		if changed {
			text, err := p.at(newest)
			if err != nil {
				return err
			}
			line = resource(text)
		}
		return do(line)
	})
}

// resourcesFrom hands the resources from a place on to do, in the version in
// which they were first read.
func (p *Pages) resourcesFrom(place int64, do func(text []byte) error) error {
	return p.lines(place, func(_ int64, line []byte) error {
		if len(line) == 0 || line[0] != '{' {
			return nil
		}
		return do(line)
	})
}

// restoreNewer takes over a line that holds a newer version.
func (p *Pages) restoreNewer(place int64, line []byte) error {
	head, _, _ := bytes.Cut(line[1:], []byte{' '})
	old, err := strconv.ParseInt(string(head), 10, 64)
	if err != nil || old < 0 || old >= place {
		return errSpool
	}
	p.newer[old] = place
	return nil
}
