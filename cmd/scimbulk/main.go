// Command scimbulk is the bulk loader for SCIM 2.0 directories. This package
// turns arguments into a run and a run into an exit code.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
