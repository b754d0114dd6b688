package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
)

// The index of a state has a record for each resource: hashes of its id and of
// its match attribute, 0 where it has none, and where it lies.
const (
	byID = iota
	byKey
	atPlace
)

// couple is a resource in both states, by its places; -1 where it is in one
// alone.
type couple struct{ old, new int64 }

// heldAtOnce bounds how many entries of an index are in memory: 3 MB of them.
const heldAtOnce = 128 << 10

func (x *comparison) hash(s string) uint64 {
	if s == "" {
		return 0
	}
	return maphash.String(x.seed, s) | 1
}

// match finds the resources that belong together: by id first, then by the
// match attribute among those whose ids the other state does not have. Those
// whom nothing tells apart stay alone.
func (x *comparison) match() (_ *records, err error) {
	couples, err := newRecords()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, couples.close())
		}
	}()
	add := func(old, newer int64) error { return couples.add(record{uint64(old), uint64(newer)}) }
	for _, by := range []int{byID, byKey} {
		if err := x.join(by, add); err != nil {
			return nil, err
		}
	}
	for _, s := range []*State{x.Old, x.New} {
		x.noteTwins(s)
		err := s.index.each(func(r record) error {
			if s == x.Old {
				return add(int64(r[atPlace]), -1)
			}
			return add(-1, int64(r[atPlace]))
		})
		if err != nil {
			return nil, err
		}
	}
	return couples, nil
}

// join couples what has one hash in both states, a part of the hashes at a time.
// What is left becomes the index of either state.
func (x *comparison) join(by int, add func(old, newer int64) error) (err error) {
	parts := uint64(max(x.Old.index.n, x.New.index.n)/x.atOnce + 1)
	var left [2]*records
	for i := range left {
		if left[i], err = newRecords(); err != nil {
			return err
		}
	}
	for part := range parts {
		var lists [2][]record
		for i, s := range []*State{x.Old, x.New} {
			lists[i], err = s.index.pick(func(r record) bool { return (r[by]>>1)%parts == part })
			if err == nil {
				lists[i], err = x.settleTwins(s, lists[i], by)
			}
			if err != nil {
				return errors.Join(err, left[0].close(), left[1].close())
			}
		}
		if err := joinPart(lists, by, add, left); err != nil {
			return errors.Join(err, left[0].close(), left[1].close())
		}
	}
	err = errors.Join(x.Old.index.close(), x.New.index.close())
	x.Old.index, x.New.index = left[0], left[1]
	return err
}

// joinPart walks two sorted lists side by side.
func joinPart(lists [2][]record, by int, add func(old, newer int64) error, left [2]*records) error {
	old, newer := lists[0], lists[1]
	for len(old) > 0 || len(newer) > 0 {
		var err error
		switch {
		case len(newer) == 0 || len(old) > 0 && (old[0][by] == 0 || old[0][by] < newer[0][by]):
			err, old = left[0].add(old[0]), old[1:]
		case len(old) == 0 || newer[0][by] == 0 || newer[0][by] < old[0][by]:
			err, newer = left[1].add(newer[0]), newer[1:]
		default:
			err = add(int64(old[0][atPlace]), int64(newer[0][atPlace]))
			old, newer = old[1:], newer[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walk visits the couples, a part of the files at a time. Those who went come
// first, so that a change set frees names before it gives them to others; those
// who came are last.
func (x *comparison) walk(couples *records, visit func(couple) error) error {
	parts := couples.n/x.atOnce + 1
	size := max(x.Old.spool.size, x.New.spool.size) + 1
	for rank := range 3 {
		for part := range parts {
			picked, err := couples.pick(func(r record) bool {
				c := couple{int64(r[0]), int64(r[1])}
				return c.rank() == rank && c.place()/(size/parts+1) == part
			})
			if err != nil {
				return err
			}
			slices.SortFunc(picked, func(a, b record) int {
				return cmp.Compare(couple{int64(a[0]), int64(a[1])}.place(), couple{int64(b[0]), int64(b[1])}.place())
			})
			for _, r := range picked {
				if err := visit(couple{int64(r[0]), int64(r[1])}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// place is where the couple stands in the order of its file.
func (c couple) place() int64 {
	if c.new < 0 {
		return c.old
	}
	return c.new
}

func (c couple) rank() int {
	switch {
	case c.new < 0:
		return 0
	case c.old < 0:
		return 2
	}
	return 1
}

// settleTwins sorts a part of an index, and deals with resources that have the
// same id, or the same key: one that has no id of its own cannot be told from
// the other. Those that have ids stay alone. A membership that stands twice is
// one.
func (x *comparison) settleTwins(s *State, list []record, by int) ([]record, error) {
	slices.SortFunc(list, func(a, b record) int { return cmp.Or(cmp.Compare(a[by], b[by]), cmp.Compare(a[atPlace], b[atPlace])) })
	kept := list[:0]
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && list[start][by] != 0 && list[end][by] == list[start][by] {
			end++
		}
		group := list[start:end]
		start = end
		if len(group) > 1 {
			if err := x.judgeTwins(s, group, by); err != nil {
				return nil, err
			}
			group = s.settled(group)
		}
		kept = append(kept, group...)
	}
	return kept, nil
}

// settled are the entries of resources with one hash, as they are matched.
func (s *State) settled(group []record) []record {
	if s.members != nil {
		return group[:1]
	}
	s.twins += int64(len(group))
	for i := range group {
		group[i][byKey] = 0
	}
	return group
}

// judgeTwins refuses a state in which two resources cannot be told apart.
func (x *comparison) judgeTwins(s *State, group []record, by int) error {
	if s.members != nil {
		return nil
	}
	first, err := s.at(int64(group[0][atPlace]))
	if err != nil {
		return err
	}
	second, err := s.at(int64(group[1][atPlace]))
	if err != nil {
		return err
	}
	if by == byKey && group[0][byID] != 0 && group[1][byID] != 0 {
		s.twin = second.Cells[cellKey]
		return nil
	}
	name, cell := "id", cellID
	if by == byKey {
		name, cell = x.matchName(), cellFold
	}
	if first.Cells[cell] != second.Cells[cell] {
		return nil // two hashes that are the same by chance
	}
	return s.twinFault(name, second.Cells[cell], first, second)
}

func (s *State) twinFault(by, value string, first, second *rows.Row) error {
	if s.live != nil {
		return fmt.Errorf("%s: two resources have the %s %q, and nothing tells them apart", s.Name, by, value)
	}
	return &mapping.RowError{File: s.Name, Line: second.Line, Column: by,
		Message: fmt.Sprintf("%q stands on line %d too", value, first.Line), Hint: "resources with one " + by + " cannot be told apart; --match names another attribute"}
}

// noteTwins says that some could not be matched.
func (x *comparison) noteTwins(s *State) {
	if s.twins > 0 {
		x.note("%s: %d have a %s that others have too, such as %q: they are matched by id alone", s.Name, s.twins, x.matchName(), s.twin)
	}
}
