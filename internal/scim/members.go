package scim

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MemberIDs calls yield with the id of each member of a group (RFC 7643 §4.2),
// in the order in which the server sent them. It builds no tree: groups can
// have very many members.
func (r Resource) MemberIDs(yield func(id string)) error {
	var group struct {
		Members []struct {
			Value jsontext.Value `json:"value"`
		} `json:"members"`
	}
	if err := json.Unmarshal(r.Raw, &group, wireJSON); err != nil {
		return fmt.Errorf("the members of group %s cannot be read: %w", r.ID, err)
	}
	for _, m := range group.Members {
		if id := scalarText(m.Value); id != "" {
			yield(id)
		}
	}
	return nil
}

// DirectGroups are the ids of the groups that a user says to be in, not counting
// those that hold the user's groups (RFC 7643 §4.1.2).
func (r Resource) DirectGroups() []string {
	var user struct {
		Groups []struct {
			Value jsontext.Value `json:"value"`
			Type  string         `json:"type"`
		} `json:"groups"`
	}
	if json.Unmarshal(r.Raw, &user, wireJSON) != nil {
		return nil
	}
	var ids []string
	for _, g := range user.Groups {
		if id := scalarText(g.Value); id != "" && !strings.EqualFold(g.Type, "indirect") {
			ids = append(ids, id)
		}
	}
	return ids
}

// MemberPatch is the body of a PATCH of a group that adds members and removes
// others: one operation adds them all, and each is removed by a filter in the
// path. Some servers take a remove with values for the removal of everybody.
func MemberPatch(add, remove []string) []PatchOperation {
	ops := make([]PatchOperation, 0, 1+len(remove))
	if len(add) > 0 {
		values := make([]any, len(add))
		for i, id := range add {
			values[i] = Object{"value": id}
		}
		ops = append(ops, PatchOperation{Op: "add", Path: "members", Value: values})
	}
	for _, id := range remove {
		path := Path{Attr: "members", Filter: Comparison{Path: Path{Attr: "value"}, Op: "eq", Value: id}}
		ops = append(ops, PatchOperation{Op: "remove", Path: path.String()})
	}
	return ops
}

// IsMember is the filter that finds a group if somebody is a member of it, on
// servers that never show members but search them.
func IsMember(group, member string) string {
	return And{
		Left:  Comparison{Path: Path{Attr: "id"}, Op: "eq", Value: group},
		Right: Comparison{Path: Path{Attr: "members"}, Op: "eq", Value: member},
	}.String()
}
