package journal

import (
	"errors"
	"fmt"
)

var (
	// ErrGone says that the log was deleted, replaced or written by somebody
	// else while a run was using it. Nothing more may be sent.
	ErrGone = errors.New("deleted, replaced or changed under the run")

	// ErrEnded says that Finish or Close was called before.
	ErrEnded = errors.New("the session has ended")
)

// A DamageError says where a log is not as it was written. It is never
// returned for a torn tail.
type DamageError struct {
	Path   string
	Record int64 // counted from 1
	Line   int64 // in the log; a record is a line, so it equals Record
	Offset int64 // of the record's first byte
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s:%d: record %d at byte %d is damaged: %s", e.Path, e.Line, e.Record, e.Offset, e.Reason)
}

// A FormatError says that a newer version of the program wrote the log.
type FormatError struct {
	Path   string
	Format int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: log format %d is newer than this scimbulk, which reads up to %d: resume with the version that started the run",
		e.Path, e.Format, Format)
}

// A LockError says that another process uses the run's directory.
type LockError struct {
	Path string // of the lock file
	PID  int    // who holds it, 0 if that cannot be told
}

func (e *LockError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s: the run is in use by %s", e.Path, who)
}
