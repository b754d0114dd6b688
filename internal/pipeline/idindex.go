package pipeline

import (
	"errors"
	"hash/maphash"
)

// idIndex finds texts again that are kept elsewhere, by where they lie. It takes
// eight bytes an entry, and has at least a third more entries than texts: a part
// of the text's hash, and its place. Since the place can be looked at, two texts
// of one hash are never taken for each other. Only find is safe for concurrent
// use, once nothing is put any more.
type idIndex struct {
	seed  maphash.Seed
	table slots // open addressing; 0 is free
	most  int   // slots in memory
	n     int
	// text reads what lies at a place.
	text func(place int64) (string, error)
}

const (
	placeBits = 36 // 64 GiB of texts
	placeMask = 1<<placeBits - 1
)

var errIndexFull = errors.New("more than 64 GiB of resources: export them in parts, with --filter")

func newIDIndex(text func(place int64) (string, error)) *idIndex {
	return &idIndex{seed: maphash.MakeSeed(), table: slots{mem: make([]uint64, 1024)}, most: mostInMemory, text: text}
}

// find says where a text lies.
func (x *idIndex) find(id string) (place int64, known bool, err error) {
	_, entry, err := x.slot(id)
	if err != nil || entry == 0 {
		return 0, false, err
	}
	return int64(entry&placeMask) - 1, true, nil
}

// put notes where a text lies, in place of where it lay before.
func (x *idIndex) put(id string, place int64) error {
	if place+1 >= placeMask {
		return errIndexFull
	}
	if 4*x.n >= 3*x.table.len() {
		if err := x.grow(); err != nil {
			return err
		}
	}
	at, had, err := x.slot(id)
	if err != nil {
		return err
	}
	if had == 0 {
		x.n++
	}
	return x.table.set(at, x.print(id)<<placeBits|uint64(place+1))
}

// print is the part of the hash that an entry holds. The slot where the search
// for a text begins is taken from it too, so that the table can grow without
// the texts.
func (x *idIndex) print(id string) uint64 { return maphash.String(x.seed, id) >> placeBits }

// slot is where a text is, or the free one where it belongs.
func (x *idIndex) slot(id string) (at, entry uint64, err error) {
	print, mask := x.print(id), uint64(x.table.len()-1)
	for at = print & mask; ; at = (at + 1) & mask {
		entry, err = x.table.get(at)
		if err != nil || entry == 0 {
			return at, 0, err
		}
		if entry>>placeBits != print {
			continue
		}
		there, err := x.text(int64(entry&placeMask) - 1)
		if err != nil || there == id {
			return at, entry, err
		}
	}
}

func (x *idIndex) grow() error {
	larger, err := newSlots(2*x.table.len(), x.most)
	if err != nil {
		return err
	}
	mask := uint64(larger.len() - 1)
	err = x.table.each(func(entry uint64) error {
		at := entry >> placeBits & mask
		for {
			taken, err := larger.get(at)
			if err != nil {
				return err
			}
			if taken == 0 {
				return larger.set(at, entry)
			}
			at = (at + 1) & mask
		}
	})
	x.table.discard()
	x.table = larger
	return err
}

// discard lets go of what the index keeps on disk.
func (x *idIndex) discard() { x.table.discard() }
