package main

import (
	"context"
	"errors"

	"scimbulk/internal/pipeline"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitChanges     = 2
	exitIncomplete  = 3
	exitLimit       = 4
	exitUsage       = 64
	exitInterrupted = 130
)

const exitHelp = `
Exit codes:
  0    done
  1    stopped by an error: configuration, authentication, input or output
  2    --detailed-exitcode: plan has changes and no rejects, diff has differences
  3    finished, some rows rejected or unknown, or an export with gaps
  4    stopped by a limit: --max-errors, --max-deletes, --max-duration
  64   wrong usage
  130  interrupted, resumable
`

// exitError carries the exit code of a run that has said already what there is
// to say (its error is nil), or that still has to (it is not).
type exitError struct {
	error
	code int
}

func (e exitError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

func (e exitError) Unwrap() error { return e.error }

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var exit exitError
	var usage usageError
	var incomplete *pipeline.IncompleteError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &incomplete):
		return exitIncomplete
	case errors.Is(err, pipeline.ErrMaxErrors), errors.Is(err, pipeline.ErrMaxDeletes), errors.Is(err, pipeline.ErrMaxDuration):
		return exitLimit
	case errors.Is(err, pipeline.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}
