package pipeline

import (
	"context"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Undo keeps the values that writes replace, each as the change that brings
// them back. What Keep is given must be with the operating system when it
// returns: the write comes after. What was created is known only after the
// write: KeepCreated may hold it back until Flush, which comes before the
// outcome is logged. It is safe for concurrent use, and may get a line twice,
// of which the first counts.
type Undo interface {
	Keeper
	KeepCreated(*plan.Line) error
	Flush() error
}

// Keeper takes changes down.
type Keeper interface {
	Keep(*plan.Line) error
}

// keepReplaced keeps what the write that comes next replaces. A create replaces
// nothing, and is kept once its id is known.
func (w *row) keepReplaced(ctx context.Context) error {
	if w.Undo == nil || w.change.Action == plan.ActCreate || w.have == nil {
		return nil
	}
	if w.resource() != w.Resource {
		return w.Undo.Keep(w.reverseMembers())
	}
	have := w.have
	if w.keepsWhole() {
		whole, err := (&lookupEach{client: w.Client, endpoint: w.endpoint()}).byID(ctx, have.ID)
		if err != nil {
			return err
		}
		if whole != nil {
			have = whole
		}
	}
	return w.Undo.Keep(w.rules().Reverse(w.row.Line, w.record.Key, &w.change, have))
}

// keepsWhole says whether more of a resource has to be kept than was read: all of
// it goes.
func (w *row) keepsWhole() bool {
	return w.change.Action == plan.ActDelete && w.have != nil && len(w.have.Attributes) > 0
}

// reverseMembers is the change that takes back a change of a group in a plan of
// people.
func (w *row) reverseMembers() *plan.Line {
	l := &plan.Line{Line: w.row.Line, Op: plan.ActUpdate, Resource: w.resource(), Key: w.record.Key, ID: w.change.ID}
	add, remove := (&plan.Line{Patch: w.change.Patch}).Members()
	l.Patch = scim.MemberPatch(remove, add)
	return l
}

// keepCreated keeps that a row has made a resource, before its outcome is
// logged: a row that a crash leaves without an outcome comes here again.
func (w *row) keepCreated(ctx context.Context, result *Result) error {
	if w.Undo == nil || w.DryRun || w.task.first != nil || result.Outcome != Created {
		return nil
	}
	made := &plan.Change{Action: plan.ActCreate, ID: result.ID}
	if made.ID == "" { // an answer without a body need not name it
		have, err := w.directory.find(ctx, w.record, true)
		if err != nil || have == nil {
			return nil // nobody knows it: what undo cannot name it cannot remove
		}
		made.ID = have.ID
	}
	return w.Undo.KeepCreated(w.Rules.Reverse(w.row.Line, w.record.Key, made, nil))
}
