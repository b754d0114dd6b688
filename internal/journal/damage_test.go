package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// view is all that a State says about lines 1 to 40, to be compared.
func view(s *State) map[string]any {
	v := map[string]any{
		"header": s.Header, "sessions": s.Sessions, "ended": s.Ended, "finished": s.Finished, "exit": s.Exit,
		"read": s.RowsRead, "records": s.Records, "bytes": s.Bytes, "skipped": s.Skipped, "rows": s.Rows(),
		"doubt": s.InDoubt(), "counts": s.Counts(), "classes": s.Classes(), "stats": s.Stats(),
	}
	for line := range int64(41) {
		if out, ok := s.Done(line); ok {
			v[fmt.Sprint("line ", line)] = out
		}
	}
	var notes strings.Builder
	for kind, value := range s.Notes() {
		fmt.Fprintln(&notes, kind, string(value))
	}
	v["notes"] = notes.String()
	return v
}

// sampleLog is a log with a record of every kind; its last two records are an
// intent and an outcome.
func sampleLog(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	log, err := Create(dir, testHeader(), still(noon))
	check(t, err)
	ctx := context.Background()
	check(t, log.Intend(ctx, []Intent{{Line: 2, Key: 9, Op: "create", Absent: true}, {Line: 3, Op: "patch", Before: 1, After: 2}}))
	check(t, log.Done([]Outcome{{Line: 2, Outcome: Created, Attempts: 1}, {Line: 4, Outcome: Rejected, Class: "data"}}, Stats{POST: 1, Seconds: 0.5}))
	check(t, log.Note("page", map[string]int{"start": 1}))
	check(t, log.Finish(Summary{Exit: 130}))
	check(t, log.Close())
	log, _, err = Open(dir, still(noon))
	check(t, err)
	check(t, log.Withdraw([]Intent{{Line: 3}}))
	check(t, log.Intend(ctx, []Intent{{Line: 5, Op: "delete"}}))
	check(t, log.Done([]Outcome{{Line: 5, Outcome: Deleted, Attempts: 2}}, Stats{DELETE: 1}))
	check(t, log.Close())
	text, err := os.ReadFile(logPath(dir))
	check(t, err)
	return text
}

func readBytes(text []byte) (*State, error) { return read(bytes.NewReader(text), "log", options{}) }

// prefixes are the states before each record, and where each record starts.
func prefixes(t testing.TB, text []byte) (views []map[string]any, starts []int) {
	for at := 0; at < len(text); at += bytes.IndexByte(text[at:], '\n') + 1 {
		starts = append(starts, at)
		if at == 0 {
			views = append(views, nil)
			continue
		}
		state, err := readBytes(text[:at])
		check(t, err)
		views = append(views, view(state))
	}
	return views, starts
}

func TestTruncationAtEveryByteLosesOneRecord(t *testing.T) {
	text := sampleLog(t)
	views, starts := prefixes(t, text)
	for i := 1; i < len(starts); i++ {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		for cut := starts[i]; cut < end; cut++ {
			state, err := readBytes(text[:cut])
			if err != nil {
				t.Fatalf("cut at byte %d: %v", cut, err)
			}
			if diff := cmp.Diff(views[i], view(state)); diff != "" || state.Torn != int64(cut-starts[i]) {
				t.Fatalf("cut at byte %d, torn %d:\n%s", cut, state.Torn, diff)
			}
		}
	}
}

func TestACutHeaderIsDamage(t *testing.T) {
	text := sampleLog(t)
	end := bytes.IndexByte(text, '\n')
	for cut := range end + 1 {
		var damage *DamageError
		if _, err := readBytes(text[:cut]); !errors.As(err, &damage) || damage.Record != 1 {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
	}
}

// A flipped bit is damage wherever it is, the last record included: what was
// written whole may have been acknowledged.
func TestEveryFlippedBitIsFound(t *testing.T) {
	text := sampleLog(t)
	views, starts := prefixes(t, text)
	record := 0
	for at := range text {
		if record+1 < len(starts) && at >= starts[record+1] {
			record++
		}
		for bit := range 8 {
			text[at] ^= 1 << bit
			state, err := readBytes(text)
			text[at] ^= 1 << bit
			var damage *DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("byte %d bit %d: %v", at, bit, err)
			}
			want := DamageError{Path: "log", Record: int64(record + 1), Line: int64(record + 1), Offset: int64(starts[record]), Reason: damage.Reason}
			if *damage != want {
				t.Fatalf("byte %d bit %d: %v, want %v", at, bit, damage, &want)
			}
			if bit == 0 && record > 0 && !cmp.Equal(views[record], view(state)) {
				t.Fatalf("byte %d bit %d: the state is not that before record %d", at, bit, record+1)
			}
		}
	}
}

func TestDamageIsRefusedAndLeftAlone(t *testing.T) {
	text := sampleLog(t)
	text[len(text)/2] ^= 1
	dir := t.TempDir()
	check(t, os.WriteFile(logPath(dir), text, 0o600))
	var damage *DamageError
	if _, _, err := Open(dir); !errors.As(err, &damage) {
		t.Fatal(err)
	}
	if state, err := Read(dir); !errors.As(err, &damage) || state == nil || state.Records != damage.Record-1 {
		t.Errorf("read: %v", err)
	}
	after, err := os.ReadFile(logPath(dir))
	check(t, err)
	equal(t, "log", string(after), string(text))
	if _, _, err := Open(dir); !errors.As(err, &damage) {
		t.Errorf("the lock was kept: %v", err)
	}
}

func TestOpenCutsATornTailAndGoesOn(t *testing.T) {
	text := sampleLog(t)
	views, starts := prefixes(t, text)
	last := len(starts) - 1
	for _, keep := range []int{1, crcLen, len(text) - 1 - starts[last]} {
		dir := t.TempDir()
		check(t, os.WriteFile(logPath(dir), text[:starts[last]+keep], 0o600))
		log, state, err := Open(dir)
		check(t, err)
		equal(t, "torn", state.Torn, int64(keep))
		equal(t, "state", view(state), views[last])
		check(t, log.Done([]Outcome{{Line: 6, Outcome: Unchanged}}, Stats{}))
		check(t, log.Close())
		state = readLog(t, dir)
		equal(t, "rows", state.Rows(), int64(3))
		equal(t, "sessions", state.Sessions, 3)
		equal(t, "in doubt", len(state.InDoubt()), 1)
	}
}

// sum makes a record of a JSON text.
func sum(text string) string {
	return fmt.Sprintf("%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text)
}

const plainHeader = `{"kind":"header","format":1,"run":"r","command":"import","started":"2026-03-01T12:00:00Z"}`

func TestRecordsInOtherForms(t *testing.T) {
	in := Intent{Line: 7, Key: 255, Op: "create", At: noon, Tries: 1}
	for name, test := range map[string]struct {
		record string
		doubt  []Intent
		rows   int64
		skip   int64
	}{
		"member order":   {record: `{"rows":[[7,"00000000000000ff","create"]],"at":"2026-03-01T12:00:00Z","kind":"intent"}`, doubt: []Intent{in}},
		"white space":    {record: ` { "kind" : "intent" , "at" : "2026-03-01T12:00:00Z", "rows" : [ [ 7, "00000000000000ff", "create" ] ] }`, doubt: []Intent{in}},
		"other zone":     {record: `{"kind":"intent","at":"2026-03-01T14:00:00+02:00","rows":[[7,"00000000000000ff","create"]]}`, doubt: []Intent{in}},
		"short hash":     {record: `{"kind":"intent","at":"2026-03-01T12:00:00.000Z","rows":[[7,"ff","create"]]}`, doubt: []Intent{in}},
		"escapes":        {record: `{"kind":"intent","at":"2026-03-01T12:00:00.000Z","rows":[[7,"00000000000000ff","cre\u0061te",0,0]]}`, doubt: []Intent{in}},
		"later cells":    {record: `{"kind":"intent","at":"2026-03-01T12:00:00.000Z","rows":[[7,"00000000000000ff","create",0,0,"0","0","new"]]}`, doubt: []Intent{in}},
		"later member":   {record: `{"kind":"done","rows":[[7,"created",1]],"new":{"a":[1]}}`, rows: 1},
		"later outcome":  {record: `{"kind":"done","rows":[[7,"teleported",1,"",9]]}`, rows: 1},
		"stats reversed": {record: `{"kind":"done","rows":[[7,"created",1]],"stats":{"POST":1,"GET":2}}`, rows: 1},
		"only needed":    {record: `{"kind":"done","rows":[[7,"created"]]}`, rows: 1},
		"later kind":     {record: `{"kind":"moon","rows":{"7":1},"at":7}`, skip: 1},
		"no kind":        {record: `{}`, skip: 1},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := readBytes([]byte(sum(plainHeader) + sum(test.record)))
			check(t, err)
			if test.doubt == nil {
				test.doubt = []Intent{}
			}
			equal(t, "in doubt", state.InDoubt(), test.doubt)
			equal(t, "rows", state.Rows(), test.rows)
			equal(t, "skipped", state.Skipped, test.skip)
		})
	}
}

func TestRecordsThatMakeNoSense(t *testing.T) {
	for name, record := range map[string]string{
		"no JSON":           `{"kind":"done","rows":[[7,"created",1]]`,
		"trailing text":     `{"kind":"done","rows":[[7,"created",1]]}}`,
		"not an object":     `[1]`,
		"empty":             ``,
		"twice a member":    `{"kind":"done","rows":[],"rows":[]}`,
		"kind is a number":  `{"kind":1}`,
		"second header":     plainHeader,
		"line 0":            `{"kind":"done","rows":[[0,"created",1]]}`,
		"line too big":      `{"kind":"done","rows":[[9007199254740993,"created",1]]}`,
		"line is a string":  `{"kind":"done","rows":[["7","created",1]]}`,
		"line is a decimal": `{"kind":"done","rows":[[7.5,"created",1]]}`,
		"leading zero":      `{"kind":"done","rows":[[07,"created",1]]}`,
		"no outcome":        `{"kind":"done","rows":[[7]]}`,
		"empty outcome":     `{"kind":"done","rows":[[7,"",1]]}`,
		"no time":           `{"kind":"intent","at":"noon","rows":[[7,"00000000000000ff","create"]]}`,
		"bad hash":          `{"kind":"intent","at":"2026-03-01T12:00:00Z","rows":[[7,"xyz","create"]]}`,
		"long hash":         `{"kind":"intent","at":"2026-03-01T12:00:00Z","rows":[[7,"000000000000000ff","create"]]}`,
		"bad step":          `{"kind":"intent","at":"2026-03-01T12:00:00Z","rows":[[7,"ff","create",0,-1]]}`,
		"void of nothing":   `{"kind":"void","rows":[[]]}`,
		"invalid UTF-8":     "{\"kind\":\"done\",\"rows\":[[7,\"\xff\",1]]}",
	} {
		t.Run(name, func(t *testing.T) {
			var damage *DamageError
			_, err := readBytes([]byte(sum(plainHeader) + sum(record)))
			if !errors.As(err, &damage) || damage.Record != 2 || damage.Offset != int64(len(sum(plainHeader))) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	var damage *DamageError
	for name, header := range map[string]string{
		"no header":   `{"kind":"done","rows":[]}`,
		"no format":   `{"kind":"header","run":"r"}`,
		"bad member":  `{"kind":"header","format":1,"run":7}`,
		"not JSON":    `header`,
		"not a digit": `{"kind":"header","format":"1"}`,
	} {
		if _, err := readBytes([]byte(sum(header))); !errors.As(err, &damage) || damage.Record != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readBytes([]byte(sum(`{"kind":"header","format":1,"run":"r","later":{"a":1}}`))); err != nil {
		t.Errorf("a member of a later version: %v", err)
	}
	var newer *FormatError
	_, err := readBytes([]byte(sum(`{"kind":"header","format":2,"run":{}}`)))
	if !errors.As(err, &newer) || newer.Format != 2 || !strings.Contains(err.Error(), "log: log format 2 is newer") {
		t.Errorf("newer format: %v", err)
	}
}

func TestLongRecords(t *testing.T) {
	long := sum(fmt.Sprintf(`{"kind":"note","note":"page","value":%q}`, strings.Repeat("x", 3*readSize)))
	text := sum(plainHeader) + long + sum(`{"kind":"done","rows":[[7,"created",1]]}`)
	state, err := readBytes([]byte(text))
	check(t, err)
	equal(t, "bytes", state.Bytes, int64(len(text)))
	equal(t, "rows", state.Rows(), int64(1))

	var damage *DamageError
	endless := append([]byte(sum(plainHeader)), make([]byte, maxRecord+2*readSize)...)
	if _, err := readBytes(endless); !errors.As(err, &damage) || damage.Record != 2 {
		t.Errorf("endless record: %v", err)
	}
}

// collect takes notes, and answers with err.
func collect(got *[]string, err error) func(string, jsontext.Value) error {
	return func(kind string, value jsontext.Value) error {
		*got = append(*got, kind+" "+string(value))
		return err
	}
}

func TestNotesCanBeHandedOn(t *testing.T) {
	text := []byte(sum(plainHeader) + sum(`{"kind":"note","note":"page","value":{"start":1}}`) + sum(`{"kind":"note","note":"survey","value":9}`))
	var got []string
	state, err := read(bytes.NewReader(text), "log", choose([]Option{WithNotes(collect(&got, nil))}))
	check(t, err)
	equal(t, "notes", got, []string{`page {"start":1}`, "survey 9"})
	if _, ok := state.Note("survey"); ok {
		t.Error("kept as well")
	}

	stop := errors.New("enough")
	if _, err := read(bytes.NewReader(text), "log", choose([]Option{WithNotes(collect(&got, stop))})); !errors.Is(err, stop) {
		t.Errorf("an error of the taker: %v", err)
	}
}
