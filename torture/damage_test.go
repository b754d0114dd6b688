package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var cuts = flag.Int("cuts", 4, "places at which the log is cut, and as many bits that are flipped; 0 is every byte of the last record")

// TestDamagedLog cuts the checkpoint log at the bytes of its last record, and
// flips its bits. What a crash can leave behind is cut off and gone on with;
// everything else is refused, and nothing is sent.
func TestDamagedLog(t *testing.T) {
	if *only != "" && *only != "create/rfc" {
		t.Skipf("%s alone is tortured", *only)
	}
	b := newBench(t, program(t, stock()), program(t, pointed()))
	b.rows = 120 // many more would only make each of many resumes take longer
	for _, c := range []struct {
		name, point, last string
	}{
		{"after intents that nobody knows of", "intent written, not synced", "intent"},
		{"after outcomes", "outcome logged", "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := b.wound(t, c.point, c.last)
			for _, at := range w.places() {
				w.cut(t, at)
			}
			if c.last == "done" {
				for _, bit := range w.bits() {
					w.flip(t, bit)
				}
			}
		})
	}
}

// A wounded is a run that has died, and all that it has left, to be damaged
// again and again in its place.
type wounded struct {
	*trial
	saved string // copy of the folder
	log   []byte
	last  int // where the last record begins
}

// wound kills a run at a point and as the log ends with a record of that kind.
func (b *bench) wound(t *testing.T, point, last string) *wounded {
	t.Helper()
	a := b.arena(t, "create/rfc")
	g, err := a.ground()
	if err != nil {
		t.Fatal(err)
	}
	for times := 4; times < 40; times++ {
		w := b.die(t, &trial{scenario: a.scenario, wire: a.wire, rows: b.rows, calm: true, ground: g, programs: b.programs}, point, times)
		if w.lastKind() == last {
			return w
		}
	}
	t.Fatalf("no run has died with %s as the last record", last)
	return nil
}

// die kills a run as it comes by a point.
func (b *bench) die(t *testing.T, tr *trial, point string, times int) *wounded {
	t.Helper()
	dir, err := os.MkdirTemp(b.dir, "wounded")
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.begun(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.server.p.kill() })
	hit, err := tr.strike(blow{kind: byPoint, point: point, times: times})
	if err != nil || !hit {
		t.Fatalf("the run was not killed: %v\n%s", err, tr.p.talk.String())
	}
	return tr.wounded(t, dir)
}

// wounded keeps a copy of what the run has left.
func (t *trial) wounded(tt *testing.T, dir string) *wounded {
	tt.Helper()
	log, err := os.ReadFile(t.logPath())
	if err := errors.Join(err, t.server.stop()); err != nil {
		tt.Fatal(err)
	}
	w := &wounded{trial: t, saved: dir + ".saved", log: log}
	w.last = bytes.LastIndexByte(log[:len(log)-1], '\n') + 1
	if err := os.CopyFS(w.saved, os.DirFS(dir)); err != nil {
		tt.Fatal(err)
	}
	return w
}

func (w *wounded) lastKind() string {
	var record struct{ Kind string }
	json.Unmarshal(w.log[w.last+9:], &record)
	return record.Kind
}

// places are where the log is cut: behind so many bytes.
func (w *wounded) places() []int {
	all := make([]int, 0, len(w.log)-w.last)
	for at := w.last; at < len(w.log); at++ {
		all = append(all, at)
	}
	if *cuts == 0 || *cuts >= len(all) {
		return all
	}
	picked := []int{w.last, len(w.log) - 1}
	for i := range *cuts - 2 {
		picked = append(picked, w.last+(i+1)*len(all)/(*cuts))
	}
	return picked
}

// bits are those that are flipped, all over the log, and in its last line feed.
func (w *wounded) bits() []int {
	rng := rand.New(rand.NewPCG(*seed, 3))
	n := *cuts
	if n == 0 {
		n = 200
	}
	picked := []int{8 * (len(w.log) - 1)}
	for range n {
		picked = append(picked, rng.IntN(8*len(w.log)))
	}
	return picked
}

// restore puts everything back as it was when the run died, but for the log.
func (w *wounded) restore(log []byte) error {
	for _, name := range []string{"directory", "run", "out", "audit.jsonl"} {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			return err
		}
		if info, err := os.Stat(filepath.Join(w.saved, name)); err != nil || !info.IsDir() {
			continue // there is no out but of an export
		}
		if err := os.CopyFS(filepath.Join(w.dir, name), os.DirFS(filepath.Join(w.saved, name))); err != nil {
			return err
		}
	}
	audit, err := os.ReadFile(filepath.Join(w.saved, "audit.jsonl"))
	return errors.Join(err,
		os.WriteFile(w.audit(), audit, 0o600),
		os.WriteFile(w.logPath(), log, 0o600),
		w.server.start())
}

// cut leaves the log with a torn tail: the run is gone on with, and comes to
// what a clean run would have left.
func (w *wounded) cut(t *testing.T, at int) {
	t.Helper()
	w.resume(t, w.log[:at])
	if code := w.p.code(); code != 3 {
		t.Errorf("cut behind byte %d: exit code %d\n%s", at, code, w.p.talk.String())
	}
	w.verify(t, fmt.Sprintf("cut behind byte %d", at))
}

// flip changes a bit. A log that was changed is refused, with the place; only
// the last line feed is the beginning of a torn tail without it.
func (w *wounded) flip(t *testing.T, bit int) {
	t.Helper()
	damaged := slices.Clone(w.log)
	damaged[bit/8] ^= 1 << (bit % 8)
	before := size(filepath.Join(w.saved, "audit.jsonl"))
	w.resume(t, damaged)
	what := fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8)
	if w.p.code() == 3 && bit/8 == len(w.log)-1 {
		w.verify(t, what)
		return
	}
	talk := w.p.talk.String()
	if w.p.code() != 1 || !place.MatchString(talk) {
		t.Errorf("%s: exit code %d, want 1 and the place\n%s", what, w.p.code(), talk)
	}
	after, err := os.ReadFile(w.logPath())
	if err != nil || !bytes.Equal(after, damaged) {
		t.Errorf("%s: the log was changed (%v)", what, err)
	}
	if got := size(w.audit()); got != before {
		t.Errorf("%s: requests were sent all the same", what)
	}
	if err := w.server.stop(); err != nil {
		t.Error(err)
	}
}

var place = regexp.MustCompile(`record \d+.*byte \d+`)

func (w *wounded) resume(t *testing.T, log []byte) {
	t.Helper()
	if err := w.restore(log); err != nil {
		t.Fatal(err)
	}
	w.goOn(t)
}

// goOn is one session that nobody disturbs.
func (w *wounded) goOn(t *testing.T) {
	t.Helper()
	w.served, w.resumes, w.seen = 0, 1, nil
	var err error
	if w.p, err = launch(w.programs.stock, w.dir, nil, "resume", w.runDir(), "--quiet"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.p.wait(); err != nil {
		t.Fatal(err)
	}
	w.code = w.p.code()
}

func (w *wounded) verify(t *testing.T, what string) {
	t.Helper()
	args := w.server.args
	ev, err := w.evidence()
	w.server.args = args
	if err != nil {
		t.Fatal(err)
	}
	ev.quiet = nil // how many rows were in doubt depends on the cut
	if found := check(ev); len(found) > 0 {
		t.Errorf("%s:\n  %s", what, strings.Join(found[:min(10, len(found))], "\n  "))
	}
}

// TestDamagedPages cuts what an export has read so far, and flips its bits: what
// the log cannot vouch for is read again, and the file is the same.
func TestDamagedPages(t *testing.T) {
	const arena, point = "export users, JSONL/rfc", "page kept, not noted"
	if *only != "" && *only != arena {
		t.Skipf("%s alone is tortured", *only)
	}
	b := newBench(t, program(t, stock()), program(t, pointed()))
	a := b.arena(t, arena)
	g, err := a.ground()
	if err != nil {
		t.Fatal(err)
	}
	w := b.die(t, &trial{scenario: a.scenario, wire: a.wire, rows: b.rows, calm: true, ground: g, programs: b.programs}, point, 12)
	pages, err := os.ReadFile(w.pagesPath())
	if err != nil {
		t.Fatal(err)
	}
	w.exported(t, "the pages as they were", pages)
	w.exported(t, "no pages", nil)
	rng, n := rand.New(rand.NewPCG(*seed, 4)), *cuts
	if n == 0 {
		n = 30
	}
	for range n {
		at := rng.IntN(len(pages))
		w.exported(t, fmt.Sprintf("the pages cut behind byte %d", at), pages[:at])
		damaged := slices.Clone(pages)
		damaged[at] ^= 1 << rng.IntN(8)
		w.exported(t, fmt.Sprintf("byte %d of the pages changed", at), damaged)
	}
}

// exported goes on with an export whose pages are these.
func (w *wounded) exported(t *testing.T, what string, pages []byte) {
	t.Helper()
	if err := w.restore(w.log); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.pagesPath(), pages, 0o600); err != nil {
		t.Fatal(err)
	}
	w.goOn(t)
	ev, err := w.exportEvidence()
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, w.p.talk.String())
	}
	found := checkExport(ev)
	if why := readAgain(effortOf(ev.audit), 2*w.quietReads(), 0, 0); why != "" { // all of it may have to be read again
		found = append(found, why)
	}
	if len(found) > 0 {
		t.Errorf("%s:\n  %s", what, strings.Join(found[:min(10, len(found))], "\n  "))
	}
}
