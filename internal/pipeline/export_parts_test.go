package pipeline

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"scimbulk/internal/scim"
)

func TestOrderingNarrows(t *testing.T) {
	for _, tc := range []struct {
		name string
		keys []string
		want ordering
	}{
		{"bytes", []string{"B", "a"}, byBytes},
		{"folded", []string{"a", "B"}, byFolded},
		{"both", []string{"a", "b"}, byBytes | byFolded},
		{"numbers", []string{"9", "10"}, byNumber},
		{"numbers above 64 bits", []string{"99999999999999999999", "100000000000000000000"}, byNumber},
		{"leading zeros", []string{"009", "10"}, byBytes | byFolded | byNumber},
		{"times of other lengths", []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"}, byTime},
		{"the same twice", []string{"a", "a"}, 0},
		{"the same time twice", []string{"2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"}, byBytes | byFolded},
		{"one way, then another", []string{"a", "B", "A", "c"}, 0},
		{"one alone", []string{"x"}, anyOrdering},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var page []item
			for _, key := range tc.keys {
				page = append(page, item{id: key, key: key})
			}
			if got := anyOrdering.narrowed(page); got != tc.want {
				t.Errorf("%b, want %b", got, tc.want)
			}
		})
	}
}

func TestPagesMeet(t *testing.T) {
	page := func(ids string) (list []item) {
		for _, id := range ids {
			list = append(list, item{id: string(id), key: string(id)})
		}
		return list
	}
	moved := page("d")
	moved[0].key = "z" // renamed, and sorted elsewhere
	for _, tc := range []struct {
		name string
		a, b []item
		want bool
	}{
		{"the last is the first", page("abcd"), page("defg"), true},
		{"somebody came before", page("abcd"), page("cdef"), true},
		{"several came", page("abcd"), page("bxcde"), true},
		{"the last has left", page("abcd"), page("cefg"), true},
		{"somebody left before", page("abcd"), page("efgh"), false},
		{"nothing in common", page("ab"), page("xy"), false},
		{"another order", page("abcd"), page("dca"), false},
		{"in the midst", page("abcd"), page("xbcy"), false},
		{"the last was renamed", page("abcd"), append(moved, page("xyz")...), false},
		{"a page of one", page("abcd"), page("d"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := meet(tc.a, tc.b); got != tc.want {
				t.Errorf("%t, want %t", got, tc.want)
			}
		})
	}
}

func TestPageSize(t *testing.T) {
	const kilo = 1000 // bytes a resource
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	came := func(p *pageSize, got int, took time.Duration, more bool) {
		p.came(p.size(), got, got*kilo, took, more)
	}
	t.Run("doubles while that is worth it", func(t *testing.T) {
		p := newPageSize(100, 1000)
		came(p, 100, ms(50), true)
		if p.size() != 200 {
			t.Fatalf("%d, want 200", p.size())
		}
		came(p, 200, ms(60), true)
		if p.size() != 400 {
			t.Fatalf("%d, want 400", p.size())
		}
		came(p, 400, ms(120), true) // no more a second than before
		if p.size() != 200 {
			t.Fatalf("%d, want 200 again", p.size())
		}
		came(p, 200, ms(10), true)
		if p.size() != 200 {
			t.Errorf("%d: it grows once more", p.size())
		}
	})
	t.Run("is bounded in bytes", func(t *testing.T) {
		p := newPageSize(100, 1000)
		p.came(100, 100, 100*(largestPageBytes/150), ms(50), true)
		if p.size() != 150 {
			t.Errorf("%d, want 150", p.size())
		}
	})
	t.Run("keeps to what the directory grants", func(t *testing.T) {
		p := newPageSize(100, 1000)
		came(p, 20, ms(50), true)
		if p.size() != 20 {
			t.Fatalf("%d, want 20", p.size())
		}
		came(p, 17, ms(50), true) // pages come short, whatever is asked for
		if p.size() != 20 {
			t.Errorf("%d, want 20", p.size())
		}
	})
	t.Run("a last page says nothing", func(t *testing.T) {
		p := newPageSize(100, 1000)
		came(p, 3, ms(50), false)
		if p.size() != 100 {
			t.Errorf("%d, want 100", p.size())
		}
	})
	for _, status := range []int{http.StatusTooManyRequests, http.StatusRequestEntityTooLarge, http.StatusGatewayTimeout, http.StatusInternalServerError} {
		t.Run(fmt.Sprint("halves on ", status), func(t *testing.T) {
			p := newPageSize(100, 1000)
			if again := p.refused(100, &scim.Error{Status: status}); again != 50 || p.size() != 50 {
				t.Errorf("asks for %d again, then for %d: want 50", again, p.size())
			}
			if again := p.refused(1, &scim.Error{Status: status}); again != 0 {
				t.Errorf("a page of one is asked for again as %d", again)
			}
		})
	}
	t.Run("not on a refusal for another reason", func(t *testing.T) {
		if again := newPageSize(100, 1000).refused(100, &scim.Error{Status: http.StatusForbidden}); again != 0 {
			t.Errorf("asks for %d again", again)
		}
	})
}

// TestSelectionIsKept: what a directory sends although it was not asked for is
// taken out, in the directory's own order and digits.
func TestSelectionIsKept(t *testing.T) {
	const text = `{"schemas":["s"],"id":"1","userName":"a","active":true,"title":"x","age":1.50,"name":{"givenName":"A","familyName":"B"},` +
		`"emails":[{"value":"a@x","type":"work"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","costCenter":"7"}}`
	const department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
	for _, tc := range []struct {
		name         string
		only, except []string
		want         string
		wantedExtras bool
	}{
		{"one", []string{"userName"}, nil, `{"schemas":["s"],"id":"1","userName":"a"}`, true},
		{"parts", []string{"name.givenName", "emails.value"}, nil, `{"schemas":["s"],"id":"1","name":{"givenName":"A"},"emails":[{"value":"a@x"}]}`, true},
		{"of an extension", []string{department}, nil, `{"schemas":["s"],"id":"1","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}}`, true},
		{"another case", []string{"USERNAME", "Age"}, nil, `{"schemas":["s"],"id":"1","userName":"a","age":1.50}`, true},
		{"all but", nil, []string{"emails", "name", department, "age"}, `{"schemas":["s"],"id":"1","userName":"a","active":true,"title":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"costCenter":"7"}}`, true},
		{"by the core schema's name", []string{"urn:ietf:params:scim:schemas:core:2.0:User:title"}, nil, `{"schemas":["s"],"id":"1","title":"x"}`, true},
		{"an id is never left out", nil, []string{"id"}, text, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ignored, err := newSelection(tc.only, tc.except).apply([]byte(text))
			if err != nil || string(got) != tc.want || ignored != tc.wantedExtras {
				t.Errorf("%v, ignored %t:\n%s\nwant\n%s", err, ignored, got, tc.want)
			}
		})
	}
	t.Run("what directories always send is no offence", func(t *testing.T) {
		got, ignored, err := newSelection([]string{"title"}, nil).apply([]byte(`{"id":"1","userName":"a","active":true,"meta":{},"title":"x"}`))
		if err != nil || ignored || string(got) != `{"id":"1","title":"x"}` {
			t.Errorf("%v, ignored %t: %s", err, ignored, got)
		}
	})
}

// TestIDIndexTellsTextsApart: also those whose hashes agree, by looking at them.
func TestIDIndexTellsTextsApart(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { checkIDIndex(t, mostInMemory) })
	t.Run("on disk", func(t *testing.T) { checkIDIndex(t, 1<<12) })
	clash := newIDIndex(func(place int64) (string, error) { return [...]string{"other", "own"}[place], nil })
	if err := clash.put("own", 1); err != nil {
		t.Fatal(err)
	}
	slots := clash.table.mem
	for i := range slots { // as if another text had the same hash, and came first
		if slots[i] != 0 {
			next := (i + 1) % len(slots)
			slots[next] = slots[i]
			slots[i] = slots[i]&^placeMask | 1
			break
		}
	}
	if place, known, err := clash.find("own"); !known || place != 1 || err != nil {
		t.Errorf("place %d, known %t, %v: want the second", place, known, err)
	}
}

func checkIDIndex(t *testing.T, most int) {
	t.Helper()
	var texts []string
	x := newIDIndex(func(place int64) (string, error) { return texts[place], nil })
	x.most = most
	defer x.discard()
	for i := range 50_000 {
		id := fmt.Sprint("id-", i)
		if _, known, err := x.find(id); known || err != nil {
			t.Fatalf("%s is known before it came (%v)", id, err)
		}
		texts = append(texts, id)
		if err := x.put(id, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range texts {
		if place, known, err := x.find(id); !known || place != int64(i) || err != nil {
			t.Fatalf("%s: place %d, known %t, %v", id, place, known, err)
		}
	}
	if got, want := slotSize*x.table.len(), 22*len(texts); got > want {
		t.Errorf("%d bytes for %d ids, want %d at most", got, len(texts), want)
	}
}

// TestSlots: a table in a file holds what one in memory does.
func TestSlots(t *testing.T) {
	for name, most := range map[string]int{"in memory": 1 << 14, "in a file": 1 << 10} {
		t.Run(name, func(t *testing.T) {
			s, err := newSlots(1<<14, most)
			if err != nil {
				t.Fatal(err)
			}
			defer s.discard()
			if (s.file != nil) != (most < 1<<14) || s.len() != 1<<14 {
				t.Fatalf("%d slots, file %v", s.len(), s.file)
			}
			want := []uint64{7, 1 << 63, 42}
			for i, at := range []uint64{0, 9_000, 1<<14 - 1} {
				if err := s.set(at, want[i]); err != nil {
					t.Fatal(err)
				}
				if got, err := s.get(at); got != want[i] || err != nil {
					t.Errorf("slot %d holds %d (%v)", at, got, err)
				}
			}
			if got, err := s.get(1); got != 0 || err != nil {
				t.Errorf("a slot that nobody has set holds %d (%v)", got, err)
			}
			var all []uint64
			if err := s.each(func(v uint64) error { all = append(all, v); return nil }); err != nil || !slices.Equal(all, want) {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}
