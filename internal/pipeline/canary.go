package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// canary tells whether look-ups can be believed when they find nobody: some
// directories answer a filter that they cannot cope with by an empty list.
type canary struct {
	turn  turn
	asked bool
	sings bool
}

// turn lets one goroutine after the other do what takes requests. Waiting for
// it ends with the run.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrInterrupted
	}
}

func (t turn) pass() { <-t }

// lookPastFilter looks for whom a look-up may have missed while a write is in
// doubt.
func (w *row) lookPastFilter(ctx context.Context) error {
	if w.have != nil || w.record.MatchBy == "id" {
		return nil
	}
	switch w.sent {
	case plan.ActCreate:
		return w.lookForCreated(ctx)
	case plan.ActUpdate, plan.ActReplace, plan.ActDeactivate:
		return w.lookForChanged(ctx)
	}
	return nil
}

// lookForCreated looks, before a create is sent again that could make a twin, in
// a reading of the directory where the look-up is not to be believed.
func (w *row) lookForCreated(ctx context.Context) error {
	if w.keyIsUnique() || time.Now().Before(w.settled) {
		return nil
	}
	defer w.bulk.away()()
	if believed, err := w.believesMiss(ctx); believed || err != nil {
		return err
	}
	return w.lookLate(ctx)
}

// lookForChanged looks among the hidden for whoever was there to be changed: it
// may have been that change which has hidden them. The reading begins when the
// change can no longer come late, so that one does for many rows.
func (w *row) lookForChanged(ctx context.Context) error {
	if w.planned != nil || w.first != nil {
		return nil // they were looked up by their ids
	}
	if time.Now().Before(w.settled) {
		if err := w.await(ctx); err != nil {
			return err
		}
		if err := w.look(ctx, true); err != nil || w.have != nil {
			return err
		}
	}
	defer w.bulk.away()()
	hidden, err := w.lookHidden(ctx, w.settled)
	if hidden == nil || err != nil {
		return err
	}
	w.found, w.unshown = hidden, true
	return w.look(ctx, true)
}

// lookLate looks in a reading of the directory that began when a create in
// doubt could no longer come late.
func (w *row) lookLate(ctx context.Context) error {
	read, err := w.late.after(ctx, w.settled, func() (*lookupDirectory, error) { return w.readEverybody(ctx) })
	if err != nil {
		return err
	}
	w.have, err = read.find(ctx, w.record, false)
	w.found, w.unshown = w.have, w.have != nil // by its id, from now on
	return err
}

// believesMiss says whether a look-up that has found nobody shows that nobody
// is there.
func (w *row) believesMiss(ctx context.Context) (bool, error) {
	if !isPlain(w.record.Key) {
		return false, nil
	}
	each, err := w.newLookupEach()
	if err != nil {
		return false, err
	}
	return w.canary.ask(ctx, each)
}

// isPlain says whether a key has nothing that filters are known to stumble
// over: what a canary shows holds for such keys alone.
func isPlain(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(c rune) bool { return c > '~' || strings.ContainsRune(`"'\%+`, c) })
}

// ask looks up somebody who is there and somebody who cannot be, once a run.
func (c *canary) ask(ctx context.Context, each *lookupEach) (bool, error) {
	if err := c.turn.take(ctx); err != nil {
		return false, err
	}
	defer c.turn.pass()
	if c.asked {
		return c.sings, nil
	}
	page, err := each.client.List(ctx, each.endpoint, scim.ListOptions{Attributes: []string{each.target.Path.String()}, Count: 10})
	if err != nil {
		return false, err
	}
	if page.HasTotal && page.TotalResults == 0 && len(page.Resources) == 0 {
		return true, nil // the list of everybody says the same
	}
	known, err := each.anyKey(page.Resources)
	if err != nil {
		return false, err
	}
	c.sings, err = each.tells(ctx, known)
	c.asked = err == nil
	return c.sings, err
}

// anyKey is the key of one of the resources, "" if none has a plain one.
func (l *lookupEach) anyKey(resources []scim.Resource) (string, error) {
	for _, resource := range resources {
		have, err := current(resource)
		if err != nil {
			return "", err
		}
		if key := textAt(have, l.target.Path); isPlain(key) {
			return key, nil
		}
	}
	return "", nil
}

// tells says whether look-ups find a key that is there, and a key that nobody
// has not.
func (l *lookupEach) tells(ctx context.Context, known string) (bool, error) {
	if known == "" {
		return false, nil
	}
	have, err := l.byKey(ctx, known)
	var twins *ambiguousError
	if found := have != nil || errors.As(err, &twins); !found {
		return false, exceptFilters(err)
	}
	have, err = l.byKey(ctx, "nobody-"+rand.Text())
	return have == nil && err == nil, exceptFilters(err)
}

// exceptFilters leaves out what only says that a filter is not honoured.
func exceptFilters(err error) error {
	if filterFailed(err) {
		return nil
	}
	return err
}

// lateDirectory is a directory that is read anew for those who need it later
// than it was read.
type lateDirectory struct {
	turn      turn
	began     time.Time
	directory *lookupDirectory
}

// after is a reading that did not begin before a moment.
func (l *lateDirectory) after(ctx context.Context, moment time.Time, read func() (*lookupDirectory, error)) (*lookupDirectory, error) {
	if err := l.turn.take(ctx); err != nil {
		return nil, err
	}
	defer l.turn.pass()
	if l.directory != nil && !l.began.Before(moment) {
		return l.directory, nil
	}
	began := time.Now()
	directory, err := read()
	if err != nil {
		return nil, err
	}
	l.began, l.directory = began, directory
	return directory, nil
}
