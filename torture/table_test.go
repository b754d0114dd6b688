package torture

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// report prints the tables: what each scenario has come to, and how often each
// kind of blow was struck and each fault was there.
func (b *bench) report(t *testing.T) {
	t.Helper()
	var text strings.Builder
	text.WriteString("| scenario | dialect | runs | kills | rows in doubt | writes beyond a clean run | unknown | violations |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	sum := &total{}
	for _, a := range b.turns {
		if s := b.totals[a.name()]; s != nil {
			sum.add(s)
			s.row(&text, a.scenario.name, a.wire.String())
		}
	}
	sum.row(&text, "all", "")
	tally(&text, "killed", "times", b.struck)
	tally(&text, "fault of the sandbox", "runs", b.faults)
	if testing.Verbose() {
		fmt.Print(text.String())
	}
	if *pageOut == "" || t.Failed() {
		return
	}
	if err := writeTables(*pageOut, text.String()); err != nil {
		t.Error(err)
	}
}

func (s *total) row(text *strings.Builder, scenario, dialect string) {
	fmt.Fprintf(text, "| %s | %s | %d | %d | %d | %d | %d | %d |\n", scenario, dialect, s.runs, s.kills, s.doubts, s.writes, s.unknown, s.violations)
}

func tally(text *strings.Builder, what, count string, counts map[string]int) {
	fmt.Fprintf(text, "\n| %s | %s |\n|---|---:|\n", what, count)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(text, "| %s | %d |\n", name, counts[name])
	}
}

// writeTables puts the tables between the marks of a page, with the command that
// made them.
func writeTables(path, tables string) error {
	const begin, end = "<!-- torture -->\n", "<!-- /torture -->"
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks for the tables", path)
	}
	made := fmt.Sprintf("`make torture RUNS=%d ROWS=%d SEED=%d`:\n\n", *runs, *rowsEach, *seed)
	return os.WriteFile(path, []byte(head+begin+made+tables+end+tail), 0o644)
}
