package scimbulk_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestAppliedKilledAndUndone kills an apply and its resumptions without warning,
// and then takes the run back: the directory is as it was before the plan.
func TestAppliedKilledAndUndone(t *testing.T) {
	const n, kills, rowsBetween = 400, 3, 50
	for _, c := range []struct {
		name  string
		fault []string
	}{
		{"on a good day", nil},
		{"while connections break after the commit", []string{"--fault", "reset-after-commit=0.03"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serveSandbox(t, append([]string{"--data", filepath.Join(dir, "directory"), "--latency", "5ms", "--fault", "bulk-max-operations=25"}, c.fault...)...)
			input, run := crowd(t, dir, s, n), filepath.Join(dir, "run")
			before := titlesIn(t, dir, s, "before.jsonl")
			wants(t, 0, dir, "plan", input, "--url", s.url, "--out", "plan.jsonl", "--quiet")
			p := start(t, dir, "apply", "plan.jsonl", "--url", s.url, "--workers", "4", "--settle", "200ms", "--run-dir", run)
			killAndResume(t, p, dir, run, kills, rowsBetween)
			checkOnce(t, dir, run, s, n)

			wants(t, 0, dir, "undo", run, "--out", "reverse.jsonl", "--quiet")
			wants(t, 0, dir, "apply", "reverse.jsonl", "--url", s.url, "--yes", "--max-deletes", "100%", "--quiet")
			after := titlesIn(t, dir, s, "undone.jsonl")
			if fmt.Sprint(before) != fmt.Sprint(after) || len(after) != n/2 {
				t.Errorf("%d people before, %d after; the first are %.300v and %.300v", len(before), len(after), before, after)
			}
		})
	}
}

// titlesIn exports everybody, and gives their titles by id and name.
func titlesIn(t *testing.T, dir string, s *served, file string) map[string]any {
	t.Helper()
	wants(t, 0, dir, "export", "users", "--url", s.url, "--out", file, "--quiet")
	titles := map[string]any{}
	for _, p := range resources(t, filepath.Join(dir, file)) {
		titles[fmt.Sprint(p["id"], p["userName"])] = p["title"]
	}
	return titles
}
