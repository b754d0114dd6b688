package main

import (
	"os"
	"syscall"
)

// peakOf is the resident memory, in bytes, that a process had at most.
func peakOf(p *os.ProcessState) int64 {
	if r, ok := p.SysUsage().(*syscall.Rusage); ok {
		return r.Maxrss << 10
	}
	return 0
}
