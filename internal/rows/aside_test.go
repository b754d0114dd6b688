package rows

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// deadPID is the id of a process that has been.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// TestAsideSweeps: what a process has left that was killed goes, and nothing else.
func TestAsideSweeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan[1].jsonl")
	gone := deadPID(t)
	stays := []string{
		asideName(path, os.Getppid()),                    // at work
		asideName(filepath.Dir(path)+"/other", gone),     // of another path
		filepath.Join(filepath.Dir(path), "plan[1].new"), // of somebody else
		asideName(path, gone) + ".old", filepath.Join(filepath.Dir(path), asideStart(path)+"x"+asideEnd),
	}
	for _, name := range append(slices.Clone(stays), asideName(path, gone), asideName(path, os.Getpid())) {
		if err := os.WriteFile(name, []byte("half of a longer one"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, "whole\n"); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "whole\n" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the file is open to others: %v (%v)", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var left, want []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	for _, name := range append(stays, path) {
		want = append(want, filepath.Base(name))
	}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("the folder holds %q, want %q", left, want)
	}
}

// TestAsideReplacesALink: what a link beside the path points to is not written.
func TestAsideReplacesALink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.jsonl")
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, asideName(path, os.Getpid())); err != nil {
		t.Skip(err)
	}
	file, err := Aside(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "precious" {
		t.Errorf("the other file holds %q (%v)", text, err)
	}
}
