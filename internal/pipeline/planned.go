package pipeline

import (
	"context"
	"fmt"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// ChangeSet says that the rows of the input are the lines of a plan file, to be
// carried out as they were reviewed. The mapping of such an import is asked for
// nothing but the match attribute.
type ChangeSet struct {
	Drift string // plan.DriftAny or plan.DriftPlanned
	// Replan is for a dry run that makes a new plan of an old one: the changes
	// are fitted to what is there now.
	Replan bool
	// SoftDelete has people turned inactive whom the change set would delete:
	// where the provider keeps deleted accounts, that is what brings back less.
	SoftDelete bool
}

// translatePlanned makes a task of a line of a plan file, or the result of one
// that cannot be used.
func (im *Import) translatePlanned(row *rows.Row) (*task, *Result) {
	if row.Err != nil {
		return nil, faulty(row, "", row.Err)
	}
	line, err := plan.ParseLine(row.Object)
	foreign := err == nil && line.Resource != im.Resource
	if foreign && !(line.OfMembers() && line.ID != "") { // people join groups by the way
		err = fmt.Errorf("a change of a %s in a plan of %s resources", line.Resource, im.Resource)
	}
	if err != nil {
		key := ""
		if line != nil {
			key = line.Key
		}
		return nil, faulty(row, key, fmt.Errorf("line %d of the plan: %s", row.Line, strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	if im.Changes.SoftDelete && line.Op == plan.ActDelete && im.Resource == "User" {
		line.Op, line.Before, line.After = plan.ActDeactivate, scim.Object{}, scim.Object{}
		line.Patch = []scim.PatchOperation{{Op: "replace", Path: "active", Value: false}}
	}
	record := &mapping.Record{
		Number: row.Number, Line: row.Line, Op: string(line.Op), MatchBy: im.Mapping.Match(), Key: line.Key,
		KeyFold: mapping.Fold(im.Mapping.MatchTarget().Leaf(), line.Key),
	}
	if foreign {
		record.KeyFold = line.Resource + " " + line.ID
	}
	return &task{row: row, record: record, op: plan.Op(line.Op), planned: line, bonds: bondsOf(row.Object)}, nil
}

// lookPlanned finds the resource of a planned change: by its id, which nobody
// can give to another; what has none yet, by its key. The id of a deleted one
// finds it if it was never deleted.
func (w *row) lookPlanned(ctx context.Context) error {
	each, err := w.newLookupEach()
	if err != nil {
		return err
	}
	each.endpoint = w.endpoint()
	w.have = nil
	if w.planned.ID != "" {
		w.have, err = each.byID(ctx, w.planned.ID)
	}
	if w.have == nil && err == nil && (w.planned.ID == "" || w.planned.Op == plan.ActCreate) {
		w.have, err = w.directory.find(ctx, w.record, true)
	}
	return err
}

// resource is the type of what a row changes: a plan of people may hold changes
// of the groups that they join.
func (w *row) resource() string {
	if w.planned != nil {
		return w.planned.Resource
	}
	return w.Resource
}

func (w *row) endpoint() scim.Endpoint { return Endpoint(w.resource()) }

func (w *row) rules() *plan.Rules {
	foreign, noPatch := w.resource() != w.Resource, w.lacksPatch()
	if !foreign && noPatch == w.Rules.NoPatch {
		return &w.Rules
	}
	rules := w.Rules
	if foreign {
		rules.Schema = scim.Builtin(w.resource())
	}
	rules.NoPatch = noPatch && !foreign
	return &rules
}

// decidePlanned decides on a planned change.
func (w *row) decidePlanned() plan.Change {
	l := w.planned
	if w.resource() != w.Resource {
		return w.decideMembers()
	}
	if l.Op == plan.ActCreate && w.have != nil && (w.have.ID == l.ID || w.sent == plan.ActCreate && w.ours()) {
		return plan.Change{Action: plan.ActNothing, ID: w.have.ID}
	}
	if w.Changes.Replan {
		return w.rules().Replan(l, w.have)
	}
	drift := w.Changes.Drift
	if w.shared && w.later {
		drift = plan.DriftPlanned // the line before has changed it
	}
	change := w.rules().DecidePlanned(l, w.have, drift)
	w.murky = w.sent != "" && w.have != nil && change.Class == ClassConflict && len(w.Rules.Moved(l, w.have, plan.DriftPlanned)) > 0
	return change
}

// decideMembers decides on a change of a group in a plan of people: what of it is
// left to do. Who else is in the group does not matter, all the less as the plan
// itself may take people out of it by deleting them.
func (w *row) decideMembers() plan.Change {
	l := *w.planned
	l.Before, l.After, l.Seen, l.Version = nil, nil, nil, ""
	if w.have != nil {
		if l.Patch = l.MembersLeft(w.have.Object); len(l.Patch) == 0 {
			return plan.Change{Action: plan.ActNothing, ID: w.have.ID}
		}
	}
	change := w.rules().DecidePlanned(&l, w.have, plan.DriftPlanned)
	change.Version = ""
	return change
}

// seen notes what a dry run has seen of a resource, by which apply will know
// what has drifted.
func (w *row) seen() {
	if w.have == nil || w.resource() != w.Resource {
		return
	}
	w.result.Seen, w.result.Partial = w.Rules.Fingerprint(w.have.Object), false
	if len(w.have.Attributes) > 0 {
		w.result.Seen, w.result.Partial = w.Rules.FingerprintOf(w.have.Object, w.have.Attributes), true
	}
}
