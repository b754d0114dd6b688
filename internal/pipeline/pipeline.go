// Package pipeline runs an import or an export from the first row to the last
// outcome: bounded, resumable, and with exactly one outcome a row. What a row
// means it asks mapping, what to do about it plan; requests it leaves to scim,
// the checkpoint log to journal, and everything that people see to report.
package pipeline

import (
	"strings"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Outcome is what became of a row. The words are those of results.csv.
type Outcome string

// The outcomes. A row that was not reached has none and counts as pending.
const (
	Created     Outcome = journal.Created
	Updated     Outcome = journal.Updated
	Replaced    Outcome = journal.Replaced
	Deleted     Outcome = journal.Deleted
	Deactivated Outcome = journal.Deactivated
	Unchanged   Outcome = journal.Unchanged
	Skipped     Outcome = journal.Skipped
	Rejected    Outcome = journal.Rejected
	Unknown     Outcome = journal.Unknown
)

// Reject classes. Those of requests come from [scim.Error.Class].
const (
	ClassData      = "data"
	ClassDuplicate = "duplicate"
	ClassConflict  = "conflict"
	ClassServer    = "server"
	ClassReference = "reference"

	// classTurnedOff marks, in the log alone, an update that turned somebody
	// inactive: resume goes on counting them.
	classTurnedOff = "inactive"
	// classLame marks a row that was written and whose second step or membership
	// failed: a run that was resumed is as incomplete as one that was not.
	classLame          = "incomplete"
	classLameTurnedOff = classTurnedOff + " " + classLame
)

// Result is the outcome of one row, with what an administrator needs to see why.
type Result struct {
	Row     *rows.Row
	Key     string
	Op      plan.Op
	Outcome Outcome
	Class   string   // of a reject
	Detail  string   // why, in a sentence; empty when all went well
	Notes   []string // what else there is to say, a sentence each
	Change  plan.Change
	Doubt   bool              // an earlier session had left the row in doubt
	Second  *plan.Change      // the row's second step, which sets references to rows that come later
	Seen    map[string]string // of what a dry run would change: see plan.Line
	Partial bool
	Names   map[string]string // of a dry run: what ids among the values stand for, where that is known
	Begun   bool              // its first step has been shown to Early, and Second alone is new
	Lame    bool              // the row was written, and lacks something that it asks for
	Leaver  bool              // no row, but somebody whom the input does not hold

	Resource      string   // the type of what is changed: a plan of people holds groups that they join
	Joins, Leaves []string // groups by name, of the person of the row: what a dry run announces

	ID            string
	Status        int // of the last answer, 0 when none was needed
	ScimType      string
	Attempts      int
	CorrelationID string

	turnedOff bool            // an update that turned somebody inactive
	postponed bool            // a second step is to come: this is what the first one would do
	waits     bool            // for its memberships: only the log is to know what it has come to
	step      int             // of the row's next intent
	mark      chan<- struct{} // no result: closed once all results before it are recorded
	promised  string          // of a dry run: stands for the id that the resource does not have yet
}

// say adds to what there is to say of a row.
func (r *Result) say(what string) {
	if r.Detail == "" {
		r.Detail = what
		return
	}
	r.Notes = append(r.Notes, what)
}

// Said is all that there is to say of a row, a sentence each; nothing when all
// went well.
func (r *Result) Said() []string {
	if r.Detail == "" {
		return nil
	}
	return append([]string{r.Detail}, r.Notes...)
}

// Text is all that there is to say of a row, in one line; "" when all went well.
func (r *Result) Text() string { return strings.Join(r.Said(), "; ") }

// Recorder keeps the results of a run. The collector alone calls it, from one
// goroutine. An error stops the run.
type Recorder interface {
	Record(*Result) error
	// Flush hands what was recorded to the operating system: only then is the
	// outcome logged, so that resume finds the files whole.
	Flush() error
}

// EarlyRecorder is a Recorder of a dry run that wants the first steps of rows
// with two in the place of their rows, since their outcomes come after all
// others: what is planned for one key must stay in order. Early is no outcome.
type EarlyRecorder interface {
	Early(*Result) error
}

// Counts are the totals of a run by outcome.
type Counts map[Outcome]int64

// Sum is the number of rows that have an outcome.
func (c Counts) Sum() int64 {
	var sum int64
	for _, n := range c {
		sum += n
	}
	return sum
}

// Totals are what a run did, all sessions of it together.
type Totals struct {
	Rows     int64 // in the input
	Counts   Counts
	Writes   map[string]int64 // by HTTP method: sent, or for a plan announced
	Requests journal.Stats
	Warnings []string
	Lookup   string // how the run found out what is there, and why
	// BulkRequests are those that carry writes: sent, or for a plan announced.
	BulkRequests int64
	Bulk         string // how writes travelled in bulk requests, or would; "" where none did
	// WriteRequests and Reads are the requests that a plan announces: those that
	// carry its writes, and those that find out what is there.
	WriteRequests, Reads int64
	Pending              int64
	Lame                 int64         // rows that were written and lack something that they ask for
	Absent               *AbsentTotals // people whom the input does not hold; nil where nobody asked
	Cause                error         // why a run ended early: ErrInterrupted or its like, or a failure
	StartedAt            time.Time
}

// Endpoint is where the resources of a type live.
func Endpoint(resource string) scim.Endpoint {
	if resource == "Group" {
		return scim.Groups
	}
	return scim.Users
}
