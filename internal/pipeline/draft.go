package pipeline

import (
	"encoding/csv"
	"io"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// draft is the file of an export while it is written. It follows the pages as
// they come, as if no further column were to be needed and nobody were to change.
// Where that turns out wrong, it begins again, at the latest when all is known:
// what it becomes is the same at any rate.
type draft struct {
	file    File
	pages   *Pages
	columns Layout     // nil for JSONL
	cells   *cellSpool // nil where there are none, or some are of older versions

	out    *rows.Output // nil until it has begun
	csv    *csv.Writer
	header []string
	upTo   int64 // what was read is written up to here
	begun  int64 // so much was there when it began
	rows   int64
}

// follow writes what has come since. One that has to begin again does so when
// there is twice as much as the last time, so that this costs little.
func (d *draft) follow() error {
	if size := d.source(); d.file.Draft == "" || d.file.Path == "-" || size == nil || *size == 0 {
		return nil
	}
	if d.stale() {
		if *d.source() < 2*d.begun {
			return nil
		}
		d.discard()
	}
	if d.out == nil {
		if err := d.begin(); err != nil {
			return err
		}
	}
	return d.catchUp()
}

// source is the size of what the file can be written from, piece by piece; nil
// where all of it has to be known.
func (d *draft) source() *int64 {
	switch {
	case len(d.pages.newer) > 0:
		return nil
	case d.columns == nil:
		return &d.pages.size
	case d.cells != nil:
		return &d.cells.size
	}
	return nil
}

// stale says that there are columns of which the header knows nothing.
func (d *draft) stale() bool {
	return d.out != nil && d.cells != nil && d.cells.columns() != len(d.header)
}

// byteOrderMark tells spreadsheet programs that a file is UTF-8.
const byteOrderMark = "\ufeff"

// begin begins the file where its draft is to be, over what a session that was
// killed has left there; beside its place, where it is to have none.
func (d *draft) begin() (err error) {
	if d.file.Draft == "" || d.file.Path == "-" {
		d.out, err = rows.Create(d.file.Path, d.file.Stdout)
	} else {
		d.out, err = rows.CreateAt(d.file.Draft, d.file.Path)
	}
	if err != nil {
		return err
	}
	if size := d.source(); size != nil {
		d.begun = *size
	}
	if d.columns == nil {
		return nil
	}
	if d.file.BOM {
		if _, err := io.WriteString(d.out, byteOrderMark); err != nil {
			return err
		}
	}
	if d.cells != nil {
		d.header = d.cells.header() // other workers lay out rows
	} else {
		d.header = d.columns.Header()
	}
	d.csv = csv.NewWriter(d.out)
	return d.csv.Write(d.header)
}

// catchUp writes what is not written yet.
func (d *draft) catchUp() (err error) {
	size := d.source()
	switch {
	case size == nil && d.columns == nil:
		return d.pages.Resources(d.line)
	case size == nil:
		return d.layOut()
	case d.columns == nil:
		err = d.pages.resourcesFrom(d.upTo, d.line)
	default:
		err = d.cells.each(d.upTo, d.header, d.row)
	}
	d.upTo = *size
	return err
}

// layOut writes the rows of resources that are laid out anew.
func (d *draft) layOut() error {
	if l, ok := d.columns.(learner); ok && l.Refers() {
		if err := d.pages.objects(func(o scim.Object) error { l.Learn(o); return nil }); err != nil {
			return err
		}
	}
	return d.pages.objects(func(o scim.Object) error { return d.row(d.columns.Cells(o, d.header)) })
}

func (d *draft) line(text []byte) error {
	d.rows++
	if _, err := d.out.Write(text); err != nil {
		return err
	}
	_, err := d.out.Write([]byte{'\n'})
	return err
}

func (d *draft) row(cells []string) error {
	d.rows++
	return d.csv.Write(cells)
}

// finish writes what is left and puts the file in its place.
func (d *draft) finish(listing *Listing) (*Dump, error) {
	if len(d.pages.newer) > 0 {
		d.cells = nil
	}
	if d.source() == nil || d.stale() {
		d.discard()
	}
	if d.out == nil {
		if err := d.begin(); err != nil {
			return nil, err
		}
	}
	if err := d.catchUp(); err != nil {
		return nil, err
	}
	dump := &Dump{Path: d.file.Path, Listing: listing, Resources: d.rows}
	if d.columns != nil {
		d.csv.Flush()
		if err := d.csv.Error(); err != nil {
			return nil, err
		}
		dump.Lost = d.columns.Lost()
	}
	out := d.out
	d.out = nil
	if err := out.Commit(); err != nil {
		return nil, err
	}
	dump.SHA256, dump.Bytes = out.SHA256(), out.Bytes()
	return dump, nil
}

// discard lets go of what was written so far.
func (d *draft) discard() {
	if d.out != nil {
		d.out.Discard()
	}
	d.out, d.csv, d.header, d.upTo, d.rows = nil, nil, nil, 0, 0
}
