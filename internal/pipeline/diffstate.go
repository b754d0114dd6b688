package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// State is one side of a comparison: the resources of an export, or of the
// directory as it is now.
type State struct {
	Name string
	// Notes say what of a file is not compared.
	Notes []string
	// Whole: an attribute that the state does not hold is one that nobody has.
	// Without it, a file may have been written without the attribute.
	Whole bool
	Size  int64 // resources, once the comparison has run

	live    *Export
	in      *rows.Reader
	mapping *mapping.Mapping
	named   int // the column of the match attribute, which may be read-only; -1 for none
	members *memberColumns

	spool *rowSpool
	index *records
	twins int64  // resources whose key others have too
	twin  string // one of their keys
	held  []bool // by the parts of the comparison: somebody has a value, or there is a column
}

// The cells of a resource in the spool, beside its JSON.
const (
	cellID = iota
	cellVersion
	cellKey
	cellFold
	cellMembers
)

// LiveState is the directory as it is now.
func LiveState(name string, e *Export) *State { return &State{Name: name, Whole: true, live: e} }

// FileState is a file of users or groups: CSV in the columns of an export, or
// JSONL. in is read by the comparison; closing it is the caller's business.
func FileState(name string, in *rows.Reader, resource, match string, schema *scim.ResourceSchema) (*State, error) {
	s := &State{Name: name, in: in, named: columnOf(in.Header(), match)}
	if in.Nested() {
		return s, nil
	}
	options := mapping.Options{
		Resource: resource, Match: match, Input: name,
		Schema: func(string) *scim.ResourceSchema { return schema },
	}
	if columnOf(in.Header(), "id") >= 0 {
		options.Match = "id" // which is then told exactly; the key is among the values
	}
	var err error
	if s.mapping, err = mapping.Auto(in.Header(), in.Schemas(), resource).Compile(in.Header(), false, options); err != nil {
		return nil, err
	}
	if columns := s.mapping.Unmapped(); len(columns) > 0 {
		s.Notes = append(s.Notes, "columns that are no attributes, not compared: "+strings.Join(columns, ", "))
	}
	if s.mapping.HasRefs() {
		s.Notes = append(s.Notes, "columns that name others instead of giving their ids are not compared")
	}
	return s, nil
}

// MemberState is a membership file; ok is false for any other file.
func MemberState(name string, in *rows.Reader) (s *State, ok bool) {
	columns, ok := newMemberColumns(in.Header(), name)
	return &State{Name: name, in: in, members: &columns}, ok
}

func columnOf(header []string, name string) int {
	return slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, name) })
}

// at reads a resource back; nil for none.
func (s *State) at(place int64) (*rows.Row, error) {
	if place < 0 {
		return nil, nil
	}
	return s.spool.row(place)
}

// load reads a state into a temporary file and an index.
func (x *comparison) load(ctx context.Context, s *State) (err error) {
	if s.spool, err = newRowSpool(); err != nil {
		return err
	}
	if s.index, err = newRecords(); err != nil {
		return err
	}
	s.held = make([]bool, len(x.parts))
	if s.live != nil {
		err = x.loadLive(ctx, s)
	} else {
		err = x.loadFile(ctx, s)
	}
	if err == nil {
		err = s.spool.flush()
	}
	s.Size = s.index.n
	return err
}

// close lets go of the temporary files.
func (s *State) close() {
	if s.spool != nil {
		_ = s.spool.close() // nobody misses them
	}
	if s.index != nil {
		_ = s.index.close()
	}
}

func (x *comparison) loadLive(ctx context.Context, s *State) error {
	s.live.Meter = x.Meter
	listing, err := s.live.Run(ctx, func(r scim.Resource) error {
		have, err := current(r)
		if err != nil {
			return err
		}
		return x.keep(s, 0, have, "")
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.Name, err)
	}
	if !listing.Whole() {
		return &IncompleteError{Gaps: listing.Gaps}
	}
	return nil
}

// mostFaults bounds how many faults of a file are told.
const mostFaults = 10

// loadFile reads a file to its end, and tells all that is wrong with it at once.
func (x *comparison) loadFile(ctx context.Context, s *State) error {
	x.Meter.Phase.Store(PhaseCheck)
	x.holdColumns(s)
	read := x.reader(s)
	var faults []error
	wrong := 0
	for row, err := range s.in.Rows(ctx) {
		if err != nil {
			return err
		}
		x.Meter.Done.Add(1)
		if err := read(&row); err != nil {
			if wrong++; wrong <= mostFaults {
				faults = append(faults, err)
			}
		}
	}
	if wrong > mostFaults {
		faults = append(faults, fmt.Errorf("%s: %d more rows cannot be used", s.Name, wrong-mostFaults))
	}
	return errors.Join(faults...)
}

// holdColumns counts a column as a place, if nobody has a value in it.
func (x *comparison) holdColumns(s *State) {
	if s.mapping == nil {
		return
	}
	for _, h := range s.in.Header() {
		path, err := scim.ParsePath(h)
		if err != nil {
			continue
		}
		for i := range x.parts {
			if x.parts[i].Within(path) {
				s.held[i] = true
			}
		}
	}
}

// reader says how the rows of a file are kept.
func (x *comparison) reader(s *State) func(*rows.Row) error {
	switch {
	case s.members != nil:
		return func(row *rows.Row) error { return x.keepMember(s, row) }
	case s.mapping == nil:
		return func(row *rows.Row) error { return x.keepObject(s, row) }
	}
	mapper := s.mapping.NewMapper()
	hasID := s.mapping.Match() == "id"
	return func(row *rows.Row) error {
		record, err := mapper.Map(row)
		if err != nil {
			return err
		}
		o, err := plan.Assemble(record.Assignments)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.Name, row.Line, err)
		}
		have := &plan.Current{Object: o}
		if hasID {
			have.ID = record.Key
		}
		name := ""
		if s.named >= 0 && s.named < len(row.Cells) {
			name = mapping.Clean(row.Cells[s.named])
		}
		return x.keep(s, row.Line, have, name)
	}
}

// keepObject keeps a resource of JSONL as it stands.
func (x *comparison) keepObject(s *State, row *rows.Row) error {
	if row.Err != nil {
		return row.Err
	}
	o, err := scim.DecodeObject(row.Object)
	if err != nil {
		return fmt.Errorf("%s:%d: %w", s.Name, row.Line, err)
	}
	have := &plan.Current{ID: idIn(o), Object: o} // what it holds tells more than its version
	if key, _ := x.keyOf(o); key == "" && have.ID == "" {
		return fmt.Errorf("%s:%d: neither id nor %s: this is no %s (compare what scimbulk export writes)", s.Name, row.Line, x.matchName(), x.Rules.Schema.Resource)
	}
	return x.keep(s, row.Line, have, "")
}

// idIn is the id of a resource; some servers number theirs.
func idIn(o scim.Object) string {
	_, v, _ := scim.Member(o, "id")
	if number, ok := v.(scim.Number); ok {
		return string(number)
	}
	id, _ := v.(string)
	return id
}

// keep puts a resource into the spool and the index. name is its key where it is
// not among its attributes.
func (x *comparison) keep(s *State, line int64, have *plan.Current, name string) error {
	key, fold := x.keyOf(have.Object)
	if key == "" {
		key, fold = name, mapping.Fold(x.leaf, name)
	}
	x.Rules.Comparable(have.Object)
	for i := range x.parts {
		if !s.held[i] && !scim.Unassigned(x.parts[i].Value(have.Object)) {
			s.held[i] = true
		}
	}
	text, err := scim.Encode(have.Object)
	if err != nil {
		return err
	}
	return x.add(s, &rows.Row{Line: line, Object: text, Cells: []string{have.ID, have.Version, key, fold}})
}

// keepMember keeps a row of a membership file.
func (x *comparison) keepMember(s *State, row *rows.Row) error {
	says, err := s.members.read(row)
	if err != nil {
		return err
	}
	if says.op == removeMember {
		return &mapping.RowError{File: s.Name, Line: row.Line, Column: "action",
			Message: "the row takes somebody out, and does not say who is in", Hint: "compare what scimbulk export all writes; scimbulk import carries such rows out"}
	}
	id, fold := "", ""
	if says.groupID != "" && says.userID != "" {
		id = says.groupID + "\x00" + says.userID
	}
	if says.group != "" && says.user != "" {
		fold = mapping.Fold(leafAt("Group", "displayName", nil), says.group) + "\x00" + mapping.Fold(leafAt("User", "userName", nil), says.user)
	}
	return x.add(s, &rows.Row{Line: row.Line, Cells: []string{id, "", says.key(), fold, says.group, says.user, says.groupID, says.userID}})
}

func (x *comparison) add(s *State, row *rows.Row) error {
	at, err := s.spool.add(row)
	if err != nil {
		return err
	}
	entry := record{byKey: x.hash(row.Cells[cellFold]), atPlace: uint64(at)}
	if !x.ByKey {
		entry[byID] = x.hash(row.Cells[cellID])
	}
	return s.index.add(entry)
}
