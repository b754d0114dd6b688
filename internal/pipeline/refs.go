package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/scim"
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

func (r *references) find(kind int, name string) (*reference, error) {
	number, known, err := r.byName.find(r.key(kind, name))
	if !known || err != nil {
		return nil, err
	}
	return r.list.at(uint32(number)), nil
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

// outcomeOf is the id of a reference, or why it has none; "" while that is open.
func (r *references) outcomeOf(e *reference) (string, error) {
	if e.open() {
		return "", nil
	}
	return r.texts.text(e.what)
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
