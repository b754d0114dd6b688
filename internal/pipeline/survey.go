package pipeline

import (
	"context"
	"hash/maphash"
	"runtime/debug"
	"slices"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
)

// Survey is what reading the input once through the mapping shows, before
// anything changes.
type Survey struct {
	Rows     int64 // data records, faulty ones counted
	Faulty   int64 // rows that cannot be used
	Removals int64 // rows whose operation is delete or deactivate
	Shared   int64 // rows whose key another row has too
	Makes    int64 // rows that create what is not there

	// Findings are what the mapping did to the cells, what looks like damage, and
	// what it left out of rows; a line each, and few.
	Findings []string

	// What Resolve adds: names that neither the directory nor the file knows,
	// and how many rows cannot be carried out because of them.
	Unresolved    Unresolved
	Dependents    int64
	MissingGroups int64 // of Unresolved, groups that rows of people name

	// Absent is what FindAbsent adds, or a resumed run has kept.
	Absent *Absent

	held         *held // nil when nobody asks whom the rows mean
	nameless     int64 // rows that do not say whom they mean
	namelessLine int64
	namelessWhy  string
	lastLine     int64
	switches     int64 // rows that set somebody inactive
	self         string
	askedSelf    bool

	sample     sampled
	duplicates *duplicates
	bonds      bonds
	references *references // nil when no row can refer to another resource
}

// Unresolved are names that nobody has. There may be as many as there are rows,
// and few are ever shown.
type Unresolved struct {
	N     int64
	First []string // the first few of them, in order
}

// mostUnresolved is how many are kept: no fewer than anybody shows.
const mostUnresolved = 10

func (u *Unresolved) add(name string) {
	u.N++
	at, _ := slices.BinarySearch(u.First, name)
	if at == mostUnresolved {
		return
	}
	u.First = slices.Insert(u.First, at, name)
	u.First = u.First[:min(len(u.First), mostUnresolved)]
}

// Survey reads the whole input through the mapping. It holds 12 bytes a row,
// and some 60 for each resource that rows refer to.
func (im *Import) Survey(ctx context.Context) (*Survey, error) {
	in, err := im.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	// The index of keys is most of the heap by and by, and holds no pointers:
	// collecting more often costs little and keeps garbage below a quarter of it.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	s := &Survey{duplicates: newDuplicates(), references: newReferences(im.Mapping, im.Rules.Schema)}
	mapper := im.Mapping.NewMapper()
	if im.Absent == AbsentReport || im.Absent == AbsentDeactivate || im.otherIdentity() != nil {
		s.held = &held{seed: maphash.MakeSeed()}
	}
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		t, fault := im.translate(mapper, &row)
		if err := s.add(t, fault); err != nil {
			return nil, err
		}
		s.lastLine = max(s.lastLine, row.Line)
		if s.held != nil {
			im.hold(s, t, fault)
		}
		if t != nil && switchesOff(t) {
			im.countSwitch(s, t)
		}
		im.Meter.Done.Add(1)
	}
	if s.held != nil {
		s.held.settle()
	}
	if s.references != nil {
		if err := s.references.place(s.duplicates, im.Mapping.Resource(), im.Mapping.Match()); err != nil {
			return nil, err
		}
	}
	s.duplicates.find()
	debug.FreeOSMemory() // the index is gone, and the run need not grow into its place
	if s.references != nil {
		s.references.settlePlaces()
	}
	s.Shared = int64(len(s.duplicates.twins))
	s.Findings = mapper.Findings()
	im.Meter.Done.Store(0)
	im.Meter.Total.Store(s.Rows)
	return s, ctx.Err()
}

func (s *Survey) add(t *task, fault *Result) error {
	s.Rows++
	if fault != nil {
		s.Faulty++
		return nil
	}
	s.duplicates.add(t.record.KeyFold, t.row.Line)
	s.bonds.want(t)
	s.sample.add(t.row.Number, t.record.Key)
	if removes(t) {
		s.Removals++
	}
	if t.op == plan.Upsert || t.op == plan.Create {
		s.Makes++
	}
	if s.references == nil {
		return nil
	}
	return s.references.collect(t)
}

// task is a row on its way to a worker.
type task struct {
	row     *rows.Row
	record  *mapping.Record
	op      plan.Op
	shared  bool // another row that is carried out has the same key
	later   bool // and comes before, where shared
	final   bool // none comes after, where shared
	begun   bool // an earlier session has begun some row of the key, where shared
	passed  bool // and that one comes after
	doubt   *doubt
	bonds   []int64    // lines whose ids the planned change needs
	planned *plan.Line // what a plan says, where the input is one
	first   *Result    // of the row's first step, when this is its second
	id      string     // of whom the row means, where that is known from the start
	leaver  bool       // no row of the input, but somebody whom it does not hold
}

// translate maps a row. It returns a task, or the result of a row that cannot
// be used.
func (im *Import) translate(mapper *mapping.Mapper, row *rows.Row) (*task, *Result) {
	if im.Changes != nil {
		return im.translatePlanned(row)
	}
	if row.Blank() {
		return nil, empty(row)
	}
	if row.Err != nil {
		return nil, faulty(row, "", row.Err)
	}
	record, err := mapper.Map(row)
	if err != nil {
		return nil, faulty(row, record.Key, err)
	}
	op, err := plan.ParseOp(record.Op)
	if err != nil {
		return nil, faulty(row, record.Key, err)
	}
	t := &task{row: row, record: record, op: op}
	if im.Chosen {
		t.choose()
	}
	return t, nil
}

// empty is the result of a row that says nothing.
func empty(row *rows.Row) *Result {
	const detail = "the row is empty"
	return &Result{Row: row, Outcome: Skipped, Detail: detail, Change: plan.Change{Action: plan.ActSkip, Reason: detail}}
}

func faulty(row *rows.Row, key string, err error) *Result {
	return &Result{
		Row: row, Key: key, Outcome: Rejected, Class: ClassData, Detail: err.Error(),
		Change: plan.Change{Action: plan.ActReject, Class: ClassData, Reason: err.Error()},
	}
}
