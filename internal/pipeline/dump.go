package pipeline

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Dump is a file that an export fills: resources as the directory sent them
// (JSONL), or laid out in columns (CSV). It is whole, or not there.
type Dump struct {
	Path      string
	SHA256    string
	Bytes     int64
	Resources int64 // in the file; fewer than were read where some were left out
	Listing   *Listing
	Lost      []string // what the resources hold and the columns of a CSV file cannot
}

// Formats of an export.
const (
	FormatCSV   = "csv"
	FormatJSONL = "jsonl"
)

// Layout lays resources out as the rows of a CSV file.
type Layout interface {
	Add(scim.Object) // each resource, before Header
	Header() []string
	Cells(o scim.Object, header []string) []string
	Lost() []string // what the cells do not hold
}

// learner is a layout that shows the names of resources that others refer to.
type learner interface {
	Refers() bool
	Learn(scim.Object) // each resource, after Add and before Cells
}

// WriteTo reads the directory and writes the file at path (- is stdout), in the
// given format. A file with gaps is written too: the listing tells. each, if
// not nil, sees every resource.
func (e *Export) WriteTo(ctx context.Context, path, format string, schema *scim.ResourceSchema, stdout io.Writer, each func(scim.Object) error) (*Dump, error) {
	spool, err := newSpool(path)
	if err != nil {
		return nil, err
	}
	defer spool.discard()
	columns := e.Layout
	if columns == nil {
		columns = mapping.NewColumns(schema)
	}
	var kept int64
	listing, err := e.Run(ctx, func(r scim.Resource) error {
		object, err := e.inspect(r)
		if object == nil || err != nil {
			return err
		}
		if format == FormatCSV {
			columns.Add(object)
		}
		if each != nil {
			if err := each(object); err != nil {
				return err
			}
		}
		kept++
		return spool.add(r.Raw)
	})
	if err != nil {
		return nil, err
	}
	e.Meter.Phase.Store(PhaseWrite)
	out, err := rows.Create(path, stdout)
	if err != nil {
		return nil, err
	}
	if err := spool.write(out, format, columns); err != nil {
		out.Discard()
		return nil, err
	}
	if err := out.Commit(); err != nil {
		return nil, err
	}
	return &Dump{Path: path, SHA256: out.SHA256(), Bytes: out.Bytes(), Resources: kept, Listing: listing, Lost: columns.Lost()}, nil
}

// inspect decodes a resource. It returns nil for one that the export leaves
// out: where active and inactive people come in one listing, they are told
// apart here.
func (e *Export) inspect(r scim.Resource) (scim.Object, error) {
	object, err := scim.DecodeObject(r.Raw)
	if err != nil {
		return nil, fmt.Errorf("resource %s of the directory cannot be read: %w", r.ID, err)
	}
	if e.Endpoint == scim.Users && e.Inactive != InactiveInclude {
		_, active, _ := scim.Member(object, "active")
		if (active == false) != (e.Inactive == InactiveOnly) {
			return nil, nil
		}
	}
	return object, nil
}

// spool keeps the resources of an export on disk until their columns are
// known, one JSON text a line, so that memory does not grow with the directory.
type spool struct {
	file *scratch
	out  *bufio.Writer
}

func newSpool(path string) (*spool, error) {
	dir := filepath.Dir(path)
	if path == "-" {
		dir = os.TempDir()
	}
	file, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	return &spool{file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

func (s *spool) add(raw []byte) error {
	line, err := scim.OneLine(raw)
	if err != nil {
		return err
	}
	if _, err := s.out.Write(line); err != nil {
		return err
	}
	return s.out.WriteByte('\n')
}

func (s *spool) discard() { _ = s.file.discard() } // what there was to keep has been written

func (s *spool) write(out io.Writer, format string, columns Layout) error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if format == FormatJSONL {
		_, err := io.Copy(out, s.file)
		return err
	}
	return s.writeCSV(out, columns)
}

func (s *spool) writeCSV(out io.Writer, columns Layout) error {
	if l, ok := columns.(learner); ok && l.Refers() {
		if err := s.each(func(o scim.Object) error { l.Learn(o); return nil }); err != nil {
			return err
		}
	}
	w := csv.NewWriter(out)
	header := columns.Header()
	if err := w.Write(header); err != nil {
		return err
	}
	if err := s.each(func(o scim.Object) error { return w.Write(columns.Cells(o, header)) }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// each reads the resources from the start.
func (s *spool) each(do func(scim.Object) error) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for in := bufio.NewReaderSize(s.file, 64<<10); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, err := scim.DecodeObject(line)
		if err != nil {
			return err
		}
		if err := do(object); err != nil {
			return err
		}
	}
}
