package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
)

// TestRenamesMakeNoTwins: a row whose two identities belong to two people is a
// conflict, in a plan as in a run, however the directory is looked at.
func TestRenamesMakeNoTwins(t *testing.T) {
	const staff = "userName,externalId,title\n" +
		"ann@example.com,1,Agent\nbob@example.com,2,Agent\ncat@example.com,3,Agent\ndan@example.com,,Agent\n"
	for _, tc := range []struct {
		name, text string
		match      string
		conflicts  string // keys
		hint       string
		alike      bool // in every mode: it is known without the other's name
	}{
		{"a new name for somebody", "userName,externalId,title\nann.new@example.com,1,Lead\nbob@example.com,2,Lead\n", "userName",
			"ann.new@example.com", "--match externalId changes it", true},
		{"and by the other identity", "userName,externalId,title\nann.new@example.com,1,Lead\nbob@example.com,2,Lead\n", "externalId", "", "", true},
		{"a name that is somebody else's", "userName,externalId,title\ndan@example.com,4,Lead\n", "externalId", "4", "--match userName gives it this externalId", true},
		{"the number of somebody else", "userName,externalId,title\nbob@example.com,1,Lead\n", "userName", "bob@example.com", "belongs to another user", false},
		{"numbers that move on within the file", "userName,externalId,title\nann@example.com,7,Lead\nbob@example.com,1,Lead\nnew@example.com,2,Lead\n", "userName", "", "", true},
		{"a successor", "userName,externalId,op\nann@example.com,1,delete\nann.two@example.com,1,upsert\n", "userName", "", "", true},
		{"one's own", "userName,externalId,title\nANN@example.com,1,Lead\n", "userName", "", "", true},
		{"without a number", "userName,externalId,title\nnew@example.com,,Lead\n", "userName", "", "", true},
		{"a patch of nobody", "userName,externalId,op\nann.new@example.com,1,patch\n", "userName", "ann.new@example.com", "there is none with this key", true},
	} {
		for _, lookup := range []string{pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupDirectory} {
			if lookup != pipeline.LookupDirectory && !tc.alike {
				continue
			}
			t.Run(tc.name+"/"+lookup, func(t *testing.T) {
				b := newBench(t, sandbox.Options{})
				b.run(b.prepare(staff, nil))
				before := b.commits()
				header, _, _ := strings.Cut(tc.text, "\n")
				set := func(dry bool) func(*pipeline.Import) {
					return func(im *pipeline.Import) {
						im.DryRun, im.Lookup, im.OnDuplicate = dry, lookup, pipeline.DuplicateApply
						text := "match: " + tc.match + "\nattributes:\n"
						for c := range strings.SplitSeq(header, ",") {
							if c == "op" {
								text = "op: op\n" + text
								continue
							}
							text += "  " + c + ": " + c + "\n"
						}
						im.Mapping = compile(t, text, strings.Split(header, ",")...)
					}
				}
				announced := b.run(b.prepare(tc.text, set(true)))
				b.forget(before)
				im, recorded := b.prepare(tc.text, set(false))
				done := b.run(im, recorded)
				if !maps.Equal(announced.Writes, done.Writes) || !maps.Equal(announced.Counts, done.Counts) {
					t.Errorf("announced %v %v, did %v %v", announced.Writes, announced.Counts, done.Writes, done.Counts)
				}
				var rejected []string
				for _, r := range recorded.list {
					if r.Outcome == pipeline.Rejected {
						rejected = append(rejected, r.Key)
						if !strings.Contains(r.Detail, tc.hint) || tc.hint == "" || r.Class != "conflict" && r.Class != "missing" {
							t.Errorf("%s is rejected as %s: %s", r.Key, r.Class, r.Detail)
						}
					}
				}
				if slices.Sort(rejected); strings.Join(rejected, " ") != tc.conflicts {
					t.Errorf("rejected %q, want %q", rejected, tc.conflicts)
				}
			})
		}
	}
}

// TestClashesAmongManyNewcomers: where a run sends creates without look-ups,
// nobody sees whose an externalId is. The plan, which reads the directory, says
// so, and announces what the run sends; a reading rejects such rows.
func TestClashesAmongManyNewcomers(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.run(b.prepare("userName,externalId\nann@example.com,n7\n", nil))
	b.run(b.prepare(people(400, "Agent"), nil))
	var text strings.Builder
	text.WriteString("userName,externalId\n")
	for i := range 30 {
		fmt.Fprintf(&text, "new%d@example.com,n%d\n", i, i)
	}
	unique := func(im *pipeline.Import) { im.Profile.UniqueMatch, im.NoBulk = []string{"User.userName"}, true }
	small := func(im *pipeline.Import) { im.Profile.PageSize = 10 }
	for _, tc := range []struct {
		lookup    string
		conflicts int64
		warned    bool
	}{
		{pipeline.LookupDirectory, 1, false},
		{pipeline.LookupAuto, 0, true},
	} {
		set := func(dry bool) func(*pipeline.Import) {
			return both(unique, small, func(im *pipeline.Import) { im.DryRun, im.Lookup = dry, tc.lookup })
		}
		announced := b.run(b.prepare(text.String(), set(true)))
		if warned := strings.Contains(strings.Join(announced.Warnings, "\n"), "rows with the externalId of somebody else: 1;"); warned != tc.warned {
			t.Errorf("%s: warnings %q", tc.lookup, announced.Warnings)
		}
		if announced.Counts[pipeline.Rejected] != tc.conflicts {
			t.Errorf("%s: planned %v", tc.lookup, announced.Counts)
		}
		if tc.lookup == pipeline.LookupDirectory {
			continue // the people are to be new for the other one
		}
		done := b.run(b.prepare(text.String(), set(false)))
		if !maps.Equal(announced.Writes, done.Writes) || !maps.Equal(announced.Counts, done.Counts) || !strings.HasPrefix(done.Lookup, "no look-ups") {
			t.Errorf("announced %v %v, did %v %v (%s)", announced.Writes, announced.Counts, done.Writes, done.Counts, done.Lookup)
		}
	}
}

// TestTakenIdentities: where nobody has looked, and the directory refuses an
// identity that is taken, its 409 is explained.
func TestTakenIdentities(t *testing.T) {
	for _, tc := range []struct {
		name, text, lookup string
	}{
		{"an update", "userName,externalId\nbob@example.com,1\n", pipeline.LookupEach},
		{"a create", "userName,externalId\nbob@example.com,9\n", pipeline.LookupNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.run(b.prepare("userName,externalId\nann@example.com,1\nbob@example.com,2\n", nil))
			before := b.commits()
			im, recorded := b.prepare(tc.text, func(im *pipeline.Import) {
				im.Lookup = tc.lookup
				im.Mapping = compile(t, "match: externalId\nattributes:\n  userName: userName\n  externalId: externalId\n", "userName", "externalId")
			})
			b.run(im, recorded)
			r := recorded.list[0]
			if r.Outcome != pipeline.Rejected || r.Class != "conflict" || r.Status != 409 || !strings.Contains(r.Detail, "--match userName gives it") {
				t.Errorf("%s, %s, %d: %s", r.Outcome, r.Class, r.Status, r.Detail)
			}
			if b.forget(before); len(b.commits()) > 0 {
				t.Errorf("commits %v", b.commits())
			}
		})
	}
}
