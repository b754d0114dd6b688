package report

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/scim"
)

// Progress modes, as --progress takes them. Auto is a bar on a terminal and
// plain lines elsewhere.
const (
	ProgressAuto  = "auto"
	ProgressBar   = "bar"
	ProgressPlain = "plain"
	ProgressNone  = "none"
)

// How often the bar is drawn, and a plain line written.
const (
	barEvery   = 200 * time.Millisecond
	plainEvery = 10 * time.Second
)

// Progress shows a meter until it is stopped. One goroutine reads the meter, so
// that showing costs the run nothing.
type Progress struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// StartProgress begins to show a meter on out. noun is what is counted, in the
// plural.
func StartProgress(mode string, out io.Writer, meter *pipeline.Meter, noun string) *Progress {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Progress{cancel: cancel, done: make(chan struct{})}
	var show func(final bool)
	every := plainEvery
	switch mode {
	case ProgressBar:
		show, every = newBar(out, meter, noun).show, barEvery
	case ProgressPlain:
		show = (&plain{out: out, meter: meter, noun: noun, started: time.Now()}).show
	default:
		close(p.done)
		return p
	}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				show(false)
			case <-ctx.Done():
				show(true)
				return
			}
		}
	}()
	return p
}

// Stop shows the last state and ends.
func (p *Progress) Stop() {
	p.cancel()
	<-p.done
}

// sized is a stream that knows how many columns its terminal has, 0 where it is
// none.
type sized interface{ Columns() int }

// columnsOf is how much of a line can be seen; without end where nobody knows.
func columnsOf(out io.Writer) int {
	if s, ok := out.(sized); ok && s.Columns() > 0 {
		return s.Columns()
	}
	return math.MaxInt
}

// fitted keeps what is drawn from running into the next line, which a bar could
// not draw over.
type fitted struct{ out io.Writer }

func (o fitted) Write(p []byte) (int, error) {
	most := columnsOf(o.out) - 1
	drawn := strings.Split(string(p), "\r")
	for i, text := range drawn {
		if runes := []rune(text); len(runes) > most {
			drawn[i] = string(runes[:max(0, most)])
		}
	}
	_, err := io.WriteString(o.out, strings.Join(drawn, "\r"))
	return len(p), err
}

// bar draws a progress bar. A phase, and the first sight of a total, begin a
// new one, so that its rate and ETA are of that phase alone.
type bar struct {
	out   io.Writer
	meter *pipeline.Meter
	noun  string

	bar   *progressbar.ProgressBar
	phase int32
	total int64
	base  int64 // done before the bar began
}

func newBar(out io.Writer, meter *pipeline.Meter, noun string) *bar {
	return &bar{out: out, meter: meter, noun: noun, phase: -1}
}

func (b *bar) show(final bool) {
	phase, total := b.meter.Phase.Load(), b.meter.Total.Load()
	if b.bar == nil || phase != b.phase || total != b.total {
		b.begin(phase, total)
		if !final {
			return // a rate needs two looks at the clock
		}
	}
	_ = b.bar.Set64(b.meter.Done.Load() - b.base) // a bar that cannot be drawn is no reason to stop
	b.bar.Describe(b.describe(columnsOf(b.out) - barWidth - b.numbersWidth()))
	if final {
		b.end()
	}
}

func (b *bar) begin(phase int32, total int64) {
	if b.bar != nil {
		b.end()
	}
	b.phase, b.total, b.base = phase, total, b.meter.Resumed.Load()
	most := total - b.base
	if most <= 0 {
		most = -1
	}
	b.bar = progressbar.NewOptions64(most,
		progressbar.OptionSetWriter(fitted{b.out}),
		progressbar.OptionSetElapsedTime(most > 0),
		progressbar.OptionSetPredictTime(most > 0),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(b.noun),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSpinnerCustom([]string{" "}),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine of its own
		progressbar.OptionThrottle(barEvery/2),
		progressbar.OptionClearOnFinish(),
	)
}

func (b *bar) end() {
	_ = b.bar.Clear()
	_ = b.bar.Exit()
}

// barWidth is that of the bar alone.
const barWidth = 20

// numbersWidth is how much the percentage, the counts and the times take, about.
func (b *bar) numbersWidth() int {
	return len(fmt.Sprintf("  100%% || (%d/%d, 10000 %s/s) [10m00s:10m00s]", b.total, b.total, b.noun))
}

// describe says as much beside the bar as there is room for.
func (b *bar) describe(room int) string {
	text := phaseName(b.phase)
	parts := asides(b.meter)
	if resumed := b.meter.Resumed.Load(); resumed > 0 {
		parts = append([]string{fmt.Sprintf(" (resumed at %d)", resumed)}, parts...)
	}
	for _, part := range parts {
		if len(text)+len(part) <= room {
			text += part
		}
	}
	return text
}

func phaseName(phase int32) string {
	switch phase {
	case pipeline.PhaseCheck:
		return "checking"
	case pipeline.PhaseRead:
		return "reading"
	case pipeline.PhaseWrite:
		return "writing"
	}
	return "importing"
}

// asides are what else there is to know of a run, what matters most first.
func asides(m *pipeline.Meter) []string {
	var parts []string
	if rejected := m.Rejected.Load(); rejected > 0 {
		parts = append(parts, fmt.Sprintf(", %d rejected", rejected))
	}
	if settling := m.Settling.Load(); settling > 0 {
		parts = append(parts, fmt.Sprintf(", %d waiting for answers that were lost", settling))
	}
	if pace := paceText(m); pace != "" {
		parts = append(parts, pace)
	}
	return parts
}

// paceText names the pace and what limits it.
func paceText(m *pipeline.Meter) string {
	if phase := m.Phase.Load(); m.Pace == nil || phase == pipeline.PhaseCheck || phase == pipeline.PhaseWrite {
		return "" // no requests
	}
	p := m.Pace()
	if p.Hold >= time.Second {
		return fmt.Sprintf(", the directory asks for a pause of %s", p.Hold.Round(time.Second))
	}
	switch p.LimitedBy {
	case scim.LimitServer:
		if p.Rate > 0 {
			return fmt.Sprintf(", limited to %s by the directory", perSecond(p.Rate))
		}
		return ", limited by the directory"
	case scim.LimitQuota:
		return fmt.Sprintf(", limited to %s by the directory's quota", perSecond(p.Rate))
	case scim.LimitCap:
		return fmt.Sprintf(", limited to %s by --rate", perSecond(p.Rate))
	case scim.LimitInFlight:
		return fmt.Sprintf(", limited to %d at once by the directory", p.InFlight)
	case scim.LimitLoad:
		return ", slowed down: the directory is in trouble"
	case scim.LimitLatency:
		return ", limited by how long the directory takes to answer"
	case "":
		return ", limited by this machine"
	}
	return ""
}

// perSecond writes a pace as people say it: the limits that vendors name are a
// minute's.
func perSecond(rate float64) string {
	if rate < 1 {
		return fmt.Sprintf("%.1f requests/min", 60*rate)
	}
	return fmt.Sprintf("%.1f requests/s", rate)
}

// plain writes a line now and then, for logs.
type plain struct {
	out     io.Writer
	meter   *pipeline.Meter
	noun    string
	started time.Time
}

func (p *plain) show(final bool) {
	if final {
		return
	}
	done, total, seconds := p.meter.Done.Load(), p.meter.Total.Load(), time.Since(p.started).Seconds()
	rate := float64(done-p.meter.Resumed.Load()) / seconds
	line := fmt.Sprintf("%s: %d", phaseName(p.meter.Phase.Load()), done)
	if total > 0 {
		line += fmt.Sprintf(" of %d", total)
	}
	line += fmt.Sprintf(" %s, %.1f/s", p.noun, rate)
	line += strings.Join(asides(p.meter), "")
	if rate > 0 && total > done {
		line += fmt.Sprintf(", about %s left", time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintln(p.out, line)
}
