package pipeline

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// lookupDirectory answers from one reading of the directory. The resources lie
// in a temporary file; memory holds 20 bytes or so for each, and those lie on
// disk too where they are many.
type lookupDirectory struct {
	each *lookupEach
	all  *Export
	file *rows.Scratch
	out  *bufio.Writer // into the file; nil when all is read
	keys *holders

	other  *scim.Target // the identity beside the key; nil where rows have none
	others *holders
}

// holders finds the entry of a resource by an identity.
type holders struct {
	index *idIndex
	twice map[int64]bool // the entries whose identity another resource has too
}

func newHolders(text func(place int64) (string, error)) *holders {
	return &holders{index: newIDIndex(text), twice: map[int64]bool{}}
}

// put notes who has an identity; nobody is found by none.
func (h *holders) put(folded string, place int64) error {
	if folded == "" {
		return nil
	}
	first, known, err := h.index.find(folded)
	if err != nil {
		return err
	}
	if known {
		h.twice[first] = true
		return nil
	}
	return h.index.put(folded, place)
}

// An entry of the file has these parts, each behind its length.
const (
	entryKey   = iota // folded
	entryOther        // folded
	entryResource
	entryParts
)

// entryRead is how much is read of an entry at first: most are no larger.
const entryRead = 2 << 10

// part reads a part of an entry.
func (l *lookupDirectory) part(place int64, which int) (string, error) {
	if l.out != nil {
		if err := l.out.Flush(); err != nil {
			return "", err
		}
	}
	for length := entryRead; ; length *= 4 {
		text := make([]byte, length)
		n, err := l.file.ReadAt(text, place)
		if err != nil && err != io.EOF {
			return "", err
		}
		d := &rowDecoder{rest: string(text[:n])}
		for range which {
			d.text()
		}
		if part := d.text(); !d.bad {
			return part, nil
		}
		if err == io.EOF {
			return "", errSpool
		}
	}
}

func (l *lookupDirectory) write(parts [entryParts]string) (length int64, err error) {
	for _, part := range parts {
		head := binary.AppendUvarint(nil, uint64(len(part)))
		if _, err := l.out.Write(head); err != nil {
			return 0, err
		}
		if _, err := l.out.WriteString(part); err != nil {
			return 0, err
		}
		length += int64(len(head) + len(part))
	}
	return length, nil
}

// readDirectory reads the directory once.
func (r *run) readDirectory(ctx context.Context, each *lookupEach, all *Export) (*lookupDirectory, error) {
	r.foreseen.read(r.Import)
	return r.readAll(ctx, each, all)
}

// readEverybody reads the directory for its own sake.
func (r *run) readEverybody(ctx context.Context) (*lookupDirectory, error) {
	each, err := r.newLookupEach()
	if err != nil {
		return nil, err
	}
	return r.readDirectory(ctx, each, r.directoryExport())
}

// readInactive reads the inactive people.
func (r *run) readInactive(ctx context.Context) (*lookupDirectory, error) {
	each, err := r.newLookupEach()
	if err != nil {
		return nil, err
	}
	all := r.directoryExport()
	all.Inactive = InactiveOnly
	return r.readAll(ctx, each, all)
}

func (r *run) readAll(ctx context.Context, each *lookupEach, all *Export) (*lookupDirectory, error) {
	l, err := readWhole(ctx, each, all, r.other, nil)
	if l != nil {
		r.atEnd(l.discard)
	}
	return l, err
}

// readWhole reads the directory, and fails where the reading has gaps. Resources
// are found by their keys and, if other is not nil, by that identity too. see,
// if not nil, says of each resource whether the reading keeps it.
func readWhole(ctx context.Context, each *lookupEach, all *Export, other *scim.Target, see func(*plan.Current) bool) (*lookupDirectory, error) {
	file, err := rows.NewScratch("")
	if err != nil {
		return nil, err
	}
	l := &lookupDirectory{each: each, all: all, file: file, other: other}
	l.keys = newHolders(func(place int64) (string, error) { return l.part(place, entryKey) })
	l.others = newHolders(func(place int64) (string, error) { return l.part(place, entryOther) })
	listing, err := l.read(ctx, see)
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return l, err
}

func (l *lookupDirectory) discard() {
	l.keys.index.discard()
	l.others.index.discard()
	_ = l.file.Discard() // nobody misses it
}

func (l *lookupDirectory) read(ctx context.Context, see func(*plan.Current) bool) (*Listing, error) {
	l.out = bufio.NewWriterSize(l.file, 64<<10)
	var place int64
	listing, err := l.all.Run(ctx, func(resource scim.Resource) error {
		have, err := current(resource)
		if err != nil || see != nil && !see(have) {
			return err
		}
		key, other := l.keyOf(have), l.otherOf(have)
		length, err := l.write([entryParts]string{entryKey: key, entryOther: other, entryResource: string(resource.Raw)})
		if err == nil {
			err = errors.Join(l.keys.put(key, place), l.others.put(other, place))
		}
		place += length
		return err
	})
	if err == nil {
		err = l.out.Flush()
	}
	l.out = nil
	return listing, err
}

func (l *lookupDirectory) keyOf(have *plan.Current) string {
	key := textIn(have.Object, l.each.target.Path)
	return l.fold(key)
}

func (l *lookupDirectory) fold(key string) string { return mapping.Fold(l.each.target.Leaf(), key) }

// otherOf is the other identity of a resource, folded; "" where rows have none.
func (l *lookupDirectory) otherOf(have *plan.Current) string {
	if l.other == nil {
		return ""
	}
	return mapping.Fold(l.other.Leaf(), textAt(have, l.other.Path))
}

func (l *lookupDirectory) find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error) {
	at, known, err := l.keys.index.find(l.fold(record.Key))
	switch {
	case err != nil:
		return nil, err
	case known && l.keys.twice[at]:
		return nil, &ambiguousError{l.each.target.Path.Short(), 2}
	case !known && !fresh:
		return nil, nil
	case !known:
		return l.findNew(ctx, record)
	}
	have, err := l.at(at)
	if err != nil || !fresh {
		return have, err
	}
	now, err := l.each.byID(ctx, have.ID)
	if err == nil && now == nil { // it is gone, and perhaps another one is there
		return l.findNew(ctx, record)
	}
	return now, err
}

// known is what the reading has brought under a key, nil for nothing.
func (l *lookupDirectory) known(key string) (*plan.Current, error) {
	at, known, err := l.keys.index.find(l.fold(key))
	if err != nil || !known {
		return nil, err
	}
	return l.at(at)
}

// at reads the resource of an entry.
func (l *lookupDirectory) at(place int64) (*plan.Current, error) {
	raw, err := l.part(place, entryResource)
	if err != nil {
		return nil, err
	}
	resource, err := scim.ParseResource([]byte(raw))
	if err != nil {
		return nil, err
	}
	have, err := current(resource)
	if have != nil {
		have.Attributes = l.all.Attributes
	}
	return have, err
}

// findNew finds what was not there when the directory was read.
func (l *lookupDirectory) findNew(ctx context.Context, record *mapping.Record) (*plan.Current, error) {
	have, err := l.each.find(ctx, record, true)
	var filter *filterError
	if !errors.As(err, &filter) {
		return have, err
	}
	wanted, found := l.fold(record.Key), (*plan.Current)(nil)
	_, err = l.all.Run(ctx, func(resource scim.Resource) error {
		have, err := current(resource)
		if err == nil && l.keyOf(have) == wanted {
			found = have
		}
		return err
	})
	return found, err
}

// onceDirectory is a directory that is read when somebody needs it, once.
type onceDirectory struct {
	mu        sync.Mutex
	directory *lookupDirectory
}

func (o *onceDirectory) get() *lookupDirectory {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.directory
}

func (o *onceDirectory) read(read func() (*lookupDirectory, error)) (*lookupDirectory, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.directory != nil {
		return o.directory, nil
	}
	directory, err := read()
	if err == nil {
		o.directory = directory
	}
	return directory, err
}
