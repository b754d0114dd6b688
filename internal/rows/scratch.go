package rows

import (
	"errors"
	"os"
)

// Scratch is a temporary file that a killed process leaves no trace of, where
// the system lets open files lose their names.
type Scratch struct {
	*os.File
	named bool
}

// NewScratch makes one in a folder, for its owner alone; "" is the system's.
func NewScratch(dir string) (*Scratch, error) {
	file, err := os.CreateTemp(dir, ".scimbulk-*")
	if err != nil {
		return nil, err
	}
	return &Scratch{File: file, named: os.Remove(file.Name()) != nil}, nil
}

// Discard lets go of the file.
func (s *Scratch) Discard() error {
	err := s.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.Name()))
	}
	return err
}
