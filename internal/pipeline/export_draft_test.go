package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestDraftsBecomeTheSameFile: a file that was begun before all pages had come,
// by sessions that were killed, is the same as one that was written at the end.
// The pages are so small that most columns are needed by later ones alone.
func TestDraftsBecomeTheSameFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file, format string
		killed             int  // after so many pages; 0 is never
		changed            bool // somebody on the first page, meanwhile
	}{
		{name: "csv", file: "users.csv", format: pipeline.FormatCSV},
		{name: "jsonl", file: "users.jsonl", format: pipeline.FormatJSONL},
		{name: "packed", file: "users.csv.gz", format: pipeline.FormatCSV},
		{name: "csv, killed", file: "users.csv", format: pipeline.FormatCSV, killed: 7},
		{name: "jsonl, killed", file: "users.jsonl", format: pipeline.FormatJSONL, killed: 7},
		{name: "csv, somebody changed", file: "users.csv", format: pipeline.FormatCSV, changed: true},
		{name: "jsonl, somebody changed", file: "users.jsonl", format: pipeline.FormatJSONL, changed: true},
		{name: "jsonl, somebody changed, killed", file: "users.jsonl", format: pipeline.FormatJSONL, changed: true, killed: 29},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))) // the made-up people are of 2024
				dir := t.TempDir()
				r := newReading(t, sandbox.Options{Seed: 120, PageCap: 5}, 3)
				f := pipeline.File{
					Path: filepath.Join(dir, tc.file), Format: tc.format, Schema: scim.Builtin("User"), Draft: filepath.Join(dir, "kept", "draft"),
				}
				if err := os.Mkdir(filepath.Dir(f.Draft), 0o700); err != nil {
					t.Fatal(err)
				}
				die := tc.killed
				r.drafted(t, f, func(seen int) error {
					if tc.changed && seen == 3 {
						r.rename(t)
					}
					if die--; die == 0 {
						return errKilled
					}
					return nil
				})
				got := r.file(t, f)
				f.Path, f.Draft = filepath.Join(dir, "at-the-end-"+tc.file), ""
				if _, err := r.export(3).WriteTo(t.Context(), t.Context(), f, nil); err != nil {
					t.Fatal(err)
				}
				if want := r.file(t, f); !bytes.Equal(got, want) {
					t.Errorf("%d bytes, not the %d of a file that was written at the end", len(got), len(want))
				}
				if left, _ := os.ReadDir(filepath.Join(dir, "kept")); len(left) > 0 {
					t.Errorf("%s is left over", left[0].Name())
				}
			})
		})
	}
}

// drafted exports into a file, in as many sessions as it takes. noted is told how
// many pages each session has kept.
func (r *reading) drafted(t *testing.T, f pipeline.File, noted func(seen int) error) {
	t.Helper()
	for {
		pages, err := pipeline.OpenPages(filepath.Join(filepath.Dir(f.Path), "pages"), r.marks)
		if err != nil {
			t.Fatal(err)
		}
		e, seen := r.export(3), 0
		e.Pages, e.Note = pages, func(m pipeline.Mark) error {
			r.marks = append(r.marks, m)
			if seen++; seen == 2 {
				if info, err := os.Stat(f.Draft); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("no draft that is for its owner alone: %v", err)
				}
			}
			return noted(seen)
		}
		_, err = e.WriteTo(t.Context(), t.Context(), f, nil)
		if err := pages.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := os.Stat(f.Path); err == nil {
			t.Fatal("a file that is not whole")
		}
	}
}

// rename changes somebody who came early.
func (r *reading) rename(t *testing.T) {
	t.Helper()
	time.Sleep(time.Second)
	page, err := r.client.List(t.Context(), scim.Users, scim.ListOptions{SortBy: "id", StartIndex: 2, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"nickName","value":%q}]}`, "later")
	if _, err := r.client.Patch(t.Context(), scim.Users, page.Resources[0].ID, []byte(body), ""); err != nil {
		t.Fatal(err)
	}
}

func (r *reading) file(t *testing.T, f pipeline.File) []byte {
	t.Helper()
	b, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
