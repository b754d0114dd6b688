package pipeline

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// duplicates finds the rows of an input that share a key. It holds 12 bytes a
// row while it collects, in chunks that never move, and afterwards only the
// rows that do share one.
type duplicates struct {
	seed, shardSeed maphash.Seed
	shards          [256]shard
	twins           []twin // after find, by line
}

// shard holds the keys with one leading byte of the hash. A key is 72 bits of
// hash: among a million rows, two different keys meet with a chance of one in
// ten thousand million.
type shard struct {
	hashes [][]uint64
	lines  [][]uint32
	wanted []wanted
}

// wanted is a key whose first row somebody asks for.
type wanted struct {
	hash uint64
	line *uint32
}

// chunkRows keeps the unused ends of the chunks of all shards below 1 MiB.
const chunkRows = 256

func newDuplicates() *duplicates {
	return &duplicates{seed: maphash.MakeSeed(), shardSeed: maphash.MakeSeed()}
}

// add notes the key of the row at a line.
func (d *duplicates) add(key string, line int64) {
	s := d.shard(key)
	last := len(s.hashes) - 1
	if last < 0 || len(s.hashes[last]) == chunkRows {
		s.hashes = append(s.hashes, make([]uint64, 0, chunkRows))
		s.lines = append(s.lines, make([]uint32, 0, chunkRows))
		last++
	}
	s.hashes[last] = append(s.hashes[last], maphash.String(d.seed, key))
	s.lines[last] = append(s.lines[last], uint32(line))
}

// want asks find for the line of the first row with a key; line stays as it is
// where there is none.
func (d *duplicates) want(key string, line *uint32) {
	s := d.shard(key)
	s.wanted = append(s.wanted, wanted{maphash.String(d.seed, key), line})
}

func (d *duplicates) shard(key string) *shard {
	return &d.shards[maphash.String(d.shardSeed, key)&0xff]
}

// find looks for the rows that share a key and lets go of everything else.
func (d *duplicates) find() {
	var keys []keyAt // one array serves all shards
	for i := range d.shards {
		keys = d.findIn(&d.shards[i], keys[:0])
		d.shards[i] = shard{}
	}
	slices.SortFunc(d.twins, func(a, b twin) int { return cmp.Compare(a.line, b.line) })
}

// findIn sorts one shard: equal keys stand together then, in file order.
func (d *duplicates) findIn(s *shard, keys []keyAt) []keyAt {
	for i, chunk := range s.hashes {
		for j, hash := range chunk {
			keys = append(keys, keyAt{hash, s.lines[i][j]})
		}
	}
	slices.SortFunc(keys, func(a, b keyAt) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line))
	})
	for _, w := range s.wanted {
		at, ok := slices.BinarySearchFunc(keys, w.hash, func(k keyAt, hash uint64) int { return cmp.Compare(k.hash, hash) })
		if ok {
			*w.line = keys[at].line
		}
	}
	for start, i := 0, 1; i <= len(keys); i++ {
		if i < len(keys) && keys[i].hash == keys[start].hash {
			continue
		}
		if i-start > 1 {
			for _, k := range keys[start:i] {
				d.twins = append(d.twins, twin{k.line, keys[start].line, keys[i-1].line})
			}
		}
		start = i
	}
	return keys
}

type keyAt struct {
	hash uint64
	line uint32
}

// twin is a row that shares its key, with the first and the last row that have
// it.
type twin struct{ line, first, last uint32 }

// span is the lines of the first and of the last row with the key of the row at
// a line; 0 where no other row has it.
func (d *duplicates) span(line int64) (first, last int64) {
	at, ok := slices.BinarySearchFunc(d.twins, uint32(line), func(t twin, line uint32) int { return cmp.Compare(t.line, line) })
	if !ok {
		return 0, 0
	}
	return int64(d.twins[at].first), int64(d.twins[at].last)
}
