package pipeline

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"scimbulk/internal/scim"
)

const (
	// largestPage bounds what an automatic page size grows to, in resources and
	// in bytes: pages in flight are held in memory.
	largestPage      = 1000
	largestPageBytes = 512 << 10
	// worthGrowing is how much more of the directory a second must come for a
	// larger page to be kept.
	worthGrowing = 1.1
)

// pageSize decides how many resources to ask for at a time: as many as the
// provider is known to grant, more while that is worth it, half where a page is
// refused for its size. Its methods may be called concurrently.
type pageSize struct {
	mu    sync.Mutex
	now   int     // asked for
	most  int     // never more
	best  float64 // resources a second at the largest size that was worth it
	sound int     // that size
	tried bool    // the present size is larger than that
	// capped says that the directory has cut a page. One that cuts them again
	// and again sends all its pages short, whatever is asked for.
	capped bool
}

// newPageSize begins with a size that is known to be granted. Where most is no
// more than that, it does not grow.
func newPageSize(start, most int) *pageSize {
	return &pageSize{now: start, most: max(start, most), sound: start}
}

func (p *pageSize) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// mayBecome is what the size may grow to.
func (p *pageSize) mayBecome() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// proven is the largest size that the directory has granted, or is known to.
func (p *pageSize) proven() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sound
}

// came notes a page. more says that it was not the last one: only then was it
// the directory that decided its size.
func (p *pageSize) came(asked, got, bytes int, took time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got == 0 || asked != p.now {
		return
	}
	switch {
	case got < asked && more && !p.capped: // a larger page is not to be had
		p.most, p.now, p.sound, p.tried, p.capped = got, got, min(p.sound, got), false, true
		return
	case got < asked:
		return
	}
	pace := float64(got) / max(took.Seconds(), 1e-6)
	switch {
	case p.tried && pace < worthGrowing*p.best:
		p.now, p.most, p.tried = p.sound, p.sound, false
		return
	case pace > p.best || p.tried:
		p.best, p.sound, p.tried = pace, p.now, false
	}
	next := min(2*p.now, p.most, max(p.now, largestPageBytes/max(bytes/got, 1)))
	if next > p.now {
		p.now, p.tried = next, true
	}
}

// refused notes that a page of a size was refused, and says with which to try
// again; 0 where a smaller one would not help.
func (p *pageSize) refused(asked int, err error) (again int) {
	var fault *scim.Error
	if asked <= 1 || !errors.As(err, &fault) || !forItsSize(fault) {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	half := asked / 2
	if half < p.now {
		p.now, p.most, p.sound, p.tried = half, half, half, false
	}
	return half
}

// forItsSize tells that a smaller page may be granted.
func forItsSize(fault *scim.Error) bool {
	switch fault.Status {
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge, http.StatusGatewayTimeout:
		return true
	}
	return fault.Oversized || fault.Status >= 500 || fault.ScimType == "tooMany"
}
