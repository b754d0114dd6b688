package scim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// newTransport has one connection a worker, which is as many as can be of use,
// and keeps each of them.
func newTransport(workers int) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		MaxConnsPerHost:     workers,
		MaxIdleConnsPerHost: workers,
		// A connection that the server closes just as a write is sent puts the
		// write in doubt. Idle ones are let go before the servers' usual 60 s.
		IdleConnTimeout:     45 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		// A dead HTTP/2 connection would hang every request on it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// checkRedirect lets a read follow the server within its own host. Elsewhere
// the token would go to a stranger, and a write must never be posted again by
// anybody but the caller (RFC 9110 §15.4).
func checkRedirect(req *http.Request, via []*http.Request) error {
	const most = 3
	first := via[0]
	same := req.URL.Host == first.URL.Host && req.URL.Scheme == first.URL.Scheme
	if first.Method != http.MethodGet || !same || len(via) > most {
		return http.ErrUseLastResponse
	}
	return nil
}

// wire watches one round trip: whether anything can have been sent, and how
// often. net/http itself repeats a read whose connection had gone stale.
type wire struct {
	asked atomic.Bool  // for a connection
	given atomic.Int64 // connections
}

// trace counts the connections that a request was given, not the headers that
// were written: HTTP/2 reports those from another goroutine, which the answer,
// or the loss of it, may overtake.
func (w *wire) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { w.given.Add(1) },
	})
}

// attempts is how often the request went out. A transport that reports
// nothing, such as a function in memory, is taken to have sent it once.
func (w *wire) attempts() int64 {
	if !w.asked.Load() {
		return 1
	}
	return w.given.Load()
}

// unsent tells that the server cannot have had the request: it never got a
// connection, or the server itself says that it dropped the stream.
func (w *wire) unsent(err error) bool {
	if w.asked.Load() && w.given.Load() == 0 {
		return true
	}
	return isDialFault(err) || isRefusedStream(err)
}

func isDialFault(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect") {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || isCertificateFault(err)
}

// isCertificateFault tells that the server is not the one that was asked for,
// which no repetition mends.
func isCertificateFault(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &record) ||
		err != nil && strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

func isNoSuchHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// streamError has the shape of net/http's own HTTP/2 stream error, which is not
// exported but converts itself to any type of its shape.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "HTTP/2 stream error" }

// isRefusedStream knows the ways in which HTTP/2 says that a request was not
// processed (RFC 9113 §8.7): REFUSED_STREAM, and a GOAWAY that excludes it.
func isRefusedStream(err error) bool {
	const refusedStream = 0x7
	var stream streamError
	if errors.As(err, &stream) {
		return stream.Code == refusedStream
	}
	return err != nil && strings.Contains(err.Error(), "graceful shutdown GOAWAY")
}

func isNetworkFault(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// withoutURL drops the request line that net/http puts around its errors: its
// query may hold names of people.
func withoutURL(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// causeText is an error for people, with a hint where the fix is known.
func causeText(err error) string {
	err = withoutURL(err)
	switch {
	case err == nil:
		return "no reason is known"
	case isNoSuchHost(err):
		return fmt.Sprintf("%v: is the host name right?", err)
	case isCertificateFault(err):
		return fmt.Sprintf("%v: is this the right host, and https?", err)
	case errors.Is(err, io.EOF):
		return "the server closed the connection"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	default:
		return err.Error()
	}
}

// checkURL refuses what would send credentials in the clear or in the log.
func checkURL(raw string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, fmt.Errorf("the URL does not parse: %w", withoutURL(err))
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%q is not a URL such as https://HOST/scim/v2", u.Redacted())
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password: give them as credentials instead")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s://%s%s: a base URL has neither query nor fragment", u.Scheme, u.Host, u.Path)
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("plain http to %s would send the credentials in the clear: use https, or --insecure-http", u.Host)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
