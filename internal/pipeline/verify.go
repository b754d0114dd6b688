package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"scimbulk/internal/plan"
)

// How many of the writes are read back. Some servers answer 200 to what they
// leave as it was.
const (
	VerifyNone   = "none"
	VerifySample = "sample" // the first few of each kind, and one in so many
	VerifyAll    = "all"
)

const (
	sampledFirst = 5
	sampledEvery = 50
)

// verification counts what reading back has shown.
type verification struct {
	mu      sync.Mutex
	written map[plan.Action]int64
	read    int64            // writes that were read back
	failed  int64            // of which something did not take effect
	unread  int64            // that could not be read back
	paths   map[string]int64 // what did not take effect
}

// chooses says whether a write is to be read back.
func (v *verification) chooses(mode string, action plan.Action) bool {
	if mode != VerifySample {
		return mode == VerifyAll
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.written == nil {
		v.written = map[plan.Action]int64{}
	}
	v.written[action]++
	n := v.written[action]
	return n <= sampledFirst || n%sampledEvery == 0
}

// verify reads back what the row has just written: one GET. What did not take
// effect makes the row lame. It runs before the outcome is logged, so that a row
// which a crash cuts off here is in doubt, and settled like any other.
func (w *row) verify(ctx context.Context, result *Result) {
	action := w.change.Action
	wrote := action.Writes() && result.Outcome != Rejected && result.Outcome != Unknown
	if w.DryRun || !wrote || !w.verified.chooses(w.Verify, action) {
		return
	}
	defer w.bulk.away()()
	unmet, err := w.readBack(ctx, result.ID)
	w.verified.note(unmet, err)
	switch {
	case err != nil:
		result.fault("it could not be read back: " + err.Error())
	case len(unmet) > 0:
		result.fault("the directory answered as if it were done, but has not taken over: " + strings.Join(unmet, ", "))
	}
}

// readBack names what the change was to set and the directory does not show.
func (w *row) readBack(ctx context.Context, id string) ([]string, error) {
	if id == "" {
		return nil, fmt.Errorf("the directory has not said its id")
	}
	have, err := (&lookupEach{client: w.Client, endpoint: Endpoint(w.Resource)}).byID(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case w.change.Action == plan.ActDelete && have == nil:
		return nil, nil
	case w.change.Action == plan.ActDelete && w.Profile.RevivesDeleted && have.Object["active"] == false:
		return nil, nil // deleted accounts are kept
	case w.change.Action == plan.ActDelete:
		return []string{"the deletion"}, nil
	case have == nil:
		return []string{"the " + w.Resource}, nil
	}
	return w.Rules.Unmet(&w.change, have.Object), nil
}

// fault says what is wrong with a row that was written.
func (r *Result) fault(text string) {
	r.Lame = true
	r.say(text)
}

func (v *verification) note(unmet []string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.unread++
		return
	}
	v.read++
	if len(unmet) == 0 {
		return
	}
	v.failed++
	if v.paths == nil {
		v.paths = map[string]int64{}
	}
	for _, path := range unmet {
		v.paths[path]++
	}
}

// warnings say what did not take effect in this session, or could not be seen.
func (v *verification) warnings() []string {
	var list []string
	if v.failed > 0 {
		var parts []string
		for _, path := range slices.Sorted(maps.Keys(v.paths)) {
			parts = append(parts, fmt.Sprintf("%s (%d)", path, v.paths[path]))
		}
		list = append(list, fmt.Sprintf("%d of %d writes that were read back have not taken effect: %s", v.failed, v.read, strings.Join(parts, ", ")))
	}
	if v.unread > 0 {
		list = append(list, fmt.Sprintf("%d writes could not be read back", v.unread))
	}
	return list
}
