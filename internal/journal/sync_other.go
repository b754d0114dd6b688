//go:build !linux

package journal

import "os"

// A disk is a log file on disk.
type disk struct{ *os.File }
