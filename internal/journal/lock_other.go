//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package journal

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock that ends with its process, two runs could
// write one log.
func tryLock(*os.File) error { return errors.ErrUnsupported }
