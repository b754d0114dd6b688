package pipeline

import (
	"context"
	"errors"
	"io"
	"runtime/debug"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/mapping"
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

// rowLayout is a layout whose cells do not depend on resources that come later.
type rowLayout interface {
	Layout
	Row(o scim.Object, visit func(column int, text string)) // in place of Add
	Numbered() []string                                     // the columns by their numbers
}

// See looks at a resource, while its page waits for its turn: several at a time.
// What it returns is called when the resource is taken over, one after the other,
// and keeps what was seen. The trees of resources take ten times the room of their
// text, and need not wait.
type See func(scim.Object) (keep func() error)

// File is what an export writes.
type File struct {
	Path   string // - is standard output
	Format string // FormatCSV or FormatJSONL
	BOM    bool   // before CSV, for programs that else take it for another encoding
	Schema *scim.ResourceSchema
	Stdout io.Writer
	// Draft is where the file is written while pages still come; "" to write it
	// when all have been read.
	Draft string
}

// exportGCPercent keeps garbage below half of the heap. That is pages on their
// way, which have few pointers, so that collecting it often costs little.
const exportGCPercent = 50

// WriteTo reads the directory and writes a file. A file with gaps is written
// too: the listing tells. each, if not nil, sees every resource, in each version
// that was read. When take is done, no further pages are read; what was read is
// in the pages, and the error is take's cause.
func (e *Export) WriteTo(take, ctx context.Context, f File, each See) (*Dump, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(exportGCPercent))
	pages := e.Pages
	if pages == nil {
		var err error
		if pages, err = NewPages(""); err != nil {
			return nil, err
		}
		defer pages.Close() // nobody misses it
	}
	columns := e.Layout
	if columns == nil && f.Format == FormatCSV {
		columns = mapping.NewColumns(f.Schema)
	}
	x := newListing(e, pages)
	var cells *cellSpool
	if r, ok := columns.(rowLayout); ok && f.Format == FormatCSV {
		var err error
		if cells, err = newCellSpool(r); err != nil {
			return nil, err
		}
		defer cells.close()
	}
	x.see = f.observer(columns, cells, each)
	d := &draft{file: f, pages: pages, columns: columns, cells: cells}
	defer d.discard()
	x.onward = d.follow
	if err := x.restore(); err != nil {
		return nil, err
	}
	listing, err := x.run(take, ctx)
	if err != nil {
		return nil, err
	}
	e.Meter.Phase.Store(PhaseWrite)
	return d.finish(listing)
}

// observer is what has to see each resource as it is read; nil if nothing has.
func (f File) observer(columns Layout, cells *cellSpool, each See) See {
	if f.Format != FormatCSV {
		return each
	}
	lay := func(o scim.Object) func() error {
		return func() error { columns.Add(o); return nil }
	}
	if cells != nil {
		lay = cells.lay
	}
	if each == nil {
		return lay
	}
	return func(o scim.Object) func() error {
		row, other := lay(o), each(o)
		return func() error { return errors.Join(row(), other()) }
	}
}

// restore takes over what an earlier session has read.
func (x *listing) restore() error {
	if x.pages.size == 0 {
		return nil
	}
	if err := x.pages.lines(0, x.restoreLine); err != nil {
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
	return x.see(object)()
}

// objects hands the resources to do as trees.
func (p *Pages) objects(do func(scim.Object) error) error {
	return p.Resources(func(text []byte) error {
		o, err := scim.DecodeObject(text)
		if err != nil {
			return err
		}
		return do(o)
	})
}
