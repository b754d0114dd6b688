package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// section is a table with the command behind it.
type section struct {
	title   string
	command string
	note    string
	head    []string
	rows    [][]string
	table   string // instead of head and rows: a table that something else has written
}

func (s *section) add(cells ...string) { s.rows = append(s.rows, cells) }

func (s *section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", s.title)
	if s.command != "" {
		fmt.Fprintf(&b, "`%s`\n\n", s.command)
	}
	if s.note != "" {
		b.WriteString(s.note + "\n\n")
	}
	if s.table != "" {
		b.WriteString(s.table + "\n")
		return b.String()
	}
	writeRow(&b, s.head)
	b.WriteString("|" + strings.Repeat(" --- |", len(s.head)) + "\n")
	for _, row := range s.rows {
		writeRow(&b, row)
	}
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func preamble(b *bench) string {
	return fmt.Sprintf(`# Measurements

Written by `+"`make bench`"+`; do not edit. Every figure is a ratio of two things measured
in turns in the same run, the median of %d, with the least and the greatest beside
it. %d processors, %s.

`, b.rounds, runtime.NumCPU(), runtime.Version())
}

// ratios are one figure measured several times.
type ratios []float64

func (r ratios) median() float64 {
	s := slices.Sorted(slices.Values(r))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

func (r ratios) String() string {
	return fmt.Sprintf("**%.2f** (%.2f to %.2f)", r.median(), slices.Min(r), slices.Max(r))
}

func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
