package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

// TestStoppedExport says why an export ended early and what is there of it, and
// hides no other failure.
func TestStoppedExport(t *testing.T) {
	full := fmt.Errorf("exporting Groups: %w", syscall.ENOSPC)
	tests := []struct {
		name          string
		cause, failed error
		files         []string
		want          string
		code          int
	}{
		{name: "Ctrl-C", cause: pipeline.ErrInterrupted, failed: fmt.Errorf("exporting Users: %w", pipeline.ErrInterrupted), want: "interrupted: no file was written", code: exitInterrupted},
		{name: "Ctrl-C twice", cause: pipeline.ErrInterrupted, failed: context.Canceled, want: "interrupted: no file was written", code: exitInterrupted},
		{name: "between two files", cause: pipeline.ErrInterrupted, failed: pipeline.ErrInterrupted, files: []string{"users.csv"}, want: "interrupted: of its files there is users.csv alone", code: exitInterrupted},
		{name: "the time is over", cause: pipeline.ErrMaxDuration, failed: context.DeadlineExceeded, want: pipeline.ErrMaxDuration.Error() + ": no file was written", code: exitLimit},
		{name: "a full disk as well", cause: pipeline.ErrInterrupted, failed: full, want: "interrupted: no file was written\nexporting Groups: no space left on device", code: exitInterrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := &exportRun{}
			for _, path := range tt.files {
				x.manifest.Files = append(x.manifest.Files, report.ManifestFile{Path: path})
			}
			err := x.stopped(tt.cause, tt.failed)
			if err.Error() != tt.want || exitCode(err) != tt.code {
				t.Errorf("%d, %q; want %d, %q", exitCode(err), err, tt.code, tt.want)
			}
			if errors.Is(tt.failed, syscall.ENOSPC) != errors.Is(err, syscall.ENOSPC) {
				t.Error("what to do about it depends on the cause")
			}
		})
	}
}
