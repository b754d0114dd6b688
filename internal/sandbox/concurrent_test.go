package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// The order structure does what a plain list does, whatever is put in, taken
// out and appended.
func TestOrderIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, plain := order{}, []bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(plain) == 0 || rapid.Bool().Draw(t, "grow") {
				in := rapid.Bool().Draw(t, "in")
				o.grow(in)
				plain = append(plain, in)
				continue
			}
			slot := rapid.IntRange(0, len(plain)-1).Draw(t, "slot")
			plain[slot] = rapid.Bool().Draw(t, "member")
			o.set(slot, plain[slot])
		}
		k := 0
		for slot, in := range plain {
			if !in {
				continue
			}
			if got := o.at(k); got != slot {
				t.Fatalf("member %d is slot %d, want %d", k, got, slot)
			}
			k++
		}
		if o.n != k {
			t.Fatalf("%d members, want %d", o.n, k)
		}
	})
}

// Sixteen creates of one userName make one user; one trap is a server that
// makes twelve.
func TestParallelCreatesOfOneName(t *testing.T) {
	b := open(t, Options{})
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for range 16 {
		all.Go(func() {
			got := b.outcome("POST", "/Users", newUser)
			mu.Lock()
			outcomes[got]++
			mu.Unlock()
		})
	}
	all.Wait()
	if outcomes["201"] != 1 || outcomes["409"] != 15 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// After a busy time the audit, replayed, gives what the directory holds, and
// so does the store.
func TestAuditAndStoreAgreeWithTheDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	s, err := New(Options{Dir: dir, Audit: path, Seed: 30})
	if err != nil {
		t.Fatal(err)
	}
	b := serve(t, s)
	seeded := allIDs(s)
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() { b.busy(uint64(w)) })
	}
	all.Wait()
	held := allIDs(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replayed := seeded
	for line := range bytes.Lines(text) {
		var l struct{ Kind, Op, Resource, ID string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Op == "create":
			replayed = append(replayed, l.ID)
		case l.Op == "delete":
			replayed = slices.DeleteFunc(replayed, func(id string) bool { return id == l.ID })
		case l.Op != "" && !slices.Contains(replayed, l.ID):
			t.Errorf("%s of %s, which is not there at that moment", l.Op, l.ID)
		}
	}
	again, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	stored := allIDs(again)
	for _, list := range [][]string{held, replayed, stored} {
		slices.Sort(list)
	}
	if !slices.Equal(held, replayed) || !slices.Equal(held, stored) || len(held) < 31 {
		t.Errorf("%d held, %d replayed, %d stored", len(held), len(replayed), len(stored))
	}
}

func allIDs(s *Sandbox) []string {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	var out []string
	for _, c := range []*collection{s.dir.users, s.dir.groups} {
		for _, e := range c.live() {
			out = append(out, e.rev.id)
		}
	}
	return out
}

// busy creates, changes, lists and deletes.
func (b *box) busy(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var mine []string
	for i := range 60 {
		name := fmt.Sprintf("w%d-%d", seed, i)
		switch n := rng.IntN(6); {
		case n < 2 || len(mine) == 0:
			r, err := b.try("POST", "/Users", strings.Replace(newUser, "Neo", name, 1))
			if err == nil {
				mine = append(mine, r.at("id"))
			}
		case n == 2:
			b.outcome("PATCH", "/Users/"+mine[rng.IntN(len(mine))], patchBody(`{"op":"replace","path":"title","value":"`+name+`"}`))
		case n == 3:
			b.outcome("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"`+name+`","members":[{"value":"`+mine[0]+`"}]}`)
		case n == 4:
			b.outcome("GET", "/Users?filter=title%20pr&sortBy=userName&count=5", "")
		default:
			b.outcome("DELETE", "/Users/"+mine[len(mine)-1], "")
			mine = mine[:len(mine)-1]
		}
	}
}
