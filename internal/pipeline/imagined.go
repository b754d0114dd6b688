package pipeline

import (
	"sync"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// imagined holds what a dry run would have made of resources that several rows
// speak of: the second row of a person must be judged by what the first one
// leaves behind. It lets go of each after the last row of its key.
type imagined struct {
	mu    sync.Mutex
	byKey map[string]imaginedResource
}

// imaginedResource is one of them, as JSON: there may be many, and for long.
type imaginedResource struct {
	id  string
	raw []byte // nil for a resource that would be gone
}

func (m *imagined) get(t *task) (have *plan.Current, known bool) {
	if !t.shared || !t.later {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.byKey[t.record.KeyFold]
	if !known || r.raw == nil {
		return nil, known
	}
	object, err := scim.DecodeObject(r.raw)
	return &plan.Current{ID: r.id, Object: object}, err == nil
}

// set takes over what a change would leave behind.
func (m *imagined) set(t *task, c *plan.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.final {
		delete(m.byKey, t.record.KeyFold)
		return
	}
	if !c.Action.Writes() {
		return
	}
	if m.byKey == nil {
		m.byKey = map[string]imaginedResource{}
	}
	r := imaginedResource{id: c.ID}
	if c.After != nil {
		r.raw, _ = scim.Encode(c.After) // it has been decoded, so that it can be encoded
	}
	m.byKey[t.record.KeyFold] = r
}
