package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// exportFormats are measured side by side: a row of CSV takes three times the
// work of a line of JSON.
var exportFormats = []string{"csv", "jsonl"}

// exportSpeedUp exports a directory that takes its time, with more and more
// workers.
func exportSpeedUp(ctx context.Context, b *bench) (*section, error) {
	dir, err := b.sandbox(ctx, "--seed", strconv.Itoa(b.exported), "--latency", "50ms", "--page-cap", "100")
	if err != nil {
		return nil, err
	}
	defer dir.stop()
	s := &section{
		title:   "Export with several workers",
		command: fmt.Sprintf("scimbulk export users --workers N   # %s people, pages of 100, 50 ms an answer", number(b.exported)),
		head:    []string{"workers", "CSV: times as fast as one", "of N", "JSONL: times as fast as one", "of N"},
	}
	var one []time.Duration
	for _, format := range exportFormats {
		wall, err := b.exportWall(ctx, dir, format, 1)
		if err != nil {
			return nil, err
		}
		one = append(one, wall)
	}
	for _, n := range []int{2, 4, 8, 16} {
		row := []string{strconv.Itoa(n)}
		for i, format := range exportFormats {
			faster, err := b.fasterThan(ctx, dir, format, n, one[i])
			if err != nil {
				return nil, err
			}
			share := faster.median() / float64(n)
			if n <= 4 { // a short export has too few pages for more
				b.atMost(fmt.Sprintf("one worker's time over %d workers' N-th for %s", n, format), 1/share, 2.5)
			}
			row = append(row, faster.String(), strconv.FormatFloat(share, 'f', 2, 64))
		}
		s.add(row...)
	}
	return s, nil
}

// fasterThan is how many times as fast as one worker several are.
func (b *bench) fasterThan(ctx context.Context, dir *sandbox, format string, workers int, one time.Duration) (faster ratios, err error) {
	for range max(1, b.rounds/2) {
		wall, err := b.exportWall(ctx, dir, format, workers)
		if err != nil {
			return nil, err
		}
		faster = append(faster, float64(one)/float64(wall))
	}
	return faster, nil
}

func (b *bench) exportWall(ctx context.Context, dir *sandbox, format string, workers int) (time.Duration, error) {
	out, err := b.fresh("export-*")
	if err != nil {
		return 0, err
	}
	u, err := b.scimbulk(ctx, dir, "export", "users", "--workers", strconv.Itoa(workers), "--out", filepath.Join(out, "users."+format),
		"--run-dir", filepath.Join(out, "run"), "--progress", "none", "--quiet")
	if err != nil {
		return 0, err
	}
	return u.wall, nil
}
