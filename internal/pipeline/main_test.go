package pipeline_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// long asks for the long form of the tests: make test-long sets it. A variable
// of the environment is known to every package, a flag of the tests is not.
var long = os.Getenv("SCIMBULK_TEST_LONG") != ""

// unlessLong is the first of two sizes of a test, or the second in its long
// form.
func unlessLong[T any](quick, full T) T {
	if long {
		return full
	}
	return quick
}

// TestMain draws fewer cases than rapid does by itself, where each of them is a
// few imports. The flag -rapid.checks has its way.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", unlessLong("40", "400")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}
