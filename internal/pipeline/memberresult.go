package pipeline

import (
	"cmp"
	"context"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

func (r *memberFileRun) groupID(m *memberRow) string { return r.table.groups.ids[m.group] }

func (r *memberFileRun) have(ctx context.Context, m *memberRow) (memberSet, error) {
	return r.members(ctx, r.groupID(m))
}

func (r *memberFileRun) begin(m *memberRow) (*memberSend, error) {
	s := &memberSend{row: m, user: r.table.users.ids[m.user], doubt: r.doubted[int64(m.line)]}
	if s.doubt != nil {
		s.step = s.doubt.Step + 1
	}
	return s, nil
}

// groupName is what a row calls its group.
func (r *memberFileRun) groupName(m *memberRow) (string, error) {
	row, err := r.table.spool.row(m.at)
	if err != nil {
		return "", err
	}
	says, _ := r.columns.read(row)
	return cmp.Or(says.group, says.groupID), nil
}

// hand gives results to the collector, who takes everything until the channel is
// closed. The first row of each request bears the change of all of them: a plan
// has a line a request.
func (r *memberFileRun) hand(g *memberGroup, batch []*memberSend) error {
	carried := together(batch)
	for _, s := range batch {
		if s.outcome == "" {
			continue
		}
		result, err := r.result(g, s)
		if err != nil {
			return err
		}
		if all := carried[s.patch]; len(all) > 0 && all[0] == s {
			result.Change = g.change(all)
			if err := r.title(result, all); err != nil {
				return err
			}
		}
		r.results <- result
	}
	return nil
}

// together are the rows of each request that was carried out, by its number.
func together(batch []*memberSend) map[int][]*memberSend {
	carried := map[int][]*memberSend{}
	for _, s := range batch {
		if s.outcome == Updated && s.patch > 0 {
			carried[s.patch] = append(carried[s.patch], s)
		}
	}
	return carried
}

func (r *memberFileRun) result(g *memberGroup, s *memberSend) (*Result, error) {
	row, err := r.table.spool.row(s.row.at)
	if err != nil {
		return nil, err
	}
	says, _ := r.columns.read(row)
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

// title makes the result that bears a request read so in a plan: by the names
// that the rows use.
func (r *memberFileRun) title(result *Result, all []*memberSend) (err error) {
	if !r.DryRun {
		return nil
	}
	if result.Names, err = r.memberNames(all); err != nil {
		return err
	}
	result.Key, err = r.groupName(all[0].row)
	return err
}

// memberNames are what the first users of a request are called: a reviewer sees
// no more of them.
func (r *memberFileRun) memberNames(all []*memberSend) (map[string]string, error) {
	const shown = 10
	names := map[string]string{}
	for _, s := range all[:min(shown, len(all))] {
		row, err := r.table.spool.row(s.row.at)
		if err != nil {
			return nil, err
		}
		says, _ := r.columns.read(row)
		names[s.user] = says.user
	}
	return names, nil
}

// change is that of a whole request.
func (g *memberGroup) change(all []*memberSend) plan.Change {
	add, remove := comingAndGoing(all)
	members := plan.Difference{Path: "members"}
	if len(remove) > 0 {
		members.Old = memberValues(remove)
	}
	if len(add) > 0 {
		members.New = memberValues(add)
	}
	return plan.Change{
		Action: plan.ActUpdate, ID: g.id, Differences: []plan.Difference{members}, Patch: scim.MemberPatch(add, remove),
	}
}

func memberValues(ids []string) []any {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = scim.Object{"value": id}
	}
	return values
}

// keepReplaced keeps the change that undoes a request, before it is sent. It
// has no before and after: a member who has left in the meantime keeps nobody
// else from leaving. Where nobody can tell who was in the group before, there
// is nothing to keep.
func (g *memberGroup) keepReplaced(chunk []*memberSend) error {
	if g.Undo == nil || g.have == nil {
		return nil
	}
	name, err := g.book.groupName(chunk[0].row)
	if err != nil {
		return err
	}
	add, remove := comingAndGoing(chunk)
	return g.Undo.Keep(&plan.Line{
		Line: int64(chunk[0].row.line), Op: plan.ActUpdate, Resource: "Group", Key: name, ID: g.id,
		Patch: scim.MemberPatch(remove, add),
	})
}
