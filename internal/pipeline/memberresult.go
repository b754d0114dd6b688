package pipeline

import (
	"cmp"
	"fmt"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
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

// bear puts the change of a whole request into the result of its first row.
func (g *memberGroup) bear(result *Result, together []*memberSend) error {
	add, remove := comingAndGoing(together)
	members := plan.Difference{Path: "members"}
	if len(remove) > 0 {
		members.Old = memberValues(remove)
	}
	if len(add) > 0 {
		members.New = memberValues(add)
	}
	result.Change = plan.Change{
		Action: plan.ActUpdate, ID: g.id, Differences: []plan.Difference{members}, Patch: scim.MemberPatch(add, remove),
	}
	if g.DryRun {
		name, err := g.name(together[0])
		if err != nil {
			return err
		}
		result.Key, result.Detail = name, "members: "+comeAndGo(len(add), len(remove))
	}
	return nil
}

func memberValues(ids []string) []any {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = scim.Object{"value": id}
	}
	return values
}

// name is what a row calls the group.
func (g *memberGroup) name(s *memberSend) (string, error) {
	row, err := g.table.spool.row(s.row.at)
	if err != nil {
		return "", err
	}
	says, _ := g.columns.read(row)
	return cmp.Or(says.group, says.groupID), nil
}

// keepReplaced keeps the change that undoes a request, before it is sent. It
// has no before and after: a member who has left in the meantime keeps nobody
// else from leaving. Where nobody can tell who was in the group before, there
// is nothing to keep.
func (g *memberGroup) keepReplaced(chunk []*memberSend) error {
	if g.Undo == nil || g.have == nil {
		return nil
	}
	name, err := g.name(chunk[0])
	if err != nil {
		return err
	}
	add, remove := comingAndGoing(chunk)
	return g.Undo.Keep(&plan.Line{
		Line: int64(chunk[0].row.line), Op: plan.ActUpdate, Resource: "Group", Key: name, ID: g.id,
		Patch: scim.MemberPatch(remove, add),
	})
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
