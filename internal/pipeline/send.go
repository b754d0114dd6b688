package pipeline

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"scimbulk/internal/journal"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// write records the intent and sends the request. It says whether the row has
// its outcome; if not, another look is needed.
func (w *row) write(ctx context.Context) (done bool, err error) {
	if err := w.allow(); err != nil {
		return false, err
	}
	body, err := w.body()
	if err != nil {
		return false, err
	}
	if err := w.keepReplaced(ctx); err != nil {
		_, fatal := w.failedLookup(err)
		return fatal == nil, fatal
	}
	intent := w.intent()
	resp, err := w.sendOnce(ctx, body, &intent)
	if w.open = append(w.open, intent); w.sent != plan.ActCreate {
		w.absent, w.since = intent.Absent, intent.At
	}
	w.result.Change = w.change
	if err != nil {
		return w.failedWrite(ctx, err, intent)
	}
	w.accept(resp)
	return true, nil
}

// sendOnce records the intent, and sends the request once that is durable: with
// those of other rows, or by itself.
func (w *row) sendOnce(ctx context.Context, body []byte, intent *journal.Intent) (*scim.Response, error) {
	travelled, err := w.inBulk(ctx, body, intent)
	if err != nil {
		return nil, err
	}
	if !errors.Is(travelled.err, errAlone) {
		return travelled.resp, travelled.err
	}
	defer w.bulk.away()()
	if !travelled.recorded {
		if err := w.intents.record(ctx, intent); err != nil {
			return nil, err
		}
		defer w.intents.answered(ctx)
	}
	return w.send(ctx, body)
}

func (w *row) intent() journal.Intent {
	w.step++
	return journal.Intent{
		Line: w.row.Line, Step: w.step - 1, Key: journal.HashKey(w.Name, w.record.KeyFold),
		Op: string(w.change.Action), At: w.Client.ServerTime(), Absent: w.have == nil && w.looked,
	}
}

// allow holds removals to --max-deletes: what the file asks for was counted
// before the run, what an update turns out to do is counted here.
func (w *row) allow() error {
	if !w.change.TurnsOff() || w.counted {
		return nil
	}
	w.counted = true
	if n := w.turnedOff.Add(1); w.MaxDeletes.Exceeded(n, w.survey.Rows) {
		return ErrMaxDeletes
	}
	return nil
}

// body encodes what the request sends, once: a request that is repeated repeats
// its bytes.
func (w *row) body() ([]byte, error) {
	switch {
	case w.change.Body != nil:
		return scim.Encode(w.change.Body)
	case w.change.Patch != nil:
		return scim.EncodePatch(w.change.Patch)
	}
	return nil, nil
}

// ifMatch is the version that the request depends on, "" for any.
func (w *row) ifMatch() string {
	if w.noIfMatch.Load() {
		return ""
	}
	return w.change.Version
}

func (w *row) send(ctx context.Context, body []byte) (*scim.Response, error) {
	endpoint, ifMatch := w.endpoint(), w.ifMatch()
	switch writeMethod(&w.change) {
	case http.MethodPost:
		return w.Client.Create(ctx, endpoint, body)
	case http.MethodPut:
		return w.Client.Replace(ctx, endpoint, w.change.ID, body, ifMatch)
	case http.MethodPatch:
		return w.Client.Patch(ctx, endpoint, w.change.ID, body, ifMatch)
	default:
		return w.Client.Delete(ctx, endpoint, w.change.ID, ifMatch)
	}
}

// writeMethod is the HTTP method that carries a change out, "" for none.
func writeMethod(c *plan.Change) string {
	switch {
	case c.Action == plan.ActCreate:
		return http.MethodPost
	case c.Action == plan.ActDelete:
		return http.MethodDelete
	case c.Body != nil:
		return http.MethodPut
	case c.Patch != nil:
		return http.MethodPatch
	}
	return ""
}

// writes counts the changes that were carried out, or announced, by HTTP method.
type writes struct {
	mu       sync.Mutex
	byMethod map[string]int64
}

func (c *writes) add(change *plan.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byMethod == nil {
		c.byMethod = map[string]int64{}
	}
	c.byMethod[writeMethod(change)]++
}

func (w *row) accept(resp *scim.Response) {
	w.writes.add(&w.change)
	if writeMethod(&w.change) == http.MethodPatch {
		w.patched.Store(true)
	}
	res := w.result
	res.Outcome = outcomeOf(w.change.Action)
	res.turnedOff = w.change.TurnsOff() && (res.Outcome == Updated || res.Outcome == Replaced)
	if w.sent == plan.ActCreate && w.ours() {
		res.Outcome = Created // and then brought to what the row asks for
	}
	res.ID = w.change.ID
	if resp.Resource.ID != "" {
		res.ID = resp.Resource.ID
	}
	w.sayIfRevived(resp)
	res.Status, res.ScimType, res.CorrelationID = resp.Status, "", resp.CorrelationID
	res.Attempts += resp.Attempts
}
