package pipeline

import (
	"context"
	"encoding/csv"
	"io"

	"github.com/go-json-experiment/json"

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

// File is what an export writes.
type File struct {
	Path   string // - is standard output
	Format string // FormatCSV or FormatJSONL
	BOM    bool   // before CSV, for programs that else take it for another encoding
	Schema *scim.ResourceSchema
	Stdout io.Writer
}

// WriteTo reads the directory and writes a file. A file with gaps is written
// too: the listing tells. each, if not nil, sees every resource, in each version
// that was read. When take is done, no further pages are read; what was read is
// in the pages, and the error is take's cause.
func (e *Export) WriteTo(take, ctx context.Context, f File, each func(scim.Object) error) (*Dump, error) {
	pages := e.Pages
	if pages == nil {
		var err error
		if pages, err = NewPages(""); err != nil {
			return nil, err
		}
		defer pages.Close() // nobody misses it
	}
	columns := e.Layout
	if columns == nil {
		columns = mapping.NewColumns(f.Schema)
	}
	x := newListing(e, pages)
	if f.Format == FormatCSV || each != nil {
		x.see = func(o scim.Object) error {
			if f.Format == FormatCSV {
				columns.Add(o)
			}
			if each != nil {
				return each(o)
			}
			return nil
		}
	}
	if err := x.restore(); err != nil {
		return nil, err
	}
	listing, err := x.run(take, ctx)
	if err != nil {
		return nil, err
	}
	e.Meter.Phase.Store(PhaseWrite)
	return f.write(pages, columns, listing)
}

// restore takes over what an earlier session has read.
func (x *listing) restore() error {
	if x.pages.size == 0 {
		return nil
	}
	if err := x.pages.lines(x.restoreLine); err != nil {
		return err
	}
	x.Meter.Done.Store(x.count())
	x.Meter.Resumed.Store(x.count())
	return nil
}

func (x *listing) restoreLine(place int64, line []byte) error {
	if len(line) == 0 {
		return errSpool
	}
	if line[0] == lineState {
		x.progress = progress{}
		return json.Unmarshal(line[1:], &x.progress)
	}
	id, err := lineID(line)
	if err != nil {
		return err
	}
	if line[0] == lineNewer {
		if err := x.pages.restoreNewer(place, line); err != nil {
			return err
		}
	}
	if err := x.ids.put(id, place); err != nil {
		return err
	}
	text := resource(line)
	if x.see == nil || text == nil {
		return nil
	}
	object, err := scim.DecodeObject(text)
	if err != nil {
		return err
	}
	return x.see(object)
}

func (f File) write(pages *Pages, columns Layout, listing *Listing) (*Dump, error) {
	out, err := rows.Create(f.Path, f.Stdout)
	if err != nil {
		return nil, err
	}
	d := &Dump{Path: f.Path, Listing: listing}
	if f.Format == FormatJSONL {
		err = d.writeJSONL(out, pages)
	} else {
		err = d.writeCSV(out, pages, columns, f.BOM)
		d.Lost = columns.Lost()
	}
	if err != nil {
		out.Discard()
		return nil, err
	}
	if err := out.Commit(); err != nil {
		return nil, err
	}
	d.SHA256, d.Bytes = out.SHA256(), out.Bytes()
	return d, nil
}

func (d *Dump) writeJSONL(out io.Writer, pages *Pages) error {
	return pages.Resources(func(text []byte) error {
		d.Resources++
		if _, err := out.Write(text); err != nil {
			return err
		}
		_, err := out.Write([]byte{'\n'})
		return err
	})
}

// byteOrderMark tells spreadsheet programs that a file is UTF-8.
const byteOrderMark = "\ufeff"

func (d *Dump) writeCSV(out io.Writer, pages *Pages, columns Layout, bom bool) error {
	decoded := func(do func(scim.Object) error) error {
		return pages.Resources(func(text []byte) error {
			o, err := scim.DecodeObject(text)
			if err != nil {
				return err
			}
			return do(o)
		})
	}
	if l, ok := columns.(learner); ok && l.Refers() {
		if err := decoded(func(o scim.Object) error { l.Learn(o); return nil }); err != nil {
			return err
		}
	}
	if bom {
		if _, err := io.WriteString(out, byteOrderMark); err != nil {
			return err
		}
	}
	w := csv.NewWriter(out)
	header := columns.Header()
	if err := w.Write(header); err != nil {
		return err
	}
	err := decoded(func(o scim.Object) error {
		d.Resources++
		return w.Write(columns.Cells(o, header))
	})
	if err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
