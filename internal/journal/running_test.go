package journal

import (
	"errors"
	"os"
	"testing"
)

// TestRunning: a run is at work from its first session's beginning to its end,
// and asking changes nothing.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	ask := func(when string, want bool) {
		t.Helper()
		if got, err := Running(dir); err != nil || got != want {
			t.Errorf("%s: running %t, %v", when, got, err)
		}
	}
	ask("before there is a run", false)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("asking left %v, %v", entries, err)
	}
	log := newLog(t, dir)
	ask("at work", true)
	check(t, log.Intend(t.Context(), []Intent{{Line: 1}})) // asking did no harm
	check(t, log.Finish(Summary{Exit: 4}))
	check(t, log.Close())
	ask("after the end", false)
	log, _, err := Open(dir) // nor did it keep the lock
	check(t, err)
	ask("in its second session", true)
	var held *LockError
	if _, _, err := Open(dir); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("the lock's holder: %v", err)
	}
	check(t, log.Close())
}
