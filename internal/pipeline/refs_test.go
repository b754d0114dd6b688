package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// staff is a file of people and their managers, each as "name>manager".
func staff(people ...string) string {
	var b strings.Builder
	b.WriteString("userName,boss\n")
	for _, p := range people {
		name, boss, _ := strings.Cut(p, ">")
		fmt.Fprintf(&b, "%s,%s\n", name, boss)
	}
	return b.String()
}

func withManagers(t *testing.T, onMissing string, change func(*pipeline.Import)) func(*pipeline.Import) {
	return func(im *pipeline.Import) {
		t.Helper()
		file, err := mapping.Parse("m.yaml", []byte("attributes:\n  userName: userName\n  enterprise:manager: {column: boss, ref: User.userName, on-missing: "+onMissing+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if im.Mapping, err = file.Compile([]string{"userName", "boss"}, false, mapping.Options{}); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(im)
		}
	}
}

// managers reads who manages whom in a directory.
func (b *bench) managers() map[string]string {
	b.t.Helper()
	im, _ := b.prepare("userName\nx\n", nil)
	names, bosses := map[string]string{}, map[string]string{}
	for r, err := range im.Client.All(context.Background(), scim.Users, scim.ListOptions{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		o, err := scim.DecodeObject(bytes.Clone(r.Raw))
		if err != nil {
			b.t.Fatal(err)
		}
		name := o["userName"].(string)
		names[r.ID] = name
		if enterprise, ok := o[scim.EnterpriseURN].(scim.Object); ok {
			if manager, ok := enterprise["manager"].(scim.Object); ok {
				bosses[name] = manager["value"].(string)
			}
		}
	}
	for name, id := range bosses {
		bosses[name] = names[id]
	}
	return bosses
}

func TestReferences(t *testing.T) {
	for _, tc := range []struct {
		name      string
		there     []string // in the directory before
		file      []string
		onMissing string
		want      map[string]string
		outcomes  pipeline.Counts
		patches   int64
	}{
		{"a manager who comes first", nil, []string{"a", "b>a"}, "skip", map[string]string{"b": "a"}, pipeline.Counts{pipeline.Created: 2}, 0},
		{"a manager who comes later", nil, []string{"b>a", "a"}, "skip", map[string]string{"b": "a"}, pipeline.Counts{pipeline.Created: 2}, 1},
		{"whatever the case", nil, []string{"b>A", "a"}, "skip", map[string]string{"b": "a"}, pipeline.Counts{pipeline.Created: 2}, 1},
		{"one's own manager", nil, []string{"a>a"}, "skip", map[string]string{"a": "a"}, pipeline.Counts{pipeline.Created: 1}, 1},
		{"a cycle of two", nil, []string{"a>b", "b>a"}, "reject", map[string]string{"a": "b", "b": "a"}, pipeline.Counts{pipeline.Created: 2}, 1},
		{"a cycle of five", nil, []string{"a>b", "b>c", "c>d", "d>e", "e>a"}, "reject", map[string]string{"a": "b", "b": "c", "c": "d", "d": "e", "e": "a"}, pipeline.Counts{pipeline.Created: 5}, 4},
		{"a manager in the directory", []string{"a"}, []string{"b>a"}, "reject", map[string]string{"b": "a"}, pipeline.Counts{pipeline.Created: 1}, 0},
		{"nothing to do", []string{"a", "b>a"}, []string{"b>a", "a"}, "reject", map[string]string{"b": "a"}, pipeline.Counts{pipeline.Unchanged: 2}, 0},
		{"another manager, who comes later", []string{"a", "b>a"}, []string{"b>c", "c"}, "reject", map[string]string{"b": "c"}, pipeline.Counts{pipeline.Updated: 1, pipeline.Created: 1}, 1},
		{"nobody, left out", nil, []string{"b>nobody"}, "skip", map[string]string{}, pipeline.Counts{pipeline.Created: 1}, 0},
		{"nobody, kept", nil, []string{"b>nobody"}, "keep", map[string]string{"b": ""}, pipeline.Counts{pipeline.Created: 1}, 0},
		{"nobody, rejected with all who depend", nil, []string{"d>c", "c>b", "b>nobody", "x"}, "reject", map[string]string{}, pipeline.Counts{pipeline.Created: 1, pipeline.Rejected: 3}, 0},
		{"a rejected row that is in the directory", []string{"b"}, []string{"c>b", "b>nobody"}, "reject", map[string]string{"c": "b"}, pipeline.Counts{pipeline.Created: 1, pipeline.Rejected: 1}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			if tc.there != nil {
				im, recorded := b.prepare(staff(tc.there...), withManagers(t, "reject", nil))
				b.run(im, recorded)
			}
			planned := b.run(b.prepare(staff(tc.file...), withManagers(t, tc.onMissing, func(im *pipeline.Import) { im.DryRun = true })))
			im, recorded := b.prepare(staff(tc.file...), withManagers(t, tc.onMissing, nil))
			done := b.run(im, recorded)
			if fmt.Sprint(done.Counts) != fmt.Sprint(tc.outcomes) || done.Writes["PATCH"] != tc.patches {
				t.Errorf("outcomes %v and %d patches, want %v and %d", done.Counts, done.Writes["PATCH"], tc.outcomes, tc.patches)
			}
			if fmt.Sprint(planned.Counts) != fmt.Sprint(done.Counts) || fmt.Sprint(planned.Writes) != fmt.Sprint(done.Writes) {
				t.Errorf("planned %v %v, done %v %v", planned.Counts, planned.Writes, done.Counts, done.Writes)
			}
			if got := b.managers(); fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("managers %v, want %v", got, tc.want)
			}
			for _, r := range recorded.list {
				if r.Outcome == pipeline.Rejected && (r.Class != pipeline.ClassReference || !strings.Contains(r.Detail, "nobody")) {
					t.Errorf("%s is rejected as %s: %s", r.Key, r.Class, r.Detail)
				}
			}
		})
	}
}

// TestRejectedChain says that a row at the end of a chain of rejected managers
// names its own manager and the beginning of the chain, in as many words
// however long that is.
func TestRejectedChain(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	file := []string{"p0>nobody"}
	for i := range 3000 {
		file = append(file, fmt.Sprintf("p%d>p%d", i+1, i))
	}
	im, recorded := b.prepare(staff(file...), withManagers(t, "reject", nil))
	b.run(im, recorded)
	nobody := `boss "nobody" is neither in the directory nor in the file`
	for line, want := range map[int64]string{
		2:    nobody,
		3:    `line 2, which boss "p0" names, is rejected: ` + nobody,
		4:    `line 3, which boss "p1" names, is rejected because line 2 is: ` + nobody,
		3002: `line 3001, which boss "p2999" names, is rejected because line 2 is: ` + nobody,
	} {
		at := slices.IndexFunc(recorded.list, func(r *pipeline.Result) bool { return r.Row.Line == line })
		if at < 0 || recorded.list[at].Detail != want {
			t.Errorf("line %d: %v, want %s", line, recorded.list, want)
		}
	}
}

// TestReferencesInAnyOrder draws files in which anybody may manage anybody, and
// runs them by as many workers as a test can bear.
func TestReferencesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(rt, "people")
		seed := rapid.Uint64().Draw(rt, "seed")
		dice := rand.New(rand.NewPCG(seed, seed))
		want, file := map[string]string{}, make([]string, n)
		for i := range file {
			file[i] = fmt.Sprintf("p%d", i)
			if boss := dice.IntN(n + n/3); boss < n {
				want[file[i]] = fmt.Sprintf("p%d", boss)
				file[i] += fmt.Sprintf(">p%d", boss)
			}
		}
		b := newBench(t, sandbox.Options{})
		planned := b.run(b.prepare(staff(file...), withManagers(t, "reject", func(im *pipeline.Import) { im.DryRun, im.Workers = true, 8 })))
		done := b.run(b.prepare(staff(file...), withManagers(t, "reject", func(im *pipeline.Import) { im.Workers = 8 })))
		if fmt.Sprint(planned.Writes) != fmt.Sprint(done.Writes) || done.Counts[pipeline.Created] != int64(n) {
			rt.Errorf("planned %v %v, done %v %v", planned.Counts, planned.Writes, done.Counts, done.Writes)
		}
		if got := b.managers(); fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Errorf("managers %v, want %v", got, want)
		}
		again := b.run(b.prepare(staff(file...), withManagers(t, "reject", nil)))
		if again.Counts[pipeline.Unchanged] != int64(n) {
			rt.Errorf("the same file again: %v", again.Counts)
		}
	})
}

// TestMissingManagersAreNotHeld: a file of which nobody's manager is there, as of
// another directory, must not take much more memory than any other.
func TestMissingManagersAreNotHeld(t *testing.T) {
	held := func(n int) int64 {
		var text strings.Builder
		text.WriteString("userName,boss\n")
		for i := range n {
			fmt.Fprintf(&text, "p%06d@example.com,boss%06d@another-directory.example.com\n", i, n-i)
		}
		b := newBench(t, sandbox.Options{})
		im, _ := b.prepare(text.String(), withManagers(t, "reject", nil))
		before := heap()
		survey, err := im.Survey(t.Context())
		if err == nil {
			err = im.Resolve(t.Context(), survey)
		}
		if err != nil {
			t.Fatal(err)
		}
		took := heap() - before
		if missing := survey.Unresolved; missing.N != int64(n) || survey.Dependents != int64(n) || !slices.IsSorted(missing.First) ||
			missing.First[0] != `boss "boss000001@another-directory.example.com"` {
			t.Errorf("%d rows: %d names are missing, first %q, and %d rows rejected", n, missing.N, missing.First, survey.Dependents)
		}
		return took
	}
	const rows = 10_000
	if each := (held(2*rows) - held(rows)) / rows; each > 120 {
		t.Errorf("%d bytes a row", each)
	}
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
