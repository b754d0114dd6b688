package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

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
		head:    []string{"workers", "times as fast as one", "of N"},
	}
	one, err := b.exportWall(ctx, dir, 1)
	if err != nil {
		return nil, err
	}
	for _, n := range []int{2, 4, 8, 16} {
		var faster ratios
		for range max(1, b.rounds/2) {
			wall, err := b.exportWall(ctx, dir, n)
			if err != nil {
				return nil, err
			}
			faster = append(faster, float64(one)/float64(wall))
		}
		share := faster.median() / float64(n)
		if n <= 4 { // a short export has too few pages for more
			b.atMost(fmt.Sprintf("one worker's time over %d workers' N-th", n), 1/share, 2.5)
		}
		s.add(strconv.Itoa(n), faster.String(), strconv.FormatFloat(share, 'f', 2, 64))
	}
	return s, nil
}

func (b *bench) exportWall(ctx context.Context, dir *sandbox, workers int) (time.Duration, error) {
	out, err := b.fresh("export-*")
	if err != nil {
		return 0, err
	}
	u, err := b.scimbulk(ctx, dir, "export", "users", "--workers", strconv.Itoa(workers), "--out", filepath.Join(out, "users.csv"),
		"--run-dir", filepath.Join(out, "run"), "--progress", "none", "--quiet")
	if err != nil {
		return 0, err
	}
	return u.wall, nil
}
