package pipeline

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"scimbulk/internal/scim"
)

// memberGroup is one group in the hands of a worker: its rows are decided, sent
// in chunks, and verified before they have their outcome.
type memberGroup struct {
	*memberRun
	id         string
	rows       []memberRow
	turn, next chan struct{} // a dry run shows the groups in the order of the file

	have    memberSet // nil where the directory does not show it
	batch   []*memberSend
	patches int       // numbers the requests
	late    time.Time // until then, a request that is in doubt may yet be carried out
}

// memberSend is a row on its way to the directory.
type memberSend struct {
	row   *memberRow
	user  string
	doubt *doubt
	step  int // of the next intent
	patch int // number of the request that carried it

	outcome       Outcome
	class, detail string
	status        int
	scimType      string
	attempts      int
	correlationID string
}

// carryOut does all rows of the group that have no outcome yet. What stops the
// run is its cause.
func (g *memberGroup) carryOut(ctx context.Context) {
	g.rows = slices.DeleteFunc(g.rows, func(m memberRow) bool { return g.done(int64(m.line)) })
	if len(g.rows) == 0 || g.take.Err() != nil {
		return
	}
	failed := g.read(ctx)
	if g.DryRun {
		select {
		case <-g.turn:
		case <-ctx.Done():
			return
		}
	}
	if failed == nil {
		failed = g.turns(ctx)
	} else {
		failed = g.unreadable(ctx, failed)
	}
	if failed != nil {
		g.stop(failed)
	}
}

func (g *memberGroup) read(ctx context.Context) (err error) {
	g.have, err = g.book.have(ctx, &g.rows[0])
	if len(g.have) == 0 && g.shown.Load() == membersHidden {
		g.have = nil
	}
	return err
}

// unreadable rejects the rows of a group that cannot be read.
func (g *memberGroup) unreadable(ctx context.Context, err error) error {
	if fatal := stopsRun(ctx, err); fatal != nil {
		return fatal
	}
	var failed *scim.Error
	errors.As(err, &failed)
	for i := range g.rows {
		s, err := g.book.begin(&g.rows[i])
		if err != nil {
			return err
		}
		if s.reject(failed); s.doubt != nil {
			s.unknown(failed)
		}
		if err := g.book.hand(g, []*memberSend{s}); err != nil {
			return err
		}
	}
	g.watch(&Result{Class: failed.Class(), Detail: err.Error()})
	return nil
}

// stopsRun picks the errors that no row can be blamed for.
func stopsRun(ctx context.Context, err error) error {
	var failed *scim.Error
	switch {
	case ctx.Err() != nil:
		return ErrInterrupted
	case !errors.As(err, &failed) || pointless(failed):
		return err
	}
	return nil
}

// turns carries out the first rows of all users, then the second ones of those
// who have several, and so on: what a file asks for one after the other comes
// one after the other.
func (g *memberGroup) turns(ctx context.Context) error {
	for rest := g.rows; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].turn == rest[0].turn {
			n++
		}
		if !g.late.IsZero() { // a request that was lost must not come after those that follow it
			if err := g.sleep(ctx, time.Until(g.late)); err != nil {
				return err
			}
			g.late = time.Time{}
		}
		if err := g.oneTurn(ctx, rest[:n]); err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) > 0 && !g.DryRun {
			g.recorded()
		}
	}
	return nil
}

// batchPatches is how many requests a group takes before it is read back. A
// group that has more members than that is read back as often as it grows by
// its own size, so that reading stays in proportion to writing.
const batchPatches = 50

func (g *memberGroup) batchSize() int {
	limit := int(g.limit.Load())
	return limit * max(batchPatches, len(g.have)/limit)
}

func (g *memberGroup) oneTurn(ctx context.Context, rows []memberRow) error {
	size := g.batchSize()
	for i := range rows {
		if g.take.Err() != nil {
			return ErrInterrupted
		}
		s, err := g.book.begin(&rows[i])
		if err != nil {
			return err
		}
		if s.doubt != nil {
			g.late = time.Now().Add(g.Settle)
		}
		if g.have != nil && g.satisfied(s) {
			if s.outcome = Unchanged; s.doubt != nil {
				s.outcome = Updated // by the session that had sent it
			}
			if err := g.book.hand(g, []*memberSend{s}); err != nil {
				return err
			}
			continue
		}
		if g.batch = append(g.batch, s); len(g.batch) < size {
			continue
		}
		if err := g.flush(ctx); err != nil {
			return err
		}
		size = g.batchSize()
	}
	return g.flush(ctx)
}

// satisfied says whether the group is as the row asks.
func (g *memberGroup) satisfied(s *memberSend) bool { return g.has(g.have, s.user) != s.row.remove }

// flush sends a batch, verifies it, and hands its results on. Rows that were
// not sent, or whose request is in doubt, have no outcome when the run is
// stopped.
func (g *memberGroup) flush(ctx context.Context) error {
	var stopped error
	for rest := g.batch; len(rest) > 0 && stopped == nil; {
		n := min(len(rest), int(g.limit.Load()))
		stopped = g.send(ctx, rest[:n])
		rest = rest[n:]
	}
	g.verify(ctx)
	err := g.book.hand(g, g.batch)
	g.batch = g.batch[:0]
	return errors.Join(stopped, err)
}

// verify reads the group back: servers have been seen to answer 200 and do
// nothing, and to do late what nobody waited for any more.
func (g *memberGroup) verify(ctx context.Context) {
	sent := slices.DeleteFunc(slices.Clone(g.batch), func(s *memberSend) bool { return s.outcome != Updated && s.outcome != Unknown })
	switch {
	case len(sent) == 0:
		return
	case g.DryRun:
		if g.have != nil {
			g.foreseen.more.Add(1)
		}
		return
	case g.have == nil:
		unverified(sent, "not verified: the directory does not show who is in a group")
		return
	}
	set, err := g.members(ctx, g.id)
	if err != nil {
		unverified(sent, "not verified: "+err.Error())
		return
	}
	g.have = set
	var undone []*memberSend
	for _, s := range sent {
		switch done := g.satisfied(s); {
		case done:
			s.outcome, s.detail = Updated, ""
		case s.outcome == Updated:
			undone = append(undone, s)
		}
	}
	if len(undone) == 0 {
		return
	}
	if g.anyHidden(ctx, undone) {
		unverified(undone, "not verified: the directory does not show who is in a group")
		return
	}
	g.pretended(undone)
}

// pretended rejects what the directory has only pretended to do.
func (g *memberGroup) pretended(rows []*memberSend) {
	for _, s := range rows {
		s.outcome, s.class = Rejected, ClassServer
		s.detail = "the directory answered as if it were done, but the user is not in the group afterwards"
		if s.row.remove {
			s.detail = "the directory answered as if it were done, but the user is in the group as before"
		}
	}
}

func unverified(sent []*memberSend, why string) {
	for _, s := range sent {
		if s.outcome == Updated {
			s.detail = why
		}
	}
}

// anyHidden says whether somebody who was added and is not shown is in the
// group all the same.
func (g *memberGroup) anyHidden(ctx context.Context, undone []*memberSend) bool {
	i := slices.IndexFunc(undone, func(s *memberSend) bool { return !s.row.remove })
	if i < 0 {
		return false
	}
	hidden, err := g.isInUnseen(ctx, undone[i].user)
	if hidden {
		g.have = nil
	}
	return hidden && err == nil
}

// gone says whether the group is not there any more.
func (g *memberGroup) gone(ctx context.Context) bool {
	_, err := g.members(ctx, g.id)
	var failed *scim.Error
	return errors.As(err, &failed) && (failed.Status == http.StatusNotFound || failed.Status == http.StatusGone)
}
