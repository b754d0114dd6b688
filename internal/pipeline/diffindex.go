package pipeline

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
)

// standing is where a resource of a state lies, by hashes of its id and of its
// match attribute; 0 where it has none.
type standing struct {
	id, key uint64
	at      int64
}

// couple is a resource in both states, by its places; -1 where it is in one
// alone.
type couple struct{ old, new int64 }

func (x *comparison) hash(s string) uint64 {
	if s == "" {
		return 0
	}
	return maphash.String(x.seed, s) | 1
}

// couple finds the resources that belong together: by id first, then by the
// match attribute among those whose ids the other state does not have. Those
// whom nothing tells apart stay alone.
func (x *comparison) couple() ([]couple, error) {
	byID := func(s standing) uint64 { return s.id }
	byKey := func(s standing) uint64 { return s.key }
	for _, s := range []*State{x.Old, x.New} {
		if err := x.settleTwins(s, byID); err != nil {
			return nil, err
		}
	}
	couples := make([]couple, 0, max(len(x.Old.index), len(x.New.index)))
	couples = join(couples, x.Old, x.New, byID)
	for _, s := range []*State{x.Old, x.New} {
		if err := x.settleTwins(s, byKey); err != nil {
			return nil, err
		}
	}
	couples = join(couples, x.Old, x.New, byKey)
	for _, s := range x.Old.index {
		couples = append(couples, couple{s.at, -1})
	}
	for _, s := range x.New.index {
		couples = append(couples, couple{-1, s.at})
	}
	x.Old.index, x.New.index = nil, nil
	slices.SortFunc(couples, compareCouples)
	x.Meter.Phase.Store(PhaseRun)
	x.Meter.Total.Store(int64(len(couples)))
	x.Meter.Done.Store(0)
	return couples, nil
}

// compareCouples puts those who went first, so that a change set frees names
// before it gives them to others, and those who came last.
func compareCouples(a, b couple) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.new, b.new), cmp.Compare(a.old, b.old))
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

// join takes the resources that have one hash in both states out of them.
func join(couples []couple, old, new *State, of func(standing) uint64) []couple {
	order(old.index, of)
	order(new.index, of)
	var i, j int
	keepOld, keepNew := old.index[:0], new.index[:0]
	for i < len(old.index) || j < len(new.index) {
		switch {
		case j == len(new.index) || i < len(old.index) && (of(old.index[i]) == 0 || of(old.index[i]) < of(new.index[j])):
			keepOld = append(keepOld, old.index[i])
			i++
		case i == len(old.index) || of(new.index[j]) == 0 || of(new.index[j]) < of(old.index[i]):
			keepNew = append(keepNew, new.index[j])
			j++
		default:
			couples = append(couples, couple{old.index[i].at, new.index[j].at})
			i, j = i+1, j+1
		}
	}
	old.index, new.index = keepOld, keepNew
	return couples
}

func order(list []standing, of func(standing) uint64) {
	slices.SortFunc(list, func(a, b standing) int { return cmp.Or(cmp.Compare(of(a), of(b)), cmp.Compare(a.at, b.at)) })
}

// settleTwins deals with resources of one state that have the same id, or the
// same key: one that has no id of its own cannot be told from the other. Those
// that have ids stay alone. A membership that stands twice is one.
func (x *comparison) settleTwins(s *State, of func(standing) uint64) error {
	order(s.index, of)
	kept := s.index[:0]
	var ambiguous []couple
	for start := 0; start < len(s.index); {
		end := start + 1
		for end < len(s.index) && of(s.index[start]) != 0 && of(s.index[end]) == of(s.index[start]) {
			end++
		}
		group := s.index[start:end]
		start = end
		if len(group) > 1 {
			if err := x.judgeTwins(s, group, of); err != nil {
				return err
			}
			if s.members != nil {
				group = group[:1]
			} else {
				ambiguous = append(ambiguous, couple{group[0].at, group[1].at})
				for i := range group {
					group[i].key = 0
				}
			}
		}
		kept = append(kept, group...)
	}
	s.index = kept
	return x.noteTwins(s, ambiguous)
}

// judgeTwins refuses a state in which two resources cannot be told apart.
func (x *comparison) judgeTwins(s *State, group []standing, of func(standing) uint64) error {
	if s.members != nil || of(group[0]) == group[0].key && group[0].id != 0 && group[1].id != 0 {
		return nil
	}
	first, err := s.at(group[0].at)
	if err != nil {
		return err
	}
	second, err := s.at(group[1].at)
	if err != nil {
		return err
	}
	by, value := x.matchName(), second.Cells[cellKey]
	if of(group[1]) != group[1].key {
		by, value = "id", second.Cells[cellID]
	}
	if by == "id" && first.Cells[cellID] != value || by != "id" && first.Cells[cellFold] != second.Cells[cellFold] {
		return nil // two hashes that are the same by chance
	}
	return s.twinFault(by, value, first, second)
}

func (s *State) twinFault(by, value string, first, second *rows.Row) error {
	if s.live != nil {
		return fmt.Errorf("%s: two resources have the %s %q, and nothing tells them apart", s.Name, by, value)
	}
	return &mapping.RowError{File: s.Name, Line: second.Line, Column: by,
		Message: fmt.Sprintf("%q stands on line %d too", value, first.Line), Hint: "resources with one " + by + " cannot be told apart; --match names another attribute"}
}

// noteTwins says that some could not be matched.
func (x *comparison) noteTwins(s *State, ambiguous []couple) error {
	if len(ambiguous) == 0 {
		return nil
	}
	row, err := s.at(ambiguous[0].old)
	if err != nil {
		return err
	}
	x.note("%s: the %s of several is the same (%q and %d more); they are matched by id alone", s.Name, x.matchName(), row.Cells[cellKey], len(ambiguous)-1)
	return nil
}
