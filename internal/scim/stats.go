package scim

import (
	"net/http"
	"sync/atomic"
)

// Stats counts requests as they went over the wire; requests for tokens are
// not among them.
type Stats struct {
	GET, POST, PUT, PATCH, DELETE, Total int64
	// Retried counts the requests that repeated another; Throttled the answers
	// that asked for fewer.
	Retried, Throttled int64
}

type counters struct {
	get, post, put, patch, delete, retried, throttled atomic.Int64
}

func (c *counters) sent(method string, n int64) {
	switch method {
	case http.MethodGet:
		c.get.Add(n)
	case http.MethodPost:
		c.post.Add(n)
	case http.MethodPut:
		c.put.Add(n)
	case http.MethodPatch:
		c.patch.Add(n)
	case http.MethodDelete:
		c.delete.Add(n)
	}
}

func (c *counters) stats() Stats {
	s := Stats{
		GET: c.get.Load(), POST: c.post.Load(), PUT: c.put.Load(),
		PATCH: c.patch.Load(), DELETE: c.delete.Load(),
		Retried: c.retried.Load(), Throttled: c.throttled.Load(),
	}
	s.Total = s.GET + s.POST + s.PUT + s.PATCH + s.DELETE
	return s
}
