package report

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
)

// screen is a writer that two goroutines may share.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// work moves a meter on as a run of some 30 seconds would.
func work(m *pipeline.Meter) {
	m.Phase.Store(pipeline.PhaseRun)
	m.Total.Store(600)
	for range 290 { // between the ticks of what shows it, never at one
		time.Sleep(50 * time.Millisecond)
		m.Done.Add(2)
		time.Sleep(50 * time.Millisecond)
	}
	m.Rejected.Store(3)
}

func TestPlainProgressIsALineEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, meter := &screen{}, &pipeline.Meter{}
		p := StartProgress(ProgressPlain, out, meter, "rows")
		work(meter)
		time.Sleep(2 * time.Second)
		p.Stop()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("%d lines in 31 seconds:\n%s", len(lines), out)
		}
		if want := "importing: 200 of 600 rows, 20.0/s, about 20s left"; lines[0] != want {
			t.Errorf("%q, want %q", lines[0], want)
		}
		if want := "3 rejected"; !strings.Contains(lines[2], want) {
			t.Errorf("%q has no %q", lines[2], want)
		}
	})
}

func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, meter := &screen{}, &pipeline.Meter{}
		p := StartProgress(ProgressBar, out, meter, "rows")
		work(meter)
		time.Sleep(time.Second)
		p.Stop() // leaks no goroutine, or the bubble would say so
		got := out.String()
		for _, want := range []string{"importing", "/600", "rows/s", "3 rejected"} {
			if !strings.Contains(got, want) {
				t.Errorf("the bar never shows %q", want)
			}
		}
	})
}

func TestNoProgress(t *testing.T) {
	out := &screen{}
	StartProgress(ProgressNone, out, &pipeline.Meter{}, "rows").Stop()
	if out.String() != "" {
		t.Errorf("shows %q", out)
	}
}
