package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Choice is what came of choosing people by a filter.
type Choice struct {
	Reading *Reading // of those who were chosen
	Others  int64    // sent by the directory, though they do not fit the filter
	Refused string   // why the directory would not filter, so that all of it was read; "" where it did
}

// Choose reads whom a filter selects and hands the id and the name of each to
// emit. The directory filters as far as it can; whether somebody fits is
// settled here, since some directories send everybody whatever the filter. It
// sends no write. The rows of the import are to be those that emit was given.
func (im *Import) Choose(ctx context.Context, filter scim.Filter, emit func(id, name string) error) (*Choice, error) {
	im.Filter = filter
	c, err := im.choose(ctx, im.Rules.Schema.Qualify(filter).String(), emit)
	if why := refusesFilter(err); why != "" {
		c, err = im.choose(ctx, "", emit)
		c.Refused = why
	}
	if err != nil {
		return nil, fmt.Errorf("reading the %s to change: %w", Endpoint(im.Resource), err)
	}
	return c, nil
}

// refusesFilter says why a directory will not filter so, "" for other errors.
func refusesFilter(err error) string {
	var failed *scim.Error
	if !errors.As(err, &failed) {
		return ""
	}
	switch failed.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotImplemented:
		return failed.Error()
	}
	return ""
}

func (im *Import) choose(ctx context.Context, filter string, emit func(id, name string) error) (*Choice, error) {
	all := im.directoryExport()
	all.Filter, all.Meter = filter, im.Meter
	if filter != "" && slices.Contains(im.Rules.Schema.FilterAttributes(im.Filter), "active") {
		all.Inactive = InactiveExclude // the filter itself says which people are meant
	}
	c := &Choice{}
	var failed error
	reading, err := im.takeReading(ctx, all, func(have *plan.Current) bool {
		if !im.Rules.Schema.Selects(im.Filter, have.Object) {
			c.Others++
			return false
		}
		if err := emit(have.ID, textAt(have, scim.Path{Attr: nameOf(im.Resource)})); err != nil && failed == nil {
			failed = err
		}
		return true
	})
	c.Reading = reading
	return c, errors.Join(err, failed)
}

// nameOf is the attribute by which people know a resource.
func nameOf(resource string) string {
	if resource == "Group" {
		return "displayName"
	}
	return "userName"
}

// choose takes over whom a row of chosen people means: by an id, whatever name
// people read.
func (t *task) choose() {
	t.id = t.row.Cells[0]
	t.record.KeyFold = t.id
	if name := t.row.Cells[1]; name != "" {
		t.record.Key = name
	}
}

// countSwitch counts a row that sets somebody inactive. Where it is known that
// somebody is active by now, the row takes them away like any other removal.
func (im *Import) countSwitch(s *Survey, t *task) {
	s.switches++
	if !im.Chosen || im.Reading == nil {
		return
	}
	have, err := im.Reading.byID(t)
	if err == nil && have != nil && have.Object["active"] != false {
		s.Removals++
	}
}
