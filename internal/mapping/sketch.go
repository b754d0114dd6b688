package mapping

import (
	"hash/fnv"
	"slices"
)

// sketchSize is how many distinct values of a column are told apart exactly;
// beyond, their number is estimated to within some three percent.
const sketchSize = 2048

// sketch holds the smallest hashes of the values of a column: what they say of
// distinct values, and of those that two columns have in common, holds for all
// values (bottom-k sampling), at 16 KiB a column however long the file.
type sketch struct {
	smallest []uint64 // sorted
	full     bool     // values have been left out
}

func (s *sketch) add(value string) {
	h := hashOf(value)
	if s.full && h >= s.smallest[len(s.smallest)-1] {
		return
	}
	i, known := slices.BinarySearch(s.smallest, h)
	if known {
		return
	}
	s.smallest = slices.Insert(s.smallest, i, h)
	if len(s.smallest) > sketchSize {
		s.smallest, s.full = s.smallest[:sketchSize], true
	}
}

// hashOf spreads FNV-1a over all bits, which the sketch needs and FNV does not
// do for short texts. It is the same in every run, and so is what is written.
func hashOf(value string) uint64 {
	f := fnv.New64a()
	f.Write([]byte(value))
	h := f.Sum64()
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// distinct is the number of different values, and whether it is exact.
func (s *sketch) distinct() (n int64, exact bool) {
	if !s.full {
		return int64(len(s.smallest)), true
	}
	share := float64(s.smallest[sketchSize-1]) / (1 << 64)
	return int64(float64(sketchSize-1) / share), false
}

// within is the share of the column's values that another column has too.
func (s *sketch) within(other *sketch) float64 {
	limit := ^uint64(0)
	for _, x := range []*sketch{s, other} {
		if x.full {
			limit = min(limit, x.smallest[len(x.smallest)-1])
		}
	}
	all, common := 0, 0
	for _, h := range s.smallest {
		if h > limit {
			break
		}
		all++
		if _, ok := slices.BinarySearch(other.smallest, h); ok {
			common++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(common) / float64(all)
}
