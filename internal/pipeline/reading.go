package pipeline

import (
	"context"
	"errors"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Reading is the directory, or what a filter selects of it, as one reading
// without gaps has shown it. A run that gets one looks nobody up that it holds.
type Reading struct {
	People    int64 // resources that it holds
	directory *lookupDirectory
}

// Close lets go of what the reading keeps on disk.
func (g *Reading) Close() {
	if g != nil {
		g.directory.discard()
	}
}

// takeReading reads the directory and keeps whom see wants of it.
func (im *Import) takeReading(ctx context.Context, all *Export, see func(*plan.Current) bool) (*Reading, error) {
	each, err := im.newLookupEach()
	if err != nil {
		return nil, err
	}
	g := &Reading{}
	g.directory, err = readWhole(ctx, each, all, im.otherIdentity(), func(have *plan.Current) bool {
		keep := see(have)
		if keep {
			g.People++
		}
		return keep
	})
	if err != nil && g.directory != nil {
		g.Close()
	}
	return g, err
}

// readAlready looks rows up in the reading that the run was given.
func (r *run) readAlready(each *lookupEach) lookup {
	r.say("the directory was read once: %d people", r.Reading.People)
	return r.Reading.directory
}

// filters are those that this machine evaluates, whose attributes must be read.
func (im *Import) filters() []scim.Filter {
	list := im.Rules.Protected
	if im.Filter != nil {
		list = append(list[:len(list):len(list)], im.Filter)
	}
	return list
}

// lookByID finds a resource whose id is known from the start.
func (w *row) lookByID(ctx context.Context, fresh bool) (err error) {
	if w.have = nil; w.Reading != nil && !fresh {
		w.have, err = w.Reading.byID(w.task)
	}
	if w.have == nil && err == nil {
		w.have, err = (&lookupEach{client: w.Client, endpoint: Endpoint(w.Resource)}).byID(ctx, w.task.id)
	}
	return err
}

// byID is what the reading holds of somebody; nil if another one has the key by
// which it finds people.
func (g *Reading) byID(t *task) (*plan.Current, error) {
	key := t.record.Key
	if g.directory.each.target.Path.Attr == "id" {
		key = t.id
	}
	have, err := g.directory.known(key)
	if have == nil || have.ID != t.id {
		return nil, err
	}
	return have, err
}

// ReadAgain reads the directory for a run that goes on with people whose ids it
// knows, if that takes fewer requests than to look up each who is left. It
// returns nil where it does not, or where the reading has gaps.
func (im *Import) ReadAgain(ctx context.Context, s *Survey) (*Reading, error) {
	left := im.leftByID(s)
	if left <= few {
		return nil, nil
	}
	all := im.directoryExport()
	page, err := all.first(ctx)
	if err != nil {
		return nil, err
	}
	pages := int64(page.TotalResults) / max(1, int64(len(page.Resources)))
	if !page.HasTotal || pages >= left/2 { // inactive people may be listed apart
		return nil, nil
	}
	reading, err := im.takeReading(ctx, all, func(*plan.Current) bool { return true })
	var gaps *IncompleteError
	if errors.As(err, &gaps) {
		return nil, nil
	}
	return reading, err
}

// leftByID is how many people whose ids are known have no outcome yet.
func (im *Import) leftByID(s *Survey) int64 {
	done := func(line int64) bool { _, done := im.State.Done(line); return done }
	var left int64
	if s.Absent != nil && s.Absent.Mode == AbsentDeactivate {
		for i := range s.Absent.Leavers {
			if l := &s.Absent.Leavers[i]; l.Kept == "" && !done(l.Line) {
				left++
			}
		}
	}
	if im.Chosen {
		left += s.Rows - im.State.Rows()
	}
	return left
}
