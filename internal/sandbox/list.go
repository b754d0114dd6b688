package sandbox

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// listing is a query for many resources (RFC 7644 §3.4.2).
type listing struct {
	filter     expr
	filterText string
	sortBy     *attrRef
	descending bool
	start      int // 1-based
	count      int
	proj       projection
	projected  string  // the two attribute lists as they were given
	active     *bool   // show only users in this state
	cursor     *cursor // set when pages follow cursors
}

// params are a query's parameters by lower-case name: of a URL or of a
// SearchRequest.
type params map[string]string

// parseListing reads a query; names in the filter are looked up in sc.
func (d *dialect) parseListing(sc scope, t *resourceType, in params) (*listing, error) {
	l := &listing{start: 1, count: d.pageSize, filterText: in["filter"]}
	if err := l.parseNumbers(d, in); err != nil {
		return nil, err
	}
	if l.filterText != "" {
		x, err := parseFilter(sc, l.filterText, d.bareFilters)
		if err != nil {
			return nil, err
		}
		l.filter = x
	}
	if err := l.parseSort(d, t, in); err != nil {
		return nil, err
	}
	if in["attributes"] != "" && in["excludedattributes"] != "" && !d.bareFilters {
		return nil, badValue("attributes and excludedAttributes exclude each other")
	}
	l.proj = newProjection(t, in["attributes"], in["excludedattributes"])
	l.projected = in["attributes"] + "!" + in["excludedattributes"]
	if d.noCursors {
		return l, nil // an unknown parameter is ignored (RFC 7644 §3.4.2)
	}
	return l, l.takeCursor(in)
}

func (l *listing) parseNumbers(d *dialect, in params) error {
	for name, dst := range map[string]*int{"startindex": &l.start, "count": &l.count} {
		text := in[name]
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if _, cursors := in["cursor"]; err != nil && cursors && name == "count" {
			return refuse(400, "invalidCount", "count %q is not an integer", text)
		}
		if err != nil {
			return badValue("%s %q is not an integer", name, text)
		}
		*dst = n
	}
	l.start = max(l.start, 1)
	l.count = min(max(l.count, 0), d.pageCap)
	return nil
}

func (l *listing) parseSort(d *dialect, t *resourceType, in params) error {
	if in["sortby"] == "" || d.noSorting {
		return nil
	}
	ref, ok := t.resolve(in["sortby"])
	if !ok || ref.leaf() == nil || ref.leaf().Returned == "never" {
		return badPath("sortBy %q is not an attribute to sort by", in["sortby"])
	}
	switch in["sortorder"] {
	case "", "ascending":
	case "descending":
		l.descending = true
	default:
		return badValue("sortOrder %q: allowed are ascending and descending", in["sortorder"])
	}
	l.sortBy = &ref
	return nil
}

// hits are the resources that a listing found, in its order.
type hits interface {
	len() int
	at(i int) *entry
}

type (
	entryHits []*entry
	slotHits  struct {
		o     *order
		slots []*entry
	}
)

func (h entryHits) len() int        { return len(h) }
func (h entryHits) at(i int) *entry { return h[i] }
func (h slotHits) len() int         { return h.o.n }
func (h slotHits) at(i int) *entry  { return h.slots[h.o.at(i)] }

// fewCandidates are compared anew each time; of more the result is remembered.
const fewCandidates = 50

// find answers a listing from the orders and indexes where it can, and else
// searches everything. The directory must be locked at least for reading.
func (d *directory) find(c *collection, l *listing) hits {
	if l.sortBy == nil {
		if h, ok := c.fromOrders(l); ok {
			return h
		}
	}
	candidates, exact, ok := d.fromIndex(c, l.filter)
	switch {
	case ok && exact && l.active == nil:
		return d.sorted(c, l, slices.Clone(entryHits(candidates)))
	case ok && len(candidates) <= fewCandidates:
		return d.sorted(c, l, d.filtered(c, l, candidates))
	}
	key := c.t.name + "\x00" + l.identity()
	if found, ok := d.results.get(d.writes, key); ok {
		return found
	}
	if !ok {
		candidates = c.live()
	}
	found := d.sorted(c, l, d.filtered(c, l, candidates))
	d.results.put(d.writes, key, found)
	return found
}

// identity is what makes two listings find the same resources.
func (l *listing) identity() string {
	id := l.filterText
	if l.sortBy != nil {
		id += "\x00" + l.sortBy.name() + strconv.FormatBool(l.descending)
	}
	if l.active != nil {
		id += "\x00" + strconv.FormatBool(*l.active)
	}
	return id
}

func (c *collection) byState(active bool) hits {
	if active {
		return slotHits{&c.active, c.slots}
	}
	return slotHits{&c.inactive, c.slots}
}

// fromOrders serves listings of everybody, of the active and of the inactive.
func (c *collection) fromOrders(l *listing) (hits, bool) {
	want, ok := activeOnly(l.filter)
	switch {
	case l.filter != nil && !ok:
		return nil, false
	case l.filter == nil && l.active == nil:
		return slotHits{&c.all, c.slots}, true
	case l.filter == nil:
		return c.byState(*l.active), true
	case l.active != nil && *l.active != want:
		return entryHits{}, true
	}
	return c.byState(want), true
}

// activeOnly recognises the filter "active eq true" or false.
func activeOnly(x expr) (want, ok bool) {
	c, isComparison := x.(comparison)
	if !isComparison || c.op != "eq" || c.ref.urn != "" || c.ref.attr == nil || c.ref.attr.Name != "active" {
		return false, false
	}
	want, ok = c.value.(bool)
	return want, ok
}

func (c *collection) live() []*entry {
	out := make([]*entry, 0, c.all.n)
	for _, e := range c.slots {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

func (d *directory) filtered(c *collection, l *listing, in []*entry) entryHits {
	out := make(entryHits, 0, min(len(in), 128))
	whole := l.filter != nil && mentionsDerived(l.filter)
	for _, e := range in {
		if l.active != nil && e.rev.active != *l.active {
			continue
		}
		holds, decided := l.filter == nil, l.filter == nil
		if !decided {
			holds, decided = quickMatch(c.t, l.filter, e.rev)
		}
		if !decided {
			holds = l.filter.match(d.searchable(c, e.rev, whole))
		}
		if holds {
			out = append(out, e)
		}
	}
	return out
}

// searchable is the tree that a filter or a sort looks at.
func (d *directory) searchable(c *collection, rev *revision, whole bool) *object {
	if whole {
		return d.rules.full(d.look(c, rev, projection{}), site{base: d.rules.base})
	}
	return stored(rev)
}

// mentionsDerived says whether a filter needs what other resources add.
func mentionsDerived(x expr) bool {
	switch x := x.(type) {
	case andExpr:
		return mentionsDerived(x.left) || mentionsDerived(x.right)
	case orExpr:
		return mentionsDerived(x.left) || mentionsDerived(x.right)
	case notExpr:
		return mentionsDerived(x.x)
	case valueExpr:
		return x.ref.derived()
	case comparison:
		return x.ref.derived()
	}
	return true
}

func (r attrRef) derived() bool {
	return r.attr != nil && (r.attr.Name == "groups" || r.attr.Name == "members" || r.attr.Name == "meta")
}

// sorted orders by sortBy; resources without a value come last, or first when
// descending (RFC 7644 §3.4.2.3). Equal ones keep the order of creation.
func (d *directory) sorted(c *collection, l *listing, in entryHits) entryHits {
	if l.sortBy == nil {
		slices.SortStableFunc(in, func(a, b *entry) int { return cmp.Compare(a.slot, b.slot) })
		return in
	}
	type keyed struct {
		e *entry
		k any
	}
	list := make([]keyed, len(in))
	for i, e := range in {
		list[i] = keyed{e, d.sortKey(c, *l.sortBy, e.rev)}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		n := compareKeys(a.k, b.k)
		if l.descending {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.e.slot, b.e.slot))
	})
	out := make(entryHits, len(list))
	for i, k := range list {
		out[i] = k.e
	}
	return out
}

// sortKey is the primary or first value, folded unless case matters.
func (d *directory) sortKey(c *collection, ref attrRef, rev *revision) any {
	values, ok := quick(c.t, ref, rev)
	if !ok {
		values = sortValues(ref, d.searchable(c, rev, ref.derived()))
	}
	if len(values) == 0 {
		return nil
	}
	text, isText := values[0].(string)
	if isText && !ref.leaf().CaseExact {
		return fold(text)
	}
	return values[0]
}

// sortValues puts the value that is primary in the place of all.
func sortValues(ref attrRef, o *object) []any {
	for _, e := range ref.container(o).list(ref.attr.Name) {
		if p, ok := e.(*object); ok && p.get("primary") == true {
			return one(p.get(ref.leaf().Name))
		}
	}
	return ref.values(o)
}

func compareKeys(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(rankNil(a), rankNil(b))
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case number:
		if b, ok := b.(number); ok {
			return compareNumbers(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok && a != b {
			return map[bool]int{false: -1, true: 1}[a]
		}
	}
	return 0
}

func rankNil(v any) int {
	if v == nil {
		return 1
	}
	return 0
}

// resultCache remembers what a search over everything found, so that walking
// its pages does not repeat it. Any write makes it forget.
type resultCache struct {
	mu     sync.Mutex
	writes uint64
	found  map[string]entryHits
}

// maxResults bounds the memory: a result is at most a pointer a resource.
const maxResults = 16

func (r *resultCache) get(writes uint64, key string) (entryHits, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writes != writes {
		return nil, false
	}
	found, ok := r.found[key]
	return found, ok
}

func (r *resultCache) put(writes uint64, key string, found entryHits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writes != writes || len(r.found) >= maxResults {
		r.writes, r.found = writes, nil
	}
	if r.found == nil {
		r.found = map[string]entryHits{}
	}
	r.found[key] = found
}
