package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// revision is one state of a resource. It never changes once it is published:
// a write makes another.
type revision struct {
	id          string
	seq         uint64 // place in the order of creation
	key         string // userName or displayName
	external    string
	display     string // how others show the resource
	active      bool
	deleted     bool
	version     int64
	created     time.Time
	modified    time.Time
	doc         []byte   // the attributes as a JSON object, without meta, groups, members
	members     []string // ids
	authorities []string // genesys externalIds, each as authority NUL value
	secret      string   // digest of the password
}

// stored reads a revision's document, which the directory wrote itself.
func stored(r *revision) *object {
	o, err := parseObject(r.doc)
	if err != nil {
		panic("sandbox: stored document of " + r.id + ": " + err.Error())
	}
	return o
}

// tree is the document to change or to search, with the members in it.
func (r *revision) tree(d *directory) *object {
	o := stored(r)
	if len(r.members) > 0 {
		list := make([]any, 0, len(r.members))
		for _, id := range r.members {
			kind, display := d.describe(id)
			m := newObject(member{"value", id}, member{"type", kind})
			if display != "" {
				m.set("display", display)
			}
			list = append(list, m)
		}
		o.set("members", list)
	}
	return o
}

// draft is a document on its way to become a revision.
type draft struct {
	t    *resourceType
	doc  *object
	old  *revision // nil for a create
	dead *revision // the deleted resource that a create brings back
}

// finish makes the revision, or returns the old one if nothing changed: then
// version and lastModified stay (RFC 7644 §3.5.2.1). It is called with the
// directory locked, because references are checked.
func (d *directory) finish(dr draft, now time.Time) (*revision, error) {
	if err := dr.t.checkRequired(dr.doc); err != nil {
		return nil, err
	}
	rev := &revision{version: 1, created: now, modified: now, active: true}
	if dr.old != nil {
		rev.id, rev.seq, rev.created, rev.secret = dr.old.id, dr.old.seq, dr.old.created, dr.old.secret
		rev.version = dr.old.version + 1
	} else if rev.id = newID(); dr.dead != nil {
		rev.id, rev.created, rev.version = dr.dead.id, dr.dead.created, dr.dead.version+1
	}
	if err := d.takeMembers(rev, dr.doc); err != nil {
		return nil, err
	}
	if password := dr.doc.text("password"); password != "" {
		sum := sha256.Sum256([]byte("scim sandbox\x00" + rev.id + "\x00" + password))
		rev.secret = hex.EncodeToString(sum[:])
	}
	dr.doc.del("password")
	if err := d.linkManager(dr.doc); err != nil {
		return nil, err
	}
	describeDoc(rev, dr)
	rev.doc = appendJSON(make([]byte, 0, 1024), arrange(dr, rev.id))
	if dr.old != nil && rev.equal(dr.old) {
		return dr.old, nil
	}
	return rev, nil
}

func (r *revision) equal(old *revision) bool {
	return string(r.doc) == string(old.doc) && r.secret == old.secret && slices.Equal(r.members, old.members)
}

// describeDoc copies out what the indexes and other resources need.
func describeDoc(rev *revision, dr draft) {
	rev.key = dr.doc.text(dr.t.key)
	rev.external = dr.doc.text("externalId")
	rev.authorities = authorities(dr.doc)
	if active, ok := dr.doc.get("active").(bool); ok {
		rev.active = active
	}
	rev.display = dr.doc.text("displayName")
	if rev.display == "" {
		rev.display = dr.doc.child("name").text("formatted")
	}
	if rev.display == "" {
		rev.display = rev.key
	}
}

// authorities lists a document's externalIds as the index has them.
func authorities(doc *object) []string {
	var out []string
	for _, e := range doc.child(purecloudURN).list("externalIds") {
		o, _ := e.(*object)
		out = append(out, o.text("authority")+"\x00"+o.text("value"))
	}
	return out
}

// arrange puts schemas (as the attributes demand) and id before the rest.
func arrange(dr draft, id string) *object {
	urns := []any{dr.t.core.ID}
	for _, s := range dr.t.extensions {
		if dr.doc.child(s.ID) != nil && !unassigned(dr.doc.child(s.ID)) {
			urns = append(urns, s.ID)
		} else {
			dr.doc.del(s.ID)
		}
	}
	out := newObject(member{"schemas", urns}, member{"id", id})
	for _, m := range dr.doc.members {
		if m.name != "schemas" && m.name != "id" {
			out.members = append(out.members, m)
		}
	}
	return out
}

// takeMembers moves the members out of the document; each must exist, and
// counts once.
func (d *directory) takeMembers(rev *revision, doc *object) error {
	list := doc.list("members")
	doc.del("members")
	if len(list) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(list))
	rev.members = make([]string, 0, len(list))
	for _, e := range list {
		id := e.(*object).text("value")
		kind, _ := d.describe(id)
		switch {
		case id == "":
			return badValue("members.value is required")
		case kind == "" && !(strings.HasPrefix(id, bulkPrefix) && d.faults.has("bulk-last-reference")):
			return badValue("members.value: no resource has the id %q", id)
		case id == rev.id:
			return badValue("members.value: a group cannot be its own member")
		case !seen[id]:
			seen[id] = true
			rev.members = append(rev.members, id)
		}
	}
	return nil
}

// linkManager shows the manager's address and name where the id is known.
func (d *directory) linkManager(doc *object) error {
	manager := doc.child(enterpriseURN).child("manager")
	if manager == nil {
		return nil
	}
	id := manager.text("value")
	e := d.users.byID[id]
	if e == nil && d.rules.strictManager && id != "" {
		return badValue("manager.value: no user has the id %q", id)
	}
	if e == nil {
		manager.del("displayName")
		return nil
	}
	manager.set("$ref", d.rules.managerRef+id)
	if d.rules.managerName {
		manager.set("displayName", e.rev.display)
	}
	return nil
}
