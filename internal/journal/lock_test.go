package journal

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childDir makes the test binary a process that appends to the log there.
const childDir = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	// Half of what rapid draws by itself: -rapid.checks has its way.
	if err := flag.Set("rapid.checks", "50"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// child intends a row, says so, and logs the outcome of every second one,
// until it is killed.
func child(dir string) int {
	log, _, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for line := int64(1); ; line++ {
		if err := log.Intend(context.Background(), []Intent{{Line: line, Op: "create"}}); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(line)
		if line%2 == 0 {
			err = log.Done([]Outcome{{Line: line, Outcome: Created}}, Stats{POST: line})
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
}

func TestTwoOpeners(t *testing.T) {
	dir := t.TempDir()
	log := newLog(t, dir)
	var held *LockError
	if _, _, err := Open(dir); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("open: %v", err)
	}
	if _, err := Create(dir, testHeader()); !errors.As(err, &held) {
		t.Errorf("create: %v", err)
	}
	check(t, log.Intend(t.Context(), []Intent{{Line: 2}})) // the others did no harm
	check(t, log.Close())
	log, _, err := Open(dir)
	check(t, err)
	check(t, log.Close())
}

// A process that is killed leaves everything that it was told is durable, and
// no lock.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	check(t, newLog(t, dir).Close())
	for session := range 3 {
		acknowledged := runAndKill(t, dir, 200)
		log, state, err := Open(dir)
		check(t, err)
		check(t, log.Close())
		equal(t, "sessions", state.Sessions, session+2)
		doubt := map[int64]bool{}
		for _, in := range state.InDoubt() {
			doubt[in.Line] = true
		}
		for line := int64(1); line <= acknowledged; line++ {
			if _, done := state.Done(line); !done && !doubt[line] {
				t.Fatalf("session %d: line %d was acknowledged and is lost", session, line)
			}
		}
		if posts := state.Stats().POST; posts < acknowledged-2 {
			t.Errorf("session %d: %d requests of %d", session, posts, acknowledged)
		}
	}
}

// runAndKill kills a child after it acknowledged so many lines, and returns
// the last line that it spoke of.
func runAndKill(t *testing.T, dir string, lines int64) (last int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	defer cmd.Wait()
	from := bufio.NewReader(out)
	for {
		line, err := from.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return last
		}
		check(t, err)
		last, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		check(t, err)
		switch last {
		case lines / 2:
			heldBy(t, dir, cmd.Process.Pid)
		case lines:
			check(t, cmd.Process.Kill())
		}
	}
}

func heldBy(t *testing.T, dir string, pid int) {
	t.Helper()
	var held *LockError
	_, _, err := Open(dir)
	if !errors.As(err, &held) || held.PID != pid {
		t.Errorf("opened beside process %d: %v", pid, err)
	}
	if want := fmt.Sprintf("the run is in use by process %d", pid); err != nil && !strings.HasSuffix(err.Error(), want) {
		t.Errorf("message %q", err)
	}
	if _, err := Read(dir); err != nil {
		t.Errorf("read beside the writer: %v", err)
	}
}
