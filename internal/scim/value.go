package scim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Object is a JSON object as a tree. Its values are string, bool, [Number],
// Object, []any and nil.
type Object = map[string]any

// Number is a JSON number exactly as it was written, so that 9007199254740993
// and 1.50 come out as they went in.
type Number string

// MarshalJSONTo writes the number as it was read.
func (n Number) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(n))
}

// DecodeObject reads one JSON object. It refuses duplicate members, invalid
// UTF-8 and anything after the object.
func DecodeObject(raw []byte) (Object, error) { return decodeObject(raw, false) }

// DecodeObjectView is DecodeObject for a tree that is soon forgotten: its texts
// share one copy of raw, and whoever keeps one of them keeps all.
func DecodeObjectView(raw []byte) (Object, error) {
	return decodeObject(raw, true)
}

func decodeObject(raw []byte, shared bool) (Object, error) {
	v, err := decode(raw, shared)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, fmt.Errorf("JSON %s where an object was expected", jsontext.Value(raw).Kind())
	}
	return o, nil
}

// Decode reads one JSON value into a tree.
func Decode(raw []byte) (any, error) { return decode(raw, false) }

func decode(raw []byte, shared bool) (any, error) {
	if err := checkJSON(raw); err != nil {
		return nil, err
	}
	r := &treeReader{text: string(raw), shared: shared}
	return r.value()
}

// checkJSON says why a text is not one JSON value. Doubled members are the tree
// reader's to find.
func checkJSON(raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadValue(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Member finds a member whatever the case of its name (RFC 7643 §2.1) and
// returns the name as it is spelt there.
func Member(o Object, name string) (spelt string, value any, ok bool) {
	if v, ok := o[name]; ok {
		return name, v, true
	}
	for k, v := range o {
		if len(k) == len(name) && strings.EqualFold(k, name) { // names are ASCII (RFC 7643 §2.1)
			return k, v, true
		}
	}
	return "", nil, false
}

// Unassigned says whether a value is null or an empty array, which RFC 7643
// §2.5 makes the same as absent. An object without assigned members counts too.
func Unassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case Object:
		for _, m := range v {
			if !Unassigned(m) {
				return false
			}
		}
		return true
	}
	return false
}

// Clone copies a tree, so that a change to the copy leaves the original alone.
func Clone(v any) any {
	switch v := v.(type) {
	case Object:
		o := make(Object, len(v))
		for k, m := range v {
			o[k] = Clone(m)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = Clone(e)
		}
		return list
	}
	return v
}

// OneLine is valid JSON without line breaks between its parts, and otherwise as
// it was written: numbers keep their digits and members their order. An object
// that is on one line already is not copied.
func OneLine(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 && jsontext.Value(raw).Kind() == '{' {
		return raw, nil
	}
	v := jsontext.Value(bytes.Clone(raw))
	err := v.Compact(jsontext.AllowDuplicateNames(true))
	return v, err
}
