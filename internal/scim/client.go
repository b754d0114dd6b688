package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// Options say which directory a client speaks to, and how.
type Options struct {
	// BaseURL is the URL to which /Users is appended.
	BaseURL string
	// Transport carries the requests; nil is net/http tuned for Workers
	// connections.
	Transport http.RoundTripper
	// Credentials authorise the requests; nil for none.
	Credentials Credentials
	// Profile is what is known of the provider; the zero value is rfc.
	Profile Profile
	// Rate caps the requests a second; 0 is no cap.
	Rate float64
	// Workers is how many requests may be under way at a time; 0 is the
	// profile's number. More callers than that take turns, and no request's
	// time runs while it waits for its turn.
	Workers int
	// Timeout is for one request, with its answer; 0 is 30 s.
	Timeout time.Duration
	// UserAgent names the program; some servers refuse requests without one.
	UserAgent string
	// InsecureHTTP permits plain http to hosts other than this one.
	InsecureHTTP bool
	// MaxAttempts is how often a request is sent at most, as far as that is
	// safe; 0 is 8. Requests that were throttled are sent up to twice as often.
	MaxAttempts int
}

const (
	defaultTimeout   = 30 * time.Second
	defaultUserAgent = "scimbulk"
)

// Client speaks SCIM to one directory. It is safe for concurrent use.
type Client struct {
	base        string // without a slash at the end
	http        *http.Client
	ownHTTP     bool
	tokenHTTP   *http.Client
	credentials Credentials
	profile     Profile
	timeout     time.Duration
	userAgent   string
	maxAttempts int
	workers     int

	pacer    *pacer
	budget   *budget
	clock    clock
	counters counters
	reached  atomic.Bool // the server has answered
	bulkIDs  atomic.Int64
	turns    chan struct{} // one for each request that may be under way
}

var (
	errTimeout  = errors.New("no answer within")
	errBothSets = errors.New("attributes and excludedAttributes exclude each other (RFC 7644 §3.9)")
)

// New makes a client. It sends nothing.
func New(o Options) (*Client, error) {
	base, err := checkBaseURL(o.BaseURL, o.InsecureHTTP)
	if err != nil {
		return nil, err
	}
	if err := checkTokenURL(o.Credentials, o.InsecureHTTP); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c := &Client{
		base:        strings.TrimRight(base.String(), "/"),
		ownHTTP:     o.Transport == nil,
		credentials: o.Credentials,
		profile:     o.Profile,
		timeout:     o.Timeout,
		userAgent:   o.UserAgent,
		maxAttempts: o.MaxAttempts,
		workers:     o.Workers,
		budget:      newBudget(),
		clock:       clock{start: time.Now()},
		pacer:       newPacer(o.Rate, startRate(o)),
		turns:       make(chan struct{}, o.Workers),
	}
	transport := o.Transport
	if transport == nil {
		transport = newTransport(o.Workers)
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	c.tokenHTTP = &http.Client{Transport: transport, CheckRedirect: checkRedirect, Timeout: o.Timeout}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Profile.Name == "" {
		o.Profile = rfcProfile()
	}
	if o.Profile.ContentType == "" {
		o.Profile.ContentType = scimMediaType
	}
	if o.Workers <= 0 {
		o.Workers = max(o.Profile.Workers, 1)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	return o
}

// startRate is the pace to begin with: the provider's known one, unless the
// user named a cap, which is then all there is to keep to.
func startRate(o Options) float64 {
	if o.Rate > 0 {
		return 0
	}
	return o.Profile.Rate
}

func checkBaseURL(raw string, insecure bool) (*url.URL, error) {
	base, err := checkURL(raw, insecure)
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	_, last := cutLast(strings.TrimRight(base.Path, "/"))
	for _, e := range []Endpoint{Users, Groups} {
		if strings.EqualFold(last, string(e)) {
			return nil, fmt.Errorf("base URL: leave the /%s at its end out", last)
		}
	}
	return base, nil
}

// checkTokenURL holds the token endpoint to the same rule as the directory: it
// is sent the client's secret.
func checkTokenURL(c Credentials, insecure bool) error {
	cc, ok := c.(*clientCredentials)
	if !ok {
		return nil
	}
	if _, err := checkURL(cc.config.TokenURL, insecure); err != nil {
		return fmt.Errorf("token URL: %w", err)
	}
	return nil
}

// tokenContext makes x/oauth2 use the client's own connections.
func (c *Client) tokenContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.tokenHTTP)
}

// Close lets go of idle connections. It does not touch a transport that the
// caller brought.
func (c *Client) Close() {
	if c.ownHTTP {
		c.http.CloseIdleConnections()
	}
}

// Profile is what the client takes for known of the provider.
func (c *Client) Profile() Profile { return c.profile }

// Stats counts the requests so far.
func (c *Client) Stats() Stats { return c.counters.stats() }

// Pace says what limits the client at the moment.
func (c *Client) Pace() Pace {
	p := c.pacer.pace()
	if p.LimitedBy == "" && 4*p.InFlight >= 3*c.workers {
		p.LimitedBy = LimitLatency
	}
	return p
}

// Learned is what the client has found out of the limits that the server keeps,
// for a later client of the same directory. It holds no personal data.
func (c *Client) Learned() Learned { return c.pacer.learned() }

// Recall makes the client begin where an earlier one has stopped. It is for the
// time before the first request; what is old or not sound is ignored.
func (c *Client) Recall(known Learned) { c.pacer.recall(known) }

// ForgetPace drops what was learned of the permitted rate, for a caller who knows
// that the requests to come are counted in another way.
func (c *Client) ForgetPace() { c.pacer.forget() }

// ReadOptions narrow a read of one resource (RFC 7644 §3.9, §3.14).
type ReadOptions struct {
	Attributes, ExcludedAttributes []string
	// IfNoneMatch is the version in hand; if it is current the answer is
	// NotModified.
	IfNoneMatch string
}

// Create posts a resource (RFC 7644 §3.3). It is never sent again where the
// server may have carried it out.
func (c *Client) Create(ctx context.Context, e Endpoint, body []byte) (*Response, error) {
	return c.do(ctx, &call{
		method:   http.MethodPost,
		endpoint: e,
		path:     c.casePath(string(e)),
		body:     body,
		receive:  receiveResource(e, false),
	})
}

// Get reads one resource (RFC 7644 §3.4.1).
func (c *Client) Get(ctx context.Context, e Endpoint, id string, q ReadOptions) (*Response, error) {
	k, err := c.resourceCall(http.MethodGet, e, id)
	if err != nil {
		return nil, err
	}
	if len(q.Attributes) > 0 && len(q.ExcludedAttributes) > 0 {
		return nil, &Error{Method: k.method, Path: k.path, Read: true, Unsent: true, Err: errBothSets}
	}
	var b queryBuilder
	b.addList("attributes", q.Attributes)
	b.addList("excludedAttributes", q.ExcludedAttributes)
	k.query, k.ifNoneMatch, k.read = b.String(), quoteETag(q.IfNoneMatch), true
	k.receive = receiveResource(e, true)
	return c.do(ctx, k)
}

// Replace puts a resource whole (RFC 7644 §3.5.1). ifMatch is the version that
// it replaces, "" for any.
func (c *Client) Replace(ctx context.Context, e Endpoint, id string, body []byte, ifMatch string) (*Response, error) {
	return c.change(ctx, http.MethodPut, e, id, body, ifMatch)
}

// Patch changes a resource in part (RFC 7644 §3.5.2).
func (c *Client) Patch(ctx context.Context, e Endpoint, id string, body []byte, ifMatch string) (*Response, error) {
	return c.change(ctx, http.MethodPatch, e, id, body, ifMatch)
}

func (c *Client) change(ctx context.Context, method string, e Endpoint, id string, body []byte, ifMatch string) (*Response, error) {
	k, err := c.resourceCall(method, e, id)
	if err != nil {
		return nil, err
	}
	k.body, k.ifMatch = body, quoteETag(ifMatch)
	k.receive = receiveResource(e, false)
	return c.do(ctx, k)
}

// Delete removes a resource (RFC 7644 §3.6).
func (c *Client) Delete(ctx context.Context, e Endpoint, id string, ifMatch string) (*Response, error) {
	k, err := c.resourceCall(http.MethodDelete, e, id)
	if err != nil {
		return nil, err
	}
	k.ifMatch = quoteETag(ifMatch)
	k.receive = receiveNothing
	return c.do(ctx, k)
}

// resourceCall prepares a call for one resource.
func (c *Client) resourceCall(method string, e Endpoint, id string) (*call, error) {
	path, err := resourcePath(Endpoint(c.casePath(string(e))), id)
	if err != nil {
		return nil, &Error{Method: method, Path: string(e), Unsent: true, Err: err}
	}
	return &call{method: method, endpoint: e, path: path}, nil
}

// casePath spells the path of an endpoint as the provider documents it.
func (c *Client) casePath(path string) string {
	if c.profile.LowerCasePaths {
		return strings.ToLower(path)
	}
	return path
}
