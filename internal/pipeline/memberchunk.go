package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// send brings a chunk to its outcome: no user is in it twice. Adding who is in
// and removing who is not change nothing, so that what is in doubt can be sent
// again. An error stops the run; rows without an outcome stay without one.
func (g *memberGroup) send(ctx context.Context, chunk []*memberSend) error {
	if g.DryRun {
		g.carried(chunk)
		return nil
	}
	for round := range maxRounds {
		chunk = slices.DeleteFunc(slices.Clone(chunk), func(s *memberSend) bool { return s.outcome != "" })
		if len(chunk) == 0 {
			return nil
		}
		if g.take.Err() != nil {
			return ErrInterrupted
		}
		failed, err := g.patch(ctx, chunk)
		switch {
		case failed == nil || err != nil:
			return err
		case failed.Verdict() != scim.InDoubt:
			return g.refused(ctx, chunk, failed)
		}
		if err := g.settleChunk(ctx, chunk, round); err != nil {
			return err
		}
	}
	for _, s := range chunk {
		if s.outcome == "" {
			s.unknown(errors.New("the directory did not answer"))
		}
	}
	g.watch(&Result{Class: ClassServer, Detail: "the directory did not answer"})
	return nil
}

// patch sends one request. failed is the directory's answer where it is no
// success, err what stops the run.
func (g *memberGroup) patch(ctx context.Context, chunk []*memberSend) (failed *scim.Error, err error) {
	body, err := scim.EncodePatch(scim.MemberPatch(comingAndGoing(chunk)))
	if err != nil {
		return nil, err
	}
	if err := g.keepReplaced(chunk); err != nil {
		return nil, err
	}
	intents := g.intents(chunk)
	if err := g.Log.Intend(ctx, intents); err != nil {
		return nil, err
	}
	resp, err := g.Client.Patch(ctx, scim.Groups, g.id, body, "")
	if err == nil {
		for _, s := range chunk {
			s.status, s.scimType, s.correlationID = resp.Status, "", resp.CorrelationID
			s.attempts += resp.Attempts
		}
		g.carried(chunk)
		g.watch(&Result{})
		return nil, nil
	}
	if !errors.As(err, &failed) {
		return nil, err
	}
	for _, s := range chunk {
		s.status, s.scimType, s.correlationID = failed.Status, failed.ScimType, failed.CorrelationID
		s.attempts += failed.Attempts
	}
	if fatal := stopsRun(ctx, err); fatal != nil {
		if ctx.Err() == nil {
			fatal = errors.Join(fatal, g.Log.Withdraw(intents))
		}
		return failed, fatal
	}
	return failed, nil
}

func comingAndGoing(chunk []*memberSend) (add, remove []string) {
	for _, s := range chunk {
		if s.row.remove {
			remove = append(remove, s.user)
		} else {
			add = append(add, s.user)
		}
	}
	return add, remove
}

// intents are one a row: each has its own outcome.
func (g *memberGroup) intents(chunk []*memberSend) []journal.Intent {
	list := make([]journal.Intent, len(chunk))
	for i, s := range chunk {
		list[i] = journal.Intent{
			Line: int64(s.row.line), Step: s.step, Key: g.membershipKey(g.id, s.user),
			Op: string(s.row.op()), At: g.Client.ServerTime(),
		}
		s.step++
	}
	return list
}

// carried notes that one request has brought the rows about, or would.
func (g *memberGroup) carried(chunk []*memberSend) {
	g.patches++
	g.writes.add(&plan.Change{Action: plan.ActUpdate, Patch: []scim.PatchOperation{{}}})
	for _, s := range chunk {
		s.outcome, s.patch = Updated, g.patches
		switch {
		case g.have == nil:
		case s.row.remove:
			g.drop(g.have, s.user)
		default:
			g.put(g.have, s.user)
		}
	}
}

// settleChunk finds out which rows of a request in doubt were carried out. The
// others have no outcome yet.
func (g *memberGroup) settleChunk(ctx context.Context, chunk []*memberSend, round int) error {
	g.late = time.Now().Add(g.Settle)
	if err := g.sleep(ctx, time.Duration(rand.Int64N(int64(100*time.Millisecond)<<round))); err != nil {
		return err
	}
	if g.have == nil {
		return nil
	}
	set, err := g.members(ctx, g.id)
	if fatal := stopsRun(ctx, err); err != nil && fatal != nil {
		return fatal
	}
	if err != nil {
		for _, s := range chunk {
			s.unknown(err)
		}
		return nil
	}
	g.have = set
	if done := slices.DeleteFunc(slices.Clone(chunk), func(s *memberSend) bool { return !g.satisfied(s) }); len(done) > 0 {
		g.carried(done)
	}
	return nil
}

// refused handles a definite no. It may be for the sake of one row, or of their
// number: the halves are sent by themselves, until it is clear.
func (g *memberGroup) refused(ctx context.Context, chunk []*memberSend, failed *scim.Error) error {
	tooMany := failed.Status == http.StatusRequestEntityTooLarge || failed.ScimType == "tooMany"
	if len(chunk) == 1 || !tooMany && !forOneRow(failed) || failed.Status == http.StatusNotFound && g.gone(ctx) {
		for _, s := range chunk {
			s.reject(failed)
		}
		g.watch(&Result{Class: failed.Class(), Detail: failed.Error()})
		return nil
	}
	half := (len(chunk) + 1) / 2
	for rest := chunk; len(rest) > 0; {
		n := min(half, len(rest), int(g.limit.Load()))
		if err := g.send(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if !slices.ContainsFunc(chunk, func(s *memberSend) bool { return s.outcome != Updated }) {
		g.lowerLimit(int64(half)) // it was their number
	}
	return nil
}

// forOneRow says whether a refusal may be meant for one row of many.
func forOneRow(failed *scim.Error) bool {
	switch failed.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone,
		http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (r *memberRun) lowerLimit(to int64) {
	for now := r.limit.Load(); to < now && !r.limit.CompareAndSwap(now, to); now = r.limit.Load() {
	}
}

func (s *memberSend) reject(failed *scim.Error) {
	s.outcome, s.class, s.detail = Rejected, failed.Class(), failed.Error()
	s.status, s.scimType, s.correlationID = failed.Status, failed.ScimType, failed.CorrelationID
}

func (s *memberSend) unknown(why error) {
	s.outcome, s.class = Unknown, ""
	s.detail = fmt.Sprintf("the %s may have been carried out and cannot be verified: %v", s.row.op(), why)
}
