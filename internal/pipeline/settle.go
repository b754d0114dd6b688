package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"scimbulk/internal/plan"
)

// clock tells the directory's time, as far as its answers have shown it: what
// it stamps on a resource is compared with its own clock and not with ours.
type clock struct{ ahead atomic.Int64 }

func (c *clock) set(date time.Time) {
	if !date.IsZero() {
		c.ahead.Store(int64(time.Until(date)))
	}
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// settlePause is the time between two looks at a resource that may yet appear.
const settlePause = time.Second

// waitForLateWrites waits before a create that is in doubt may be sent again.
// Where the directory keeps the match attribute unique a second create does no
// harm and nothing is waited for. Elsewhere the resource must have stayed away
// for the settle window, since a create that was lost may be carried out late.
func (w *row) waitForLateWrites(ctx context.Context) error {
	if w.sent != plan.ActCreate || w.unique() {
		return nil
	}
	for until := time.Now().Add(w.Settle); time.Now().Before(until); {
		if err := w.look(ctx, true); err != nil {
			_, fatal := w.failedLookup(err)
			return fatal
		}
		if w.have != nil {
			return nil
		}
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return ErrInterrupted
		}
	}
	return nil
}

// unique says whether the directory is known to keep the match attribute
// unique: by its profile, or because it has refused a second one.
func (w *row) unique() bool {
	return w.sawUnique.Load() || w.Profile.MatchIsUnique(w.Resource, w.record.MatchBy)
}
