package pipeline

import (
	"hash/maphash"
	"sync"

	"scimbulk/internal/plan"
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
	file  *scratch // nil while there is nothing in it
	size  int64
}

// imaginedAt is where a resource lies; length 0 is one that would be gone.
type imaginedAt struct {
	offset int64
	length int32
}

func (m *imagined) get(t *task) (have *plan.Current, known bool) {
	if !t.shared || !t.later {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil, false
	}
	at, known := m.byKey[m.hash(t)]
	if !known || at.length == 0 {
		return nil, known
	}
	raw := make([]byte, at.length)
	if _, err := m.file.ReadAt(raw, at.offset); err != nil {
		return nil, false
	}
	o, err := scim.DecodeObject(raw)
	if err != nil {
		return nil, false
	}
	id, _ := o["id"].(string)
	object, _ := o["object"].(scim.Object)
	return &plan.Current{ID: id, Object: object}, true
}

func (m *imagined) hash(t *task) uint64 { return maphash.String(m.seed, t.record.KeyFold) }

// set takes over what a change would leave behind.
func (m *imagined) set(t *task, c *plan.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.final {
		if m.file != nil {
			delete(m.byKey, m.hash(t))
		}
		return nil
	}
	if !c.Action.Writes() {
		return nil
	}
	if err := m.open(); err != nil {
		return err
	}
	at := imaginedAt{offset: m.size}
	if c.After != nil {
		raw, err := scim.Encode(scim.Object{"id": c.ID, "object": c.After})
		if err != nil {
			return err
		}
		if _, err := m.file.WriteAt(raw, m.size); err != nil {
			return err
		}
		at.length = int32(len(raw))
		m.size += int64(len(raw))
	}
	m.byKey[m.hash(t)] = at
	return nil
}

func (m *imagined) open() (err error) {
	if m.file != nil {
		return nil
	}
	m.seed, m.byKey = maphash.MakeSeed(), map[uint64]imaginedAt{}
	m.file, err = newScratch("")
	return err
}

// discard lets go of all of it.
func (m *imagined) discard() {
	if m.file != nil {
		_ = m.file.discard() // nobody misses it
	}
}
