package sandbox

import (
	"slices"
	"sync"
	"time"
)

// directory holds the resources and their indexes. Everything in it is
// guarded by mu, except that a published revision may be read freely.
type directory struct {
	rules  *dialect
	faults *faultSet
	store  *store // nil when the directory lives in memory only
	audit  *auditFile

	mu       sync.RWMutex
	users    *collection
	groups   *collection
	memberOf map[string][]string // ids of the groups that name a resource
	writes   uint64              // grows with each change; dates cached results
	results  resultCache
	broken   map[string]bool // groups that refuse members, by fault empty-members-break
}

func newDirectory(rules *dialect, faults *faultSet) *directory {
	return &directory{
		rules:    rules,
		faults:   faults,
		broken:   map[string]bool{},
		users:    newCollection(rules.user),
		groups:   newCollection(rules.group),
		memberOf: map[string][]string{},
	}
}

func (d *directory) collection(t *resourceType) *collection {
	if t == d.groups.t {
		return d.groups
	}
	return d.users
}

// describe says of which kind an id is and how it is shown; kind is "" for an
// id that is not there.
func (d *directory) describe(id string) (kind, display string) {
	for _, c := range []*collection{d.users, d.groups} {
		if e := c.byID[id]; e != nil {
			return c.t.name, e.rev.display
		}
	}
	return "", ""
}

// entry is a resource's place in its collection.
type entry struct {
	slot int
	rev  *revision
}

// collection is all resources of one type with the indexes over them.
type collection struct {
	t           *resourceType
	byID        map[string]*entry
	byKey       map[string][]*entry // folded
	byExternal  map[string][]*entry
	byAuthority map[string][]*entry // genesys externalIds
	values      valueIndexes
	buried      map[string]*entry // soft-deleted, by folded key
	slots       []*entry          // in order of creation; nil where one was deleted
	all         order
	active      order
	inactive    order
	lastSeq     uint64
}

func newCollection(t *resourceType) *collection {
	return &collection{
		t: t, byID: map[string]*entry{}, byKey: map[string][]*entry{},
		byExternal: map[string][]*entry{}, byAuthority: map[string][]*entry{}, buried: map[string]*entry{},
		values: valueIndexes{byName: map[string]*valueIndex{}},
	}
}

// insert adds a revision whose seq is above all that are there.
func (c *collection) insert(rev *revision) *entry {
	e := &entry{slot: len(c.slots), rev: rev}
	c.lastSeq = max(c.lastSeq, rev.seq)
	if rev.deleted {
		e.slot = -1
		c.buried[fold(rev.key)] = e
		return e
	}
	c.slots = append(c.slots, e)
	c.all.grow(true)
	c.active.grow(rev.active)
	c.inactive.grow(!rev.active)
	c.byID[rev.id] = e
	c.index(e, rev)
	c.indexValues(e, nil, rev)
	return e
}

func (c *collection) index(e *entry, rev *revision) {
	key := fold(rev.key)
	c.byKey[key] = append(c.byKey[key], e)
	if rev.external != "" {
		c.byExternal[rev.external] = append(c.byExternal[rev.external], e)
	}
	for _, a := range rev.authorities {
		c.byAuthority[a] = append(c.byAuthority[a], e)
	}
}

func (c *collection) unindex(e *entry, rev *revision) {
	drop(c.byKey, fold(rev.key), e)
	if rev.external != "" {
		drop(c.byExternal, rev.external, e)
	}
	for _, a := range rev.authorities {
		drop(c.byAuthority, a, e)
	}
}

func drop(m map[string][]*entry, key string, e *entry) {
	rest := slices.DeleteFunc(m[key], func(x *entry) bool { return x == e })
	if len(rest) == 0 {
		delete(m, key)
		return
	}
	m[key] = rest
}

// replace publishes another revision of a resource.
func (c *collection) replace(e *entry, rev *revision) {
	if fold(e.rev.key) != fold(rev.key) || e.rev.external != rev.external || !slices.Equal(e.rev.authorities, rev.authorities) {
		c.unindex(e, e.rev)
		c.index(e, rev)
	}
	c.indexValues(e, e.rev, rev)
	c.active.set(e.slot, rev.active)
	c.inactive.set(e.slot, !rev.active)
	e.rev = rev
}

func (c *collection) remove(e *entry) {
	c.unindex(e, e.rev)
	c.indexValues(e, e.rev, nil)
	delete(c.byID, e.rev.id)
	c.slots[e.slot] = nil
	for _, o := range []*order{&c.all, &c.active, &c.inactive} {
		o.set(e.slot, false)
	}
	if len(c.slots) > 2*c.all.n+1024 {
		c.compact()
	}
}

// compact closes the gaps that deletions left.
func (c *collection) compact() {
	live := slices.DeleteFunc(c.slots, func(e *entry) bool { return e == nil })
	c.slots, c.all, c.active, c.inactive = live, order{}, order{}, order{}
	for i, e := range live {
		e.slot = i
		c.all.grow(true)
		c.active.grow(e.rev.active)
		c.inactive.grow(!e.rev.active)
	}
}

// insertCreated gives a new revision its place and publishes it.
func (d *directory) insertCreated(c *collection, rev *revision) {
	rev.seq = c.lastSeq + 1
	c.insert(rev)
	d.linkMembers(nil, rev)
}

// linkMembers brings memberOf up to date with a group's new revision.
func (d *directory) linkMembers(old, rev *revision) {
	var was, is []string
	if old != nil {
		was = old.members
	}
	if rev != nil {
		is = rev.members
	}
	if len(was) == 0 && len(is) == 0 || slices.Equal(was, is) {
		return
	}
	common := make(map[string]bool, len(was))
	for _, id := range was {
		common[id] = true
	}
	for _, id := range is {
		if common[id] {
			delete(common, id)
			continue
		}
		d.memberOf[id] = append(d.memberOf[id], rev.id)
	}
	for id := range common {
		d.unlink(id, old.id)
	}
}

func (d *directory) unlink(id, group string) {
	rest := slices.DeleteFunc(d.memberOf[id], func(g string) bool { return g == group })
	if len(rest) == 0 {
		delete(d.memberOf, id)
		return
	}
	d.memberOf[id] = rest
}

// withdraw takes a deleted resource out of the groups that name it.
func (d *directory) withdraw(id string, now time.Time) {
	for _, gid := range slices.Clone(d.memberOf[id]) {
		e := d.groups.byID[gid]
		rev := *e.rev
		rev.members = slices.DeleteFunc(slices.Clone(rev.members), func(m string) bool { return m == id })
		rev.version, rev.modified = rev.version+1, now
		d.groups.replace(e, &rev)
		d.save(d.groups, &rev)
	}
	delete(d.memberOf, id)
}

// save hands a revision to the store, if there is one.
func (d *directory) save(c *collection, rev *revision) {
	d.writes++
	if d.store != nil {
		d.store.put(c.t.name, rev.seq, rev)
	}
}

// erase removes a revision from the store, if there is one.
func (d *directory) erase(c *collection, rev *revision) {
	d.writes++
	if d.store != nil {
		d.store.put(c.t.name, rev.seq, nil)
	}
}

// durable waits until what was saved before has reached the kernel. It must
// be called without the lock.
func (d *directory) durable() error {
	if d.store == nil {
		return nil
	}
	return d.store.flush()
}
