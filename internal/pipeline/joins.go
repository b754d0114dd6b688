package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/journal"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// A row may name the groups that its person is to be in. That is written at the
// groups, when all rows have had their own steps and everybody has an id: the
// people of many rows travel in one PATCH. A row that has something to join or
// to leave has its one outcome after that; the others have theirs at once, for
// who is in which group is read before the first write.

// joinWish is what a row says of the groups of its person.
type joinWish struct {
	groups  []string // ids
	replace bool     // the person is to be in no other group
	unsure  bool     // some names are those of no group
}

// joinRun carries out what rows say of groups.
type joinRun struct {
	*memberRun
	groups []*joinedGroup
	byID   map[string]*joinedGroup
	// doubted are memberships that an earlier session may have brought about, as
	// the log keeps them, and whether they were brought about or ended.
	doubted map[uint64]bool

	mu    sync.Mutex
	spool *rowSpool // of rows that wait for their memberships
	notes []string  // what is said of memberships; they hold its number
	noted map[string]uint32
}

// joinedGroup is a group that rows name, or that people may have to leave.
type joinedGroup struct {
	number   uint32
	id, name string
	have     memberSet // nil where the directory does not show it
	fault    string    // why it cannot be read
	asked    map[string]joinAsked
}

// joinAsked is what the rows so far have asked for, of somebody who has several.
type joinAsked struct {
	in    bool
	turns uint16
}

// newJoinRun reads who is in the groups that rows name; nil where they name
// none. An error stops the run before its first write.
func (r *run) newJoinRun(ctx context.Context) (*joinRun, error) {
	named, replaced := r.Mapping.Memberships()
	if !named {
		return nil, nil
	}
	j := &joinRun{memberRun: newMemberRun(r), byID: map[string]*joinedGroup{}, noted: map[string]uint32{}, doubted: map[uint64]bool{}}
	j.book = j
	var err error
	if j.spool, err = newRowSpool(); err != nil {
		return nil, err
	}
	r.atEnd(func() { _ = j.spool.close() }) // nobody misses it
	groups, err := r.survey.references.named("Group")
	if err != nil {
		return nil, err
	}
	for id, name := range groups {
		j.add(id, name)
	}
	if r.Profile.HidesMembers {
		j.shown.Store(membersHidden)
	} else if err := j.readGroups(ctx, replaced); err != nil {
		return nil, fmt.Errorf("reading who is in the groups that rows name: %w", err)
	}
	j.number()
	if r.State != nil {
		for _, in := range r.State.InDoubt() {
			if isMembership(in) {
				j.doubted[in.Key] = in.Op == string(addMember)
			}
		}
	}
	return j, nil
}

// isMembership tells the intents of memberships from those of rows.
func isMembership(in journal.Intent) bool {
	return in.Op == string(addMember) || in.Op == string(removeMember)
}

func (j *joinRun) add(id, name string) *joinedGroup {
	g := &joinedGroup{id: id, name: name}
	j.groups, j.byID[id] = append(j.groups, g), g
	return g
}

// number puts the groups in the order of their names, so that a plan is the same
// every time.
func (j *joinRun) number() {
	slices.SortFunc(j.groups, func(a, b *joinedGroup) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	})
	for i, g := range j.groups {
		g.number = uint32(i)
	}
}

// readGroups reads the groups that are named, one by one. Where people leave
// what is not named, all groups are listed; a directory that shows no member in
// a listing may show them in the groups themselves.
func (j *joinRun) readGroups(ctx context.Context, all bool) error {
	if all {
		if err := j.list(ctx); err != nil || j.shown.Load() == membersShown {
			return err
		}
	}
	w, ctx := errgroup.WithContext(ctx)
	w.SetLimit(max(1, j.Workers))
	for _, g := range j.groups {
		w.Go(func() error {
			var err error
			if g.have, err = j.members(ctx, g.id); err == nil {
				return nil
			}
			g.fault = err.Error()
			return stopsRun(ctx, err)
		})
	}
	return w.Wait()
}

// list reads all groups in a listing.
func (j *joinRun) list(ctx context.Context) error {
	export := &Export{
		Client: j.Client, Profile: j.Profile, Endpoint: scim.Groups, Inactive: InactiveInclude,
		Attributes: []string{"displayName", "members"}, Workers: j.Workers, Meter: &Meter{},
	}
	listing, err := export.Run(ctx, func(r scim.Resource) error {
		g := j.byID[r.ID]
		if g == nil {
			o, err := scim.DecodeObject(r.Raw)
			if err != nil {
				return err
			}
			g = j.add(r.ID, cmp.Or(textMember(o, "displayName"), r.ID))
		}
		g.have = memberSet{}
		return r.MemberIDs(func(id string) {
			j.put(g.have, id)
			j.shown.Store(membersShown)
		})
	})
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return err
}

// deliver gives the result of a row to the collector, unless its person has
// groups to join or to leave first.
func (r *run) deliver(ctx context.Context, w *row, result *Result) {
	if r.joins != nil && w.binding.joins != nil {
		r.joins.takeUp(result)
		held, err := r.joins.enrol(ctx, w, result)
		if err != nil {
			r.stop(err)
			return
		}
		if held && result.Outcome == Unchanged {
			return
		}
		if held { // the log is to know what has been done so far
			result = &Result{Row: &rows.Row{Number: w.row.Number, Line: w.row.Line}, Outcome: result.Outcome, Lame: result.Lame, turnedOff: result.turnedOff, waits: true}
		}
	}
	r.results <- result // the collector takes everything until this channel is closed
	if w.shared && !w.final && !r.DryRun {
		r.recorded() // or a crash would leave two rows of one key in doubt, and both would be done again
	}
}

// takeUp gives a row the outcome that its own step has had in an earlier session.
func (j *joinRun) takeUp(result *Result) {
	if j.State == nil {
		return
	}
	step, known := j.State.Step(result.Row.Line)
	switch {
	case !known:
		return
	case result.Outcome == Rejected:
		result.Lame, result.Class = true, ""
		result.Detail = "its groups were left alone: " + result.Detail
	case result.Outcome != Unchanged && result.Outcome != Updated:
		return
	}
	result.Outcome, result.Doubt = Outcome(step.Outcome), true
	if step.Class == classLame || step.Class == classLameTurnedOff {
		result.Lame = true
	}
	if (step.Class == classTurnedOff || step.Class == classLameTurnedOff) && !result.turnedOff {
		result.turnedOff = true
		j.turnedOff.Add(1)
	}
}

// made says whether an earlier session has created what a row describes.
func (j *joinRun) made(line int64) bool {
	if j.State == nil {
		return false
	}
	step, known := j.State.Step(line)
	return known && step.Outcome == string(Created)
}

// logSteps records what rows that wait for their memberships have come to, so
// that a session that goes on need not settle them one by one.
func (r *run) logSteps(batch []*Result) error {
	var steps []journal.Outcome
	for _, result := range batch {
		if result.waits {
			steps = append(steps, journal.Outcome{Line: result.Row.Line, Outcome: string(result.Outcome), Class: result.logClass()})
		}
	}
	if len(steps) == 0 || r.Log == nil {
		return nil
	}
	return r.Log.Steps(steps)
}

// enrol takes down what the person of a row has to join and to leave. It says
// whether the row waits for that.
func (j *joinRun) enrol(ctx context.Context, w *row, result *Result) (held bool, err error) {
	switch result.Outcome {
	case Created, Updated, Replaced, Unchanged:
	case Unknown:
		result.say("its groups were left alone")
		return false, nil
	default:
		return false, nil
	}
	user, err := j.userOf(ctx, w, result)
	if err != nil {
		return false, err
	}
	if user == "" {
		result.Lame = true
		result.say("its groups were left alone: the directory does not tell its id")
		return false, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &signup{joinRun: j, w: w, result: result, user: user}
	s.join()
	s.leave()
	return s.take()
}

// userOf is the id of the person of a row. A dry run has none for those whom it
// would create.
func (j *joinRun) userOf(ctx context.Context, w *row, result *Result) (string, error) {
	if result.ID != "" {
		return result.ID, nil
	}
	if j.DryRun {
		first, _ := j.survey.duplicates.span(w.row.Line)
		return fmt.Sprintf(promised, cmp.Or(first, w.row.Line)), nil
	}
	have, err := w.directory.find(ctx, w.record, true)
	if err != nil {
		_, fatal := w.failedLookup(err)
		return "", fatal
	}
	if have == nil {
		return "", nil
	}
	result.ID = have.ID
	return have.ID, nil
}

// signup is a row that is enrolled.
type signup struct {
	*joinRun
	w       *row
	result  *Result
	user    string
	rows    []memberRow
	earlier bool // an earlier session has brought something about
}

func (s *signup) join() {
	wish := s.w.binding.joins
	for i, id := range wish.groups {
		g := s.byID[id]
		switch {
		case slices.Contains(wish.groups[:i], id):
		case g == nil || g.fault != "":
			s.result.Lame = true
			s.result.say(fmt.Sprintf("could not be put into %s: %s", quoted(g, id), faultOf(g)))
		case s.isIn(g):
			s.earlier = s.earlier || s.sentBefore(g, true)
		default:
			s.ask(g, true)
		}
	}
}

func quoted(g *joinedGroup, id string) string {
	if g == nil {
		return fmt.Sprintf("%q", id)
	}
	return fmt.Sprintf("%q", g.name)
}

func faultOf(g *joinedGroup) string {
	if g == nil {
		return "it was not read"
	}
	return g.fault
}

// leave takes the person out of the groups that are not named. A name that is no
// group's may be a misspelt one: then nobody is taken out of anything.
func (s *signup) leave() {
	wish := s.w.binding.joins
	if !wish.replace {
		return
	}
	if wish.unsure {
		s.result.say("taken out of no group, since not all of those named are there")
		return
	}
	for _, g := range s.groups {
		switch {
		case slices.Contains(wish.groups, g.id):
		case s.isIn(g):
			s.ask(g, false)
		default:
			s.earlier = s.earlier || s.sentBefore(g, false)
		}
	}
}

// isIn says whether the person is in a group, or will be by an earlier row.
func (s *signup) isIn(g *joinedGroup) bool {
	if asked, ok := g.asked[s.user]; ok {
		return asked.in
	}
	return s.has(g.have, s.user)
}

// sentBefore says whether an earlier session had sent it.
func (s *signup) sentBefore(g *joinedGroup, in bool) bool {
	if len(s.doubted) == 0 {
		return false
	}
	joined, sent := s.doubted[s.membershipKey(g.id, s.user)]
	return sent && joined == in
}

// ask notes a membership to be brought about or ended. Rows that come later may
// speak of the same person.
func (s *signup) ask(g *joinedGroup, in bool) {
	m := memberRow{line: uint32(s.w.row.Line), group: g.number, remove: !in}
	if s.w.shared {
		if g.asked == nil {
			g.asked = map[string]joinAsked{}
		}
		m.turn = g.asked[s.user].turns
		g.asked[s.user] = joinAsked{in: in, turns: m.turn + 1}
	}
	s.rows = append(s.rows, m)
}

// take puts the memberships on the list. A dry run shows them at once.
func (s *signup) take() (held bool, err error) {
	if (s.earlier || s.DryRun && len(s.rows) > 0) && s.result.Outcome == Unchanged {
		s.result.Outcome = Updated
	}
	if len(s.rows) == 0 {
		return false, nil
	}
	at, err := s.spool.add(heldRow(s.w, s.result, s.user))
	if err != nil {
		return false, err
	}
	for i := range s.rows {
		m := &s.rows[i]
		m.at = at
		name := s.groups[m.group].name
		if m.remove {
			s.result.Leaves = append(s.result.Leaves, name)
		} else {
			s.result.Joins = append(s.result.Joins, name)
		}
	}
	s.joinRun.rows = append(s.joinRun.rows, s.rows...)
	if !s.DryRun {
		s.Meter.Done.Add(1) // its outcome is yet to come, but what there was to do for it alone is done
	}
	return !s.DryRun, nil
}

// carryOut sends what was taken down, group by group, and gives the rows that
// waited for it their outcome.
func (j *joinRun) carryOut(ctx context.Context) error {
	if len(j.rows) == 0 {
		return nil
	}
	if err := j.spool.flush(); err != nil {
		return err
	}
	slices.SortFunc(j.rows, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.turn, b.turn), cmp.Compare(a.line, b.line))
	})
	err := j.carryOutGroups(ctx)
	if err != nil || j.DryRun {
		return err
	}
	return j.finish()
}

// sendJoins carries out what rows say of groups, unless nothing is to be sent.
func (r *run) sendJoins(ctx context.Context) error {
	if r.joins == nil || r.DryRun || len(r.joins.rows) == 0 {
		return nil
	}
	r.recorded() // of the steps of a row the log keeps the first one, which must be what the row itself has come to
	return r.joins.carryOut(ctx)
}

// endJoins announces, in a dry run, the requests that the groups would take, and
// says what was learned of the directory.
func (r *run) endJoins(ctx context.Context) error {
	if r.joins == nil || len(r.joins.rows) == 0 {
		return nil
	}
	defer r.joins.warn()
	if r.DryRun && ctx.Err() == nil {
		return r.joins.carryOut(ctx)
	}
	return nil
}

func (j *joinRun) groupID(m *memberRow) string { return j.groups[m.group].id }

func (j *joinRun) groupName(m *memberRow) (string, error) { return j.groups[m.group].name, nil }

// have hands over who is in a group. Every row has been enrolled by then.
func (j *joinRun) have(_ context.Context, m *memberRow) (memberSet, error) {
	g := j.groups[m.group]
	have := g.have
	if !j.DryRun {
		g.have = nil // it goes with the worker who has it now
	}
	return have, nil
}

// begin makes a row of a group ready. The number of its intent follows from the
// group, so that a session that goes on gives it the same.
func (j *joinRun) begin(m *memberRow) (*memberSend, error) {
	held, err := j.spool.row(m.at)
	if err != nil {
		return nil, err
	}
	return &memberSend{row: m, user: held.Cells[heldUser], step: membershipStep(j.groupID(m))}, nil
}

// membershipStep is beyond the steps that a row has of its own.
func membershipStep(group string) int { return 1<<20 + int(crc32.ChecksumIEEE([]byte(group))>>2) }

func (r *run) membershipKey(group, user string) uint64 {
	return journal.HashKey(r.Name, group+" "+user)
}

// hand notes what became of memberships.
func (j *joinRun) hand(g *memberGroup, batch []*memberSend) error {
	if j.DryRun {
		return j.keepPlanned(g, batch)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var steps []journal.Outcome
	for _, s := range batch {
		switch s.outcome {
		case "":
			continue // it was not reached
		case Updated:
			s.row.fate = isBroughtAbout
			steps = append(steps, journal.Outcome{Line: int64(s.row.line), Outcome: string(Updated)})
		case Unchanged:
			s.row.fate = isNeedless
		default:
			s.row.fate = isFailed
		}
		s.row.user = j.note(s.detail)
	}
	if len(steps) == 0 {
		return nil
	}
	return j.Log.Steps(steps)
}

// note numbers what is said of memberships: it is the same for very many.
func (j *joinRun) note(text string) uint32 {
	if text == "" {
		return 0
	}
	n, known := j.noted[text]
	if !known {
		j.notes = append(j.notes, text)
		n = uint32(len(j.notes))
		j.noted[text] = n
	}
	return n
}

// finish gives every row that waited its outcome, if nothing of it was left
// undone.
func (j *joinRun) finish() error {
	slices.SortFunc(j.rows, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group))
	})
	for rest := j.rows; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(m memberRow) bool { return m.at != rest[0].at })
		if n < 0 {
			n = len(rest)
		}
		j.Meter.Done.Add(-1)
		if !slices.ContainsFunc(rest[:n], func(m memberRow) bool { return m.fate == toCarryOut }) {
			if err := j.conclude(rest[:n]); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	return nil
}

// conclude joins the outcome of a row with those of its memberships: a row that
// was written stays so, whatever became of them.
func (j *joinRun) conclude(memberships []memberRow) error {
	held, err := j.spool.row(memberships[0].at)
	if err != nil {
		return err
	}
	result, err := heldResult(held)
	if err != nil {
		return err
	}
	for i := range memberships {
		m := &memberships[i]
		name, note := j.groups[m.group].name, ""
		if m.user > 0 {
			note = j.notes[m.user-1]
		}
		switch {
		case m.fate == isFailed:
			result.Lame = true
			result.say(fmt.Sprintf("could not be %s %q: %s", intoOrOutOf(m), name, note))
			continue
		case note != "":
			result.say(fmt.Sprintf("%s %q %s", intoOrOutOf(m), name, note))
		}
		if m.fate == isBroughtAbout && result.Outcome == Unchanged {
			result.Outcome = Updated
		}
	}
	j.results <- result
	return nil
}

func intoOrOutOf(m *memberRow) string {
	if m.remove {
		return "taken out of"
	}
	return "put into"
}

// keepPlanned puts the requests of a dry run into the plan, a line each.
func (j *joinRun) keepPlanned(g *memberGroup, batch []*memberSend) error {
	if j.Plan == nil {
		return nil
	}
	carried := together(batch)
	for _, patch := range sortedKeys(carried) {
		if err := j.Plan.Keep(g.planned(carried[patch])); err != nil {
			return err
		}
	}
	return nil
}

var errHeld = errors.New("a row that waited for its memberships is not as it was written")
