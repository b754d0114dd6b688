package pipeline

import "hash/maphash"

// idSet is a set of ids that holds a 64-bit hash of each: at most 22 bytes an
// id. Two ids of one hash would hide a resource about once in thirty million
// exports of a million; the reconciled totals would tell.
type idSet struct {
	seed  maphash.Seed
	table []uint64 // open addressing; 0 is free
	n     int
}

func newIDSet() *idSet { return &idSet{seed: maphash.MakeSeed(), table: make([]uint64, 1024)} }

// add says whether the id is new.
func (s *idSet) add(id string) bool {
	if 4*s.n >= 3*len(s.table) {
		s.grow()
	}
	if !s.insert(maphash.String(s.seed, id) | 1) {
		return false
	}
	s.n++
	return true
}

func (s *idSet) insert(hash uint64) bool {
	mask := uint64(len(s.table) - 1)
	for i := (hash >> 1) & mask; ; i = (i + 1) & mask {
		switch s.table[i] {
		case hash:
			return false
		case 0:
			s.table[i] = hash
			return true
		}
	}
}

func (s *idSet) grow() {
	old := s.table
	s.table = make([]uint64, 2*len(old))
	for _, hash := range old {
		if hash != 0 {
			s.insert(hash)
		}
	}
}
