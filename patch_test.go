package scimbulk_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatchKilledAndResumed kills a patch, and its resumptions: everybody whom
// the filter has selected is changed once, and nobody else is.
func TestPatchKilledAndResumed(t *testing.T) {
	const n, kills, between = 450, 3, 50
	t.Parallel()
	dir := t.TempDir()
	s := serveSandbox(t, "--latency", "5ms", "--fault", "bulk-max-operations=25", "--fault", "reset-after-commit=0.02")
	var all strings.Builder
	fmt.Fprintln(&all, "userName,displayName,title")
	for i := range n {
		fmt.Fprintf(&all, "person%05d@example.com,Person %d,%s\n", i, i, []string{"Agent", "Agent", "Boss"}[i%3])
	}
	write(t, filepath.Join(dir, "all.csv"), all.String())
	wants(t, 0, dir, "import", "all.csv", "--url", s.url, "--quiet", "--workers", "64")
	before, run := len(s.events(t)), filepath.Join(dir, "run")
	p := start(t, dir, "patch", "users", "--filter", `title eq "Agent"`, "--set", "title=Advisor", "--url", s.url, "--workers", "4", "--run-dir", run)
	killAndResume(t, p, dir, run, kills, between)
	checkConserved(t, run, n*2/3)
	if got := readSummary(t, run).Rows; got["updated"] != n*2/3 {
		t.Errorf("outcomes %v", got)
	}
	changed := map[string]int{}
	for _, e := range s.events(t)[before:] {
		if e.Kind == "commit" {
			changed[e.Key]++
		}
	}
	for i := range n {
		want := 1
		if i%3 == 2 {
			want = 0
		}
		if key := fmt.Sprintf("person%05d@example.com", i); changed[key] != want {
			t.Errorf("%s: %d changes, want %d", key, changed[key], want)
		}
	}
}
