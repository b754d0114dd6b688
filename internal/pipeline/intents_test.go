package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/journal"
)

// TestIntentsTravelTogether: an intent waits for others while enough are open,
// and no longer.
func TestIntentsTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIntentScene(t, 2)
		for line := range int64(6) {
			s.record(line + 2)
			synctest.Wait()
		}
		s.expect(3, "three are open, which is more than two") // each of the first found no more than two open
		time.Sleep(time.Second)
		s.q.answered(t.Context())
		synctest.Wait()
		s.expect(6, "two are open")
		records := s.intentRecords()
		if len(records) != 4 || strings.Count(records[3], `"create"`) != 3 {
			t.Errorf("want three records of one intent, and one of three:\n%s", strings.Join(records, "\n"))
		}
		if want := s.q.now().UTC().Format("15:04:05"); !strings.Contains(records[3], want) {
			t.Errorf("the last record is not of %s, when it was written:\n%s", want, records[3])
		}
	})
}

// TestIntentsOfARunThatIsBrokenOff: what waits is not recorded, and is not held
// up either.
func TestIntentsOfARunThatIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIntentScene(t, 0)
		for line := range int64(2) {
			s.record(line + 2)
			synctest.Wait()
		}
		s.expect(1, "one is open")
		s.cancel()
		s.q.answered(s.ctx)
		synctest.Wait()
		if !errors.Is(s.failed, context.Canceled) {
			t.Errorf("the row that waited got %v", s.failed)
		}
		if n := len(s.intentRecords()); n != 1 || s.q.open != 0 {
			t.Errorf("%d intents are recorded, %d are open; want 1 and 0", n, s.q.open)
		}
	})
}

// intentScene is a log with rows that record their intents.
type intentScene struct {
	t      *testing.T
	q      *intents
	dir    string
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	done   int
	failed error
}

func newIntentScene(t *testing.T, enough int) *intentScene {
	s := &intentScene{t: t, dir: t.TempDir()}
	log, err := journal.Create(s.dir, journal.Header{Run: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s.ctx, s.cancel = context.WithCancel(t.Context())
	s.q = &intents{log: log, now: time.Now, enough: enough}
	return s
}

func (s *intentScene) record(line int64) {
	go func() {
		err := s.q.record(s.ctx, &journal.Intent{Line: line, Op: "create", At: s.q.now()})
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.failed = err
		} else {
			s.done++
		}
	}()
}

func (s *intentScene) expect(done int, when string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != done || s.failed != nil {
		s.t.Fatalf("%d intents are durable when %s, want %d (%v)", s.done, when, done, s.failed)
	}
}

func (s *intentScene) intentRecords() []string {
	text, err := os.ReadFile(filepath.Join(s.dir, journal.FileName))
	if err != nil {
		s.t.Fatal(err)
	}
	var records []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, fmt.Sprintf("%q:%q", "kind", "intent")) {
			records = append(records, line)
		}
	}
	return records
}
