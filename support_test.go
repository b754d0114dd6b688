package scimbulk_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that should happen soon. It
// is reached only when it does not happen at all.
const patience = 2 * time.Minute

var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// binary builds scimbulk once, with the race detector where the tests have it.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "scimbulk"); built.err != nil {
			return
		}
		args := []string{"build", "-o", filepath.Join(built.dir, "scimbulk")}
		if raceDetector() {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, "./cmd/scimbulk")...).CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "scimbulk")
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// command prepares scimbulk in a folder. It sees nothing of the environment
// that could name another directory.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "SCIMBULK_TOKEN=sandbox",
		"GORACE=atexit_sleep_ms=0", // the race detector waits a second at every exit
	}
	return cmd
}

// outcome is what a command left behind.
type outcome struct {
	code        int
	out, errors string
}

// scimbulk runs a command to its end.
func scimbulk(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	cmd := command(t, dir, args...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	return outcome{exitCode(t, cmd.Run()), out.String(), talk.String()}
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// wants runs a command and fails the test unless it ends with the given code.
func wants(t *testing.T, code int, dir string, args ...string) outcome {
	t.Helper()
	got := scimbulk(t, dir, args...)
	if got.code != code {
		t.Fatalf("scimbulk %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got.code, code, got.out, got.errors)
	}
	return got
}

// process is a command under way.
type process struct {
	*exec.Cmd
	args  []string
	talk  bytes.Buffer
	ended chan error
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: command(t, dir, args...), args: args, ended: make(chan error, 1)}
	p.Stdout, p.Stderr = io.Discard, &p.talk
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// end waits for the process and returns its exit code, -1 when a signal ended
// it.
func (p *process) end(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		return exitCode(t, err)
	case <-time.After(patience):
		t.Fatalf("scimbulk %s does not end", strings.Join(p.args, " "))
	}
	return -1
}

// until polls a condition while the process runs. It fails the test when the
// process ends before, or when nothing happens.
func (p *process) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !reached() {
		select {
		case err := <-p.ended:
			t.Fatalf("scimbulk %s ended (%v) before %s\n%s", strings.Join(p.args, " "), err, what, p.talk.String())
		case <-deadline:
			t.Fatalf("scimbulk %s: still not %s", strings.Join(p.args, " "), what)
		case <-poll.C:
		}
	}
}

// served is a sandbox process.
type served struct {
	url   string
	audit string
}

// serveSandbox starts a sandbox that keeps an audit log, until the test ends.
func serveSandbox(t *testing.T, args ...string) *served {
	t.Helper()
	dir := t.TempDir()
	s := &served{audit: filepath.Join(dir, "audit.jsonl")}
	cmd := command(t, dir, append([]string{"sandbox", "--addr", "127.0.0.1:0", "--audit", s.audit}, args...)...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sandbox %s: %v\n%s", strings.Join(args, " "), err, talk.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the sandbox did not print its URL: %v\n%s", err, talk.String())
	}
	s.url = strings.TrimSpace(line)
	return s
}

// event is a line of the audit log: a request, or a change that was made.
type event struct {
	Kind, Method, Path, Op, Resource, ID, Key string
	Status                                    int
}

func (s *served) events(t *testing.T) []event {
	t.Helper()
	data, err := os.ReadFile(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	var events []event
	for line := range strings.Lines(string(data)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("audit log: %v in %q", err, line)
		}
		events = append(events, e)
	}
	return events
}

// writes counts the requests after the first skip events that ask for a change,
// by method.
func (s *served) writes(t *testing.T, skip int) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for _, e := range s.events(t)[skip:] {
		if e.Kind == "request" && e.Method != "GET" {
			counts[e.Method]++
		}
	}
	return counts
}

// commits counts the changes by operation and key.
func (s *served) commits(t *testing.T, op string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, e := range s.events(t) {
		if e.Kind == "commit" && e.Op == op {
			counts[e.Key]++
		}
	}
	return counts
}

// summary is what the tests read of summary.json.
type summary struct {
	Command  string
	Rows     map[string]int64
	Requests map[string]int64
	Writes   map[string]int64
	Exit     int
}

func readSummary(t *testing.T, run string) summary {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	return parseSummary(t, data)
}

func parseSummary(t *testing.T, data []byte) summary {
	t.Helper()
	var s summary
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return s
}

// table is a CSV file, its records by column name.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.FieldsPerRecord = -1
	records, err := in.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(records) == 0 {
		t.Fatalf("%s has no header", path)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, cell := range record[:min(len(record), len(records[0]))] {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// resources are the lines of an exported JSONL file.
func resources(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	for line := range strings.Lines(string(data)) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		list = append(list, o)
	}
	return list
}

// newlines counts the complete lines of a file that may not be there yet.
func newlines(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(data, []byte{'\n'})
}

// workshop is a folder with a copy of the samples.
func workshop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "samples"), os.DirFS("samples")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// killAndResume kills a run that is under way, and then its resumptions, each
// after so many more rows have had their outcome, and lets the last one end.
func killAndResume(t *testing.T, p *process, dir, run string, kills, rowsBetween int) {
	t.Helper()
	results := filepath.Join(run, "results.csv")
	for range kills {
		enough := newlines(results) + rowsBetween
		p.until(t, fmt.Sprintf("%d rows had an outcome", enough), func() bool { return newlines(results) >= enough })
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if code := p.end(t); code != -1 {
			t.Fatalf("killed, and exit code %d", code)
		}
		p = start(t, dir, "resume", run)
	}
	if code := p.end(t); code != 0 {
		t.Fatalf("the last resume: exit code %d\n%s", code, p.talk.String())
	}
}
