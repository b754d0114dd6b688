package pipeline

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// lookupDirectory answers from one reading of the directory. The resources lie
// in a temporary file; memory holds 24 bytes or so for each.
type lookupDirectory struct {
	each   *lookupEach
	all    *Export
	seed   maphash.Seed
	places map[uint64]place // by the hash of the key
	file   *scratch

	other  *scim.Target     // the identity beside the key; nil where rows have none
	others map[uint64]place // by the hash of that
}

// place is where a resource lies in the file.
type place struct {
	offset int64
	length int32
	twice  bool // two resources have this key
}

// readDirectory reads the directory once.
func (r *run) readDirectory(ctx context.Context, each *lookupEach) (*lookupDirectory, error) {
	return r.readAll(ctx, each, r.directoryExport())
}

// readEverybody reads the directory for its own sake.
func (r *run) readEverybody(ctx context.Context) (*lookupDirectory, error) {
	each, err := r.newLookupEach()
	if err != nil {
		return nil, err
	}
	return r.readDirectory(ctx, each)
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
	file, err := newScratch("")
	if err != nil {
		return nil, err
	}
	l := &lookupDirectory{
		each: each, all: all, seed: maphash.MakeSeed(), places: map[uint64]place{}, file: file, other: other, others: map[uint64]place{},
	}
	listing, err := l.read(ctx, see)
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return l, err
}

func (l *lookupDirectory) discard() { _ = l.file.discard() } // nobody misses it

func (l *lookupDirectory) read(ctx context.Context, see func(*plan.Current) bool) (*Listing, error) {
	out := bufio.NewWriterSize(l.file, 64<<10)
	var offset int64
	listing, err := l.all.Run(ctx, func(resource scim.Resource) error {
		have, err := current(resource)
		if err != nil || see != nil && !see(have) {
			return err
		}
		key := l.keyOf(have)
		_, known := l.places[key]
		at := place{offset: offset, length: int32(len(resource.Raw))}
		l.noteOther(have, at)
		at.twice = known
		l.places[key] = at
		offset += int64(len(resource.Raw))
		_, err = out.Write(resource.Raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	return listing, out.Flush()
}

func (l *lookupDirectory) keyOf(have *plan.Current) uint64 {
	key, _ := valueAt(have.Object, l.each.target.Path).(string)
	return l.hash(key)
}

func (l *lookupDirectory) hash(key string) uint64 {
	return maphash.String(l.seed, mapping.Fold(l.each.target.Leaf(), key))
}

func (l *lookupDirectory) find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error) {
	at, known := l.places[l.hash(record.Key)]
	switch {
	case known && at.twice:
		return nil, &ambiguousError{l.each.target.Path.Short(), 2}
	case !known && !fresh:
		return nil, nil
	case !known:
		return l.findNew(ctx, record)
	}
	have, err := l.known(record.Key)
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
	at, known := l.places[l.hash(key)]
	if !known {
		return nil, nil
	}
	return l.at(at)
}

// at reads what lies at a place.
func (l *lookupDirectory) at(at place) (*plan.Current, error) {
	raw := make([]byte, at.length)
	if _, err := l.file.ReadAt(raw, at.offset); err != nil {
		return nil, err
	}
	resource, err := scim.ParseResource(raw)
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
	wanted, found := l.hash(record.Key), (*plan.Current)(nil)
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
