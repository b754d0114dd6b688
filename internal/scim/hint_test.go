package scim

import (
	"net/http"
	"testing"
	"time"
)

func headers(pairs ...string) http.Header { return reply(200, "", pairs...).Header }

func TestParseRetryAfter(t *testing.T) {
	ours := time.Date(2026, 6, 5, 6, 0, 0, 0, time.UTC)
	// The server's clock is five minutes behind ours.
	const date = "Fri, 05 Jun 2026 05:55:00 GMT"
	for name, tc := range map[string]struct {
		h    http.Header
		unit time.Duration
		want time.Duration
		none bool
	}{
		"absent":                {h: headers(), none: true},
		"seconds":               {h: headers("Retry-After", "42"), want: 42 * time.Second},
		"zero":                  {h: headers("Retry-After", "0"), want: 0},
		"fraction":              {h: headers("Retry-After", "1.5"), want: 1500 * time.Millisecond},
		"spaces":                {h: headers("Retry-After", " 7 "), want: 7 * time.Second},
		"HTTP date":             {h: headers("Date", date, "Retry-After", "Fri, 05 Jun 2026 05:55:30 GMT"), want: 30 * time.Second},
		"HTTP date, past":       {h: headers("Date", date, "Retry-After", "Fri, 05 Jun 2026 05:54:00 GMT"), want: 0},
		"HTTP date, no Date":    {h: headers("Retry-After", "Fri, 05 Jun 2026 06:00:10 GMT"), want: 10 * time.Second},
		"ISO 8601":              {h: headers("Date", date, "Retry-After", "2026-06-05T05:56:00Z"), want: time.Minute},
		"ISO without seconds":   {h: headers("Date", date, "Retry-After", "2026-06-05T05:57Z"), want: 2 * time.Minute},
		"ISO with zone":         {h: headers("Date", date, "Retry-After", "2026-06-05T07:57:00+02:00"), want: 2 * time.Minute},
		"epoch seconds":         {h: headers("Date", date, "Retry-After", "1780638930"), want: 30 * time.Second},
		"epoch milliseconds":    {h: headers("Date", date, "Retry-After", "1780638930500"), want: 30500 * time.Millisecond},
		"milliseconds by unit":  {h: headers("Retry-After", "600"), unit: time.Millisecond, want: 600 * time.Millisecond},
		"milliseconds by name":  {h: headers("Retry-After-Ms", "250"), want: 250 * time.Millisecond},
		"vendor's name":         {h: headers("X-Retry-After", "3"), want: 3 * time.Second},
		"standard before other": {h: headers("Retry-After", "1", "X-Retry-After", "3"), want: time.Second},
		"negative":              {h: headers("Retry-After", "-5"), none: true},
		"words":                 {h: headers("Retry-After", "soon"), none: true},
		"not a number":          {h: headers("Retry-After", "NaN"), none: true},
		"huge":                  {h: headers("Retry-After", "99999999"), want: longestHint},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseRetryAfter(tc.h, ours, tc.unit)
			if ok == tc.none || got != tc.want {
				t.Errorf("got %v, %t; want %v, %t", got, ok, tc.want, !tc.none)
			}
		})
	}
}

func TestParseQuota(t *testing.T) {
	now := time.Date(2026, 6, 5, 5, 55, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		h                http.Header
		limit, remaining int
		reset            time.Duration
		unknown          bool
	}{
		"none":              {h: headers("X-Ratelimit-Limit", "5"), unknown: true},
		"genesys":           {h: headers("inin-ratelimit-count", "7", "inin-ratelimit-allowed", "200", "inin-ratelimit-reset", "4"), limit: 200, remaining: 193, reset: 4 * time.Second},
		"genesys exceeded":  {h: headers("inin-ratelimit-count", "201", "inin-ratelimit-allowed", "200", "inin-ratelimit-reset", "4"), limit: 200, reset: 4 * time.Second},
		"okta":              {h: headers("X-Rate-Limit-Limit", "600", "X-Rate-Limit-Remaining", "599", "X-Rate-Limit-Reset", "1780638930", "Date", "Fri, 05 Jun 2026 05:55:00 GMT"), limit: 600, remaining: 599, reset: 30 * time.Second},
		"github":            {h: headers("X-Ratelimit-Limit", "60", "X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", "1780638960"), limit: 60, reset: time.Minute},
		"atlassian iso":     {h: headers("X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "10", "X-RateLimit-Reset", "2026-06-05T06:00Z"), limit: 100, remaining: 10, reset: 5 * time.Minute},
		"atlassian dc":      {h: headers("X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "3", "X-RateLimit-Interval-Seconds", "1", "X-RateLimit-FillRate", "5"), limit: 10, remaining: 3, reset: time.Second},
		"akamai":            {h: headers("X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "1", "X-RateLimit-Next", "2026-06-05T05:55:20Z"), limit: 10, remaining: 1, reset: 20 * time.Second},
		"old draft":         {h: headers("RateLimit-Limit", "100, 100;w=60", "RateLimit-Remaining", "50", "RateLimit-Reset", "5"), limit: 100, remaining: 50, reset: 5 * time.Second},
		"draft keyed":       {h: headers("RateLimit", "limit=100, remaining=50, reset=5"), limit: 100, remaining: 50, reset: 5 * time.Second},
		"draft 10":          {h: headers("RateLimit", `"default";r=50;t=30`, "RateLimit-Policy", `"default";q=100;w=60`), limit: 100, remaining: 50, reset: 30 * time.Second},
		"draft 10, window":  {h: headers("RateLimit", `"d";r=50`, "RateLimit-Policy", `"d";q=100;w=60`), limit: 100, remaining: 50, reset: time.Minute},
		"draft 10, several": {h: headers("RateLimit", `"hour";r=500;t=3000, "burst";r=2;t=1`, "RateLimit-Policy", `"hour";q=1000;w=3600,"burst";q=10;w=1`), limit: 10, remaining: 2, reset: time.Second},
		"zero reset":        {h: headers("X-Ratelimit-Remaining", "5", "X-Ratelimit-Reset", "0"), remaining: 5},
		"garbage":           {h: headers("X-Ratelimit-Remaining", "some", "X-Ratelimit-Reset", "later"), unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			q := ParseQuota(tc.h, now, 0)
			if q.Known == tc.unknown || q.Limit != tc.limit || q.Remaining != tc.remaining || q.Reset != tc.reset {
				t.Errorf("got %+v", q)
			}
		})
	}
}
