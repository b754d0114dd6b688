package pipeline

import (
	"context"

	"scimbulk/internal/plan"
)

// Undo keeps the values that writes replace, each as the change that brings
// them back. What it is given must be with the operating system when it
// returns: the write comes after. It is safe for concurrent use, and may get a
// line twice, of which the first counts.
type Undo interface {
	Keep(*plan.Line) error
}

// keepReplaced keeps what the write that comes next replaces. A create replaces
// nothing, and is kept once its id is known.
func (w *row) keepReplaced(ctx context.Context) error {
	if w.Undo == nil || w.change.Action == plan.ActCreate || w.have == nil {
		return nil
	}
	have := w.have
	if len(have.Attributes) > 0 && w.change.Action == plan.ActDelete { // all of it goes
		whole, err := (&lookupEach{client: w.Client, endpoint: Endpoint(w.Resource)}).byID(ctx, have.ID)
		if err != nil {
			return err
		}
		if whole != nil {
			have = whole
		}
	}
	return w.Undo.Keep(w.Rules.Reverse(w.row.Line, w.record.Key, &w.change, have))
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
	return w.Undo.Keep(w.Rules.Reverse(w.row.Line, w.record.Key, made, nil))
}
