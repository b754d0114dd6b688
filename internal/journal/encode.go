package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// crcLen is the length of a record's checksum and the space after it.
	crcLen = 9

	// maxRecord bounds a record, so that a reader can bound its memory.
	maxRecord = 16 << 20

	// rowsPerRecord bounds what one torn record can take with it.
	rowsPerRecord = 512

	// timeLayout has a fixed width, for those who read logs with their eyes.
	timeLayout = "2006-01-02T15:04:05.000Z"

	// maxStat bounds pace and seconds, which are written without exponent.
	maxStat = 1e12
)

// The kinds of record.
const (
	kindHeader  = "header"
	kindSession = "session"
	kindIntent  = "intent"
	kindVoid    = "void"
	kindDone    = "done"
	kindStep    = "step"
	kindNote    = "note"
	kindEnd     = "end"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openRecord leaves room for the checksum of the record that follows.
func openRecord(dst []byte) []byte { return append(dst, "00000000 "...) }

// closeRecord sums the record that began at start, and ends its line.
func closeRecord(dst []byte, start int) []byte {
	sum := crc32.Checksum(dst[start+crcLen:], castagnoli)
	hex.Encode(dst[start:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return append(dst, '\n')
}

// appendJSON appends a record of a kind that is too rare to be written by hand.
func appendJSON(dst []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	if len(text)+crcLen+1 > maxRecord {
		return nil, fmt.Errorf("record of %d bytes is above the limit of %d", len(text), maxRecord)
	}
	start := len(dst)
	return closeRecord(append(openRecord(dst), text...), start), nil
}

// appendIntents appends intents as {"kind":"intent","at":TIME,"rows":[ROW,…]}:
// rows that follow each other and share a time share a record.
func appendIntents(dst []byte, intents []Intent, now time.Time) ([]byte, error) {
	stamp := func(in Intent) time.Time {
		if in.At.IsZero() {
			in.At = now
		}
		return in.At.UTC().Truncate(time.Millisecond)
	}
	for len(intents) > 0 {
		at, n := stamp(intents[0]), 1
		for n < len(intents) && n < rowsPerRecord && stamp(intents[n]).Equal(at) {
			n++
		}
		if year := at.Year(); year < 0 || year > 9999 {
			return nil, fmt.Errorf("time %v has no RFC 3339 form", at)
		}
		var err error
		start := len(dst)
		dst = append(openRecord(dst), `{"kind":"intent","at":"`...)
		dst = append(at.AppendFormat(dst, timeLayout), `","rows":[`...)
		if dst, err = appendRows(dst, intents[:n], appendIntent); err != nil {
			return nil, err
		}
		dst = closeRecord(append(dst, "]}"...), start)
		intents = intents[n:]
	}
	return dst, nil
}

// appendRows appends the elements of a rows array.
func appendRows[T any](dst []byte, rows []T, one func([]byte, T) ([]byte, error)) ([]byte, error) {
	var err error
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(dst, row); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendIntent appends [line,key,op,absent,step,before,after]; from absent on,
// what is zero is left out at the end.
func appendIntent(dst []byte, in Intent) ([]byte, error) {
	if err := known(in.Line, in.Step); err != nil {
		return nil, err
	}
	dst = strconv.AppendInt(append(dst, '['), in.Line, 10)
	dst = appendHash(append(dst, ','), in.Key)
	dst, err := jsontext.AppendQuote(append(dst, ','), in.Op)
	if err != nil {
		return nil, err
	}
	more := 0
	switch {
	case in.After != 0:
		more = 4
	case in.Before != 0:
		more = 3
	case in.Step != 0:
		more = 2
	case in.Absent:
		more = 1
	}
	if more > 0 {
		dst = append(dst, ',', '0'+oneIf(in.Absent))
	}
	if more > 1 {
		dst = strconv.AppendInt(append(dst, ','), int64(in.Step), 10)
	}
	if more > 2 {
		dst = appendHash(append(dst, ','), in.Before)
	}
	if more > 3 {
		dst = appendHash(append(dst, ','), in.After)
	}
	return append(dst, ']'), nil
}

func oneIf(yes bool) byte {
	if yes {
		return 1
	}
	return 0
}

// appendVoid appends [line,step].
func appendVoid(dst []byte, in Intent) ([]byte, error) {
	if err := known(in.Line, in.Step); err != nil {
		return nil, err
	}
	dst = strconv.AppendInt(append(dst, '['), in.Line, 10)
	dst = strconv.AppendInt(append(dst, ','), int64(in.Step), 10)
	return append(dst, ']'), nil
}

// appendVoids appends {"kind":"void","rows":[ROW,…]} records.
func appendVoids(dst []byte, intents []Intent) ([]byte, error) {
	var err error
	for some := range slices.Chunk(intents, rowsPerRecord) {
		start := len(dst)
		dst = append(openRecord(dst), `{"kind":"void","rows":[`...)
		if dst, err = appendRows(dst, some, appendVoid); err != nil {
			return nil, err
		}
		dst = closeRecord(append(dst, "]}"...), start)
	}
	return dst, nil
}

// appendDone appends {"kind":"done","rows":[ROW,…],"stats":{…}} records; the
// last one, or one of its own, holds the stats if they are not nil.
func appendDone(dst []byte, outcomes []Outcome, stats *Stats) ([]byte, error) {
	for len(outcomes) > 0 || stats != nil {
		n := min(len(outcomes), rowsPerRecord)
		start := len(dst)
		dst = append(openRecord(dst), `{"kind":"done","rows":[`...)
		var err error
		if dst, err = appendRows(dst, outcomes[:n], appendOutcome); err != nil {
			return nil, err
		}
		dst = append(dst, ']')
		if outcomes = outcomes[n:]; len(outcomes) == 0 && stats != nil {
			dst = appendStats(append(dst, `,"stats":`...), *stats)
			stats = nil
		}
		dst = closeRecord(append(dst, '}'), start)
	}
	return dst, nil
}

func appendSteps(dst []byte, outcomes []Outcome) ([]byte, error) {
	for len(outcomes) > 0 {
		n := min(len(outcomes), rowsPerRecord)
		start := len(dst)
		dst = append(openRecord(dst), `{"kind":"step","rows":[`...)
		var err error
		if dst, err = appendRows(dst, outcomes[:n], appendOutcome); err != nil {
			return nil, err
		}
		dst = closeRecord(append(dst, "]}"...), start)
		outcomes = outcomes[n:]
	}
	return dst, nil
}

// appendOutcome appends [line,outcome,attempts,class], without class where
// there is none.
func appendOutcome(dst []byte, out Outcome) ([]byte, error) {
	if err := known(out.Line, 0); err != nil {
		return nil, err
	}
	if out.Outcome == "" {
		return nil, fmt.Errorf("line %d: no outcome", out.Line)
	}
	dst = strconv.AppendInt(append(dst, '['), out.Line, 10)
	dst, err := jsontext.AppendQuote(append(dst, ','), out.Outcome)
	dst = strconv.AppendInt(append(dst, ','), int64(max(out.Attempts, 0)), 10)
	if out.Class != "" {
		var classErr error
		dst, classErr = jsontext.AppendQuote(append(dst, ','), out.Class)
		err = errors.Join(err, classErr)
	}
	return append(dst, ']'), err
}

// appendStats appends the totals that are not zero, in the order of Stats.
func appendStats(dst []byte, s Stats) []byte {
	start := len(dst)
	dst = append(dst, '{')
	count := func(name string, n int64) {
		if n > 0 {
			dst = strconv.AppendInt(appendName(dst, start, name), n, 10)
		}
	}
	measure := func(name string, v float64) {
		if v >= 0.0005 && v < maxStat {
			dst = strconv.AppendFloat(appendName(dst, start, name), v, 'f', 3, 64)
		}
	}
	count("GET", s.GET)
	count("POST", s.POST)
	count("PUT", s.PUT)
	count("PATCH", s.PATCH)
	count("DELETE", s.DELETE)
	count("retried", s.Retried)
	count("throttled", s.Throttled)
	measure("rate", s.Rate)
	measure("seconds", s.Seconds)
	return append(dst, '}')
}

// appendName appends a member's name, with a comma unless it is the first of
// the object that began at start.
func appendName(dst []byte, start int, name string) []byte {
	if len(dst) > start+1 {
		dst = append(dst, ',')
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, '"', ':')
}

// appendHash appends a hash as 16 hex digits in quotes: as a JSON number it
// would be above what many readers keep exactly.
func appendHash(dst []byte, hash uint64) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[hash>>shift&15])
	}
	return append(dst, '"')
}
