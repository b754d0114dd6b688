package pipeline_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/rows"
	"scimbulk/internal/sandbox"
)

// patch makes an import of whom a filter selects, who get the title Chosen.
func (b *bench) patch(filter string, change func(*pipeline.Import)) (*pipeline.Import, *results, *pipeline.Choice) {
	b.t.Helper()
	im, recorded := b.prepare("userName\nx\n", change)
	im.Chosen = true
	im.Mapping = compile(b.t, "match: id\nop: patch\nattributes:\n  id: id\n  title: {value: Chosen}\n", "id", "_name")
	path := filepath.Join(b.t.TempDir(), "chosen.csv")
	file, err := os.Create(path)
	if err != nil {
		b.t.Fatal(err)
	}
	out := csv.NewWriter(file)
	out.Write([]string{"id", "_name"})
	choice, err := im.Choose(context.Background(), mustFilter(b.t, filter), func(id, name string) error { return out.Write([]string{id, name}) })
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(choice.Reading.Close)
	out.Flush()
	file.Close()
	im.Reading = choice.Reading
	im.Open = func() (*rows.Reader, error) { return rows.Open(path, rows.Options{Encoding: "utf-8", Delimiter: ','}) }
	return im, recorded, choice
}

// TestChosenByAFilter changes whom a filter selects, and nobody else, whatever
// the directory makes of filters: what a dry run announces is what the run
// sends, and a change costs one request beside the reading.
func TestChosenByAFilter(t *testing.T) {
	for _, tc := range []struct {
		name, dialect string
		filter        string
		faults        []string
		want          string // of the people p0 to p9
		others        bool   // sent by the directory without fitting
	}{
		{"one attribute", "rfc", `enterprise:department eq "sales"`, nil, "p1 p3 p5 p7 p9", false},
		{"by another path", "rfc", `department eq "Sales" and not (userName sw "p9")`, nil, "p1 p3 p5 p7", false},
		{"where filters are ignored", "rfc", `enterprise:department eq "Sales"`, []string{"ignore-filter"}, "p1 p3 p5 p7 p9", true},
		{"where attributes are ignored", "rfc", `title eq "Agent" and userName ew "2@example.com"`, []string{"ignore-attributes"}, "p2", false},
		{"inactive people too", "rfc", `active eq false`, nil, "p4 p5", false},
		{"nobody", "rfc", `title eq "Nobody"`, nil, "", false},
		{"genesys, by a name", "genesys", `userName eq "p3@example.com"`, nil, "p3", false},
		{"genesys, by what it may not filter by", "genesys", `enterprise:department eq "Sales" and displayName co "P"`, nil, "p1 p3 p5 p7 p9", false},
		{"genesys, inactive people", "genesys", `active eq false`, nil, "p4 p5", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Dialect: tc.dialect, Faults: tc.faults, PageCap: 5})
			speak := b.dialect(tc.dialect, nil)
			text := "userName,displayName,title,enterprise:department,active\n"
			for i := range 10 {
				text += fmt.Sprintf("p%d@example.com,P %d,Agent,%s,true\n", i, i, []string{"Support", "Sales"}[i%2])
			}
			each := func(im *pipeline.Import) { im.Lookup = pipeline.LookupDirectory }
			b.run(b.prepare(text, both(speak, each)))
			b.run(b.prepare("userName,active\np4@example.com,false\np5@example.com,false\n", both(speak, each)))
			before := b.commits()
			im, recorded, _ := b.patch(tc.filter, both(dryRun, speak))
			announced := b.run(im, recorded)
			if got := b.commits(); !maps.Equal(got, before) {
				t.Fatalf("a dry run wrote: %v", got)
			}
			b.forget(before)
			im, recorded, choice := b.patch(tc.filter, speak)
			gets := im.Client.Stats().GET
			done := b.run(im, recorded)
			if !maps.Equal(announced.Writes, done.Writes) || !maps.Equal(announced.Counts, done.Counts) {
				t.Errorf("announced %v %v, did %v %v", announced.Writes, announced.Counts, done.Writes, done.Counts)
			}
			if more := im.Client.Stats().GET - gets; more != 0 {
				t.Errorf("%d reads beside the reading", more)
			}
			var got []string
			for key, n := range b.commits() {
				name, _, _ := strings.Cut(strings.TrimPrefix(key, "patch "), "@")
				got = append(got, name)
				if n != 1 {
					t.Errorf("%s: %d", key, n)
				}
			}
			if slices.Sort(got); strings.Join(got, " ") != tc.want {
				t.Errorf("changed %q, want %q", got, tc.want)
			}
			if (choice.Others > 0) != tc.others && choice.Refused == "" {
				t.Errorf("%d people came who do not fit", choice.Others)
			}
			for _, r := range recorded.list {
				if !strings.HasPrefix(r.Key, "p") {
					t.Errorf("the key is %s, which nobody can read", r.Key)
				}
			}
		})
	}
}
