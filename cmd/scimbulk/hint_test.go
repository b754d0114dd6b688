package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// TestComplain says each thing once: what has failed, and what to do about it.
func TestComplain(t *testing.T) {
	full := func(path string) error { return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC} }
	missing := func(path string) error { return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT} }
	tests := []struct {
		name string
		err  error
		want string
	}{
		{
			name: "a full disk, of a run",
			err:  &resumableError{errors.Join(errors.Join(full("/r/undo.jsonl"), full("/r/results.csv")), fmt.Errorf("summary: %w", full("/r/x"))), "/r"},
			want: "scimbulk: write /r/undo.jsonl: no space left on device\nhint: nothing is sent that cannot be recorded: make room, and go on with scimbulk resume /r\n",
		},
		{
			name: "a full disk, before there was a run",
			err:  full("/tmp/x"),
			want: "scimbulk: write /tmp/x: no space left on device\nhint: make room first\n",
		},
		{
			name: "a full disk and another thing",
			err:  errors.Join(full("/r/a"), errors.New("the input has changed"), full("/r/b")),
			want: "scimbulk: write /r/a: no space left on device\nthe input has changed\nhint: make room first\n",
		},
		{
			name: "two files that are missing",
			err:  errors.Join(missing("a"), missing("b")),
			want: "scimbulk: open a: no such file or directory\nopen b: no such file or directory\n",
		},
		{
			name: "several causes in one sentence",
			err:  fmt.Errorf("%w, while %w", errors.New("this"), errors.New("that")),
			want: "scimbulk: this, while that\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			complain(&out, tt.err)
			if out.String() != tt.want {
				t.Errorf("%q\nwant %q", out.String(), tt.want)
			}
		})
	}
}
