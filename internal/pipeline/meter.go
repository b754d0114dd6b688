package pipeline

import (
	"sync/atomic"

	"scimbulk/internal/scim"
)

// Phases of a run, as the progress display names them.
const (
	PhaseCheck int32 = iota // the input is read through the mapping
	PhaseRun                // rows are carried out
	PhaseRead               // an export reads pages
	PhaseWrite              // an export writes its file
)

// Meter counts what a run has done so far. The run adds, the progress display
// reads; all methods of its fields are safe for concurrent use.
type Meter struct {
	Phase    atomic.Int32
	Total    atomic.Int64 // rows or resources to do; 0 while unknown
	Done     atomic.Int64
	Resumed  atomic.Int64 // of Done, by earlier sessions
	Rejected atomic.Int64
	Settling atomic.Int64 // rows that wait until a lost create can no longer come late

	// Pace says what limits the requests at the moment; nil where nobody knows.
	// It is set before the meter is shown.
	Pace func() scim.Pace
}
