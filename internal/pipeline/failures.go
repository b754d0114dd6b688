package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// failedWrite decides what an answer that is not a success means: an outcome, a
// further look, or the end of the run. What was refused before a further look is
// taken back in the log: what comes of that look is not its work.
func (w *row) failedWrite(ctx context.Context, err error, intent journal.Intent) (done bool, fatal error) {
	var failed *scim.Error
	if !errors.As(err, &failed) {
		return false, err
	}
	w.note(failed)
	if failed.Uniqueness() {
		w.sawUnique.Store(true)
	}
	switch {
	case ctx.Err() != nil:
		return false, ErrInterrupted
	case failed.Verdict() == scim.InDoubt:
		if w.sent != plan.ActCreate { // what is brought up to date after a create stays created
			w.sent = w.change.Action
		}
		w.settled = time.Now().Add(w.Settle)
		return false, w.sleep(ctx, w.pause())
	case pointless(failed):
		return false, errors.Join(err, w.withdraw(intent))
	}
	if done, fatal = w.refused(ctx, failed); !done && fatal == nil {
		fatal = w.withdraw(intent)
	}
	return done, fatal
}

// refused decides what a definite no means.
func (w *row) refused(ctx context.Context, failed *scim.Error) (done bool, fatal error) {
	switch {
	case failed.VersionConflict():
		return w.mistrustVersions(ctx)
	case w.patchRefused(failed):
		return false, nil // the next round sends a PUT
	case failed.Status == http.StatusNotFound && w.have != nil:
		return false, nil // gone since the look-up
	case failed.Uniqueness() && w.have == nil:
		return w.taken(ctx, failed)
	}
	w.reject(failed)
	if failed.Uniqueness() {
		if _, err := w.explainRefusal(ctx); err != nil {
			return false, err
		}
	}
	if w.counted {
		w.turnedOff.Add(-1)
	}
	return true, nil
}

// pause spaces attempts at a directory that fails.
func (w *row) pause() time.Duration {
	return time.Duration(rand.Int64N(int64(100*time.Millisecond) << w.rounds))
}

func (w *row) note(failed *scim.Error) {
	res := w.result
	res.Status, res.ScimType, res.CorrelationID = failed.Status, failed.ScimType, failed.CorrelationID
	res.Attempts += failed.Attempts
}

func (w *row) reject(failed *scim.Error) {
	w.result.Outcome, w.result.Class, w.result.Detail = Rejected, failed.Class(), failed.Error()
	if w.have != nil {
		w.result.ID = w.have.ID
	}
}

// pointless says whether an error would meet every other row too.
func pointless(failed *scim.Error) bool {
	return failed.Status == http.StatusUnauthorized || failed.Status == 0 && failed.Verdict() == scim.NotProcessed
}

// taken handles a 409 for a key that a look-up did not find: somebody else was
// quicker, nobody had looked, or the directory hides who has it.
func (w *row) taken(ctx context.Context, failed *scim.Error) (done bool, fatal error) {
	if err := w.look(ctx, true); err != nil {
		_, fatal = w.failedLookup(err)
		return fatal == nil, fatal
	}
	if w.have == nil {
		if done, fatal = w.explainRefusal(ctx); done || fatal != nil {
			return done, fatal
		}
		if w.have, fatal = w.lookHidden(ctx, time.Time{}); fatal != nil {
			return false, fatal
		}
		w.unshown = w.have != nil
	}
	if w.have == nil && w.sent == plan.ActCreate { // it may be ours: look-ups lag behind writes here and there
		if time.Now().Before(w.settled) {
			return false, w.await(ctx)
		}
		if err := w.lookLate(ctx); err != nil {
			_, fatal = w.failedLookup(err)
			return fatal == nil, fatal
		}
	}
	if w.have == nil {
		w.reject(failed)
		w.result.say("no look-up finds who has it, perhaps a deleted or hidden account")
		return true, nil
	}
	w.found = w.have
	return false, nil
}

// lookHidden looks in a reading of the directory for whom no look-up shows: the
// inactive, whom some directories keep out of look-ups, or anybody where the
// filters cannot cope with a name. It is read once, or again if that was before a
// moment.
func (w *row) lookHidden(ctx context.Context, since time.Time) (*plan.Current, error) {
	if w.Lookup != LookupAuto {
		return nil, nil
	}
	read := w.readInactive
	if w.Profile.LookupsSeeInactive || w.Profile.InactiveFilter == "" || w.Resource != "User" {
		read = w.readEverybody
	}
	hidden, err := w.hidden.after(ctx, since, func() (*lookupDirectory, error) { return read(ctx) })
	if err != nil {
		return nil, err
	}
	return hidden.known(w.record.Key)
}

// mistrustVersions stops sending If-Match where a version that was read just
// now is refused: some servers hand out weak tags and compare them strongly.
func (w *row) mistrustVersions(ctx context.Context) (done bool, fatal error) {
	refused := w.change.Version
	if err := w.look(ctx, true); err != nil {
		_, fatal = w.failedLookup(err)
		return fatal == nil, fatal
	}
	if w.have != nil && w.have.Version == refused {
		w.noIfMatch.Store(true)
	}
	return false, nil
}

// failedLookup rejects the row, or stops the run where looking is pointless.
func (w *row) failedLookup(err error) (*Result, error) {
	var ambiguous *ambiguousError
	if errors.As(err, &ambiguous) {
		w.result.Outcome, w.result.Class, w.result.Detail = Rejected, ClassConflict, err.Error()
		return w.result, nil
	}
	var gaps *IncompleteError
	if errors.As(err, &gaps) && w.sent != "" {
		return w.unknown(err.Error()), nil
	}
	failed, fatal := lookupFault(err)
	if fatal != nil {
		return nil, fatal
	}
	if w.sent != "" {
		return w.unknown(err.Error()), nil
	}
	w.note(failed)
	w.reject(failed)
	return w.result, nil
}

// lookupFault is the directory's answer to a look-up that it has refused to one
// row; fatal is an error that every other row would meet too.
func lookupFault(err error) (failed *scim.Error, fatal error) {
	if !errors.As(err, &failed) || pointless(failed) || failed.Status == http.StatusForbidden || failed.Status == http.StatusNotFound {
		return nil, err
	}
	return failed, nil
}

func (w *row) unknown(why string) *Result {
	w.result.Outcome = Unknown
	w.result.Detail = fmt.Sprintf("a %s may have been carried out and cannot be verified: %s", w.sent, why)
	return w.result
}

// giveUp ends a row that no number of rounds has settled.
func (w *row) giveUp() *Result {
	if w.sent == plan.ActCreate && w.have == nil {
		return w.unknown("the directory did not answer and shows no such resource")
	}
	w.result.Outcome, w.result.Class = Rejected, ClassServer
	w.result.Detail = fmt.Sprintf("the directory did not carry the %s out in %d attempts", w.change.Action, maxRounds)
	return w.result
}
