package report

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/scim"
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

// narrow is a terminal of so many columns.
type narrow struct {
	screen
	columns int
}

func (n *narrow) Columns() int { return n.columns }

// TestBarFitsTheTerminal: a line that runs over cannot be drawn over.
func TestBarFitsTheTerminal(t *testing.T) {
	for columns, wants := range map[int][]string{
		30:  {"importing"},
		80:  {"importing", "/600", "rows/s"},
		100: {"importing", "/600", "rows/s", "3 rejected"},
		160: {"importing", "/600", "rows/s", "3 rejected, limited by how long the directory takes to answer"},
	} {
		t.Run(strconv.Itoa(columns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meter := &pipeline.Meter{Pace: func() scim.Pace { return scim.Pace{InFlight: 16, LimitedBy: scim.LimitLatency} }}
				out := &narrow{columns: columns}
				p := StartProgress(ProgressBar, out, meter, "rows")
				work(meter)
				time.Sleep(time.Second)
				p.Stop()
				for _, line := range strings.Split(out.String(), "\r") {
					if n := utf8.RuneCountInString(line); n >= columns {
						t.Fatalf("%d columns are drawn: %q", n, line)
					}
				}
				for _, want := range wants {
					if !strings.Contains(out.String(), want) {
						t.Errorf("the bar never shows %q", want)
					}
				}
			})
		})
	}
}

func TestNoProgress(t *testing.T) {
	out := &screen{}
	StartProgress(ProgressNone, out, &pipeline.Meter{}, "rows").Stop()
	if out.String() != "" {
		t.Errorf("shows %q", out)
	}
}

func TestPaceText(t *testing.T) {
	for name, tc := range map[string]struct {
		pace scim.Pace
		want string
	}{
		"server":       {scim.Pace{Rate: 4.97, LimitedBy: scim.LimitServer}, ", limited to 5.0 requests/s by the directory"},
		"slow server":  {scim.Pace{Rate: 0.5, LimitedBy: scim.LimitServer}, ", limited to 30.0 requests/min by the directory"},
		"opening":      {scim.Pace{LimitedBy: scim.LimitServer}, ", limited by the directory"},
		"quota":        {scim.Pace{Rate: 3, LimitedBy: scim.LimitQuota}, ", limited to 3.0 requests/s by the directory's quota"},
		"cap":          {scim.Pace{Rate: 2, LimitedBy: scim.LimitCap}, ", limited to 2.0 requests/s by --rate"},
		"in flight":    {scim.Pace{InFlight: 19, LimitedBy: scim.LimitInFlight}, ", limited to 19 at once by the directory"},
		"load":         {scim.Pace{LimitedBy: scim.LimitLoad}, ", slowed down: the directory is in trouble"},
		"latency":      {scim.Pace{InFlight: 16, LimitedBy: scim.LimitLatency}, ", limited by how long the directory takes to answer"},
		"this machine": {scim.Pace{InFlight: 1}, ", limited by this machine"},
		"hold":         {scim.Pace{Hold: 41_600 * time.Millisecond, LimitedBy: scim.LimitServer}, ", the directory asks for a pause of 42s"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &pipeline.Meter{Pace: func() scim.Pace { return tc.pace }}
			if got := strings.Join(asides(m), ""); got != "" {
				t.Errorf("%q while the file is read", got)
			}
			m.Phase.Store(pipeline.PhaseRun)
			if got := strings.Join(asides(m), ""); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
