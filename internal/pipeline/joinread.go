package pipeline

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/scim"
)

// readGroups reads the groups that are named, one by one. Where people leave
// what is not named, all groups are listed; a directory that shows no member in
// a listing may show them in the groups themselves.
func (j *joinRun) readGroups(ctx context.Context, all bool) error {
	if all {
		if err := j.list(ctx); err != nil || j.shown.Load() == membersShown {
			return err
		}
	}
	w, ctx := errgroup.WithContext(ctx)
	w.SetLimit(max(1, j.Workers))
	for _, g := range j.groups {
		w.Go(func() error {
			var err error
			if g.have, err = j.members(ctx, g.id); err == nil {
				return nil
			}
			g.fault = err.Error()
			return stopsRun(ctx, err)
		})
	}
	return w.Wait()
}

// list reads all groups in a listing.
func (j *joinRun) list(ctx context.Context) error {
	export := &Export{
		Client: j.Client, Profile: j.Profile, Endpoint: scim.Groups, Inactive: InactiveInclude,
		Attributes: []string{"displayName", "members"}, Workers: j.Workers, Meter: &Meter{},
	}
	listing, err := export.Run(ctx, func(r scim.Resource) error {
		g := j.byID[r.ID]
		if g == nil {
			o, err := scim.DecodeObject(r.Raw)
			if err != nil {
				return err
			}
			g = j.add(r.ID, cmp.Or(textMember(o, "displayName"), r.ID))
		}
		g.have = memberSet{}
		return r.MemberIDs(func(id string) {
			j.put(g.have, id)
			j.shown.Store(membersShown)
		})
	})
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return err
}
