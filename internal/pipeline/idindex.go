package pipeline

import (
	"errors"
	"hash/maphash"
)

// idIndex finds texts again that are kept elsewhere, by where they lie. It takes
// eight bytes an entry, and has at least a third more entries than texts: a part
// of the text's hash, and its place. Since the place can be looked at, two texts
// of one hash are never taken for each other. It is not safe for concurrent use.
type idIndex struct {
	seed  maphash.Seed
	table []uint64 // open addressing; 0 is free
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
	return &idIndex{seed: maphash.MakeSeed(), table: make([]uint64, 1024), text: text}
}

// find says where a text lies.
func (x *idIndex) find(id string) (place int64, known bool, err error) {
	at, err := x.slot(id)
	if err != nil || x.table[at] == 0 {
		return 0, false, err
	}
	return int64(x.table[at]&placeMask) - 1, true, nil
}

// put notes where a text lies, in place of where it lay before.
func (x *idIndex) put(id string, place int64) error {
	if place+1 >= placeMask {
		return errIndexFull
	}
	if 4*x.n >= 3*len(x.table) {
		x.grow()
	}
	at, err := x.slot(id)
	if err != nil {
		return err
	}
	if x.table[at] == 0 {
		x.n++
	}
	x.table[at] = x.print(id)<<placeBits | uint64(place+1)
	return nil
}

// print is the part of the hash that an entry holds. The slot where the search
// for a text begins is taken from it too, so that the table can grow without
// the texts.
func (x *idIndex) print(id string) uint64 { return maphash.String(x.seed, id) >> placeBits }

// slot is where a text is, or the free one where it belongs.
func (x *idIndex) slot(id string) (at uint64, err error) {
	print, mask := x.print(id), uint64(len(x.table)-1)
	for at = print & mask; x.table[at] != 0; at = (at + 1) & mask {
		if x.table[at]>>placeBits != print {
			continue
		}
		there, err := x.text(int64(x.table[at]&placeMask) - 1)
		if err != nil || there == id {
			return at, err
		}
	}
	return at, nil
}

func (x *idIndex) grow() {
	old := x.table
	x.table = make([]uint64, 2*len(old))
	mask := uint64(len(x.table) - 1)
	for _, entry := range old {
		if entry == 0 {
			continue
		}
		at := entry >> placeBits & mask
		for x.table[at] != 0 {
			at = (at + 1) & mask
		}
		x.table[at] = entry
	}
}
