package scim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// call is one request as a caller wants it: what is the same in each attempt.
type call struct {
	method      string
	endpoint    Endpoint
	base        string // base URL, where it is not the client's
	path        string // below the base URL, escaped; goes into errors
	query       string // encoded; goes nowhere else
	body        []byte
	ifMatch     string
	ifNoneMatch string
	read        bool // changes nothing
	throttles   int  // give up after so many 429s; 0 is the client's own number
	oversized   bool // the page is larger than the provider is known to grant
	// receive makes a response of a good answer's body. It may be called once
	// an attempt.
	receive func(*Response, *http.Response) error
	// parse does what else there is to do with it. The next request need not
	// wait for that.
	parse func() error
}

const (
	// largestBody bounds what one answer may make the client hold.
	largestBody = 256 << 20
	// largestErrorBody is more than any reason takes.
	largestErrorBody = 64 << 10
	// largestDrain: a connection with more than this left unread is cheaper to
	// replace than to drain.
	largestDrain = 256 << 10
)

// kind is what a server may limit by itself.
func (k *call) kind() string { return k.method + " " + string(k.endpoint) }

// reads tells which class of limits a call is subject to.
func (k *call) reads() bool { return k.read || k.method == http.MethodGet }

// do is the one way in which requests leave. It sends a call as often as that
// is safe and of use, always with the same bytes.
func (c *Client) do(ctx context.Context, k *call) (*Response, error) {
	t := &trial{mostThrottles: k.throttles}
	var delay time.Duration
	for {
		resp, fault := c.attempt(ctx, k, t, delay)
		if fault == nil {
			fault = c.parse(k, t, resp)
		}
		if fault == nil {
			c.budget.giveBack(t.charged)
			resp.Attempts = t.attempts
			return resp, nil
		}
		var again bool
		if delay, again = c.again(ctx, t, fault); !again {
			return nil, fault
		}
	}
}

// again decides on another attempt.
func (c *Client) again(ctx context.Context, t *trial, fault *Error) (time.Duration, bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	if fault.Status == http.StatusUnauthorized {
		return 0, c.renew(ctx, t)
	}
	wait, again := t.next(fault, c.patience(), rand.Float64())
	if !again {
		return 0, false
	}
	if addsLoad(fault) {
		if !c.budget.take() {
			return 0, false
		}
		t.charged++
	}
	return wait, true
}

// addsLoad tells whether a retry after this fault needs the budget. Where the
// gate has closed, it already sees to it that one request at most tries.
func addsLoad(fault *Error) bool {
	switch kindOf(fault) {
	case throttle, refusal, unreachable:
		return false
	default:
		return true
	}
}

func (c *Client) patience() patience {
	return patience{maxAttempts: c.maxAttempts, reached: c.reached.Load(), outage: c.pacer.outage()}
}

// renew drops the credentials that the server refused, once a call. Whether
// there are others shows at once; failing to get them is found out, and
// reported, by the next attempt.
func (c *Client) renew(ctx context.Context, t *trial) bool {
	if t.renewed || c.credentials == nil {
		return false
	}
	t.renewed = true
	value, err := c.credentials.Authorization(c.tokenContext(ctx), t.authorization)
	return err != nil || value != t.authorization
}

// attempt waits for leave to send, sends, and tells the pace how it went.
func (c *Client) attempt(ctx context.Context, k *call, t *trial, delay time.Duration) (*Response, *Error) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return nil, c.fault(k, t, &Error{Unsent: true, Err: ctx.Err()})
	}
	leave, err := c.pacer.admit(ctx, k.kind(), k.reads(), delay)
	if err != nil {
		return nil, c.fault(k, t, &Error{Unsent: true, Err: err})
	}
	resp, fault := c.exchange(ctx, k, t)
	t.alone = c.pacer.settle(leave, signalOf(resp, fault))
	return resp, fault
}

// parse makes sense of an answer, when the next request has been let go.
func (c *Client) parse(k *call, t *trial, resp *Response) *Error {
	if k.parse == nil {
		return nil
	}
	if err := k.parse(); err != nil {
		return c.broken(k, t, resp, err)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, k *call, t *trial) (*Response, *Error) {
	if err := c.authorize(ctx, t); err != nil {
		return nil, c.fault(k, t, &Error{Unsent: true, Err: err})
	}
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	w := &wire{}
	req, err := c.request(w.trace(timed), k, t.authorization)
	if err != nil {
		return nil, c.fault(k, t, &Error{Unsent: true, Err: err})
	}
	sent := time.Now()
	answer, err := c.roundTrip(req)
	c.count(k.method, t, w)
	if err != nil {
		return nil, c.fault(k, t, &Error{Unsent: w.unsent(err), Err: c.cause(ctx, timed, err)})
	}
	defer drain(answer.Body)
	c.reached.Store(true)
	resp, fault := c.accept(k, t, answer)
	if fault != nil && fault.Err != nil {
		fault.Err = c.cause(ctx, timed, fault.Err)
	}
	if resp != nil {
		resp.Took = time.Since(sent)
	}
	return resp, fault
}

// roundTrip lets reads follow the server. Writes follow nobody, and leave what
// that takes out.
func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return c.http.Do(req)
	}
	return c.http.Transport.RoundTrip(req)
}

func (c *Client) authorize(ctx context.Context, t *trial) error {
	if c.credentials == nil {
		return nil
	}
	value, err := c.credentials.Authorization(c.tokenContext(ctx), "")
	t.authorization = value
	return err
}

func (c *Client) request(ctx context.Context, k *call, authorization string) (*http.Request, error) {
	target := c.base
	if k.base != "" {
		target = k.base
	}
	target += "/" + k.path
	if k.query != "" {
		target += "?" + k.query
	}
	var body io.Reader
	if k.body != nil {
		body = bytes.NewReader(k.body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, err
	}
	c.setHeaders(req.Header, k, authorization)
	return req, nil
}

// setHeaders sets headers by their canonical names. It never sets an
// Idempotency-Key: net/http takes it for a permission to post again by itself.
func (c *Client) setHeaders(h http.Header, k *call, authorization string) {
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set("User-Agent", c.userAgent)
	set("Accept", scimMediaType+", "+jsonMediaType)
	if k.body != nil {
		set("Content-Type", c.profile.ContentType)
	}
	set("Authorization", authorization)
	set("If-Match", k.ifMatch)
	set("If-None-Match", k.ifNoneMatch)
}

func (c *Client) count(method string, t *trial, w *wire) {
	n := w.attempts()
	c.counters.sent(method, n)
	if n == 0 {
		return
	}
	if t.attempts > 0 {
		c.counters.retried.Add(n)
	} else {
		c.counters.retried.Add(n - 1)
	}
	t.attempts += int(n)
}

// cause tells our own deadline for a request from the caller's: only the
// latter ends the run.
func (c *Client) cause(ctx, timed context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w %s", errTimeout, c.timeout)
	default:
		return withoutURL(err)
	}
}

// accept makes a response or an error of an answer.
func (c *Client) accept(k *call, t *trial, answer *http.Response) (*Response, *Error) {
	now := time.Now()
	resp := &Response{
		Status:        answer.StatusCode,
		CorrelationID: correlationID(answer.Header),
		Date:          headerDate(answer.Header),
		ETag:          answer.Header.Get("ETag"),
		location:      answer.Header.Get("Location"),
		Quota:         ParseQuota(answer.Header, now, c.profile.HintUnit),
	}
	c.clock.set(resp.Date)
	switch {
	case answer.StatusCode == http.StatusNotModified && k.ifNoneMatch != "":
		resp.NotModified = true
		return resp, nil
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return nil, c.refused(k, t, answer, resp)
	case answer.StatusCode == http.StatusAccepted && !k.read:
		return nil, c.broken(k, t, resp, errAccepted)
	}
	if err := k.receive(resp, answer); err != nil {
		return nil, c.broken(k, t, resp, err)
	}
	return resp, nil
}

// refused makes the error of an answer that is not a good one.
func (c *Client) refused(k *call, t *trial, answer *http.Response, resp *Response) *Error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, largestErrorBody))
	body := decodeErrorBody(text, answer.Header.Get("Content-Type"))
	e := &Error{
		Status:   answer.StatusCode,
		ScimType: body.scimType,
		Detail:   body.detail,
		Code:     body.code,
		HTML:     body.html,
	}
	if e.Status >= 300 && e.Status < 400 {
		e.Detail, e.HTML = redirectDetail(answer), false
	}
	e.RetryAfter, e.HasRetryAfter = parseRetryAfter(answer.Header, time.Now(), c.profile.HintUnit)
	e.Oversized = k.oversized && e.Status == http.StatusTooManyRequests
	e.CorrelationID = body.context
	if e.Throttled() {
		c.counters.throttled.Add(1)
	}
	return c.describe(k, t, e, resp)
}

// broken makes the error of a good answer that cannot be used.
func (c *Client) broken(k *call, t *trial, resp *Response, err error) *Error {
	e := &Error{Status: resp.Status, Err: err, HTML: errors.Is(err, errHTML)}
	var odd *oddBody
	if errors.As(err, &odd) {
		e.Detail = odd.detail
	}
	e.Location = resp.location
	e.ID = idFromLocation(k.endpoint, e.Location)
	return c.describe(k, t, e, resp)
}

// describe adds what the answer's headers said.
func (c *Client) describe(k *call, t *trial, e *Error, resp *Response) *Error {
	if resp.CorrelationID != "" {
		e.CorrelationID = resp.CorrelationID
	}
	e.Date, e.Quota = resp.Date, resp.Quota
	return c.fault(k, t, e)
}

// fault adds what the call itself knows.
func (c *Client) fault(k *call, t *trial, e *Error) *Error {
	e.Method, e.Path = k.method, k.path
	e.Attempts = t.attempts
	e.Read = k.read
	e.IfMatch = k.ifMatch != ""
	e.redact(t.authorization, k.body)
	return e
}

// redirectDetail names where a redirect points without repeating its query.
func redirectDetail(answer *http.Response) string {
	to, err := answer.Location()
	if err != nil {
		return "the server points elsewhere, but does not say where"
	}
	if to.Host != answer.Request.URL.Host {
		return "the server points to another host, " + to.Host + ": is the base URL right?"
	}
	return "the server points to " + to.Scheme + "://" + to.Host + to.Path + ": is the base URL right?"
}

// correlationID finds the server's name of an exchange.
func correlationID(h http.Header) string {
	for _, name := range []string{
		"Inin-Correlation-Id", "X-Correlation-Id", "X-Request-Id", "X-Okta-Request-Id",
		"X-Github-Request-Id", "X-Amzn-Requestid", "X-Ms-Request-Id", "Request-Id", "Client-Request-Id",
	} {
		if id := header(h, name); id != "" {
			return token(id)
		}
	}
	return ""
}

// header is h.Get for a name in its canonical form: every answer is looked
// through for dozens of them.
func header(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// signalOf is what the outcome of an attempt says about the pace.
func signalOf(resp *Response, e *Error) signal {
	if e == nil {
		return signal{kind: good, quota: resp.Quota}
	}
	s := signal{kind: kindOf(e), hint: e.RetryAfter, hints: e.HasRetryAfter, quota: e.Quota}
	if s.kind == throttle && !s.hints && s.quota.Known && s.quota.Remaining <= 0 {
		s.hint, s.hints = s.quota.Reset, true
	}
	return s
}

func kindOf(e *Error) signalKind {
	switch {
	case e.Unsent && e.unreachable():
		return unreachable
	case e.Unsent:
		return unused
	case e.Oversized:
		return neutral
	case e.Throttled():
		return throttle
	case (e.Status == http.StatusServiceUnavailable || e.Status == http.StatusLocked) && e.HasRetryAfter:
		return refusal
	case e.Status >= 300 && e.Status < 500 && e.Status != http.StatusRequestTimeout:
		return good
	case e.Status >= 500 || e.Status == 0 || e.Status == http.StatusRequestTimeout:
		return load
	default:
		return neutral
	}
}

// unreachable tells that no connection could be had.
func (e *Error) unreachable() bool {
	var credential *credentialError
	return !errors.As(e.Err, &credential) && !errors.Is(e.Err, errHeld) && !isRefusedStream(e.Err) && !isCertificateFault(e.Err) &&
		!errors.Is(e.Err, context.Canceled) && !errors.Is(e.Err, context.DeadlineExceeded)
}

func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, largestDrain)
	_ = body.Close()
}
