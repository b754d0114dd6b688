package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// failsAlways checks that each call fails with the error of the first.
func failsAlways(t *testing.T, log *Log, want error) {
	t.Helper()
	first := log.Intend(t.Context(), []Intent{{Line: 9}})
	for what, err := range map[string]error{
		"first":  first,
		"intend": log.Intend(t.Context(), []Intent{{Line: 9}}),
		"done":   log.Done([]Outcome{{Line: 9, Outcome: Created}}, Stats{}),
		"note":   log.Note("page", 1),
		"void":   log.Withdraw([]Intent{{Line: 9}}),
		"sync":   log.Sync(),
		"finish": log.Finish(Summary{}),
		"close":  log.Close(),
	} {
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), first.Error()) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAFailureStopsEverything(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(*faultyFile)
		want  error
		doubt int   // intents that the log holds afterwards
		torn  int64 // bytes of half a record
	}{
		"full": {fault: func(f *faultyFile) {
			f.writeAt = func([]byte, int64) (int, error) { return 0, syscall.ENOSPC }
		}, want: syscall.ENOSPC, doubt: 1},
		"full half way": {fault: func(f *faultyFile) {
			f.writeAt = func(p []byte, off int64) (int, error) {
				n, _ := f.file.WriteAt(p[:20], off)
				return n, syscall.ENOSPC
			}
		}, want: syscall.ENOSPC, doubt: 1},
		"full half way and not cut back": {fault: func(f *faultyFile) {
			f.writeAt = func(p []byte, off int64) (int, error) {
				n, _ := f.file.WriteAt(p[:20], off)
				return n, syscall.ENOSPC
			}
			f.truncate = func(int64) error { return syscall.EIO }
		}, want: syscall.ENOSPC, doubt: 1, torn: 20},
		"short without an error": {fault: func(f *faultyFile) {
			f.writeAt = func(p []byte, off int64) (int, error) { return f.file.WriteAt(p[:len(p)-1], off) }
		}, want: io.ErrShortWrite, doubt: 1},
		"sync": {fault: func(f *faultyFile) {
			f.sync = func() error { return syscall.EIO }
		}, want: syscall.EIO, doubt: 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log, under := newFaulty(t, dir)
			check(t, log.Intend(t.Context(), []Intent{{Line: 2}}))
			test.fault(under)
			failsAlways(t, log, test.want)
			_, state, err := Open(dir) // the lock is free
			check(t, err)
			equal(t, "in doubt", len(state.InDoubt()), test.doubt)
			equal(t, "torn", state.Torn, test.torn)
		})
	}
}

func TestALogThatIsDisturbedIsNoticed(t *testing.T) {
	for name, disturb := range map[string]func(path string) error{
		"deleted":    os.Remove,
		"moved":      func(path string) error { return os.Rename(path, path+".old") },
		"with dir":   func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"truncated":  func(path string) error { return os.Truncate(path, 10) },
		"replaced":   replace,
		"written to": lengthen,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			log := newLog(t, dir)
			check(t, log.Intend(t.Context(), []Intent{{Line: 2}}))
			check(t, disturb(logPath(dir)))
			log.Done([]Outcome{{Line: 2, Outcome: Created}}, Stats{}) // hides nothing
			failsAlways(t, log, ErrGone)
		})
	}
}

// replace puts a file with the same text in the log's place.
func replace(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".other", text, 0o600), os.Rename(path+".other", path))
}

func lengthen(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.Repeat("x", 1000)) // longer than the record that follows
	return errors.Join(err, file.Close())
}

func TestAnUnfinishedCreateIsAsGoodAsNew(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, newName), []byte("half a hea"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, lockName), []byte("999999\n"), 0o600)) // of a process that died
	log := newLog(t, dir)
	check(t, log.Intend(t.Context(), []Intent{{Line: 2}}))
	check(t, log.Close())
	equal(t, "in doubt", len(readLog(t, dir).InDoubt()), 1)
}
