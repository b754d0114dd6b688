package sandbox

import (
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
	v, err := s.dir.create(q, t, doc)
	if err != nil {
		return answer{}, err
	}
	return s.resourceAnswer(q, 201, v), s.dir.durable()
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
	return t.admit(in)
}

// withDefaults gives a user who does not say otherwise an active account.
func withDefaults(t *resourceType, doc *object) {
	if t.attribute("active") != nil && doc.get("active") == nil {
		doc.set("active", true)
	}
}

func (d *directory) create(q *request, t *resourceType, doc *object) (view, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, now := d.collection(t), moment()
	withDefaults(t, doc)
	rev, err := d.draft(draft{t: t, doc: doc}, now)
	if err != nil {
		return view{}, err
	}
	if err := d.unique(c, rev.key, nil); err != nil {
		return view{}, err
	}
	if q.dry {
		return d.look(c, rev), nil
	}
	d.insertCreated(c, rev)
	d.save(c, rev)
	d.audit.commit("create", t, rev, now)
	return d.look(c, rev), nil
}

// draft applies the dialect's own rules and makes a revision.
func (d *directory) draft(dr draft, now time.Time) (*revision, error) {
	if d.rules.normalise != nil {
		if err := d.rules.normalise(d, dr); err != nil {
			return nil, err
		}
	}
	return d.finish(dr, now)
}

// unique refuses a second resource with the same unique key.
func (d *directory) unique(c *collection, key string, self *entry) error {
	if !c.t.uniqueKey {
		return nil
	}
	for _, e := range c.byKey[fold(key)] {
		if e != self {
			return refuse(409, "uniqueness", "%s %q is taken", c.t.key, key)
		}
	}
	return nil
}

// replace serves PUT.
func (s *Sandbox) replace(q *request, t *resourceType, id string) (answer, error) {
	doc, err := s.incoming(q, t)
	if err != nil {
		return answer{}, err
	}
	v, err := s.dir.update(q, t, id, "replace", func(old *revision) (*object, error) {
		withDefaults(t, doc)
		return doc, checkUnchanged(t, stored(old), doc)
	})
	if err != nil {
		return answer{}, err
	}
	return s.resourceAnswer(q, 200, v), s.dir.durable()
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
	v, err := s.dir.update(q, t, id, "patch", func(old *revision) (*object, error) {
		p := &patcher{t: t, doc: old.tree(s.dir)}
		err := p.apply(ops)
		withDefaults(t, p.doc)
		return p.doc, err
	})
	if err != nil {
		return answer{}, err
	}
	return s.resourceAnswer(q, 200, v), s.dir.durable()
}

// checkUnchanged refuses a PUT that changes an immutable attribute (RFC 7644 §3.5.1).
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
	if err := d.unique(c, rev.key, e); err != nil {
		return view{}, err
	}
	if rev == e.rev || q.dry {
		return d.look(c, rev), nil
	}
	d.linkMembers(e.rev, rev)
	c.replace(e, rev)
	d.save(c, rev)
	d.audit.commit(op, t, rev, now)
	return d.look(c, rev), nil
}

// precondition compares If-Match with the current version (RFC 7644 §3.14).
func (d *directory) precondition(q *request, rev *revision) error {
	tag := q.r.Header.Get("If-Match")
	if tag == "" || matchesTag(tag, d.rules.etag(rev)) {
		return nil
	}
	if d.rules.mismatch != nil {
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
	c, now := d.collection(t), moment()
	e := c.byID[id]
	if e == nil {
		return notFound(t.name, id)
	}
	if err := d.precondition(q, e.rev); err != nil {
		return err
	}
	if q.dry {
		return nil
	}
	d.linkMembers(e.rev, nil)
	d.withdraw(id, now)
	c.remove(e)
	d.bury(c, e, now)
	d.audit.commit("delete", t, e.rev, now)
	return nil
}

// bury erases a removed resource, or keeps it out of sight where the dialect
// deletes softly.
func (d *directory) bury(c *collection, e *entry, now time.Time) {
	if !d.rules.softDelete {
		d.erase(c, e.rev)
		return
	}
	rev := *e.rev
	rev.deleted, rev.modified, rev.members = true, now, nil
	rev.version++
	e.rev, e.slot = &rev, -1
	c.buried[fold(rev.key)] = e
	d.save(c, &rev)
}
