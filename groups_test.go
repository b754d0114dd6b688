package scimbulk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newTeams is a file of n people, each of whom is in two of 15 groups, and an
// export of who is to be in which.
func newTeams(t *testing.T, dir string, n int) (people, mapping string, in map[string]bool) {
	t.Helper()
	in = map[string]bool{}
	var b strings.Builder
	b.WriteString("Login,Groups\n")
	for i := range n {
		login := fmt.Sprintf("new%d@example.com", i)
		mine := []string{fmt.Sprintf("Team %d", i%15), fmt.Sprintf("Team %d", (i+7)%15)}
		fmt.Fprintf(&b, "%s,%s\n", login, strings.Join(mine, "|"))
		for _, g := range mine {
			in[g+": "+login] = true
		}
	}
	people, mapping = filepath.Join(dir, "people.csv"), filepath.Join(dir, "people.mapping.yaml")
	write(t, people, b.String())
	write(t, mapping, "attributes:\n  userName: Login\n  groups: {column: Groups, split: \"|\"}\n")
	return people, mapping, in
}

// TestJoiningKilledAndResumed kills an import whose people join groups: while
// they are created, and then after every few memberships.
func TestJoiningKilledAndResumed(t *testing.T) {
	const n = 180
	for _, c := range []struct {
		name  string
		fault []string
	}{
		{"on a good day", nil},
		{"while connections break after the commit", []string{"--fault", "reset-after-commit=0.05"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serveSandbox(t, append([]string{"--data", filepath.Join(dir, "directory"), "--latency", "5ms", "--fault", "bulk-max-operations=25"}, c.fault...)...)
			var teams strings.Builder
			teams.WriteString("displayName\n")
			for i := range 15 {
				fmt.Fprintf(&teams, "Team %d\n", i)
			}
			write(t, filepath.Join(dir, "teams.csv"), teams.String())
			wants(t, 0, dir, "import", "teams.csv", "--resource", "Group", "--url", s.url, "--quiet")
			people, mapping, in := newTeams(t, dir, n)
			run := filepath.Join(dir, "run")
			p := start(t, dir, "import", people, "-m", mapping, "--url", s.url, "--workers", "2", "--settle", "200ms", "--run-dir", run)
			const created, patched = `"op":"create"`, `"method":"PATCH"`
			for _, at := range []struct {
				what  string
				count int
			}{{created, 15 + 60}, {patched, 1}, {patched, 5}, {patched, 9}} {
				p.until(t, fmt.Sprintf("%d times %s", at.count, at.what), func() bool { return s.audited(at.what) >= at.count })
				if err := p.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if code := p.end(t); code != -1 {
					t.Fatalf("killed, and exit code %d", code)
				}
				p = start(t, dir, "resume", run)
			}
			if code := p.end(t); code != 0 {
				t.Fatalf("the last resume: exit code %d\n%s", code, p.talk.String())
			}
			checkConserved(t, run, n)
			if rows := readSummary(t, run).Rows; rows["created"] != n {
				t.Errorf("outcomes %v, want %d created", rows, n)
			}
			for key, times := range s.commits(t, "create") {
				if times > 1 {
					t.Errorf("%s was created %d times", key, times)
				}
			}
			checkMemberships(t, dir, s, in)
			wants(t, 0, dir, "undo", run, "--url", s.url, "--out", "undo.jsonl")
			wants(t, 0, dir, "apply", "undo.jsonl", "--url", s.url, "--yes", "--max-deletes", "100%")
			checkMemberships(t, dir, s, nil)
		})
	}
}

// audited counts the lines of the audit log so far that hold a text.
func (s *served) audited(what string) int {
	data, err := os.ReadFile(s.audit)
	if err != nil {
		return 0
	}
	return strings.Count(string(data), what)
}

// checkMemberships holds an export of who is in which group to what it should be.
func checkMemberships(t *testing.T, dir string, s *served, want map[string]bool) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "all")
	wants(t, 0, dir, "export", "all", "--url", s.url, "--out", out, "--quiet")
	rows := table(t, filepath.Join(out, "memberships.csv"))
	for _, row := range rows {
		if key := row["group"] + ": " + row["user"]; !want[key] {
			t.Errorf("%s should not be", key)
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d memberships, want %d", len(rows), len(want))
	}
}
