// Command scimbulk is the bulk loader for SCIM 2.0 directories. This package
// turns arguments into a run and a run into an exit code.
package main

import (
	"context"
	"os"
	"runtime"
)

// ballast is memory that is never touched, and so never taken from the system.
// It makes the heap look larger: the few megabytes of a run would otherwise be
// collected over and over, at a quarter of the whole cost.
const ballast = 16 << 20

func main() {
	untouched := make([]byte, ballast)
	code := run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	runtime.KeepAlive(untouched)
	os.Exit(code)
}
