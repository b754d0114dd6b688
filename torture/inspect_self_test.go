package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInspectionBites: what is looked at when a session has ended is seen.
func TestInspectionBites(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"empty": 0o600, "checkpoint.log": 0o644, ".summary.json.123": 0o600} {
		path, text := filepath.Join(dir, name), []byte("x")
		if name == "empty" {
			text = nil
		}
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := leftBehind(dir); len(got) != 2 || strings.Contains(fmt.Sprint(got), "empty") {
		t.Errorf("left behind: %q", got)
	}
	if got := strays(dir, []string{"checkpoint.log", "empty"}); len(got) != 1 || !strings.Contains(got[0], ".summary.json.123") {
		t.Errorf("strays: %q", got)
	}
	if got := tooOpen(dir); len(got) != 1 || !strings.Contains(got[0], "checkpoint.log") {
		t.Errorf("open to others: %q", got)
	}
}

// TestStopsThatDoNotAddUp: the summary of a session that was stopped is held
// against the results so far.
func TestStopsThatDoNotAddUp(t *testing.T) {
	results := []result{{line: 2, outcome: "created"}, {line: 3, outcome: "rejected"}}
	for _, c := range []struct {
		name string
		rows map[string]int
		want string // "" is nothing
	}{
		{"it adds up", map[string]int{"read": 9, "created": 1, "rejected": 1, "pending": 7}, ""},
		{"one too many", map[string]int{"read": 9, "created": 2, "rejected": 1, "pending": 6}, "2 created, results.csv has 1"},
		{"an outcome that is not mentioned", map[string]int{"read": 9, "created": 1, "pending": 8}, "1 rejected, which the summary"},
		{"rows that are nowhere", map[string]int{"read": 9, "created": 1, "rejected": 1}, "9 rows are read, and the outcomes are 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(summary{Rows: c.rows}.disagrees(results), "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("found %q, want something with %q", got, c.want)
			}
		})
	}
}

// TestIntentsOfGroups: a change of a group has an intent of a membership in it, a
// new group one of its name.
func TestIntentsOfGroups(t *testing.T) {
	c := newCheckpoint(nil)
	c.run = "r"
	c.keys[c.keyHash("g1 u2")], c.keys[c.keyHash("deckhands")] = true, true
	c.keys[c.keyHash("Group g5")] = true
	users := []string{"u1", "u2"}
	for _, e := range []struct {
		name  string
		event event
		want  bool
	}{
		{"a group with an intent", event{Kind: "commit", Resource: "Group", Op: "patch", ID: "g1", Key: "Crew"}, true},
		{"a group without one", event{Kind: "commit", Resource: "Group", Op: "patch", ID: "g2", Key: "Crew"}, false},
		{"a group of a plan", event{Kind: "commit", Resource: "Group", Op: "patch", ID: "g5", Key: "Crew"}, true},
		{"a new group with an intent", event{Kind: "commit", Resource: "Group", Op: "create", ID: "g3", Key: "Deckhands"}, true},
		{"a new group without one", event{Kind: "commit", Resource: "Group", Op: "create", ID: "g4", Key: "Stokers"}, false},
		{"a person without one", event{Kind: "commit", Resource: "User", Op: "create", ID: "u3", Key: "p"}, false},
	} {
		t.Run(e.name, func(t *testing.T) {
			if got := c.ahead([]event{e.event}, users); (len(got) == 0) != e.want {
				t.Errorf("found %q", got)
			}
		})
	}
}

// TestRowsThatWait: a step ends what was intended, and is no outcome.
func TestRowsThatWait(t *testing.T) {
	c := newCheckpoint(nil)
	for kind, cells := range map[string][]any{"intent": {2.0, "ab", "create", 1.0}, "done": {4.0, "created"}} {
		if err := c.takeRow(kind, cells); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []float64{2, 4} {
		if err := c.takeRow("step", []any{line, "created"}); err != nil {
			t.Fatal(err)
		}
	}
	if c.inDoubt() != 0 || c.waits() != 1 {
		t.Errorf("%d in doubt, %d waiting: want none and one", c.inDoubt(), c.waits())
	}
}

// TestRejectsReader reads a file of rejects up to where it is torn.
func TestRejectsReader(t *testing.T) {
	const text = "userName,_line,_class,_error\na,2,data,why\nb,3,exists,\"torn"
	if got := rejectedLines([]byte(text)); !got["2"] || got["3"] {
		t.Errorf("read %v", got)
	}
	path := filepath.Join(t.TempDir(), "rejects.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRejects(path); err == nil {
		t.Error("a file that is torn at the end of a run is taken")
	}
	if got, err := readRejects(filepath.Join(t.TempDir(), "none")); got != nil || err != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
}
