package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scimbulk/internal/plan"
	"scimbulk/internal/report"
	"scimbulk/internal/scim"
)

// TestUndoOfMembers keeps two changes of one row and group. Of members both
// count, since each speaks of others; of anything else the first.
func TestUndoOfMembers(t *testing.T) {
	for name, tc := range map[string]struct {
		patch func(value string) []scim.PatchOperation
		want  int
	}{
		"members": {func(v string) []scim.PatchOperation { return scim.MemberPatch([]string{v}, []string{"z"}) }, 2},
		"another attribute": {func(v string) []scim.PatchOperation {
			return []scim.PatchOperation{{Op: "replace", Path: "displayName", Value: v}}
		}, 1},
		"all members": {func(v string) []scim.PatchOperation {
			return []scim.PatchOperation{{Op: "replace", Path: "members", Value: []any{scim.Object{"value": v}}}}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			undo, err := report.OpenUndo(dir, report.PlanHeader{Format: report.PlanFormat, Resource: "Group"})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []string{"a", "b"} {
				if err := undo.Keep(&plan.Line{Line: 2, Op: plan.ActUpdate, Resource: "Group", Key: "g", ID: "1", Patch: tc.patch(v)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := undo.Close(); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, "reversed.jsonl")
			found, err := report.ReverseUndo(filepath.Join(dir, report.UndoFile), to)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n != tc.want || found.Changes != int64(tc.want) {
				t.Errorf("%d lines, %d changes, want %d:\n%s", n, found.Changes, tc.want, text)
			}
		})
	}
}
