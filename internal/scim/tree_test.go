package scim

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// byTokens is Decode token by token: slower, and plainly right.
func byTokens(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		o := Object{}
		for dec.PeekKind() == '"' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			if o[key], err = byTokens(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return o, err
	case '[':
		list := []any{}
		for k := dec.PeekKind(); k != ']' && k != 0; k = dec.PeekKind() {
			v, err := byTokens(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.ReadToken()
		return list, err
	case '"':
		return tok.String(), nil
	case '0':
		return Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

// FuzzDecode: a tree holds what a general decoder finds, whether its texts are
// shared or not, and what is no JSON is refused.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `""`, `0`, ` { "a" : [ 1 , -2.50e+3 , true , false , null , "x" ] , "b" : { } } `,
		`"\" \\ \/ \b\f\n\r\t é 😀"`, `{"a\"b":"}","c":"]"}`, "\"ä\u2028\"", `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`,
		`[9007199254740993,1.50]`, `{"a":`, `[1 2]`, `{"a",1}`, `{"a":1}{}`, `"\ud800"`, "\"\xff\"", `nul`, `01`, "", " ",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want, wantErr := byTokens(jsontext.NewDecoder(bytes.NewReader(raw)))
		if wantErr == nil && !jsontext.Value(raw).IsValid() {
			return // something follows the value
		}
		for _, shared := range []bool{false, true} {
			got, err := decode(raw, shared)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: %v, want %v", raw, err, wantErr)
			}
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				t.Fatalf("%q: %s", raw, diff)
			}
		}
	})
}

func BenchmarkDecodeObject(b *testing.B) {
	raw := []byte(user("2819c223-7f76-453a-919d-413861904646"))
	for name, decode := range map[string]func([]byte) (Object, error){"own": DecodeObject, "view": DecodeObjectView} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
