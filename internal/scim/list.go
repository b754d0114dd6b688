package scim

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ListOptions say which resources to list, and which page of them (RFC 7644
// §3.4.2, RFC 9865).
type ListOptions struct {
	Filter, SortBy string
	// StartIndex counts from 1; 0 is not sent.
	StartIndex int
	// Count is the page size; 0 asks for the total alone, less than 0 is not
	// sent.
	Count                          int
	Attributes, ExcludedAttributes []string
	// Cursor asks for a page by cursor, "" for the first; nil for a page by
	// index.
	Cursor *string
	// Post sends the query in the body of a POST to /.search (RFC 7644 §3.4.3),
	// which keeps names of people out of the servers' logs.
	Post bool
	// Trial has a 429 not repeated: a larger page is asked for than the server is
	// known to grant, and it may be for the size; or nobody may need the page.
	Trial bool
}

// Page is one page of a listing.
type Page struct {
	// TotalResults is what the server claims, where HasTotal.
	TotalResults int
	HasTotal     bool
	// StartIndex and ItemsPerPage are what the server says, which need not be
	// so.
	StartIndex, ItemsPerPage int
	// NextCursor is "" on the last page, and on pages by index.
	NextCursor string
	Resources  []Resource
	Response   Response
}

// List reads one page.
func (c *Client) List(ctx context.Context, e Endpoint, q ListOptions) (*Page, error) {
	k, err := c.listCall(e, q)
	if err != nil {
		return nil, err
	}
	return c.page(ctx, k)
}

func (c *Client) page(ctx context.Context, k *call) (*Page, error) {
	var text []byte
	var contentType string
	var page *Page
	k.receive = func(_ *Response, answer *http.Response) (err error) {
		contentType = answer.Header.Get("Content-Type")
		text, err = readBody(answer)
		return err
	}
	k.parse = func() (err error) {
		page, err = parsePage(text, contentType)
		return err
	}
	resp, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	page.Response = *resp
	return page, nil
}

func (c *Client) listCall(e Endpoint, q ListOptions) (*call, error) {
	k := &call{method: http.MethodGet, endpoint: e, path: c.casePath(string(e)), read: true}
	if len(q.Attributes) > 0 && len(q.ExcludedAttributes) > 0 {
		return nil, &Error{Method: k.method, Path: k.path, Read: true, Unsent: true, Err: errBothSets}
	}
	k.oversized = q.Trial || c.profile.Oversized(e, q.Count, q.Attributes, q.ExcludedAttributes)
	if e == Groups && q.Filter == "" {
		k.base = c.unfilteredGroupsBase()
	}
	if !q.Post {
		k.query = q.query()
		return k, nil
	}
	body, err := q.searchRequest()
	if err != nil {
		return nil, err
	}
	k.method, k.path, k.body = http.MethodPost, k.path+"/.search", body
	return k, nil
}

// unfilteredGroupsBase is the base URL below which groups may be listed without
// a filter, "" where that is the client's own.
func (c *Client) unfilteredGroupsBase() string {
	if !c.profile.GroupsNeedFilter || !strings.HasSuffix(strings.ToLower(c.base), c.profile.FilteredBase) {
		return ""
	}
	return c.base[:len(c.base)-len(c.profile.FilteredBase)]
}

func (q ListOptions) query() string {
	var b queryBuilder
	if q.Filter != "" {
		b.add("filter", q.Filter)
	}
	if q.SortBy != "" {
		b.add("sortBy", q.SortBy)
	}
	if q.Cursor != nil {
		b.add("cursor", *q.Cursor)
	} else if q.StartIndex != 0 {
		b.add("startIndex", strconv.Itoa(q.StartIndex))
	}
	if q.Count >= 0 {
		b.add("count", strconv.Itoa(q.Count))
	}
	b.addList("attributes", q.Attributes)
	b.addList("excludedAttributes", q.ExcludedAttributes)
	return b.String()
}

// searchRequest is the query as the body of a POST.
func (q ListOptions) searchRequest() ([]byte, error) {
	request := struct {
		Schemas            []string `json:"schemas"`
		Filter             string   `json:"filter,omitzero"`
		SortBy             string   `json:"sortBy,omitzero"`
		Cursor             *string  `json:"cursor,omitzero"`
		StartIndex         int      `json:"startIndex,omitzero"`
		Count              *int     `json:"count,omitzero"`
		Attributes         []string `json:"attributes,omitempty"`
		ExcludedAttributes []string `json:"excludedAttributes,omitempty"`
	}{
		Schemas:            []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"},
		Filter:             q.Filter,
		SortBy:             q.SortBy,
		Cursor:             q.Cursor,
		Attributes:         q.Attributes,
		ExcludedAttributes: q.ExcludedAttributes,
	}
	if q.Cursor == nil {
		request.StartIndex = q.StartIndex
	}
	if q.Count >= 0 {
		request.Count = &q.Count
	}
	return json.Marshal(request)
}

// parsePage reads a list response. The bytes are kept, not copied: the
// resources share them.
func parsePage(text []byte, contentType string) (*Page, error) {
	if len(text) == 0 {
		return nil, errEmpty
	}
	p := &pageReader{text: text, dec: jsontext.NewDecoder(bytes.NewBuffer(text), wireJSON), page: &Page{}}
	err := p.read()
	switch {
	case err == nil:
		return p.page, nil
	case errors.Is(err, errNotSCIM):
		return nil, err
	case looksLikeHTML(text, contentType):
		return nil, errHTML
	case isTruncated(err):
		return nil, bodyFault(err)
	default:
		return nil, &oddBody{}
	}
}

// pageReader is lenient in all but the resources themselves: servers send the
// counters as strings, null or nonsense, the list as null or not at all.
type pageReader struct {
	text []byte
	dec  *jsontext.Decoder // of the text
	page *Page
	// isList is set by the first member that only a list response has.
	isList bool
	said   errorBody
}

func (p *pageReader) read() error {
	switch p.dec.PeekKind() {
	case '[':
		p.isList = true
		return p.resources()
	case '{':
	default:
		if err := p.dec.SkipValue(); err != nil {
			return err
		}
		return &oddBody{}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() == '"' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := p.member(strings.ToLower(name.String())); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	if !p.isList {
		return &oddBody{detail: oneLine(p.said.detail)}
	}
	return nil
}

func (p *pageReader) member(name string) error {
	if name == "resources" {
		p.isList = true
		return p.resources()
	}
	value, err := p.dec.ReadValue()
	if err != nil {
		return err
	}
	switch name {
	case "totalresults":
		p.page.TotalResults, p.page.HasTotal = lenientInt(value)
		p.isList = true
	case "startindex":
		p.page.StartIndex, _ = lenientInt(value)
	case "itemsperpage":
		p.page.ItemsPerPage, _ = lenientInt(value)
		p.isList = true
	case "nextcursor":
		p.page.NextCursor = scalarText(value)
	case "detail", "message":
		p.said.detail = valueText(value)
	}
	return nil
}

// resources reads the list; null stands for an empty one, and one server sends
// a single resource without the brackets.
func (p *pageReader) resources() error {
	if p.dec.PeekKind() != '[' {
		return p.resource()
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for kind := p.dec.PeekKind(); kind != ']' && kind != 0; kind = p.dec.PeekKind() {
		if err := p.resource(); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

func (p *pageReader) resource() error {
	if p.dec.PeekKind() != '{' {
		value, err := p.dec.ReadValue()
		if err == nil && value.Kind() != 'n' {
			err = &oddBody{}
		}
		return err
	}
	from := p.dec.InputOffset() // what separates it from the value before comes first
	from += int64(bytes.IndexByte(p.text[from:], '{'))
	r, err := parseMembers(p.dec)
	if err != nil {
		return err
	}
	to := p.dec.InputOffset()
	r.Raw = p.text[from:to:to]
	p.page.Resources = append(p.page.Resources, r)
	return nil
}

// lenientInt reads a counter that may be a string or have a fraction.
func lenientInt(v jsontext.Value) (int, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(scalarText(v)), 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > math.MaxInt32*1024 {
		return 0, false
	}
	return int(n), true
}
