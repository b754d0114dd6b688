package pipeline_test

import (
	"fmt"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestPlannedReferences applies plans whose new people refer to each other: the
// plan could not know their ids.
func TestPlannedReferences(t *testing.T) {
	for _, tc := range []struct {
		name  string
		there []string // in the directory before
		file  []string
		want  map[string]string
	}{
		{"upwards", nil, []string{"a", "b>a", "c>b", "d>c", "e>a"}, map[string]string{"b": "a", "c": "b", "d": "c", "e": "a"}},
		{"downwards", nil, []string{"d>c", "c>b", "b>a", "a"}, map[string]string{"b": "a", "c": "b", "d": "c"}},
		{"a ring", nil, []string{"a>c", "b>a", "c>b"}, map[string]string{"a": "c", "b": "a", "c": "b"}},
		{"their own", nil, []string{"a>a", "b>a"}, map[string]string{"a": "a", "b": "a"}},
		{"old and new", []string{"x", "y>x"}, []string{"x>n", "n>y", "y>n"}, map[string]string{"x": "n", "n": "y", "y": "n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			if tc.there != nil {
				b.run(b.prepare(staff(tc.there...), withManagers(t, "skip", nil)))
			}
			im, recorded := b.prepare(staff(tc.file...), withManagers(t, "skip", both(dryRun, b.dialect("rfc", nil))))
			b.run(im, recorded)
			path := b.planned(recorded)
			im, recorded = b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", nil))
			if done := b.run(im, recorded); done.Counts[pipeline.Rejected] > 0 {
				for _, r := range recorded.list {
					t.Errorf("%s is %s: %s", r.Key, r.Outcome, r.Detail)
				}
			}
			if got := b.managers(); fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("managers %v, want %v", got, tc.want)
			}
			again := b.run(b.apply(path, pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", nil)))
			if len(again.Writes) != 0 {
				t.Errorf("applied again it sends %v", again.Writes)
			}
		})
	}
}

// TestPromisesThatAreNotKept: who refers to somebody that was not created is
// rejected, and so are those who refer to each other.
func TestPromisesThatAreNotKept(t *testing.T) {
	person := func(line, name, manager string) scim.Object {
		body := scim.Object{"userName": name, "schemas": []any{scim.UserURN}}
		if manager != "" {
			body[scim.EnterpriseURN] = scim.Object{"manager": scim.Object{"value": "(the id of line " + manager + ")"}}
		}
		return scim.Object{"line": scim.Number(line), "op": "create", "resource": "User", "key": name, "body": body}
	}
	header := scim.Object{"format": scim.Number("1")}
	for _, tc := range []struct {
		name   string
		lines  []any
		counts pipeline.Counts
	}{
		{"a line that the plan does not hold", []any{header, person("2", "a", ""), person("3", "b", "9")},
			pipeline.Counts{pipeline.Created: 1, pipeline.Rejected: 1}},
		{"two that need each other", []any{header, person("2", "a", "3"), person("3", "b", "2"), person("4", "c", "")},
			pipeline.Counts{pipeline.Created: 1, pipeline.Rejected: 2}},
		{"one who was rejected", []any{header, person("2", "", ""), person("3", "b", "2")},
			pipeline.Counts{pipeline.Rejected: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			done := b.run(b.apply(b.planFile(tc.lines...), pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect("rfc", nil)))
			if fmt.Sprint(done.Counts) != fmt.Sprint(tc.counts) {
				t.Errorf("%v, want %v", done.Counts, tc.counts)
			}
		})
	}
}
