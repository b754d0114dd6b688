package pipeline

import (
	"fmt"

	"scimbulk/internal/plan"
)

// hand gives the result of one row to the collector.
func (g *memberGroup) hand(s *memberSend) error {
	result, err := g.result(s)
	if err == nil {
		g.results <- result // the collector takes everything until this channel is closed
	}
	return err
}

// handBatch hands on the rows of a batch that have their outcome. The first row
// of each request bears the change of all of them: a plan has a line a request.
func (g *memberGroup) handBatch() error {
	carried := map[int][]*memberSend{}
	for _, s := range g.batch {
		if s.outcome == Updated {
			carried[s.patch] = append(carried[s.patch], s)
		}
	}
	for _, s := range g.batch {
		if s.outcome == "" {
			continue
		}
		result, err := g.result(s)
		if err != nil {
			return err
		}
		if together := carried[s.patch]; len(together) > 0 && together[0] == s {
			if err := g.bear(result, together); err != nil {
				return err
			}
		}
		g.results <- result
	}
	return nil
}

func (g *memberGroup) result(s *memberSend) (*Result, error) {
	row, err := g.table.spool.row(s.row.at)
	if err != nil {
		return nil, err
	}
	says, _ := g.columns.read(row)
	result := &Result{
		Row: row, Key: says.key(), Op: says.op, Outcome: s.outcome, Class: s.class, Detail: s.detail, Doubt: s.doubt != nil,
		ID: g.id, Status: s.status, ScimType: s.scimType, Attempts: s.attempts, CorrelationID: s.correlationID,
		Change: plan.Change{Action: plan.ActNothing, ID: g.id},
	}
	if s.outcome == Rejected {
		result.decline()
	}
	return result, nil
}

// bear puts the change of a whole request into the result of its first row,
// with the names of those who come and go.
func (g *memberGroup) bear(result *Result, together []*memberSend) error {
	var come, leave []any
	group := ""
	for _, s := range together {
		row, err := g.table.spool.row(s.row.at)
		if err != nil {
			return err
		}
		says, _ := g.columns.read(row)
		group = firstText(group, firstText(says.group, says.groupID))
		if s.row.remove {
			leave = append(leave, firstText(says.user, says.userID))
		} else {
			come = append(come, firstText(says.user, says.userID))
		}
	}
	members := plan.Difference{Path: "members"}
	if leave != nil {
		members.Old = leave
	}
	if come != nil {
		members.New = come
	}
	result.Change = plan.Change{
		Action: plan.ActUpdate, ID: g.id, Differences: []plan.Difference{members}, Patch: memberPatch(together),
	}
	if g.DryRun {
		result.Key, result.Detail = group, "members: "+comeAndGo(len(come), len(leave))
	}
	return nil
}

func comeAndGo(come, leave int) string {
	switch {
	case leave == 0:
		return fmt.Sprintf("%d to add", come)
	case come == 0:
		return fmt.Sprintf("%d to remove", leave)
	}
	return fmt.Sprintf("%d to add, %d to remove", come, leave)
}
