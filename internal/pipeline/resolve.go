package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scimbulk/internal/scim"
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
	groups := map[refName][]*reference{}
	for key, e := range refs.byName {
		kind := refName{resource: key.resource, by: key.by}
		groups[kind] = append(groups[kind], e)
	}
	for kind, entries := range groups {
		if err := im.resolveKind(ctx, kind, entries, refs.attrs[kind]); err != nil {
			return err
		}
		if err := im.resolveMade(ctx, kind, entries, refs.attrs[kind]); err != nil {
			return err
		}
	}
	if im.OnDuplicate == DuplicateRejectAll {
		refs.rejectTwins(s.duplicates)
	}
	refs.rejectDependents()
	for _, e := range refs.byName {
		e.known = !e.open()
		refs.open = refs.open || !e.known
		if e.id != "" {
			refs.names[e.id] = e.name
		}
	}
	s.Unresolved = refs.unresolved(s)
	s.Dependents = int64(len(refs.rejected))
	return nil
}

// resolveMade looks again, for as long as a look-up may lag behind a write, for
// resources that an earlier session has made and that do not show yet: the rows
// that refer to them would do without.
func (im *Import) resolveMade(ctx context.Context, kind refName, entries []*reference, leaf *scim.Attribute) error {
	until := time.Now().Add(im.Settle)
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		unseen := slices.DeleteFunc(slices.Clone(entries), func(e *reference) bool { return !e.open() || !im.made(e.row) })
		left := time.Until(until)
		if len(unseen) == 0 || left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(pause, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		if err := im.resolveKind(ctx, kind, unseen, leaf); err != nil {
			return err
		}
	}
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
	for line := range r.byRow {
		if first, _ := d.span(line); first > 0 {
			for _, e := range r.byRow[line] {
				e.row = 0
			}
		}
	}
}

// unresolved lists what names nothing, in the order of its names.
func (r *references) unresolved(s *Survey) []string {
	var list []string
	for _, e := range r.byName {
		if e.id == "" && e.row == 0 {
			if e.resource == "Group" && r.resource != e.resource {
				s.MissingGroups++
				list = append(list, fmt.Sprintf("group %q", e.name))
				continue
			}
			list = append(list, fmt.Sprintf("%s %q", e.column, e.name))
		}
	}
	slices.Sort(list)
	return list
}

// resolveKind finds resources that are named by one of their attributes.
func (im *Import) resolveKind(ctx context.Context, kind refName, entries []*reference, leaf *scim.Attribute) error {
	list := make([]*sought, len(entries))
	for i, e := range entries {
		list[i] = &sought{name: e.name, fold: e.fold}
	}
	if err := im.seek(ctx, kind.resource, kind.by, leaf, list); err != nil {
		return err
	}
	for i, e := range entries {
		switch s := list[i]; {
		case s.hits == 1:
			e.id = s.found
		case s.hits > 1:
			e.absent = fmt.Sprintf("%s %q: %v", e.column, e.name, &ambiguousError{kind.by, s.hits})
		}
	}
	return nil
}
