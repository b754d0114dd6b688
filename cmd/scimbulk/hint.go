package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/scim"
)

// advise prints how an error can be mended, where that is known.
func advise(out io.Writer, err error) {
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(out, "hint:", hint)
	}
}

// resumableError is what ended a run that can be gone on with, by its directory.
type resumableError struct {
	error
	run string
}

func (e *resumableError) Unwrap() error { return e.error }

// makeRoom says what to do about a full disk.
func makeRoom(err error) string {
	var run *resumableError
	if !errors.As(err, &run) {
		return "make room first"
	}
	return "nothing is sent that cannot be recorded: make room, and go on with scimbulk resume " + run.run
}

// sayOnce leaves the first of the errors of one full disk: every file of a run
// says so.
func sayOnce(err error) error {
	var kept []error
	full := false
	for _, e := range joined(err) {
		if errors.Is(e, syscall.ENOSPC) {
			if full {
				continue
			}
			full = true
		}
		kept = append(kept, e)
	}
	return errors.Join(kept...)
}

// joined takes errors apart that were joined.
func joined(err error) []error {
	if run, ok := err.(*resumableError); ok {
		err = run.error
	}
	list, ok := err.(interface{ Unwrap() []error })
	if !ok || errors.Join(list.Unwrap()...).Error() != err.Error() { // it says something itself
		return []error{err}
	}
	var all []error
	for _, e := range list.Unwrap() {
		all = append(all, joined(e)...)
	}
	return all
}

// hintFor turns what a directory answered, or a limit, into what to do on this
// command line.
func hintFor(err error) string {
	switch {
	case errors.Is(err, pipeline.ErrMaxErrors):
		return "if the rejects are as they should be, raise --max-errors when you resume; else mend the file or the mapping and start anew"
	case errors.Is(err, pipeline.ErrMaxDeletes):
		return "if that many people are meant, raise --max-deletes"
	case errors.Is(err, syscall.ENOSPC):
		return makeRoom(err)
	case errors.Is(err, journal.ErrGone):
		return "without its checkpoint.log this run cannot be resumed: results.csv lists what is done; import the file anew for the rest"
	}
	var failed *scim.Error
	if !errors.As(err, &failed) || failed.HTML {
		return ""
	}
	switch failed.Status {
	case 0:
		if lost := (*net.OpError)(nil); errors.As(err, &lost) && failed.Unsent {
			return "is the directory running, and is its URL (--url, --region) right?"
		}
	case http.StatusUnauthorized:
		return "set SCIMBULK_TOKEN, or --token-file, to a token that the directory takes (a new one, where this has expired), or check SCIMBULK_CLIENT_ID and SCIMBULK_CLIENT_SECRET"
	case http.StatusForbidden:
		return "the directory knows who is asking and does not permit this: the token or OAuth client needs a role or scope for reading and writing users and groups"
	case http.StatusNotFound:
		return "is --url the base to which /Users is appended, such as https://example.com/scim/v2?"
	}
	return ""
}
