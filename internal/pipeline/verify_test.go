package pipeline_test

import (
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
)

// TestVerify counts what is read back, and what that shows.
func TestVerify(t *testing.T) {
	const rows = 120
	for _, tc := range []struct {
		name, mode string
		faults     []string
		read       int64 // GETs above those of a run that verifies nothing
		lame       int64
		warning    string
	}{
		{"nothing", pipeline.VerifyNone, []string{"no-effect=1"}, 0, 0, ""},
		{"a sample that is well", pipeline.VerifySample, nil, 7, 0, ""},
		{"all that is well", pipeline.VerifyAll, nil, rows, 0, ""},
		{"a sample of what had no effect", pipeline.VerifySample, []string{"no-effect=1"}, 7, 7, "7 of 7 writes that were read back have not taken effect: the User (7)"},
		{"all of what had no effect", pipeline.VerifyAll, []string{"no-effect=1"}, rows, rows, "120 of 120 writes that were read back have not taken effect: the User (120)"},
		{"a directory that writes names in its own way", pipeline.VerifyAll, []string{"normalise"}, rows, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reads := func(mode string) (*pipeline.Totals, *results) {
				b := newBench(t, sandbox.Options{Faults: tc.faults})
				im, recorded := b.prepare(people(rows, "Clerk"), func(im *pipeline.Import) { im.Verify = mode })
				return b.run(im, recorded), recorded
			}
			plain, _ := reads(pipeline.VerifyNone)
			totals, recorded := reads(tc.mode)
			if got := totals.Requests.GET - plain.Requests.GET; got != tc.read {
				t.Errorf("%d further reads, want %d", got, tc.read)
			}
			if totals.Lame != tc.lame || totals.Counts[pipeline.Created] != rows {
				t.Errorf("%d of %d did not take effect, want %d", totals.Lame, totals.Counts[pipeline.Created], tc.lame)
			}
			if got := strings.Join(totals.Warnings, "; "); !strings.HasPrefix(got, tc.warning) || tc.warning == "" && got != "" {
				t.Errorf("warns %q, want %q", got, tc.warning)
			}
			for _, r := range recorded.list {
				if r.Lame != strings.Contains(r.Detail, "has not taken over: the User") {
					t.Errorf("line %d: lame %v, and says %q", r.Row.Line, r.Lame, r.Detail)
				}
			}
		})
	}
}
