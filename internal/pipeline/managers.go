package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// managers finds out, in a dry run, who would be left without a manager: by an
// update that takes the manager away, or because the manager is deleted or
// turned inactive. It holds so many ids and no more.
type managers struct {
	mu      sync.Mutex
	cleared int64
	named   []string // the first whose manager is taken away

	removed map[string]string   // keys of people who go, by id
	gone    int64               // how many they are
	settled map[string]struct{} // ids of people who go themselves, or get another manager
	given   map[string]int64    // how many rows give somebody that manager, by id
	full    bool                // there were too many to hold
}

const (
	// mostAsked is of how many people who go the directory is asked whose
	// manager they are: a request each.
	mostAsked = 25
	// mostHeld bounds the ids that are kept for it.
	mostHeld = 100_000
	// mostNamed is how many people a warning names.
	mostNamed = 3
)

// note takes a change in that a dry run announces.
func (m *managers) note(w *row) {
	c := &w.change
	if w.Resource != "User" {
		return
	}
	goes := c.TurnsOff()
	before, after := "", managerAfter(c)
	if w.have != nil {
		before = managerOf(w.have.Object)
	}
	if !goes && before == after {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if goes {
		m.leaves(c.ID, w.record.Key)
	}
	switch {
	case goes && after == before, c.Action == plan.ActDelete:
	case after == "":
		m.cleared++
		if len(m.named) < mostNamed {
			m.named = append(m.named, w.record.Key)
		}
	default:
		m.gives(after)
	}
	m.settle(c.ID)
}

func (m *managers) leaves(id, key string) {
	if m.removed == nil {
		m.removed = map[string]string{}
	}
	if m.gone++; len(m.removed) <= mostAsked {
		m.removed[id] = key
	}
}

func (m *managers) gives(id string) {
	if m.given == nil {
		m.given = map[string]int64{}
	}
	if _, known := m.given[id]; known || len(m.given) < mostHeld {
		m.given[id]++
	}
}

func (m *managers) settle(id string) {
	if m.settled == nil {
		m.settled = map[string]struct{}{}
	}
	if len(m.settled) >= mostHeld {
		m.full = true
		return
	}
	m.settled[id] = struct{}{}
}

// warnings says what was found; nothing for a run that writes.
func (m *managers) warnings(ctx context.Context, r *run) []string {
	var list []string
	if m.cleared > 0 {
		list = append(list, fmt.Sprintf("%s would have no manager any more: %s", people(m.cleared), someOf(m.named, m.cleared)))
	}
	if m.gone == 0 || r.totals.Cause != nil || ctx.Err() != nil {
		return list
	}
	return append(list, m.orphans(ctx, r)...)
}

// orphans finds the people whose manager goes.
func (m *managers) orphans(ctx context.Context, r *run) []string {
	if m.gone > mostAsked || m.full {
		return []string{fmt.Sprintf("%s would be deleted or turned inactive: whose managers they are was not asked, since they are more than %d",
			people(m.gone), mostAsked)}
	}
	var n int64
	var named []string
	for id, key := range m.removed {
		n += m.given[id]
		found, err := m.managedBy(ctx, r, id)
		if err != nil {
			return []string{fmt.Sprintf("%s would be deleted or turned inactive: the directory does not say whose managers they are", people(m.gone))}
		}
		n += int64(len(found))
		for _, who := range found {
			named = append(named, fmt.Sprintf("%s (manager %s)", who, key))
		}
	}
	if n == 0 {
		return nil
	}
	slices.Sort(named)
	return []string{fmt.Sprintf("%s would have a manager who is deleted or turned inactive: %s", people(n), someOf(named, n))}
}

// managedBy lists the people with a manager, apart from those whom the change
// set takes away or gives another one.
func (m *managers) managedBy(ctx context.Context, r *run, id string) ([]string, error) {
	path := managerPath()
	path.Sub = "value"
	r.foreseen.spared.Add(1)
	page, err := r.Client.List(ctx, scim.Users, scim.ListOptions{
		Filter: scim.Equals(path, id), Attributes: []string{"userName", managerPath().String()}, Count: -1,
	})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, resource := range page.Resources {
		have, err := current(resource)
		if err != nil {
			return nil, err
		}
		if managerOf(have.Object) != id {
			return nil, &filterError{path.Short()}
		}
		name, _ := have.Object["userName"].(string)
		if _, settled := m.settled[resource.ID]; !settled {
			found = append(found, name)
		}
	}
	return found, nil
}

func people(n int64) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// someOf names the first of so many.
func someOf(names []string, n int64) string {
	text := strings.Join(names[:min(mostNamed, len(names))], ", ")
	if n > int64(min(mostNamed, len(names))) {
		text += ", …"
	}
	return strings.TrimPrefix(text, ", ")
}
