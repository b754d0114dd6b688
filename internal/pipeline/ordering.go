package pipeline

import (
	"cmp"
	"strings"
	"time"
)

// ordering is the ways to compare texts under which a listing has been in
// strictly rising order so far: directories sort by the collation of their
// databases, and ids may be numbers. 0 is no order that we know.
type ordering uint8

const (
	byBytes ordering = 1 << iota
	byFolded
	byNumber
	byTime

	anyOrdering = byBytes | byFolded | byNumber | byTime
)

// narrow keeps the ways under which b comes after a.
func (o ordering) narrow(a, b string) ordering {
	if o&byBytes != 0 && a >= b {
		o &^= byBytes
	}
	if o&byFolded != 0 && strings.ToLower(a) >= strings.ToLower(b) {
		o &^= byFolded
	}
	if o&byNumber != 0 && !numberBefore(a, b) {
		o &^= byNumber
	}
	if o&byTime != 0 && !timeBefore(a, b) {
		o &^= byTime
	}
	return o
}

// numberBefore compares whole numbers of any length.
func numberBefore(a, b string) bool {
	if strings.Trim(a, "0123456789") != "" || strings.Trim(b, "0123456789") != "" || a == "" || b == "" {
		return false
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) < 0
}

func timeBefore(a, b string) bool {
	s, err := time.Parse(time.RFC3339, a)
	t, errB := time.Parse(time.RFC3339, b)
	return err == nil && errB == nil && s.Before(t)
}

// narrowed goes on over the keys of a page.
func (o ordering) narrowed(page []item) ordering {
	for i := 1; i < len(page) && o != 0; i++ {
		o = o.narrow(page[i-1].key, page[i].key)
	}
	return o
}
