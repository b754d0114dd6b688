package scim

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// headerWatch sees every answer of a probe, those that are repeated as well. A
// probe asks one question at a time, so it needs no lock.
type headerWatch struct {
	next http.RoundTripper

	statuses   map[int]int
	limits     map[string]string // headers that speak of a rate, and their last value
	quota      Quota
	retryAfter string
	odd        []string // media types that are not JSON
}

func (w *headerWatch) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(req)
	if err == nil {
		w.see(answer)
	}
	return answer, err
}

func (w *headerWatch) see(answer *http.Response) {
	if w.statuses == nil {
		w.statuses, w.limits = map[int]int{}, map[string]string{}
	}
	w.statuses[answer.StatusCode]++
	for name := range answer.Header {
		plain := strings.ReplaceAll(strings.ToLower(name), "-", "")
		if strings.Contains(plain, "ratelimit") {
			w.limits[strings.ToLower(name)] = answer.Header.Get(name)
		}
	}
	if q := ParseQuota(answer.Header, time.Now(), 0); q.Known {
		w.quota = q
	}
	if text := answer.Header.Get("Retry-After"); text != "" {
		w.retryAfter = text
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode < 300 && !strings.Contains(kind, "json") && !slices.Contains(w.odd, kind) {
		w.odd = append(w.odd, kind)
	}
}

// limitText lists the headers that speak of a rate.
func (w *headerWatch) limitText() string {
	var parts []string
	for name, value := range w.limits {
		parts = append(parts, name+" "+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
