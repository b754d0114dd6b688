package torture

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// report prints the table, and how often each kind of blow was struck.
func (b *bench) report(t *testing.T) {
	t.Helper()
	var text strings.Builder
	text.WriteString("| scenario | dialect | runs | kills | rows in doubt | writes beyond a clean run | unknown | violations |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	sum := &total{}
	for _, a := range b.grounds {
		if s := b.totals[a.name()]; s != nil {
			sum.add(s)
			s.row(&text, a.scenario.name, a.dialect)
		}
	}
	sum.row(&text, "all", "")
	fmt.Fprintf(&text, "\n| killed | times |\n|---|---:|\n")
	for _, what := range slices.Sorted(maps.Keys(b.struck)) {
		fmt.Fprintf(&text, "| %s | %d |\n", what, b.struck[what])
	}
	if testing.Verbose() {
		fmt.Print(text.String())
	}
	if *tableOut == "" {
		return
	}
	if err := os.WriteFile(*tableOut, []byte(text.String()), 0o600); err != nil {
		t.Error(err)
	}
}

func (s *total) row(text *strings.Builder, scenario, dialect string) {
	fmt.Fprintf(text, "| %s | %s | %d | %d | %d | %d | %d | %d |\n", scenario, dialect, s.runs, s.kills, s.doubts, s.writes, s.unknown, s.violations)
}
