package scim

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	nameID       = []byte("id")
	nameMeta     = []byte("meta")
	nameVersion  = []byte("version")
	nameLocation = []byte("location")
)

// ParseResource reads the members that the client itself needs, and checks that
// the others are JSON. The bytes are kept, not copied.
func ParseResource(raw jsontext.Value) (Resource, error) {
	if raw.Kind() != '{' {
		return Resource{}, errNotSCIM
	}
	var r received
	if err := json.Unmarshal(raw, &r, wireJSON); err != nil {
		return Resource{}, fmt.Errorf("%w: %w", errNotSCIM, err)
	}
	r.Raw = raw
	return Resource(r), nil
}

// received is a resource that package json reads by means of parseMembers: it
// lends a decoder, and to make one takes longer than to read an answer with it.
type received Resource

// UnmarshalJSONFrom makes a received resource one that reads itself.
func (r *received) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	read, err := parseMembers(dec)
	*r = received(read)
	return err
}

// parseMembers reads the object that comes next.
func parseMembers(dec *jsontext.Decoder) (r Resource, err error) {
	err = eachMember(dec, func(name []byte) error {
		switch {
		case bytes.EqualFold(name, nameID):
			return readScalar(dec, &r.ID)
		case bytes.EqualFold(name, nameMeta) && dec.PeekKind() == '{':
			return parseMeta(dec, &r)
		}
		return dec.SkipValue()
	})
	return r, err
}

// parseMeta is lenient: a resource whose meta is odd is still a resource.
func parseMeta(dec *jsontext.Decoder, r *Resource) error {
	var version string
	err := eachMember(dec, func(name []byte) error {
		switch {
		case bytes.EqualFold(name, nameVersion):
			return readScalar(dec, &version)
		case bytes.EqualFold(name, nameLocation):
			return readScalar(dec, &r.Location)
		}
		return dec.SkipValue()
	})
	r.Version = quoteETag(version)
	return err
}

// eachMember reads an object; visit reads the value of each member.
func eachMember(dec *jsontext.Decoder, visit func(name []byte) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := visit(unquoted(name)); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// unquoted is a member's name, without an allocation for nearly all of them.
func unquoted(name jsontext.Value) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name[1 : len(name)-1]
	}
	return []byte(scalarText(name))
}

// readScalar reads a value, and sets text to that of a string or number.
func readScalar(dec *jsontext.Decoder, text *string) error {
	v, err := dec.ReadValue()
	if err == nil {
		*text = scalarText(v)
	}
	return err
}

// scalarText is the text of a string or number, "" for anything else.
func scalarText(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) {
			return string(v[1 : len(v)-1])
		}
		var s string
		if json.Unmarshal(v, &s, wireJSON) != nil {
			return ""
		}
		return s
	case '0':
		return string(v)
	default:
		return ""
	}
}
