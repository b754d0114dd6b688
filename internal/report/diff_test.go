package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// deltas are one difference of each kind, with what could do harm on a terminal
// or in a spreadsheet.
func deltas() []*pipeline.Delta {
	return []*pipeline.Delta{
		{
			Kind: pipeline.Went, Key: "=cmd@example.com", ID: "1", OldLine: 2,
			Differences: []plan.Difference{{Path: "userName", New: "=cmd@example.com"}},
			Change:      plan.Change{Action: plan.ActDelete, ID: "1"},
			Seen:        map[string]string{"title": "x"},
		},
		{
			Kind: pipeline.Changed, Key: "red\x1b[31m@example.com", ID: "2", OldLine: 3, NewLine: 2,
			Differences: []plan.Difference{
				{Path: "title", Old: "-1", New: nil},
				{Path: "active", Old: true, New: false},
				{Path: "nickName", Old: "a\x1b[2J\u202eb", New: strings.Repeat("long ", 500)},
				{Path: "password", Secret: true},
				{Path: "roles", Old: []any{scim.Object{"value": "agent"}}},
				{Path: "emails", New: []any{scim.Object{"value": "x@example.com", "type": "work"}, scim.Object{"value": "y", "type": "home", "primary": true}}},
			},
			Change: plan.Change{Action: plan.ActUpdate, ID: "2", Patch: []scim.PatchOperation{{Op: "replace", Path: "active", Value: false}}},
		},
		{
			Kind: pipeline.Came, Key: "new@example.com", NewID: "3", NewLine: 4,
			Differences: []plan.Difference{
				{Path: "userName", New: "new@example.com"}, {Path: "title", New: "T"}, {Path: "active", New: true},
				{Path: "locale", New: strings.Repeat("l", 80)}, {Path: "timezone", New: "UTC"}, {Path: "nickName", New: "N"},
			},
			Change: plan.Change{Action: plan.ActCreate, Body: scim.Object{"userName": "new@example.com"}},
		},
	}
}

func allShown(t *testing.T, d Differences, out *bytes.Buffer) string {
	t.Helper()
	for _, delta := range deltas() {
		if err := d.Show(delta); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDiffText(t *testing.T) {
	var out bytes.Buffer
	got := allShown(t, &DiffText{Out: &out}, &out)
	want := `- =cmd@example.com
~ red` + "\ufffd" + `[31m@example.com
    - title: "-1"
    ~ active: true → false
    ~ nickName: "a\x1b[2J\u202eb" → ` + `"` + strings.Repeat("long ", 500)[:longestValue-2] + `…
    ~ password: (hidden)
    - roles: "agent"
    + emails[type eq "work"].value: "x@example.com"
    + emails[type eq "home"].primary: true
    + emails[type eq "home"].value: "y"
+ new@example.com  title: "T", active: true, locale: "` + strings.Repeat("l", longestValue-2) + `…, timezone: "UTC", …
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	out.Reset()
	coloured := allShown(t, &DiffText{Out: &out, Colour: true}, &out)
	for _, line := range []string{red + "- =cmd", yellow + "~ red", green + "+ new"} {
		if !strings.Contains(coloured, line) {
			t.Errorf("no line with %q in %q", line, coloured)
		}
	}
}

func TestDiffCSV(t *testing.T) {
	var out bytes.Buffer
	w, err := NewDiffCSV(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.Resource = "User"
	got := strings.Split(allShown(t, w, &out), "\n")
	for _, want := range []string{
		`change,resource,key,id,attribute,old,new,old_line,new_line`,
		`went,User,'=cmd@example.com,1,,,,2,`,
		`changed,User,red` + "\x1b" + `[31m@example.com,2,title,'-1,,3,2`,
		`changed,User,red` + "\x1b" + `[31m@example.com,2,active,true,false,3,2`,
		`changed,User,red` + "\x1b" + `[31m@example.com,2,password,,(hidden),3,2`,
		`changed,User,red` + "\x1b" + `[31m@example.com,2,roles,"[{""value"":""agent""}]",,3,2`,
		`came,User,new@example.com,3,,,,,4`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestDiffMembers(t *testing.T) {
	var out bytes.Buffer
	w, err := NewDiffMembers(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*pipeline.Delta{
		{Kind: pipeline.Went, Members: []string{"=g", "a", "1", "2"}},
		{Kind: pipeline.Came, Members: []string{"#N/A", "", "1", "3"}},
	} {
		if err := w.Show(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "group,user,action,group_id,user_id\n'=g,a,remove,1,2\n\"json:\"\"#N/A\"\"\",,add,1,3\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestChangeSet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.jsonl")
	var out bytes.Buffer
	c, err := NewChangeSet(&out, PlanHeader{Format: PlanFormat, Run: "diff", Target: "t", Provider: "rfc", Resource: "User", Match: "userName"})
	if err != nil {
		t.Fatal(err)
	}
	all := append(deltas(),
		&pipeline.Delta{Change: plan.Change{Action: plan.ActReject, Reason: "cannot"}},
		&pipeline.Delta{Key: "a", Change: plan.Change{Action: plan.ActDelete}},
		&pipeline.Delta{Change: plan.Change{Action: plan.ActSkip}},
		&pipeline.Delta{Change: plan.Change{Action: plan.ActNothing}})
	for _, d := range all {
		if err := c.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if c.Writes[plan.ActDelete] != 1 || c.Writes[plan.ActUpdate] != 1 || c.Writes[plan.ActCreate] != 1 || c.Refused["cannot"] != 1 || len(c.Refused) != 2 || c.Kept != 1 {
		t.Errorf("writes %v, refused %v, kept %d", c.Writes, c.Refused, c.Kept)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := ReadPlanHeader(path); err != nil || h.Run != "diff" {
		t.Errorf("header %v, error %v", h, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[1:]
	var ops []string
	for _, text := range lines {
		l, err := plan.ParseLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, string(l.Op)+" "+l.ID)
	}
	if d := cmp.Diff([]string{"delete 1", "update 2", "create "}, ops); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if strings.Contains(out.String(), "secret") || !strings.Contains(lines[0], `"partial":true`) || !strings.Contains(lines[0], `"seen":{"title":"x"}`) {
		t.Errorf("lines %s", lines)
	}
}

func TestExportedFile(t *testing.T) {
	dir := t.TempDir()
	const manifest = `{"target":"all","files":[{"path":"a.csv","grade":"C","reasons":["too few"]},{"path":"b.csv","grade":"B"}]}`
	for name, text := range map[string]string{
		"manifest.json": manifest, "c.csv.manifest.json": `{"target":"c","files":[{"path":"c.csv","grade":"A"}]}`, "d.csv.manifest.json": "no JSON",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a.csv": "all C", "b.csv": "all B", "c.csv": "c A", "d.csv": "", "e.csv": ""} {
		got := ""
		if m, f := ExportedFile(filepath.Join(dir, name)); m != nil {
			got = m.Target + " " + f.Grade
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
