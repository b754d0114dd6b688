package pipeline_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// holder keeps what was created until it is flushed, as the undo file does.
type holder struct {
	keeper
	holding sync.Mutex
	held    []*plan.Line
}

func (h *holder) KeepCreated(l *plan.Line) error {
	h.holding.Lock()
	defer h.holding.Unlock()
	h.held = append(h.held, l)
	return nil
}

func (h *holder) Flush() error {
	h.holding.Lock()
	defer h.holding.Unlock()
	for _, l := range h.held {
		if err := h.Keep(l); err != nil {
			return err
		}
	}
	h.held = nil
	return nil
}

// has says whether the line of a row would outlive the process.
func (h *holder) has(line int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.lines, func(l *plan.Line) bool { return l.Line == line })
}

// deathbed looks, before each change of a group, at what would be left of the run
// if it died now.
type deathbed struct {
	http.RoundTripper
	look func()
}

func (d deathbed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
		d.look()
	}
	return d.RoundTripper.RoundTrip(r)
}

// TestWhatWaitsForItsGroupsCanBeUndone: a row that the log says has created
// somebody, and that waits for its groups, is in the undo file. A session that goes
// on does not put it there any more.
func TestWhatWaitsForItsGroupsCanBeUndone(t *testing.T) {
	t.Parallel()
	const people = 40
	b := newBench(t, sandbox.Options{Seed: 60})
	dir := t.TempDir()
	log, err := journal.Create(dir, journal.Header{Run: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	undo, waiting, lost := &holder{}, 0, []string{}
	var once sync.Mutex
	wire := deathbed{b.box.Transport(), func() {
		once.Lock()
		defer once.Unlock()
		state, err := journal.Read(dir)
		if err != nil {
			t.Error(err)
			return
		}
		for line := int64(2); line < people+2; line++ {
			if step, known := state.Step(line); !known || step.Outcome != string(pipeline.Created) {
				continue
			}
			if waiting++; !undo.has(line) {
				lost = append(lost, fmt.Sprint(line))
			}
		}
	}}
	speak := both(b.dialect("rfc", wire), withGroups(t, ""))
	var groups []string
	for name := range b.census(b.clientOf(scim.Profiles()[0])).groups {
		groups = append(groups, name)
	}
	slices.Sort(groups)
	file, _ := newcomers(people, groups)
	b.run(b.prepare(file, both(speak, func(im *pipeline.Import) { im.Log, im.Undo = log, undo })))
	if waiting == 0 {
		t.Error("no row has waited for its groups")
	}
	if len(lost) > 0 {
		t.Errorf("the undo file lacks the lines %s, of people whom the log calls created", strings.Join(lost, ", "))
	}
}

// TestStepsOfAnEarlierSessionCount: a row that the log says was turned inactive,
// and lacks something, is so in the session that puts its person into groups: it
// counts for --max-deletes, and is incomplete.
func TestStepsOfAnEarlierSessionCount(t *testing.T) {
	t.Parallel()
	for most, want := range map[int64]error{1: pipeline.ErrMaxDeletes, 2: nil} {
		t.Run(fmt.Sprintf("--max-deletes %d", most), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, sandbox.Options{})
			client := b.clientOf(scim.Profiles()[0])
			b.create(client, scim.Groups, `{"schemas":["`+scim.GroupURN+`"],"displayName":"A"}`)
			b.create(client, scim.Users, `{"schemas":["`+scim.UserURN+`"],"userName":"ann"}`)
			dir := t.TempDir()
			log, err := journal.Create(dir, journal.Header{Run: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Steps([]journal.Outcome{{Line: 2, Outcome: journal.Updated, Class: "inactive incomplete"}}); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			log, state, err := journal.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			im, recorded := b.prepare(joiners("ann::A:", "ann:::deactivate"), withGroups(t, ""))
			im.Log, im.State, im.OnDuplicate, im.MaxDeletes = log, state, pipeline.DuplicateApply, pipeline.Limit{N: most}
			totals := b.run(im, recorded)
			if !errors.Is(totals.Cause, want) || want == nil && totals.Cause != nil {
				t.Errorf("the run ended for %v, want %v", totals.Cause, want)
			}
			i := slices.IndexFunc(recorded.list, func(r *pipeline.Result) bool { return r.Row.Line == 2 })
			if want == nil && (i < 0 || recorded.list[i].Outcome != pipeline.Updated || !recorded.list[i].Lame) {
				t.Errorf("line 2 is not updated and incomplete: %d outcomes", len(recorded.list))
			}
		})
	}
}
