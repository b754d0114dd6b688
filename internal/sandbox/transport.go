package sandbox

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// recorder takes an answer in process, as a value.
type recorder struct{ answer answer }

func (*recorder) Header() http.Header         { return http.Header{} }
func (*recorder) WriteHeader(int)             {}
func (*recorder) Write(b []byte) (int, error) { return len(b), nil }

// transport calls the sandbox without a network between.
type transport struct{ s *Sandbox }

// Transport carries requests to the sandbox in process. It honours the
// request's context, and shows a cut connection with the errors that a client
// would see over TCP. It is safe for concurrent use.
func (s *Sandbox) Transport() http.RoundTripper { return transport{s} }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := &recorder{}
	t.s.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.answer.response(r)
}

func (a *answer) response(r *http.Request) (*http.Response, error) {
	if a.sever == reset {
		return nil, &net.OpError{Op: "read", Net: "sandbox", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	header := make(http.Header, len(a.header)/2+1)
	for i := 0; i < len(a.header); i += 2 {
		header.Set(a.header[i], a.header[i+1])
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          a.reader(r.Method),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

func (a *answer) reader(method string) io.ReadCloser {
	switch {
	case method == http.MethodHead || len(a.body) == 0:
		return http.NoBody
	case a.sever == truncated:
		half := bytes.NewReader(a.body[:len(a.body)/2])
		return io.NopCloser(io.MultiReader(half, brokenReader{}))
	}
	return io.NopCloser(bytes.NewReader(a.body))
}

// brokenReader is the place where a connection ended too early.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
