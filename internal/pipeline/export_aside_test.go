package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// watchful is a layout that looks, while rows are laid out, at what lies in the
// folder of the export.
type watchful struct {
	folder string
	seen   []os.DirEntry
	err    error
}

func (w *watchful) Add(scim.Object)  {}
func (w *watchful) Header() []string { return []string{"id"} }
func (w *watchful) Lost() []string   { return nil }

func (w *watchful) Cells(o scim.Object, _ []string) []string {
	if w.seen == nil && w.err == nil {
		w.seen, w.err = os.ReadDir(w.folder)
	}
	_, id, _ := scim.Member(o, "id")
	return []string{fmt.Sprint(id)}
}

// TestAKilledExportLeavesNothingBesideItsPath: a file that can only be written
// when all is known lies in the run's directory until it is whole, over what an
// earlier session has left there.
func TestAKilledExportLeavesNothingBesideItsPath(t *testing.T) {
	t.Parallel()
	r := newReading(t, sandbox.Options{Seed: 40, PageCap: 17}, 3)
	out, run := t.TempDir(), t.TempDir()
	f := pipeline.File{Path: filepath.Join(out, "users.csv"), Format: pipeline.FormatCSV, Schema: scim.Builtin("User"), Draft: filepath.Join(run, "draft")}
	if err := os.WriteFile(f.Draft, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	layout := &watchful{folder: out}
	e := r.export(3)
	e.Layout = layout
	d, err := e.WriteTo(t.Context(), t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if layout.err != nil || len(layout.seen) > 0 {
		t.Errorf("beside the export lay %v (%v)", layout.seen, layout.err)
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Size() != d.Bytes || d.Resources != 40 {
		t.Errorf("the file has %v, of %d resources in %d bytes (%v)", info, d.Resources, d.Bytes, err)
	}
	if left, err := os.ReadDir(run); err != nil || len(left) > 0 {
		t.Errorf("the run's directory holds %v (%v)", left, err)
	}
}
