// Package torture kills the program, its directory and the network between them
// again and again, and checks that every run comes to what one clean run would
// have left. It drives the built program from outside and imports nothing of
// ours: a checker that shares code with what it checks shares its mistakes.
package torture

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	runs     = flag.Int("runs", 50, "kills in total")
	rowsEach = flag.Int("rows", fewestRowsForBulk, "rows of each run")
	seed     = flag.Uint64("seed", 1, "seed of the first trial; the next one has the next number")
	only     = flag.String("only", "", "scenario/dialect to torture alone")
	every    = flag.Bool("every", false, "torture each scenario in each dialect, and not in one of them alone")
	jobs     = flag.Int("jobs", 2, "trials at a time")
	perRun   = flag.Int("kills-a-run", 0, "kills of each run (default: one in 150 rows, from 3 to 10)")
	pageOut  = flag.String("page", "", "page in whose marks the tables are put")
)

// killsEach is how often each run is killed.
func killsEach() int {
	if *perRun > 0 {
		return *perRun
	}
	return min(10, max(3, *rowsEach/150))
}

// A ground is what all trials of a scenario in a dialect have in common: the
// directory before, the job, and what a clean run took.
type ground struct {
	dir    string // data of the sandbox
	before *census
	job    *job
	quiet  *effort
	undone *effort // of taking a clean run back
	took   time.Duration
	heard  int64 // size of the audit of a clean run

	whole map[string][]byte // files of an export, by name
	grade string            // of that export
}

// TestTorture is the short form. make torture makes it as long as one likes.
func TestTorture(t *testing.T) {
	bench := newBench(t, program(t, stock()), program(t, pointed()))
	if len(bench.turns) == 0 {
		t.Fatalf("there is no scenario %q", *only)
	}
	if left := bench.torture(t, *runs); left > 0 {
		t.Errorf("%d of %d kills did not come about", left, *runs)
	}
	bench.report(t)
	bench.nothingIsSkipped(t)
}

// killsForAll is how many kills are enough to have struck at every point and
// drawn every fault.
const killsForAll = 800

// nothingIsSkipped sees that a long torture has died at every point, and has had
// every fault.
func (b *bench) nothingIsSkipped(t *testing.T) {
	if *runs < killsForAll || *only != "" || t.Failed() {
		return
	}
	for _, p := range points() {
		at := blow{kind: byPoint, point: p.name}
		held := at
		held.linger = 1
		if b.struck[at.String()]+b.struck[held.String()] == 0 {
			t.Errorf("nobody has died at the point %q", p.name)
		}
	}
	counted, odd := troubles()
	for _, fault := range slices.Concat(counted, odd, readTroubles()) {
		if b.faults[fault] == 0 {
			t.Errorf("no sandbox has had the fault %s", fault)
		}
	}
}

// bench runs trials and adds up what they come to.
type bench struct {
	programs programs
	rows     int // of each run
	dir      string
	arenas   []*arena
	turns    []*arena // those that are tortured, in turns

	mu     sync.Mutex
	totals map[string]*total
	struck map[string]int
	faults map[string]int // trials that had them
	failed bool
}

// arena is a scenario in a dialect, by one way of writing.
type arena struct {
	*scenario
	wire
	ground func() (*ground, error)
}

func (a *arena) name() string { return a.scenario.name + "/" + a.wire.String() }

type total struct{ runs, kills, doubts, writes, unknown, violations int }

func newBench(t *testing.T, stock, pointed string) *bench {
	b := &bench{
		programs: programs{stock, pointed}, rows: *rowsEach, dir: t.TempDir(),
		totals: map[string]*total{}, struck: map[string]int{}, faults: map[string]int{},
	}
	for i, s := range scenarios() {
		grounds := map[string]func() (*ground, error){}
		wires := s.wires(b.rows)
		for k, w := range wires {
			a := &arena{scenario: &s, wire: w}
			if grounds[w.dialect] == nil {
				grounds[w.dialect] = sync.OnceValues(func() (*ground, error) { return b.prepare(a) })
			}
			a.ground = grounds[w.dialect]
			b.arenas = append(b.arenas, a)
			if *only == a.name() || *only == "" && (*every || k == i%len(wires)) {
				b.turns = append(b.turns, a)
			}
		}
	}
	return b
}

// arena finds a scenario in a dialect.
func (b *bench) arena(t *testing.T, name string) *arena {
	t.Helper()
	for _, a := range b.arenas {
		if a.name() == name {
			return a
		}
	}
	t.Fatalf("there is no scenario %q", name)
	return nil
}

// torture runs trials until there were so many kills, and each arena had its
// turn. It returns how many are left over.
func (b *bench) torture(t *testing.T, kills int) (left int) {
	var workers sync.WaitGroup
	number := 0
	left = kills
	take := func() (int, bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		enough := left <= 0 && (number >= len(b.turns) || *only != "")
		if enough || b.failed || number > 20*kills+len(b.turns) {
			return 0, false
		}
		number++
		return number - 1, true
	}
	for range *jobs {
		workers.Go(func() {
			for n, ok := take(); ok; n, ok = take() {
				got := b.one(t, n)
				b.mu.Lock()
				left -= got
				b.mu.Unlock()
			}
		})
	}
	workers.Wait()
	return max(0, left)
}

// one runs the n-th trial and returns its kills.
func (b *bench) one(t *testing.T, n int) int {
	a := b.turns[n%len(b.turns)]
	g, err := a.ground()
	if err != nil {
		b.fail(t, "%s: the clean run: %v", a.name(), err)
		return 0
	}
	tr := &trial{
		scenario: a.scenario, wire: a.wire, rows: b.rows, kills: killsEach(), seed: *seed + uint64(n), ground: g, programs: b.programs,
	}
	dir, err := os.MkdirTemp(b.dir, "trial")
	if err != nil {
		b.fail(t, "%v", err)
		return 0
	}
	begun := time.Now()
	o, err := tr.run(dir)
	if testing.Verbose() && o != nil {
		fmt.Printf("%6.1fs  %-40s seed %d  %d kills  %v\n", time.Since(begun).Seconds(), a.name(), tr.seed, o.kills, o.faults)
	}
	if err == nil && len(o.violations) == 0 {
		os.RemoveAll(dir)
		b.add(a.name(), o)
		return o.kills
	}
	kept := keep(t, dir)
	if err != nil {
		b.fail(t, "%s: %v\nagain: %s\nit is kept in %s", a.name(), err, tr.reproduce(), kept)
		return 0
	}
	b.add(a.name(), o)
	shown := o.violations[:min(10, len(o.violations))]
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Errorf("%s with the faults %v: %d violations\n  %s\nagain: %s\nit is kept in %s",
		a.name(), tr.faults, len(o.violations), strings.Join(shown, "\n  "), tr.reproduce(), kept)
	return o.kills
}

// keep moves what a failed trial has left to where it outlives the test.
func keep(t *testing.T, dir string) string {
	kept := filepath.Join(os.TempDir(), "torture-"+filepath.Base(dir))
	if err := os.Rename(dir, kept); err != nil {
		t.Log(err)
		return dir
	}
	return kept
}

// fail ends the torture: the harness itself does not work.
func (b *bench) fail(t *testing.T, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = true
	t.Errorf(format, args...)
}

func (b *bench) add(name string, o *outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.totals[name]
	if s == nil {
		s = &total{}
		b.totals[name] = s
	}
	s.add(&total{1, o.kills, o.doubts, o.writes, o.unknown, len(o.violations)})
	for what, times := range o.struck {
		b.struck[what] += times
	}
	for _, fault := range o.faults {
		b.faults[fault]++
	}
}

func (s *total) add(o *total) {
	s.runs += o.runs
	s.kills += o.kills
	s.doubts += o.doubts
	s.writes += o.writes
	s.unknown += o.unknown
	s.violations += o.violations
}

// prepare makes the directory that all trials of an arena begin with, and runs
// its job once in peace.
func (b *bench) prepare(a *arena) (*ground, error) {
	dir, err := os.MkdirTemp(b.dir, "ground")
	if err != nil {
		return nil, err
	}
	g := &ground{dir: filepath.Join(dir, "before")}
	if err := b.populate(a, g); err != nil {
		return nil, err
	}
	g.job = a.make(b.rows, g.before)
	quiet := *a.scenario
	if g.job.exports == nil {
		quiet.faults = nil
	}
	tr := &trial{scenario: &quiet, wire: wire{dialect: a.dialect}, rows: b.rows, calm: true, ground: g, programs: b.programs}
	start := time.Now()
	found, err := tr.inPeace(filepath.Join(dir, "quiet"))
	g.took, g.heard = time.Since(start), size(tr.audit())
	if err == nil && len(found) > 0 {
		err = errors.New(strings.Join(found[:min(10, len(found))], "\n  "))
	}
	return g, err
}

// inPeace carries a trial out that nobody disturbs, and keeps what it took.
func (t *trial) inPeace(dir string) (violations []string, err error) {
	g := t.ground
	if g.job.exports != nil {
		ev, err := t.exportOf(dir)
		if err != nil {
			return nil, err
		}
		g.takeWhole(ev)
		effort := effortOf(ev.audit)
		g.quiet = &effort
		return checkExport(ev), nil
	}
	ev, err := t.evidenceOf(dir)
	if err != nil {
		return nil, err
	}
	effort := effortOf(ev.audit)
	g.quiet = &effort
	found := check(ev)
	if !t.scenario.undone {
		return found, nil
	}
	back, err := t.reverse(ev).evidenceOf(filepath.Join(dir, "undo"))
	if err != nil {
		return nil, fmt.Errorf("the undo: %w", err)
	}
	undone := effortOf(back.audit)
	g.undone = &undone
	return append(found, check(back)...), nil
}

// populate fills a directory and reads it.
func (b *bench) populate(a *arena, g *ground) error {
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	args := []string{"--dialect", a.dialect, "--data", g.dir}
	if a.seed != nil {
		args = append(args, "--seed", fmt.Sprint(a.seed(b.rows)))
	}
	s := newServer(b.programs.stock, filepath.Dir(g.dir), args...)
	if err := s.startAnywhere(); err != nil {
		return err
	}
	d := newDesk(s.url)
	defer d.close()
	err := a.fill(d, b.rows)
	if err == nil {
		g.before, err = d.census()
	}
	return errors.Join(err, s.stop())
}

// fill puts the people and memberships of a scenario into a directory.
func (a *arena) fill(d desk, rows int) error {
	if a.people == nil {
		return nil
	}
	ids, err := d.add(a.people(rows))
	if err != nil || a.members == nil {
		return err
	}
	c, err := d.census()
	if err != nil {
		return err
	}
	groups := crewNames(c)
	for g, users := range a.members(rows) {
		for chunk := range slices.Chunk(users, 100) {
			members := make([]string, len(chunk))
			for i, u := range chunk {
				members[i] = ids[u]
			}
			if err := d.addMembers(c.ids["group "+groups[g]][0], members); err != nil {
				return err
			}
		}
	}
	return nil
}
