package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// checkpointCost compares the binary with one whose checkpoint log is not
// written, which is built for this alone.
func checkpointCost(ctx context.Context, b *bench) (*section, error) {
	without, err := b.withoutCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	in, err := b.input(b.rows, oneTitle)
	if err != nil {
		return nil, err
	}
	s := &section{
		title:   "Checkpoint",
		command: "scimbulk import people.csv -m people.mapping.yaml   # against a build with -tags nocheckpoint",
		note:    "At the sandbox's full speed, and where an answer takes 5 ms.",
		head:    []string{"figure", "median (least to greatest)"},
	}
	for _, c := range []struct {
		name    string
		latency time.Duration
		flags   []string
	}{
		{"rows a second, on ÷ off", 0, nil},
		{"the same with `--no-bulk`", 0, []string{"--no-bulk"}},
		{"the same with `--no-bulk` and 5 ms an answer", 5 * time.Millisecond, []string{"--no-bulk"}},
	} {
		var rate ratios
		for range b.rounds {
			on, err := b.importSlowly(ctx, b, in, c.latency, c.flags...)
			if err != nil {
				return nil, err
			}
			off, err := b.importSlowly(ctx, without, in, c.latency, c.flags...)
			if err != nil {
				return nil, err
			}
			rate = append(rate, float64(off.wall)/float64(on.wall))
		}
		s.add(c.name, rate.String())
	}
	size, err := b.logBytes(ctx, in)
	if err != nil {
		return nil, err
	}
	b.atMost("bytes of log a row", size, 400)
	s.add("bytes of log a row", fmt.Sprintf("%.0f", size))
	return s, nil
}

// withoutCheckpoint is a bench whose binary does not write the log. It is built
// from the source beside it.
func (b *bench) withoutCheckpoint(ctx context.Context) (*bench, error) {
	other := *b
	other.binary = filepath.Join(b.folder, "scimbulk-nocheckpoint")
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	_, err = b.run(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-C", here, "-trimpath", "-tags", "nocheckpoint", "-o", other.binary, "./cmd/scimbulk")
	return &other, err
}

// importSlowly imports with one binary into the sandbox of the other, so that
// both speak to the same.
func (b *bench) importSlowly(ctx context.Context, with *bench, in *input, latency time.Duration, flags ...string) (*usage, error) {
	s, err := b.sandbox(ctx, "--latency", latency.String())
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return with.importInto(ctx, s, in, flags...)
}

// logBytes is how long the log is, by row.
func (b *bench) logBytes(ctx context.Context, in *input) (float64, error) {
	s, err := b.sandbox(ctx)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	dir, err := b.fresh("log-*")
	if err != nil {
		return 0, err
	}
	run := filepath.Join(dir, "run")
	if _, err := b.scimbulk(ctx, s, "import", in.file, "-m", in.mapping, "--run-dir", run, "--progress", "none", "--quiet", "--no-bulk"); err != nil {
		return 0, err
	}
	info, err := os.Stat(filepath.Join(run, "checkpoint.log"))
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / float64(b.rows), nil
}
