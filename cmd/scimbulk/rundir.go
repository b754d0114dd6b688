package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"scimbulk/internal/journal"
)

// runsFolder is where runs have their directories unless --run-dir says
// otherwise.
const runsFolder = "scimbulk-runs"

// newRunDir makes a run's directory and returns its absolute path. A directory
// that holds a run is left alone; one without is as good as new.
func newRunDir(given, command string) (string, error) {
	dir := given
	if dir == "" {
		suffix := make([]byte, 2)
		rand.Read(suffix) // never fails
		dir = filepath.Join(runsFolder, fmt.Sprintf("%s-%s-%x", command, time.Now().UTC().Format("20060102-150405"), suffix))
	}
	if _, err := os.Lstat(filepath.Join(dir, journal.FileName)); err == nil {
		return "", fmt.Errorf("%s holds a run already: go on with it by scimbulk resume %s, or name another --run-dir", dir, dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// digest describes a file, so that resume can tell whether it is the same.
func digest(path string) (*journal.Digest, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return nil, err
	}
	return &journal.Digest{Path: absolute(path), SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: n}, nil
}

// copyInput keeps standard input in the run's directory, so that it can be read
// twice and the run be resumed.
func copyInput(in io.Reader, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, in)
	return errors.Join(err, file.Sync(), file.Close())
}

// latestRun is the newest run that can be gone on with or, where none can, the
// newest that has a checkpoint log.
func latestRun() (string, error) {
	logs, err := filepath.Glob(filepath.Join(runsFolder, "*", journal.FileName))
	if err != nil {
		return "", err
	}
	changed := map[string]time.Time{}
	for _, log := range logs {
		if info, err := os.Stat(log); err == nil {
			changed[log] = info.ModTime()
		}
	}
	slices.SortFunc(logs, func(a, b string) int { return changed[b].Compare(changed[a]) })
	for _, log := range logs {
		state, err := journal.Read(filepath.Dir(log))
		if err == nil && !state.Finished {
			return filepath.Dir(log), nil
		}
	}
	if len(logs) == 0 {
		return "", fmt.Errorf("no run with a checkpoint log in %s: name the run's directory", runsFolder)
	}
	return filepath.Dir(logs[0]), nil
}
