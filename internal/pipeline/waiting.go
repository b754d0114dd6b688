package pipeline

import "context"

// mostWaiting bounds the rows that wait for earlier ones: in a file where each
// row names the one before, the reader would be through long before the second
// can be written.
const mostWaiting = 2000

// awaitRoom holds the reader back while too many rows wait. All that they wait
// for has been read before them, so that they become fewer by themselves; rows
// that wait for their settle windows alone go on only when the reader is done.
func (r *run) awaitRoom(ctx context.Context) {
	refs := r.survey.references
	if !refs.crowded() {
		return
	}
	r.bulk.pause()
	defer r.bulk.resume()
	for refs.crowded() && r.parked.none() {
		select {
		case <-refs.eased:
		case <-r.take.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *references) crowded() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting >= mostWaiting
}

// ease has the reader look again.
func (r *references) ease() {
	if r == nil {
		return
	}
	select {
	case r.eased <- struct{}{}:
	default:
	}
}

func (p *parking) none() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rows) == 0
}
