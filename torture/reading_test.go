package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A reading is what is known of the pages of an export when a session begins.
type reading struct {
	gone   int // bytes of the log that tell of pages which are gone in good order
	noted  int // pages that the log has
	events int // in the audit file
	served int // kills of the sandbox so far
}

// notedPages counts the pages that a log has. A session that found fewer in the
// file began again behind the last of them.
func notedPages(log []byte) int {
	marks := map[string][]int64{}
	for line := range bytes.Lines(log) {
		var record struct {
			Note  string
			Value struct {
				Of    string
				Bytes int64
			}
		}
		if len(line) < 10 || json.Unmarshal(line[9:], &record) != nil || record.Note != "page" {
			continue
		}
		of, at := marks[record.Value.Of], record.Value.Bytes
		for len(of) > 0 && of[len(of)-1] >= at {
			of = of[:len(of)-1]
		}
		marks[record.Value.Of] = append(of, at)
	}
	n := 0
	for _, of := range marks {
		n += len(of)
	}
	return n
}

// beginReading takes down what there is before a session. log is nil before the
// first one.
func (t *trial) beginReading(log *checkpoint) error {
	audit, err := readAudit(t.audit())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.reading.events, t.reading.served, t.reading.noted = len(audit), t.served, 0
	if log != nil {
		t.reading.noted = notedPages(log.text[t.reading.gone:])
	}
	return nil
}

// inspectReading sees that a session has asked for no page again that was noted
// before it began.
func (t *trial) inspectReading() error {
	log, err := readCheckpoint(t.runDir())
	if err != nil || log == nil || t.ground.whole == nil {
		return err
	}
	audit, err := readAudit(t.audit())
	if err != nil {
		return err
	}
	got := effortOf(audit[t.reading.events:])
	quiet := t.quietReads()
	extra := t.sentAgain(len(audit) - t.reading.events)
	if why := readAgain(got, quiet, t.reading.noted, extra); why != "" {
		t.sawf("%s", why)
	}
	return t.inspectPages(log)
}

// quietReads is how many requests an export takes that nobody disturbs.
func (t *trial) quietReads() int { return t.ground.quiet.listings + t.ground.quiet.lookups }

// sentAgain is how many of the requests of a session come to nothing: what was in
// hand when the sandbox died, what was cut short, and pages that were read ahead by
// their numbers, two a worker, where numbers turn out to mean nothing.
func (t *trial) sentAgain(sent int) int {
	n := (t.served - t.reading.served) * workers
	for _, f := range t.faults {
		switch {
		case strings.HasPrefix(f, "truncate"):
			n += sent / cutShort
		case f == "ignore-start-index":
			n += 2 * workers
		}
	}
	return n
}

// readAgain says what is wrong with the requests of a session that began with so
// many pages noted. extra are those that had to be sent again.
func readAgain(got effort, quiet, noted, extra int) string {
	most := quiet - noted + freshRequests + got.repelled + extra
	if sent := got.listings + got.lookups; sent > most {
		return fmt.Sprintf("%d requests of a session that began with %d pages noted, and no more than %d: an export takes %d", sent, noted, most, quiet)
	}
	return ""
}

// freshRequests are what a session may send beyond the pages that were not noted:
// hardly ever more than one, but the sandbox may take down what the session before
// had in hand when this one has begun. What the directory is, and the totals, an
// undisturbed export asks for as well.
const freshRequests = workers

// cutShort: one answer in fifty ends in its middle where that fault is drawn, and
// its page is asked for again. The audit file does not tell which. One in twenty is
// so many that chance does not come by it.
const cutShort = 20

// inspectPages sees that pages which are noted stay until the manifest is there.
func (t *trial) inspectPages(log *checkpoint) error {
	_, err := os.Stat(t.pagesPath())
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if notedPages(log.text[t.reading.gone:]) == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(t.outDir(), t.ground.job.exports.manifest)); err != nil {
		t.sawf("the pages that the log notes are gone, and there is no manifest: %v", err)
	}
	t.reading.gone = len(log.text)
	return nil
}
