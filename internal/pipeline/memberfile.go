package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
)

// What a row of a membership file asks for.
const (
	addMember    plan.Op = "add"
	removeMember plan.Op = "remove"
)

// memberColumns says where the columns of a membership file are, -1 for those
// that it does not have.
type memberColumns struct {
	group, user, action, groupID, userID int
	unmapped                             []string
	input                                string // name of the file in messages
}

// memberHeaders are the columns of a membership file by the forms of their
// headers.
func memberHeaders(c *memberColumns) map[string]*int {
	return map[string]*int{
		"group": &c.group, "group_name": &c.group, "user": &c.user, "user_name": &c.user, "action": &c.action,
		"group_id": &c.groupID, "groupid": &c.groupID, "user_id": &c.userID, "userid": &c.userID,
	}
}

// newMemberColumns knows a membership file by its header: a group and a user,
// and either an action or nothing else. ok is false for any other file.
func newMemberColumns(header []string, input string) (c memberColumns, ok bool) {
	c = memberColumns{group: -1, user: -1, action: -1, groupID: -1, userID: -1, input: input}
	known := memberHeaders(&c)
	for i, h := range header {
		name := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(mapping.Clean(h)))
		switch at := known[name]; {
		case at != nil && *at < 0:
			*at = i
		case !strings.HasPrefix(name, "_"):
			c.unmapped = append(c.unmapped, h)
		}
	}
	paired := (c.group >= 0 || c.groupID >= 0) && (c.user >= 0 || c.userID >= 0)
	return c, paired && (c.action >= 0 || len(c.unmapped) == 0)
}

// membership is what a row says: by name, by id, or by both.
type membership struct {
	group, groupID, user, userID string
	op                           plan.Op
}

// key is the row's name in results and messages.
func (m *membership) key() string {
	group, user := cmp.Or(m.group, m.groupID), cmp.Or(m.user, m.userID)
	if group == "" && user == "" {
		return "" // of a row that could not be read
	}
	return group + ": " + user
}

// read translates a row.
func (c *memberColumns) read(row *rows.Row) (membership, error) {
	if row.Err != nil {
		return membership{}, row.Err
	}
	cell := func(i int) string {
		if i < 0 || i >= len(row.Cells) {
			return ""
		}
		return mapping.Clean(row.Cells[i])
	}
	m := membership{group: cell(c.group), groupID: cell(c.groupID), user: cell(c.user), userID: cell(c.userID)}
	fault := func(column, message, hint string) (membership, error) {
		return m, &mapping.RowError{File: c.input, Line: row.Line, Column: column, Message: message, Hint: hint}
	}
	switch action := cell(c.action); strings.ToLower(action) {
	case "", string(addMember):
		m.op = addMember
	case string(removeMember):
		m.op = removeMember
	default:
		return fault("action", "\""+action+"\" is no action", "write add or remove; an empty cell adds")
	}
	switch {
	case m.group == "" && m.groupID == "":
		return fault("group", "the row names no group", "")
	case m.user == "" && m.userID == "":
		return fault("user", "the row names no user", "")
	}
	return m, nil
}

// Unmapped are the columns that say nothing of a membership.
func (m *MemberImport) Unmapped() []string { return slices.Clone(m.columns.unmapped) }

// HasActions says whether rows carry their own operation.
func (m *MemberImport) HasActions() bool { return m.columns.action >= 0 }
