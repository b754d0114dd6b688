package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"scimbulk/internal/scim"
)

// Expected is how long a plan would take to carry out, and how that is known.
// Seconds is 0 where nobody can tell.
type Expected struct {
	Requests int64   `json:"requests"`
	Rate     float64 `json:"rate,omitempty"` // requests a second
	Seconds  float64 `json:"seconds,omitempty"`
	Basis    string  `json:"basis"`
}

// fewReads are too few to tell how fast a directory answers.
const fewReads = 20

// Expect tells how long so many requests take. cap is the caller's own (0:
// none), pace what the client has learned, reads and seconds are those of the
// plan.
func Expect(requests int64, cap float64, pace scim.Pace, profile scim.Profile, reads int64, seconds float64) *Expected {
	e := &Expected{Requests: requests}
	e.Rate, e.Basis = permitted(cap, pace, profile)
	if reads >= fewReads && seconds > 0 {
		answered := float64(reads) / seconds
		switch {
		case e.Rate == 0:
			e.Rate, e.Basis = answered, "the pace of this plan's own reads; the directory names no limit before the first 429"
		case answered < 0.9*e.Rate:
			e.Rate, e.Basis = answered, fmt.Sprintf("the pace of this plan's own reads; %s a second would be permitted", rateText(e.Rate))
		}
	}
	if e.Rate > 0 {
		e.Seconds = float64(requests) / e.Rate
	}
	return e
}

// permitted is the rate that is known to be permitted, and by whom; 0 where
// nobody has said.
func permitted(cap float64, pace scim.Pace, profile scim.Profile) (float64, string) {
	switch {
	case pace.Rate > 0 && pace.LimitedBy == scim.LimitQuota:
		return pace.Rate, "what the quota of the directory allows"
	case pace.Rate > 0 && pace.LimitedBy == scim.LimitServer:
		return pace.Rate, "what the directory has permitted so far"
	case cap > 0:
		return cap, "--rate"
	case profile.Rate > 0:
		return profile.Rate, "what " + profile.Title + " is known to permit"
	}
	return 0, "the directory names no limit before the first 429 (--rate N keeps to a pace)"
}

func (e *Expected) String() string {
	if e.Seconds == 0 {
		return "unknown: " + e.Basis
	}
	return fmt.Sprintf("about %s, at %s requests a second (%s)", durationText(e.Seconds), rateText(e.Rate), e.Basis)
}

func rateText(rate float64) string {
	if rate < 10 {
		return strconv.FormatFloat(math.Round(10*rate)/10, 'f', -1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 0, 64)
}

func durationText(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return "a second"
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
