package sandbox

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A JSON value is nil, bool, string, number, []any or *object. Numbers keep
// the digits they came with, and objects the order of their members.
type (
	number string
	object struct{ members []member }
	member struct {
		name  string
		value any
	}
)

func newObject(pairs ...member) *object { return &object{members: pairs} }

// index finds a member by name; attribute names have no case (RFC 7643 §2.1).
func (o *object) index(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool {
		return m.name == name || strings.EqualFold(m.name, name)
	})
}

func (o *object) get(name string) any {
	if o == nil {
		return nil
	}
	if i := o.index(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

func (o *object) text(name string) string {
	s, _ := o.get(name).(string)
	return s
}

func (o *object) child(name string) *object {
	c, _ := o.get(name).(*object)
	return c
}

func (o *object) list(name string) []any {
	l, _ := o.get(name).([]any)
	return l
}

// set replaces or appends; an unassigned value (RFC 7643 §2.5) removes.
func (o *object) set(name string, v any) {
	if unassigned(v) {
		o.del(name)
		return
	}
	if i := o.index(name); i >= 0 {
		o.members[i].value = v
		return
	}
	o.members = append(o.members, member{name, v})
}

func (o *object) del(name string) {
	if i := o.index(name); i >= 0 {
		o.members = slices.Delete(o.members, i, i+1)
	}
}

func itoa(n int) number { return number(strconv.Itoa(n)) }

func unassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case *object:
		return v == nil || len(v.members) == 0
	}
	return false
}

// clone copies deeply, so that a change to one document is not seen in another.
func clone(v any) any {
	switch v := v.(type) {
	case *object:
		out := &object{members: make([]member, len(v.members))}
		for i, m := range v.members {
			out.members[i] = member{m.name, clone(m.value)}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// same compares values; the order of an object's members does not matter.
func same(a, b any) bool {
	switch a := a.(type) {
	case *object:
		b, ok := b.(*object)
		return ok && sameObject(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case number:
		b, ok := b.(number)
		return ok && (a == b || compareNumbers(a, b) == 0)
	}
	return a == b
}

func sameObject(a, b *object) bool {
	if len(a.members) != len(b.members) {
		return false
	}
	for _, m := range a.members {
		i := b.index(m.name)
		if i < 0 || !same(m.value, b.members[i].value) {
			return false
		}
	}
	return true
}

func parseJSON(b []byte) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	v, err := readValue(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func parseObject(b []byte) (*object, error) {
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

func readValue(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case jsontext.KindBeginObject:
		return readObject(dec)
	case jsontext.KindBeginArray:
		return readArray(dec)
	case jsontext.KindString:
		return tok.String(), nil
	case jsontext.KindNumber:
		return number(tok.String()), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return tok.Bool(), nil
	}
	return nil, nil
}

func readObject(dec *jsontext.Decoder) (any, error) {
	o := &object{members: make([]member, 0, 8)}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		if m.value, err = readValue(dec); err != nil {
			return nil, err
		}
		o.members = append(o.members, m)
	}
	_, err := dec.ReadToken()
	return o, err
}

func readArray(dec *jsontext.Decoder) (any, error) {
	list := []any{}
	for dec.PeekKind() != jsontext.KindEndArray {
		v, err := readValue(dec)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.ReadToken()
	return list, err
}

func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case *object:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, m.name)
			dst = append(dst, ':')
			dst = appendJSON(dst, m.value)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	case string:
		return appendString(dst, v)
	case number:
		return append(dst, v...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	return append(dst, "null"...)
}

func appendString(dst []byte, s string) []byte {
	// The only error is invalid UTF-8, for which U+FFFD is written.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
