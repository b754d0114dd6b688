package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/journal"
)

// filtersFile holds the filters of a run's command line. They may name people,
// so that the checkpoint log has only a hash of each.
const filtersFile = "filters.json"

// filterFlags are the flags whose values go there.
var filterFlags = [...]string{"--filter=", "--protect="}

// filterOf finds the filter in an argument.
func filterOf(arg string) (flag, filter string, ok bool) {
	for _, flag := range filterFlags {
		if filter, ok := strings.CutPrefix(arg, flag); ok {
			return flag, filter, true
		}
	}
	return "", "", false
}

// hideFilters returns the command line as the log keeps it, and the filters that
// were taken out, by their hashes.
func hideFilters(run string, args []string) (hidden []string, filters map[string]string) {
	filters = map[string]string{}
	for _, arg := range args {
		if flag, filter, ok := filterOf(arg); ok {
			hash := fmt.Sprintf("%016x", journal.HashKey(run, filter))
			filters[hash] = filter
			arg = flag + hash
		}
		hidden = append(hidden, arg)
	}
	return hidden, filters
}

// keepFilters writes the filters of a run that begins, durably, since resume
// cannot do without them.
func keepFilters(dir string, filters map[string]string) error {
	path := filepath.Join(dir, filtersFile)
	if len(filters) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err // of an older run that never began
		}
		return nil
	}
	text, err := json.Marshal(filters, json.Deterministic(true))
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

// restoreFilters puts the filters back into the command line of a log, and
// refuses those that are not what the run began with.
func restoreFilters(dir, run string, args []string) ([]string, error) {
	var filters map[string]string
	restored := make([]string, len(args))
	for i, arg := range args {
		restored[i] = arg
		flag, hash, ok := filterOf(arg)
		if !ok {
			continue
		}
		if filters == nil {
			if err := readFilters(dir, &filters); err != nil {
				return nil, err
			}
		}
		filter, known := filters[hash]
		if !known || fmt.Sprintf("%016x", journal.HashKey(run, filter)) != hash {
			return nil, fmt.Errorf("%s does not hold the %s that the run began with: bring it back, or start a new run", filepath.Join(dir, filtersFile), strings.Trim(flag, "-="))
		}
		restored[i] = flag + filter
	}
	return restored, nil
}

func readFilters(dir string, filters *map[string]string) error {
	text, err := os.ReadFile(filepath.Join(dir, filtersFile))
	if err == nil {
		err = json.Unmarshal(text, filters)
	}
	if err != nil {
		return fmt.Errorf("reading the filters that the run began with: %w", err)
	}
	return nil
}
