package mapping

import (
	"fmt"
	"strings"
	"time"
)

// dateFormat is how a column writes dates: DD/MM/YYYY.
type dateFormat struct {
	pattern string
	layout  string
}

// dateTokens are what a format is made of, the longest first; everything else
// stands for itself.
var dateTokens = [...]struct{ token, layout string }{
	{"YYYY", "2006"}, {"MMMM", "January"}, {"MMM", "Jan"},
	{"YY", "06"}, {"MM", "1"}, {"DD", "2"}, {"HH", "15"}, {"hh", "3"}, {"mm", "04"}, {"ss", "05"},
	{"M", "1"}, {"D", "2"}, {"H", "15"}, {"h", "3"}, {"A", "PM"}, {"a", "PM"},
}

const formatHint = "it is made of YYYY YY MM M MMM DD D HH mm ss, for example DD/MM/YYYY"

// parseDateFormat reads a format. Single and double digits are both read for
// months, days and hours, whatever the format says.
func parseDateFormat(pattern string) (*dateFormat, error) {
	f := &dateFormat{pattern: pattern}
	rest := strings.NewReplacer("yyyy", "YYYY", "yy", "YY", "dd", "DD", "d", "D").Replace(pattern)
	var b strings.Builder
next:
	for rest != "" {
		for _, t := range dateTokens {
			if strings.HasPrefix(rest, t.token) {
				b.WriteString(t.layout)
				rest = rest[len(t.token):]
				continue next
			}
		}
		if c := rest[0]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' && c != 'T' && c != 'Z' || c >= 'a' && c <= 'z' {
			return nil, &valueError{fmt.Sprintf("format cannot hold %q", c), formatHint}
		}
		b.WriteByte(rest[0])
		rest = rest[1:]
	}
	f.layout = b.String()
	if !strings.Contains(f.layout, "06") || !strings.Contains(f.layout, "2") {
		return nil, &valueError{fmt.Sprintf("format %q has no year, month and day", pattern), formatHint}
	}
	return f, nil
}

func (f *dateFormat) parse(s string) (time.Time, error) {
	t, err := time.Parse(f.layout, s)
	if err != nil {
		return t, &valueError{shown(s) + " is not a date written " + f.pattern, "YYYY-MM-DD is read too"}
	}
	return t, nil
}

// day is the date as YYYY-MM-DD, which is what text attributes hold.
func (f *dateFormat) day(s string) (any, error) {
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return s, nil
	}
	t, err := f.parse(s)
	if err != nil {
		return nil, err
	}
	return t.Format(time.DateOnly), nil
}

// convertDateTime makes the dateTime of RFC 7643 §2.3.5. A date without a time
// is its midnight, a time without a zone is taken as UTC.
func convertDateTime(s string, f *dateFormat) (any, error) {
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return s, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(time.RFC3339), nil
		}
	}
	if f == nil {
		return nil, &valueError{shown(s) + " is not an ISO date", "say how the column writes dates, for example format: DD/MM/YYYY"}
	}
	t, err := f.parse(s)
	if err != nil {
		return nil, err
	}
	return t.Format(time.RFC3339), nil
}
