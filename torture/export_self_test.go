package torture

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// wholeExport is what a faultless export of everything leaves, made up.
func wholeExport() *exportEvidence {
	before := &census{ids: map[string][]string{}, groups: map[string]map[string]bool{"Deckhands": {userName(0): true}}}
	var users strings.Builder
	users.WriteString("id,userName\n")
	for i := range 3 {
		before.ids["user "+userName(i)] = []string{fmt.Sprint("u", i)}
		fmt.Fprintf(&users, "u%d,%s\n", i, userName(i))
	}
	before.ids["group Deckhands"] = []string{"g0"}
	ev := &exportEvidence{
		exports: exportOf("all", "csv")(10, before).exports, addr: "127.0.0.1:12345", before: before, grade: "A", log: newCheckpoint(nil),
		files: map[string][]byte{
			"users.csv": []byte(users.String()), "groups.csv": []byte("id,displayName\ng0,Deckhands\n"),
			"memberships.csv": []byte("group,user,action,group_id,user_id\nDeckhands," + userName(0) + ",add,g0,u0\n"),
		},
		summary: summary{Rows: map[string]int{"read": 4}},
		audit:   []event{{Kind: "request", Method: "GET", Path: "/scim/v2/Users", Status: 200}},
	}
	ev.log.finished = true
	ev.whole = map[string][]byte{}
	lines := map[string]int64{"users.csv": 3, "groups.csv": 1, "memberships.csv": 1}
	for _, name := range ev.exports.files {
		ev.whole[name] = ev.files[name]
		ev.manifest.Files = append(ev.manifest.Files, manifestFile{
			Path: name, SHA256: sumOf(ev.files[name]), Grade: "A", Bytes: int64(len(ev.files[name])), Resources: lines[name], Claimed: lines[name],
		})
	}
	ev.manifest.Grade = "A"
	return ev
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// replace puts another text in the place of a file, and into the manifest, as an
// export would that believes in it.
func (ev *exportEvidence) replace(name, old, new string) {
	text := []byte(strings.Replace(string(ev.files[name]), old, new, 1))
	ev.files[name] = text
	for i := range ev.manifest.Files {
		if f := &ev.manifest.Files[i]; f.Path == name {
			f.SHA256, f.Bytes, f.Resources, f.Claimed = sumOf(text), int64(len(text)), resourcesIn(text, ".csv"), resourcesIn(text, ".csv")
		}
	}
}

// TestExportCheckerBites doctors the evidence of a good export, one lie at a time.
func TestExportCheckerBites(t *testing.T) {
	bites(t, wholeExport, checkExport, []lie[*exportEvidence]{
		{"a file is not there", func(ev *exportEvidence) { delete(ev.files, "groups.csv") }, "groups.csv is not there"},
		{"another byte", func(ev *exportEvidence) { ev.replace("users.csv", "torture", "Torture") }, "is not that of an export"},
		{"somebody is missing", func(ev *exportEvidence) { ev.replace("users.csv", "u1,"+userName(1)+"\n", "") }, "is in users.csv 0 times"},
		{"somebody is there twice", func(ev *exportEvidence) { ev.replace("users.csv", "u1,", "u0,x\nu1,") }, "is in users.csv 2 times"},
		{"somebody out of nowhere", func(ev *exportEvidence) { ev.replace("users.csv", "u1,", "u9,x\nu1,") }, "and not in the directory"},
		{"a group is missing", func(ev *exportEvidence) { ev.replace("groups.csv", "g0,Deckhands\n", "") }, "is in groups.csv 0 times"},
		{"a membership is missing", func(ev *exportEvidence) { ev.replace("memberships.csv", userName(0), userName(1)) }, "memberships.csv lacks"},
		{"a membership too many", func(ev *exportEvidence) {
			ev.replace("memberships.csv", "Deckhands,", "Deckhands,x,add,g0,u9\nDeckhands,")
		}, "the directory 1"},
		{"half a row", func(ev *exportEvidence) { ev.replace("users.csv", ","+userName(2)+"\n", "") }, "cannot be read"},
		{"another sha256", func(ev *exportEvidence) { ev.manifest.Files[0].SHA256 = sumOf(nil) }, "the manifest says of users.csv"},
		{"another size", func(ev *exportEvidence) { ev.manifest.Files[0].Bytes++ }, "the manifest says of users.csv"},
		{"another number of resources", func(ev *exportEvidence) { ev.manifest.Files[0].Resources-- }, "the manifest says of users.csv 2 resources"},
		{"another number that was claimed", func(ev *exportEvidence) { ev.manifest.Files[0].Claimed++ }, "resources of 4"},
		{"another grade of a file", func(ev *exportEvidence) { ev.manifest.Files[1].Grade = "B" }, "groups.csv is of grade B"},
		{"another grade of all", func(ev *exportEvidence) { ev.manifest.Grade = "C" }, "the export is of grade C"},
		{"a file that the manifest does not list", func(ev *exportEvidence) { ev.manifest.Files = ev.manifest.Files[1:] }, "does not list users.csv"},
		{"a file that is listed twice", func(ev *exportEvidence) { ev.manifest.Files = append(ev.manifest.Files, ev.manifest.Files[0]) }, "once too often"},
		{"a log without an end", func(ev *exportEvidence) { ev.log.finished = false }, "does not say that the export is finished"},
		{"another exit code", func(ev *exportEvidence) { ev.code = 3 }, "exit code 3"},
		{"another exit code in the summary", func(ev *exportEvidence) { ev.summary.Exit = 3 }, "and 3 in the summary"},
		{"another number in the summary", func(ev *exportEvidence) { ev.summary.Rows["read"] = 3 }, "the summary says 3 read"},
		{"a write", func(ev *exportEvidence) {
			ev.audit = append(ev.audit, event{Kind: "request", Method: "POST", Path: "/scim/v2/Users", Status: 201})
		}, "sent 1 writes"},
		{"what was seen on the way", func(ev *exportEvidence) { ev.seen = []string{"a mutiny"} }, "a mutiny"},
	})
}

// TestReadAgainBites: a page that was noted is not to be asked for again.
func TestReadAgainBites(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sent  int
		noted int
		extra int
		want  string
	}{
		{"the rest", 42, 60, 0, ""},
		{"the rest, and what was in hand", 42 + workers, 60, 0, ""},
		{"one too many", 43 + workers, 60, 0, "began with 60 pages noted, and no more than 50"},
		{"all of it", 102, 60, 0, "102 requests"},
		{"answers that were cut short", 47 + workers, 60, 5, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := readAgain(effort{listings: tc.sent}, 102, tc.noted, tc.extra)
			if got == "" != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("it says %q, want %q", got, tc.want)
			}
		})
	}
}

// TestNotedPages: pages that a later session has read anew count once.
func TestNotedPages(t *testing.T) {
	log := ""
	for _, note := range []string{`"User","bytes":10`, `"User","bytes":20`, `"User","bytes":30`, `"User","bytes":15`, `"Group","bytes":5`} {
		log += `00000000 {"kind":"note","note":"page","value":{"of":` + note + "}}\n"
	}
	if n := notedPages([]byte(log + `00000000 {"kind":"note","no`)); n != 3 {
		t.Errorf("%d pages, want 3", n)
	}
}

// TestExportReaders: both formats are read, and a manifest as it is written.
func TestExportReaders(t *testing.T) {
	ids, err := idsIn([]byte("{\"id\":\"a\"}\n{\"id\":\"b\"}\n"), ".jsonl")
	if err != nil || fmt.Sprint(ids) != "[a b]" {
		t.Errorf("read %v, %v", ids, err)
	}
	if _, err := idsIn([]byte("{\"id\":\"a\"}\n{\"id\":"), ".jsonl"); err == nil {
		t.Error("half a line is taken")
	}
	if _, err := idsIn([]byte("userName\nx\n"), ".csv"); err == nil {
		t.Error("a file without ids is taken")
	}
	var m manifest
	err = json.Unmarshal([]byte(`{"grade":"A","files":[{"path":"u","sha256":"00","bytes":1,"resources":2,"claimed":3,"grade":"B"}]}`), &m)
	if want := (manifestFile{"u", "00", "B", 1, 2, 3}); err != nil || len(m.Files) != 1 || m.Files[0] != want || m.Grade != "A" {
		t.Errorf("read %+v, %v", m, err)
	}
}
