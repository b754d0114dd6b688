package scim

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Encode writes a tree as JSON, members in alphabetical order, so that the
// same tree is always the same bytes. It takes what [Object] may hold, and with
// it anything that package json can write.
func Encode(v any) ([]byte, error) { return appendValue(make([]byte, 0, 1024), v) }

// appendValue walks a tree by its few types: every body goes through here, and
// reflection would cost several times as much.
func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case string:
		return jsontext.AppendQuote(dst, v)
	case Number:
		return appendNumber(dst, v)
	case Object:
		return appendMembers(dst, v)
	case []any:
		return appendElements(dst, v)
	}
	text, err := json.Marshal(v, json.Deterministic(true))
	return append(dst, text...), err
}

func appendNumber(dst []byte, n Number) ([]byte, error) {
	if v := jsontext.Value(n); v.Kind() != '0' || !v.IsValid() {
		return dst, fmt.Errorf("%q is no JSON number", string(n))
	}
	return append(dst, n...), nil
}

func appendMembers(dst []byte, o Object) (_ []byte, err error) {
	var few [16]string // spares most objects an allocation
	names := few[:0]
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			return dst, err
		}
		if dst, err = appendValue(append(dst, ':'), o[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendElements(dst []byte, list []any) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}
