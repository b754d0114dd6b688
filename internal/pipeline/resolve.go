package pipeline

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Resolve finds the ids of what the rows refer to, as far as the directory has
// it, and the rows that cannot be carried out because something is missing. It
// is called after Survey and before Run, and sends no write.
func (im *Import) Resolve(ctx context.Context, s *Survey) error {
	if im.Changes != nil {
		return im.resolveBonds(ctx, s)
	}
	refs := s.references
	if refs == nil {
		return nil
	}
	if named, _ := im.Mapping.Memberships(); named && !im.Profile.Patch {
		return fmt.Errorf("%s has no PATCH, by which alone people can be put into groups one by one", im.Profile.Title)
	}
	for kind := range refs.kinds {
		if err := im.resolveKind(ctx, refs, kind, (*reference).open); err != nil {
			return err
		}
		if err := im.resolveMade(ctx, refs, kind); err != nil {
			return err
		}
	}
	if im.OnDuplicate == DuplicateRejectAll {
		refs.rejectTwins(s.duplicates)
	}
	if err := refs.rejectDependents(); err != nil {
		return err
	}
	if err := refs.settleKnown(im.DryRun); err != nil {
		return err
	}
	s.Dependents = int64(len(refs.rejected))
	return refs.unresolved(s)
}

// settleKnown notes what is known before the first write. A dry run will ask for
// the names of ids.
func (r *references) settleKnown(dryRun bool) error {
	if dryRun {
		r.ids = newIDIndex(func(number int64) (string, error) { return r.texts.text(r.list.at(uint32(number)).what) })
	}
	for number, e := range r.list.all() {
		e.known = !e.open()
		r.open = r.open || !e.known
		if e.state != refThere || r.ids == nil {
			continue
		}
		id, err := r.texts.text(e.what)
		if err != nil {
			return err
		}
		if err := r.noteID(number, id); err != nil {
			return err
		}
	}
	return nil
}

// resolveMade looks again, for as long as a look-up may lag behind a write, for
// resources that an earlier session has made and that do not show yet: the rows
// that refer to them would do without.
func (im *Import) resolveMade(ctx context.Context, refs *references, kind int) error {
	if im.State == nil {
		return nil
	}
	unseen := func(e *reference) bool { return e.open() && im.made(int64(e.row)) }
	until := time.Now().Add(im.Settle)
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		left := time.Until(until)
		if left <= 0 || !refs.some(kind, unseen) {
			return nil
		}
		timer := time.NewTimer(min(pause, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		if err := im.resolveKind(ctx, refs, kind, unseen); err != nil {
			return err
		}
	}
}

func (r *references) some(kind int, are func(*reference) bool) bool {
	for _, e := range r.list.all() {
		if int(e.kind) == kind && are(e) {
			return true
		}
	}
	return false
}

// made says whether an earlier session has left the resource of a row behind.
func (im *Import) made(line int64) bool {
	if im.State == nil || line == 0 {
		return false
	}
	done, _ := im.State.Done(line)
	outcome := Outcome(done.Outcome)
	return outcome == Created || outcome == Updated || outcome == Replaced
}

// rejectTwins rejects the rows that share a key, none of which counts.
func (r *references) rejectTwins(d *duplicates) {
	for _, e := range r.list.all() {
		if first, _ := d.span(int64(e.row)); first > 0 {
			e.row = 0
		}
	}
	r.settlePlaces()
}

// unresolved notes what names nothing.
func (r *references) unresolved(s *Survey) error {
	for _, e := range r.list.all() {
		if e.state == refThere || e.row > 0 {
			continue
		}
		called, err := r.called(e)
		if err != nil {
			return err
		}
		if r.kindAt(e).resource == "Group" && r.resource != "Group" {
			s.MissingGroups++
			called = "group " + strings.TrimPrefix(called, r.columns[e.column]+" ")
		}
		s.Unresolved.add(called)
	}
	return nil
}

// resolveKind finds the resources of a kind that are wanted.
func (im *Import) resolveKind(ctx context.Context, refs *references, kind int, wanted func(*reference) bool) error {
	of := refs.kinds[kind]
	k, err := im.newSeeker(of.resource, of.by, of.leaf)
	if err != nil {
		return err
	}
	search := &refSearch{references: refs, seeker: k, kind: kind}
	if err := k.seek(ctx, search.begin(wanted), search.lookUp, search.read); err != nil {
		return err
	}
	return search.end()
}

// refSearch looks for the references of a kind in the directory.
type refSearch struct {
	*references
	*seeker
	kind int
}

// begin marks what is looked for, and counts it.
func (x *refSearch) begin(wanted func(*reference) bool) (n int) {
	for _, e := range x.references.list.all() {
		if e.sought = int(e.kind) == x.kind && wanted(e); e.sought {
			n++
		}
	}
	return n
}

// partSize is how many references are looked up in one go.
const partSize = 1000

// lookUp asks for them one by one.
func (x *refSearch) lookUp(ctx context.Context) error {
	var part []*reference
	for _, e := range x.references.list.all() {
		if !e.sought {
			continue
		}
		if part = append(part, e); len(part) < partSize {
			continue
		}
		if err := x.lookUpPart(ctx, part); err != nil {
			return err
		}
		part = part[:0]
	}
	return x.lookUpPart(ctx, part)
}

func (x *refSearch) lookUpPart(ctx context.Context, part []*reference) error {
	list := make([]*sought, len(part))
	for i, e := range part {
		name, err := x.texts.text(e.name)
		if err != nil {
			return err
		}
		list[i] = &sought{name: name}
	}
	if err := x.seeker.lookUp(ctx, list); err != nil {
		return err
	}
	for i, e := range part {
		if err := x.hit(e, list[i].found, list[i].hits); err != nil {
			return err
		}
	}
	return nil
}

// read finds them in a reading of the directory.
func (x *refSearch) read(ctx context.Context) error {
	for _, e := range x.references.list.all() {
		if e.sought {
			e.hits = 0
		}
	}
	return x.seeker.read(ctx, func(id, name string) error {
		e, err := x.find(x.kind, name)
		if e == nil || err != nil || !e.sought || name == "" {
			return err
		}
		return x.hit(e, id, int(e.hits)+1)
	})
}

// hit notes how many resources have the name of a reference.
func (x *refSearch) hit(e *reference, id string, hits int) (err error) {
	e.hits = uint16(min(hits, math.MaxUint16))
	if hits == 1 {
		e.what, err = x.texts.add(id)
	}
	return err
}

// end takes over what was found.
func (x *refSearch) end() error {
	for _, e := range x.references.list.all() {
		switch {
		case !e.sought:
		case e.hits == 1:
			e.state = refThere
		case e.hits > 1:
			called, err := x.called(e)
			if err != nil {
				return err
			}
			why := fmt.Sprintf("%s: %v", called, &ambiguousError{x.by, int(e.hits)})
			if err := x.settle(e, refAbsent, why); err != nil {
				return err
			}
		}
		e.sought = false
	}
	return nil
}
