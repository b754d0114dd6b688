package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestDiffLeadsBack has somebody change a directory at random. The change set of
// the directory and an earlier export takes it back, so that the two are the
// same; what it announces is what apply sends.
func TestDiffLeadsBack(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		for _, ext := range []string{"csv", "jsonl"} {
			for seed := range uint64(2) {
				t.Run(fmt.Sprint(dialect, " ", ext, " ", seed), func(t *testing.T) {
					b := newBench(t, sandbox.Options{Dialect: dialect, Seed: 40})
					im, _ := b.prepare("userName\nx\n", b.dialect(dialect, nil))
					path := filepath.Join(b.dir, "old."+ext)
					_, err := everybodyIn(im).WriteTo(t.Context(), t.Context(), pipeline.File{Path: path, Format: ext, Schema: im.Rules.Schema}, nil)
					if err != nil {
						t.Fatal(err)
					}
					if none := b.diffLive(im, path, nil); none.Differ() {
						t.Fatalf("an export differs from where it came from: %+v", none)
					}
					done := meddle(t, im.Client, rand.New(rand.NewPCG(seed, 7)))
					lines := []any{scim.Object{"format": scim.Number("1")}}
					found := b.diffLive(im, path, func(d *pipeline.Delta) error {
						l := plan.NewLine(int64(len(lines)), "User", d.Key, &d.Change, false)
						if l.Op != plan.ActCreate {
							l.Seen, l.Partial = d.Seen, true
						}
						lines = append(lines, l)
						return nil
					})
					if got := [3]int64{found.Came, found.Went, found.Changed}; got != done {
						t.Errorf("came, went and changed: %v, want %v", got, done)
					}
					sent := b.run(b.apply(b.planFile(lines...), pipeline.ChangeSet{Drift: plan.DriftAny}, b.dialect(dialect, nil)))
					if sent.Counts[pipeline.Created] != done[0] || sent.Counts[pipeline.Deleted] != done[1] || sent.Counts[pipeline.Updated] != done[2] {
						t.Errorf("apply did %v", sent.Counts)
					}
					if left := b.diffLive(im, path, nil); left.Differ() {
						t.Errorf("after apply there differ: %+v", left)
					}
				})
			}
		}
	}
}

func everybodyIn(im *pipeline.Import) *pipeline.Export {
	return &pipeline.Export{
		Client: im.Client, Profile: im.Profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude,
		Workers: 4, Meter: &pipeline.Meter{}, Thorough: true,
	}
}

// diffLive compares the directory with an export, which is the newer state: what
// comes is what somebody has deleted.
func (b *bench) diffLive(im *pipeline.Import, path string, emit func(*pipeline.Delta) error) *pipeline.Compared {
	b.t.Helper()
	in, err := rows.Open(path, rows.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer in.Close()
	schema := im.Rules.Schema
	file, err := pipeline.FileState("old", in, "User", "userName", schema)
	if err != nil {
		b.t.Fatal(err)
	}
	file.Whole = true
	target, err := schema.Resolve(scim.Path{Attr: "userName"})
	if err != nil {
		b.t.Fatal(err)
	}
	if emit == nil {
		emit = func(*pipeline.Delta) error { return nil }
	}
	c := &pipeline.Comparison{
		Rules: plan.Rules{Schema: schema}, Old: pipeline.LiveState("live", everybodyIn(im)), New: file, Match: target, Meter: &pipeline.Meter{},
	}
	result, err := c.Run(context.Background(), emit)
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// meddle deletes, changes and creates people, and says how many it was of each,
// as seen from the export: who comes back, who goes again, whom it changes.
func meddle(t *testing.T, client *scim.Client, random *rand.Rand) (done [3]int64) {
	t.Helper()
	var people []scim.Resource
	for _, filter := range []string{"", "active eq false"} {
		for r, err := range client.All(t.Context(), scim.Users, scim.ListOptions{Filter: filter}) {
			if err != nil {
				t.Fatal(err)
			}
			people = append(people, r)
		}
	}
	random.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	seen := map[string]bool{}
	for i, r := range people {
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		o, err := scim.DecodeObject(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		var op scim.PatchOperation
		switch random.IntN(10) {
		case 0:
			if _, err := client.Delete(t.Context(), scim.Users, r.ID, ""); err != nil {
				t.Fatal(err)
			}
			done[0]++
			continue
		case 1:
			op = scim.PatchOperation{Op: "replace", Path: "active", Value: o["active"] != true}
		case 2:
			op = scim.PatchOperation{Op: "replace", Path: "title", Value: fmt.Sprintf("Captain %d", i)}
		case 3:
			op = scim.PatchOperation{Op: "replace", Path: "userName", Value: fmt.Sprintf("renamed%d@example.com", i)}
		case 4:
			op = scim.PatchOperation{Op: "replace", Path: "phoneNumbers", Value: []any{scim.Object{"type": "work", "value": fmt.Sprintf("+4930231251%02d", i)}}}
		default:
			continue
		}
		body, err := scim.EncodePatch([]scim.PatchOperation{op})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Patch(t.Context(), scim.Users, r.ID, body, ""); err != nil {
			t.Fatal(err)
		}
		done[2]++
	}
	for i := range 3 {
		body := fmt.Sprintf(`{"schemas":[%q],"userName":"somebody%d@example.com","displayName":"Somebody"}`, scim.UserURN, i)
		if _, err := client.Create(t.Context(), scim.Users, []byte(body)); err != nil {
			t.Fatal(err)
		}
		done[1]++
	}
	return done
}
