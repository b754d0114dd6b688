package pipeline

import (
	"bufio"
	"encoding/binary"
	"io"

	"scimbulk/internal/rows"
)

// mostInMemory is how many slots an index keeps in memory, 8 MiB of them: enough
// for some 700,000 resources. The system keeps those on disk near at hand as long
// as it has memory to spare.
const mostInMemory = 1 << 20

// slotSize is the size of a slot in bytes.
const slotSize = 8

// slots is a table of numbers, zero at first: in memory, or in a temporary file
// where there are many.
type slots struct {
	mem  []uint64
	file *rows.Scratch // nil where they are in memory
	n    int           // in the file
}

// newSlots makes n slots; more than most lie in a file.
func newSlots(n, most int) (slots, error) {
	if n <= most {
		return slots{mem: make([]uint64, n)}, nil
	}
	file, err := rows.NewScratch("")
	if err != nil {
		return slots{}, err
	}
	s := slots{file: file, n: n}
	if err := file.Truncate(int64(n) * slotSize); err != nil {
		s.discard()
		return slots{}, err
	}
	return s, nil
}

func (s *slots) len() int {
	if s.file != nil {
		return s.n
	}
	return len(s.mem)
}

func (s *slots) get(at uint64) (uint64, error) {
	if s.file == nil {
		return s.mem[at], nil
	}
	var b [slotSize]byte
	_, err := s.file.ReadAt(b[:], int64(at)*slotSize)
	return binary.LittleEndian.Uint64(b[:]), err
}

func (s *slots) set(at, v uint64) error {
	if s.file == nil {
		s.mem[at] = v
		return nil
	}
	var b [slotSize]byte
	binary.LittleEndian.PutUint64(b[:], v)
	_, err := s.file.WriteAt(b[:], int64(at)*slotSize)
	return err
}

// each calls do with all that are not zero, in their order.
func (s *slots) each(do func(v uint64) error) error {
	if s.file == nil {
		for _, v := range s.mem {
			if err := doUnlessZero(v, do); err != nil {
				return err
			}
		}
		return nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, int64(s.n)*slotSize), 64<<10)
	var b [slotSize]byte
	for range s.n {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return err
		}
		if err := doUnlessZero(binary.LittleEndian.Uint64(b[:]), do); err != nil {
			return err
		}
	}
	return nil
}

func doUnlessZero(v uint64, do func(uint64) error) error {
	if v == 0 {
		return nil
	}
	return do(v)
}

// discard lets go of the file.
func (s *slots) discard() {
	if s.file != nil {
		_ = s.file.Discard() // nobody misses it
	}
}
