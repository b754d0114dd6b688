package pipeline

import (
	"slices"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// ours says whether what is there now is the work of the write that was in
// doubt. A resource that is there after a create is ours if it was seen absent
// before, or if it is not older than the intent by the directory's own clock.
// That a look-up saw nobody says little of somebody whom look-ups may not show:
// there the clock goes first.
func (w *row) ours() bool {
	if w.sent != plan.ActCreate {
		return true
	}
	young, told := w.isYoung()
	return young || w.absent && !(w.unshown && told)
}

// clockSlack is what a time in whole seconds and the way of a request may hide.
const clockSlack = 2 * time.Second

// isYoung says whether what was found is not older than the intent, where the
// directory tells it. Some tell when a resource was last changed, and not when
// it was made.
func (w *row) isYoung() (young, told bool) {
	if w.have == nil {
		return false, false
	}
	made, told := w.timeOf("created")
	if !told {
		made, told = w.timeOf("lastModified")
	}
	return told && !made.Before(w.since.Add(-clockSlack)), told
}

func (w *row) timeOf(member string) (at time.Time, told bool) {
	text := textIn(w.have.Object, scim.Path{Attr: "meta", Sub: member})
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// disown ends the doubt about a create where somebody is there whom it has not
// made. It comes before that one is changed, in this step of the row or the next:
// afterwards the directory may tell no more of them than that they were changed
// just now, and undo deletes whom a run is said to have created.
func (w *row) disown() error {
	if w.sent != plan.ActCreate || w.have == nil || w.ours() {
		return nil
	}
	w.sent, w.absent = "", false
	return w.withdraw(w.open...)
}

// withdraw takes intents back that were not carried out. What the row does next
// has an outcome of its own, for resume too.
func (w *row) withdraw(intents ...journal.Intent) error {
	w.open = slices.DeleteFunc(slices.Clone(w.open), func(in journal.Intent) bool {
		return slices.ContainsFunc(intents, func(out journal.Intent) bool { return out.Step == in.Step })
	})
	return w.Log.Withdraw(intents)
}
