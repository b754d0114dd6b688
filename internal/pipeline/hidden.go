package pipeline

import (
	"context"

	"scimbulk/internal/scim"
)

// inactivePeople finds those whom some directories leave out of a listing.
const inactivePeople = "active eq false"

// askHidden asks for inactive people, whom the listing may not show.
func (x *listing) askHidden(ctx context.Context) error {
	if !x.Thorough || x.inactive != nil || x.s.Index > 0 || x.Endpoint != scim.Users || x.Profile.InactiveFilter != "" || x.Inactive == InactiveExclude {
		return nil
	}
	page, err := x.Client.List(ctx, x.Endpoint, scim.ListOptions{
		Filter: both(x.Filter, inactivePeople), StartIndex: 1, Count: 1, Attributes: []string{"id", "active"},
	})
	if err == nil {
		x.inactive = page
	}
	return unlessRefused(ctx, err)
}

// findHidden sees whether the listing hides inactive people.
func (x *listing) findHidden(ctx context.Context) error {
	if err := x.askHidden(ctx); err != nil || x.inactive == nil || len(x.inactive.Resources) == 0 {
		return err
	}
	r := x.inactive.Resources[0]
	o, err := scim.DecodeObject(r.Raw)
	if _, active, _ := scim.Member(o, "active"); err != nil || active != false {
		return nil // the filter is ignored
	}
	_, known, err := x.ids.find(idOf(r.ID, r.Raw))
	x.Hidden = err == nil && !known
	return err
}
