package scim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// oddBody is an answer that is not what was asked for, and what it says.
type oddBody struct{ detail string }

func (e *oddBody) Error() string { return errNotSCIM.Error() }
func (e *oddBody) Unwrap() error { return errNotSCIM }

// receiveResource reads the answer to a request for one resource. A write may
// be answered without a body (RFC 7644 §3.3, §3.5), a read may not.
func receiveResource(e Endpoint, needsBody bool) func(*Response, *http.Response) error {
	return func(resp *Response, answer *http.Response) error {
		text, err := readBody(answer)
		if err != nil {
			return err
		}
		if len(text) > 0 {
			if resp.Resource, err = wholeResource(text, answer); err != nil {
				return err
			}
		} else if needsBody {
			return errEmpty
		}
		completeFromHeaders(&resp.Resource, e, answer.Header)
		if resp.Resource.ID == "" && (needsBody || len(text) > 0) {
			return &oddBody{detail: decodeErrorBody(text, "").detail}
		}
		return nil
	}
}

// completeFromHeaders fills in what the body left out.
func completeFromHeaders(r *Resource, e Endpoint, h http.Header) {
	location := h.Get("Location")
	if r.ID == "" && r.Raw == nil {
		r.ID = idFromLocation(e, location)
	}
	if r.Location == "" {
		r.Location = location
	}
	if r.Version == "" {
		r.Version = quoteETag(h.Get("ETag"))
	}
}

// wholeResource parses a body that must be one resource.
func wholeResource(text []byte, answer *http.Response) (Resource, error) {
	r, err := ParseResource(text)
	switch {
	case err == nil:
		return r, nil
	case looksLikeHTML(text, answer.Header.Get("Content-Type")):
		return Resource{}, errHTML
	case isTruncated(err):
		return Resource{}, errTruncated
	default:
		return Resource{}, &oddBody{detail: decodeErrorBody(text, "").detail}
	}
}

// receiveDocument reads a JSON document that is no resource, and keeps its
// bytes.
func receiveDocument(resp *Response, answer *http.Response) error {
	text, err := readBody(answer)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return errEmpty
	}
	if resp.Resource, err = wholeResource(text, answer); err != nil {
		return err
	}
	if resp.Resource.Version == "" {
		resp.Resource.Version = quoteETag(answer.Header.Get("ETag"))
	}
	return nil
}

// receiveNothing is for answers whose body, if any, means nothing.
func receiveNothing(*Response, *http.Response) error { return nil }

// readBody reads a body whole, without the white space around it.
func readBody(answer *http.Response) ([]byte, error) {
	text, err := readAll(answer)
	if err != nil {
		return nil, bodyFault(err)
	}
	return bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), nil
}

// readAll takes no more memory than the answer says that it needs.
func readAll(answer *http.Response) ([]byte, error) {
	if n := answer.ContentLength; n > 0 && n <= largestBody {
		text := make([]byte, n)
		_, err := io.ReadFull(answer.Body, text)
		return text, err
	}
	return io.ReadAll(&capped{r: answer.Body, left: largestBody})
}

func bodyFault(err error) error {
	if errors.Is(err, errTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", errTruncated, err)
}

// isTruncated tells a body that breaks off from one that is wrong.
func isTruncated(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &syntax) && !errors.Is(err, errNotSCIM)
}

// capped fails where more comes than is allowed, instead of ending quietly.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}
