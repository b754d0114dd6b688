package pipeline

import (
	"context"

	"scimbulk/internal/plan"
)

// learnSelf asks the directory once whose account the requests are made with,
// so that a run does not turn off its own. Most directories do not say.
func (im *Import) learnSelf(ctx context.Context, s *Survey) error {
	if s.askedSelf || !im.Profile.Me || im.Resource != "User" {
		return nil
	}
	s.askedSelf = true
	resp, err := im.Client.Me(ctx)
	if err == nil {
		s.self = resp.Resource.ID
	}
	return ctx.Err() // what else there is to complain of, the next request will show
}

// guardSelf learns whose account this is where the run takes anybody away.
func (r *run) guardSelf(ctx context.Context) error {
	if r.survey.Removals+r.survey.switches+r.survey.Absent.Leaving() > 0 {
		if err := r.learnSelf(ctx, r.survey); err != nil {
			return err
		}
	}
	r.Rules.Self = r.survey.self
	return nil
}

// removes says whether a row asks for somebody to go.
func removes(t *task) bool {
	return t.op == plan.Delete || t.op == plan.Deactivate
}

// switchesOff says whether a row sets somebody inactive, who may be so already.
func switchesOff(t *task) bool {
	if t.planned != nil {
		return t.planned.After["active"] == false || t.planned.Body["active"] == false
	}
	for i := range t.record.Assignments {
		a := &t.record.Assignments[i]
		if a.Value == false && a.Target.Path.String() == "active" {
			return true
		}
	}
	return false
}
