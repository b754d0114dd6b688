package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errLocked is what tryLock returns when somebody else holds the lock.
var errLocked = errors.New("locked")

// lock takes the directory's lock without waiting. The kernel lets go of it
// when the process dies, so the file is left in place: deleting it would let
// two processes lock two files of one name.
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errLocked) {
			return nil, &LockError{Path: path, PID: holder(file)}
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	if err := sign(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Running tells whether a process is at work on the run in dir. It holds the
// lock for a moment where nobody else does, and leaves nothing behind.
func Running(dir string) (bool, error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close() // which lets go of the lock
	err = tryLock(file)
	switch {
	case errors.Is(err, errLocked):
		return true, nil
	case err != nil:
		return false, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return false, nil
}

// sign leaves our process id for whoever finds the lock held.
func sign(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder reads the process id in a lock file; 0 between lock and sign.
func holder(file *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// unlock wipes the process id first, so that none is found that is stale.
func unlock(file *os.File) error {
	return errors.Join(file.Truncate(0), file.Close())
}
