package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"scimbulk/internal/report"
)

// summaryOf runs a command line, with --json, and reads its summary.
func summaryOf(t *testing.T, args ...string) *report.Summary {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir()) // nothing is known of the directory
	var out, errs bytes.Buffer
	run(context.Background(), append(args, "--json", "--quiet"), streams{in: strings.NewReader(""), out: &out, err: &errs})
	s := &report.Summary{}
	if err := json.Unmarshal(out.Bytes(), s); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return s
}

// peopleFile is a file of the people from one number to another.
func peopleFile(from, to int, title string) string {
	var b strings.Builder
	b.WriteString("userName,displayName,title\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "p%d@example.com,Person %d,%s\n", i, i, title)
	}
	return b.String()
}

// TestThePlanForeseesTheRequests: the requests that a plan announces are those
// that the import sends, its reads among them, though the plan's own differ.
func TestThePlanForeseesTheRequests(t *testing.T) {
	const there = 400
	newcomers := there + 10_000
	names := func(text string) string { return strings.ReplaceAll(text, "displayName", "_name") }
	tests := []struct {
		name, file string
		args       []string
	}{
		{name: "new hires", file: peopleFile(newcomers, newcomers+30, "Agent")},
		{name: "some of them there", file: peopleFile(there-3, there+27, "Agent")},
		{name: "everybody, some changed", file: peopleFile(0, 120, "Lead") + strings.TrimPrefix(peopleFile(120, there, "Agent"), peopleFile(0, 0, ""))},
		{name: "a handful", file: peopleFile(there-2, there+2, "Boss")},
		{name: "read back", file: peopleFile(there-120, there, "Chief"), args: []string{"--verify", "all"}},
		{name: "a sample read back", file: peopleFile(there-120, there, "Head"), args: []string{"--verify", "sample"}},
		{name: "turned inactive", file: names(peopleFile(20, 50, "")), args: []string{"--op", "deactivate"}},
		{name: "deleted", file: names(peopleFile(100, 190, "")), args: []string{"--op", "delete"}},
		{name: "a few deleted", file: names(peopleFile(200, 203, "")), args: []string{"--op", "delete"}},
	}
	for _, how := range []string{"rfc", "rfc --no-bulk", "genesys"} {
		t.Run(how, func(t *testing.T) {
			t.Chdir(t.TempDir())
			in := func(text string) []string {
				if err := os.WriteFile("in.csv", []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return append([]string{"in.csv", "--sandbox=box", "--provider"}, strings.Fields(how)...)
			}
			summaryOf(t, append([]string{"import"}, in(peopleFile(0, there, "Agent"))[:4]...)...)
			for _, tt := range tests {
				line := append(in(tt.file), tt.args...)
				planned := summaryOf(t, append([]string{"plan"}, line...)...)
				done := summaryOf(t, append([]string{"import", "--yes"}, line...)...)
				if planned.Reads != done.Requests.GET || planned.Expected == nil || planned.Expected.Requests != done.Requests.Total {
					t.Errorf("%s: %d reads planned (%d were its own) and %+v in all; sent %+v\nplanned: %s %s\ndone: %s %s", tt.name,
						planned.Reads, planned.Requests.GET, planned.Expected, done.Requests, planned.Lookup, planned.Bulk, done.Lookup, done.Bulk)
				}
			}
		})
	}
}
