package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// auditFile is the ground truth: a line for each change, in the order of the
// changes, and a line for each request. A line has reached the kernel before
// its request is answered; a change's line never before the change itself, so
// that a killed process leaves no line for what did not happen. A nil
// auditFile records nothing.
type auditFile struct {
	mu    sync.Mutex
	lines []byte

	writing sync.Mutex // held while lines are written, to keep their order
	file    *os.File
}

func openAudit(path string) (*auditFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--audit %s: %w", path, err)
	}
	return &auditFile{file: f}, nil
}

// auditLine is a line in the making.
type auditLine []byte

func newAuditLine(kind string) auditLine {
	l := append(make(auditLine, 0, 256), `{"kind":"`...)
	l = append(l, kind...)
	return append(l, '"').field("t", time.Now().UTC().Format(time.RFC3339Nano))
}

func (l auditLine) field(name, value string) auditLine {
	l = append(l, `,"`...)
	l = append(l, name...)
	l = append(l, `":`...)
	return appendString(l, value)
}

func (l auditLine) end() auditLine { return append(l, "}\n"...) }

// record notes a change. The directory's lock gives it its place; with a store
// it waits there until the change is written.
func (d *directory) record(op string, t *resourceType, rev *revision) {
	if d.audit == nil {
		return
	}
	l := newAuditLine("commit").field("op", op).field("resource", t.name).field("id", rev.id).field("key", rev.key).end()
	if d.store != nil {
		d.store.note(l)
		return
	}
	d.audit.add(l)
}

// add queues lines.
func (a *auditFile) add(l auditLine) {
	a.mu.Lock()
	a.lines = append(a.lines, l...)
	a.mu.Unlock()
}

// request records an exchange and writes everything queued so far.
func (a *auditFile) request(q *request, status int) error {
	if a == nil {
		return nil
	}
	l := newAuditLine("request").field("method", q.r.Method).field("path", q.r.URL.Path).field("query", q.r.URL.RawQuery)
	l = strconv.AppendInt(append(l, `,"status":`...), int64(status), 10)
	if len(q.body) > 0 {
		sum := sha256.Sum256(q.body)
		l = l.field("body_sha256", hex.EncodeToString(sum[:]))
	}
	a.add(l.end())
	return a.flush()
}

// flush returns when every line queued before it has been written.
func (a *auditFile) flush() error {
	if a == nil {
		return nil
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	lines := a.lines
	a.lines = nil
	a.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	_, err := a.file.Write(lines)
	return err
}

func (a *auditFile) close() error {
	if a == nil {
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	return a.file.Close()
}
