package rows

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Aside makes a file beside path, for its owner alone, that is to be renamed to it
// when it is whole. The process id is in its name: two processes that write one path
// at a time keep apart, and the last to end wins. What processes have left there
// that were killed is removed. One process writes a path once at a time.
func Aside(path string) (*os.File, error) {
	sweep(path)
	name := asideName(path, os.Getpid())
	// A process that was killed may have had our id, as in containers where it is
	// always 1. Where a link stands there, it is the link that goes.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

const asideEnd = ".new"

func asideStart(path string) string { return "." + filepath.Base(path) + "." }

func asideName(path string, pid int) string {
	return filepath.Join(filepath.Dir(path), asideStart(path)+strconv.Itoa(pid)+asideEnd)
}

// sweep removes what dead processes have left beside a path. Where it cannot, a
// file stays that does no harm.
func sweep(path string) {
	dir := filepath.Dir(path)
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		if pid, ours := asideOf(name, path); ours && dead(pid) {
			os.Remove(filepath.Join(dir, name))
		}
	}
}

// asideOf reads the process id in the name of a file beside path.
func asideOf(name, path string) (pid int, ours bool) {
	text, begins := strings.CutPrefix(name, asideStart(path))
	text, ends := strings.CutSuffix(text, asideEnd)
	pid, err := strconv.Atoi(text)
	return pid, begins && ends && err == nil && pid > 0 && strconv.Itoa(pid) == text
}

// dead says that there is surely no process of an id on this machine.
func dead(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil { // only Windows looks for it here
		return !errors.Is(err, os.ErrPermission)
	}
	defer p.Release()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
