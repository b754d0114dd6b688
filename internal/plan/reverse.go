package plan

import (
	"slices"

	"scimbulk/internal/scim"
)

// Reverse is the change that brings back what a change of a resource replaces.
// Secrets cannot be brought back: nobody can read them.
func (r *Rules) Reverse(line int64, key string, c *Change, have *Current) *Line {
	l := &Line{Line: line, Resource: r.Schema.Resource, Key: key, ID: c.ID}
	switch c.Action {
	case ActCreate:
		l.Op = ActDelete
		return l
	case ActDelete:
		l.Op, l.Body = ActCreate, r.body(have.Object)
		l.Groups = groupsOf(have.Object)
		return l
	}
	after, before := c.After, have.Object
	if c.Body != nil { // what a PUT leaves to the directory is not ours to bring back
		after, before = r.body(after), r.body(before)
	}
	ops, differences := r.diff(after, before)
	l.Op, l.Before, l.After = ActUpdate, scim.Object{}, scim.Object{}
	for _, d := range differences {
		if d.Secret {
			l.Lost = append(l.Lost, d.Path)
			ops = slices.DeleteFunc(ops, func(op scim.PatchOperation) bool { return op.Path == d.Path })
			continue
		}
		l.Before[d.Path], l.After[d.Path] = joined(l.Before[d.Path], d.Old), joined(l.After[d.Path], d.New)
	}
	l.Patch = ops
	return l
}
