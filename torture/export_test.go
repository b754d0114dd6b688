package torture

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// exported is what an export writes.
type exported struct {
	kind, format string
	folder       string // of the files, in that of the trial
	files        []string
	manifest     string
	page         int // resources a page
}

// exportOf is an export of many small pages.
func exportOf(kind, format string) func(n int, before *census) *job {
	return func(n int, before *census) *job {
		x := &exported{kind: kind, format: format, folder: "out", page: max(4, n/100)}
		if kind != "users" {
			x.page = max(2, n/500)
		}
		out := kind + "." + format
		x.files, x.manifest = []string{out}, out+".manifest.json"
		if kind == "all" {
			out = ""
			x.files, x.manifest = []string{"users." + format, "groups." + format, "memberships.csv"}, "manifest.json"
		}
		return &job{
			args:    []string{"export", kind, "--out", filepath.Join(x.folder, out), "--format", format, "--page-size", fmt.Sprint(x.page)},
			exports: x,
		}
	}
}

// An exportEvidence is all that an export has left behind.
type exportEvidence struct {
	exports  *exported
	before   *census
	addr     string            // of the sandbox: resources name it
	files    map[string][]byte // in the folder of the export, by name
	whole    map[string][]byte // of an export that nobody disturbed, nowhere; nil for that one
	grade    string            // of that export
	manifest manifest
	summary  summary
	code     int
	log      *checkpoint
	audit    []event
	seen     []string // violations that were seen on the way
}

// manifest is what the checker reads of a manifest.
type manifest struct {
	Grade string
	Files []manifestFile
}

type manifestFile struct {
	Path, SHA256, Grade       string
	Bytes, Resources, Claimed int64
}

// exportOf carries the trial of an export out and gathers what it has left.
func (t *trial) exportOf(dir string) (*exportEvidence, error) {
	if err := t.begun(dir); err != nil {
		return nil, err
	}
	defer func() {
		if t.p != nil {
			t.p.kill()
		}
		t.server.p.kill()
	}()
	if err := t.torture(); err != nil {
		return nil, err
	}
	return t.exportEvidence()
}

// prepareOut makes the folder of an export. An older one stands there, half of the
// time.
func (t *trial) prepareOut() error {
	if err := os.Mkdir(t.outDir(), 0o700); err != nil {
		return err
	}
	if t.old = !t.calm && t.rng.IntN(2) == 0; !t.old {
		return nil
	}
	for _, name := range t.ground.job.exports.files {
		if err := os.WriteFile(filepath.Join(t.outDir(), name), []byte(olderExport), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const olderExport = "an older export\n"

func (t *trial) outDir() string { return filepath.Join(t.dir, t.ground.job.exports.folder) }

// pagesPath is where an export keeps what it reads first.
func (t *trial) pagesPath() string {
	if x := t.ground.job.exports; x != nil && x.kind == "groups" {
		return filepath.Join(t.runDir(), "groups.pages")
	}
	return filepath.Join(t.runDir(), "users.pages")
}

func (t *trial) exportEvidence() (*exportEvidence, error) {
	if err := t.server.stop(); err != nil {
		return nil, err
	}
	x := t.ground.job.exports
	ev := &exportEvidence{
		exports: x, addr: t.server.addr, before: t.ground.before, whole: t.ground.whole, grade: t.ground.grade, code: t.code, seen: t.seen,
	}
	var problems [5]error
	ev.files, problems[0] = readAll(t.outDir())
	ev.audit, problems[1] = readAudit(t.audit())
	ev.summary, problems[2] = readSummary(filepath.Join(t.runDir(), "summary.json"))
	ev.log, problems[3] = readCheckpoint(t.runDir())
	problems[4] = json.Unmarshal(ev.files[x.manifest], &ev.manifest)
	ev.seen = append(ev.seen, strays(t.outDir(), append(slices.Clone(x.files), x.manifest))...)
	ev.seen = append(ev.seen, strays(t.runDir(), []string{"checkpoint.log", "checkpoint.lock", "summary.json"})...)
	return ev, errors.Join(problems[:]...)
}

// inspectExport sees that no file is there in part when a session has ended.
func (t *trial) inspectExport() error {
	for _, name := range t.ground.job.exports.files {
		text, err := os.ReadFile(filepath.Join(t.outDir(), name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if t.old {
				t.sawf("%s, which was there before, is gone", name)
			}
		case err != nil:
			return err
		case t.ground.whole == nil || t.old && string(text) == olderExport:
		case !bytes.Equal(nowhere(text, t.server.addr), t.ground.whole[name]):
			t.sawf("%s has %d bytes that are not those of the whole export, nor those that were there before", name, len(text))
		}
	}
	return t.inspectReading()
}

// lookOn watches, while a session of an export goes on, that its files are whole
// whenever they are there. It returns what ends that.
func (t *trial) lookOn() (stop func()) {
	if t.ground.job.exports == nil || t.ground.whole == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	var torn []string
	go func() {
		defer close(ended)
		for ticker := time.NewTicker(time.Millisecond); ; {
			select {
			case <-quit:
				ticker.Stop()
				return
			case <-ticker.C:
				torn = append(torn, t.torn()...)
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		t.seen = append(t.seen, torn...)
	}
}

// torn are files that are there in part, by their size.
func (t *trial) torn() (found []string) {
	for _, name := range t.ground.job.exports.files {
		info, err := os.Stat(filepath.Join(t.outDir(), name))
		if err != nil || info.Size() == int64(len(t.ground.whole[name])) || t.old && info.Size() == int64(len(olderExport)) {
			continue
		}
		found = append(found, fmt.Sprintf("%s was there with %d bytes", name, info.Size()))
	}
	return found
}

// checkExport compares what an export has left with the directory, and with what
// an export leaves that nobody has disturbed. It returns the violations.
func checkExport(ev *exportEvidence) []string {
	c := &exportChecker{exportEvidence: ev}
	c.found = append(c.found, ev.seen...)
	for _, name := range ev.exports.files {
		c.file(name)
	}
	c.truth()
	c.end()
	c.nothingWritten()
	return c.found
}

type exportChecker struct {
	*exportEvidence
	found []string
}

func (c *exportChecker) sayf(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

// file: it is that of a quiet export, byte for byte, and holds each resource of
// the directory once.
func (c *exportChecker) file(name string) {
	text, there := c.files[name]
	if !there {
		c.sayf("%s is not there", name)
		return
	}
	if c.whole != nil && !bytes.Equal(nowhere(text, c.addr), c.whole[name]) {
		c.sayf("%s is not that of an export that nobody disturbed: %d bytes, want %d", name, len(text), len(c.whole[name]))
	}
	kind, _, _ := strings.Cut(name, "s.")
	if kind == "membership" {
		c.members(text)
		return
	}
	ids, err := idsIn(text, filepath.Ext(name))
	if err != nil {
		c.sayf("%s: %v", name, err)
		return
	}
	times := map[string]int{}
	for _, id := range ids {
		times[id]++
	}
	for who, at := range c.before.ids {
		if strings.HasPrefix(who, kind+" ") && times[at[0]] != 1 {
			c.sayf("%s is in %s %d times", who, name, times[at[0]])
		}
		delete(times, at[0])
	}
	for id := range times {
		c.sayf("%s is in %s, and not in the directory", id, name)
	}
}

// members: memberships.csv holds who is in which group.
func (c *exportChecker) members(text []byte) {
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		c.sayf("memberships.csv cannot be read: %v", err)
		return
	}
	listed := map[string]bool{}
	for _, r := range records[1:] {
		if listed[r[0]+"|"+r[1]] {
			c.sayf("%s is twice in %s", r[1], r[0])
		}
		listed[r[0]+"|"+r[1]] = true
	}
	n := 0
	for group, users := range c.before.groups {
		n += len(users)
		for user := range users {
			if !listed[group+"|"+user] {
				c.sayf("memberships.csv lacks %s in %s", user, group)
			}
		}
	}
	if n != len(listed) {
		c.sayf("memberships.csv has %d memberships, the directory %d", len(listed), n)
	}
}

// idsIn are the ids of the resources in a file.
func idsIn(text []byte, extension string) (ids []string, err error) {
	if extension == ".jsonl" {
		for line := range bytes.Lines(text) {
			var o struct{ ID string }
			if err := json.Unmarshal(line, &o); err != nil {
				return nil, err
			}
			ids = append(ids, o.ID)
		}
		return ids, nil
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	column := slices.Index(records[0], "id")
	if column < 0 {
		return nil, errors.New("it has no column id")
	}
	for _, r := range records[1:] {
		ids = append(ids, r[column])
	}
	return ids, nil
}

// truth: what the manifest says of each file is so.
func (c *exportChecker) truth() {
	want := map[string]bool{}
	for _, name := range c.exports.files {
		want[name] = true
	}
	for _, f := range c.manifest.Files {
		if !want[f.Path] {
			c.sayf("the manifest lists %q, once too often", f.Path)
		}
		delete(want, f.Path)
		text := c.files[f.Path]
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); f.SHA256 != got || f.Bytes != int64(len(text)) {
			c.sayf("the manifest says of %s %d bytes, sha256 %s; it has %d, %s", f.Path, f.Bytes, f.SHA256, len(text), got)
		}
		if n := resourcesIn(text, filepath.Ext(f.Path)); f.Resources != n || f.Claimed != n {
			c.sayf("the manifest says of %s %d resources of %d; it has %d", f.Path, f.Resources, f.Claimed, n)
		}
		if c.grade != "" && f.Grade != c.grade {
			c.sayf("%s is of grade %s, that of a quiet export of grade %s", f.Path, f.Grade, c.grade)
		}
	}
	for name := range want {
		c.sayf("the manifest does not list %s", name)
	}
	if c.grade != "" && c.manifest.Grade != c.grade {
		c.sayf("the export is of grade %s, a quiet one of grade %s", c.manifest.Grade, c.grade)
	}
}

// resourcesIn counts the resources of a file that can be read.
func resourcesIn(text []byte, extension string) int64 {
	if extension == ".jsonl" {
		return int64(bytes.Count(text, []byte{'\n'}))
	}
	records, _ := csv.NewReader(bytes.NewReader(text)).ReadAll()
	return int64(max(0, len(records)-1))
}

// end: exit code, summary and log agree.
func (c *exportChecker) end() {
	if c.log == nil || !c.log.finished {
		c.sayf("the log does not say that the export is finished")
	}
	if c.code != 0 || c.summary.Exit != 0 {
		c.sayf("exit code %d, and %d in the summary: want 0", c.code, c.summary.Exit)
	}
	read := 0
	for _, f := range c.manifest.Files {
		if f.Path != "memberships.csv" {
			read += int(f.Resources)
		}
	}
	if c.summary.Rows["read"] != read {
		c.sayf("the summary says %d read, the manifest %d", c.summary.Rows["read"], read)
	}
}

// nothingWritten: an export only reads.
func (c *exportChecker) nothingWritten() {
	if got := effortOf(c.audit); got.writes+got.members > 0 {
		c.sayf("an export has sent %d writes", got.writes+got.members)
	}
}

// takeWhole keeps what an export leaves that nobody has disturbed.
func (g *ground) takeWhole(ev *exportEvidence) {
	g.whole, g.grade = map[string][]byte{}, ev.manifest.Grade
	for _, name := range ev.exports.files {
		g.whole[name] = nowhere(ev.files[name], ev.addr)
	}
}

// nowhere is a file without the address of the sandbox, which is another one each
// time. Its length stays the same.
func nowhere(text []byte, addr string) []byte {
	return bytes.ReplaceAll(text, []byte(addr), []byte("127.0.0.1:?????"))
}
