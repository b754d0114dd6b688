package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A model is a State kept in the plainest way.
type model struct {
	done    map[int64]Outcome
	doubt   []Intent
	notes   []string
	earlier Stats
	session Stats
	starts  int
	written bool // this session is in the log
	ended   bool
}

// began is called when the session writes.
func (m *model) began() {
	if m.written {
		return
	}
	m.written = true
	m.starts++
	m.earlier = m.earlier.plus(m.session)
	m.session = Stats{}
	m.ended = false
}

func (m *model) intend(in Intent) {
	if _, ok := m.done[in.Line]; ok {
		return
	}
	for i := range m.doubt {
		old := &m.doubt[i]
		if old.Line == in.Line && old.Step == in.Step {
			old.Tries++
			old.Absent = old.Absent || in.Absent
			old.Op, old.Before, old.After = in.Op, in.Before, in.After
			return
		}
	}
	in.Tries = 1
	in.At = in.At.UTC().Truncate(time.Millisecond)
	m.doubt = append(m.doubt, in)
}

func (m *model) withdraw(out Intent) {
	for i, in := range m.doubt {
		if in.Line == out.Line && in.Step == out.Step {
			if m.doubt[i].Tries--; in.Tries == 1 {
				m.doubt = slices.Delete(m.doubt, i, i+1)
			}
			return
		}
	}
}

func (m *model) finish(out Outcome) {
	if _, ok := m.done[out.Line]; ok {
		return
	}
	out.Attempts = 0
	m.done[out.Line] = out
	m.doubt = slices.DeleteFunc(m.doubt, func(in Intent) bool { return in.Line == out.Line })
}

// counts are the model's, counted anew.
func (m *model) counts() (counts, classes map[string]int64) {
	counts, classes = map[string]int64{}, map[string]int64{}
	for out := range maps.Values(m.done) {
		counts[out.Outcome]++
		if out.Class != "" {
			classes[out.Class]++
		}
	}
	return counts, classes
}

var (
	lines   = rapid.OneOf(rapid.Int64Range(1, 12), rapid.Int64Range(pageLines-3, pageLines+3), rapid.Int64Range(1, maxLine))
	moments = rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "ns")))
	})
	intents = rapid.Custom(func(t *rapid.T) Intent {
		return Intent{
			Line: lines.Draw(t, "line"), Step: rapid.SampledFrom([]int{0, 0, 0, 1, 2, maxStep}).Draw(t, "step"),
			Key: rapid.Uint64().Draw(t, "key"), Op: rapid.String().Draw(t, "op"), At: moments.Draw(t, "at"),
			Absent: rapid.Bool().Draw(t, "absent"),
			Before: rapid.SampledFrom([]uint64{0, 1, 1 << 63}).Draw(t, "before"), After: rapid.Uint64Max(1).Draw(t, "after"),
		}
	})
	outcomes = rapid.Custom(func(t *rapid.T) Outcome {
		return Outcome{
			Line: lines.Draw(t, "line"), Attempts: rapid.IntRange(0, 9).Draw(t, "attempts"),
			Outcome: rapid.OneOf(rapid.SampledFrom([]string{Created, Rejected}), rapid.StringN(1, 5, -1)).Draw(t, "outcome"),
			Class:   rapid.SampledFrom([]string{"", "data", "exists"}).Draw(t, "class"),
		}
	})
	totals = rapid.Custom(func(t *rapid.T) Stats {
		count := rapid.SampledFrom([]int64{0, 0, 1, 1 << 50})
		return Stats{
			GET: count.Draw(t, "GET"), POST: count.Draw(t, "POST"), PUT: count.Draw(t, "PUT"), PATCH: count.Draw(t, "PATCH"),
			DELETE: count.Draw(t, "DELETE"), Retried: count.Draw(t, "retried"), Throttled: count.Draw(t, "throttled"),
			Rate: float64(rapid.IntRange(0, 99999).Draw(t, "rate")) / 1000, Seconds: float64(rapid.Int64Range(0, 1<<40).Draw(t, "ms")) / 1000,
		}
	})
)

// Whatever is written, in however many sessions, is what is read.
func TestAnySequenceOfRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		check(t, err)
		defer os.RemoveAll(dir)
		log, err := Create(dir, testHeader())
		check(t, err)
		defer func() { log.Close() }()
		unsynced(log)
		m := &model{done: map[int64]Outcome{}, written: true, starts: 1}
		t.Repeat(map[string]func(*rapid.T){
			"intend": func(t *rapid.T) {
				some := rapid.SliceOfN(intents, 1, 4).Draw(t, "intents")
				check(t, log.Intend(context.Background(), some))
				m.began()
				for _, in := range some {
					m.intend(in)
				}
			},
			"done": func(t *rapid.T) {
				some, stats := rapid.SliceOfN(outcomes, 1, 4).Draw(t, "outcomes"), totals.Draw(t, "stats")
				check(t, log.Done(some, stats))
				m.began()
				m.session = stats
				for _, out := range some {
					m.finish(out)
				}
			},
			"withdraw": func(t *rapid.T) {
				some := rapid.SliceOfN(intents, 1, 4).Draw(t, "intents")
				if len(m.doubt) > 0 {
					some = append(some, rapid.SampledFrom(m.doubt).Draw(t, "one in doubt"))
				}
				check(t, log.Withdraw(some))
				m.began()
				for _, in := range some {
					m.withdraw(in)
				}
			},
			"note": func(t *rapid.T) {
				kind, value := rapid.String().Draw(t, "kind"), rapid.Int().Draw(t, "value")
				check(t, log.Note(kind, value))
				m.began()
				m.notes = append(m.notes, fmt.Sprint(kind, value))
			},
			"session": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "in order") {
					check(t, log.Finish(Summary{Exit: 130}))
					m.began()
					m.ended = true
				}
				check(t, log.Close())
				log, _, err = Open(dir)
				check(t, err)
				unsynced(log)
				m.written = false
			},
			"": func(t *rapid.T) { m.check(t, dir) },
		})
	})
}

// unsynced spares the disk: nothing here loses power.
func unsynced(log *Log) {
	log.file = &faultyFile{file: log.file, sync: func() error { return nil }}
}

// check compares the model with what the log says.
func (m *model) check(t *rapid.T, dir string) {
	state, err := Read(dir)
	check(t, err)
	counts, classes := m.counts()
	equal(t, "counts", state.Counts(), counts)
	equal(t, "classes", state.Classes(), classes)
	equal(t, "rows", state.Rows(), int64(len(m.done)))
	equal(t, "in doubt", state.InDoubt(), append([]Intent{}, m.doubt...))
	equal(t, "sessions", state.Sessions, m.starts)
	equal(t, "ended", state.Ended, m.ended)
	done := map[int64]Outcome{}
	for line := range m.done {
		done[line], _ = state.Done(line)
	}
	equal(t, "outcomes", done, m.done)
	var notes []string
	for kind, value := range state.Notes() {
		notes = append(notes, fmt.Sprint(kind, string(value)))
	}
	equal(t, "notes", notes, m.notes)
	want := m.earlier.plus(m.session)
	got := state.Stats()
	if !near(got.Rate, want.Rate) || !near(got.Seconds, want.Seconds) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	got.Rate, got.Seconds = want.Rate, want.Seconds
	equal(t, "stats", got, want)
}

// near allows for the rounding of a few sessions.
func near(a, b float64) bool { return a-b < 0.1 && b-a < 0.1 }

// FuzzRead looks for a panic, and for text that is taken in although it is not
// a sequence of records that are what their checksums say.
func FuzzRead(f *testing.F) {
	text := sampleLog(f)
	f.Add(text)
	f.Add(text[:len(text)-5])
	f.Add([]byte(nil))
	f.Add([]byte(sum(plainHeader) + sum(`{}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		state, err := readBytes(text)
		if err != nil {
			return
		}
		if state.Bytes+state.Torn != int64(len(text)) {
			t.Fatalf("%d bytes of records and %d torn of %d", state.Bytes, state.Torn, len(text))
		}
		records := strings.SplitAfter(string(text[:state.Bytes]), "\n")
		if int64(len(records)) != state.Records+1 {
			t.Fatalf("%d records in %d lines", state.Records, len(records)-1)
		}
		for _, record := range records[:state.Records] {
			if len(record) < 10 || sum(record[9:len(record)-1]) != record {
				t.Fatalf("accepted %q", record)
			}
		}
	})
}

// FuzzRecord gives any JSON a right checksum: reading must not panic, and the
// quick way must say the same as the general one.
func FuzzRecord(f *testing.F) {
	for line := range bytes.Lines(sampleLog(f)) {
		f.Add(line[crcLen : len(line)-1])
	}
	f.Add([]byte(`{"kind":"done","rows":[[7,"created",1]],"stats":{"POST":1,"GET":2}}`))
	f.Add([]byte(`{"kind":"done","rows":[],"stats":{"GET":1,"rate":0.5,"seconds":12.125}}`))
	f.Add([]byte(`{"kind":"intent","at":"2026-03-01T12:00:00Z","rows":[[1,"ff","create",1,2,"1","2"],[2,"ff",""]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		quick, slow := decoder{state: newState()}, decoder{state: newState()}
		err, slowErr := quick.record(text), slow.any(text)
		if (err == nil) != (slowErr == nil) {
			t.Fatalf("%q: quick %v, slow %v", text, err, slowErr)
		}
		var reason badRecord
		if err != nil && !errors.As(err, &reason) {
			t.Fatalf("%q: %v is not damage", text, err)
		}
		quick.state.settle()
		slow.state.settle()
		if err == nil {
			equal(t, "state", view(quick.state), view(slow.state))
		}
	})
}
