package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"sort"
	"time"
)

// cursorTimeout is how long a cursor may be used (RFC 9865 §4).
const cursorTimeout = 10 * time.Minute

// cursor is the place in a listing where the next page begins (RFC 9865). In
// the order of creation it names the last resource shown, so that it survives
// what comes and goes before it; in a sorted listing it is an offset.
type cursor struct {
	query    uint32 // digest of the listing it belongs to
	issued   int64  // Unix seconds
	position uint64
}

// takeCursor reads the cursor parameter; empty, it asks for the first page.
func (l *listing) takeCursor(in params) error {
	text, given := in["cursor"]
	if !given {
		return nil
	}
	l.start = 1
	l.cursor = &cursor{query: l.digest()}
	if text == "" {
		return nil
	}
	c, ok := decodeCursor(text)
	switch {
	case !ok || c.query != l.digest():
		return refuse(400, "invalidCursor", "the cursor is not one of this query")
	case time.Since(time.Unix(c.issued, 0)) > cursorTimeout:
		return refuse(400, "expiredCursor", "the cursor is older than %s", cursorTimeout)
	}
	l.cursor = &c
	return nil
}

// digest stands for all parameters that must be the same on every page.
func (l *listing) digest() uint32 {
	return crc32.ChecksumIEEE([]byte(l.identity() + "\x00" + l.projected))
}

func (c *cursor) encode() string {
	b := binary.BigEndian.AppendUint32(nil, c.query)
	b = binary.BigEndian.AppendUint64(b, uint64(c.issued))
	b = binary.BigEndian.AppendUint64(b, c.position)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(text string) (cursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 24 || crc32.ChecksumIEEE(b[:20]) != binary.BigEndian.Uint32(b[20:]) {
		return cursor{}, false
	}
	return cursor{
		query:    binary.BigEndian.Uint32(b),
		issued:   int64(binary.BigEndian.Uint64(b[4:])),
		position: binary.BigEndian.Uint64(b[12:]),
	}, true
}

// begin is the index of the first hit that the cursor has not passed.
func (l *listing) begin(found hits) int {
	if l.cursor == nil {
		return l.start - 1
	}
	if l.sortBy != nil {
		return int(min(l.cursor.position, uint64(found.len())))
	}
	return sort.Search(found.len(), func(i int) bool { return found.at(i).rev.seq > l.cursor.position })
}

// following is the cursor after the hits up to end; "" after the last.
func (l *listing) following(found hits, end int) string {
	if l.cursor == nil || end >= found.len() || end == 0 {
		return ""
	}
	next := cursor{query: l.cursor.query, issued: time.Now().Unix(), position: uint64(end)}
	if l.sortBy == nil {
		next.position = found.at(end - 1).rev.seq
	}
	return next.encode()
}
