package rows

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// Byte order marks (RFC 3629 §6; Unicode 16, §23.8).
const (
	bomUTF8    = "\xef\xbb\xbf"
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
)

// charset turns the bytes of a file into UTF-8.
type charset struct {
	name    string
	bom     int               // bytes to drop at the start
	decoder encoding.Encoding // nil for UTF-8, which is taken as it is
}

func (c charset) reader(in io.Reader) (io.Reader, error) {
	if c.bom > 0 {
		if _, err := io.CopyN(io.Discard, in, int64(c.bom)); err != nil {
			return nil, err
		}
	}
	if c.decoder == nil {
		return in, nil
	}
	return c.decoder.NewDecoder().Reader(in), nil
}

// declaredCharset is the encoding that the user names. A byte order mark that
// says the same is dropped.
func declaredCharset(name string, sample []byte) (charset, error) {
	found, byBOM := charsetByBOM(sample)
	key := strings.ToLower(strings.TrimSpace(name))
	if key == "utf-16" && byBOM && found.decoder != nil {
		return found, nil
	}
	enc, err := htmlindex.Get(key)
	if err != nil {
		return charset{}, fmt.Errorf("unknown encoding %q", name)
	}
	canonical, err := htmlindex.Name(enc)
	if err != nil {
		canonical = key
	}
	c := charset{name: canonical, decoder: enc}
	if canonical == "utf-8" {
		c.decoder = nil
	}
	if byBOM && found.name == canonical {
		c.bom = found.bom
	}
	return c, nil
}

func charsetByBOM(sample []byte) (charset, bool) {
	switch s := string(sample[:min(len(sample), 3)]); {
	case s == bomUTF8:
		return charset{name: "utf-8", bom: 3}, true
	case strings.HasPrefix(s, bomUTF16LE):
		return charset{"utf-16le", 2, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}, true
	case strings.HasPrefix(s, bomUTF16BE):
		return charset{"utf-16be", 2, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}, true
	}
	return charset{}, false
}

// charsetByNULs knows UTF-16 without a byte order mark: in Western text every
// other byte is NUL, which no other text holds.
func charsetByNULs(sample []byte) (charset, bool) {
	var nul [2]int
	for i, c := range sample {
		if c == 0 {
			nul[i%2]++
		}
	}
	switch enough := len(sample) / 5; {
	case len(sample) < 4:
	case nul[1] > enough && nul[0] < nul[1]/8:
		return charset{"utf-16le", 0, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}, true
	case nul[0] > enough && nul[1] < nul[0]/8:
		return charset{"utf-16be", 0, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}, true
	}
	return charset{}, false
}

// tally counts, over a whole file, what tells UTF-8 from a one-byte encoding.
type tally struct {
	multibyte bool  // there are valid sequences of more than one byte
	invalid   int64 // bytes that are no part of a valid sequence
	inRuns    int64 // of those, bytes in runs of four or more
	run       int64
	lines     int64
	firstBad  int64 // line of the first invalid byte
	undefined int64 // line of the first byte that Windows-1252 does not define
	badByte   byte
	rest      []byte // an unfinished sequence at the end of the last chunk
	eol       byte   // what ends a line
}

// Write takes the next bytes of the file. It never fails.
func (t *tally) Write(chunk []byte) (int, error) {
	n := len(chunk)
	if len(t.rest) > 0 {
		chunk = append(t.rest, chunk...)
	}
	cut := completeUntil(chunk)
	t.count(chunk[:cut])
	t.rest = append([]byte(nil), chunk[cut:]...)
	return n, nil
}

func (t *tally) finish() {
	t.count(t.rest)
	t.rest = nil
	t.endRun()
}

func (t *tally) count(text []byte) {
	if utf8.Valid(text) {
		t.endRun()
		t.multibyte = t.multibyte || !isASCII(text)
		t.lines += int64(bytes.Count(text, []byte{t.eol}))
		return
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			t.bad(text[0])
		case r == rune(t.eol):
			t.endRun()
			t.lines++
		default:
			t.endRun()
			t.multibyte = t.multibyte || size > 1
		}
		text = text[size:]
	}
}

func (t *tally) bad(c byte) {
	t.invalid++
	t.run++
	if t.firstBad == 0 {
		t.firstBad = t.lines + 1
	}
	switch c { // the five holes of Windows-1252
	case 0x81, 0x8d, 0x8f, 0x90, 0x9d:
		if t.undefined == 0 {
			t.undefined, t.badByte = t.lines+1, c
		}
	}
}

func (t *tally) endRun() {
	if t.run >= 4 {
		t.inRuns += t.run
	}
	t.run = 0
}

// charset decides. A file with both valid sequences and invalid bytes is taken
// as UTF-8 whose broken rows are faults; only one without any valid sequence
// is a one-byte encoding. Names in Western languages do not have four accented
// letters in a row, Cyrillic or Chinese bytes do: those are refused.
func (t *tally) charset() (charset, string, *Error) {
	switch {
	case t.invalid == 0:
		return charset{name: "utf-8"}, "", nil
	case t.multibyte:
		return charset{name: "utf-8"}, fmt.Sprintf("the text is UTF-8 but for %s, the first on line %d; the rows that hold them are rejected",
			count(int(t.invalid), "byte"), t.firstBad), nil
	case t.undefined > 0:
		return charset{}, "", &Error{Line: t.undefined, Hint: encodingHint,
			Message: fmt.Sprintf("byte 0x%02X is neither UTF-8 nor Windows-1252", t.badByte)}
	case t.inRuns*10 > t.invalid:
		return charset{}, "", &Error{Line: t.firstBad, Hint: encodingHint,
			Message: "the text is not UTF-8 and does not look like Windows-1252 or Latin-1"}
	}
	return charset{name: "windows-1252", decoder: charmap.Windows1252},
		fmt.Sprintf("encoding windows-1252 (Latin-1) detected: the text is not UTF-8 from line %d on; --encoding overrides", t.firstBad), nil
}

const encodingHint = "name its encoding with --encoding, for example windows-1251, shift_jis or gb18030"

// completeUntil is the length of text without a sequence that may go on in the
// next chunk.
func completeUntil(text []byte) int {
	for back := 1; back <= min(3, len(text)); back++ {
		i := len(text) - back
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
