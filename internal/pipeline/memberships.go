package pipeline

import (
	"encoding/csv"
	"io"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Memberships turns the members of groups into rows that can be imported again:
// group,user,action,group_id,user_id. Users must be seen before Write, groups
// before it too; neither holds more than names and ids.
type Memberships struct {
	users  map[string]string // userName by id
	groups []groupMembers
	Rows   int64
}

type groupMembers struct {
	id, name string
	members  []string
}

// NewMemberships begins an empty list.
func NewMemberships() *Memberships { return &Memberships{users: map[string]string{}} }

// User notes who an id is.
func (m *Memberships) User(o scim.Object) error {
	m.users[textMember(o, "id")] = textMember(o, "userName")
	return nil
}

// Group notes the members of a group.
func (m *Memberships) Group(o scim.Object) error {
	g := groupMembers{id: textMember(o, "id"), name: textMember(o, "displayName")}
	_, v, _ := scim.Member(o, "members")
	list, _ := v.([]any)
	for _, e := range list {
		if member, ok := e.(scim.Object); ok {
			g.members = append(g.members, textMember(member, "value"))
		}
	}
	m.groups = append(m.groups, g)
	return nil
}

func textMember(o scim.Object, name string) string {
	_, v, _ := scim.Member(o, name)
	text, _ := v.(string)
	return text
}

// WriteTo writes the rows to a file that is whole or not there. Members that
// are no users of the export, such as groups in groups, have no name.
func (m *Memberships) WriteTo(path string, stdout io.Writer) (*Dump, error) {
	out, err := rows.Create(path, stdout)
	if err != nil {
		return nil, err
	}
	if err := m.write(out); err != nil {
		out.Discard()
		return nil, err
	}
	if err := out.Commit(); err != nil {
		return nil, err
	}
	return &Dump{Path: path, SHA256: out.SHA256(), Bytes: out.Bytes(), Resources: m.Rows, Listing: &Listing{Read: m.Rows, Claimed: m.Rows}}, nil
}

func (m *Memberships) write(out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"group", "user", "action", "group_id", "user_id"}); err != nil {
		return err
	}
	for _, g := range m.groups {
		for _, id := range g.members {
			m.Rows++
			if err := w.Write([]string{mapping.TextCell(g.name), mapping.TextCell(m.users[id]), "add", g.id, id}); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}
