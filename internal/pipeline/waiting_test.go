package pipeline

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"scimbulk/internal/mapping"
)

// TestRoomForRowsThatWait: the reader goes on when fewer rows wait, and when it
// is of no use to wait for that.
func TestRoomForRowsThatWait(t *testing.T) {
	for name, ease := range map[string]func(*run, context.CancelFunc) error{
		"the row that the others name is done": func(r *run, _ context.CancelFunc) error {
			released, err := r.survey.references.publish(2, "7", "")
			if len(released) != mostWaiting {
				t.Errorf("%d rows go on, want %d", len(released), mostWaiting)
			}
			return err
		},
		"it waits for its settle window": func(r *run, _ context.CancelFunc) error {
			r.parked.rows = append(r.parked.rows, &row{})
			r.survey.references.ease()
			return nil
		},
		"no more rows are taken": func(r *run, end context.CancelFunc) error {
			end()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				take, end := context.WithCancel(t.Context())
				defer end()
				r := &run{survey: &Survey{references: waitFor(t, "boss", mostWaiting)}, take: take}
				through := false
				go func() {
					r.awaitRoom(t.Context())
					through = true
				}()
				if synctest.Wait(); through {
					t.Fatalf("the reader goes on while %d rows wait", mostWaiting)
				}
				if err := ease(r, end); err != nil {
					t.Fatal(err)
				}
				if synctest.Wait(); !through {
					t.Error("the reader does not go on")
				}
			})
		})
	}
}

// waitFor has so many rows wait for the one in line 2.
func waitFor(t *testing.T, name string, rows int) *references {
	t.Helper()
	file, err := mapping.Parse("m.yaml", []byte("attributes:\n  userName: userName\n  enterprise:manager: {column: boss, ref: User.userName}\n"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := file.Compile([]string{"userName", "boss"}, false, mapping.Options{})
	if err != nil {
		t.Fatal(err)
	}
	refs := newReferences(m, nil)
	t.Cleanup(refs.discard)
	e, err := refs.enter(&mapping.Ref{Resource: "User", By: "userName"}, name)
	if err != nil {
		t.Fatal(err)
	}
	e.row = 2
	refs.settlePlaces()
	refs.waits[e], refs.waiting = make([]*task, rows), rows
	return refs
}

// TestReadingManyAtATime: once the queue is full the reader waits until half of
// it is taken, or until no more rows are.
func TestReadingManyAtATime(t *testing.T) {
	for name, tc := range map[string]struct {
		takes int // rows that workers take while the reader waits
		ends  bool
		reads bool // on
	}{
		"less than half is taken": {1, false, false},
		"half is taken":           {2, false, true},
		"no more rows are taken":  {0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				take, end := context.WithCancel(t.Context())
				defer end()
				r := &run{take: take, open: make(chan *task, 4), half: make(chan struct{}, 1)}
				for range cap(r.open) {
					r.open <- &task{}
				}
				var reads atomic.Bool
				go func() {
					r.awaitHalf(t.Context())
					reads.Store(true)
				}()
				synctest.Wait()
				for range tc.takes {
					<-r.open
					r.sayHalf()
				}
				if tc.ends {
					end()
				}
				synctest.Wait()
				if reads.Load() != tc.reads {
					t.Errorf("the reader goes on: %t", reads.Load())
				}
			})
		})
	}
}
