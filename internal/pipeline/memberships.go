package pipeline

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Memberships turns the members of groups into rows that can be imported again:
// group,user,action,group_id,user_id. Users must be seen before Write, groups
// before it too. Both are kept on disk, so that memory grows by no more than
// about twelve bytes a user or group.
type Memberships struct {
	users  *nameList
	groups *groupList
	Rows   int64
}

// NewMemberships begins an empty list. It must be closed.
func NewMemberships() (*Memberships, error) {
	users, err := newNameList()
	if err != nil {
		return nil, err
	}
	groups, err := newGroupList()
	if err != nil {
		_ = users.pages.Close()
		return nil, err
	}
	return &Memberships{users: users, groups: groups}, nil
}

// Close lets go of the temporary files.
func (m *Memberships) Close() {
	_ = m.users.pages.Close()  // nobody misses them
	_ = m.groups.pages.Close() // nor them
}

// User is a [See] that notes who an id is; what is said last counts.
func (m *Memberships) User(o scim.Object) func() error {
	id, name := textMember(o, "id"), textMember(o, "userName")
	return func() error { return m.users.add(id, name) }
}

// Group is a [See] that notes the members of a group; what is said last counts.
func (m *Memberships) Group(o scim.Object) func() error {
	g := groupMembers{ID: textMember(o, "id"), Name: textMember(o, "displayName")}
	_, v, _ := scim.Member(o, "members")
	list, _ := v.([]any)
	for _, e := range list {
		if member, ok := e.(scim.Object); ok {
			g.Members = append(g.Members, textMember(member, "value"))
		}
	}
	return func() error { return m.groups.add(g) }
}

func textMember(o scim.Object, name string) string {
	_, v, _ := scim.Member(o, name)
	text, _ := v.(string)
	return text
}

// WriteTo writes the rows to a file that is whole or not there. Until it is whole
// it lies at draft, and what a session that was killed has left there is written
// over. Members that are no users of the export, such as groups in groups, have no
// name.
func (m *Memberships) WriteTo(path, draft string) (*Dump, error) {
	out, err := rows.CreateAt(draft, path)
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

// LiveMemberships writes the memberships of a directory as they are now. users
// tells who is who, and groups whose members they are. Of a listing with gaps the
// error is an [IncompleteError].
func LiveMemberships(ctx context.Context, users, groups *Export, out io.Writer) error {
	m, err := NewMemberships()
	if err != nil {
		return err
	}
	defer m.Close()
	for _, part := range []struct {
		*Export
		see See
	}{{users, m.User}, {groups, m.Group}} {
		listing, err := part.Look(ctx, part.see)
		if err != nil {
			return fmt.Errorf("reading the %s: %w", part.Endpoint, err)
		}
		if !listing.Whole() {
			return &IncompleteError{Gaps: listing.Gaps}
		}
	}
	return m.write(out)
}

func (m *Memberships) write(out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"group", "user", "action", "group_id", "user_id"}); err != nil {
		return err
	}
	err := m.groups.each(func(g groupMembers) error {
		for _, id := range g.Members {
			name, err := m.users.name(id)
			if err != nil {
				return err
			}
			m.Rows++
			if err := w.Write([]string{mapping.TextCell(g.Name), mapping.TextCell(name), "add", g.ID, id}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
