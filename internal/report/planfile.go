package report

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// UndoFile is the file of a run's directory with what its writes have replaced.
const UndoFile = "undo.jsonl"

// PlanHeader is the first line of a plan file, and of an undo file: what it was
// made for.
type PlanHeader struct {
	Format   int       `json:"format"`
	Run      string    `json:"run"`
	Target   string    `json:"target"`
	Provider string    `json:"provider"`
	Resource string    `json:"resource"`
	Match    string    `json:"match"` // the attribute that keys are values of
	Input    *Input    `json:"input,omitempty"`
	Created  time.Time `json:"created"`
}

// PlanFormat is the version of the plan file.
const PlanFormat = 1

// ReadPlanHeader reads the header of a plan file, and refuses a file that is
// none.
func ReadPlanHeader(path string) (*PlanHeader, error) {
	in, err := rows.Open(path, PlanOptions(path, 0))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for row, err := range in.Rows(context.Background()) {
		if err != nil {
			return nil, err
		}
		h := &PlanHeader{}
		if row.Err != nil || json.Unmarshal(row.Object, h) != nil || h.Format == 0 {
			break
		}
		return h, h.check(path)
	}
	return nil, fmt.Errorf("%s is no plan file: it does not begin with the header that scimbulk plan --out writes", path)
}

func (h *PlanHeader) check(path string) error {
	switch {
	case h.Format > PlanFormat:
		return fmt.Errorf("%s has format %d, which a newer scimbulk has written; this one knows %d", path, h.Format, PlanFormat)
	case scim.Builtin(h.Resource) == nil || h.Match == "" || h.Target == "":
		return fmt.Errorf("%s: the header of the plan does not say what it was made for (target, resource, match)", path)
	}
	return nil
}

// PlanOptions say how the lines of a plan file are read, after so many.
func PlanOptions(path string, skip int) rows.Options {
	return rows.Options{Format: rows.JSONL, Encoding: "utf-8", SkipRows: skip, Name: filepath.Base(path)}
}

// Applied is what stands beside a plan file once a run may have written some of
// it.
type Applied struct {
	Run string    `json:"run"` // its directory
	At  time.Time `json:"at"`
}

// MarkApplied keeps a plan from being applied twice. The run that has marked it
// may do so again.
func MarkApplied(path, run string) error {
	text, err := json.Marshal(Applied{Run: run, At: time.Now().UTC()})
	if err != nil {
		return err
	}
	mark, err := os.OpenFile(appliedMark(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return CheckApplied(path, run)
	}
	if err != nil {
		return err
	}
	_, err = mark.Write(append(text, '\n'))
	return errors.Join(err, mark.Sync(), mark.Close())
}

func appliedMark(path string) string { return path + ".applied" }

// CheckApplied refuses a plan that another run than the given one has applied.
func CheckApplied(path, run string) error {
	text, err := os.ReadFile(appliedMark(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var a Applied
	if json.Unmarshal(text, &a) == nil && a.Run == run && run != "" {
		return nil
	}
	return &AppliedError{Plan: path, Applied: a}
}

// AppliedError says that a plan has been applied already.
type AppliedError struct {
	Plan string
	Applied
}

func (e *AppliedError) Error() string {
	if e.Run == "" {
		return fmt.Sprintf("%s has been applied already: %s stands beside it", e.Plan, appliedMark(e.Plan))
	}
	return fmt.Sprintf("%s has been applied already, by %s at %s: make a new plan, or go on with that run by scimbulk resume %s",
		e.Plan, e.Run, e.At.Format(time.RFC3339), e.Run)
}

// Undo writes the undo file of a run. It is safe for concurrent use.
type Undo struct {
	mu   sync.Mutex
	file *os.File
	held []byte // lines that can wait for the next write
}

// mostHeld bounds what of an undo file is held, in bytes.
const mostHeld = 64 << 10

// OpenUndo begins the undo file of a run, or goes on with it.
func OpenUndo(dir string, header PlanHeader) (*Undo, error) {
	file, err := os.OpenFile(filepath.Join(dir, UndoFile), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	u := &Undo{file: file}
	size, err := file.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
	case size == 0:
		err = u.write(header)
	default:
		err = u.endTorn(size)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return u, nil
}

// endTorn puts an end to a line that a crash has cut off.
func (u *Undo) endTorn(size int64) error {
	last := make([]byte, 1)
	if _, err := u.file.ReadAt(last, size-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err := u.file.Write([]byte{'\n'})
	return err
}

// Keep writes a line, in one piece.
func (u *Undo) Keep(line *plan.Line) error { return u.write(line) }

// KeepCreated holds a line until Flush, until the next one is written, or until
// much is held: rows that wait for others bring no Flush.
func (u *Undo) KeepCreated(line *plan.Line) error { return u.hold(line) }

// Flush writes what is held.
func (u *Undo) Flush() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.flush()
}

// flush writes what is held. The caller holds mu.
func (u *Undo) flush() error {
	if len(u.held) == 0 {
		return nil
	}
	_, err := u.file.Write(u.held)
	u.held = u.held[:0]
	return err
}

func (u *Undo) write(v any) error {
	if err := u.hold(v); err != nil {
		return err
	}
	return u.Flush()
}

func (u *Undo) hold(v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held = append(append(u.held, b...), '\n')
	if len(u.held) < mostHeld {
		return nil
	}
	return u.flush()
}

// Close makes the file durable.
func (u *Undo) Close() error { return errors.Join(u.Flush(), u.file.Sync(), u.file.Close()) }

// Undoing is what reading an undo file backwards has shown.
type Undoing struct {
	Changes   int64
	Removed   int64 // creates
	Recreated int64 // deletes, which can be undone by new resources alone
	Rejoined  int64 // memberships of those who were deleted
	Damaged   int64 // lines that cannot be read
	Lost      map[string]int64
}

// ReverseUndo writes the changes that undo a run, the last one first, into the
// file to. Of a write that was kept more than once the first counts; what a run
// has created and then changed is only to be removed.
func ReverseUndo(from, to string) (*Undoing, error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	u := &Undoing{Lost: map[string]int64{}}
	spans, err := u.index(in)
	if err != nil {
		return nil, err
	}
	file, err := privateFile(to)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(file)
	back := &rejoining{}
	slices.Reverse(spans)
	for i, s := range spans {
		if _, err = io.Copy(out, io.NewSectionReader(in, s.offset, s.length)); err != nil {
			break
		}
		back.add(s.groups, int64(i)+1)
	}
	err = errors.Join(err, back.write(out, int64(len(spans))))
	u.Rejoined = back.n
	return u, errors.Join(err, out.Flush(), file.Close())
}

// rejoining gathers who is to come back into which group. They have no ids yet.
type rejoining struct {
	groups  []plan.GroupRef
	members map[string][]string // promised ids, by that of the group
	n       int64
}

func (j *rejoining) add(groups []plan.GroupRef, line int64) {
	for _, g := range groups {
		if j.members == nil {
			j.members = map[string][]string{}
		}
		if j.members[g.ID] == nil {
			j.groups = append(j.groups, g)
		}
		j.members[g.ID] = append(j.members[g.ID], pipeline.PromisedID(line))
		j.n++
	}
}

// write writes the changes of the groups, after so many lines.
func (j *rejoining) write(out *bufio.Writer, line int64) error {
	for _, g := range j.groups {
		for members := range slices.Chunk(j.members[g.ID], pipeline.MembersPerPatch) {
			line++
			text, err := scim.Encode(&plan.Line{
				Line: line, Op: plan.ActUpdate, Resource: "Group", Key: cmp.Or(g.Name, g.ID), ID: g.ID, Patch: scim.MemberPatch(members, nil),
			})
			if err != nil {
				return err
			}
			if _, err := out.Write(append(text, '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

// span is where a line stands, and whether it counts for a resource that the
// run has not created.
type span struct {
	offset, length int64
	id             string          // "" for a create, and for the removal of what was created
	groups         []plan.GroupRef // of somebody who was deleted
}

// index finds the lines that count, the header first of all: the reader of the
// reversed file does not need it.
func (u *Undoing) index(in io.Reader) ([]span, error) {
	type write struct {
		line  int64
		op    plan.Action
		id    string
		paths string // a row may write twice: what it refers to comes second
	}
	kept, created := map[write]bool{}, map[string]bool{}
	var spans []span
	var offset int64
	for r := bufio.NewReader(in); ; {
		text, err := r.ReadBytes('\n')
		at := offset
		offset += int64(len(text))
		if err == io.EOF {
			spans = slices.DeleteFunc(spans, func(s span) bool { return s.id != "" && created[s.id] })
			u.Changes = int64(len(spans))
			return spans, nil // a line without an end was never followed by its write
		}
		if err != nil {
			return nil, err
		}
		if at == 0 || len(text) == 1 {
			continue
		}
		l, err := plan.ParseLine(text)
		if err != nil {
			u.Damaged++
			continue
		}
		key := write{l.Line, l.Op, l.ID, strings.Join(slices.Sorted(maps.Keys(l.After)), " ")}
		if kept[key] && !l.OfMembers() { // of those, each line speaks of other members
			continue
		}
		kept[key] = true
		s := span{at, int64(len(text)), l.ID, l.Groups}
		if l.Op == plan.ActDelete {
			created[l.ID], s.id = true, ""
		}
		u.add(l)
		spans = append(spans, s)
	}
}

func (u *Undoing) add(l *plan.Line) {
	switch l.Op {
	case plan.ActCreate:
		u.Recreated++
	case plan.ActDelete:
		u.Removed++
	}
	for _, path := range l.Lost {
		u.Lost[path]++
	}
}
