package pipeline

import (
	"cmp"
	"slices"

	"scimbulk/internal/mapping"
)

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

func (r *references) columnOf(column string) uint16 {
	at := slices.Index(r.columns, column)
	if at < 0 {
		at = len(r.columns)
		r.columns = append(r.columns, column)
	}
	return uint16(at)
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
