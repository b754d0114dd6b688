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
	file     string
	function string
	before   string
	often    bool // it is passed for every row or batch, and not once a session
	early    bool // a session passes it before its first new row
}

// points are the places where dying does different harm. Those that can be hit
// from outside as well are hit from outside as well: see triggers.
func points() []point {
	const (
		log     = "internal/journal/log.go"
		open    = "internal/journal/open.go"
		send    = "internal/pipeline/send.go"
		worker  = "internal/pipeline/worker.go"
		collect = "internal/pipeline/collect.go"
		bulk    = "internal/pipeline/bulk.go"
		chunk   = "internal/pipeline/memberchunk.go"
		results = "internal/report/results.go"
		report  = "internal/report/report.go"
		run     = "cmd/scimbulk/importrun.go"
	)
	return []point{
		{name: "log written, not yet in place", file: open, function: "place(", before: "err = os.Rename(aside, path)", early: true},
		{name: "log in place, directory not synced", file: open, function: "place(", before: "return syncDir(dir)", early: true},
		{name: "results rewritten aside", file: results, function: "rewrite(", before: "return os.Rename(", early: true},
		{name: "result files open", file: run, function: "(r *importRun) begin(", before: "r.files.Changes =", early: true},
		{name: "intent written, not synced", file: log, function: "(l *Log) flush(", before: "err = l.sync()", often: true},
		{name: "intent synced, nobody told", file: log, function: "(l *Log) flush(", before: "if taken != nil {\n\t\ttaken.err", often: true},
		{name: "intent durable, not sent", file: send, function: "(w *row) sendOnce(", before: "return w.send(ctx, body)", often: true},
		{name: "answered", file: send, function: "(w *row) write(", before: "w.result.Change = w.change", often: true},
		{name: "bulk request intended, not sent", file: bulk, function: "(b *batcher) carry(", before: "b.send(batch.ctx, batch.writes)", often: true},
		{name: "bulk request answered", file: bulk, function: "(b *batcher) send(", before: "if err != nil {\n\t\tb.failed(", often: true},
		{name: "member chunk intended, not sent", file: chunk, function: "(g *memberGroup) patch(", before: "resp, err := g.Client.Patch(", often: true},
		{name: "member chunk answered", file: chunk, function: "(g *memberGroup) patch(", before: "if err == nil {\n\t\tg.clock", often: true},
		{name: "row done, collector not told", file: worker, function: "(r *run) finish(", before: "w.complete(result)", often: true},
		{name: "result buffered", file: collect, function: "(r *run) writeBatch(", before: "if err := r.flush()", often: true},
		{name: "result written, outcome not logged", file: collect, function: "(r *run) writeBatch(", before: "if r.Log != nil {", often: true},
		{name: "outcome logged", file: collect, function: "(r *run) writeBatch(", before: "r.count(", often: true},
		{name: "all done, no end", file: run, function: "(r *importRun) carryOut(", before: "code := r.codeOf("},
		{name: "summary written aside", file: report, function: "writeAside(", before: "return os.Rename("},
		{name: "summary saved, ended", file: run, function: "(r *importRun) carryOut(", before: "if err := r.show(summary)"},
	}
}

// pointed is the program with its kill points.
func pointed() *build {
	b := &build{name: "pointed", added: map[string]string{"internal/killpoint/killpoint.go": killPackage}}
	imports := map[string]bool{}
	for _, p := range points() {
		if !imports[p.file] {
			imports[p.file] = true
			b.edits = append(b.edits, edit{p.file, "", "import (\n", "import (\n\t\"scimbulk/internal/killpoint\"\n"})
		}
		call := fmt.Sprintf("killpoint.Pass(%q)\n", p.name)
		b.edits = append(b.edits, edit{p.file, p.function, p.before, call + p.before})
	}
	return b
}
