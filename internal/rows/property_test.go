package rows

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

// table is a random table and how it is written.
type table struct {
	header []string
	rows   [][]string
	comma  rune
	crlf   bool
	bom    string
}

func drawTable(t *rapid.T) table {
	width := rapid.IntRange(2, 6).Draw(t, "width")
	tb := table{
		comma: rapid.SampledFrom([]rune(delimiters)).Draw(t, "comma"),
		crlf:  rapid.Bool().Draw(t, "crlf"),
		bom:   rapid.SampledFrom([]string{"", bomUTF8, bomUTF16LE, bomUTF16BE}).Draw(t, "bom"),
	}
	for i := range width {
		tb.header = append(tb.header, fmt.Sprintf("h%d", i))
	}
	cell := rapid.StringOfN(rapid.SampledFrom([]rune("ab1é漢 \"\n,;|\t'=")), 0, 8, -1)
	for range rapid.IntRange(0, 20).Draw(t, "rows") {
		row := make([]string, width)
		for i := range row {
			row[i] = cell.Draw(t, "cell")
		}
		row[0] = "k" + row[0] // no row is blank
		tb.rows = append(tb.rows, row)
	}
	return tb
}

func (tb table) bytes(t *rapid.T) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = tb.comma, tb.crlf
	w.WriteAll(append([][]string{tb.header}, tb.rows...))
	endian := unicode.LittleEndian
	switch tb.bom {
	case bomUTF16BE:
		endian = unicode.BigEndian
	case bomUTF16LE:
	default:
		return append([]byte(tb.bom), b.Bytes()...)
	}
	text, err := unicode.UTF16(endian, unicode.UseBOM).NewEncoder().Bytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestReadBack says that a written table is read as it was, with its delimiter
// and encoding found out, and with the line numbers of its rows.
func TestReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	rapid.Check(t, func(t *rapid.T) {
		tb := drawTable(t)
		if err := os.WriteFile(path, tb.bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{Delimiter: tb.comma})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		line := int64(2)
		i := 0
		for row, err := range r.Rows(t.Context()) {
			if err != nil || row.Err != nil {
				t.Fatal(err, row.Err)
			}
			if row.Line != line || row.Number != int64(i+1) {
				t.Fatalf("row %d is %d@%d, want line %d", i+1, row.Number, row.Line, line)
			}
			if diff := cmp.Diff(tb.rows[i], row.Cells); diff != "" {
				t.Fatal(diff)
			}
			line += 1 + int64(strings.Count(strings.Join(row.Cells, ""), "\n"))
			i++
		}
		if i != len(tb.rows) {
			t.Fatalf("%d rows of %d", i, len(tb.rows))
		}
	})
}

// TestDelimiterFound says that the delimiter of an ordinary table is found.
func TestDelimiterFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		comma := rapid.SampledFrom([]rune(delimiters)).Draw(t, "comma")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = comma
		width := rapid.IntRange(2, 8).Draw(t, "width")
		w.Write(slices.Repeat([]string{"name"}, width))
		words := rapid.SampledFrom([]string{"", "x", "Sales, EMEA", "a;b", "1,5", "x|y", "two words"})
		for range rapid.IntRange(1, 9).Draw(t, "rows") {
			row := make([]string, width)
			for i := range row {
				row[i] = words.Draw(t, "cell")
			}
			w.Write(row)
		}
		w.Flush()
		if got := detectDelimiter(b.Bytes()); got != comma {
			t.Fatalf("%q found, %q used in:\n%s", got, comma, b.String())
		}
	})
}

// TestOneStrayQuote says that a quote too many costs the rows of its own line
// and no other.
func TestOneStrayQuote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "rows")
		broken := rapid.IntRange(0, n-1).Draw(t, "broken")
		lines := []string{"a,b,c"}
		for i := range n {
			cells := []string{fmt.Sprint(i), "x", rapid.SampledFrom([]string{"y", `"q"`, `"a, b"`, ""}).Draw(t, "cell")}
			line := strings.Join(cells, ",")
			if i == broken {
				at := rapid.IntRange(0, len(line)).Draw(t, "at")
				line = line[:at] + `"` + line[at:]
			}
			lines = append(lines, line)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{Delimiter: ','})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		seen := map[int64]bool{}
		for row, err := range r.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			seen[row.Line] = true
			if row.Err != nil && row.Line != int64(broken+2) {
				t.Fatalf("line %d is faulty, the quote is on line %d: %v", row.Line, broken+2, row.Err)
			}
		}
		if len(seen) != n {
			t.Fatalf("%d rows of %d:\n%s", len(seen), n, strings.Join(lines, "\n"))
		}
	})
}

// FuzzCSV says that no bytes make the reader panic, lose a line or tell a wrong
// one.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b\n1,2\n", "a;b\r\n\"x\ny\";2\r\n", "\ufeff\"a\",b\n1,\"2\n3,4", "sep=;\na;b\n1;2", "a\r1\r2\r", "\xff\xfea\x00,\x00b\x00\n\x00",
		"a,b\n\x00,\xfc\n", "a,b\n1,2,3\n4\n", "version:v1.0\na\n1\n", "\"", "a\n\"\"\"\n\"\n\"\"x\n", "a\tb\n\t\n \n", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := open(t, "x.csv", data, Options{})
		if err != nil {
			return
		}
		lines := physicalLines(r, data)
		number, last := int64(0), int64(1)
		for row, err := range r.Rows(t.Context()) {
			if err != nil {
				return // a damaged compressed file
			}
			number++
			if row.Number != number || row.Line <= last && number > 1 || lines != nil && row.Line > int64(len(lines)) {
				t.Fatalf("row %d is %d@%d after line %d, of %d lines", number, row.Number, row.Line, last, len(lines))
			}
			if row.Err == nil && len(row.Cells) != len(r.Header()) {
				t.Fatalf("row %d has %d cells and no error", number, len(row.Cells))
			}
			last = row.Line
		}
		if lines == nil || bytes.IndexByte(data, '"') >= 0 {
			return
		}
		if want := countRows(r, lines); number != want {
			t.Fatalf("%d rows of %d lines:\n%q", number, want, data)
		}
	})
}

// physicalLines are the lines of plain UTF-8 text with LF; nil for other bytes.
func physicalLines(r *Reader, data []byte) []string {
	if r.Encoding() != "utf-8" || bytes.HasPrefix(data, []byte(gzipMagic)) || bytes.HasPrefix(data, []byte(zstdMagic)) || bytes.IndexByte(data, '\r') >= 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(bytes.TrimPrefix(data, []byte(bomUTF8))), "\n"), "\n")
}

// countRows counts the lines that are rows, in a text without quotes.
func countRows(r *Reader, lines []string) int64 {
	n := int64(-1) // the header
	for i, line := range lines {
		_, hint := sepLine([]byte(line))
		if strings.Trim(line, r.csv.blank) == "" || i == 0 && hint || n < 0 && isVersionLine([]byte(line)) {
			continue
		}
		n++
	}
	return n
}

// FuzzJSONL says the same of JSON Lines.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{
		"{\"a\":1}\n{\"b\":[1,\"x\"]}\n", "{\"schemas\":[]}\n", "{}\n\n{\"a\":{\"b\":1}}", "{\"a\":1,\"a\":2}\n", "x\n", "{\"a\":\"\xfc\"}\n", "{\"a\":1}{\n", "\xff\xfe{\x00}\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := open(t, "x.jsonl", data, Options{})
		if err != nil {
			return
		}
		lines := physicalLines(r, data)
		n := int64(0)
		for row, err := range r.Rows(t.Context()) {
			if err != nil {
				return
			}
			n++
			if row.Err == nil && !row.Object.IsValid() {
				t.Fatalf("row %d is no JSON and has no error: %q", n, row.Object)
			}
			if row.Err == nil && !r.Nested() && len(row.Cells) != len(r.Header()) {
				t.Fatalf("row %d has %d cells of %d", n, len(row.Cells), len(r.Header()))
			}
		}
		if lines == nil {
			return
		}
		want := int64(0)
		for _, line := range lines {
			if strings.Trim(line, " \t\r\n") != "" {
				want++
			}
		}
		if n != want {
			t.Fatalf("%d rows of %d lines: %q", n, want, data)
		}
	})
}
