// Package report shows what a run plans, does and has done: the change set, the
// progress, the summary and the result files. What there is to show it gets
// from pipeline.
package report

import (
	"errors"
	"os"

	"scimbulk/internal/rows"
)

// Names of the files in a run's directory.
const (
	ResultsFile = "results.csv"
	SummaryFile = "summary.json"
	PlanFile    = "plan.jsonl"
)

// privateFile creates a file that only its owner may read, in place of an
// older one. Where a link stands there, it is the link that goes.
func privateFile(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// appendTo opens a file of ours to add to it.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// writeAside writes a file beside its place and moves it there when it is
// whole and on disk, so that nobody sees half of it. What a process leaves there
// that is killed meanwhile, the next one removes.
func writeAside(path string, content []byte) error {
	aside, err := rows.Aside(path)
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // no-op once it has moved
	if _, err = aside.Write(content); err == nil {
		err = aside.Sync()
	}
	if closeErr := aside.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}
