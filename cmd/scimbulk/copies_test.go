package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestDiffHidesItsCopies: a comparison that is killed leaves nobody's data among
// the temporary files.
func TestDiffHidesItsCopies(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files keep their names")
	}
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	r := &diffRun{diffOptions: &diffOptions{}, s: streams{in: strings.NewReader("userName\nann@example.com\n")}}
	f, err := r.open("-")
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("while it is read, there are %v (%v)", left, err)
	}
	n := 0
	for row, err := range f.Rows(t.Context()) {
		if n++; err != nil || row.Cells[0] != "ann@example.com" {
			t.Errorf("row %v (%v)", row, err)
		}
	}
	if err := f.Close(); err != nil || n != 1 {
		t.Errorf("%d rows (%v)", n, err)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
}

// TestMappingHidesItsCopy: nor does a draft of a mapping that is broken off.
func TestMappingHidesItsCopy(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files keep their names")
	}
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	o := &fileOptions{input: "-"}
	in, release, err := o.open(streams{in: strings.NewReader("userName\nann@example.com\n")}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("while it is read, there are %v (%v)", left, err)
	}
	for row, err := range in.Rows(t.Context()) {
		if err != nil || row.Cells[0] != "ann@example.com" {
			t.Errorf("row %v (%v)", row, err)
		}
	}
}
