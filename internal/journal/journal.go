// Package journal keeps the append-only checkpoint log that makes a run
// resumable: what is about to be sent is durable in it before it is sent, and
// what became of every row is in it afterwards. It knows nothing of SCIM, of
// rows or of mappings; what a row in doubt means is for its caller to settle.
//
// The format is described in docs/checkpoint.md.
package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// FileName is the log's name in a run's directory.
	FileName = "checkpoint.log"

	// Format is the version of the log that this package writes, and the
	// newest that it reads.
	Format = 1

	lockName = "checkpoint.lock"
	newName  = FileName + ".new"
)

// What became of a row. A row that was not reached, or not settled yet, has no
// outcome in the log.
const (
	Created     = "created"
	Updated     = "updated"
	Replaced    = "replaced"
	Deleted     = "deleted"
	Deactivated = "deactivated"
	Unchanged   = "unchanged"
	Skipped     = "skipped"
	Rejected    = "rejected"
	Unknown     = "unknown"
)

// A Digest names a file and what was in it.
type Digest struct {
	Path   string `json:"path"` // absolute
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// A Header says which run a log belongs to and what resume must find
// unchanged. It must hold no secret and no personal data.
type Header struct {
	Format   int               `json:"format"` // set by Create
	Run      string            `json:"run"`
	Command  string            `json:"command"`
	Args     []string          `json:"args,omitempty"` // the command line, without secrets
	Target   string            `json:"target,omitempty"`
	Provider string            `json:"provider,omitempty"`
	Input    *Digest           `json:"input,omitempty"`
	Mapping  *Digest           `json:"mapping,omitempty"`
	Started  time.Time         `json:"started"`            // set by Create if zero
	Settings map[string]string `json:"settings,omitempty"` // what resume must set again
}

// An Intent says that a request about a row may be sent from now on.
type Intent struct {
	Line int64     // of the row in its input, from 1
	Step int       // 0 for the row's first request; its later steps and member chunks count up
	Key  uint64    // HashKey of the row's key
	Op   string    // what is asked for: create, patch, …
	At   time.Time // kept to the millisecond; by the directory's clock where that is known; now if zero

	// Absent says that a look-up before this intent found no such resource:
	// one that is found later is ours.
	Absent bool

	// Before and After are hashes of the resource as it was seen and as it
	// shall be; 0 where there is none.
	Before, After uint64

	// Tries is how often the log holds this intent, set by State.InDoubt:
	// above 1, an earlier session left it in doubt too.
	Tries int
}

// An Outcome says what became of a row. Resource ids stay out of the log:
// results.csv holds them, and its line is written before the outcome.
type Outcome struct {
	Line     int64  // of the row in its input, from 1
	Outcome  string // Created, Updated, …
	Class    string // of a reject, else empty
	Attempts int    // requests that the row took; State does not keep it
}

// Stats are the running totals of one session. Rate and Seconds are kept to
// the thousandth.
type Stats struct {
	GET       int64   `json:"GET,omitzero"`
	POST      int64   `json:"POST,omitzero"`
	PUT       int64   `json:"PUT,omitzero"`
	PATCH     int64   `json:"PATCH,omitzero"`
	DELETE    int64   `json:"DELETE,omitzero"`
	Retried   int64   `json:"retried,omitzero"`
	Throttled int64   `json:"throttled,omitzero"`
	Rate      float64 `json:"rate,omitzero"` // learned pace, requests a second
	Seconds   float64 `json:"seconds,omitzero"`
}

// plus adds a later session: counts add up, the pace is the one learned last.
func (s Stats) plus(later Stats) Stats {
	s.GET += later.GET
	s.POST += later.POST
	s.PUT += later.PUT
	s.PATCH += later.PATCH
	s.DELETE += later.DELETE
	s.Retried += later.Retried
	s.Throttled += later.Throttled
	s.Seconds += later.Seconds
	if later.Rate > 0 {
		s.Rate = later.Rate
	}
	return s
}

// A Summary ends a session in order.
type Summary struct {
	Finished bool  // nothing is left to do; false when interrupted or stopped by a limit
	Exit     int   // the process's exit code
	Read     int64 // rows read so far, where that is known
}

// HashKey hashes a row's key for Intent.Key. It is salted with the run, so
// that two logs cannot be joined on it; whoever guesses a key can still check
// the guess.
func HashKey(run, key string) uint64 {
	sum := sha256.Sum256([]byte(run + "\x00" + key))
	return binary.BigEndian.Uint64(sum[:8])
}
