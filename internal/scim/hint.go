package scim

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestHint bounds what a server may ask for; it keeps arithmetic on absurd
// values sound, and is far beyond the wait that the client would honour.
const longestHint = 365 * 24 * time.Hour

// parseRetryAfter reads how long the server asks to be left alone. The
// vendors' own headers are asked only where the standard one is absent.
func parseRetryAfter(h http.Header, now time.Time, unit time.Duration) (time.Duration, bool) {
	clock := serverTime(h, now)
	if wait, ok := parseWait(h.Get("Retry-After"), clock, unit); ok {
		return wait, true
	}
	if wait, ok := parseWait(h.Get("Retry-After-Ms"), clock, time.Millisecond); ok {
		return wait, true
	}
	return parseWait(h.Get("X-Retry-After"), clock, unit)
}

// parseWait reads every form in which servers say "not before": seconds, with
// or without a fraction; an HTTP date (RFC 9110 §10.2.3); a time of ISO 8601,
// with or without seconds; seconds or milliseconds since 1970. Large numbers
// are taken for times, as nobody asks for three years of patience.
func parseWait(value string, clock time.Time, unit time.Duration) (time.Duration, bool) {
	value = strings.Trim(strings.TrimSpace(value), `"`)
	if value == "" {
		return 0, false
	}
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		return waitFromNumber(n, clock, unit)
	}
	if at, ok := parseInstant(value); ok {
		return max(0, min(at.Sub(clock), longestHint)), true
	}
	return 0, false
}

func waitFromNumber(n float64, clock time.Time, unit time.Duration) (time.Duration, bool) {
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0) || n < 0:
		return 0, false
	case n >= 1e11:
		return sinceClock(n/1e3, clock), true
	case n >= 1e8:
		return sinceClock(n, clock), true
	case unit <= 0:
		unit = time.Second
	}
	return duration(n, unit), true
}

func sinceClock(epochSeconds float64, clock time.Time) time.Duration {
	now := float64(clock.UnixMilli()) / 1e3
	return max(0, duration(epochSeconds-now, time.Second))
}

// duration multiplies without overflow.
func duration(n float64, unit time.Duration) time.Duration {
	d := n * float64(unit)
	if d >= float64(longestHint) {
		return longestHint
	}
	return time.Duration(d)
}

func parseInstant(value string) (time.Time, bool) {
	if at, err := http.ParseTime(value); err == nil {
		return at, true
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.RFC1123Z,
	} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// serverTime is the answer's own date: a hint that names a time was written by
// that clock, not by ours.
func serverTime(h http.Header, now time.Time) time.Time {
	if at := headerDate(h); !at.IsZero() {
		return at
	}
	return now
}

func headerDate(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}
