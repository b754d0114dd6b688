package mapping

import (
	"fmt"
	"strings"

	"scimbulk/internal/scim"
)

// The groups of a user are read-only (RFC 7643 §4.1.2): a mapping that names
// them asks for memberships, which are written at the groups.

// isMemberships says whether an entry of a mapping file is such a one. A column
// of an export, whose header is groups, is not: nobody has asked for anything.
func (c *compiler) isMemberships(t *scim.Target, e *entry) bool {
	return c.m.resource == "User" && !e.auto && t.Path.URN == "" && t.Sub == nil && t.Path.Filter == nil &&
		strings.EqualFold(t.Attr.Name, "groups")
}

// setMemberships reads how groups are named, and refuses what says nothing of a
// membership.
func (c *compiler) setMemberships(f *field, e *entry) {
	if !e.ref.given {
		f.ref = &reference{resource: "Group", by: "displayName", onMissing: firstOf(e.onMissing.s, "skip")}
	} else if f.ref != nil && f.ref.resource != "Group" {
		c.faults.add(e.ref.at, fmt.Sprintf("groups cannot be named by %s", e.ref.s), "use Group.displayName, Group.externalId or Group.id")
		return
	}
	if f.ref == nil {
		return // what is wrong has been said
	}
	f.ref.memberships = true
	if e.onMissing.s == "keep" {
		c.faults.add(e.onMissing.at, "nobody can be put into a group that is not there", "use on-missing: skip or reject")
	}
	if e.each.given {
		c.faults.add(e.each.at, "a group has a name and no parts, so that each means nothing", "leave each out")
	}
}

// ofGroups says whether the reference is to groups that a user is in.
func (r *reference) ofGroups() bool { return r != nil && r.memberships }

// leaveGroups is what the clear token asks for in a column of groups.
func (r *rowMapper) leaveGroups(f *field) {
	if f.mode != scim.ReplaceAll {
		r.fail(f.name, fmt.Sprintf("%s would take the person out of all groups, and the mapping only adds to them", r.mp.m.clear),
			"leave the cell blank, or write mode: replace in the mapping")
		return
	}
	r.refer(f, nil)
}

// refer notes the names of other resources.
func (r *rowMapper) refer(f *field, names []string) {
	r.rec.Refs = append(r.rec.Refs, Ref{
		Target: f.target, Mode: f.mode, Resource: f.ref.resource, By: f.ref.by,
		Names: names, OnMissing: f.ref.onMissing, Column: f.name, Memberships: f.ref.memberships,
	})
}

// Memberships says whether rows name the groups that people are to be in, and
// whether people leave those that are not named.
func (m *Mapping) Memberships() (named, replaced bool) {
	for i := range m.fields {
		if f := &m.fields[i]; f.ref.ofGroups() {
			return true, f.mode == scim.ReplaceAll
		}
	}
	return false, false
}

// groupsCell names the groups that a user is in directly: those are what the
// cell is read as.
func (r *Reverse) groupsCell(f *field, v any) string {
	var names []string
	for _, e := range listOf(v) {
		o, ok := e.(scim.Object)
		if kind, _ := textAt(o, "type"); !ok || strings.EqualFold(kind, "indirect") {
			continue
		}
		name, shown := textAt(o, "display")
		if f.ref.by == "id" {
			name, shown = textAt(o, "value")
		}
		if !shown || f.split != "" && strings.Contains(name, f.split) {
			r.bent[r.header[f.column]]++
			continue
		}
		names = append(names, name)
	}
	if f.split == "" && len(names) > 1 {
		r.bent[r.header[f.column]]++
		names = names[:1]
	}
	return Guard(strings.Join(names, f.split))
}

func textAt(o scim.Object, name string) (text string, ok bool) {
	_, v, _ := scim.Member(o, name)
	text, _ = v.(string)
	return text, text != ""
}

// chooseGroups finds the column that names the groups of people. It stays a
// comment: who is put into a group is given its rights.
func (c *chooser) chooseGroups() {
	for i, f := range c.columns {
		if c.used[i] || c.taken["groups"] || f.filled == 0 || !isGroupsHeader(f.header) {
			continue
		}
		var details []string
		if sep := f.splitter(); sep != "" {
			details = []string{"split: " + yamlText(sep)}
		}
		c.add(choice{path: "groups", column: i, off: true, details: details,
			why: "If these are names of groups that are there, this puts people into them:"})
	}
}

// isGroupsHeader knows a column that names groups.
func isGroupsHeader(header string) bool {
	switch plainHeader(header) {
	case "group", "groups", "groupname", "groupnames", "usergroup", "usergroups", "groupmembership", "groupmemberships",
		"membership", "memberships", "memberof", "ismemberof", "team", "teams", "gruppe", "gruppen", "groupe", "groupes", "équipe", "équipes":
		return true
	}
	return false
}
