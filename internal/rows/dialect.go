package rows

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
)

// delimiters that are looked for, the likeliest first.
const delimiters = ",;\t|"

// delimiterName is how a message names a delimiter.
func delimiterName(d rune) string {
	switch d {
	case ',':
		return "comma"
	case ';':
		return "semicolon"
	case '\t':
		return "tab"
	}
	return strconv.Quote(string(d))
}

// sepLine knows the first line by which Excel tells the delimiter: sep=;
func sepLine(line []byte) (rune, bool) {
	text := strings.TrimRight(string(line), "\r\n")
	text = strings.Trim(text, `"`)
	if len(text) < 5 || !strings.EqualFold(text[:4], "sep=") {
		return 0, false
	}
	if d := []rune(text[4:]); len(d) == 1 && d[0] != '"' {
		return d[0], true
	}
	return 0, false
}

// isVersionLine knows the first line of the templates of Microsoft Entra, which
// stands before the header: version:v1.0
func isVersionLine(line []byte) bool {
	text := strings.Trim(string(line), " \t\r\n,;\"")
	return text == "version:v1.0"
}

// detectDelimiter chooses the delimiter by which the lines of a sample have
// the same number of cells, and the most of them.
func detectDelimiter(sample []byte) rune {
	best, bestScore := ',', 0.0
	for _, d := range delimiters {
		if s := delimiterScore(sample, d); s > bestScore {
			best, bestScore = d, s
		}
	}
	return best
}

// mostTitleLines is how far down the header of a report is looked for.
const mostTitleLines = 10

// titleLines is how many lines stand before the first one of several cells, 0
// where that is the first line or none of the sample is.
func titleLines(sample []byte, eol byte) int {
	for n := range mostTitleLines {
		for _, d := range delimiters {
			if first, _, _ := bytes.Cut(sample, []byte{eol}); len(bytes.TrimSpace(first)) > 0 && delimiterScore(sample, d) > 0 {
				return n
			}
		}
		sample = dropLines(sample, 1, eol)
	}
	return 0
}

// sampleRows are looked at to choose a delimiter.
const sampleRows = 50

func delimiterScore(sample []byte, d rune) float64 {
	r := csv.NewReader(bytes.NewReader(sample))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = d, -1, true, true
	header, err := r.Read()
	if err != nil || len(header) < 2 {
		return 0
	}
	width, same, all := len(header), 1, 1
	for all < sampleRows {
		cells, err := r.Read()
		if err != nil {
			break
		}
		all++
		if len(cells) == width {
			same++
		}
	}
	return float64(width) * float64(same) / float64(all)
}

// lineEnd is the byte that ends lines: CR alone in files of old Macs and of
// some mainframes, else LF.
func lineEnd(sample []byte) byte {
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		return '\r'
	}
	return '\n'
}

// completeLines is the sample without a last line that it cuts.
func completeLines(sample []byte, whole bool, eol byte) []byte {
	if i := bytes.LastIndexByte(sample, eol); !whole && i >= 0 {
		return sample[:i+1]
	}
	return sample
}

// dropLines is the sample without its first n lines.
func dropLines(sample []byte, n int, eol byte) []byte {
	for ; n > 0; n-- {
		i := bytes.IndexByte(sample, eol)
		if i < 0 {
			return nil
		}
		sample = sample[i+1:]
	}
	return sample
}
