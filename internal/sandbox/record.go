package sandbox

import (
	"encoding/binary"
	"errors"
	"time"
)

// A record is the revision's fields one after another, each text with its
// length before it. The order is the format; its number is in the store.

const (
	flagActive = 1 << iota
	flagDeleted
)

func encodeRevision(r *revision) []byte {
	b := make([]byte, 0, len(r.doc)+len(r.members)*37+256)
	var flags byte
	if r.active {
		flags |= flagActive
	}
	if r.deleted {
		flags |= flagDeleted
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, r.version)
	b = binary.AppendVarint(b, r.created.UnixMilli())
	b = binary.AppendVarint(b, r.modified.UnixMilli())
	for _, text := range []string{r.id, r.key, r.external, r.display, r.secret, string(r.doc)} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(len(r.members)))
	for _, id := range r.members {
		b = appendText(b, id)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// recordReader reads fields until one is damaged; then all are zero.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return v * r.take(n)
}

func (r *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * uint64(r.take(n))
}

// take moves on by n bytes and returns 1, or 0 if there are not so many.
func (r *recordReader) take(n int) int64 {
	if n <= 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return 1
}

func (r *recordReader) text() string {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b)) {
		r.bad = r.bad || n > 0
		return ""
	}
	s := string(r.b[:n])
	r.take(int(n))
	return s
}

func decodeRevision(b []byte) (*revision, error) {
	if len(b) == 0 {
		return nil, errors.New("empty")
	}
	in := &recordReader{b: b[1:]}
	r := &revision{active: b[0]&flagActive != 0, deleted: b[0]&flagDeleted != 0}
	r.version = in.varint()
	r.created = time.UnixMilli(in.varint()).UTC()
	r.modified = time.UnixMilli(in.varint()).UTC()
	r.id, r.key, r.external, r.display, r.secret = in.text(), in.text(), in.text(), in.text(), in.text()
	r.doc = []byte(in.text())
	n := in.uvarint()
	if n > uint64(len(in.b)) { // each id takes a byte at least
		return nil, errors.New("damaged")
	}
	for range n {
		r.members = append(r.members, in.text())
	}
	if in.bad || len(in.b) > 0 {
		return nil, errors.New("damaged")
	}
	return r, nil
}
