package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestLogFormat: with json, every line on standard error is an object, whatever
// says it and in how many pieces; standard output stays what it is.
func TestLogFormat(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"import", "nobody.csv", "--sandbox", "--log-format", "json"}, streams{in: strings.NewReader(""), out: &out, err: &errs})
	if code != exitFailed || out.Len() > 0 {
		t.Errorf("exit code %d, on standard output %q", code, out.String())
	}
	entries := logEntries(t, errs.String())
	if len(entries) == 0 || entries[0].Level != "error" || !strings.Contains(entries[0].Message, "nobody.csv") || strings.HasPrefix(entries[0].Message, "scimbulk") {
		t.Errorf("%+v", entries)
	}

	errs.Reset()
	said := &talk{out: &errs}
	if err := said.speak(logJSON); err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"read", "ing a \"file\"\n\n", "one\rtwo\nthe ", "end"} {
		if n, err := said.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := said.Flush(); err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, e := range logEntries(t, errs.String()) {
		messages = append(messages, e.Message)
		if e.Level != "info" || time.Since(e.Time) > time.Hour {
			t.Errorf("%+v", e)
		}
	}
	if got, want := strings.Join(messages, "|"), `reading a "file"|one|two|the end`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := said.speak("yaml"); err == nil {
		t.Error("yaml is taken")
	}
}

func logEntries(t *testing.T, text string) []entry {
	t.Helper()
	var list []entry
	for line := range strings.Lines(text) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}
