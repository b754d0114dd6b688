package main

import (
	"context"
	"fmt"
	"strconv"
)

// upsertCase is an import into a directory that is not empty.
type upsertCase struct {
	name   string
	seed   int // strangers in the directory
	there  int // rows of the file that the directory has already
	rows   int
	change func(i int) string
}

func (b *bench) upsertCases() []upsertCase {
	return []upsertCase{
		{"%s rows, 1 in 100 changed, directory of the same people", 0, b.directory / 5, b.directory / 5, func(i int) string {
			if i%100 == 0 {
				return "Supervisor"
			}
			return "Agent"
		}},
		{"%s new hires into %s people", b.directory, 0, b.directory / 50, oneTitle},
		{"%s rows, half of them there and unchanged, in %s people", b.directory - b.directory/100, b.directory / 100, b.directory / 50, oneTitle},
	}
}

// requestCounts counts what an upsert sends, beside what it takes to look up
// each row and then write it.
func requestCounts(ctx context.Context, b *bench) (*section, error) {
	s := &section{
		title:   "Requests of an upsert",
		command: "scimbulk import people.csv -m people.mapping.yaml --json",
		note:    "The naive way looks up each row, then writes it: `--lookup each --no-bulk`. Pages hold 100.",
		head:    []string{"case", "requests", "single requests (`--no-bulk`)", "naive", "`--no-bulk` ÷ naive"},
	}
	for _, c := range b.upsertCases() {
		var counts []int
		for _, flags := range [][]string{nil, {"--no-bulk"}, {"--no-bulk", "--lookup", "each"}} {
			n, err := b.upsert(ctx, c, flags)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			counts = append(counts, n)
		}
		name := fmt.Sprintf(c.name, number(c.rows), number(c.seed+c.there))
		if c.seed == 0 {
			name = fmt.Sprintf(c.name, number(c.rows))
		}
		ratio := float64(counts[1]) / float64(counts[2])
		b.atMost("requests of: "+name, ratio, 1.1)
		s.add(name, number(counts[0]), number(counts[1]), number(counts[2]), strconv.FormatFloat(ratio, 'f', 2, 64))
	}
	return s, nil
}

func (b *bench) upsert(ctx context.Context, c upsertCase, flags []string) (int, error) {
	s, err := b.sandbox(ctx, "--seed", strconv.Itoa(c.seed))
	if err != nil {
		return 0, err
	}
	defer s.stop()
	if c.there > 0 {
		before, err := b.input(c.there, oneTitle)
		if err != nil {
			return 0, err
		}
		if _, err := b.importInto(ctx, s, before); err != nil {
			return 0, err
		}
	}
	in, err := b.input(c.rows, c.change)
	if err != nil {
		return 0, err
	}
	u, err := b.importInto(ctx, s, in, flags...)
	if err != nil {
		return 0, err
	}
	sum, err := u.summary()
	if err != nil {
		return 0, err
	}
	return int(sum.Requests["total"]), nil
}
