package scim

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Resource is one resource as the server sent it.
type Resource struct {
	// ID is the server's id, "" where the answer named none.
	ID string
	// Version is the entity tag, ready to be echoed in If-Match; "" where the
	// server gave none.
	Version string
	// Location is meta.location, or the Location header; it may be relative.
	Location string
	// Raw is the resource byte for byte, with members that nobody knows and
	// numbers of any size. It is nil where the answer had no body.
	Raw jsontext.Value
}

// Response is a good answer.
type Response struct {
	Status   int
	Resource Resource
	// NotModified is true for a 304 to a conditional read; Resource is then
	// empty.
	NotModified bool
	// Attempts counts the times that the request was sent.
	Attempts int
	// CorrelationID is the server's own name of the exchange, for its support.
	CorrelationID string
	// Date is the server's clock, zero where it sent none.
	Date time.Time
	// Took is the time from sending the request to the end of the answer.
	Took time.Duration
	// ETag is the header as it came; it differs from meta.version on some
	// servers.
	ETag string
	// Quota is what the answer's headers say of the permitted rate.
	Quota Quota

	location string // the header
}

// wireJSON is how answers are read: SCIM member names are case-insensitive
// (RFC 7643 §2.1), and a server's doubled member or bad byte is reported where
// the value is used, not by losing the page that holds it.
var wireJSON = json.JoinOptions(
	json.MatchCaseInsensitiveNames(true),
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
)

// errNotSCIM means that an answer is whole but is not what was asked for.
var errNotSCIM = errors.New("the answer is not a SCIM resource")

// quoteETag puts an entity tag into the form of RFC 9110 §8.8.3: Genesys sends
// meta.version without the quotes that its If-Match demands.
func quoteETag(version string) string {
	version = strings.TrimSpace(version)
	weak := ""
	if strings.HasPrefix(version, "W/") {
		weak, version = "W/", version[2:]
	}
	switch {
	case version == "":
		return ""
	case version == "*": // any version (RFC 9110 §13.1.1)
		return version
	case len(version) >= 2 && version[0] == '"' && version[len(version)-1] == '"':
		return weak + version
	default:
		return weak + `"` + version + `"`
	}
}
