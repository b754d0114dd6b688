package scim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Quota is what an answer's headers say of the rate that the server permits.
type Quota struct {
	// Known is false where the headers say nothing usable.
	Known bool
	// Limit is the size of the allowance, 0 where it is not said.
	Limit int
	// Remaining is what is left of it.
	Remaining int
	// Reset is the time until the allowance is whole again, from the answer's
	// own date.
	Reset time.Duration
	// Source names the form, for people.
	Source string
}

// quotaForm is one way of naming the three figures. used takes the place of
// remaining where the server counts upwards.
type quotaForm struct{ limit, remaining, used, reset string }

// quotaForms lists the header families, in the spelling that http.Header uses.
var quotaForms = [...]quotaForm{
	{limit: "Inin-Ratelimit-Allowed", used: "Inin-Ratelimit-Count", reset: "Inin-Ratelimit-Reset"}, // Genesys Cloud
	{limit: "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: "Ratelimit-Reset"},         // older drafts of the IETF
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Reset"},   // GitHub, Atlassian and most
	{limit: "X-Rate-Limit-Limit", remaining: "X-Rate-Limit-Remaining", reset: "X-Rate-Limit-Reset"},
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Interval-Seconds"}, // Atlassian data centre
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Next"},             // Akamai
}

// ParseQuota reads the quota headers of every known form, whatever the
// provider. now stands in for the server's clock where it sent no Date; unit is
// the unit of a bare reset (0: a second).
func ParseQuota(h http.Header, now time.Time, unit time.Duration) Quota {
	if q := structuredQuota(header(h, "Ratelimit"), header(h, "Ratelimit-Policy")); q.Known {
		return q
	}
	for _, form := range quotaForms {
		if q := form.read(h, now, unit); q.Known {
			return q
		}
	}
	return Quota{}
}

func (f quotaForm) read(h http.Header, now time.Time, unit time.Duration) Quota {
	reset := header(h, f.reset)
	if reset == "" {
		return Quota{}
	}
	limit, hasLimit := leadingInt(header(h, f.limit))
	remaining, ok := leadingInt(header(h, f.remaining))
	if f.used != "" {
		used, counted := leadingInt(header(h, f.used))
		remaining, ok = max(0, limit-used), counted && hasLimit
	}
	wait, timed := parseWait(reset, serverTime(h, now), unit)
	if !ok || !timed {
		return Quota{}
	}
	return Quota{Known: true, Limit: limit, Remaining: remaining, Reset: wait, Source: strings.ToLower(f.reset)}
}

// leadingInt reads the number that a value begins with: drafts of the IETF had
// "100, 100;w=60".
func leadingInt(s string) (int, bool) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil
}

// structuredQuota reads RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers): `"default";r=50;t=30` with
// `"default";q=100;w=60`, and the older `limit=100, remaining=50, reset=5`. Of
// several policies the one that leaves the least counts.
func structuredQuota(value, policy string) Quota {
	if value == "" {
		return Quota{}
	}
	if q := keyedQuota(value); q.Known {
		return q
	}
	var least Quota
	for item := range strings.SplitSeq(value, ",") {
		q := itemQuota(item, policy)
		if q.Known && (!least.Known || q.Remaining < least.Remaining) {
			least = q
		}
	}
	return least
}

func keyedQuota(value string) Quota {
	p := parameters(value, ",")
	remaining, ok := leadingInt(p["remaining"])
	seconds, timed := leadingInt(p["reset"])
	if !ok || !timed {
		return Quota{}
	}
	limit, _ := leadingInt(p["limit"])
	return Quota{Known: true, Limit: limit, Remaining: remaining, Reset: duration(float64(seconds), time.Second), Source: "ratelimit"}
}

func itemQuota(item, policy string) Quota {
	name, rest, _ := strings.Cut(item, ";")
	p := parameters(rest, ";")
	remaining, ok := leadingInt(p["r"])
	if !ok {
		return Quota{}
	}
	limit, window := policyOf(strings.TrimSpace(name), policy)
	seconds, timed := leadingInt(p["t"])
	if !timed {
		seconds, timed = window, window > 0
	}
	return Quota{Known: timed, Limit: limit, Remaining: remaining, Reset: duration(float64(seconds), time.Second), Source: "ratelimit"}
}

func policyOf(name, policy string) (limit, window int) {
	for item := range strings.SplitSeq(policy, ",") {
		key, rest, _ := strings.Cut(item, ";")
		if strings.TrimSpace(key) != name {
			continue
		}
		p := parameters(rest, ";")
		limit, _ = leadingInt(p["q"])
		window, _ = leadingInt(p["w"])
	}
	return limit, window
}

func parameters(s, separator string) map[string]string {
	p := map[string]string{}
	for pair := range strings.SplitSeq(s, separator) {
		if name, value, ok := strings.Cut(pair, "="); ok {
			p[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return p
}
