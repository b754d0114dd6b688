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
// its request is answered. A nil auditFile records nothing.
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

// commit records a change; the directory's lock gives it its place.
func (a *auditFile) commit(op string, t *resourceType, rev *revision) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin("commit")
	a.field("op", op)
	a.field("resource", t.name)
	a.field("id", rev.id)
	a.field("key", rev.key)
	a.lines = append(a.lines, "}\n"...)
}

// request records an exchange and writes everything recorded so far.
func (a *auditFile) request(q *request, status int) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	a.begin("request")
	a.field("method", q.r.Method)
	a.field("path", q.r.URL.Path)
	a.field("query", q.r.URL.RawQuery)
	a.lines = append(a.lines, `,"status":`...)
	a.lines = strconv.AppendInt(a.lines, int64(status), 10)
	if len(q.body) > 0 {
		sum := sha256.Sum256(q.body)
		a.field("body_sha256", hex.EncodeToString(sum[:]))
	}
	a.lines = append(a.lines, "}\n"...)
	a.mu.Unlock()
	return a.flush()
}

// begin and field are called with mu held.
func (a *auditFile) begin(kind string) {
	a.lines = append(a.lines, `{"kind":"`...)
	a.lines = append(a.lines, kind...)
	a.lines = append(a.lines, '"')
	a.field("t", time.Now().UTC().Format(time.RFC3339Nano))
}

func (a *auditFile) field(name, value string) {
	a.lines = append(a.lines, `,"`...)
	a.lines = append(a.lines, name...)
	a.lines = append(a.lines, `":`...)
	a.lines = appendString(a.lines, value)
}

// flush returns when every line recorded before it has been written.
func (a *auditFile) flush() error {
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
