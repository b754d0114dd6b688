package scim

import (
	"errors"
	"net/url"
	"strings"
)

// Endpoint is a resource endpoint: a path below the base URL (RFC 7644 §3.2).
type Endpoint string

// The two endpoints that every directory has, and the discovery documents
// (RFC 7644 §4).
const (
	Users  Endpoint = "Users"
	Groups Endpoint = "Groups"

	resourceTypes          Endpoint = "ResourceTypes"
	schemaDocuments        Endpoint = "Schemas"
	serviceProviderConfig  Endpoint = "ServiceProviderConfig"
	serviceProviderConfigs Endpoint = "ServiceProviderConfigs"
	bulkEndpoint           Endpoint = "Bulk"
	me                     Endpoint = "Me"
)

// errNoID keeps a call for one resource from reaching the whole collection,
// which an empty id or a dot segment would do after path cleaning.
var errNoID = errors.New("an id that is empty, “.” or “..” names no resource")

// resourcePath is the escaped path of one resource below the base URL. Ids may
// hold any character (RFC 7643 §3.1); "&" and "/" have been seen.
func resourcePath(e Endpoint, id string) (string, error) {
	switch id {
	case "", ".", "..":
		return "", errNoID
	}
	return string(e) + "/" + escapeSegment(id), nil
}

// escapeSegment also escapes what is legal in a path but misread by servers
// that decode paths as they decode queries.
func escapeSegment(id string) string {
	id = url.PathEscape(id)
	id = strings.ReplaceAll(id, "&", "%26")
	return strings.ReplaceAll(id, "+", "%2B")
}

// idFromLocation takes a resource's id out of its Location. The segment before
// it must be the endpoint, whatever its case, so that a redirect to some other
// page never passes for a resource.
func idFromLocation(e Endpoint, location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	rest, last := cutLast(strings.TrimSuffix(u.EscapedPath(), "/"))
	if _, parent := cutLast(rest); !strings.EqualFold(parent, string(e)) {
		return ""
	}
	id, err := url.PathUnescape(last)
	if err != nil {
		return ""
	}
	return id
}

func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// queryBuilder assembles a query in the order in which parameters are added.
// A space is %20 and never "+", which some servers do not decode and one
// decodes twice.
type queryBuilder struct{ b strings.Builder }

func (q *queryBuilder) add(name, value string) {
	if q.b.Len() > 0 {
		q.b.WriteByte('&')
	}
	q.b.WriteString(name)
	q.b.WriteByte('=')
	q.b.WriteString(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
}

// addList joins the values with commas: repeated parameters are not understood
// everywhere (RFC 7644 §3.9 shows commas, Genesys insists).
func (q *queryBuilder) addList(name string, values []string) {
	if len(values) > 0 {
		q.add(name, strings.Join(values, ","))
	}
}

func (q *queryBuilder) String() string { return q.b.String() }
