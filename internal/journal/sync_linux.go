package journal

import (
	"errors"
	"os"
	"syscall"
)

// A disk is a log file on disk.
type disk struct{ *os.File }

// Sync makes the data and the size durable, but not the times, which costs
// less than fsync.
func (d disk) Sync() error {
	for {
		err := syscall.Fdatasync(int(d.Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "fdatasync", Path: d.Name(), Err: err}
		}
	}
}
