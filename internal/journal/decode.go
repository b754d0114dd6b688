package journal

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxStep = 1<<31 - 1

	// maxLine keeps a line exact in readers that know only doubles.
	maxLine = 1<<53 - 1
)

// A badRecord says what is wrong with a record whose checksum is right.
type badRecord string

func (e badRecord) Error() string { return string(e) }

func bad(format string, args ...any) error { return badRecord(fmt.Sprintf(format, args...)) }

// A decoder turns the JSON texts of records into a State.
type decoder struct {
	state *State
	note  func(kind string, value jsontext.Value) error
	scan  scanner
}

// header takes in the first record.
func (d *decoder) header(text []byte) error {
	var format struct {
		Kind   string `json:"kind"`
		Format int    `json:"format"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return bad("%v", err)
	}
	switch {
	case format.Kind != kindHeader || format.Format < 1:
		return bad("it is not a header")
	case format.Format > Format:
		return &FormatError{Format: format.Format}
	}
	if err := json.Unmarshal(text, &d.state.Header); err != nil {
		return bad("%v", err)
	}
	return nil
}

// record takes in any record after the first. The two kinds that a log is made
// of have a shape that is scanned quickly; whatever else says the same in JSON
// is decoded.
func (d *decoder) record(text []byte) error {
	if d.scan.record(text) {
		return d.scanned()
	}
	return d.any(text)
}

// any takes in a record of any kind and form.
func (d *decoder) any(text []byte) error {
	var rec struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &rec); err != nil {
		return bad("%v", err)
	}
	switch rec.Kind {
	case kindIntent, kindVoid, kindDone, kindStep:
		return d.rows(rec.Kind, text)
	case kindNote:
		return d.noted(text)
	case kindSession, kindEnd:
		return d.edge(rec.Kind, text)
	case kindHeader:
		return bad("a second header")
	}
	d.state.Skipped++
	return nil
}

// scanned takes in what the scanner found.
func (d *decoder) scanned() error {
	s := &d.scan
	for _, in := range s.intents {
		if err := d.state.intend(in); err != nil {
			return err
		}
	}
	take := d.state.finish
	if s.steps {
		take = d.state.step
	}
	for _, out := range s.outcomes {
		if err := take(out); err != nil {
			return err
		}
	}
	if s.hasStats {
		d.state.session = s.stats
	}
	return nil
}

// rows decodes a record of intents, voids, steps or outcomes.
func (d *decoder) rows(kind string, text []byte) error {
	var rec struct {
		At    time.Time          `json:"at"`
		Rows  [][]jsontext.Value `json:"rows"`
		Stats *Stats             `json:"stats"`
	}
	if err := json.Unmarshal(text, &rec); err != nil {
		return bad("%v", err)
	}
	for i, cells := range rec.Rows {
		if err := d.row(kind, rec.At, cells); err != nil {
			return bad("row %d of %q: %v", i+1, kind, err)
		}
	}
	if kind == kindDone && rec.Stats != nil {
		d.state.session = *rec.Stats
	}
	return nil
}

// row decodes one element of rows. Cells beyond those that are known are left
// to later versions.
func (d *decoder) row(kind string, at time.Time, cells []jsontext.Value) error {
	switch kind {
	case kindIntent:
		in := Intent{At: at.UTC()}
		var absent int
		err := unpack(cells, 3, &in.Line, (*hash)(&in.Key), &in.Op, &absent, &in.Step, (*hash)(&in.Before), (*hash)(&in.After))
		if err != nil {
			return err
		}
		in.Absent = absent != 0
		return d.state.intend(in)
	case kindVoid:
		var in Intent
		if err := unpack(cells, 1, &in.Line, &in.Step); err != nil {
			return err
		}
		return d.state.withdraw(in.Line, in.Step)
	default:
		var out Outcome
		if err := unpack(cells, 2, &out.Line, &out.Outcome, &out.Attempts, &out.Class); err != nil {
			return err
		}
		if kind == kindStep {
			return d.state.step(out)
		}
		return d.state.finish(out)
	}
}

// unpack decodes cells into the targets, of which the first must be there.
func unpack(cells []jsontext.Value, required int, targets ...any) error {
	if len(cells) < required {
		return bad("%d cells of %d", len(cells), required)
	}
	for i, target := range targets[:min(len(cells), len(targets))] {
		if err := json.Unmarshal(cells[i], target); err != nil {
			return err
		}
	}
	return nil
}

// A hash is written as hex digits in a string.
type hash uint64

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hash) UnmarshalText(digits []byte) error {
	v, ok := parseHex(digits)
	if !ok {
		return bad("not a hash")
	}
	*h = hash(v)
	return nil
}

func (d *decoder) noted(text []byte) error {
	var rec noteRecord
	if err := json.Unmarshal(text, &rec); err != nil {
		return bad("%v", err)
	}
	if d.note != nil {
		return d.note(rec.Note, rec.Value)
	}
	d.state.notes.add(rec.Note, bytes.TrimSpace(rec.Value))
	return nil
}

// edge takes in the records that begin and end a session.
func (d *decoder) edge(kind string, text []byte) error {
	if kind == kindSession {
		var rec sessionRecord
		if err := json.Unmarshal(text, &rec); err != nil {
			return bad("%v", err)
		}
		d.state.begin()
		return nil
	}
	var rec endRecord
	if err := json.Unmarshal(text, &rec); err != nil {
		return bad("%v", err)
	}
	s := d.state
	s.Ended, s.Finished, s.Exit, s.RowsRead = true, rec.Finished, rec.Exit, rec.Read
	return nil
}
