package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// position is a place in a mapping file, both counted from 1 in characters.
// The zero position is the file as a whole.
type position struct{ line, column int }

// Fault is one thing wrong with a mapping.
type Fault struct {
	File         string
	Line, Column int // 0 where the mapping as a whole is at fault
	Message      string
	Hint         string // how to mend it, "" when nothing is known
	Source       string // the line of the file
}

// Error is "FILE:LINE:COLUMN: message (hint)", then the line with a caret.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": " + f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	if f.Source != "" && f.Column > 0 {
		b.WriteString("\n    " + f.Source + "\n    " + caret(f.Source, f.Column))
	}
	return b.String()
}

// caret points at a column; tabs stay tabs, so that it stands below it.
func caret(source string, column int) string {
	var b strings.Builder
	for i, r := range []rune(source) {
		if i+1 >= column {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String() + "^"
}

// Faults are all that is wrong with a mapping, in the order of the file.
type Faults []Fault

// Error is a fault after the other, a line between.
func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i := range f {
		texts[i] = f[i].Error()
	}
	return strings.Join(texts, "\n")
}

// Unwrap gives each fault to errors.As.
func (f Faults) Unwrap() []error {
	list := make([]error, len(f))
	for i := range f {
		list[i] = &f[i]
	}
	return list
}

// faultList collects faults of one file.
type faultList struct {
	file  string
	lines []string
	list  Faults
}

func (l *faultList) add(at position, message, hint string) {
	f := Fault{File: l.file, Line: at.line, Column: at.column, Message: message, Hint: hint}
	if at.line > 0 && at.line <= len(l.lines) {
		f.Source = strings.TrimRight(l.lines[at.line-1], "\r")
	}
	l.list = append(l.list, f)
}

func (l *faultList) addf(at position, format string, args ...any) {
	l.add(at, fmt.Sprintf(format, args...), "")
}

// err is nil when there is no fault.
func (l *faultList) err() error {
	if len(l.list) == 0 {
		return nil
	}
	slices.SortStableFunc(l.list, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return l.list
}

// didYouMean is the hint that names the nearest of the known names.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}
