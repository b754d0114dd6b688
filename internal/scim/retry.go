package scim

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	// defaultMaxAttempts rides out a server's restart: with full jitter, eight
	// attempts last half a minute on average and a minute at the most.
	defaultMaxAttempts = 8
	// firstContactAttempts is the patience with a server that has never
	// answered: its name is more likely wrong than its health.
	firstContactAttempts = 3
	// throttleFactor: a 429 says that nothing is wrong but the pace, which the
	// gate corrects for all; it takes many in a row to give a request up.
	throttleFactor = 2
	// aloneFactor: where 429s come by chance nothing is corrected by one, and a
	// request that has bad luck must not fail for it.
	aloneFactor = 4
	// longestHold is the longest that a server may make the run wait. One that
	// asks for more gets its answer reported instead.
	longestHold = time.Hour

	backoffBase = 500 * time.Millisecond
	backoffCap  = 20 * time.Second
)

// trial is what has happened to one call so far.
type trial struct {
	attempts  int // times sent, by us
	failures  int // of these, those that were not throttled
	throttles int
	charged   int // retries taken from the budget

	alone time.Duration // how long the pace wants this call alone to wait

	mostThrottles int // 0 is what patience allows

	authorization string // the header that was sent last
	renewed       bool   // the credentials were refused once
}

// patience is what the state of the whole client allows one call.
type patience struct {
	maxAttempts int
	reached     bool // the server has answered before
	outage      int  // connections in a row that failed, of all workers
}

// next decides whether a call that failed is sent again, and how long it waits
// by itself; the gate may hold it longer. It is a pure function: chance is the
// jitter, in [0, 1).
func (t *trial) next(e *Error, p patience, chance float64) (wait time.Duration, again bool) {
	if e.HasRetryAfter && e.RetryAfter > longestHold || e.Oversized {
		return 0, false
	}
	switch {
	case e.Throttled():
		t.throttles++
		most := cmp.Or(t.mostThrottles, throttleFactor*p.maxAttempts)
		if t.alone > 0 {
			most *= aloneFactor
		}
		return t.alone, t.throttles < most
	case !repeatable(e):
		return 0, false
	}
	t.failures++
	return backoff(t.failures, chance), t.failures < p.attemptsFor(e)
}

// attemptsFor lowers the patience with a server that has never been reached,
// and with one that other calls have waited for in vain.
func (p patience) attemptsFor(e *Error) int {
	switch {
	case !e.Unsent:
		return p.maxAttempts
	case !p.reached && isNoSuchHost(e.Err):
		return 1
	case !p.reached && p.outage >= firstContactAttempts, p.outage > p.maxAttempts:
		return 1
	case !p.reached:
		return min(p.maxAttempts, firstContactAttempts)
	default:
		return p.maxAttempts
	}
}

// repeatable tells whether sending the same bytes again is safe and may help.
func repeatable(e *Error) bool {
	if e.Verdict() != NotProcessed || isCertificateFault(e.Err) || errors.Is(e.Err, errHeld) {
		return false
	}
	var credential *credentialError
	if errors.As(e.Err, &credential) {
		return credential.transient()
	}
	if errors.Is(e.Err, errHTML) || errors.Is(e.Err, errNotSCIM) || errors.Is(e.Err, errTooLarge) || errors.Is(e.Err, errAccepted) {
		return false
	}
	return e.Unsent || e.Status < 300 || repeatableStatus(e.Status) && e.ScimType == ""
}

// repeatableStatus lists the answers that another attempt may change. A server
// error with a scimType is a decision (one server answers 500 tooMany).
func repeatableStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusLocked, http.StatusTooEarly, 499:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	default:
		return status >= 500
	}
}

// backoff is exponential with full jitter: of a crowd that failed together, few
// come back together.
func backoff(failures int, chance float64) time.Duration {
	ceiling := backoffCap
	if shift := failures - 1; shift < 16 {
		ceiling = min(backoffCap, backoffBase<<shift)
	}
	return time.Duration(chance * float64(ceiling))
}

// budget bounds what retries add to the load of a server in trouble. A retry
// costs one; a call that succeeds in the end gives back what it took, so that
// only calls that fail for good use it up.
type budget struct {
	mu   sync.Mutex
	left float64
}

const (
	fullBudget = 50
	// earnedPerAnswer lets at most a tenth of the requests be retries that
	// come to nothing.
	earnedPerAnswer = 0.1
)

func newBudget() *budget { return &budget{left: fullBudget} }

func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (b *budget) giveBack(charged int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(fullBudget, b.left+float64(charged)+earnedPerAnswer)
}

// sleep is the one place where the client waits for time to pass.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
