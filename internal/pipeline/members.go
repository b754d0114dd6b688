package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// MemberImport adds users to groups and removes them, a row a membership. Its
// key is the group and the user, by name or by id: an id counts where the
// directory has it, the name where it has not. Rows of one group travel
// together in as few PATCH requests as the provider takes, and each has its own
// outcome. What is so already is not sent. Nobody loses an account by being
// removed from a group: --max-deletes does not apply.
//
// Fill Import in, without a Mapping, then call Survey, Resolve and Run as those
// of an Import, and Close.
type MemberImport struct {
	*Import
	columns memberColumns
	table   *memberTable
}

// NewMemberImport knows a membership file by its header; nil for any other
// file. input is its name in messages.
func NewMemberImport(header []string, input string) *MemberImport {
	columns, ok := newMemberColumns(header, input)
	if !ok {
		return nil
	}
	return &MemberImport{columns: columns}
}

// Close lets go of the rows.
func (m *MemberImport) Close() error {
	if m.table == nil {
		return nil
	}
	return m.table.spool.close()
}

// tableGCPercent keeps garbage below a quarter of the heap. Most of that is the
// table of rows, which has no pointers, so that collecting it often costs little.
const tableGCPercent = 25

// Survey reads the whole input. It holds 24 bytes a row and every name once;
// the text of the rows goes to a temporary file.
func (m *MemberImport) Survey(ctx context.Context) (*Survey, error) {
	if !m.Profile.Patch {
		return nil, fmt.Errorf("%s has no PATCH, by which alone members can be added and removed one by one", m.Profile.Title)
	}
	in, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	spool, err := newRowSpool()
	if err != nil {
		return nil, err
	}
	m.table = &memberTable{
		spool: spool, groups: newMemberNames("Group", "displayName"), users: newMemberNames("User", "userName"),
	}
	defer debug.SetGCPercent(debug.SetGCPercent(tableGCPercent))
	s := &Survey{}
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		m.table.makeRoom(row.Offset, in.Size())
		added, err := m.table.add(&row, &m.columns)
		if err != nil {
			return nil, err
		}
		s.Rows++
		if added.fate == isFaulty {
			s.Faulty++
		}
		m.Meter.Done.Add(1)
	}
	m.Meter.Done.Store(0)
	m.Meter.Total.Store(s.Rows)
	return s, errors.Join(spool.flush(), ctx.Err())
}

// Resolve finds the ids of all groups and users, and the rows that cannot be
// carried out or need not be. It sends no write.
func (m *MemberImport) Resolve(ctx context.Context, s *Survey) error {
	defer debug.SetGCPercent(debug.SetGCPercent(tableGCPercent))
	t := m.table
	for _, names := range []*memberNames{t.groups, t.users} {
		if err := m.seek(ctx, names.resource, names.by, names.leaf, names.list); err != nil {
			return err
		}
	}
	if err := m.seekGroupsInGroups(ctx); err != nil {
		return err
	}
	s.Dependents = t.place()
	t.groups.unresolved(&s.Unresolved)
	t.users.unresolved(&s.Unresolved)
	s.Shared = t.judge(m.OnDuplicate)
	return nil
}

// seekGroupsInGroups looks for members that are groups themselves: in an export
// they have an id and no name.
func (m *MemberImport) seekGroupsInGroups(ctx context.Context) error {
	var groups []*sought
	for _, s := range m.table.users.list {
		if s.name == "" && !s.there {
			groups = append(groups, s)
		}
	}
	return m.seek(ctx, "Group", "displayName", m.table.groups.leaf, groups)
}

// Run carries the rows out, group by group; see [Import.Run].
func (m *MemberImport) Run(take, ctx context.Context, s *Survey) (*Totals, error) {
	r := &memberFileRun{memberRun: newMemberRun(m.newRun(take, s)), table: m.table, columns: &m.columns}
	defer r.end()
	defer debug.SetGCPercent(debug.SetGCPercent(tableGCPercent))
	r.book, r.rows, r.doubted = r, m.table.rows, r.doubts()
	if err := r.pump(ctx, r.stages); err != nil {
		return &r.totals, err
	}
	r.warn()
	return r.balance()
}

// MembersPerPatch is how many members one PATCH of a group names where the
// provider has no limit of its own: no server that we know of refuses as many.
const MembersPerPatch = 100

// memberRun puts users into groups and takes them out, whoever asks for it.
type memberRun struct {
	*run
	book  memberBook
	rows  []memberRow  // by group, turn and line
	most  int64        // members in one PATCH, by the provider's profile
	limit atomic.Int64 // the same, as the directory has shown it; it only falls
	shown showing
	memberSeed
}

// memberBook says whose memberships are carried out, and takes what becomes of
// them. Several groups are carried out at a time, each by one goroutine.
type memberBook interface {
	groupID(*memberRow) string
	groupName(*memberRow) (string, error)
	// have is who is in the group of the row, nil where it is not to be learnt.
	have(context.Context, *memberRow) (memberSet, error)
	begin(*memberRow) (*memberSend, error)
	// hand takes rows that were sent together, or one. Those without an outcome
	// were not reached.
	hand(*memberGroup, []*memberSend) error
}

func newMemberRun(r *run) *memberRun {
	m := &memberRun{run: r, most: int64(r.Profile.MembersPerPatch), memberSeed: memberSeed{maphash.MakeSeed()}}
	if m.most <= 0 {
		m.most = MembersPerPatch
	}
	m.limit.Store(m.most)
	return m
}

// warn says what the run has learned of the directory.
func (r *memberRun) warn() {
	if now := r.limit.Load(); now < r.most {
		r.totals.Warnings = append(r.totals.Warnings, fmt.Sprintf("the directory refused %d members in a request: no more than %d were sent at a time", r.most, now))
	}
	if r.shown.Load() == membersHidden {
		r.totals.Warnings = append(r.totals.Warnings, "the directory does not show who is in its groups: everything is sent, nothing can be verified, and undo cannot bring it back")
	}
}

// memberFileRun is one session of a membership import.
type memberFileRun struct {
	*memberRun
	table   *memberTable
	columns *memberColumns
	doubted map[int64]*doubt
}

// stages are the groups, several at a time, and one collector.
func (r *memberFileRun) stages(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(r.results)
		return r.carryOut(ctx)
	})
	g.Go(func() error {
		return r.gather(func(batch []*Result) []*Result { return batch })
	})
	return g.Wait()
}

// carryOut refuses what is known to be refused and carries out the rest. More
// rejects than are allowed stop the run before its first write. Where a share
// is allowed, the rejects come last: it is one of the file, and not of the rows
// that happen to come first.
func (r *memberFileRun) carryOut(ctx context.Context) error {
	if !r.DryRun && r.MaxErrors.Exceeded(r.table.rejects(), r.totals.Rows) {
		err := r.refuse(ctx)
		r.stop(ErrMaxErrors)
		return err
	}
	if r.MaxErrors.Percent > 0 {
		return errors.Join(r.carryOutGroups(ctx), r.refuse(ctx))
	}
	return errors.Join(r.refuse(ctx), r.carryOutGroups(ctx))
}

// refuse gives the rows their outcome whose outcome is known.
func (r *memberFileRun) refuse(ctx context.Context) error {
	for i := range r.table.refused {
		m := &r.table.refused[i]
		if r.done(int64(m.line)) {
			continue
		}
		if r.take.Err() != nil || ctx.Err() != nil {
			return nil
		}
		result, err := r.table.refusal(m, r.columns)
		if err != nil {
			return err
		}
		r.results <- result
	}
	return nil
}

// carryOutGroups hands the groups to the workers, in the order in which the
// file names them first.
func (r *memberRun) carryOutGroups(ctx context.Context) error {
	if err := r.learnShowing(ctx); err != nil {
		r.stop(err)
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, r.Workers))
	turn := make(chan struct{})
	close(turn)
	for rest := r.rows; len(rest) > 0 && r.take.Err() == nil && ctx.Err() == nil; {
		n := oneGroup(rest)
		group := &memberGroup{
			memberRun: r, id: r.book.groupID(&rest[0]), rows: rest[:n], turn: turn, next: make(chan struct{}),
		}
		rest, turn = rest[n:], group.next
		g.Go(func() error {
			defer close(group.next)
			group.carryOut(ctx)
			return nil
		})
	}
	return g.Wait()
}

// oneGroup is how many of the rows are of the first one's group.
func oneGroup(rows []memberRow) int {
	n := slices.IndexFunc(rows, func(m memberRow) bool { return m.group != rows[0].group })
	if n < 0 {
		return len(rows)
	}
	return n
}
