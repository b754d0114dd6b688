package scim

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// errorBody is what could be made of the body of a bad answer.
type errorBody struct {
	status   int // 0 where the body names none
	scimType string
	detail   string
	code     string
	context  string // the correlation id, as Genesys names it
	html     bool
}

// longestDetail keeps a server's essay out of a result file.
const longestDetail = 400

// decodeErrorBody makes the best of any body: the error of RFC 7644 §3.12 with
// the deviations that servers show, the body of Genesys' platform API, SCIM
// 1.1's list of errors, OAuth's and RFC 9457's members, a web page, plain text,
// half of any of these, or nothing.
func decodeErrorBody(body []byte, contentType string) errorBody {
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(text) == 0:
		return errorBody{}
	case looksLikeHTML(text, contentType):
		return errorBody{html: true}
	case text[0] == '{' || text[0] == '[':
		return errorFromJSON(text)
	default:
		return errorBody{detail: oneLine(string(text))}
	}
}

func looksLikeHTML(text []byte, contentType string) bool {
	return text[0] == '<' || strings.Contains(strings.ToLower(contentType), "text/html")
}

// errorFromJSON reads members until the body ends or breaks, and keeps what it
// has by then.
func errorFromJSON(text []byte) errorBody {
	members := topMembers(text)
	b := errorBody{
		status:   statusOf(members["status"]),
		scimType: scalarText(members["scimtype"]),
		code:     firstText(members, "code", "errorcode", "error", "error_code"),
		context:  firstText(members, "contextid", "correlationid", "requestid", "traceid"),
		detail:   firstText(members, "detail", "message", "error_description", "description", "title", "errormessage"),
	}
	b.nestedDetail(members)
	b.detail = oneLine(b.detail)
	b.code, b.scimType, b.context = token(b.code), token(b.scimType), token(b.context)
	return b
}

// nestedDetail looks one level down: {"error":{"message":…}} and
// {"Errors":[{"description":…}]}.
func (b *errorBody) nestedDetail(members map[string]jsontext.Value) {
	for _, name := range []string{"error", "errors", "detail", "details"} {
		if b.detail != "" {
			return
		}
		inner := topMembers(members[name])
		b.detail = firstText(inner, "detail", "message", "description", "errormessage")
		if b.code == "" {
			b.code = firstText(inner, "code", "errorcode")
		}
	}
}

// topMembers returns the members of an object, or of the first object of an
// array, by their folded names. A body that breaks off gives the members
// before the break.
func topMembers(text []byte) map[string]jsontext.Value {
	members := map[string]jsontext.Value{}
	dec := jsontext.NewDecoder(bytes.NewReader(text), wireJSON)
	for dec.PeekKind() == '[' {
		if _, err := dec.ReadToken(); err != nil {
			return members
		}
	}
	if dec.PeekKind() != '{' {
		return members
	}
	_ = eachMember(dec, func(name []byte) error { // what broke off has given what it had
		key := strings.ToLower(string(name))
		value, err := dec.ReadValue()
		if _, seen := members[key]; !seen && err == nil {
			members[key] = value.Clone()
		}
		return err
	})
	return members
}

// statusOf takes a status as a string, as a number, and as an object with a
// code: each has been seen.
func statusOf(v jsontext.Value) int {
	text := scalarText(v)
	if v.Kind() == '{' {
		text = firstText(topMembers(v), "code", "status")
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 100 || n > 999 {
		return 0
	}
	return n
}

func firstText(members map[string]jsontext.Value, names ...string) string {
	for _, name := range names {
		if s := valueText(members[name]); s != "" {
			return s
		}
	}
	return ""
}

// valueText is the text of a string or number, or of the strings of an array.
func valueText(v jsontext.Value) string {
	if v.Kind() != '[' {
		return scalarText(v)
	}
	var parts []string
	dec := jsontext.NewDecoder(bytes.NewReader(v), wireJSON)
	for {
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) || err != nil {
			return strings.Join(parts, "; ")
		}
		if tok.Kind() == '"' && dec.StackDepth() == 1 {
			parts = append(parts, tok.String())
		}
	}
}

// oneLine makes text fit for a cell of a result file and for a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > longestDetail {
		s = string([]rune(s)[:longestDetail]) + "…"
	}
	return s
}

// token is oneLine for a word: a code that is a sentence is cut short.
func token(s string) string {
	const longest = 100
	s = oneLine(s)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest])
	}
	return s
}
