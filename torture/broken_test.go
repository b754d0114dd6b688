package torture

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var broken = flag.Bool("broken", false, "torture builds with a defect, and want them caught")

// A defect is a build that is wrong on purpose, and where that shows.
type defect struct {
	build
	arena  string // scenario/dialect
	faults []string
}

// defects are the mistakes that tools of this kind make.
func defects() []defect {
	const pipeline = "internal/pipeline"
	return []defect{
		{
			build: build{name: "intent-after-send", edits: []edit{{
				folder: pipeline, function: "(w *row) sendOnce(",
				old: "if !travelled.recorded {\n\t\tif err := w.intents.record(ctx, intent); err != nil {\n\t\t\treturn nil, err\n\t\t}\n\t\tdefer w.intents.answered(ctx)\n\t}\n\treturn w.send(ctx, body)",
				new: "resp, err := w.send(ctx, body)\n\tif err := w.intents.record(ctx, intent); err != nil {\n\t\treturn nil, err\n\t}\n\tw.intents.answered(ctx)\n\treturn resp, err",
			}}},
			arena: "create/rfc",
		},
		{
			build: build{name: "blind-retry", edits: []edit{{
				folder: "internal/scim", function: "repeatable(", old: "e.Verdict() != NotProcessed", new: "e.Verdict() == Definite",
			}}},
			arena: "create where keys are not unique/rfc", faults: []string{"reset-after-commit=0.05"},
		},
		{
			build: build{name: "exists-taken-at-its-word", edits: []edit{{
				folder: pipeline, function: "(w *row) ours(", old: "return young || w.absent &&", new: "return w.murky && young || w.murky && w.absent &&",
			}}},
			arena: "create/genesys",
		},
		{
			build: build{name: "no-settle-window", edits: []edit{{
				folder: pipeline, function: "(w *row) unsettled(", old: "return !harmless &&", new: "return !harmless && w.murky &&",
			}}},
			arena: "create where keys are not unique/rfc", faults: []string{"hang-then-commit=0.02:600ms"},
		},
		{
			build: build{name: "outcome-before-result", edits: []edit{{
				folder: pipeline, function: "(r *run) writeBatch(", old: "if err := r.flush(); err != nil {\n\t\treturn err\n\t}\n", new: "",
			}}},
			arena: "upsert, mixed/rfc",
		},
		{
			build: build{name: "joined-by-nobody", edits: []edit{{
				folder: pipeline, function: "(s *signup) sentBefore(", old: "return sent && joined == in", new: "return false && sent && joined == in",
			}}},
			arena: "people and their groups/rfc",
		},
		{
			build: build{name: "export-in-its-place", edits: []edit{{
				folder: "internal/rows", function: "CreateAt(", old: "os.OpenFile(aside,", new: "os.OpenFile(path,",
			}}},
			arena: "export users, JSONL/rfc",
		},
		{
			build: build{name: "export-forgets-whom-it-has", edits: []edit{{
				folder: pipeline, function: "(x *listing) restoreLine(", old: "x.ids.put(id, place)", new: "x.ids.put(\"?\"+id, place)",
			}}},
			arena: "export users, CSV/rfc",
		},
		{
			build: build{name: "export-reads-all-again", edits: []edit{{
				folder: "cmd/scimbulk", function: "(x *exportRun) marks(", old: "if x.state == nil {", new: "if x.state == nil || true {",
			}}},
			arena: "export users, CSV/rfc",
		},
	}
}

// TestDefectsFitTheCode: a defect that the code has outgrown would show nothing.
func TestDefectsFitTheCode(t *testing.T) {
	top, err := root()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range defects() {
		t.Run(d.name, func(t *testing.T) {
			if _, err := d.edited(top); err != nil {
				t.Error(err)
			}
		})
	}
}

// mostTries is how many trials a defect may take to be caught.
const mostTries = 30

// TestBrokenBuildsAreCaught tortures builds that are wrong on purpose until the
// checker says so: a checker that finds nothing in them would find nothing at
// all.
func TestBrokenBuildsAreCaught(t *testing.T) {
	if !*broken {
		t.Skip("make torture-broken builds and tortures them: it takes a minute or two")
	}
	clean := newBench(t, program(t, stock()), "")
	for _, d := range defects() {
		t.Run(d.name, func(t *testing.T) {
			wrong := program(t, &d.build)
			for n := range uint64(mostTries) {
				tr := clean.against(t, d, wrong, *seed+n)
				o, err := tr.run(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				if len(o.violations) > 0 {
					fmt.Printf("%s, %s: caught after %d trials, %d violations, such as\n  %s\n",
						d.name, d.arena, n+1, len(o.violations), strings.Join(o.violations[:min(3, len(o.violations))], "\n  "))
					return
				}
			}
			t.Errorf("%d trials have found nothing wrong", mostTries)
		})
	}
}

// against makes a trial of a build that is wrong. It is killed from outside.
func (b *bench) against(t *testing.T, d defect, wrong string, seed uint64) *trial {
	t.Helper()
	a := b.arena(t, d.arena)
	g, err := a.ground()
	if err != nil {
		t.Fatal(err)
	}
	s := *a.scenario
	s.faults = append(s.faults[:len(s.faults):len(s.faults)], d.faults...)
	return &trial{
		scenario: &s, wire: a.wire, rows: b.rows, kills: 3, seed: seed, ground: g, plain: true,
		programs: programs{stock: wrong, pointed: wrong},
	}
}
