package pipeline

import (
	"errors"
	"os"
)

// scratch is a temporary file that a killed process leaves no trace of, where
// the system lets open files lose their names.
type scratch struct {
	*os.File
	named bool
}

// newScratch makes one in a folder; "" is the system's.
func newScratch(dir string) (*scratch, error) {
	file, err := os.CreateTemp(dir, ".scimbulk-*")
	if err != nil {
		return nil, err
	}
	return &scratch{File: file, named: os.Remove(file.Name()) != nil}, nil
}

// discard lets go of the file.
func (s *scratch) discard() error {
	err := s.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.Name()))
	}
	return err
}
