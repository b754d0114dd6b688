package pipeline

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/mapping"
	"scimbulk/internal/scim"
)

// Resolve finds the ids of what the rows refer to, as far as the directory has
// it, and the rows that cannot be carried out because something is missing. It
// is called after Survey and before Run, and sends no write.
func (im *Import) Resolve(ctx context.Context, s *Survey) error {
	refs := s.references
	if refs == nil {
		return nil
	}
	groups := map[refName][]*reference{}
	for key, e := range refs.byName {
		kind := refName{resource: key.resource, by: key.by}
		groups[kind] = append(groups[kind], e)
	}
	for kind, entries := range groups {
		if err := im.resolveKind(ctx, kind, entries, refs.attrs[kind]); err != nil {
			return fmt.Errorf("looking up the %s that rows refer to by %s: %w", Endpoint(kind.resource), kind.by, err)
		}
	}
	if im.OnDuplicate == DuplicateRejectAll {
		refs.rejectTwins(s.duplicates)
	}
	refs.rejectDependents()
	for _, e := range refs.byName {
		e.known = !e.open()
	}
	s.Unresolved = refs.unresolved()
	s.Dependents = int64(len(refs.rejected))
	return nil
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
func (r *references) unresolved() []string {
	var list []string
	for _, e := range r.byName {
		if e.id == "" && e.row == 0 {
			list = append(list, fmt.Sprintf("%s %q", e.column, e.name))
		}
	}
	slices.Sort(list)
	return list
}

// resolveKind finds resources by one of their attributes: one by one, or in one
// reading of the directory where that takes fewer requests.
func (im *Import) resolveKind(ctx context.Context, kind refName, entries []*reference, leaf *scim.Attribute) error {
	endpoint := Endpoint(kind.resource)
	path, err := scim.ParsePath(kind.by)
	if err != nil {
		return err
	}
	q := scim.ListOptions{Attributes: []string{path.String()}, Count: 1}
	page, err := im.Client.List(ctx, endpoint, q)
	if err != nil {
		return err
	}
	apart := im.Profile.InactiveFilter != "" && endpoint == scim.Users
	if page.HasTotal && page.TotalResults == 0 && len(page.Resources) == 0 && !apart {
		return nil
	}
	pages := page.TotalResults/im.Profile.PageSizeFor(endpoint, q.Attributes, nil) + 1
	if apart {
		pages *= 2 // nobody knows how many inactive people there are
	}
	if page.HasTotal && pages < len(entries) {
		return im.readNames(ctx, endpoint, path, leaf, entries)
	}
	return im.lookNamesUp(ctx, endpoint, path, leaf, entries)
}

// readNames reads the whole directory, its keys alone.
func (im *Import) readNames(ctx context.Context, endpoint scim.Endpoint, path scim.Path, leaf *scim.Attribute, entries []*reference) error {
	byFold := make(map[string]*reference, len(entries))
	for _, e := range entries {
		byFold[e.fold] = e
	}
	export := &Export{
		Client: im.Client, Profile: im.Profile, Endpoint: endpoint, Inactive: InactiveInclude,
		Attributes: []string{path.String()}, Workers: im.Workers, Meter: &Meter{},
	}
	listing, err := export.Run(ctx, func(r scim.Resource) error {
		object, err := scim.DecodeObject(r.Raw)
		if err != nil {
			return err
		}
		if name, ok := valueAt(object, path).(string); ok {
			if e := byFold[mapping.Fold(leaf, name)]; e != nil {
				e.id = r.ID
			}
		}
		return nil
	})
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return err
}

// lookNamesUp asks for each resource.
func (im *Import) lookNamesUp(ctx context.Context, endpoint scim.Endpoint, path scim.Path, leaf *scim.Attribute, entries []*reference) error {
	each := &lookupEach{client: im.Client, endpoint: endpoint, target: &scim.Target{Path: path, Attr: leaf}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, im.Workers))
	for _, e := range entries {
		g.Go(func() error {
			have, err := each.byKey(ctx, e.name)
			if have != nil {
				e.id = have.ID
			}
			return err
		})
	}
	return g.Wait()
}
