package rows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxMembers bounds the columns of a JSONL file: beyond, its names are data.
const maxMembers = 10_000

// blankJSON is what may stand around JSON (RFC 8259 §2).
const blankJSON = " \t\r\n"

// objects reads a line of JSONL as an object. Duplicate members and invalid
// UTF-8 are refused, numbers stay the text they are.
type objects struct {
	dec *jsontext.Decoder
	in  bytes.Reader
}

func newObjects() *objects { return &objects{dec: jsontext.NewDecoder(strings.NewReader(""))} }

// errNoObject is JSON that is no object.
var errNoObject = errors.New("not a JSON object")

// each calls member for each member of the object in line. The value is valid
// during the call only.
func (o *objects) each(line []byte, member func(name string, value jsontext.Value)) error {
	o.in.Reset(line)
	o.dec.Reset(&o.in)
	tok, err := o.dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '{' {
		return errNoObject
	}
	for o.dec.PeekKind() != '}' {
		tok, err := o.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		value, err := o.dec.ReadValue()
		if err != nil {
			return err
		}
		member(name, value)
	}
	if _, err := o.dec.ReadToken(); err != nil {
		return err
	}
	return o.end(line)
}

func (o *objects) end(line []byte) error {
	at := o.dec.InputOffset()
	if rest := bytes.Trim(line[at:], blankJSON); len(rest) > 0 {
		return &jsontext.SyntacticError{ByteOffset: at, Err: errors.New("something follows the object")}
	}
	return nil
}

// lookAtNames collects the member names, and finds out whether the objects are
// whole SCIM resources. Faulty lines are passed over: they become faulty rows.
func (r *Reader) lookAtNames(l *lines) error {
	if r.opts.Format != JSONL {
		return nil
	}
	o, seen, first := newObjects(), map[string]bool{}, true
	for {
		if err := l.skipBlank(blankJSON); err == io.EOF {
			return nil
		} else if err != nil && err != errTooLong {
			return fmt.Errorf("reading %s: %w", r.opts.Name, err)
		} else if err == errTooLong {
			continue
		}
		line, _ := l.next() // skipBlank has seen it
		if fault := r.notLines(line, l.line); first && fault != nil {
			return fault
		}
		first = false
		if err := r.lookAtObject(o, line, seen); err != nil {
			return err
		}
	}
}

func (r *Reader) lookAtObject(o *objects, line []byte, seen map[string]bool) error {
	var names []string
	nested := false
	err := o.each(line, func(name string, value jsontext.Value) {
		nested = nested || name == "schemas" || value.Kind() == '{' || holdsObject(value)
		if name == "schemas" {
			r.lookAtSchemas(value)
		}
		if !seen[name] {
			names = append(names, name)
		}
	})
	if err != nil {
		return nil
	}
	for _, name := range names {
		seen[name] = true
	}
	r.found.members = append(r.found.members, names...)
	r.found.nested = r.found.nested || nested
	if len(r.found.members) > maxMembers {
		return r.fault(0, 0, fmt.Sprintf("more than %d member names", maxMembers), "is this a file of records?")
	}
	return nil
}

// maxSchemas bounds the URNs that are kept: a resource has a handful.
const maxSchemas = 50

func (r *Reader) lookAtSchemas(value jsontext.Value) {
	var urns []string
	if json.Unmarshal(value, &urns) != nil {
		return
	}
	for _, urn := range urns {
		if len(r.found.schemas) < maxSchemas && !slices.Contains(r.found.schemas, urn) {
			r.found.schemas = append(r.found.schemas, urn)
		}
	}
}

// holdsObject says whether an array has an object in it.
func holdsObject(v jsontext.Value) bool {
	return v.Kind() == '[' && bytes.IndexByte(v, '{') >= 0
}

// notLines recognises JSON that is not a line an object, by its first line.
func (r *Reader) notLines(line []byte, at int64) error {
	text := bytes.Trim(line, blankJSON)
	switch {
	case text[0] == '[':
		return r.fault(at, 1, "a JSON array, where JSONL has an object a line", "convert it with: jq -c '.[]' "+r.opts.Name+" > FILE.jsonl")
	case len(text) == 1 && text[0] == '{':
		return r.fault(at, 1, "an object over several lines, where JSONL has an object a line", "convert it with: jq -c . "+r.opts.Name+" > FILE.jsonl")
	}
	return nil
}

// objectRows streams JSONL.
func (r *Reader) objectRows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		p := r.newParser()
		for number := int64(1); ; number++ {
			if r.opts.MaxRows > 0 && number > int64(r.opts.MaxRows) {
				return
			}
			err := ctx.Err()
			if err == nil {
				err = r.lines.skipBlank(blankJSON)
			}
			if err == io.EOF {
				return
			}
			if err != nil && err != errTooLong {
				yield(Row{}, fmt.Errorf("reading %s after line %d: %w", r.opts.Name, r.lines.line, err))
				return
			}
			row := Row{Number: number}
			if err == errTooLong {
				row.Err = r.fault(r.lines.line, 0, "the line is longer than 64 MiB", "")
			} else {
				line, _ := r.lines.next() // skipBlank has seen it
				p.parse(line, &row)
			}
			row.Line, row.Offset = r.lines.line, r.stream.read
			if !yield(row, nil) {
				return
			}
		}
	}
}

// parser makes rows of the lines of one file.
type parser struct {
	r       *Reader
	objects *objects
	index   map[string]int // where a member's cell stands; nil for nested objects
	fragile bool
}

func (r *Reader) newParser() *parser {
	p := &parser{r: r, objects: newObjects(), fragile: r.found.charset.decoder != nil}
	if !r.found.nested {
		p.index = make(map[string]int, len(r.found.members))
		for i, name := range r.found.members {
			p.index[name] = i
		}
	}
	return p
}

func (p *parser) parse(line []byte, row *Row) {
	line = bytes.TrimRight(line, blankJSON)
	row.Object = jsontext.Value(bytes.Clone(bytes.Trim(line, blankJSON)))
	at, ok := badByte(line)
	if ok && p.fragile {
		at, ok = undecodable(line)
	}
	if !ok {
		row.Err = p.fault(line, at, byteMessage(line[at], p.fragile), byteHint(line[at], p.fragile))
		return
	}
	if p.index != nil {
		row.Cells = make([]string, len(p.index))
	}
	stranger := ""
	err := p.objects.each(line, func(name string, value jsontext.Value) {
		if p.index == nil {
			return
		}
		if i, ok := p.index[name]; ok {
			row.Cells[i] = cellText(value)
		} else {
			stranger = name
		}
	})
	switch {
	case err != nil:
		row.Err, row.Cells = p.syntaxFault(line, err), nil
	case stranger != "":
		row.Err = p.fault(line, 0, fmt.Sprintf("member %q is not among the names at the beginning of the file", stranger),
			"a pipe is looked at in its beginning only; save it to a file first")
	}
}

// cellText is a member as a cell: null is blank, an array is its JSON.
func cellText(v jsontext.Value) string {
	switch v.Kind() {
	case 'n':
		return ""
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return string(v) // not reached: the decoder has accepted it
		}
		return string(text)
	}
	return string(v)
}

func (p *parser) fault(line []byte, at int, message, hint string) *Error {
	column := int64(utf8.RuneCount(line[:min(at, len(line))])) + 1
	return p.r.fault(p.r.lines.line, column, message, hint)
}

func (p *parser) syntaxFault(line []byte, err error) *Error {
	const hint = "each line must be one JSON object"
	var syntax *jsontext.SyntacticError
	switch {
	case err == errNoObject:
		return p.fault(line, 0, "not a JSON object", hint)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return p.fault(line, len(line), "not JSON: the object is not closed", hint)
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return p.fault(line, int(syntax.ByteOffset), fmt.Sprintf("member %q stands twice in one object", syntax.JSONPointer.LastToken()), "remove one of them")
	case errors.As(err, &syntax):
		return p.fault(line, int(syntax.ByteOffset), "not JSON: "+strings.TrimPrefix(syntax.Err.Error(), "jsontext: "), hint)
	}
	return p.fault(line, 0, "not JSON: "+err.Error(), hint)
}
