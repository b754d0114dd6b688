package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// How a row bears a reference to what is not there.
const (
	missingReject = "reject"
	missingKeep   = "keep"
)

// refKind is a way of naming resources.
type refKind struct {
	resource, by string
	leaf         *scim.Attribute // that the names are values of
}

// reference is a resource that rows refer to. Its texts lie on disk: there may
// be as many as there are rows, and 32 bytes of each are held.
type reference struct {
	name   int64  // where its name lies, as it was first written
	what   int64  // where its id lies, or the reason why there is none
	row    uint32 // line of the first row that is this resource, 0 when the file does not hold it
	needed uint32 // the last of the rows that cannot do without it, one more than its number in needs; 0 for none
	hits   uint16 // resources of the directory that have the name
	column uint16 // where it was first written
	kind   uint8
	state  refState
	known  bool // id or absence were settled before the first write
	sought bool // a search in the directory is for it
}

// refState is what is known of a reference.
type refState uint8

const (
	refOpen   refState = iota // a row has still to show what becomes of the resource
	refThere                  // it has an id
	refAbsent                 // and it has none
)

func (e *reference) open() bool { return e.state == refOpen }

// need is a row that cannot do without a reference.
type need struct{ line, before uint32 }

// origin is where a chain of rejected rows begins: with its first row, for lack
// of something.
type origin struct {
	line  int64
	cause int64 // where the reason lies
}

// references are all resources that the rows of an input refer to. They are
// collected by the survey, resolved before the first write, and completed while
// rows are carried out; from then on they are safe for concurrent use.
type references struct {
	mu       sync.Mutex
	resource string // of the rows
	texts    textSpool
	list     chunks[reference]
	byName   *idIndex // numbers in list, by kind and folded name
	ids      *idIndex // the same by id, for a dry run; nil otherwise
	byRow    []uint32 // numbers of those that are rows, by line
	needs    chunks[need]
	kinds    []refKind
	columns  []string
	indexes  map[string]*duplicates // rows by attributes other than the match attribute
	open     bool                   // some resource is neither there before the first write nor known to be absent
	rejected map[uint32]int64       // lines of rows that must not be carried out, and where it is said why
	origins  map[*reference]origin  // of those that die with their rows

	waits   map[*reference][]*task // rows that go on once the row of the reference is done
	waiting int                    // how many they are
	eased   chan struct{}          // gets something when that may have become less
}

// newReferences prepares for the references that a mapping can make; nil when
// there are none.
func newReferences(m *mapping.Mapping, schema *scim.ResourceSchema) *references {
	refs := m.References()
	if len(refs) == 0 {
		return nil
	}
	r := &references{
		indexes: map[string]*duplicates{}, resource: m.Resource(), rejected: map[uint32]int64{}, origins: map[*reference]origin{},
		waits: map[*reference][]*task{}, eased: make(chan struct{}, 1),
	}
	r.byName = newIDIndex(func(number int64) (string, error) { return r.keyAt(uint32(number)) })
	for _, ref := range refs {
		if kind := (refKind{ref.Resource, ref.By, leafAt(ref.Resource, ref.By, schema)}); r.kindOf(ref.Resource, ref.By) < 0 {
			r.kinds = append(r.kinds, kind)
		}
		if ref.Resource == m.Resource() && ref.By != m.Match() {
			r.indexes[ref.By] = newDuplicates()
		}
	}
	return r
}

// leafAt is the definition of the attribute by which resources are named.
func leafAt(resource, by string, schema *scim.ResourceSchema) *scim.Attribute {
	if schema == nil || schema.Resource != resource {
		schema = scim.Builtin(resource)
	}
	path, err := scim.ParsePath(by)
	if err != nil {
		return &scim.Attribute{}
	}
	target, err := schema.Resolve(path)
	if err != nil {
		return &scim.Attribute{}
	}
	return target.Leaf()
}

func (r *references) kindOf(resource, by string) int {
	return slices.IndexFunc(r.kinds, func(k refKind) bool { return k.resource == resource && k.by == by })
}

func (r *references) kindAt(e *reference) *refKind { return &r.kinds[e.kind] }

// refsGCPercent keeps garbage below half of the heap where references are many:
// they have no pointers, so that collecting more often costs little.
const refsGCPercent = 50

// many says whether references make up much of what a run holds.
func (r *references) many() bool {
	const many = 50_000
	return r != nil && r.list.n > many
}

// discard lets go of what lies on disk.
func (r *references) discard() {
	if r != nil {
		r.texts.discard()
	}
}

// key is a name as the index knows it.
func (r *references) key(kind int, name string) string {
	return strconv.Itoa(kind) + " " + mapping.Fold(r.kinds[kind].leaf, name)
}

func (r *references) keyAt(number uint32) (string, error) {
	e := r.list.at(number)
	name, err := r.texts.text(e.name)
	return r.key(int(e.kind), name), err
}

// collect notes what a row refers to, and under which names it can be referred
// to itself.
func (r *references) collect(t *task) error {
	for i := range t.record.Refs {
		ref := &t.record.Refs[i]
		for _, name := range ref.Names {
			e, err := r.enter(ref, name)
			if err != nil {
				return err
			}
			if ref.OnMissing == missingReject {
				r.needs.add(need{uint32(t.row.Line), e.needed})
				e.needed = r.needs.n
			}
		}
	}
	for by, index := range r.indexes {
		for i := range t.record.Assignments {
			a := &t.record.Assignments[i]
			if value, ok := a.Value.(string); ok && a.Target.Path.String() == by {
				index.add(mapping.Fold(a.Target.Leaf(), value), t.row.Line)
			}
		}
	}
	return nil
}

func (r *references) enter(ref *mapping.Ref, name string) (*reference, error) {
	kind := r.kindOf(ref.Resource, ref.By)
	e, err := r.find(kind, name)
	if e != nil || err != nil {
		return e, err
	}
	at, err := r.texts.add(name)
	if err != nil {
		return nil, err
	}
	number := r.list.n
	e = r.list.add(reference{name: at, kind: uint8(kind), column: r.columnOf(ref.Column)})
	return e, r.byName.put(r.key(kind, name), int64(number))
}

func (r *references) find(kind int, name string) (*reference, error) {
	number, known, err := r.byName.find(r.key(kind, name))
	if !known || err != nil {
		return nil, err
	}
	return r.list.at(uint32(number)), nil
}

func (r *references) columnOf(column string) uint16 {
	at := slices.Index(r.columns, column)
	if at < 0 {
		at = len(r.columns)
		r.columns = append(r.columns, column)
	}
	return uint16(at)
}

// settle says what a reference has come to: the text is its id, or why it has
// none.
func (r *references) settle(e *reference, state refState, text string) (err error) {
	if e.what, err = r.texts.add(text); err != nil {
		return err
	}
	e.state = state
	return nil
}

// called is how rows call a resource: the column and the name.
func (r *references) called(e *reference) (string, error) {
	name, err := r.texts.text(e.name)
	return fmt.Sprintf("%s %q", r.columns[e.column], name), err
}

// place finds the rows that are the resources referred to. keys is the index of
// the match attribute, before its duplicates are found.
func (r *references) place(keys *duplicates, resource, match string) error {
	for _, e := range r.list.all() {
		kind := r.kindAt(e)
		if kind.resource != resource {
			continue
		}
		name, err := r.texts.text(e.name)
		if err != nil {
			return err
		}
		index := keys
		if kind.by != match {
			index = r.indexes[kind.by]
		}
		index.want(mapping.Fold(kind.leaf, name), &e.row)
	}
	for _, index := range r.indexes {
		index.find()
		index.twins = nil
	}
	r.indexes = nil
	return nil
}

// settlePlaces takes the places over once all indexes have been searched.
func (r *references) settlePlaces() {
	placed := 0
	for _, e := range r.list.all() {
		if e.row > 0 {
			placed++
		}
	}
	r.byRow = make([]uint32, 0, placed)
	for number, e := range r.list.all() {
		if e.row > 0 {
			r.byRow = append(r.byRow, number)
		}
	}
	slices.SortFunc(r.byRow, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(r.list.at(a).row, r.list.at(b).row), cmp.Compare(a, b))
	})
}

// namedBy are the references that a row is.
func (r *references) namedBy(line int64) []uint32 {
	if r == nil {
		return nil
	}
	start, _ := slices.BinarySearchFunc(r.byRow, uint32(line), func(n, line uint32) int { return cmp.Compare(r.list.at(n).row, line) })
	end := start
	for end < len(r.byRow) && int64(r.list.at(r.byRow[end]).row) == line {
		end++
	}
	return r.byRow[start:end]
}

// rejectDependents rejects the rows that cannot do without what is neither in
// the directory nor in the file, and those that cannot do without them.
func (r *references) rejectDependents() error {
	var missing []*reference
	for _, e := range r.list.all() {
		if e.state == refThere || e.row > 0 {
			continue
		}
		if e.open() {
			if err := r.sayNowhere(e); err != nil {
				return err
			}
		}
		missing = append(missing, e)
	}
	for len(missing) > 0 {
		e := missing[0]
		missing = missing[1:]
		for _, line := range r.needy(e) {
			dead, err := r.reject(line, e)
			if err != nil {
				return err
			}
			missing = append(missing, dead...)
		}
	}
	return nil
}

// needy are the lines of the rows that cannot do without a reference.
func (r *references) needy(e *reference) []uint32 {
	var lines []uint32
	for at := e.needed; at > 0; {
		n := r.needs.at(at - 1)
		lines = append(lines, n.line)
		at = n.before
	}
	slices.Reverse(lines)
	return lines
}

// sayNowhere says that a resource is not to be found where it can be.
func (r *references) sayNowhere(e *reference) error {
	kind := r.kindAt(e)
	if kind.resource != r.resource {
		name, err := r.texts.text(e.name)
		if err != nil {
			return err
		}
		return r.settle(e, refAbsent, fmt.Sprintf("the directory has no %s with the %s %q", strings.ToLower(kind.resource), kind.by, name))
	}
	called, err := r.called(e)
	if err != nil {
		return err
	}
	return r.settle(e, refAbsent, called+" is neither in the directory nor in the file")
}

// named are the resources of a type that rows refer to, by their ids, with one
// of their names.
func (r *references) named(resource string) (map[string]string, error) {
	names := map[string]string{}
	for _, e := range r.list.all() {
		if e.state != refThere || r.kindAt(e).resource != resource {
			continue
		}
		id, err := r.texts.text(e.what)
		if err != nil {
			return nil, err
		}
		name, err := r.texts.text(e.name)
		if err != nil {
			return nil, err
		}
		if other, known := names[id]; !known || name < other {
			names[id] = name
		}
	}
	return names, nil
}

// reject marks a row that cannot do without a reference, and returns the
// references that die with it. Their reasons name the row itself and the
// beginning of the chain, but nothing between, so that a long chain of managers
// can be read, and is not held once for each of its rows.
func (r *references) reject(line uint32, lack *reference) (dead []*reference, err error) {
	if _, known := r.rejected[line]; known {
		return nil, nil
	}
	r.rejected[line] = lack.what
	from, chained := r.origins[lack]
	why := fmt.Sprintf("is rejected because line %d is", from.line)
	if !chained {
		from, why = origin{int64(line), lack.what}, "is rejected"
	}
	for _, number := range r.namedBy(int64(line)) {
		e := r.list.at(number)
		if !e.open() {
			continue
		}
		called, err := r.called(e)
		if err != nil {
			return nil, err
		}
		cause, err := r.texts.text(from.cause)
		if err != nil {
			return nil, err
		}
		if err := r.settle(e, refAbsent, fmt.Sprintf("line %d, which %s names, %s: %s", line, called, why, cause)); err != nil {
			return nil, err
		}
		r.origins[e] = from
		dead = append(dead, e)
	}
	return dead, nil
}

// rejection is the result of a row that cannot do without what is missing, nil
// for all others.
func (r *references) rejection(t *task) (*Result, error) {
	if r == nil || t.op == plan.Delete || t.op == plan.Deactivate {
		return nil, nil
	}
	at, rejected := r.rejected[uint32(t.row.Line)]
	if !rejected {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	why, err := r.texts.text(at)
	return &Result{
		Row: t.row, Key: t.record.Key, Op: t.op, Outcome: Rejected, Class: ClassReference, Detail: why,
		Change: plan.Change{Action: plan.ActReject, Class: ClassReference, Reason: why},
	}, err
}

// publish says what became of a row that others may refer to: id is "" when it
// is not there. It returns the rows that waited for it.
func (r *references) publish(line int64, id, why string) (released []*task, err error) {
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, number := range r.namedBy(line) {
		e := r.list.at(number)
		if err := r.publishOne(number, line, id, why); err != nil {
			return nil, err
		}
		released = append(released, r.waits[e]...)
		delete(r.waits, e)
	}
	if r.waiting -= len(released); len(released) > 0 {
		r.ease()
	}
	return released, nil
}

func (r *references) publishOne(number uint32, line int64, id, why string) error {
	e := r.list.at(number)
	switch {
	case e.state == refThere:
		return nil
	case id != "":
		if err := r.settle(e, refThere, id); err != nil {
			return err
		}
		return r.noteID(number, id)
	case e.open():
		called, err := r.called(e)
		if err != nil {
			return err
		}
		return r.settle(e, refAbsent, fmt.Sprintf("line %d, which %s names, %s", line, called, why))
	}
	return nil
}

// noteID keeps by which id a reference is found again.
func (r *references) noteID(number uint32, id string) error {
	if r.ids == nil {
		return nil
	}
	return r.ids.put(id, int64(number))
}

// binding is what the references of a row come to.
type binding struct {
	assignments []scim.Assignment
	deferred    bool     // some resource comes later in the file: a second step sets it
	left        []string // references that were left out, and why
	reject      string   // why the row cannot be carried out
	joins       *joinWish
}

// bind turns the references of a row into ids. A row that needs an earlier one
// which is still in hand waits, and bind says so. With all set, nothing waits
// and nothing is deferred: what has no id by then has none.
func (r *references) bind(t *task, all bool) (b binding, waiting bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range t.record.Refs {
		ref := &t.record.Refs[i]
		entries := make([]*reference, len(ref.Names))
		later := false
		for j, name := range ref.Names {
			e, err := r.enter(ref, name)
			if err != nil {
				return binding{}, false, err
			}
			entries[j] = e
			switch {
			case all:
			case t.shared && r.mustWait(ref, t):
				later = true // or a row that has to wait would have the last word
			case e.known:
			case int64(e.row) >= t.row.Line || t.shared:
				later = true // even if it is there by now: a plan must come to the same
			case e.open():
				r.waits[e] = append(r.waits[e], t)
				r.waiting++
				return binding{}, true, nil
			}
		}
		if later {
			b.deferred = true
			continue
		}
		if err := r.assign(&b, ref, entries); err != nil {
			return binding{}, false, err
		}
	}
	return b, false, nil
}

// mustWait says whether all rows that share their key set a reference in their
// second step, one after the other: because some of what rows refer to is still
// to be made, or because an earlier session has left some second steps undone.
func (r *references) mustWait(ref *mapping.Ref, t *task) bool {
	return ref.Resource == r.resource && (r.open || t.begun)
}

// assign makes an assignment of a reference whose resources are known or known
// to be absent.
func (r *references) assign(b *binding, ref *mapping.Ref, entries []*reference) error {
	var ids []string
	for j, e := range entries {
		what, err := r.outcomeOf(e)
		switch {
		case err != nil:
			return err
		case e.state == refThere:
			ids = append(ids, what)
		case ref.OnMissing == missingKeep:
			ids = append(ids, ref.Names[j])
		case ref.OnMissing == missingReject:
			b.reject = what
		default:
			b.left = append(b.left, fmt.Sprintf("%s left out: %s", ref.Target.Path.Short(), what))
		}
	}
	b.add(ref, ids, len(ids) < len(entries))
	return nil
}

// outcomeOf is the id of a reference, or why it has none; "" while that is open.
func (r *references) outcomeOf(e *reference) (string, error) {
	if e.open() {
		return "", nil
	}
	return r.texts.text(e.what)
}

// add makes an assignment of the ids.
func (b *binding) add(ref *mapping.Ref, ids []string, unsure bool) {
	if ref.Memberships {
		b.joins = &joinWish{groups: ids, replace: ref.Mode == scim.ReplaceAll, unsure: unsure}
		return
	}
	if len(ids) == 0 {
		return
	}
	a := scim.Assignment{Target: ref.Target, Mode: ref.Mode, Value: ids[0]}
	if ref.Target.List() {
		list := make([]any, len(ids))
		for j, id := range ids {
			list[j] = scim.Object{"value": id}
		}
		a.Value = list
	}
	b.assignments = append(b.assignments, a)
}
