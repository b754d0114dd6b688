package pipeline

import (
	"hash/crc32"

	"scimbulk/internal/journal"
)

// logSteps records what rows that wait for their memberships have come to, so
// that a session that goes on need not settle them one by one. Nor does it find out
// anew whom they have created, so that this is in the undo file before.
func (r *run) logSteps(batch []*Result) error {
	var steps []journal.Outcome
	for _, result := range batch {
		if result.waits {
			steps = append(steps, journal.Outcome{Line: result.Row.Line, Outcome: string(result.Outcome), Class: result.logClass()})
		}
	}
	if len(steps) == 0 || r.Log == nil {
		return nil
	}
	if r.Undo != nil {
		if err := r.Undo.Flush(); err != nil {
			return err
		}
	}
	return r.Log.Steps(steps)
}

// takeUp gives a row the outcome that its own step has had in an earlier session.
func (j *joinRun) takeUp(result *Result) {
	if j.State == nil {
		return
	}
	step, known := j.State.Step(result.Row.Line)
	switch {
	case !known:
		return
	case result.Outcome == Rejected:
		result.Lame, result.Class = true, ""
		result.Detail = "its groups were left alone: " + result.Detail
	case result.Outcome != Unchanged && result.Outcome != Updated:
		return
	}
	result.Outcome, result.Doubt = Outcome(step.Outcome), true
	if step.Class == classLame || step.Class == classLameTurnedOff {
		result.Lame = true
	}
	if (step.Class == classTurnedOff || step.Class == classLameTurnedOff) && !result.turnedOff {
		result.turnedOff = true
		j.turnedOff.Add(1)
	}
}

// made says whether an earlier session has created what a row describes.
func (j *joinRun) made(line int64) bool {
	if j.State == nil {
		return false
	}
	step, known := j.State.Step(line)
	return known && step.Outcome == string(Created)
}

// recall notes the memberships that an earlier session has sent, and of which the
// log does not know what became of them.
func (j *joinRun) recall() {
	if j.State == nil {
		return
	}
	for _, in := range j.State.InDoubt() {
		if isMembership(in) {
			j.doubted[in.Key] = in.Op == string(addMember)
		}
	}
}

// isMembership tells the intents of memberships from those of rows.
func isMembership(in journal.Intent) bool {
	return in.Op == string(addMember) || in.Op == string(removeMember)
}

// membershipStep is beyond the steps that a row has of its own.
func membershipStep(group string) int { return 1<<20 + int(crc32.ChecksumIEEE([]byte(group))>>2) }

func (r *run) membershipKey(group, user string) uint64 {
	return journal.HashKey(r.Name, group+" "+user)
}

// sentBefore says whether an earlier session had sent it.
func (s *signup) sentBefore(g *joinedGroup, in bool) bool {
	if len(s.doubted) == 0 {
		return false
	}
	joined, sent := s.doubted[s.membershipKey(g.id, s.user)]
	return sent && joined == in
}
