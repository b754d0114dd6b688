package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkOut sees that a file can be put at path, before any work is done for it.
// A file is written aside and renamed, which a device or a pipe would not
// survive.
func checkOut(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("--out %s: there is no folder %s to write it into", path, folder)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("--out %s is a folder: name a file in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("--out %s is no ordinary file: write to standard output with --out - and redirect it", path)
	}
	return nil
}
