package sandbox

import (
	"net"
	"net/http"
	"strconv"
)

// severance is how an exchange ends without its full answer.
type severance int

const (
	intact    severance = iota
	reset               // the connection is reset, nothing is answered
	truncated           // half of the body arrives
)

// answer is a response that is decided but not sent, so that faults can
// change it and the audit can record it first.
type answer struct {
	status int
	header []string // name, value, name, value, …
	body   []byte
	sever  severance
}

const (
	scimType = "application/scim+json"
	jsonType = "application/json"
)

func (a *answer) set(name, value string) { a.header = append(a.header, name, value) }

func (a *answer) get(name string) string {
	for i := len(a.header) - 2; i >= 0; i -= 2 {
		if a.header[i] == name {
			return a.header[i+1]
		}
	}
	return ""
}

// replaceHeader sets a header that may be there already; "" removes it.
func (a *answer) replaceHeader(name, value string) {
	kept := a.header[:0:0]
	for i := 0; i < len(a.header); i += 2 {
		if a.header[i] != name {
			kept = append(kept, a.header[i], a.header[i+1])
		}
	}
	if a.header = kept; value != "" {
		a.set(name, value)
	}
}

func (a *answer) success() bool { return a.status >= 200 && a.status < 300 }

// auditStatus is what the audit records: 0 for an exchange that was cut off.
func (a *answer) auditStatus() int {
	if a.sever == reset {
		return 0
	}
	return a.status
}

// send writes the answer, or breaks the connection as it demands.
func (a *answer) send(w http.ResponseWriter, r *http.Request) {
	if rec, ok := w.(*recorder); ok {
		rec.answer = *a
		return
	}
	if a.sever == reset {
		resetConnection(w)
		return
	}
	h := w.Header()
	for i := 0; i < len(a.header); i += 2 {
		h.Set(a.header[i], a.header[i+1])
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return
	}
	if a.sever == truncated {
		// The write error would only say that the client went first.
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

// resetConnection ends a TCP connection with RST, other kinds as they can.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the stream is reset
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
