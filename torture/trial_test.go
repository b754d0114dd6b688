package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// workers is how many rows the importer has in hand at a time.
const workers = 8

// mostInBulk is how many rows travel in a bulk request, and mostInHand how many
// are under way then.
const (
	mostInBulk = 100
	mostInHand = 800
)

// fewestRowsForBulk is how many rows a run needs to ask for bulk requests: a
// hundred changes, and in some scenarios every third row changes nothing.
const fewestRowsForBulk = 150

// A trial is one run of a scenario, tortured.
type trial struct {
	scenario *scenario
	wire
	rows     int
	kills    int // how many there shall be
	seed     uint64
	calm     bool // nothing is done to it
	plain    bool // no faults but the scenario's, and killed from outside alone
	undoing  bool // what is done takes back what an earlier trial has done
	ground   *ground
	programs programs
	addr     string // of the sandbox; "" for any

	rng    *rand.Rand
	dir    string
	faults []string
	args   []string // of the command that begins the run
	server *server
	p      *process
	logged int64 // size of the log when the session began
	owed   int   // requests that were in doubt then

	done    int // kills so far, of either process
	served  int // of these, of the sandbox
	resumes int
	doubts  int            // rows in doubt at each death
	waiting int            // rows that waited for their groups at each death
	struck  map[string]int // kills, and other stops, by what set them off
	seen    []string
	stops   int  // sessions that ended by themselves before the run was done
	code    int  // exit code of the last session
	old     bool // an older export was there before
	reading reading
}

type programs struct{ stock, pointed string }

func (t *trial) name() string { return t.scenario.name + "/" + t.wire.String() }

// outcome is what a trial has come to.
type outcome struct {
	kills, doubts, writes int
	struck                map[string]int
	violations            []string
	faults                []string
	unknown               int
}

// run carries the trial out in dir. An error is one of the harness.
func (t *trial) run(dir string) (*outcome, error) {
	if t.ground.job.exports != nil {
		ev, err := t.exportOf(dir)
		if err != nil {
			return nil, err
		}
		return &outcome{kills: t.done, struck: t.struck, violations: checkExport(ev), faults: t.faults}, nil
	}
	ev, err := t.evidenceOf(dir)
	if err != nil {
		return nil, err
	}
	o := t.outcome(ev)
	if !t.scenario.undone {
		return o, nil
	}
	back := t.reverse(ev)
	second, err := back.evidenceOf(filepath.Join(dir, "undo"))
	if err != nil {
		return nil, fmt.Errorf("the undo: %w", err)
	}
	o.add(back.outcome(second))
	return o, nil
}

// outcome is what a trial has come to by its evidence.
func (t *trial) outcome(ev *evidence) *outcome {
	o := &outcome{kills: t.done, doubts: ev.doubts, struck: t.struck, violations: check(ev), faults: t.faults}
	if ev.quiet != nil && !t.bulk {
		o.writes = effortOf(ev.audit).writes - ev.quiet.writes
	}
	for _, r := range ev.results {
		if r.outcome == "unknown" {
			o.unknown++
		}
	}
	return o
}

func (o *outcome) add(more *outcome) {
	o.kills, o.doubts, o.writes, o.unknown = o.kills+more.kills, o.doubts+more.doubts, o.writes+more.writes, o.unknown+more.unknown
	o.violations, o.faults = append(o.violations, more.violations...), append(o.faults, more.faults...)
	for what, times := range more.struck {
		o.struck[what] += times
	}
}

// reverse is the trial that takes back what this one has done, in what it has
// left.
func (t *trial) reverse(ev *evidence) *trial {
	g := &ground{dir: filepath.Join(t.dir, "directory"), before: ev.after, took: t.ground.took, quiet: t.ground.undone}
	g.job = undoJob(t.ground.job, t.ground.before, t.dialect)
	g.job.undoes = t.runDir()
	return &trial{
		addr:     t.server.addr, // a run is taken back in the directory that it was made for
		scenario: t.scenario, wire: t.wire, rows: t.rows, kills: (t.kills + 1) / 2, seed: t.seed + 1<<32, calm: t.calm, plain: t.plain,
		undoing: true, ground: g, programs: t.programs,
	}
}

// evidenceOf carries the trial out and gathers what it has left.
func (t *trial) evidenceOf(dir string) (*evidence, error) {
	if err := t.begun(dir); err != nil {
		return nil, err
	}
	defer func() {
		if t.p != nil {
			t.p.kill()
		}
		t.server.p.kill()
	}()
	if err := t.torture(); err != nil {
		return nil, err
	}
	return t.evidence()
}

// begun has directory, input and command line ready.
func (t *trial) begun(dir string) error {
	t.dir, t.rng, t.struck = dir, rand.New(rand.NewPCG(t.seed, 0)), map[string]int{}
	t.faults = t.drawFaults()
	for _, folder := range []string{t.tempDir(), t.homeDir()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	if err := t.open(); err != nil {
		return err
	}
	err := t.prepare()
	if err != nil {
		t.server.p.kill()
	}
	return err
}

// troubles are the faults that a trial may draw. What they cost in requests is
// known of those that come first.
func troubles() (counted, odd []string) {
	return []string{
			"reset-before-commit=0.02", "reset-after-commit=0.02", "5xx-before-commit=0.02", "5xx-after-commit=0.02",
			"hang-then-commit=0.005", "hang-then-commit=0.005:120ms", "hang-then-commit=0.003:600ms", "html-error=0.005", "throttle=0.0005",
		}, []string{
			"truncate=0.01", "error-but-applied=0.02", "stale-etag=0.02", "no-location", "empty-201", "patch-204",
			"etag-differs", "ignore-if-match", "plain-409", "late-visibility=100ms",
		}
}

// readTroubles are those that a trial of an export may draw. None of them
// changes what the pages hold.
func readTroubles() []string {
	return []string{"truncate=0.02", "html-error=0.02", "throttle=0.0005", "etag-differs", "text-plain"}
}

// drawFaults chooses up to two faults; every third trial has none.
func (t *trial) drawFaults() []string {
	switch {
	case t.calm, t.plain:
		return t.scenario.faults
	}
	counted, odd := troubles()
	all := append(slices.Clone(counted), odd...)
	if t.ground.job.exports != nil {
		all = readTroubles()
	}
	all = slices.DeleteFunc(all, func(f string) bool { return slices.Contains(t.scenario.never, f) })
	t.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	drawn := all[:t.rng.IntN(3)]
	if slices.Contains(drawn, "no-location") && slices.Contains(drawn, "empty-201") {
		drawn = drawn[:1] // a directory that never tells an id leaves nothing to compare with the results
	}
	return append(slices.Clone(t.scenario.faults), drawn...)
}

// open starts the sandbox on a copy of the directory as it was before.
func (t *trial) open() error {
	data := filepath.Join(t.dir, "directory")
	if err := os.CopyFS(data, os.DirFS(t.ground.dir)); err != nil {
		return err
	}
	args := []string{"--dialect", t.dialect, "--data", data, "--audit", filepath.Join(t.dir, "audit.jsonl"),
		"--fault-seed", fmt.Sprint(t.seed), "--latency", []string{"0s", "1ms", "2ms"}[t.rng.IntN(3)]}
	for _, f := range t.faults {
		args = append(args, "--fault", f)
	}
	t.server = newServer(t.programs.stock, t.dir, args...)
	if t.addr != "" {
		t.server.addr = t.addr
		return t.server.start()
	}
	return t.server.startAnywhere()
}

// prepare writes the input and, where a plan is carried out, makes the plan.
func (t *trial) prepare() error {
	job := t.ground.job
	for name, text := range job.files {
		if err := os.WriteFile(filepath.Join(t.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	target := []string{"--url", t.server.url, "--provider", t.dialect, "--workers", fmt.Sprint(workers), "--timeout", t.timeout(), "--quiet"}
	session := append(slices.Clone(target), "--run-dir", t.runDir())
	if job.exports != nil {
		t.args = append(slices.Clone(job.args), session...)
		return t.prepareOut()
	}
	session = append(session, "--settle", "700ms")
	if !t.bulk {
		session = append(session, "--no-bulk")
	}
	t.args = append(slices.Clone(job.args), session...)
	var plan []string
	switch {
	case job.undoes != "":
		plan = []string{"undo", job.undoes}
	case job.planned:
		plan = append([]string{"plan"}, job.args[1:]...)
	default:
		return nil
	}
	t.args = append([]string{"apply", "plan.jsonl", "--yes", "--max-deletes", "100%"}, session...)
	if err := t.plan(append(plan, target...)); err != nil || job.undoes == "" {
		return err
	}
	text, err := os.ReadFile(filepath.Join(t.dir, "plan.jsonl"))
	if err != nil {
		return err
	}
	return job.number(text)
}

// timeout is short where the sandbox leaves requests without an answer. Elsewhere a
// busy machine is not to put rows in doubt.
func (t *trial) timeout() string {
	if slices.ContainsFunc(t.faults, func(f string) bool { return strings.HasPrefix(f, "hang") }) {
		return "500ms"
	}
	return "20s"
}

// plan makes the plan that is carried out, in peace.
func (t *trial) plan(args []string) error {
	p, err := launch(t.programs.stock, t.dir, nil, append(args, "--out", "plan.jsonl", "--run-dir", "planned")...)
	if err != nil {
		return err
	}
	if code, err := p.wait(); err != nil || code != 3 && code != 0 {
		return fmt.Errorf("the plan ended with %d: %w\n%s", code, err, p.talk.String())
	}
	return nil
}

func (t *trial) runDir() string { return filepath.Join(t.dir, "run") }

func (t *trial) logPath() string { return filepath.Join(t.runDir(), "checkpoint.log") }

// tempDir and homeDir are those that the program is told of.
func (t *trial) tempDir() string { return filepath.Join(t.dir, tempFolder) }
func (t *trial) homeDir() string { return filepath.Join(t.dir, homeFolder) }

// begin starts a session: the run itself while it has no log, else a resume.
func (t *trial) begin(program string, env ...string) error {
	args := t.args
	log, err := readCheckpoint(t.runDir())
	if err != nil {
		return err
	}
	t.logged, t.owed = 0, 0
	if log != nil {
		args = []string{"resume", t.runDir(), "--quiet"}
		t.logged, t.owed = int64(len(log.text)), log.underWay()
	}
	if t.ground.job.exports != nil {
		if err := t.beginReading(log); err != nil {
			return err
		}
	}
	t.p, err = launch(program, t.dir, env, args...)
	return err
}

// torture kills the run as often as it shall be killed, and lets it end.
func (t *trial) torture() error {
	for chain := 0; t.done < t.kills; chain-- {
		if chain <= 0 && t.rng.IntN(3) == 0 {
			chain = 3 // die three times before there is anything new
		}
		b := t.draw(chain > 0)
		hit, err := t.strike(b)
		if err != nil {
			return err
		}
		if hit {
			continue
		}
		if over, err := t.over(); over || err != nil {
			return err
		}
	}
	return t.finish()
}

// finish lets the run end, after more deaths on its last metres.
func (t *trial) finish() error {
	endings := t.endings()
	for {
		b := blow{kind: never}
		if len(endings) > 0 {
			b, endings = endings[0], endings[1:]
		}
		hit, err := t.strike(b)
		if err != nil {
			return err
		}
		if hit {
			continue
		}
		if over, err := t.over(); over || err != nil {
			return err
		}
	}
}

// endings are the deaths on the last metres: one in every other run, and of an
// export, of which there are few, one at each point.
func (t *trial) endings() []blow {
	switch {
	case t.kills == 0 || t.plain:
		return nil
	case t.ground.job.exports == nil && t.seed%2 == 0:
		return []blow{t.closing()}
	case t.ground.job.exports == nil:
		return nil
	}
	var all []blow
	for _, p := range points() {
		if t.passes(p) && p.closes() {
			all = append(all, blow{kind: byPoint, times: 1, point: p.name})
		}
	}
	return all
}

// mostStops is how often a run may give up on a directory in trouble.
const mostStops = 10

// over says whether the run is done, after a session that ended by itself. One
// that was stopped by a directory in trouble can be gone on with.
func (t *trial) over() (bool, error) {
	log, err := readCheckpoint(t.runDir())
	if err != nil {
		return false, err
	}
	if log != nil && log.finished {
		return true, t.again()
	}
	t.stops++
	code := t.p.code()
	if code != 1 || t.stops > mostStops {
		return false, fmt.Errorf("a session ended with %d, and the run is not finished\n%s", code, t.p.talk.String())
	}
	t.resumes++
	return false, t.orderly(code, false)
}

// again resumes a run that is finished: nothing is sent, and it ends as that run
// did.
func (t *trial) again() error {
	t.code = t.p.code()
	before := size(t.audit())
	if err := t.begin(t.programs.stock); err != nil {
		return err
	}
	if _, err := t.p.wait(); err != nil {
		return err
	}
	if got := t.p.code(); got != t.code {
		t.seen = append(t.seen, fmt.Sprintf("the run ended with %d, and its resume with %d", t.code, got))
	}
	if size(t.audit()) != before {
		t.seen = append(t.seen, "the resume of a finished run has sent requests")
	}
	t.seen = append(t.seen, tooOpen(t.runDir())...)
	if t.ground.job.exports != nil {
		t.seen = append(t.seen, tooOpen(t.outDir())...)
	}
	return t.inspect()
}

// strike begins a session and kills it, or the sandbox under it. hit is false
// where the session ended before.
func (t *trial) strike(b blow) (hit bool, err error) {
	program, env := t.programs.stock, []string(nil)
	last := t.lastMetres(b)
	if last.kind == byPoint {
		program, env = t.programs.pointed, []string{last.order()}
	}
	if err := t.begin(program, env...); err != nil {
		return false, err
	}
	defer t.lookOn()()
	switch {
	case b.kind == never || b.kind == byPoint:
		if _, err := t.p.wait(); err != nil {
			return false, err
		}
	case !t.await(b):
		b = last
	case b.server:
		return true, t.killServer(b)
	case b.signals > 0:
		return t.interrupt(b)
	default:
		t.p.kill()
	}
	if t.p.code() == -1 {
		t.done++
		t.resumes++
		t.struck[b.String()]++
		return true, t.inspect()
	}
	return false, t.inspect()
}

// lastMetres is where a session dies that its blow comes too late for: half of
// the time, as it ends, and always where the run has not died yet.
func (t *trial) lastMetres(b blow) blow {
	if b.kind == never || b.kind == byPoint || b.signals > 0 || t.plain || t.done > 0 && t.rng.IntN(2) == 0 {
		return b
	}
	return t.closing()
}

// closing is the next of the points that a session passes as it ends.
func (t *trial) closing() blow {
	point := t.nextPoint(t.seed+uint64(t.done), point.closes)
	return blow{kind: byPoint, times: 1, point: point}
}

// interrupt stops a session as Ctrl-C does, once or twice.
func (t *trial) interrupt(b blow) (hit bool, err error) {
	for i := range b.signals {
		if i > 0 {
			<-time.After(time.Duration(b.times%20) * time.Millisecond)
		}
		t.p.cmd.Process.Signal(os.Interrupt) // it may be gone already
	}
	if _, err := t.p.wait(); err != nil {
		return false, err
	}
	switch t.p.code() {
	case exitInterrupted:
	case -1: // it did not listen yet, or not any more
		t.resumes++
		t.struck[b.String()+", and died of it"]++
		return true, t.inspect()
	default:
		return false, t.inspect()
	}
	t.resumes++
	t.struck[b.String()]++
	if err := t.inspect(); err != nil {
		return true, err
	}
	return true, t.orderly(exitInterrupted, b.signals == 1)
}

// killServer kills the sandbox under a session, and now and then the session
// with it.
func (t *trial) killServer(b blow) error {
	t.done++
	t.served++
	t.struck["the sandbox, "+b.String()]++
	if b.times%2 == 0 {
		t.p.kill()
		t.done++
		t.struck["with it the program"]++
	}
	if err := t.server.restart(time.Duration(b.times%5) * 20 * time.Millisecond); err != nil {
		return err
	}
	if b.times%2 != 0 {
		if _, err := t.p.wait(); err != nil {
			return err
		}
	}
	t.resumes++
	return t.inspect()
}

func (t *trial) audit() string { return filepath.Join(t.dir, "audit.jsonl") }

// evidence gathers what the run has left. The directory is read in peace.
func (t *trial) evidence() (*evidence, error) {
	if err := t.server.stop(); err != nil {
		return nil, err
	}
	ev := &evidence{
		job: t.ground.job, before: t.ground.before, served: t.served, bulk: t.bulk && !t.calm, resumes: t.resumes, doubts: t.doubts,
		waiting: t.waiting, seen: t.seen, allowUnknown: t.scenario.late, code: t.code,
	}
	ev.read(t.runDir())
	ev.seen = append(ev.seen, strays(t.runDir(), runFiles)...)
	var problems [3]error
	ev.audit, problems[0] = readAudit(t.audit())
	t.server.args = []string{"--dialect", t.dialect, "--data", filepath.Join(t.dir, "directory")}
	ev.after, problems[1] = takeCensus(t.server)
	ev.kept, problems[2] = readAll(t.homeDir())
	if counted, _ := troubles(); !slices.ContainsFunc(t.faults, func(f string) bool { return !slices.Contains(counted, f) }) {
		ev.quiet = t.ground.quiet
	}
	return ev, errors.Join(problems[:]...)
}

// takeCensus reads the directory of a server that is started for it.
func takeCensus(s *server) (*census, error) {
	if err := s.startAnywhere(); err != nil {
		return nil, err
	}
	d := newDesk(s.url)
	c, err := d.census()
	d.close()
	return c, errors.Join(err, s.stop())
}
