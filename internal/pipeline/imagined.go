package pipeline

import (
	"hash/maphash"
	"sync"

	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// imagined holds what a dry run would have made of resources that several rows
// speak of: the second row of a person must be judged by what the first one
// leaves behind. The resources lie in a temporary file, since the two rows may
// stand far apart; memory holds where, until the last row of a key.
type imagined struct {
	mu    sync.Mutex
	seed  maphash.Seed
	byKey map[uint64]imaginedAt
	kept  map[uint64]struct{} // keys whose rows have a second step to come
	file  *rows.Scratch       // nil while there is nothing in it
	size  int64
}

// imaginedAt is where a resource lies; length 0 is one that would be gone.
type imaginedAt struct {
	offset int64
	length int32
}

// get is what earlier rows of the key have left. promised stands for the id of
// a resource that one of them would create.
func (m *imagined) get(t *task) (have *plan.Current, promised string, known bool) {
	if !t.shared || !t.later && t.first == nil {
		return nil, "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil, "", false
	}
	at, known := m.byKey[m.hash(t)]
	if !known || at.length == 0 {
		return nil, "", known
	}
	raw := make([]byte, at.length)
	if _, err := m.file.ReadAt(raw, at.offset); err != nil {
		return nil, "", false
	}
	o, err := scim.DecodeObject(raw)
	if err != nil {
		return nil, "", false
	}
	id, _ := o["id"].(string)
	promised, _ = o["promised"].(string)
	object, _ := o["object"].(scim.Object)
	return &plan.Current{ID: id, Object: object}, promised, true
}

func (m *imagined) hash(t *task) uint64 { return maphash.String(m.seed, t.record.KeyFold) }

// set takes over what a change would leave behind. A key is forgotten after its
// last row, unless a row of it has a second step to come.
func (m *imagined) set(t *task, c *plan.Change, promised string, deferred bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return err
	}
	key := m.hash(t)
	if deferred {
		m.kept[key] = struct{}{}
	}
	if _, kept := m.kept[key]; t.final && !kept {
		delete(m.byKey, key)
		return nil
	}
	if !c.Action.Writes() {
		return nil
	}
	at := imaginedAt{offset: m.size}
	if c.After != nil {
		raw, err := scim.Encode(scim.Object{"id": c.ID, "promised": promised, "object": c.After})
		if err != nil {
			return err
		}
		if _, err := m.file.WriteAt(raw, m.size); err != nil {
			return err
		}
		at.length = int32(len(raw))
		m.size += int64(len(raw))
	}
	m.byKey[key] = at
	return nil
}

func (m *imagined) open() (err error) {
	if m.file != nil {
		return nil
	}
	m.seed, m.byKey, m.kept = maphash.MakeSeed(), map[uint64]imaginedAt{}, map[uint64]struct{}{}
	m.file, err = rows.NewScratch("")
	return err
}

// discard lets go of all of it.
func (m *imagined) discard() {
	if m.file != nil {
		_ = m.file.Discard() // nobody misses it
	}
}
