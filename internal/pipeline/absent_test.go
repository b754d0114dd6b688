package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// leaving sets what happens to people whom the file does not hold.
func leaving(mode string) func(*pipeline.Import) {
	return func(im *pipeline.Import) { im.Absent = mode }
}

// ops maps columns to the attributes of their names, and the column op.
func ops(t *testing.T, columns ...string) func(*pipeline.Import) {
	t.Helper()
	text := "op: op\nattributes:\n"
	for _, c := range columns {
		text += "  " + c + ": " + c + "\n"
	}
	m := compile(t, text, append(columns, "op")...)
	return func(im *pipeline.Import) { im.Mapping = m }
}

func mustFilter(t *testing.T, text string) scim.Filter {
	t.Helper()
	f, err := scim.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// attempt surveys an import and finds the absent, and runs it unless that is
// refused.
func (b *bench) attempt(im *pipeline.Import, recorded *results) (*pipeline.Totals, *pipeline.Absent, error) {
	b.t.Helper()
	ctx := context.Background()
	if !im.DryRun {
		log, err := journal.Create(b.t.TempDir(), journal.Header{Run: "test", Command: "import"})
		if err != nil {
			b.t.Fatal(err)
		}
		defer log.Close()
		im.Log = log
	}
	survey, err := im.Survey(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	if im.Reading, err = im.FindAbsent(ctx, survey); err != nil {
		return nil, nil, err
	}
	defer im.Reading.Close()
	totals, err := im.Run(ctx, ctx, survey)
	if err != nil {
		b.t.Fatal(err)
	}
	b.conserves(totals, recorded)
	if a := totals.Absent; a.Mode == pipeline.AbsentDeactivate && a.Kept+a.Counts.Sum()+a.Pending != a.Found {
		b.t.Errorf("%d are absent, outcomes %v, %d kept, %d pending", a.Found, a.Counts, a.Kept, a.Pending)
	}
	return totals, survey.Absent, nil
}

const fiveOfThem = `userName,displayName,title,externalId,userType,active
ann@example.com,Ann,Agent,1,Employee,true
bob@example.com,Bob,Agent,2,Employee,true
cat@example.com,Cat,Agent,3,Contractor,true
dan@example.com,Dan,Agent,4,Employee,false
eve@example.com,Eve,Admin,5,Employee,true
`

func TestWhoIsAbsent(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
		change           func(*pipeline.Import)
	}{
		{"those whom no row names", "userName,title\nann@example.com,Lead\nBOB@example.com,Lead\n", "cat eve", nil},
		{"nobody", fiveOfThem, "", nil},
		{"whom a faulty row names is not", "userName,active\nann@example.com,perhaps\nbob@example.com,true\neve@example.com,true\n", "cat", nil},
		{"nor whom a second row of a key names", "userName,title\nann@example.com,Lead\nann@example.com,Boss\neve@example.com,x\n", "bob cat", nil},
		{"nor who has got another userName", "userName,externalId,displayName\nann.new@example.com,1,Ann\neve@example.com,5,Eve\n", "bob cat", nil},
		{"nor whom a row deletes", "userName,op\nann@example.com,delete\neve@example.com,upsert\n", "bob cat", ops(t, "userName")},
		{"among those whom a filter selects", "userName\nann@example.com\n", "bob eve", func(im *pipeline.Import) {
			im.Filter = mustFilter(t, `userType eq "employee"`)
		}},
		{"but not whom a filter protects", "userName\nann@example.com\n", "bob cat (eve)", func(im *pipeline.Import) {
			im.Rules.Protected = []scim.Filter{mustFilter(t, `title eq "Admin"`)}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.run(b.prepare(fiveOfThem, nil))
			before := b.commits()
			set := func(dry bool) func(*pipeline.Import) {
				return func(im *pipeline.Import) {
					im.DryRun = dry
					leaving(pipeline.AbsentDeactivate)(im)
					if tc.change != nil {
						tc.change(im)
					}
				}
			}
			announced, absent, err := b.attempt(b.prepare(tc.text, set(true)))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.commits(); !maps.Equal(got, before) {
				t.Fatalf("a dry run wrote: %v", got)
			}
			if got := names(absent); got != tc.want {
				t.Errorf("absent: %q, want %q", got, tc.want)
			}
			b.forget(before)
			done, _, err := b.attempt(b.prepare(tc.text, set(false)))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(announced.Writes, done.Writes) || !maps.Equal(announced.Absent.Counts, done.Absent.Counts) {
				t.Errorf("announced %v %v, did %v %v", announced.Writes, announced.Absent.Counts, done.Writes, done.Absent.Counts)
			}
			for name := range strings.FieldsSeq(tc.want) {
				gone := b.commits()["patch "+name+"@example.com"]
				if want := 1; !strings.HasPrefix(name, "(") && gone != want {
					t.Errorf("%s: %d changes, want %d", name, gone, want)
				}
				if strings.HasPrefix(name, "(") && b.commits()["patch "+strings.Trim(name, "()")+"@example.com"] != 0 {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}

// names lists the leavers, those who stay in parentheses.
func names(a *pipeline.Absent) string {
	var list []string
	for _, l := range a.Leavers {
		name, _, _ := strings.Cut(l.Key, "@")
		if l.Kept != "" {
			name = "(" + name + ")"
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

// TestAbsentRefusals: what might turn the wrong people inactive is refused, by a
// plan as by a run; a report is given all the same.
func TestAbsentRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
		faults           []string
		report           bool // may be given
	}{
		{"an empty file", "userName\n", "the file holds nobody", nil, true},
		{"a ragged row", "userName,title\nann@example.com,Lead\nbob@example.com\n", "1 row does not say whom it means (line 3", nil, true},
		{"a row without a key", "userName,title\nann@example.com,Lead\n,Lead\n", "1 row does not say whom it means", nil, true},
		{"a directory that hides people", "userName\nann@example.com\n", "the export is incomplete", []string{"hide-rows=50"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Seed: 250, Faults: tc.faults})
			for _, dry := range []bool{true, false} {
				_, _, err := b.attempt(b.prepare(tc.text, both(leaving(pipeline.AbsentDeactivate), func(im *pipeline.Import) { im.DryRun = dry })))
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("dry run %t: %v, want %q", dry, err, tc.want)
				}
			}
			if n := len(b.commits()); n > 250+12 {
				t.Errorf("%d changes", n)
			}
			_, absent, err := b.attempt(b.prepare(tc.text, both(leaving(pipeline.AbsentReport), dryRun)))
			var gaps *pipeline.IncompleteError
			if tc.report != (err == nil) || !tc.report && !errors.As(err, &gaps) {
				t.Errorf("a report: %v", err)
			}
			if tc.report && len(absent.Leavers) < 100 {
				t.Errorf("%d are absent of 250", len(absent.Leavers))
			}
		})
	}
}

// TestAbsentInBothDialects: the leavers of a directory that lists its inactive
// people apart are those of one that does not, a leaver costs one request beside
// the reading, and a second run finds nobody.
func TestAbsentInBothDialects(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Dialect: dialect})
			speak := b.dialect(dialect, nil)
			b.run(b.prepare(staffed(60, "Agent", "Sales"), speak))
			b.run(b.prepare("userName,active\np50@example.com,false\np51@example.com,false\n", speak))
			before := b.commits()
			set := func(dry bool) func(*pipeline.Import) {
				return both(func(im *pipeline.Import) { im.DryRun = dry }, speak, leaving(pipeline.AbsentDeactivate))
			}
			text := staffed(40, "Lead", "Sales")
			announced, _, err := b.attempt(b.prepare(text, set(true)))
			if err != nil {
				t.Fatal(err)
			}
			done, absent, err := b.attempt(b.prepare(text, set(false)))
			if err != nil {
				t.Fatal(err)
			}
			if len(absent.Leavers) != 18 || done.Absent.Counts[pipeline.Deactivated] != 18 || done.Counts[pipeline.Updated] != 40 {
				t.Errorf("%d absent, %v; rows %v", len(absent.Leavers), done.Absent.Counts, done.Counts)
			}
			if !maps.Equal(announced.Writes, done.Writes) {
				t.Errorf("announced %v, sent %v", announced.Writes, done.Writes)
			}
			if reads := done.Requests.GET; reads > 12 {
				t.Errorf("%d reads, for a reading of the directory", reads)
			}
			b.forget(before)
			for i := range 60 {
				changes := b.commits()[fmt.Sprintf("patch p%d@example.com", i)]
				if want := 1; changes != want && !slices.Contains([]int{50, 51}, i) {
					t.Errorf("p%d: %d changes, want %d", i, changes, want)
				}
			}
			if again, absent, err := b.attempt(b.prepare(text, set(true))); err != nil || len(absent.Leavers) > 0 || len(again.Writes) > 0 {
				t.Errorf("a plan right after the run: %v, %s leave, writes %v", err, names(absent), again.Writes)
			}
		})
	}
}

// TestRowsKeepWhomTheyMust: --protect and the caller's own account stand against
// every kind of row, in a plan as in a run.
func TestRowsKeepWhomTheyMust(t *testing.T) {
	rows := "userName,title,active,op\n" +
		"ann@example.com,Agent,true,delete\nbob@example.com,Agent,true,deactivate\n" +
		"cat@example.com,Boss,false,upsert\neve@example.com,Admin,false,replace\n" +
		"dan@example.com,Agent,false,upsert\n"
	for _, tc := range []struct {
		name, protect, me string
		kept              []string
	}{
		{"nobody", "", "", nil},
		{"whom a filter selects", `userName sw "ann" or externalId eq "2"`, "", []string{"ann", "bob"}},
		{"what an update would turn off", `title eq "agent" and userType eq "Contractor"`, "", []string{"cat"}},
		{"what a replacement would turn off", `title eq "Admin"`, "", []string{"eve"}},
		{"oneself", "", "bob@example.com", []string{"bob"}},
		{"a caller who is not there", "", "ghost@example.com", nil},
	} {
		for _, lookup := range []string{pipeline.LookupEach, pipeline.LookupDirectory} {
			t.Run(tc.name+"/"+lookup, func(t *testing.T) {
				b := newBench(t, sandbox.Options{Me: tc.me})
				b.run(b.prepare(fiveOfThem, nil))
				before := b.commits()
				set := func(dry bool) func(*pipeline.Import) {
					return both(ops(t, "userName", "title", "active"), func(im *pipeline.Import) {
						im.DryRun, im.Lookup = dry, lookup
						if tc.protect != "" {
							im.Rules.Protected = []scim.Filter{mustFilter(t, tc.protect)}
						}
					})
				}
				imPlan, planned := b.prepare(rows, set(true))
				announced := b.run(imPlan, planned)
				b.forget(before)
				imRun, ran := b.prepare(rows, set(false))
				done := b.run(imRun, ran)
				if !maps.Equal(announced.Writes, done.Writes) || !maps.Equal(announced.Counts, done.Counts) {
					t.Errorf("announced %v %v, did %v %v", announced.Writes, announced.Counts, done.Writes, done.Counts)
				}
				var kept []string
				for _, r := range ran.list {
					name, _, _ := strings.Cut(r.Key, "@")
					if r.Outcome == pipeline.Rejected {
						kept = append(kept, name)
						if r.Class != "permission" || !strings.Contains(r.Detail, "neither deleted nor turned inactive") && !strings.Contains(r.Detail, "kept by --protect") {
							t.Errorf("%s: %s: %s", r.Key, r.Class, r.Detail)
						}
					}
				}
				slices.Sort(kept)
				if !slices.Equal(kept, tc.kept) {
					t.Errorf("kept %q, want %q", kept, tc.kept)
				}
				for _, name := range tc.kept {
					for op := range b.commits() {
						if strings.HasSuffix(op, name+"@example.com") {
							t.Errorf("%s is kept: %s", name, op)
						}
					}
				}
			})
		}
	}
}

// TestPlansKeepWhomTheyMust: what was planned before somebody was protected is
// not carried out.
func TestPlansKeepWhomTheyMust(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.run(b.prepare(fiveOfThem, nil))
	im, recorded := b.prepare("userName,op\nann@example.com,delete\nbob@example.com,deactivate\n", both(ops(t, "userName"), dryRun))
	b.run(im, recorded)
	before := b.commits()
	applied, results := b.apply(b.planned(recorded), pipeline.ChangeSet{Drift: "any"}, func(im *pipeline.Import) {
		im.Rules.Protected = []scim.Filter{mustFilter(t, `externalId eq "1"`)}
	})
	b.run(applied, results)
	b.forget(before)
	if got := b.commits(); len(got) != 1 || got["patch bob@example.com"] != 1 {
		t.Errorf("commits %v", got)
	}
}
