package scim

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// ResourceTypes reads what kinds of resource the server has (RFC 7644 §4).
func (c *Client) ResourceTypes(ctx context.Context) ([]jsontext.Value, error) {
	return c.documents(ctx, resourceTypes)
}

// ResourceType reads one of them, by its id ("User").
func (c *Client) ResourceType(ctx context.Context, id string) (jsontext.Value, error) {
	return c.document(ctx, resourceTypes, id)
}

// Schemas reads the server's own schemas (RFC 7643 §7).
func (c *Client) Schemas(ctx context.Context) ([]jsontext.Value, error) {
	return c.documents(ctx, schemaDocuments)
}

// Schema reads one of them, by its URN.
func (c *Client) Schema(ctx context.Context, id string) (jsontext.Value, error) {
	return c.document(ctx, schemaDocuments, id)
}

// documents reads a discovery listing, which has no pages (RFC 7644 §4).
func (c *Client) documents(ctx context.Context, e Endpoint) ([]jsontext.Value, error) {
	page, err := c.List(ctx, e, ListOptions{Count: -1})
	if err != nil {
		return nil, err
	}
	var docs []jsontext.Value
	for _, r := range page.Resources {
		docs = append(docs, r.Raw)
	}
	return docs, nil
}

func (c *Client) document(ctx context.Context, e Endpoint, id string) (jsontext.Value, error) {
	k, err := c.resourceCall(http.MethodGet, e, id)
	if err != nil {
		return nil, err
	}
	k.read, k.receive = true, receiveDocument
	resp, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	return resp.Resource.Raw, nil
}

// Me reads the account that the requests are made with (RFC 7644 §3.11). Many
// servers do not say: they answer 501 or 404.
func (c *Client) Me(ctx context.Context) (*Response, error) {
	return c.do(ctx, &call{
		method: http.MethodGet, endpoint: Users, path: c.casePath(string(me)), read: true, receive: receiveResource(Users, true),
	})
}

// ServiceProviderConfig reads what the server says it can do (RFC 7643 §5); the
// document is the response's Resource.Raw. Some servers have it under the
// plural name alone (RFC 7644 errata 4978).
func (c *Client) ServiceProviderConfig(ctx context.Context, ifNoneMatch string) (*Response, error) {
	resp, err := c.config(ctx, serviceProviderConfig, ifNoneMatch)
	var fault *Error
	if !errors.As(err, &fault) || fault.Status != http.StatusNotFound {
		return resp, err
	}
	plural, pluralErr := c.config(ctx, serviceProviderConfigs, ifNoneMatch)
	if pluralErr != nil {
		return nil, err // the name that the RFC gives is the one to complain about
	}
	return unwrapSingle(plural), nil
}

func (c *Client) config(ctx context.Context, e Endpoint, ifNoneMatch string) (*Response, error) {
	return c.do(ctx, &call{
		method:      http.MethodGet,
		endpoint:    e,
		path:        c.casePath(string(e)),
		ifNoneMatch: quoteETag(ifNoneMatch),
		read:        true,
		receive:     receiveDocument,
	})
}

// unwrapSingle takes the one document out of a list of one.
func unwrapSingle(resp *Response) *Response {
	list := topMembers(resp.Resource.Raw)["resources"]
	if inner := firstElement(list); inner != nil {
		resp.Resource.Raw = inner
	}
	return resp
}

func firstElement(list jsontext.Value) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewReader(list), wireJSON)
	if _, err := dec.ReadToken(); err != nil || dec.PeekKind() != '{' {
		return nil
	}
	value, err := dec.ReadValue()
	if err != nil {
		return nil
	}
	return value.Clone()
}
