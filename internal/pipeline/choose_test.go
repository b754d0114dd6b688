package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// served lets an import know the schema as the directory serves it.
func served(t *testing.T, change func(*pipeline.Import)) func(*pipeline.Import) {
	return func(im *pipeline.Import) {
		t.Helper()
		docs, err := im.Client.Schemas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		schemas, err := scim.ParseSchemas(docs)
		if err != nil {
			t.Fatal(err)
		}
		im.Rules.Schema = scim.NewResourceSchema("User", schemas)
		if change != nil {
			change(im)
		}
	}
}

// titles is a file with the people from one number to another, one in every so
// many with another title.
func titles(from, to, every int) string {
	var b strings.Builder
	b.WriteString("userName,title\n")
	for i := from; i < to; i++ {
		title := "Agent"
		if every > 0 && i%every == 0 {
			title = "Lead"
		}
		fmt.Fprintf(&b, "p%d@example.com,%s\n", i, title)
	}
	return b.String()
}

// TestRequests holds the number of requests to what the change sets are worth,
// with the proportions, if not the sizes, of real directories.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		there int
		cap   int // resources in a page
		file  string
		most  int64 // requests, reads and writes
	}{
		{"a few changes in a whole directory", 1000, 100, titles(0, 1000, 100), 2 + 11 + 1}, // schema and features, pages that share one of their people, a bulk request
		{"new hires into a large directory", 1500, 3, titles(1500, 1800, 0), 300 + 50},
		{"half of them there", 1500, 30, titles(1400, 1600, 0), 50 + 100 + 40},
		{"nothing there", 0, 100, titles(0, 500, 0), 500 + 5},
		{"a handful", 1000, 20, titles(0, 3, 1), 3 + 3 + 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{PageCap: tc.cap})
			if tc.there > 0 {
				b.run(b.prepare(titles(0, tc.there, 0), nil))
			}
			planned := b.run(b.prepare(tc.file, served(t, func(im *pipeline.Import) { im.DryRun = true })))
			done := b.run(b.prepare(tc.file, served(t, nil)))
			q := done.Requests
			if total := q.GET + q.POST + q.PATCH; total > tc.most {
				t.Errorf("%d requests (%+v), at most %d would do; chosen: %s", total, q, tc.most, done.Lookup)
			}
			if fmt.Sprint(planned.Writes) != fmt.Sprint(done.Writes) || fmt.Sprint(planned.Counts) != fmt.Sprint(done.Counts) {
				t.Errorf("planned %v %v, done %v %v", planned.Counts, planned.Writes, done.Counts, done.Writes)
			}
		})
	}
}

// TestRowsThatMakeNobody are looked up, however few of them are there: the few
// whom a sample misses are carried out like the plan says.
func TestRowsThatMakeNobody(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]pipeline.Counts{
		"delete":     {pipeline.Deleted: 1, pipeline.Skipped: 299},
		"deactivate": {pipeline.Deactivated: 1, pipeline.Rejected: 299},
		"patch":      {pipeline.Updated: 1, pipeline.Rejected: 299},
		"replace":    {pipeline.Replaced: 1, pipeline.Rejected: 299},
	} {
		t.Run(op, func(t *testing.T) {
			b := newBench(t, sandbox.Options{PageCap: 3})
			b.run(b.prepare(titles(0, 1500, 0), nil))
			file := titles(5000, 5007, 0) + "p7@example.com,Lead\n" + strings.TrimPrefix(titles(5007, 5299, 0), "userName,title\n")
			header := []string{"userName", "title"}
			m, err := mapping.Auto(header, nil, "User").Compile(header, false, mapping.Options{Op: op})
			if err != nil {
				t.Fatal(err)
			}
			with := func(im *pipeline.Import) { im.Mapping = m }
			planned := b.run(b.prepare(file, served(t, func(im *pipeline.Import) { with(im); im.DryRun = true })))
			done := b.run(b.prepare(file, served(t, with)))
			if fmt.Sprint(done.Counts) != fmt.Sprint(want) || fmt.Sprint(planned.Counts) != fmt.Sprint(want) {
				t.Errorf("planned %v, done %v; want %v (%s)", planned.Counts, done.Counts, want, done.Lookup)
			}
		})
	}
}

// TestNamesThatFiltersCannotCopeWith updates a few people whose names are too
// much for the filters of a directory: each is found all the same.
func TestNamesThatFiltersCannotCopeWith(t *testing.T) {
	names := []string{`o'brien@example.com`, `""Q""@example.com`, `back\slash@example.com`, `plus+one@example.com`}
	file := func(title string) string {
		text := "userName,title\n"
		for _, name := range names {
			text += `"` + name + `",` + title + "\n"
		}
		return text
	}
	for _, fault := range []string{"quote-in-filter=400", "quote-in-filter=500", "quote-in-filter=empty", "case-sensitive-lookup", "double-decode", "ignore-filter"} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a 500 to a look-up is asked again
				b := newBench(t, sandbox.Options{Faults: []string{fault}})
				b.run(b.prepare(strings.ToUpper(file("Agent")), func(im *pipeline.Import) {
					im.Mapping = compile(t, "attributes: {userName: USERNAME, title: TITLE}\n", "USERNAME", "TITLE")
				}))
				done := b.run(b.prepare(file("Lead"), nil))
				if done.Counts[pipeline.Updated] != int64(len(names)) {
					t.Errorf("%v (%v)", done.Counts, done.Cause)
				}
			})
		})
	}
}

// TestLookups runs one change set in every way of finding out who is there, on
// directories whose look-ups cannot be trusted.
func TestLookups(t *testing.T) {
	for _, lookup := range []string{pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupDirectory} {
		for _, fault := range []string{"", "ignore-filter", "ignore-attributes", "short-pages=3", "capped-total=20"} {
			if fault == "ignore-filter" && lookup == pipeline.LookupEach {
				continue // refuses, rightly
			}
			t.Run(lookup+" "+fault, func(t *testing.T) {
				o := sandbox.Options{}
				if fault != "" {
					o.Faults = []string{fault}
				}
				b := newBench(t, o)
				b.run(b.prepare(titles(0, 150, 0), nil))
				done := b.run(b.prepare(titles(50, 200, 10), func(im *pipeline.Import) { im.Lookup = lookup }))
				want := pipeline.Counts{pipeline.Updated: 10, pipeline.Unchanged: 90, pipeline.Created: 50}
				if fmt.Sprint(done.Counts) != fmt.Sprint(want) || done.Cause != nil {
					t.Errorf("%v (%v), want %v", done.Counts, done.Cause, want)
				}
			})
		}
	}
}
