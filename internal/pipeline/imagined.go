package pipeline

import (
	"sync"

	"scimbulk/internal/plan"
)

// imagined holds what a dry run would have made of resources that several rows
// speak of: the second row of a person must be judged by what the first one
// leaves behind. It lets go of each after the last row of its key.
type imagined struct {
	mu    sync.Mutex
	byKey map[string]*plan.Current // nil for a resource that would be gone
}

func (m *imagined) get(t *task) (have *plan.Current, known bool) {
	if !t.shared || !t.later {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have, known = m.byKey[t.record.KeyFold]
	return have, known
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
		m.byKey = map[string]*plan.Current{}
	}
	m.byKey[t.record.KeyFold] = nil
	if c.After != nil {
		m.byKey[t.record.KeyFold] = &plan.Current{ID: c.ID, Object: c.After}
	}
}
