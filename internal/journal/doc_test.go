package journal

import (
	"os"
	"strings"
	"testing"
)

// The log in docs/checkpoint.md must be one, and say what the text says of it.
func TestTheDocumentedLog(t *testing.T) {
	page, err := os.ReadFile("../../docs/checkpoint.md")
	check(t, err)
	_, rest, _ := strings.Cut(string(page), "```log\n")
	text, _, _ := strings.Cut(rest, "```")
	state, err := readBytes([]byte(text))
	check(t, err)
	got := map[int64]string{}
	for line := range int64(10) {
		if out, ok := state.Done(line); ok {
			got[line] = out.Outcome
		}
	}
	equal(t, "outcomes", got, map[int64]string{2: Created, 3: Updated, 5: Rejected})
	doubt := state.InDoubt()
	if len(doubt) != 1 || doubt[0].Line != 4 || doubt[0].Key != HashKey(state.Header.Run, "alan@example.com") {
		t.Errorf("in doubt: %+v", doubt)
	}
	equal(t, "sessions", []any{state.Sessions, state.Ended}, []any{2, false})
	equal(t, "stats", state.Stats(), Stats{GET: 4, POST: 1, PATCH: 1, Retried: 1, Rate: 12.5, Seconds: 1})
}
