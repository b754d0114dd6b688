package scim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Verdict says what is known of the effect of a request that failed.
type Verdict int

const (
	// NotProcessed: the server has not carried it out, and the same bytes may
	// be sent again.
	NotProcessed Verdict = iota
	// Definite: the server has decided; nothing was changed.
	Definite
	// InDoubt: it may have been carried out. Only a look at the directory
	// settles it.
	InDoubt
)

func (v Verdict) String() string {
	switch v {
	case NotProcessed:
		return "not processed"
	case Definite:
		return "definite"
	default:
		return "in doubt"
	}
}

// Faults of an answer's body.
var (
	errHTML      = errors.New("answered HTML, not SCIM: is the base URL right?")
	errTruncated = errors.New("the answer was cut off")
	errEmpty     = errors.New("the answer is empty")
	errTooLarge  = errors.New("the answer is larger than scimbulk will read")
	errAccepted  = errors.New("the server has accepted the request but not carried it out yet")
)

// Error is a request that failed. It names no secret, no body and no query.
type Error struct {
	// Status is the HTTP status, 0 when no answer came.
	Status int
	// ScimType and Detail are the SCIM error's (RFC 7644 §3.12); Code is the
	// vendor's own name of the fault.
	ScimType, Detail, Code string
	// CorrelationID is the server's name of the exchange, for its support.
	CorrelationID string
	// RetryAfter is how long the server asked to be left alone.
	RetryAfter    time.Duration
	HasRetryAfter bool
	Method        string
	Path          string // below the base URL, without the query
	Attempts      int    // how often the request was sent
	// Date is the server's clock, zero where it sent none.
	Date time.Time

	// Read marks a request that changes nothing.
	Read bool
	// IfMatch tells that the request was conditional on a version.
	IfMatch bool
	// Unsent tells that the server cannot have had the whole request.
	Unsent bool
	// Oversized tells that the page asked for is larger than the provider
	// grants with these attributes; a smaller one will be answered.
	Oversized bool
	// HTML tells that the answer was a web page.
	HTML bool
	// ID and Location are the resource that a good answer's Location header
	// named, although its body could not be read.
	ID, Location string
	// Err is the cause where there was no answer, or what is wrong with the
	// body of a good one.
	Err error

	// Quota is what the answer's headers say of the permitted rate.
	Quota Quota
}

func (e *Error) Unwrap() error { return e.Err }

// Verdict classifies the failure; what cannot be excluded is in doubt. A
// request that changes nothing is never in doubt.
func (e *Error) Verdict() Verdict {
	v := e.writeVerdict()
	if e.changesNothing() && v == InDoubt {
		return NotProcessed
	}
	return v
}

// Throttled tells that the server asked for fewer requests. GitHub says so with
// 403.
func (e *Error) Throttled() bool {
	switch e.Status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return e.HasRetryAfter || strings.Contains(strings.ToLower(e.Detail), "rate limit")
	default:
		return false
	}
}

func (e *Error) changesNothing() bool {
	return e.Read || e.Method == http.MethodGet || e.Method == http.MethodHead
}

func (e *Error) writeVerdict() Verdict {
	switch {
	case e.Unsent, e.Throttled():
		return NotProcessed
	case e.Status < 300: // no answer, or a good one whose body is broken
		return InDoubt
	case e.Status < 400:
		return redirectVerdict(e.Status)
	case e.Status < 500:
		return clientFaultVerdict(e.Status)
	default:
		return serverFaultVerdict(e.Status)
	}
}

// redirectVerdict: 303 is how a server points at the result of what it has
// done (RFC 9110 §15.4.4); every other redirect asks for the request elsewhere.
func redirectVerdict(status int) Verdict {
	if status == http.StatusSeeOther {
		return InDoubt
	}
	return NotProcessed
}

func clientFaultVerdict(status int) Verdict {
	switch status {
	case http.StatusUnauthorized, http.StatusRequestEntityTooLarge, http.StatusLocked,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return NotProcessed
	case http.StatusRequestTimeout, 499: // 499: a proxy lost patience with us
		return InDoubt
	default:
		return Definite
	}
}

// serverFaultVerdict: servers have been seen to answer 500 and 503 after the
// commit, so that no other 5xx proves anything.
func serverFaultVerdict(status int) Verdict {
	switch status {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return Definite
	default:
		return InDoubt
	}
}

// VersionConflict tells that the resource is no longer the version that the
// request was based on. RFC 7644 §3.14 says 412, its table 8 also 409, and
// Genesys 400 invalidVers.
func (e *Error) VersionConflict() bool {
	switch e.Status {
	case http.StatusPreconditionFailed:
		return true
	case http.StatusBadRequest:
		return strings.EqualFold(e.ScimType, "invalidVers")
	case http.StatusConflict:
		return e.IfMatch && !e.Uniqueness()
	default:
		return false
	}
}

// Uniqueness tells that a value which must be unique is taken. Servers leave
// scimType out, and one answers 409 for a missing field.
func (e *Error) Uniqueness() bool {
	if e.Status != http.StatusConflict && e.Status != http.StatusBadRequest {
		return false
	}
	if e.ScimType != "" {
		return strings.EqualFold(e.ScimType, "uniqueness")
	}
	text := strings.ToLower(e.Code + " " + e.Detail)
	switch {
	case containsAny(text, "already exist", "already in use", "already taken", "not unique"):
		return true
	case e.Status == http.StatusBadRequest, containsAny(text, "required", "missing"):
		return false
	default:
		return containsAny(text, "duplicate", "unique") || e.Method == http.MethodPost && !e.IfMatch
	}
}

func containsAny(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// Class is the class under which a row that met this error is rejected.
func (e *Error) Class() string {
	switch {
	case e.Uniqueness():
		return "exists"
	case e.VersionConflict(), e.Status == http.StatusConflict:
		return "conflict"
	case e.isCredentialFault():
		return "permission"
	case e.Throttled(), errors.Is(e.Err, errHeld):
		return "throttled"
	}
	return classOfStatus(e.Status, e.Method)
}

func (e *Error) isCredentialFault() bool {
	var credential *credentialError
	return errors.As(e.Err, &credential) && !credential.transient()
}

func classOfStatus(status int, method string) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return "permission"
	case http.StatusLocked:
		return "throttled"
	case http.StatusNotFound, http.StatusGone:
		if method == http.MethodPost {
			return "server" // it is the endpoint that is missing
		}
		return "missing"
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusRequestTimeout,
		http.StatusUnsupportedMediaType, http.StatusUpgradeRequired:
		return "server"
	}
	if status >= 400 && status < 500 {
		return "data"
	}
	return "server"
}

// Error is a sentence for an administrator.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", e.Method, e.Path, e.what())
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", sent %d times", e.Attempts)
	}
	if e.CorrelationID != "" {
		fmt.Fprintf(&b, " (correlation id %s)", e.CorrelationID)
	}
	return b.String()
}

func (e *Error) what() string {
	switch {
	case e.Unsent:
		return "not sent: " + causeText(e.Err)
	case e.Status == 0:
		return "no answer: " + causeText(e.Err) + e.doubt()
	case e.HTML:
		return fmt.Sprintf("%d: %s%s", e.Status, errHTML, e.doubt())
	case e.Err != nil:
		return fmt.Sprintf("%d: %s%s%s", e.Status, causeText(e.Err), e.aside(), e.doubt())
	default:
		return e.statusText() + ": " + e.reason() + e.doubt()
	}
}

// aside is what the server had to say in an answer that is not what it should
// be.
func (e *Error) aside() string {
	if e.Detail == "" {
		return ""
	}
	return " (" + e.Detail + ")"
}

// doubt says what the administrator must not take for granted.
func (e *Error) doubt() string {
	if e.Verdict() == InDoubt {
		return "; it may have been carried out all the same"
	}
	return ""
}

func (e *Error) statusText() string {
	name := e.ScimType
	if name == "" {
		name = e.Code
	}
	if name == "" {
		return fmt.Sprint(e.Status)
	}
	return fmt.Sprintf("%d %s", e.Status, name)
}

// reason is the server's own words, else what the status means here.
func (e *Error) reason() string {
	if e.Detail != "" {
		return e.Detail
	}
	switch {
	case e.Oversized:
		return "the server refused so large a page; ask for fewer attributes or a smaller page"
	case e.VersionConflict():
		return "the resource has changed since it was read"
	case e.Uniqueness():
		return "a resource with this key exists already"
	case e.Status >= 300 && e.Status < 400:
		return "the server points elsewhere: is the base URL right?"
	}
	return reasonOfStatus(e.Status)
}

func reasonOfStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the server does not accept the credentials"
	case http.StatusForbidden:
		return "the credentials do not permit this"
	case http.StatusNotFound, http.StatusGone:
		return "there is no such resource"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "the server does not offer this operation"
	case http.StatusRequestEntityTooLarge:
		return "the request is larger than the server takes"
	case http.StatusTooManyRequests:
		return "the server asks for fewer requests"
	}
	if text := http.StatusText(status); text != "" {
		return strings.ToLower(text)
	}
	return "no reason was given"
}
