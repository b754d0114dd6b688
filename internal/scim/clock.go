package scim

import (
	"sync/atomic"
	"time"
)

// clock tells the server's time as far as its answers have shown it. Between
// answers it counts the time that passes, whatever somebody sets our own clock
// to. It is safe for concurrent use.
type clock struct {
	start time.Time    // by our clock, when the client was made
	ahead atomic.Int64 // nanoseconds that the server's clock is ahead of ours
}

func (c *clock) set(date time.Time) {
	if !date.IsZero() {
		c.ahead.Store(int64(date.Sub(c.elapsed())))
	}
}

func (c *clock) now() time.Time { return c.elapsed().Add(time.Duration(c.ahead.Load())) }

// elapsed is what our clock would say had nobody set it.
func (c *clock) elapsed() time.Time { return c.start.Add(time.Since(c.start)) }

// ServerTime is what the server's clock says now, to about a second: what the
// server stamps on a resource is to be compared with it. Before the first answer
// with a Date it is our own clock's time. It is safe for concurrent use.
func (c *Client) ServerTime() time.Time { return c.clock.now() }
