package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit is a number of rows, or a share of the rows read. The zero value
// allows none; see [NoLimit].
type Limit struct {
	N       int64
	Percent float64 // used instead of N where it is not 0
	None    bool    // no limit
}

// NoLimit allows any number.
var NoLimit = Limit{None: true}

// ParseLimit reads N or N%.
func ParseLimit(s string) (Limit, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	if percent {
		p, err := strconv.ParseFloat(number, 64)
		if err != nil || p <= 0 || p > 100 {
			return Limit{}, fmt.Errorf("%q is not a share: write a number from above 0%% to 100%%", s)
		}
		return Limit{Percent: p}, nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return Limit{}, fmt.Errorf("%q is neither a number of rows nor a share such as 5%%", s)
	}
	return Limit{N: n}, nil
}

// Exceeded says whether n of the given number of rows are too many.
func (l Limit) Exceeded(n, rows int64) bool {
	switch {
	case l.None:
		return false
	case l.Percent > 0:
		return float64(n)*100 > l.Percent*float64(rows)
	}
	return n > l.N
}

func (l Limit) String() string {
	switch {
	case l.None:
		return "none"
	case l.Percent > 0:
		return strconv.FormatFloat(l.Percent, 'g', -1, 64) + "%"
	}
	return strconv.FormatInt(l.N, 10)
}
