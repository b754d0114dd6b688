package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/plan"
)

// How a row bears a reference to what is not there.
const (
	missingReject = "reject"
	missingKeep   = "keep"
)

// need is a row that cannot do without a reference.
type need struct{ line, before uint32 }

// origin is where a chain of rejected rows begins: with its first row, for lack
// of something.
type origin struct {
	line  int64
	cause int64 // where the reason lies
}

// rejectDependents rejects the rows that cannot do without what is neither in
// the directory nor in the file, and those that cannot do without them.
func (r *references) rejectDependents() error {
	var missing []*reference
	for _, e := range r.list.all() {
		if e.state == refThere || e.row > 0 {
			continue
		}
		if e.open() {
			if err := r.sayNowhere(e); err != nil {
				return err
			}
		}
		missing = append(missing, e)
	}
	for len(missing) > 0 {
		e := missing[0]
		missing = missing[1:]
		for _, line := range r.needy(e) {
			dead, err := r.reject(line, e)
			if err != nil {
				return err
			}
			missing = append(missing, dead...)
		}
	}
	return nil
}

// needy are the lines of the rows that cannot do without a reference.
func (r *references) needy(e *reference) []uint32 {
	var lines []uint32
	for at := e.needed; at > 0; {
		n := r.needs.at(at - 1)
		lines = append(lines, n.line)
		at = n.before
	}
	slices.Reverse(lines)
	return lines
}

// sayNowhere says that a resource is not to be found where it can be.
func (r *references) sayNowhere(e *reference) error {
	kind := r.kindAt(e)
	if kind.resource != r.resource {
		name, err := r.texts.text(e.name)
		if err != nil {
			return err
		}
		return r.settle(e, refAbsent, fmt.Sprintf("the directory has no %s with the %s %q", strings.ToLower(kind.resource), kind.by, name))
	}
	called, err := r.called(e)
	if err != nil {
		return err
	}
	return r.settle(e, refAbsent, called+" is neither in the directory nor in the file")
}

// reject marks a row that cannot do without a reference, and returns the
// references that die with it. Their reasons name the row itself and the
// beginning of the chain, but nothing between, so that a long chain of managers
// can be read, and is not held once for each of its rows.
func (r *references) reject(line uint32, lack *reference) (dead []*reference, err error) {
	if _, known := r.rejected[line]; known {
		return nil, nil
	}
	r.rejected[line] = lack.what
	from, chained := r.origins[lack]
	why := fmt.Sprintf("is rejected because line %d is", from.line)
	if !chained {
		from, why = origin{int64(line), lack.what}, "is rejected"
	}
	for _, number := range r.namedBy(int64(line)) {
		e := r.list.at(number)
		if !e.open() {
			continue
		}
		called, err := r.called(e)
		if err != nil {
			return nil, err
		}
		cause, err := r.texts.text(from.cause)
		if err != nil {
			return nil, err
		}
		if err := r.settle(e, refAbsent, fmt.Sprintf("line %d, which %s names, %s: %s", line, called, why, cause)); err != nil {
			return nil, err
		}
		r.origins[e] = from
		dead = append(dead, e)
	}
	return dead, nil
}

// rejection is the result of a row that cannot do without what is missing, nil
// for all others.
func (r *references) rejection(t *task) (*Result, error) {
	if r == nil || t.op == plan.Delete || t.op == plan.Deactivate {
		return nil, nil
	}
	at, rejected := r.rejected[uint32(t.row.Line)]
	if !rejected {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	why, err := r.texts.text(at)
	return &Result{
		Row: t.row, Key: t.record.Key, Op: t.op, Outcome: Rejected, Class: ClassReference, Detail: why,
		Change: plan.Change{Action: plan.ActReject, Class: ClassReference, Reason: why},
	}, err
}
