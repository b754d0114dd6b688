// Command bench measures the scimbulk binary against what an administrator would
// script, and writes the figures to a Markdown file. Each figure is a ratio of
// two things measured in turns in one run, the median of several; no time by
// itself says anything on a machine that others use too. It shares no code with
// what it measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// sizes are how much each part measures.
type sizes struct {
	rounds     int // measurements of each thing
	rows       int // of an import
	curlRows   int // xargs and curl start a process a row
	directory  int // people, for the cheapest look-ups
	exported   int // people, for the speed-up over workers
	memoryRows []int
	starts     int
}

func full() sizes {
	return sizes{rounds: 5, rows: 20_000, curlRows: 2_000, directory: 50_000, exported: 30_000, memoryRows: []int{10_000, 100_000, 1_000_000}, starts: 20}
}

// short is for CI: small, and judged by bounds far outside the noise.
func short() sizes {
	return sizes{rounds: 3, rows: 4_000, curlRows: 300, directory: 2_000, exported: 3_000, memoryRows: []int{2_000, 40_000}, starts: 5}
}

// part is one table of the results.
type part struct {
	name    string
	measure func(context.Context, *bench) (*section, error)
}

func parts() []part {
	return []part{
		{"import", importCost},
		{"checkpoint", checkpointCost},
		{"requests", requestCounts},
		{"rates", rateTable},
		{"export", exportSpeedUp},
		{"memory", peakMemory},
		{"start", startUp},
	}
}

// bench is one run of the measurements.
type bench struct {
	binary string
	folder string // for everything that is made on the way
	sizes
	short bool
	rates string // a table of rates that was made before
	// failed are the ratios that are out of the bounds of CI.
	failed []string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "loop" {
		exit(loop(os.Args[2:]))
	}
	binary := flag.String("binary", "bin/scimbulk", "the binary to measure")
	out := flag.String("out", "", "write the results to this file too")
	only := flag.String("only", "", "measure these parts alone, separated by commas")
	quick := flag.Bool("short", false, "small sizes, and fail on ratios far outside the noise")
	rates := flag.String("rates", "", "take the table of rates from this file, instead of six minutes of virtual time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit((&bench{sizes: full(), short: *quick, rates: *rates}).all(ctx, *binary, *out, *only))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (b *bench) all(ctx context.Context, binary, out, only string) (err error) {
	if b.short {
		b.sizes = short()
	}
	if b.binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "scimbulk-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	text := preamble(b)
	for _, p := range parts() {
		if only != "" && !listed(only, p.name) {
			continue
		}
		s, err := p.measure(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if s == nil {
			continue
		}
		fmt.Print(s.markdown(), "\n")
		text += s.markdown() + "\n"
	}
	if out != "" {
		if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if len(b.failed) > 0 {
		return errors.New("far outside the noise: " + strings.Join(b.failed, "; "))
	}
	return nil
}

func listed(names, name string) bool {
	for n := range strings.SplitSeq(names, ",") {
		if strings.TrimSpace(n) == name {
			return true
		}
	}
	return false
}

// atMost fails a short run whose figure is far above what it should be.
func (b *bench) atMost(what string, figure, most float64) {
	if b.short && figure > most {
		b.failed = append(b.failed, fmt.Sprintf("%s is %.2f, and %.2f is the most", what, figure, most))
	}
}
