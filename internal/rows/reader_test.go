package rows

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
	"golang.org/x/text/encoding/unicode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open writes a file and opens it.
func open(t testing.TB, name string, data []byte, o Options) (*Reader, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Name == "" {
		o.Name = name
	}
	r, err := Open(path, o)
	if err == nil {
		t.Cleanup(func() { r.Close() })
	}
	return r, err
}

// show is a row as a line of text.
func show(row Row) string {
	s := fmt.Sprintf("%d@%d %q", row.Number, row.Line, row.Cells)
	if row.Object != nil {
		s += " " + string(row.Object)
	}
	if row.Err != nil {
		s += " ! " + row.Err.Error()
	}
	return s
}

func readAll(t testing.TB, r *Reader) []string {
	t.Helper()
	var list []string
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			list = append(list, "error: "+err.Error())
			continue
		}
		list = append(list, show(row))
	}
	return list
}

const quoteHint = " (a double quote inside a cell is written twice, and the cell stands in double quotes)"

const unclosedHint = " (close it, or remove it; a double quote inside a cell is written twice, and the cell stands in double quotes)"

func TestRows(t *testing.T) {
	tests := []struct {
		name, file, text string
		opts             Options
		header           string
		rows             []string
		notes            string
	}{
		{
			name: "plain", file: "x.csv", text: "a,b\n1,2\n3,4\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`, `2@3 ["3" "4"]`},
		},
		{
			name: "no line end at the end", file: "x.csv", text: "a,b\r\n1,2\r\n3,4",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`, `2@3 ["3" "4"]`},
		},
		{
			name: "header alone", file: "x.csv", text: "a,b", header: `["a" "b"]`,
		},
		{
			name: "mark before a quoted header, spaces in it", file: "x.csv", text: "\ufeff\"a \", b\u00a0,\u200bc\n1,2,3\n",
			header: `["a" "b" "c"]`, rows: []string{`1@2 ["1" "2" "3"]`},
		},
		{
			name: "lines of cells with line breaks are counted", file: "x.csv", text: "a,b\n\"1\n1\",2\n\n \n3,4\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1\n1" "2"]`, `2@6 ["3" "4"]`},
		},
		{
			name: "ragged rows keep their cells", file: "x.csv", text: "a,b\n1\n1,2,3\n,\n",
			header: `["a" "b"]`, rows: []string{
				`1@2 ["1"] ! x.csv:2: the row has 1 cell, the header has 2 (is a delimiter missing, or a line broken in two?)`,
				`2@3 ["1" "2" "3"] ! x.csv:3: the row has 3 cells, the header has 2 (a cell that holds the delimiter must stand in double quotes)`,
				`3@4 ["" ""]`,
			},
		},
		{
			name: "a quote in a bare cell", file: "x.csv", text: "a,b\nä,5\" pipe\n3,4\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["ä" "5\" pipe"] ! x.csv:2:4: stray double quote` + quoteHint, `2@3 ["3" "4"]`},
		},
		{
			name: "text after a closing quote", file: "x.csv", text: "a,b\n\"he\"llo,2\n3,4\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["\"he\"llo" "2"] ! x.csv:2:4: stray double quote` + quoteHint, `2@3 ["3" "4"]`},
		},
		{
			name: "an unclosed quote before a row with quotes", file: "x.csv", text: "a,b\n1,\"2\n3,\"4\"\n5,6\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "\"2"] ! x.csv:2:3: the double quote that opens here is not closed` + unclosedHint, `2@3 ["3" "4"]`, `3@4 ["5" "6"]`},
		},
		{
			name: "an unclosed quote up to the end", file: "x.csv", text: "a,b\n1,\"2\n3,4\n5,6\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "\"2"] ! x.csv:2:3: the double quote that opens here is not closed` + unclosedHint, `2@3 ["3" "4"]`, `3@4 ["5" "6"]`},
		},
		{
			name: "an unclosed quote in the last line", file: "x.csv", text: "a,b\n3,4\n1,\"2",
			header: `["a" "b"]`, rows: []string{`1@2 ["3" "4"]`, `2@3 ["1" "\"2"] ! x.csv:3:3: the double quote that opens here is not closed` + unclosedHint},
		},
		{
			name: "an unclosed quote that a later one closes", file: "x.csv", text: "a,b,c\n1,\"2,3\n4,5,6\n7,8\",9\n",
			header: `["a" "b" "c"]`, rows: []string{
				`1@2 ["1" "2,3\n4,5,6\n7,8" "9"]`, // it is a right cell: nothing tells it from one
			},
		},
		{
			name: "a ragged record that has taken a row in", file: "x.csv", text: "a,b,c\n1,\"2,3\n4,5,6\n7,8,\"\n10,11,12\n",
			header: `["a" "b" "c"]`, rows: []string{
				`1@2 ["1" "\"2" "3"] ! x.csv:2:3: the double quote that opens here is not closed` + unclosedHint,
				`2@3 ["4" "5" "6"]`,
				`3@4 ["7" "8" "\""] ! x.csv:4:5: the double quote that opens here is not closed` + unclosedHint,
				`4@5 ["10" "11" "12"]`,
			},
		},
		{
			name: "a ragged record of several lines stays one", file: "x.csv", text: "a,b\n\"x\ny\"\n1,2\n",
			header: `["a" "b"]`, rows: []string{
				`1@2 ["x\ny"] ! x.csv:2: the row has 1 cell, the header has 2 (is a delimiter missing, or a line broken in two?)`, `2@4 ["1" "2"]`,
			},
		},
		{
			name: "NUL", file: "x.csv", text: "a,b\n1,é\x002\n3,4\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "é\x002"] ! x.csv:2:4: NUL byte (the file is damaged, or no text)`, `2@3 ["3" "4"]`},
		},
		{
			name: "some lines are not UTF-8", file: "x.csv", text: "a,b\n1,é\n2,J\xfcrgen\n3,4\n",
			header: `["a" "b"]`, rows: []string{
				`1@2 ["1" "é"]`,
				`2@3 ["2" "J\xfcrgen"] ! x.csv:3:4: byte 0xFC is not UTF-8 (save the file as UTF-8, or name its encoding with --encoding)`,
				`3@4 ["3" "4"]`,
			},
			notes: "the text is UTF-8 but for 1 byte, the first on line 3; the rows that hold them are rejected",
		},
		{
			name: "Windows-1252", file: "x.csv", text: "a,b\n1,J\xfcrgen \x80\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "Jürgen €"]`},
			notes: "encoding windows-1252 (Latin-1) detected: the text is not UTF-8 from line 2 on; --encoding overrides",
		},
		{
			name: "declared encoding", file: "x.csv", text: "a,b\n1,\x83\x65\n", opts: Options{Encoding: "Shift_JIS"},
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "テ"]`},
		},
		{
			name: "bytes that the declared encoding does not have", file: "x.csv", text: "a,b\n1,x\x81\n2,3\n", opts: Options{Encoding: "windows-1252"},
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "x�"] ! x.csv:2:4: bytes that the encoding does not define (name the right encoding with --encoding)`, `2@3 ["2" "3"]`},
		},
		{
			name: "UTF-16", file: "x.csv", text: utf16("a;b\r\nJürgen;\"x\r\ny\"\r\n", unicode.LittleEndian, unicode.UseBOM),
			header: `["a" "b"]`, rows: []string{`1@2 ["Jürgen" "x\ny"]`}, notes: "delimiter semicolon detected; --delimiter overrides",
		},
		{
			name: "UTF-16 without a mark", file: "x.csv", text: utf16("a,b\n1,2\n", unicode.BigEndian, unicode.IgnoreBOM),
			header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`},
			notes: "encoding utf-16be detected, though the file has no byte order mark; --encoding overrides",
		},
		{
			name: "JSONL by its look", file: "stdin", text: "{\"a\":1}\n", header: `["a"]`, rows: []string{`1@1 ["1"] {"a":1}`},
		},
		{
			name: "CSV by its look", file: "stdin", text: "a,b\n1,2\n", header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`},
		},
		{
			name: "a title above the header", file: "x.csv", text: "New hires,,\na,b,c\n1,2,3\n", header: `["New hires" "" ""]`,
			rows: []string{`1@2 ["a" "b" "c"]`, `2@3 ["1" "2" "3"]`}, notes: "line 1 names 1 of 3 columns: if it is a title, --skip-rows 1 goes past it",
		},
		{
			name: "a title of one cell", file: "x.csv", text: "New hires\na,b\n", header: `["New hires"]`,
			rows:  []string{`1@2 ["a" "b"] ! x.csv:2: the row has 2 cells, the header has 1 (if line 1 is a title, --skip-rows 1 goes past it)`},
			notes: "line 1 has one cell, and line 2 several: if the header begins there, --skip-rows 1 goes to it",
		},
		{
			name: "a title, a date and a blank line", file: "x.csv", text: "New hires\n2024-05-01\n\na;b\n1;2\n", header: `["New hires"]`,
			rows:  []string{`1@2 ["2024-05-01"]`, `2@4 ["a;b"]`, `3@5 ["1;2"]`},
			notes: "line 1 has one cell, and line 4 several: if the header begins there, --skip-rows 3 goes to it",
		},
		{
			name: "a header of one name", file: "x.csv", text: "userName\nann\nbob\n", header: `["userName"]`, rows: []string{`1@2 ["ann"]`, `2@3 ["bob"]`},
		},
		{
			name: "tabs", file: "x.tsv", text: "a\tb\n1\t\n\t\n", header: `["a" "b"]`, rows: []string{`1@2 ["1" ""]`, `2@3 ["" ""]`},
		},
		{
			name: "semicolons", file: "x.csv", text: "a;b\n1,5;2,5\n", header: `["a" "b"]`, rows: []string{`1@2 ["1,5" "2,5"]`},
			notes: "delimiter semicolon detected; --delimiter overrides",
		},
		{
			name: "bars", file: "x.csv", text: "a|b|c\n1|2, 3|4\n", header: `["a" "b" "c"]`, rows: []string{`1@2 ["1" "2, 3" "4"]`},
			notes: "delimiter \"|\" detected; --delimiter overrides",
		},
		{
			name: "single quotes", file: "x.csv", text: "'a','b'\n'1,5','say \"2\"'\n'3',O'Neil\n'O'Brien','it''s'\n'line\nbreak',''\n'=1','5'\n",
			header: `["a" "b"]`, rows: []string{`1@2 ["1,5" "say \"2\""]`, `2@3 ["3" "O'Neil"]`, `3@4 ["O'Brien" "it's"]`, `4@5 ["line\nbreak" ""]`, `5@7 ["=1" "5"]`},
			notes: "cells stand in single quotes, and are read as if those were double ones",
		},
		{
			name: "single quotes and another delimiter", file: "x.csv", text: "'a':b\n'1:5':2\n", opts: Options{Delimiter: ':'},
			header: `["a" "b"]`, rows: []string{`1@2 ["1:5" "2"]`}, notes: "cells stand in single quotes, and are read as if those were double ones",
		},
		{
			name: "single quotes within double ones", file: "x.csv", text: "a,b\n\"'1'\",'2'\n'3',4\n", header: `["a" "b"]`, rows: []string{`1@2 ["'1'" "'2'"]`, `2@3 ["'3'" "4"]`},
		},
		{
			name: "a single quote that stays open", file: "x.csv", text: "a,b\n'1','2'\n'3,'4'\n'5','6'\n", header: `["a" "b"]`,
			rows:  []string{`1@2 ["1" "2"]`, `2@3 ["3,'4"] ! x.csv:3: the row has 1 cell, the header has 2 (is a delimiter missing, or a line broken in two?)`, `3@4 ["5" "6"]`},
			notes: "cells stand in single quotes, and are read as if those were double ones",
		},
		{
			name: "guards of formulas, and names", file: "x.csv", text: "a,b\n'=1',O'Neil\n'+2',d'Arc\n", header: `["a" "b"]`, rows: []string{`1@2 ["'=1'" "O'Neil"]`, `2@3 ["'+2'" "d'Arc"]`},
		},
		{
			name: "a given delimiter", file: "x.csv", text: "a:b\n1:2\n", opts: Options{Delimiter: ':'}, header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`},
		},
		{
			name: "Excel's hint", file: "x.csv", text: "sep=;\r\na;b,c\r\n1;2\r\n", header: `["a" "b,c"]`, rows: []string{`1@3 ["1" "2"]`},
		},
		{
			name: "Entra's version line", file: "x.csv", text: "version:v1.0,\na,b\n1,2\n", header: `["a" "b"]`, rows: []string{`1@3 ["1" "2"]`},
		},
		{
			name: "line ends of old Macs", file: "x.csv", text: "a,b\r1,2\r\"3\r3\",4\r", header: `["a" "b"]`, rows: []string{`1@2 ["1" "2"]`, `2@3 ["3\n3" "4"]`},
		},
		{
			name: "lines before the header", file: "x.csv", text: "Report of \"today\n\nid;x\na,b\n1,2\n", opts: Options{SkipRows: 3}, header: `["a" "b"]`, rows: []string{`1@5 ["1" "2"]`},
		},
		{
			name: "at most one row", file: "x.csv", text: "a\n1\n2\n", opts: Options{MaxRows: 1}, header: `["a"]`, rows: []string{`1@2 ["1"]`},
		},
		{
			name: "names that cannot be told apart", file: "x.csv", text: "a,A,\n1,2,3\n", header: `["a" "A" ""]`, rows: []string{`1@2 ["1" "2" "3"]`},
			notes: "the header has \"A\" twice, as columns 1 and 2|column 3 has no name in the header",
		},
		{
			name: "a path with quotes as a header", file: "x.csv", text: "userName,emails[type eq \"work\"].value\n1,2\n",
			header: `["userName" "emails[type eq \"work\"].value"]`, rows: []string{`1@2 ["1" "2"]`},
		},
		{
			name: "flat objects", file: "x.jsonl", text: "\ufeff{\"a\":\"1\",\"b\":null}\n\n{\"n\":9007199254740993,\"t\":true,\"l\":[\"x\"]}\n",
			header: `["a" "b" "n" "t" "l"]`, rows: []string{
				`1@1 ["1" "" "" "" ""] {"a":"1","b":null}`,
				`2@3 ["" "" "9007199254740993" "true" "[\"x\"]"] {"n":9007199254740993,"t":true,"l":["x"]}`,
			},
		},
		{
			name: "faulty objects", file: "x.jsonl", text: "{\"a\":1}\n{\"a\":1,\"a\":2}\n{\"a\":\n{\"a\":1} x\n3\n{a}\n{\"a\":\"\\ud800\"}\n{\"a\":2}\n",
			header: `["a"]`, rows: []string{
				`1@1 ["1"] {"a":1}`,
				`2@2 [] {"a":1,"a":2} ! x.jsonl:2:8: member "a" stands twice in one object (remove one of them)`,
				`3@3 [] {"a": ! x.jsonl:3:6: not JSON: the object is not closed (each line must be one JSON object)`,
				`4@4 [] {"a":1} x ! x.jsonl:4:8: not JSON: something follows the object (each line must be one JSON object)`,
				`5@5 [] 3 ! x.jsonl:5:1: not a JSON object (each line must be one JSON object)`,
				`6@6 [] {a} ! x.jsonl:6:2: not JSON: invalid character 'a' at start of value (each line must be one JSON object)`,
				`7@7 [] {"a":"\ud800"} ! x.jsonl:7:7: not JSON: invalid surrogate pair ` + "`\\ud800\"}`" + ` in string (each line must be one JSON object)`,
				`8@8 ["2"] {"a":2}`,
			},
		},
		{
			name: "whole resources", file: "x.ndjson", text: "{\"userName\":\"a\",\"name\":{\"givenName\":\"b\"}}\n",
			header: `["userName" "name"]`, rows: []string{`1@1 [] {"userName":"a","name":{"givenName":"b"}}`},
		},
		{
			name: "resources by an array of objects", file: "x.jsonl", text: "{\"userName\":\"a\",\"emails\":[{\"value\":\"b\"}]}\n",
			header: `["userName" "emails"]`, rows: []string{`1@1 [] {"userName":"a","emails":[{"value":"b"}]}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := open(t, tt.file, []byte(tt.text), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%q", r.Header()); got != tt.header {
				t.Errorf("header %s, want %s", got, tt.header)
			}
			if got := strings.Join(r.Notes(), "|"); got != tt.notes {
				t.Errorf("notes %q, want %q", got, tt.notes)
			}
			first := readAll(t, r)
			if diff := cmp.Diff(tt.rows, first); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			again, err := Open(filepath.Join(filepath.Dir(r.file.Name()), tt.file), r.Options())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if diff := cmp.Diff(first, readAll(t, again)); diff != "" {
				t.Errorf("a second reading differs:\n%s", diff)
			}
		})
	}
}

func utf16(s string, e unicode.Endianness, b unicode.BOMPolicy) string {
	text, err := unicode.UTF16(e, b).NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return text
}

func TestOpenFaults(t *testing.T) {
	tests := []struct {
		name, file, text string
		opts             Options
		want             string
	}{
		{"empty", "x.csv", "", Options{}, "x.csv: the file is empty (its first line must name the columns)"},
		{"blank", "x.csv", " \n\n", Options{}, "x.csv: the file is empty (its first line must name the columns)"},
		{"no names", "x.csv", ",,\n1,2,3\n", Options{}, "x.csv:1: the header has no names (the first line must name the columns; --skip-rows skips lines before it)"},
		{"a JSON array", "x.jsonl", "\n [{\"a\":1},\n{\"a\":2}]", Options{}, "x.jsonl:2:1: a JSON array, where JSONL has an object a line (convert it with: jq -c '.[]' x.jsonl > FILE.jsonl)"},
		{"a JSON array by its look", "x.json", "[{\"a\":1}]", Options{}, "x.json:1:1: a JSON array, where JSONL has an object a line (convert it with: jq -c '.[]' x.json > FILE.jsonl)"},
		{"a JSON object over lines", "x.jsonl", "{\n\"a\":1\n}\n", Options{}, "x.jsonl:1:1: an object over several lines, where JSONL has an object a line (convert it with: jq -c . x.jsonl > FILE.jsonl)"},
		{"not Windows-1252", "x.csv", "a\nb\n\x83\x81\x65\n", Options{}, "x.csv:3: byte 0x81 is neither UTF-8 nor Windows-1252 (name its encoding with --encoding, for example windows-1251, shift_jis or gb18030)"},
		{"Cyrillic", "x.csv", "a\n\xcf\xf0\xe8\xe2\xe5\xf2\n", Options{}, "x.csv:2: the text is not UTF-8 and does not look like Windows-1252 or Latin-1 (name its encoding with --encoding, for example windows-1251, shift_jis or gb18030)"},
		{"unknown encoding", "x.csv", "a\n", Options{Encoding: "klingon"}, `x.csv: unknown encoding "klingon"`},
		{"unknown format", "x.csv", "a\n", Options{Format: "xlsx"}, `unknown format "xlsx": csv, tsv and jsonl are known`},
		{"no delimiter", "x.csv", "a\n", Options{Delimiter: '"'}, `'"' cannot be a delimiter`},
		{"no text in the header", "x.csv", "a,b\x00\n", Options{}, "x.csv:1:4: NUL byte (the file is damaged, or no text)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, tt.file, []byte(tt.text), tt.opts)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		_, err := Open(t.TempDir(), Options{Name: "here"})
		if err == nil || err.Error() != "here: is a directory (give a CSV or JSONL file)" {
			t.Error(err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if _, err := Open(filepath.Join(t.TempDir(), "no.csv"), Options{}); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

func compressed(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		return b.Bytes()
	}
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func TestCompressed(t *testing.T) {
	for _, name := range []string{"x.csv.gz", "x.csv.zst", "misnamed.gz.zst"} {
		t.Run(name, func(t *testing.T) {
			data := compressed(t, name, "a,b\n1,\"2\n2\"\n")
			r, err := open(t, name, data, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{`1@2 ["1" "2\n2"]`}, readAll(t, r)); diff != "" {
				t.Error(diff)
			}
			if r.Size() != int64(len(data)) {
				t.Errorf("size %d, want %d", r.Size(), len(data))
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		data := compressed(t, "x.csv.gz", "a,b\n"+strings.Repeat("1,2\n", 100_000))
		if _, err := open(t, "x.csv.gz", data[:len(data)/2], Options{}); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
			t.Errorf("a cut file is read: %v", err)
		}
		r, err := open(t, "x.csv.gz", data[:len(data)/2], Options{Encoding: "utf-8"})
		if err != nil {
			t.Fatal(err)
		}
		list := readAll(t, r)
		if last := list[len(list)-1]; len(list) < 2 || !strings.HasPrefix(last, "error: reading x.csv.gz after line ") || !strings.Contains(last, "unexpected EOF") {
			t.Errorf("got %s", last)
		}
	})
}

// TestOffset holds the promise of the bar: it grows, and ends at the size.
func TestOffset(t *testing.T) {
	text := "a,b\n" + strings.Repeat("1,2\n", 100_000)
	r, err := open(t, "x.csv", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	last, seen := int64(0), map[int64]bool{}
	for row, err := range r.Rows(t.Context()) {
		if err != nil || row.Offset < last {
			t.Fatalf("row %d: offset %d after %d, %v", row.Number, row.Offset, last, err)
		}
		last = row.Offset
		seen[last] = true
	}
	if last != r.Size() || len(seen) < 3 {
		t.Errorf("offsets end at %d of %d, in %d steps", last, r.Size(), len(seen))
	}
}

func TestStopping(t *testing.T) {
	for _, name := range []string{"x.csv", "x.jsonl"} {
		text := "a\n" + strings.Repeat("1\n", 500_000)
		if name == "x.jsonl" {
			text = strings.Repeat("{\"a\":1}\n", 100_000)
		}
		t.Run(name+" by break", func(t *testing.T) {
			r, err := open(t, name, []byte(text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for range r.Rows(t.Context()) {
				if n++; n == 3 {
					break
				}
			}
			if r.stream.read > r.Size()/2 {
				t.Errorf("after 3 rows, %d of %d bytes were read", r.stream.read, r.Size())
			}
			goleak.VerifyNone(t)
		})
		t.Run(name+" by cancelling", func(t *testing.T) {
			r, err := open(t, name, []byte(text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n, last := 0, error(nil)
			for _, err := range r.Rows(ctx) {
				if n++; n == 3 {
					cancel()
				}
				last = err
			}
			if n != 4 || !errors.Is(last, context.Canceled) {
				t.Errorf("%d rows, then %v", n-1, last)
			}
			goleak.VerifyNone(t)
		})
		t.Run(name+" by panic", func(t *testing.T) {
			r, err := open(t, name, []byte(text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() { recover() }()
				for range r.Rows(t.Context()) {
					panic("the consumer fails")
				}
			}()
			goleak.VerifyNone(t)
		})
	}
}

// TestLongRecords holds the bounds: what is too long is one faulty row, and the
// rows after it are read.
func TestLongRecords(t *testing.T) {
	const limit = 1 << 20 // the real one would take its time
	long := strings.Repeat("x", limit+10)
	tests := []struct{ name, text, message string }{
		{"a long line", "a,b\n1,2\n" + long + ",2\n3,4\n", "x.csv:3: the line is longer than 16 MiB"},
		{"a quote over many lines", "a,b\n1,2\n3,\"4\n" + strings.Repeat("5,6\n", maxRecordLines+10) + "7\"\n", "x.csv:3:3: the double quote that opens here is not closed" + unclosedHint},
		{"a quote over much text", "a,b\n1,2\n3,\"4\n" + strings.Repeat(strings.Repeat("x", limit/8)+",6\n", 18) + "7\"\n", "x.csv:3:3: the double quote that opens here is not closed" + unclosedHint},
		{"a quote before a long line", "a,b\n1,2\n3,\"4\n" + long + "\n", "x.csv:3:3: the double quote that opens here is not closed" + unclosedHint},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := open(t, "x.csv", []byte(tt.text), Options{Delimiter: ','})
			if err != nil {
				t.Fatal(err)
			}
			r.lines.max = limit
			var good, lines int64
			var messages []string
			for row, err := range r.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if lines = row.Line; row.Err == nil {
					good++
				} else {
					messages = append(messages, row.Err.Error())
				}
			}
			if messages[0] != tt.message {
				t.Errorf("got %q, want %q", messages[0], tt.message)
			}
			want := int64(strings.Count(tt.text, "\n"))
			if lines != want || good+int64(len(messages)) != want-1 {
				t.Errorf("last line %d of %d, %d good and %d faulty rows", lines, want, good, len(messages))
			}
		})
	}
}

func TestPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		out.WriteString("a;b\n")
		for range 1000 {
			out.WriteString("1;2\n")
		}
		out.Close()
	}()
	defer in.Close()
	r, err := Open(fmt.Sprintf("/dev/fd/%d", in.Fd()), Options{Name: "pipe"})
	if err != nil {
		t.Skip("no /dev/fd here: ", err)
	}
	defer r.Close()
	if list := readAll(t, r); len(list) != 1000 || list[999] != `1000@1001 ["1" "2"]` {
		t.Errorf("%d rows", len(list))
	}
}

func TestWriter(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{
			"cells as they were", "x.csv", "a;b\n1;\"2;\n2\"\n1\n1;2;3\n1;\"x\n",
			"a;b;_line;_error\n1;\"2;\n2\";2;why\n1;4;why\n1;2;3;5;why\n1;\"\"\"x\";6;why\n",
		},
		{
			"rejects of rejects", "x.csv", "a,b,_line,_error\n1,2,7,old\n1,8,old\n",
			"a,b,_line,_error\n1,2,2,why\n1,3,why\n",
		},
		{
			"objects", "x.jsonl", "{\"a\":1.50}\n{\"_line\":\"9\",\"a\":2}\n{}\n{bad \n",
			"{\"a\":1.50,\"_line\":\"1\",\"_error\":\"why\"}\n{\"a\":2,\"_line\":\"2\",\"_error\":\"why\"}\n{\"_line\":\"3\",\"_error\":\"why\"}\n{bad\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := open(t, tt.file, []byte(tt.text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			w, err := NewWriter(&b, r, "_line", "_error")
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range r.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Write(&row, fmt.Sprint(row.Line), "why"); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
