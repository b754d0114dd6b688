package pipeline

import (
	"fmt"

	"scimbulk/internal/mapping"
	"scimbulk/internal/scim"
)

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
