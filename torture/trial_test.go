package torture

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// workers is how many rows the importer has in hand at a time.
const workers = 8

// fewestForBulk is the number of rows from which on the importer asks for bulk
// requests, mostInBulk how many rows travel in one, and mostInHand how many are
// under way then.
const (
	fewestForBulk = 100
	mostInBulk    = 100
	mostInHand    = 800
)

// A trial is one run of a scenario, tortured.
type trial struct {
	scenario *scenario
	dialect  string
	rows     int
	kills    int // how many there shall be
	seed     uint64
	calm     bool // nothing is done to it
	plain    bool // no faults but the scenario's, no bulk requests, and killed from outside alone
	ground   *ground
	programs programs

	rng    *rand.Rand
	dir    string
	faults []string
	bulk   bool     // writes travel in bulk requests
	args   []string // of the command that begins the run
	server *server
	p      *process

	done    int // kills so far, of either process
	served  int // of these, of the sandbox
	resumes int
	doubts  int
	struck  map[string]int // kills by what set them off
	seen    []string
	stops   int // sessions that ended by themselves before the run was done
}

type programs struct{ stock, pointed string }

func (t *trial) name() string { return t.scenario.name + "/" + t.dialect }

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
	ev, err := t.evidenceOf(dir)
	if err != nil {
		return nil, err
	}
	o := &outcome{kills: t.done, doubts: ev.doubts, struck: t.struck, violations: check(ev), faults: t.faults}
	if ev.quiet != nil && !t.bulk {
		o.writes = effortOf(ev.audit).writes - ev.quiet.writes
	}
	for _, r := range ev.results {
		if r.outcome == "unknown" {
			o.unknown++
		}
	}
	return o, nil
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
	t.bulk = !t.calm && !t.plain && t.dialect == "rfc" && t.rows >= fewestForBulk && t.rng.IntN(2) == 0
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

// drawFaults chooses up to two faults; every third trial has none.
func (t *trial) drawFaults() []string {
	switch {
	case t.calm:
		return nil
	case t.plain:
		return t.scenario.faults
	}
	counted, odd := troubles()
	all := slices.DeleteFunc(append(slices.Clone(counted), odd...), func(f string) bool { return slices.Contains(t.scenario.never, f) })
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
	return t.server.startAnywhere()
}

// prepare writes the input and, for an apply, plans it.
func (t *trial) prepare() error {
	job := t.ground.job
	for name, text := range job.files {
		if err := os.WriteFile(filepath.Join(t.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	target := []string{"--url", t.server.url, "--provider", t.dialect, "--workers", fmt.Sprint(workers), "--timeout", "500ms", "--quiet"}
	session := append(slices.Clone(target), "--run-dir", t.runDir(), "--settle", "700ms")
	if !t.bulk {
		session = append(session, "--no-bulk")
	}
	t.args = append(slices.Clone(job.args), session...)
	if !job.planned {
		return nil
	}
	plan := append([]string{"plan"}, append(slices.Clone(job.args[1:]), target...)...)
	p, err := launch(t.programs.stock, t.dir, nil, append(plan, "--out", "plan.jsonl", "--run-dir", "planned")...)
	if err != nil {
		return err
	}
	if code, err := p.wait(); err != nil || code != 3 && code != 0 {
		return fmt.Errorf("the plan ended with %d: %w\n%s", code, err, p.talk.String())
	}
	t.args = append([]string{"apply", "plan.jsonl", "--yes", "--max-deletes", "100%"}, session...)
	return nil
}

func (t *trial) runDir() string { return filepath.Join(t.dir, "run") }

// begin starts a session: the run itself while it has no log, else a resume.
func (t *trial) begin(program string, env ...string) error {
	args := t.args
	if _, err := os.Stat(filepath.Join(t.runDir(), "checkpoint.log")); err == nil {
		args = []string{"resume", t.runDir(), "--quiet"}
	}
	var err error
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

// finish lets the run end, half of the time after one more death on its last
// metres.
func (t *trial) finish() error {
	b := blow{kind: never}
	if t.kills > 0 && !t.plain && t.rng.IntN(2) == 0 {
		b = blow{kind: byPoint, times: 1, point: t.drawPoint(func(p point) bool { return !p.often && !p.early })}
	}
	for ; ; b = (blow{kind: never}) {
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
		return true, nil
	}
	t.stops++
	if code := t.p.code(); code != 1 || t.stops > mostStops {
		return false, fmt.Errorf("a session ended with %d, and the run is not finished\n%s", code, t.p.talk.String())
	}
	t.resumes++
	return false, nil
}

// strike begins a session and kills it, or the sandbox under it. hit is false
// where the session ended before.
func (t *trial) strike(b blow) (hit bool, err error) {
	program, env := t.programs.stock, []string(nil)
	if b.kind == byPoint {
		program, env = t.programs.pointed, []string{b.order()}
	}
	if err := t.begin(program, env...); err != nil {
		return false, err
	}
	if b.kind == never || b.kind == byPoint {
		if _, err := t.p.wait(); err != nil {
			return false, err
		}
	} else if !t.await(b) {
		return false, t.inspect()
	} else if b.server {
		return true, t.killServer(b)
	} else {
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

// killServer kills the sandbox under a session, and now and then the session
// with it.
func (t *trial) killServer(b blow) error {
	t.done++
	t.served++
	t.struck["the sandbox, "+b.String()]++
	if b.times%2 == 0 {
		t.p.kill()
		t.done++
		t.struck["with it the importer"]++
	}
	if err := t.server.restart(time.Duration(b.times%5) * 20 * time.Millisecond); err != nil {
		return err
	}
	if b.times%2 == 0 {
		t.resumes++
		return t.inspect()
	}
	if _, err := t.p.wait(); err != nil {
		return err
	}
	t.resumes++
	return t.inspect()
}

// inspect looks at what a session has left: an outcome that is logged is in the
// results, and what the directory did was in the log before.
func (t *trial) inspect() error {
	audit, err := readAudit(t.audit())
	if err != nil {
		return err
	}
	log, err := readCheckpoint(t.runDir())
	if err != nil || log == nil {
		return err
	}
	results, err := os.ReadFile(filepath.Join(t.runDir(), "results.csv"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	absent, err := os.ReadFile(filepath.Join(t.runDir(), "absent.csv"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	results = append(results, settledLines(absent)...)
	t.seen = append(t.seen, log.ahead(audit)...)
	t.seen = append(t.seen, log.unwritten(results)...)
	if !log.finished {
		t.doubts += log.inDoubt()
	}
	return nil
}

// settledLines are the lines of absent.csv of those who have an outcome.
func settledLines(absent []byte) (settled []byte) {
	for line := range bytes.Lines(absent) {
		if !bytes.Contains(line, []byte(",pending,")) {
			settled = append(settled, line...)
		}
	}
	return settled
}

func (t *trial) audit() string { return filepath.Join(t.dir, "audit.jsonl") }

// evidence gathers what the run has left. The directory is read in peace.
func (t *trial) evidence() (*evidence, error) {
	if err := t.server.stop(); err != nil {
		return nil, err
	}
	ev := &evidence{
		job: t.ground.job, before: t.ground.before, served: t.served, bulk: t.bulk, resumes: t.resumes, doubts: t.doubts,
		seen: t.seen, allowUnknown: t.scenario.late,
	}
	ev.read(t.runDir())
	var problems [2]error
	ev.audit, problems[0] = readAudit(t.audit())
	t.server.args = []string{"--dialect", t.dialect, "--data", filepath.Join(t.dir, "directory")}
	ev.after, problems[1] = takeCensus(t.server)
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
