package mapping

import "fmt"

// widestCode is the longest run of digits that is looked at: longer ones are
// shortened by spreadsheets in another way.
const widestCode = 15

// codes counts, by length, the cells of a column that are digits alone.
type codes struct {
	column      int
	zero, other [widestCode + 1]int64 // beginning with 0, and not
}

// see counts a cell.
func (c *codes) see(s string) {
	if s == "" || len(s) > widestCode || s[0] < '0' || s[0] > '9' || !isDigits(s) {
		return
	}
	if s[0] == '0' {
		c.zero[len(s)]++
	} else {
		c.other[len(s)]++
	}
}

// lost counts the codes that a spreadsheet has probably taken leading zeros
// from: all that begin with 0 have one length, which most codes have, and
// these are shorter.
func (c *codes) lost() (cells int64, width int) {
	for n := range c.zero {
		if c.zero[n] > 0 && width > 0 {
			return 0, 0
		}
		if c.zero[n] > 0 {
			width = n
		}
	}
	for n := range width {
		cells += c.other[n]
	}
	if cells > c.zero[width]+c.other[width] {
		return 0, 0
	}
	return cells, width
}

// Suspicions are what the rows so far have in common that looks like damage.
// Nothing has been done about it.
func (mp *Mapper) Suspicions() []string {
	var list []string
	for i := range mp.codes {
		c := &mp.codes[i]
		if n, width := c.lost(); n > 0 {
			list = append(list, fmt.Sprintf("column %q: %s of fewer than %d digits, where others begin with 0: a spreadsheet may have taken their leading zeros",
				mp.m.header[c.column], cellCount(n), width))
		}
	}
	return list
}

func cellCount(n int64) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}
