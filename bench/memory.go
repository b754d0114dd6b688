package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// peakMemory imports files of growing length into an empty directory, and
// exports it again.
func peakMemory(ctx context.Context, b *bench) (*section, error) {
	s := &section{
		title:   "Peak memory",
		command: "scimbulk import people.csv -m people.mapping.yaml; scimbulk export users --out users.csv",
		note:    "Resident memory of the client at its greatest, in MiB; in brackets what is above an import of one row, and an export of one.",
		head:    []string{"rows", "import", "export"},
	}
	var one [2]float64
	for _, n := range append([]int{1}, b.memoryRows...) {
		peaks, err := b.peaks(ctx, n)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			one = peaks
		}
		b.atMost(fmt.Sprintf("MiB that an import of %d rows takes above one row", n), peaks[0]-one[0], 64)
		b.atMost(fmt.Sprintf("MiB that an export of %d people takes above one", n), peaks[1]-one[1], 64)
		cell := func(i int) string { return fmt.Sprintf("%.0f (+%.0f)", peaks[i], peaks[i]-one[i]) }
		s.add(number(n), cell(0), cell(1))
	}
	return s, nil
}

func (b *bench) peaks(ctx context.Context, rows int) (peaks [2]float64, err error) {
	in, err := b.input(rows, oneTitle)
	if err != nil {
		return peaks, err
	}
	dir, err := b.sandbox(ctx)
	if err != nil {
		return peaks, err
	}
	defer dir.stop()
	imported, err := b.importInto(ctx, dir, in)
	if err != nil {
		return peaks, err
	}
	out := filepath.Dir(in.file)
	exported, err := b.scimbulk(ctx, dir, "export", "users", "--out", filepath.Join(out, "users.csv"), "--run-dir", filepath.Join(out, "export"), "--progress", "none", "--quiet")
	if err != nil {
		return peaks, err
	}
	const mib = 1 << 20
	return [2]float64{float64(imported.peak) / mib, float64(exported.peak) / mib}, nil
}
