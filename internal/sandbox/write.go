package sandbox

import (
	"slices"
	"strings"
	"time"
)

// moment is the time of a change, as exact as meta shows it.
func moment() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// create serves POST.
func (s *Sandbox) create(q *request, t *resourceType) (answer, error) {
	doc, err := s.incoming(q, t)
	if err != nil {
		return answer{}, err
	}
	v, status, err := s.dir.create(q, t, doc)
	if err == nil {
		err = s.dir.durable()
	}
	if err != nil {
		return answer{}, err
	}
	if s.faults.has("percent-poison") && strings.Contains(v.rev.key, "%") {
		return answer{}, badValue("%s cannot be decoded", t.key)
	}
	return s.resourceAnswer(q, status, v), nil
}

// incoming reads the resource in a POST or PUT body.
func (s *Sandbox) incoming(q *request, t *resourceType) (*object, error) {
	in, err := q.object()
	if err != nil {
		return nil, err
	}
	if s.rules.needSchemas {
		if err := t.checkSchemas(in); err != nil {
			return nil, err
		}
	}
	if s.faults.has("string-booleans") {
		readTextBooleans(in)
	}
	q.emptyMembers = in.index("members") >= 0 && unassigned(in.get("members"))
	if err := s.limitMembers(in.list("members")); err != nil {
		return nil, err
	}
	return t.admit(in)
}

// readTextBooleans turns "True" and "False" under active and primary into
// booleans, as servers do for a well-known client.
func readTextBooleans(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			readTextBooleans(e)
		}
	case *object:
		for i, m := range v.members {
			text, isText := m.value.(string)
			name := strings.ToLower(m.name)
			if isText && (name == "active" || name == "primary") {
				v.members[i].value = strings.EqualFold(text, "true")
			}
			readTextBooleans(m.value)
		}
	}
}

func (s *Sandbox) limitMembers(list []any) error {
	if most := s.faults.number("member-limit"); most > 0 && len(list) > most {
		return badValue("at most %d members in one request", most)
	}
	return nil
}

// withDefaults gives a user who does not say otherwise an active account.
func withDefaults(t *resourceType, doc *object) {
	if t.attribute("active") != nil && doc.get("active") == nil {
		doc.set("active", true)
	}
}

// create adds a resource and says with which status to answer.
func (d *directory) create(q *request, t *resourceType, doc *object) (view, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, now := d.collection(t), moment()
	withDefaults(t, doc)
	if e := c.first(doc.text(t.key)); e != nil && t.uniqueKey && d.faults.has("adopt-existing") {
		v, err := d.adopt(q, c, e, doc, now)
		return v, 200, err
	}
	dr := draft{t: t, doc: doc}
	if e := c.buried[fold(doc.text(t.key))]; e != nil && d.rules.revives {
		dr.dead = e.rev
		if d.rules.revive != nil {
			dr.doc = d.rules.revive(stored(e.rev), doc)
		}
	}
	rev, err := d.draft(dr, now)
	if err != nil {
		return view{}, 0, err
	}
	if err := d.unique(q, c, rev, nil); err != nil {
		return view{}, 0, err
	}
	if q.dry {
		return d.look(c, rev, q.proj), 201, nil
	}
	d.publish(c, dr, rev)
	if q.emptyMembers && d.faults.has("empty-members-break") {
		d.broken[rev.id] = true
	}
	return d.look(c, rev, q.proj), 201, nil
}

// publish makes a created resource visible.
func (d *directory) publish(c *collection, dr draft, rev *revision) {
	if dr.dead != nil {
		delete(c.buried, fold(dr.dead.key))
		d.erase(c, dr.dead)
	}
	d.insertCreated(c, rev)
	d.save(c, rev)
	d.record("create", c.t, rev)
}

func (c *collection) first(key string) *entry {
	if list := c.byKey[fold(key)]; len(list) > 0 {
		return list[0]
	}
	return nil
}

// adopt makes of a create a change to the resource that is there (fault
// adopt-existing).
func (d *directory) adopt(q *request, c *collection, e *entry, doc *object, now time.Time) (view, error) {
	merged := e.rev.tree(d)
	merge(merged, doc)
	rev, err := d.draft(draft{t: c.t, doc: merged, old: e.rev}, now)
	if err != nil || rev == e.rev || q.dry {
		return d.look(c, e.rev, q.proj), err
	}
	d.change(c, e, rev, "patch")
	return d.look(c, rev, q.proj), nil
}

// draft applies the dialect's own rules and makes a revision.
func (d *directory) draft(dr draft, now time.Time) (*revision, error) {
	if d.rules.normalise != nil {
		if err := d.rules.normalise(d, dr); err != nil {
			return nil, err
		}
	}
	if d.faults.has("normalise") {
		alterValues(dr.doc)
	}
	return d.finish(dr, now)
}

// alterValues is fault normalise.
func alterValues(doc *object) {
	if name := doc.text("userName"); name != "" {
		doc.set("userName", strings.ToLower(name))
	}
	emails := doc.list("emails")
	if len(emails) == 0 {
		return
	}
	kept, _ := emails[0].(*object)
	for _, e := range emails {
		if o, ok := e.(*object); ok && o.get("primary") == true {
			kept = o
		}
	}
	if kept == nil {
		return
	}
	kept.set("value", strings.ToLower(kept.text("value")))
	if kept.get("primary") == nil {
		kept.set("primary", false)
	}
	doc.set("emails", []any{kept})
}

// unique refuses a second resource with the same unique key.
func (d *directory) unique(q *request, c *collection, rev *revision, self *entry) error {
	for _, a := range rev.authorities {
		if slices.ContainsFunc(c.byAuthority[a], func(e *entry) bool { return e != self }) {
			return refuse(409, "uniqueness", "externalIds %q is taken", strings.Replace(a, "\x00", " ", 1))
		}
	}
	if !c.t.uniqueKey {
		return nil
	}
	key := rev.key
	taken := slices.ContainsFunc(c.byKey[fold(key)], func(e *entry) bool {
		// A resource made since the request arrived does not count where
		// uniqueness is checked too early.
		early := d.faults.has("race-duplicates") && !e.rev.created.Before(q.started.UTC().Truncate(time.Millisecond))
		return e != self && !early
	})
	if d.rules.keepsKeys && c.buried[fold(key)] != nil {
		taken = true
	}
	if !taken {
		return nil
	}
	return refuse(409, "uniqueness", "%s %q is taken", c.t.key, key)
}

// replace serves PUT.
func (s *Sandbox) replace(q *request, t *resourceType, id string) (answer, error) {
	doc, err := s.incoming(q, t)
	if err != nil {
		return answer{}, err
	}
	v, err := s.dir.update(q, t, id, "replace", func(old *revision) (*object, error) {
		if s.faults.has("put-merges") {
			merged := old.tree(s.dir)
			merge(merged, doc)
			return merged, nil
		}
		s.rules.carryOver(t, stored(old), doc)
		withDefaults(t, doc)
		return doc, checkUnchanged(t, stored(old), doc)
	})
	if err != nil {
		return answer{}, err
	}
	return s.resourceAnswer(q, 200, v), s.dir.durable()
}

// carryOver keeps what a PUT does not change: what a client cannot set, such as
// a genesys group's displayName, and what the dialect does not let go.
func (d *dialect) carryOver(t *resourceType, old, doc *object) {
	for _, a := range t.core.Attributes {
		v := old.get(a.Name)
		left := d.keepsIdentity && (a.Required || a.Name == "active") && doc.get(a.Name) == nil
		if v != nil && (a.readOnly() || left) {
			doc.set(a.Name, v)
		}
	}
}

// patch serves PATCH.
func (s *Sandbox) patch(q *request, t *resourceType, id string) (answer, error) {
	body, err := q.object()
	if err != nil {
		return answer{}, err
	}
	ops, err := parsePatch(body)
	if err != nil {
		return answer{}, err
	}
	for _, op := range ops {
		if list, _ := op.value.([]any); op.namesMembers() {
			if err := s.limitMembers(list); err != nil {
				return answer{}, err
			}
		}
	}
	v, err := s.dir.update(q, t, id, "patch", func(old *revision) (*object, error) {
		if s.dir.broken[id] && slices.ContainsFunc(ops, operation.namesMembers) {
			return nil, refuse(500, "", "members cannot be changed")
		}
		p := &patcher{t: t, doc: old.tree(s.dir), quirks: s.quirks()}
		err := p.apply(ops)
		withDefaults(t, p.doc)
		return p.doc, err
	})
	if err != nil {
		return answer{}, err
	}
	return s.resourceAnswer(q, 200, v), s.dir.durable()
}

func (op operation) namesMembers() bool {
	return strings.HasPrefix(strings.ToLower(op.path), "members")
}

// checkUnchanged refuses a PUT that changes an immutable attribute (RFC 7644
// §3.5.1).
func checkUnchanged(t *resourceType, old, doc *object) error {
	for _, a := range t.core.Attributes {
		was, is := old.get(a.Name), doc.get(a.Name)
		if a.Mutability == "immutable" && was != nil && !same(was, is) {
			return notMutable("%s is immutable", a.Name)
		}
	}
	return nil
}

// update changes one resource. What change returns is checked and published;
// if it is what was there, nothing happens.
func (d *directory) update(q *request, t *resourceType, id, op string, change func(*revision) (*object, error)) (view, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, now := d.collection(t), moment()
	e := c.byID[id]
	if e == nil {
		return view{}, notFound(t.name, id)
	}
	if err := d.precondition(q, e.rev); err != nil {
		return view{}, err
	}
	doc, err := change(e.rev)
	if err != nil {
		return view{}, err
	}
	rev, err := d.draft(draft{t: t, doc: doc, old: e.rev}, now)
	if err != nil {
		return view{}, err
	}
	if err := d.unique(q, c, rev, e); err != nil {
		return view{}, err
	}
	if rev == e.rev || q.dry {
		return d.look(c, rev, q.proj), nil
	}
	d.change(c, e, rev, op)
	v := d.look(c, rev, q.proj)
	if !rev.active && d.faults.has("inactive-deletes") {
		d.takeOut(c, e, now)
	}
	return v, nil
}

// change publishes a resource's next revision.
func (d *directory) change(c *collection, e *entry, rev *revision, op string) {
	d.linkMembers(e.rev, rev)
	c.replace(e, rev)
	d.save(c, rev)
	d.record(op, c.t, rev)
}

// precondition compares If-Match with the current version (RFC 7644 §3.14).
func (d *directory) precondition(q *request, rev *revision) error {
	tag := q.ifMatch()
	switch {
	case tag == "" || matchesTag(tag, d.rules.etag(rev)):
		return nil
	case d.faults.has("ignore-if-match"), q.deletes() && d.faults.has("ignore-if-match-delete"):
		return nil
	case d.rules.mismatch != nil:
		return d.rules.mismatch(rev)
	}
	return refuse(412, "", "If-Match %s is not the current version %s", tag, d.rules.etag(rev))
}

// remove serves DELETE.
func (s *Sandbox) remove(q *request, t *resourceType, id string) (answer, error) {
	if err := s.dir.remove(q, t, id); err != nil {
		return answer{}, err
	}
	return answer{status: 204}, s.dir.durable()
}

func (d *directory) remove(q *request, t *resourceType, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.collection(t)
	e := c.byID[id]
	if e == nil {
		return notFound(t.name, id)
	}
	if err := d.precondition(q, e.rev); err != nil || q.dry {
		return err
	}
	d.takeOut(c, e, moment())
	return nil
}

// takeOut deletes a resource: out of its groups, out of sight, and out of the
// store unless the dialect deletes softly.
func (d *directory) takeOut(c *collection, e *entry, now time.Time) {
	gone := e.rev
	d.linkMembers(gone, nil)
	d.withdraw(gone.id, now)
	c.remove(e)
	if d.rules.softDelete && c == d.users {
		d.bury(c, e, now)
	} else {
		d.erase(c, gone)
	}
	d.record("delete", c.t, gone)
}

// bury keeps a deleted resource out of sight.
func (d *directory) bury(c *collection, e *entry, now time.Time) {
	rev := *e.rev
	rev.deleted, rev.modified, rev.members = true, now, nil
	rev.version++
	if before := c.buried[fold(rev.key)]; before != nil {
		d.erase(c, before.rev)
	}
	c.buried[fold(rev.key)] = &entry{slot: -1, rev: &rev}
	d.save(c, &rev)
}
