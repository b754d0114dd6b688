package journal

import (
	"strconv"
	"time"
)

// A scanner reads the records of intents and outcomes in the very form in
// which this package writes them. At the first byte that is not as expected it
// gives up, and the record is decoded as any JSON; it must accept nothing that
// the decoder would read otherwise.
type scanner struct {
	text   []byte
	at     int
	failed bool

	// What the last record held.
	intents  []Intent
	outcomes []Outcome
	stats    Stats
	hasStats bool
	steps    bool // outcomes are those of steps

	stamp []byte // the last time read, and its text: most follow their like
	time  time.Time
	words map[string]string // one copy of each word
}

// record reports whether it could read the record.
func (s *scanner) record(text []byte) bool {
	s.text, s.at, s.failed = text, 0, false
	s.intents, s.outcomes, s.hasStats, s.steps = s.intents[:0], s.outcomes[:0], false, false
	switch {
	case s.skip(`{"kind":"intent","at":`):
		s.intentRows()
	case s.skip(`{"kind":"done","rows":[`):
		s.doneRows()
	case s.skip(`{"kind":"step","rows":[`):
		s.steps = true
		s.stepRows()
	default:
		return false
	}
	return !s.failed && s.at == len(s.text)
}

func (s *scanner) intentRows() {
	s.when()
	s.expect(`,"rows":[`)
	for more := !s.skip("]"); more && !s.failed; more = s.more() {
		s.intents = append(s.intents, s.intent())
	}
	s.expect("}")
}

func (s *scanner) doneRows() {
	for more := !s.skip("]"); more && !s.failed; more = s.more() {
		s.outcomes = append(s.outcomes, s.outcome())
	}
	if s.skip(`,"stats":{`) {
		s.total()
	}
	s.expect("}")
}

func (s *scanner) stepRows() {
	for more := !s.skip("]"); more && !s.failed; more = s.more() {
		s.outcomes = append(s.outcomes, s.outcome())
	}
	s.expect("}")
}

// more goes past a comma to the next row, or past the end of the rows.
func (s *scanner) more() bool {
	if s.skip(",") {
		return true
	}
	s.expect("]")
	return false
}

func (s *scanner) intent() Intent {
	in := Intent{At: s.time}
	s.expect("[")
	in.Line = s.integer()
	s.expect(",")
	in.Key = s.hash()
	s.expect(",")
	in.Op = s.word()
	if s.skip(",") {
		in.Absent = s.integer() != 0
	}
	if s.skip(",") {
		in.Step = s.step()
	}
	if s.skip(",") {
		in.Before = s.hash()
	}
	if s.skip(",") {
		in.After = s.hash()
	}
	s.expect("]")
	return in
}

func (s *scanner) outcome() Outcome {
	var out Outcome
	s.expect("[")
	out.Line = s.integer()
	s.expect(",")
	out.Outcome = s.word()
	s.expect(",")
	out.Attempts = s.step()
	if s.skip(",") {
		out.Class = s.word()
	}
	s.expect("]")
	return out
}

// total reads the members of a stats object, each of them at most once and in
// the order of Stats, as appendStats writes them.
func (s *scanner) total() {
	s.stats, s.hasStats = Stats{}, true
	t, first := &s.stats, true
	name := func(quoted string) bool {
		at := s.at
		if (first || s.skip(",")) && s.skip(quoted) {
			first = false
			return true
		}
		s.at = at
		return false
	}
	for _, count := range [...]struct {
		name string
		n    *int64
	}{
		{`"GET":`, &t.GET}, {`"POST":`, &t.POST}, {`"PUT":`, &t.PUT}, {`"PATCH":`, &t.PATCH}, {`"DELETE":`, &t.DELETE},
		{`"retried":`, &t.Retried}, {`"throttled":`, &t.Throttled},
	} {
		if name(count.name) {
			*count.n = s.integer()
		}
	}
	if name(`"rate":`) {
		t.Rate = s.decimal()
	}
	if name(`"seconds":`) {
		t.Seconds = s.decimal()
	}
	s.expect("}")
}

// skip goes past the literal if it is next.
func (s *scanner) skip(literal string) bool {
	end := s.at + len(literal)
	if end > len(s.text) || string(s.text[s.at:end]) != literal {
		return false
	}
	s.at = end
	return true
}

func (s *scanner) expect(literal string) {
	if !s.skip(literal) {
		s.failed = true
	}
}

// digits goes past decimal digits, of which there must be one.
func (s *scanner) digits() []byte {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	if s.at == start {
		s.failed = true
	}
	return s.text[start:s.at]
}

// integer reads a number of at most 18 digits without sign.
func (s *scanner) integer() int64 {
	digits := s.digits()
	if len(digits) > 18 || len(digits) > 1 && digits[0] == '0' {
		s.failed = true
		return 0
	}
	var n int64
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	return n
}

// step reads an integer that fits any int.
func (s *scanner) step() int {
	n := s.integer()
	if n > maxStep {
		s.failed = true
		return 0
	}
	return int(n)
}

// decimal reads a number without sign and exponent.
func (s *scanner) decimal() float64 {
	start := s.at
	if digits := s.digits(); len(digits) > 1 && digits[0] == '0' {
		s.failed = true
	}
	if s.skip(".") {
		s.digits()
	}
	v, err := strconv.ParseFloat(string(s.text[start:s.at]), 64)
	if err != nil {
		s.failed = true
	}
	return v
}

// quoted reads a string that has no escapes and is all ASCII.
func (s *scanner) quoted() []byte {
	s.expect(`"`)
	for start := s.at; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1]
		case c < 0x20 || c >= 0x7f || c == '\\':
			s.failed = true
			return nil
		}
	}
	s.failed = true
	return nil
}

func (s *scanner) word() string {
	quoted := s.quoted()
	if word, ok := s.words[string(quoted)]; ok {
		return word
	}
	word := string(quoted)
	if s.words == nil {
		s.words = map[string]string{}
	}
	if len(s.words) < 256 { // words that come and go are not worth keeping
		s.words[word] = word
	}
	return word
}

func (s *scanner) hash() uint64 {
	v, ok := parseHex(s.quoted())
	if !ok {
		s.failed = true
	}
	return v
}

func (s *scanner) when() {
	stamp := s.quoted()
	if s.failed || len(stamp) > 0 && string(stamp) == string(s.stamp) {
		return
	}
	var at time.Time
	if err := at.UnmarshalText(stamp); err != nil {
		s.failed = true
		return
	}
	s.stamp, s.time = append(s.stamp[:0], stamp...), at.UTC()
}
