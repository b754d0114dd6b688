package pipeline

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// promised is what stands in a plan for the id of a resource that the plan
// creates itself.
const promised = "(the id of line %d)"

// PromisedID is what stands in a plan for the id that a create of the plan will
// have, by the line of the create.
func PromisedID(line int64) string { return fmt.Sprintf(promised, line) }

// promise finds it: the line is that of the row, not that of the plan file.
var promise = regexp.MustCompile(`\(the id of line (\d+)\)`)

// bonds are the references of a plan to what it creates. The changes that have
// one are held back until all others are done; then those whom they refer to
// have ids.
type bonds struct {
	mu     sync.Mutex
	wanted map[int64]*mapping.Record // by the line of the row that is referred to; nil until it is found
	ids    map[int64]string
	held   []*task
	keys   map[string]bool // of changes that are held, so that none overtakes another
}

// want notes what a change refers to.
func (b *bonds) want(t *task) {
	for _, line := range t.bonds {
		if b.wanted == nil {
			b.wanted = map[int64]*mapping.Record{}
		}
		b.wanted[line] = nil
	}
}

// bondsOf lists the lines that a line of a plan file refers to.
func bondsOf(raw []byte) []int64 {
	var lines []int64
	for _, found := range promise.FindAllSubmatch(raw, -1) {
		if n, err := strconv.ParseInt(string(found[1]), 10, 64); err == nil {
			lines = append(lines, n)
		}
	}
	return lines
}

// resolveBonds finds the keys of what the plan refers to, by a second reading.
func (im *Import) resolveBonds(ctx context.Context, s *Survey) error {
	if len(s.bonds.wanted) == 0 {
		return nil
	}
	in, err := im.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return err
		}
		t, _ := im.translatePlanned(&row)
		if t == nil || t.planned.Op != plan.ActCreate {
			continue
		}
		if _, wanted := s.bonds.wanted[t.planned.Line]; wanted {
			s.bonds.wanted[t.planned.Line] = t.record
		}
	}
	return ctx.Err()
}

// hold keeps a change back that refers to another one, or that comes after such
// a one of the same key.
func (b *bonds) hold(t *task) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(t.bonds) == 0 && !b.keys[t.record.KeyFold] {
		return false
	}
	if b.keys == nil {
		b.keys = map[string]bool{}
	}
	b.keys[t.record.KeyFold] = true
	b.held = append(b.held, t)
	return true
}

// workOffHeld carries out what was held back, round by round: first what refers
// to nothing that is held itself.
func (r *run) workOffHeld(ctx context.Context) error {
	b := &r.survey.bonds
	for len(b.held) > 0 && r.take.Err() == nil {
		ready, waiting := b.split()
		if len(ready) == 0 {
			for _, t := range waiting {
				r.results <- unbound(t, "it refers to a change that refers to it")
			}
			return nil
		}
		b.held = waiting
		feed := func(ctx context.Context, queue chan<- *task) error {
			for _, t := range ready {
				if err := r.hand(ctx, queue, t); err != nil {
					return err
				}
			}
			return nil
		}
		if err := r.spread(ctx, feed, r.startBound); err != nil {
			return err
		}
	}
	return nil
}

// split tells the held changes that can be carried out now from those that have
// to wait for them.
func (b *bonds) split() (ready, waiting []*task) {
	creates, keys := map[int64]bool{}, map[string]bool{}
	for _, t := range b.held {
		if t.planned.Op == plan.ActCreate {
			creates[t.planned.Line] = true
		}
	}
	for _, t := range b.held {
		waits := keys[t.record.KeyFold]
		for _, line := range t.bonds {
			waits = waits || creates[line]
		}
		keys[t.record.KeyFold] = true
		if waits {
			waiting = append(waiting, t)
		} else {
			ready = append(ready, t)
		}
	}
	return ready, waiting
}

// startBound puts ids in the place of promises, and carries the change out.
func (r *run) startBound(ctx context.Context, t *task) {
	if r.take.Err() != nil {
		return
	}
	ids := map[string]string{}
	var absent []string
	for _, line := range t.bonds {
		id, err := r.idOfLine(ctx, line)
		if err != nil {
			result, fatal := newRow(r, t).failedLookup(err)
			if fatal != nil {
				r.stop(fatal)
				return
			}
			r.results <- result
			return
		}
		if id == "" {
			absent = append(absent, fmt.Sprintf("line %d", line))
		}
		ids[fmt.Sprintf(promised, line)] = id
	}
	if len(absent) > 0 && (!t.planned.OfMembers() || !leavesSomebody(t.planned, ids)) {
		r.results <- unbound(t, fmt.Sprintf("it refers to %s, which has not been created", strings.Join(absent, ", ")))
		return
	}
	bound := *t.planned
	if bound.Body != nil {
		bound.Body = keepPromises(bound.Body, ids).(scim.Object)
	}
	bound.Patch = make([]scim.PatchOperation, len(t.planned.Patch))
	for i, op := range t.planned.Patch {
		op.Value = keepPromises(op.Value, ids)
		bound.Patch[i] = op
	}
	t.planned = &bound
	w := newRow(r, t)
	if len(absent) > 0 { // those who are there need not suffer for it
		w.result.Lame = true
		w.result.say(fmt.Sprintf("left out, since it has not been created: %s", strings.Join(absent, ", ")))
	}
	r.finish(ctx, w)
}

// idOfLine is the id of what the plan has created for a row, "" for nothing.
func (r *run) idOfLine(ctx context.Context, line int64) (string, error) {
	b := &r.survey.bonds
	b.mu.Lock()
	defer b.mu.Unlock()
	record := b.wanted[line]
	if id, known := b.ids[line]; known || record == nil {
		return id, nil
	}
	have, err := r.directory.find(ctx, record, true)
	if err != nil {
		return "", err
	}
	if b.ids == nil {
		b.ids = map[int64]string{}
	}
	b.ids[line] = ""
	if have != nil {
		b.ids[line] = have.ID
	}
	return b.ids[line], nil
}

func keepPromises(v any, ids map[string]string) any {
	switch v := v.(type) {
	case string:
		if id, ok := ids[v]; ok {
			return id
		}
	case scim.Object:
		o := make(scim.Object, len(v))
		for name, m := range v {
			o[name] = keepPromises(m, ids)
		}
		return o
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			if member, ok := e.(scim.Object); ok && brokenPromise(member, ids) {
				continue
			}
			list = append(list, keepPromises(e, ids))
		}
		return list
	}
	return v
}

// leavesSomebody says whether a change of members is about anybody who is there.
func leavesSomebody(l *plan.Line, ids map[string]string) bool {
	add, remove := l.Members()
	for _, id := range add {
		if made, promised := ids[id]; !promised || made != "" {
			return true
		}
	}
	return len(remove) > 0
}

// brokenPromise says whether a member is somebody who has not been created.
func brokenPromise(member scim.Object, ids map[string]string) bool {
	text, _ := member["value"].(string)
	id, promised := ids[text]
	return promised && id == ""
}

func unbound(t *task, why string) *Result {
	return &Result{
		Row: t.row, Key: t.record.Key, Op: t.op, Outcome: Rejected, Class: ClassReference, Detail: why,
		Change: plan.Change{Action: plan.ActReject, Class: ClassReference, Reason: why},
	}
}
