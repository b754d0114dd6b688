package sandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter counts requests against a quota. A bucket holds n tokens (or a
// burst of its own) and is refilled evenly; a window starts with the first
// request and admits n until its end.
type limiter struct {
	n      int
	per    time.Duration
	burst  int
	window bool
	free   bool // a quota that is only shown: genesys without --rate-limit

	mu     sync.Mutex
	tokens float64   // of a bucket, at the time last
	last   time.Time // of a window: its start
	used   int       // in the window
}

// quota is a limiter's state after a request.
type quota struct {
	admitted bool
	limit    int
	left     int
	reset    time.Duration // until there is a full allowance again
	retry    time.Duration // until one request would be admitted; 0 when this one was
}

const rateForm = "N/DURATION, or with :bucket, :bucket=BURST or :window after it, such as 300/1m:window"

// newLimiter reads "N/DURATION[:bucket[=BURST]|window]". Without a kind it is a
// window under genesys, whose headers describe one, and else a bucket.
func newLimiter(text, dialect string) (*limiter, error) {
	if text == "" {
		return nil, nil
	}
	bad := fmt.Errorf("--rate-limit %q: allowed is %s", text, rateForm)
	rate, kind, hasKind := strings.Cut(text, ":")
	count, per, ok := strings.Cut(rate, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return nil, bad
	}
	l := &limiter{n: n, burst: n, window: dialect == "genesys"}
	if l.per, err = parsePer(per); err != nil || l.per <= 0 {
		return nil, bad
	}
	if hasKind {
		name, burst, hasBurst := strings.Cut(kind, "=")
		l.window = name == "window"
		if name != "window" && name != "bucket" || hasBurst && l.window {
			return nil, bad
		}
		if hasBurst {
			if l.burst, err = strconv.Atoi(burst); err != nil || l.burst < 1 {
				return nil, bad
			}
		}
	}
	l.tokens = float64(l.burst)
	return l, nil
}

// parsePer reads a duration; "s" and "m" stand for one of them.
func parsePer(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return time.ParseDuration("1" + text)
}

// take counts a request at the time now.
func (l *limiter) take(now time.Time) quota {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.window {
		return l.takeWindow(now)
	}
	return l.takeBucket(now)
}

func (l *limiter) takeWindow(now time.Time) quota {
	if l.last.IsZero() || now.Sub(l.last) >= l.per {
		l.last, l.used = now, 0
	}
	left := l.per - now.Sub(l.last)
	q := quota{limit: l.n, reset: left}
	if l.used >= l.n && !l.free {
		q.retry = left
		return q
	}
	l.used++
	q.admitted, q.left = true, max(l.n-l.used, 0)
	return q
}

func (l *limiter) takeBucket(now time.Time) quota {
	perToken := float64(l.per) / float64(l.n)
	if !l.last.IsZero() {
		l.tokens = min(l.tokens+float64(now.Sub(l.last))/perToken, float64(l.burst))
	}
	l.last = now
	q := quota{limit: l.n}
	// A token that is complete but for rounding counts as complete.
	if l.tokens+1e-9 >= 1 {
		l.tokens--
		q.admitted = true
	} else {
		q.retry = time.Duration((1 - l.tokens) * perToken)
	}
	q.left = max(int(l.tokens), 0)
	q.reset = time.Duration((float64(l.burst) - l.tokens) * perToken)
	return q
}

// seconds rounds up: a client that comes back then is not too early.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// rfcQuota writes the headers that many servers use.
func rfcQuota(a *answer, q quota) {
	a.set("X-RateLimit-Limit", strconv.Itoa(q.limit))
	a.set("X-RateLimit-Remaining", strconv.Itoa(q.left))
	a.set("X-RateLimit-Reset", strconv.Itoa(seconds(q.reset)))
}

// throttled is the refusal for a request above the quota.
func throttled(retry time.Duration) *problem {
	n := max(seconds(retry), 1)
	p := refuse(429, "", "Rate limit exceeded the maximum. Retry the request in [%d] seconds", n)
	p.code = "too.many.requests.retry.after"
	return p.with("Retry-After", strconv.Itoa(n))
}
