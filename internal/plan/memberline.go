package plan

import (
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// OfMembers says whether a change adds and removes members of a group one by
// one, and does nothing else. To carry it out twice does no harm.
func (l *Line) OfMembers() bool {
	for _, op := range l.Patch {
		adds := op.Op == "add" && op.Path == "members"
		if !adds && !(op.Op == "remove" && strings.HasPrefix(op.Path, "members[")) {
			return false
		}
	}
	return l.Resource == "Group" && len(l.Patch) > 0
}

// Members are the ids of those whom such a change adds and removes.
func (l *Line) Members() (add, remove []string) {
	for _, op := range l.Patch {
		if op.Op == "add" {
			for _, v := range asList(op.Value) {
				add = append(add, memberID(v))
			}
			continue
		}
		path, err := scim.ParsePath(op.Path)
		if named, ok := path.Filter.(scim.Comparison); err == nil && ok {
			id, _ := named.Value.(string)
			remove = append(remove, id)
		}
	}
	return add, remove
}

// MembersLeft is what such a change has still to do to a group: adding who is in
// and removing who is not are left out, for some servers refuse them.
func (l *Line) MembersLeft(group scim.Object) []scim.PatchOperation {
	in := map[string]bool{}
	_, members, _ := scim.Member(group, "members")
	for _, v := range asList(members) {
		in[memberID(v)] = true
	}
	add, remove := l.Members()
	add = slices.DeleteFunc(add, func(id string) bool { return in[id] })
	remove = slices.DeleteFunc(remove, func(id string) bool { return !in[id] })
	return scim.MemberPatch(add, remove)
}

func memberID(v any) string {
	o, _ := v.(scim.Object)
	_, id, _ := scim.Member(o, "value")
	text, _ := id.(string)
	return text
}
