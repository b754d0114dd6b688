package journal

import (
	"bytes"
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// bigLog is the log of a run with so many rows: an intent of four rows, then
// the outcome of each.
func bigLog(t testing.TB, rows int64) []byte {
	text, err := appendJSON(nil, headerRecord{Kind: kindHeader, Header: Header{Format: Format, Started: noon}})
	check(t, err)
	stats := Stats{}
	for line := int64(1); line <= rows; line += 4 {
		four := make([]Intent, 4)
		for i := range four {
			at := line + int64(i)
			four[i] = Intent{Line: at, Key: uint64(at) * 0x9e3779b97f4a7c15, Op: "create", Absent: true,
				At: noon.Add(time.Duration(line) * time.Millisecond)}
		}
		text, err = appendIntents(text, four, noon)
		check(t, err)
		for _, in := range four {
			stats.POST++
			stats.Seconds += 0.002
			text, err = appendDone(text, []Outcome{{Line: in.Line, Outcome: Created, Attempts: 1}}, &stats)
			check(t, err)
		}
	}
	return text
}

// decodeLines is the least that reading such a log with a JSON library takes:
// lines, checksums, and each record into a struct.
func decodeLines(t testing.TB, text []byte) {
	lines := lineReader{from: bytes.NewReader(text)}
	for {
		line, whole, err := lines.next()
		check(t, err)
		if !whole {
			return
		}
		record, ok := verify(line)
		if !ok {
			t.Fatal("bad checksum")
		}
		var rec struct {
			Kind  string             `json:"kind"`
			At    time.Time          `json:"at"`
			Rows  [][]jsontext.Value `json:"rows"`
			Stats Stats              `json:"stats"`
		}
		check(t, json.Unmarshal(record, &rec))
	}
}

// scanLines is the least that reading takes with the scanner of this package.
func scanLines(t testing.TB, text []byte) {
	lines, scan := lineReader{from: bytes.NewReader(text)}, scanner{}
	for {
		line, whole, err := lines.next()
		check(t, err)
		if !whole {
			return
		}
		if record, ok := verify(line); !ok || !scan.record(record) && len(scan.stamp) > 0 {
			t.Fatal("not scanned")
		}
	}
}

func readState(t testing.TB, text []byte) {
	_, err := readBytes(text)
	check(t, err)
}

// shortest is the best of three, to keep the neighbours' work out of it.
func shortest(do func()) time.Duration {
	best := time.Duration(1 << 62)
	for range 3 {
		runtime.GC()
		start := time.Now()
		do()
		best = min(best, time.Since(start))
	}
	return best
}

// Reading for resume may take three times what decoding the lines alone does.
func TestReadingIsNearlyDecodingAlone(t *testing.T) {
	text := bigLog(t, 20_000)
	decode := shortest(func() { decodeLines(t, text) })
	whole := shortest(func() { readState(t, text) })
	if whole > 3*decode {
		t.Errorf("reading takes %v, decoding alone %v", whole, decode)
	}
	t.Logf("reading %v, decoding alone %v: ratio %.2f", whole, decode, float64(whole)/float64(decode))
}

func BenchmarkRead1M(b *testing.B) {
	text := bigLog(b, 1_000_000)
	b.SetBytes(int64(len(text)))
	b.ReportMetric(float64(len(text))/1e6, "bytes/row")
	for name, do := range map[string]func(testing.TB, []byte){"resume": readState, "decode-alone": decodeLines, "scan-alone": scanLines} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				do(b, text)
			}
		})
	}
}

// BenchmarkReadMemory says what a State of a million rows holds on to.
func BenchmarkReadMemory(b *testing.B) {
	text := bigLog(b, 1_000_000)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		state, err := readBytes(text)
		check(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "bytes/row")
		runtime.KeepAlive(state)
	}
}

func BenchmarkIntend(b *testing.B) {
	for _, workers := range []int{1, 16, 64} {
		b.Run(string('0'+rune(workers/10))+string('0'+rune(workers%10)), func(b *testing.B) {
			log, err := Create(b.TempDir(), testHeader())
			check(b, err)
			defer log.Close()
			var line atomic.Int64
			b.SetParallelism(max(1, workers/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					in := Intent{Line: line.Add(1), Key: 1 << 63, Op: "create", Absent: true}
					if err := log.Intend(context.Background(), []Intent{in}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "durable/s")
		})
	}
}

func BenchmarkDone(b *testing.B) {
	log, err := Create(b.TempDir(), testHeader())
	check(b, err)
	defer log.Close()
	var stats Stats
	for b.Loop() {
		stats.POST++
		check(b, log.Done([]Outcome{{Line: stats.POST, Outcome: Created, Attempts: 1}}, stats))
	}
}
