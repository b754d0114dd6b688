package scimbulk_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// underWay starts an import of a crowd that takes a second or so, and waits
// until some of its rows have an outcome.
func underWay(t *testing.T, s *served, dir string, n int) (p *process, run string) {
	t.Helper()
	input := crowd(t, dir, s, n)
	run = filepath.Join(dir, "run")
	p = start(t, dir, "import", input, "--url", s.url, "--workers", "4", "--no-bulk", "--settle", "200ms", "--run-dir", run)
	p.until(t, "some rows had an outcome", func() bool { return newlines(filepath.Join(run, "results.csv")) > 40 })
	return p, run
}

// says wants a command to have ended with a code and a message.
func says(t *testing.T, got outcome, code int, words ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit code %d, want %d\n%s", got.code, code, got.errors)
	}
	for _, w := range words {
		if !strings.Contains(got.errors, w) {
			t.Errorf("it does not say %q:\n%s", w, got.errors)
		}
	}
}

// TestALogThatIsDeletedStopsTheRun, before anything is sent that the log does
// not hold.
func TestALogThatIsDeletedStopsTheRun(t *testing.T) {
	const n = 1000
	dir, s := t.TempDir(), serveSandbox(t, "--latency", "5ms")
	p, run := underWay(t, s, dir, n)
	if err := os.Remove(filepath.Join(run, "checkpoint.log")); err != nil {
		t.Fatal(err)
	}
	code := p.end(t)
	says(t, outcome{code: code, errors: p.talk.String()}, 1, "checkpoint.log: deleted, replaced or changed under the run", "hint: ", "import the file anew")
	says(t, scimbulk(t, dir, "resume", run), 1, "holds no checkpoint.log")
	wants(t, 0, dir, "import", "people.csv", "--url", s.url, "--quiet", "--run-dir", filepath.Join(dir, "anew"))
	for key, times := range s.commits(t, "create") {
		if times != 1 {
			t.Errorf("%s was created %d times", key, times)
		}
	}
}

// TestTwoResumesAtOnce: the second one is told who is at work, and does no harm.
func TestTwoResumesAtOnce(t *testing.T) {
	const n = 1000
	dir, s := t.TempDir(), serveSandbox(t, "--latency", "5ms")
	p, run := underWay(t, s, dir, n)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.end(t)
	done := newlines(filepath.Join(run, "results.csv"))
	first := start(t, dir, "resume", run)
	first.until(t, "the first resume was at work", func() bool { return newlines(filepath.Join(run, "results.csv")) > done+10 })
	says(t, scimbulk(t, dir, "resume", run), 1, fmt.Sprintf("the run is in use by process %d", first.Process.Pid))
	if code := first.end(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, first.talk.String())
	}
	checkOnce(t, dir, run, s, n)
}

// TestAClockThatJumps: a run that was killed is resumed by a machine whose clock
// is years away from what the log says.
func TestAClockThatJumps(t *testing.T) {
	const n = 1000
	for _, year := range []string{"1999", "2099"} {
		t.Run(year, func(t *testing.T) {
			t.Parallel()
			dir, s := t.TempDir(), serveSandbox(t, "--latency", "5ms", "--fault", "reset-after-commit=0.05")
			p, run := underWay(t, s, dir, n)
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.end(t)
			setClock(t, filepath.Join(run, "checkpoint.log"), year)
			wants(t, 0, dir, "resume", run)
			checkOnce(t, dir, run, s, n)
		})
	}
}

// setClock makes all times in a checkpoint log those of another year.
func setClock(t *testing.T, path, year string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	this := regexp.MustCompile(fmt.Sprintf(`"(at|started)":"%d`, time.Now().UTC().Year()))
	if !this.Match(text) {
		t.Fatalf("no time of this year in %s", text[:min(len(text), 300)])
	}
	var moved bytes.Buffer
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // a torn tail
		}
		record := this.ReplaceAll(line[len("00000000 "):len(line)-1], []byte(`"$1":"`+year))
		fmt.Fprintf(&moved, "%08x %s\n", crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli)), record)
	}
	write(t, path, moved.String())
}
