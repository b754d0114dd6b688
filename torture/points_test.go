package torture

import "fmt"

// killPackage is what a build with kill points has besides: the process ends
// itself as kill -9 would when it comes by the named point for the n-th time.
// It may linger before that: then whoever came by stands still, as on a slow
// disk, and all others go on for so many milliseconds.
const killPackage = `package killpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	name, rest, _   = strings.Cut(os.Getenv("TORTURE_KILL"), ":")
	count, after, _ = strings.Cut(rest, ":")
	times, _        = strconv.ParseInt(count, 10, 64)
	linger, _       = strconv.Atoi(after)
	passed          atomic.Int64
)

// Pass is called at a kill point.
func Pass(point string) {
	if point == name && passed.Add(1) == times {
		time.Sleep(time.Duration(linger) * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
`

// A point is a place in the program where a process can be made to die. The
// call goes in front of the text.
type point struct {
	name     string
	folder   string
	function string
	before   string
	of       string // the kind of work that comes by; "" is all
	often    bool   // it is passed for every row or batch, and not once a session
	early    bool   // a session passes it before its first new row
	first    bool   // only the first session passes it
}

// closes says whether a session passes the point as it ends.
func (p point) closes() bool { return !p.often && !p.early && !p.first }

// Kinds of work.
const (
	ofImports = "imports"
	ofRows    = "rows"
	ofSingles = "rows that travel alone"
	ofBulk    = "bulk requests"
	ofMembers = "memberships"
	ofExports = "exports"
)

// points are the places where dying does different harm. Those that can be hit
// from outside as well are hit from outside as well: see triggers.
func points() []point {
	const (
		journal  = "internal/journal"
		pipeline = "internal/pipeline"
		report   = "internal/report"
		rows     = "internal/rows"
		command  = "cmd/scimbulk"
	)
	return []point{
		{name: "log written, not yet in place", folder: journal, function: "place(", before: "err = os.Rename(aside, path)", first: true},
		{name: "log in place, directory not synced", folder: journal, function: "place(", before: "return syncDir(dir)", first: true},
		{name: "results rewritten aside", folder: report, function: "rewrite(", before: "return os.Rename(", early: true, of: ofImports},
		{name: "result files open", folder: command, function: "(r *importRun) begin(", before: "r.files.Changes =", early: true, of: ofImports},
		{name: "intent written, not synced", folder: journal, function: "(l *Log) flush(", before: "err = l.sync()", often: true, of: ofImports},
		{name: "intent synced, nobody told", folder: journal, function: "(l *Log) flush(", before: "if taken != nil {\n\t\ttaken.err", often: true, of: ofImports},
		{name: "intent durable, not sent", folder: pipeline, function: "(w *row) sendOnce(", before: "return w.send(ctx, body)", often: true, of: ofSingles},
		{name: "answered", folder: pipeline, function: "(w *row) write(", before: "w.result.Change = w.change", often: true, of: ofRows},
		{name: "bulk request intended, not sent", folder: pipeline, function: "(b *batcher) carry(", before: "b.send(batch.ctx, batch.writes)", often: true, of: ofBulk},
		{name: "bulk request answered", folder: pipeline, function: "(b *batcher) send(", before: "if err != nil {\n\t\tb.failed(", often: true, of: ofBulk},
		{name: "member chunk intended, not sent", folder: pipeline, function: "(g *memberGroup) patch(", before: "resp, err := g.Client.Patch(", often: true, of: ofMembers},
		{name: "member chunk answered", folder: pipeline, function: "(g *memberGroup) patch(", before: "if err == nil {\n\t\tfor _, s := range chunk {", often: true, of: ofMembers},
		{name: "row done, collector not told", folder: pipeline, function: "(r *run) finish(", before: "w.complete(result)", often: true, of: ofRows},
		{name: "result buffered", folder: pipeline, function: "(r *run) writeBatch(", before: "if err := r.flush()", often: true, of: ofImports},
		{name: "result written, outcome not logged", folder: pipeline, function: "(r *run) writeBatch(", before: "if r.Log != nil {", often: true, of: ofImports},
		{name: "outcome logged", folder: pipeline, function: "(r *run) writeBatch(", before: "r.count(", often: true, of: ofImports},
		{name: "all done, no end", folder: command, function: "(r *importRun) carryOut(", before: "code := r.codeOf(", of: ofImports},
		{name: "summary written aside", folder: report, function: "writeAside(", before: "return os.Rename("},
		{name: "summary saved, ended", folder: command, function: "(r *importRun) carryOut(", before: "if err := r.show(summary)", of: ofImports},
		{name: "page kept, not noted", folder: pipeline, function: "(x *listing) keep(", before: "return x.Note(m)", often: true, of: ofExports},
		{name: "exported file not yet in place", folder: rows, function: "(o *Output) Commit(", before: "err = o.move()", of: ofExports},
		{name: "exported file in place, directory not synced", folder: rows, function: "(o *Output) Commit(", before: "return syncDir(", of: ofExports},
		{name: "exported files in place, no manifest", folder: command, function: "(x *exportRun) saveManifest(", before: "switch {", of: ofExports},
		{name: "manifest saved, pages still there", folder: command, function: "(x *exportRun) letGo(", before: "for _, resource := range", of: ofExports},
	}
}

// pointed is the program with its kill points.
func pointed() *build {
	b := &build{name: "pointed", added: map[string]string{"internal/killpoint/killpoint.go": killPackage}}
	for _, p := range points() {
		call := fmt.Sprintf("killpoint.Pass(%q)\n", p.name)
		b.edits = append(b.edits, edit{p.folder, p.function, p.before, call + p.before, "scimbulk/internal/killpoint"})
	}
	return b
}
