package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Somebody has two identities: the name by which people know them, and the
// externalId by which the other system does. A row whose two identities belong
// to two resources is most often a rename, which would make a twin.

// otherIdentity is the identity of a row beside the one by which it is matched;
// nil where rows have none.
func (im *Import) otherIdentity() *scim.Target {
	if im.Changes != nil || im.Mapping == nil { // a plan decides nothing, and memberships have no identity
		return nil
	}
	name := ""
	switch match := im.Mapping.Match(); {
	case match == nameOf(im.Resource):
		name = "externalId"
	case match == "externalId" && im.Resource == "User":
		name = "userName"
	default:
		return nil
	}
	assigned := im.Mapping.Attributes()
	if len(assigned) > 0 && !slices.ContainsFunc(assigned, func(a string) bool { return strings.EqualFold(a, name) }) {
		return nil
	}
	target, err := im.Rules.Schema.Resolve(scim.Path{Attr: name})
	if err != nil {
		return nil
	}
	return target
}

// otherValue is the other identity that a row gives somebody, "" for none.
func (w *row) otherValue() string {
	if w.other == nil || w.leaver || w.task.first != nil || removes(w.task) || w.record.Assignments == nil {
		return ""
	}
	for i := range w.record.Assignments {
		a := &w.record.Assignments[i]
		if text, ok := a.Value.(string); ok && a.Target.Path.String() == w.other.Path.String() {
			return text
		}
	}
	return ""
}

// seekClash looks for somebody else who has the other identity of a row, as far
// as that costs nothing where the row would change somebody, and one look-up
// where it would create somebody. What is in doubt was looked into before.
func (w *row) seekClash(ctx context.Context) error {
	w.clash = ""
	value := w.otherValue()
	if value == "" || w.sent != "" || w.binding.reject != "" || w.have == nil && w.op == plan.Patch {
		return nil
	}
	if w.have != nil && scim.Equal(w.other.Leaf(), valueAt(w.have.Object, w.other.Path), value) {
		return nil
	}
	var holder *plan.Current
	var err error
	switch l := w.known().(type) {
	case *lookupDirectory:
		holder, err = l.holder(value)
	case *lookupEach:
		if w.have == nil {
			holder, err = w.askHolder(ctx, value)
			if w.foreseen.unseen {
				w.foreseen.spared.Add(1)
			}
		}
	}
	if err != nil {
		return err
	}
	if w.clash = w.clashWith(holder); w.clash != "" && w.unlooked {
		w.clash = ""
		w.clashes.Add(1)
	}
	return nil
}

// warnOfClashes says what a dry run has seen and the import will not.
func (r *run) warnOfClashes() []string {
	n := r.clashes.Load()
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("rows with the %s of somebody else: %d; the import, which looks nobody up where so many are new, would carry them out (--lookup directory rejects them)",
		r.other.Path.Short(), n)}
}

// known is what is known of the directory: the reading of it, or what asks it
// row by row; nil where nobody looks.
func (w *row) known() lookup {
	asked := w.directory
	if u, ok := asked.(*unneeded); ok {
		asked = u.lookup
	}
	switch l := asked.(type) {
	case *lookupFallback:
		if read := l.once.get(); read != nil {
			return read
		}
		return l.each
	case *lookupNew:
		return nil
	default:
		return l
	}
}

// askHolder looks up who has the other identity. A directory that will not say
// is no reason to reject anybody.
func (w *row) askHolder(ctx context.Context, value string) (*plan.Current, error) {
	each := &lookupEach{client: w.Client, endpoint: Endpoint(w.Resource), target: w.other}
	holder, err := each.byKey(ctx, value)
	var ambiguous *ambiguousError
	if errors.As(err, &ambiguous) || filterFailed(err) {
		return nil, nil
	}
	return holder, err
}

// clashWith says why a row cannot have its other identity, "" where it can: the
// holder is the resource that the row means, or somebody of whom another row of
// the input says who they are.
func (w *row) clashWith(holder *plan.Current) string {
	if holder == nil || w.have != nil && w.have.ID == holder.ID {
		return ""
	}
	match := w.Mapping.MatchTarget()
	if name := textAt(holder, match.Path); name != "" && w.survey.held.has(match.Path.String(), mapping.Fold(match.Leaf(), name)) {
		return ""
	}
	kind, other := strings.ToLower(w.Resource), w.other.Path.Short()
	if other == "externalId" {
		return fmt.Sprintf("its externalId belongs to another %s (%s): if that is the same one under an old name, --match externalId changes it, and makes no twin", kind, holder.ID)
	}
	return fmt.Sprintf("its %s belongs to another %s (%s): if that is the same one, --match %s gives it this externalId", other, kind, holder.ID, other)
}

// holder is who has the other identity in a reading of the directory.
func (l *lookupDirectory) holder(value string) (*plan.Current, error) {
	at, known, err := l.others.index.find(mapping.Fold(l.other.Leaf(), value))
	if err != nil || !known || l.others.twice[at] {
		return nil, err
	}
	return l.at(at)
}

// explainRefusal tells, where the directory has refused an identity that is
// taken, whose it is: one look-up for a row that fails anyhow.
func (w *row) explainRefusal(ctx context.Context) (explained bool, err error) {
	value := w.otherValue()
	if value == "" {
		return false, nil
	}
	holder, err := w.askHolder(ctx, value)
	if err != nil || holder == nil || w.have != nil && holder.ID == w.have.ID {
		return false, err
	}
	clash := w.clashWith(holder)
	if clash == "" {
		return false, nil
	}
	w.result.Outcome, w.result.Class, w.result.Detail = Rejected, ClassConflict, clash
	if w.have != nil {
		w.result.ID = w.have.ID
	}
	return true, nil
}
