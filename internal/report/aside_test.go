package report

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestWritingAsideLeavesNothing: half a file of a process that was killed is gone
// when the next one has written it.
func TestWritingAsideLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SummaryFile)
	for _, name := range []string{path, filepath.Join(dir, fmt.Sprintf(".summary.json.%d.new", os.Getpid()))} {
		if err := os.WriteFile(name, []byte("{\"rows\": half of a longer one"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeAside(path, []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "{}\n" {
		t.Errorf("the file holds %q (%v)", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
}
