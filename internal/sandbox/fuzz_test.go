package sandbox

import (
	"errors"
	"testing"
	"time"
)

// sample is a document on which every kind of filter and path finds something.
func sample(t testing.TB) *object {
	o, err := parseObject([]byte(`{"schemas":["` + userURN + `"],"id":"1",` + patchSubject + `,"active":true,"externalId":"E",
		"meta":{"created":"2024-01-01T00:00:00.000Z","lastModified":"2024-01-02T00:00:00.000Z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustRFC(t testing.TB) *dialect {
	d, err := newRFC()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A filter is refused with a problem or can be matched against anything.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{`userName eq "a"`, `not (emails[type eq "work" and value co "x"]) or title pr`, `meta.created ge "2024-01-01T00:00:00Z"`,
		enterpriseURN + `:department sw "\u00fc"`, `(a`, `emails[`, `x eq 1e9999999999`, `active ne null`,
		`userName sw "A" and not (active eq true or externalId eq "e")`, `meta.lastModified gt "2024-01-01T12:00:00Z" or title pr`, `id pr and externalId ne "x"`} {
		f.Add(text, false)
		f.Add(text, true)
	}
	d, doc := mustRFC(f), sample(f)
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	rev := &revision{id: "1", key: "ada", external: "E", active: true, created: day, modified: day.AddDate(0, 0, 1)}
	f.Fuzz(func(t *testing.T, text string, bare bool) {
		x, err := parseFilter(d.user, text, bare)
		if err != nil {
			var p *problem
			if !errors.As(err, &p) || p.status != 400 || p.scimType != "invalidFilter" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if x.match(doc) == (notExpr{x}).match(doc) {
			t.Fatalf("%q both holds and does not", text)
		}
		if holds, ok := quickMatch(d.user, x, rev); ok && holds != x.match(doc) {
			t.Fatalf("%q is %v by the short way, %v by the long", text, holds, !holds)
		}
		x.match(newObject())
	})
}

// A path is refused with a problem, or can be added, replaced and removed
// without harm to what makes a user.
func FuzzPatchPath(f *testing.F) {
	for _, text := range []string{`userName`, `name.givenName`, `emails[type eq "work"].value`, enterpriseURN, enterpriseURN + `:manager.value`, `emails[value eq "x"`, `members[value eq"1"]`, `.`,
		`name[givenName pr]`, `emails[not (type eq "x")]`, `schemas[value pr]`, `emails.primary`, `addresses[type eq "work" and primary eq true]`, `meta`, `active`, `password`} {
		f.Add(text, `"x"`)
		f.Add(text, `null`)
		f.Add(text, `{}`)
		f.Add(text, `{"value":"x","primary":true}`)
		f.Add(text, `[{"value":"y","type":"home"},{"value":"y","type":"home"}]`)
	}
	d := mustRFC(f)
	f.Fuzz(func(t *testing.T, path, value string) {
		v, err := parseJSON([]byte(value))
		if err != nil {
			return
		}
		for _, op := range []string{"add", "replace", "remove"} {
			doc := sample(t)
			p := &patcher{t: d.user, doc: doc}
			one := operation{op: op, path: path, hasPath: true, value: v, hasValue: op != "remove"}
			if op == "remove" {
				one.value = nil
			}
			if err := p.apply([]operation{one}); err != nil {
				var refused *problem
				if !errors.As(err, &refused) || refused.status != 400 {
					t.Fatalf("%s %q: %v", op, path, err)
				}
				continue
			}
			if doc.text("id") != "1" || doc.get("meta") == nil || doc.get("userName") == nil {
				t.Fatalf("%s %q %s did harm: %s", op, path, value, appendJSON(nil, doc))
			}
			if err := checkPrimary("emails", doc.list("emails")); err != nil {
				t.Fatalf("%s %q %s: %v", op, path, value, err)
			}
		}
	})
}

// JSON that is read and written means the same afterwards.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.50,1e3,-0,9007199254740993,"ü\n",null,true,{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		if err != nil {
			return
		}
		again, err := parseJSON(appendJSON(nil, v))
		if err != nil || !same(v, again) {
			t.Fatalf("%s became %s: %v", b, appendJSON(nil, v), err)
		}
	})
}

// A damaged record is refused, never misread into a panic.
func FuzzRecord(f *testing.F) {
	f.Add(encodeRevision(&revision{id: "1", key: "ada", doc: []byte(`{}`), members: []string{"2"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if rev, err := decodeRevision(b); err == nil && rev == nil {
			t.Fatal("neither a revision nor an error")
		}
	})
}
