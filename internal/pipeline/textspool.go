package pipeline

import (
	"encoding/binary"

	"scimbulk/internal/rows"
)

// textSpool keeps texts on disk, to be read again in any order, at once and
// while others are added. The zero value is empty. It is not safe for concurrent
// use.
type textSpool struct {
	file *rows.Scratch
	tail []byte // what is not in the file yet
	size int64  // of the file
	head [firstRead]byte
}

// tailSize is how much is written at a time.
const tailSize = 32 << 10

// add appends a text and says where it lies.
func (s *textSpool) add(text string) (place int64, err error) {
	if s.file == nil {
		if s.file, err = rows.NewScratch(""); err != nil {
			return 0, err
		}
	}
	place = s.size + int64(len(s.tail))
	s.tail = appendText(s.tail, text)
	if len(s.tail) < tailSize {
		return place, nil
	}
	if _, err := s.file.WriteAt(s.tail, s.size); err != nil {
		return 0, err
	}
	s.size += int64(len(s.tail))
	s.tail = s.tail[:0]
	return place, nil
}

// text reads what lies at a place.
func (s *textSpool) text(place int64) (string, error) {
	if place < 0 || place >= s.size+int64(len(s.tail)) {
		return "", errSpool
	}
	if place >= s.size {
		rest := s.tail[place-s.size:]
		length, n := binary.Uvarint(rest)
		return string(rest[n : uint64(n)+length]), nil
	}
	head := s.head[:min(firstRead, s.size-place)]
	if _, err := s.file.ReadAt(head, place); err != nil {
		return "", err
	}
	length, n := binary.Uvarint(head)
	switch {
	case n <= 0 || length > uint64(s.size-place)-uint64(n):
		return "", errSpool
	case length <= uint64(len(head)-n):
		return string(head[n : uint64(n)+length]), nil
	}
	long := make([]byte, length)
	_, err := s.file.ReadAt(long, place+int64(n))
	return string(long), err
}

// discard lets go of the texts.
func (s *textSpool) discard() {
	if s.file != nil {
		_ = s.file.Discard() // nobody misses it
	}
}
