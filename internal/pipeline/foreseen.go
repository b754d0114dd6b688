package pipeline

import (
	"context"
	"sync/atomic"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
)

// foreseen counts in what the requests of the import will differ from those of a
// dry run. A dry run looks every row up, where the import may send creates unseen;
// the import keeps for undo what it deletes, and may read back what it wrote. It
// is safe for concurrent use.
type foreseen struct {
	unseen bool         // the import looks nobody up before it writes
	partly atomic.Bool  // the import reads a part of each resource, where the dry run reads all
	spared atomic.Int64 // reads that the dry run alone makes
	more   atomic.Int64 // reads that the import alone makes
	there  atomic.Int64 // rows whose create will be refused first
}

// read notes that the directory is read, and how much of it the import will read.
func (f *foreseen) read(im *Import) {
	if im.DryRun {
		real := *im
		real.DryRun = false
		f.partly.Store(len(real.lookedAt()) > 0)
	}
}

// unneeded is a lookup that the import will do without.
type unneeded struct {
	lookup
	*foreseen
}

func (l *unneeded) find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error) {
	have, err := l.lookup.find(ctx, record, fresh)
	if have != nil {
		l.there.Add(1)
	}
	if _, asks := l.lookup.(*lookupFallback); asks {
		l.spared.Add(1)
	}
	return have, err
}

// foresee counts the reads that come with a write.
func (w *row) foresee() {
	if w.keepsWhole() || w.change.Action == plan.ActDelete && w.foreseen.partly.Load() {
		w.foreseen.more.Add(1)
	}
	if w.verified.chooses(w.Verify, w.change.Action) {
		w.foreseen.more.Add(1)
	}
}

// readsARefusal is what it takes to find out whom a refused create has met: a
// look-up, and reading who that is.
const readsARefusal = 2

// foreseeTotals says what the import will send, by what the dry run has sent.
func (r *run) foreseeTotals() {
	t := &r.totals
	there := r.foreseen.there.Load()
	t.Reads = t.Requests.GET - r.foreseen.spared.Load() + r.foreseen.more.Load() + readsARefusal*there
	for _, n := range t.Writes {
		t.WriteRequests += n
	}
	if t.BulkRequests > 0 {
		t.WriteRequests += t.BulkRequests - r.bulkPlan.writes
	} else {
		t.WriteRequests += there
	}
}
