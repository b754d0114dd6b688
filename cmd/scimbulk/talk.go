package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/term"
)

// How what is said on standard error looks.
const (
	logText = "text"
	logJSON = "json"
)

// talk is standard error: as it comes, or a JSON object a line, for machines that
// collect logs. It is safe for concurrent use.
type talk struct {
	out io.Writer

	mu   sync.Mutex
	json bool
	line []byte // begun and not ended
}

// speak settles the format.
func (t *talk) speak(format string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if format != logText && format != logJSON {
		return usagef("--log-format %s: known are %s and %s", format, logText, logJSON)
	}
	t.json = format == logJSON
	return nil
}

// Columns is how wide the terminal is, 0 where it is none.
func (t *talk) Columns() int {
	file, ok := t.out.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Write takes text in any pieces.
func (t *talk) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.json {
		return t.out.Write(p)
	}
	t.line = append(t.line, p...)
	for {
		end := bytes.IndexAny(t.line, "\r\n")
		if end < 0 {
			return len(p), nil
		}
		if err := t.say(string(t.line[:end])); err != nil {
			return 0, err
		}
		t.line = t.line[end+1:]
	}
}

// Flush says what has not come to the end of its line.
func (t *talk) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := string(t.line)
	t.line = nil
	return t.say(rest)
}

// entry is a line of the log.
type entry struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // info or error
	Message string    `json:"message"`
}

func (t *talk) say(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	e := entry{Time: time.Now().UTC(), Level: "info", Message: line}
	if text, failed := strings.CutPrefix(line, complaint); failed {
		e.Level, e.Message = "error", text
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = t.out.Write(append(text, '\n'))
	return err
}
