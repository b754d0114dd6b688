package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFilters: what filters say does not reach the log, and comes back for
// resume, which takes nothing else in its place.
func TestFilters(t *testing.T) {
	dir := t.TempDir()
	args := []string{"import", "/in.csv", `--filter=userName eq "ann@example.com"`, "--op=patch", `--protect=title eq "Boss"`, `--protect=userName eq "bob@example.com"`}
	hidden, filters := hideFilters("run-1", args)
	for _, arg := range hidden {
		if strings.Contains(arg, "@example") || strings.Contains(arg, "Boss") {
			t.Errorf("the log holds %s", arg)
		}
	}
	if len(filters) != 3 || !slices.Contains(hidden, "--op=patch") {
		t.Fatalf("%q, %d filters", hidden, len(filters))
	}
	if err := keepFilters(dir, filters); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filtersFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if got, err := restoreFilters(dir, "run-1", hidden); err != nil || !slices.Equal(got, args) {
		t.Fatalf("%q, %v", got, err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "ann@", "eve@", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := restoreFilters(dir, "run-1", hidden); err == nil || !strings.Contains(err.Error(), "does not hold the filter that the run began with") {
		t.Errorf("another filter is taken: %q, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := restoreFilters(dir, "run-1", hidden); err == nil {
		t.Error("no filters, and no error")
	}
	if got, err := restoreFilters(dir, "run-1", []string{"import", "/in.csv"}); err != nil || len(got) != 2 {
		t.Errorf("none needed: %v", err)
	}
	if err := keepFilters(dir, nil); err != nil {
		t.Error(err)
	}
}
