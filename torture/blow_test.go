package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A blow says when a process is killed: at a point inside it, after a time, or
// once a file has grown so far.
type blow struct {
	kind    string
	server  bool   // it is the sandbox that is killed
	signals int    // it is no kill, but as many interrupts, as by Ctrl-C
	point   string // byPoint
	times   int    // byPoint: dies the n-th time it comes by
	linger  int    // byPoint: so many milliseconds later, while everybody else goes on
	after   time.Duration
	bytes   int64
}

// Kinds of blows.
const (
	never     = "never"
	byPoint   = "at a point"
	byTime    = "at a random time"
	early     = "while it recovers"
	byLog     = "as the log grows"
	byResults = "as the results grow"
	byAudit   = "as the directory changes"
	byPages   = "as the pages grow"
)

func (b blow) String() string {
	switch {
	case b.signals == 1:
		return "Ctrl-C"
	case b.signals > 1:
		return "Ctrl-C twice"
	case b.kind == byPoint && b.linger > 0:
		return "at a point, held up: " + b.point
	case b.kind == byPoint:
		return "at a point: " + b.point
	}
	return b.kind
}

// order tells a build with kill points where to die.
func (b blow) order() string { return fmt.Sprintf("TORTURE_KILL=%s:%d:%d", b.point, b.times, b.linger) }

// draw chooses the next blow. Sessions that shall die early die before there is
// much that is new.
func (t *trial) draw(soon bool) blow {
	share := max(2, t.rows/(t.kills+1)) // rows between two deaths, about
	if t.done == 0 {
		share = max(2, share/4) // a run that ends before it dies for the first time shows nothing
	}
	b := blow{kind: byPoint, times: 1 + t.rng.IntN(share), server: t.rng.IntN(6) == 0}
	kinds := 7
	switch {
	case t.done == 0 && !t.plain && t.seed%8 == 0:
		return blow{kind: byPoint, times: 1, point: t.nextPoint(t.seed/8, func(p point) bool { return p.first })}
	case soon && !t.plain && t.done > 0:
		return t.drawEarly(b)
	case t.ground.job.joins() && t.rng.IntN(3) == 0:
		return t.drawLate()
	case t.plain:
		kinds = 4
	}
	switch t.rng.IntN(kinds) {
	case 0:
		b.kind, b.after = byTime, time.Duration(t.rng.Int64N(int64(2*t.ground.took)/int64(t.kills+1)+1))
	case 1:
		b.kind, b.bytes = byLog, t.upTo(share, 100)
	case 2:
		b.kind, b.bytes = byResults, t.upTo(share, 80)
		if t.ground.job.exports != nil {
			b.kind, b.bytes = byPages, t.upTo(share, 800)
		}
	case 3:
		b.kind, b.bytes = byAudit, t.upTo(share, 300)
	default:
		return t.drawPointed(share)
	}
	if !b.server && !t.plain && t.done > 0 && t.rng.IntN(5) == 0 {
		b.signals = 1 + t.rng.IntN(2)
	}
	return b
}

// drawLate strikes when most is done: groups come after all people.
func (t *trial) drawLate() blow {
	at := t.ground.heard * int64(75+t.rng.IntN(25)) / 100
	return blow{kind: byAudit, times: 1, bytes: max(0, at-size(t.audit()))}
}

// upTo is how far a file grows before the next death, where a row makes it grow
// by so many bytes. An export writes less a row.
func (t *trial) upTo(rows, bytes int) int64 {
	if t.ground.job.exports != nil {
		bytes = max(1, bytes/t.ground.job.exports.page)
	}
	return t.rng.Int64N(int64(rows * bytes))
}

// drawPointed chooses a point that is passed again and again.
func (t *trial) drawPointed(share int) blow {
	switch {
	case t.ground.job.exports != nil:
		share = max(1, share/t.ground.job.exports.page)
	case t.bulk:
		share = max(1, 2*share/mostInBulk)
	}
	fits := func(p point) bool { return p.often }
	if t.rng.IntN(2) == 0 && t.passes(point{of: ofMembers}) { // there are few of these
		share, fits = workers, func(p point) bool { return p.of == ofMembers }
	}
	if t.done == 0 {
		share = min(share, 3)
	}
	return blow{
		kind: byPoint, times: 1 + t.rng.IntN(max(1, share/(1+t.rng.IntN(workers)))), linger: max(0, t.rng.IntN(60)-30),
		point: t.drawPoint(fits),
	}
}

func (t *trial) drawEarly(b blow) blow {
	if t.rng.IntN(2) == 0 {
		return blow{kind: early, times: b.times, after: time.Duration(t.rng.Int64N(int64(60 * time.Millisecond)))}
	}
	return blow{kind: byPoint, times: 1, point: t.drawPoint(func(p point) bool { return p.early || p.often })}
}

// passes says whether the trial comes by a point.
func (t *trial) passes(p point) bool {
	job := t.ground.job
	switch p.of {
	case ofImports:
		return job.exports == nil
	case ofRows:
		return job.exports == nil && !job.membersOnly
	case ofSingles:
		return job.exports == nil && !job.membersOnly && !t.bulk
	case ofBulk:
		return t.bulk
	case ofMembers:
		return job.groups != nil && job.undoes == "" // undo changes groups as it does people
	case ofExports:
		return job.exports != nil
	}
	return true
}

// drawPoint chooses one of the points that the trial comes by.
func (t *trial) drawPoint(fits func(point) bool) string { return t.nextPoint(t.rng.Uint64(), fits) }

// nextPoint is the n-th of those points, over and over: trials one after the
// other miss none of them.
func (t *trial) nextPoint(n uint64, fits func(point) bool) string {
	var names []string
	for _, p := range points() {
		if fits(p) && t.passes(p) {
			names = append(names, p.name)
		}
	}
	return names[n%uint64(len(names))]
}

// await waits until a blow is due. It returns false where the session ends
// before.
func (t *trial) await(b blow) bool {
	grown := t.watch(b)
	due := time.NewTimer(patience)
	if grown == nil {
		due.Reset(b.after)
	}
	defer due.Stop()
	poll := time.NewTicker(300 * time.Microsecond)
	defer poll.Stop()
	for {
		select {
		case <-t.p.ended:
			return false
		case <-due.C:
			return grown == nil
		case <-poll.C:
			if grown != nil && grown() {
				return true
			}
		}
	}
}

// watch returns what tells that the file of a blow has grown far enough, nil
// where it is time that counts.
func (t *trial) watch(b blow) func() bool {
	path := map[string]string{
		byLog:     t.logPath(),
		byResults: filepath.Join(t.runDir(), "results.csv"),
		byAudit:   t.audit(),
		byPages:   t.pagesPath(),
	}[b.kind]
	if path == "" {
		return nil
	}
	from := size(path)
	return func() bool { return size(path) > from+b.bytes }
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// reproduce is the command that tortures in the same way again.
func (t *trial) reproduce() string {
	return fmt.Sprintf("make torture RUNS=%d ROWS=%d SEED=%d ONLY='%s'", max(1, t.kills), t.rows, t.seed, t.name())
}
