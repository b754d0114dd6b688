package rows

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// inspect remembers the first byte of a record that is no text.
func (s *csvSource) inspect(line []byte) {
	if s.bad != nil {
		return
	}
	at, ok := badByte(line)
	if ok && s.fragile {
		at, ok = undecodable(line)
	}
	if ok {
		return
	}
	column := int64(utf8.RuneCount(line[:at])) + 1
	s.bad = s.r.fault(s.lines.line, column, byteMessage(line[at], s.fragile), byteHint(line[at], s.fragile))
}

// undecodable finds what a decoder leaves of bytes that its encoding does not
// define: U+FFFD, or a C1 control character.
func undecodable(line []byte) (at int, ok bool) {
	at = bytes.Index(line, []byte("\ufffd"))
	for i := 0; i+1 < len(line); i++ {
		if line[i] == 0xc2 && line[i+1] < 0xa0 && (at < 0 || i < at) {
			return i, false
		}
	}
	return at, at < 0
}

func byteMessage(c byte, decoded bool) string {
	switch {
	case c == 0:
		return "NUL byte"
	case decoded:
		return "bytes that the encoding does not define"
	}
	return fmt.Sprintf("byte 0x%02X is not UTF-8", c)
}

func byteHint(c byte, decoded bool) string {
	switch {
	case c == 0:
		return "the file is damaged, or no text"
	case decoded:
		return "name the right encoding with --encoding"
	}
	return "save the file as UTF-8, or name its encoding with --encoding"
}
