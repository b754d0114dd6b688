package scim

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func anyTree(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.Map(rapid.Int64(), func(n int64) any { return Number(string(mustJSON(n))) }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(n float64) any { return Number(string(mustJSON(n))) }),
	)
	if depth == 0 {
		return leaf
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return anyTree(depth - 1) })
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 20), func(o map[string]any) any { return o }))
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// Encode walks the tree by itself: package json must make the same of it, and
// decoding must bring it back.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := anyTree(3).Draw(t, "tree")
		got, err := Encode(tree)
		want, wantErr := json.Marshal(tree, json.Deterministic(true))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, package json says %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if string(got) != string(want) {
			t.Fatalf("%s\npackage json: %s", got, want)
		}
		back, err := Decode(got)
		if err != nil || !cmp.Equal(back, tree) {
			t.Fatalf("%s comes back as %v (%v)", got, back, err)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"a number that is none":       Number("1.2.3"),
		"a number that is a text":     Number(`"1"`),
		"a number and more":           Number(`1,"admin":true`),
		"no UTF-8":                    "caf\xe9",
		"a name that is no UTF-8":     Object{"caf\xe9": true},
		"a list with what is no tree": []any{make(chan int)},
	} {
		if text, err := Encode(Object{"a": v}); err == nil {
			t.Errorf("%s: encoded as %s", name, text)
		}
	}
}
