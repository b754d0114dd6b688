package scim

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// treeReader makes a tree of a text that is known to be one JSON value. A general
// decoder looks at each byte twice as often, and copies each name.
type treeReader struct {
	text   string
	at     int
	shared bool // the texts of the tree may be parts of the text
}

// next passes over what separates values.
func (r *treeReader) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			r.at++
		default:
			return c
		}
	}
}

func (r *treeReader) value() (any, error) {
	switch r.next() {
	case '{':
		return r.members()
	case '[':
		return r.elements()
	case '"':
		return r.string(), nil
	case 't':
		r.at += len("true")
		return true, nil
	case 'f':
		r.at += len("false")
		return false, nil
	case 'n':
		r.at += len("null")
		return nil, nil
	}
	return r.number(), nil
}

func (r *treeReader) members() (any, error) {
	r.at++
	o := Object{}
	for n := 0; r.next() != '}'; {
		name := r.string()
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		if o[name] = v; len(o) == n {
			return nil, fmt.Errorf("%w: %q", jsontext.ErrDuplicateName, name)
		}
		n++
	}
	r.at++
	return o, nil
}

func (r *treeReader) elements() (any, error) {
	r.at++
	list := []any{}
	for r.next() != ']' {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	r.at++
	return list, nil
}

func (r *treeReader) string() string {
	from := r.at + 1
	length := strings.IndexByte(r.text[from:], '"')
	if text := r.text[from : from+length]; strings.IndexByte(text, '\\') < 0 {
		r.at = from + length + 1
		return r.own(text)
	}
	r.at = from
	for r.text[r.at] != '"' {
		if r.text[r.at] == '\\' {
			r.at++
		}
		r.at++
	}
	r.at++
	text, _ := jsontext.AppendUnquote(nil, r.text[from-1:r.at]) // it is valid
	return string(text)
}

func (r *treeReader) number() Number {
	from := r.at
	for r.at < len(r.text) && strings.IndexByte("+-.0123456789eE", r.text[r.at]) >= 0 {
		r.at++
	}
	return Number(r.own(r.text[from:r.at]))
}

func (r *treeReader) own(text string) string {
	if r.shared {
		return text
	}
	return strings.Clone(text)
}
