package scimbulk_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAbsentKilledAndResumed kills an import while it turns people inactive whom
// its file does not hold, and its resumptions: each of them is turned inactive
// once, and the list is the one that was made before the first write.
func TestAbsentKilledAndResumed(t *testing.T) {
	const n, held, kills, between = 400, 20, 3, 50
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
			s := serveSandbox(t, append([]string{"--latency", "5ms"}, c.fault...)...)
			var all strings.Builder
			fmt.Fprintln(&all, "userName,displayName,userType")
			for i := range n {
				kind := "Employee"
				if i == n-1 {
					kind = "Service"
				}
				fmt.Fprintf(&all, "person%05d@example.com,Person %d,%s\n", i, i, kind)
			}
			write(t, filepath.Join(dir, "all.csv"), all.String())
			wants(t, 0, dir, "import", "all.csv", "--url", s.url, "--quiet", "--workers", "64")
			write(t, filepath.Join(dir, "held.csv"), strings.Join(strings.SplitAfter(all.String(), "\n")[:held+1], ""))
			before := len(s.events(t))

			run := filepath.Join(dir, "run")
			absent := filepath.Join(run, "absent.csv")
			p := start(t, dir, "import", "held.csv", "--url", s.url, "--workers", "4", "--run-dir", run,
				"--absent", "deactivate", "--protect", `userType eq "Service"`, "--max-deletes", "1000", "--yes", "--no-bulk")
			for range kills {
				p.until(t, "the list was made", func() bool { return newlines(absent) > n-held })
				enough := newlines(absent) + between
				p.until(t, fmt.Sprintf("%d lines", enough), func() bool { return newlines(absent) >= enough })
				if err := p.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				p.end(t)
				p = start(t, dir, "resume", run)
			}
			if code := p.end(t); code != 0 {
				t.Fatalf("the last resume: exit code %d\n%s", code, p.talk.String())
			}
			checkConserved(t, run, held)
			checkAbsent(t, run, s, before, n-held)
		})
	}
}

// checkAbsent sees that everybody whom the file does not hold was turned
// inactive once, but who is protected.
func checkAbsent(t *testing.T, run string, s *served, before, found int) {
	t.Helper()
	patched := map[string]int{}
	for _, e := range s.events(t)[before:] {
		if e.Kind == "commit" {
			patched[e.Op+" "+e.ID]++
		}
	}
	lines, kept := table(t, filepath.Join(run, "absent.csv")), 0
	for _, l := range lines {
		want := 1
		if l["outcome"] == "kept" {
			kept++
			want = 0
		} else if l["outcome"] != "deactivated" {
			t.Errorf("%s is %s", l["key"], l["outcome"])
		}
		if n := patched["patch "+l["id"]]; n != want {
			t.Errorf("%s (%s): %d changes, want %d", l["key"], l["outcome"], n, want)
		}
	}
	if len(lines) != found || kept != 1 || len(patched) != found-kept {
		t.Errorf("%d people are listed and %d kept, %d were changed; want %d, 1 and %d", len(lines), kept, len(patched), found, found-1)
	}
	got := absentOf(t, run)
	if got["found"] != float64(found) || got["deactivated"] != float64(found-1) || got["protected"] != 1.0 || got["pending"] != 0.0 {
		t.Errorf("the summary says %v", got)
	}
}

// absentOf is what a summary says of the people whom the file does not hold.
func absentOf(t *testing.T, run string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Absent map[string]any }
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s.Absent
}
