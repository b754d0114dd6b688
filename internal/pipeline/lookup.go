package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// lookup finds the resource that a row speaks of; nil when there is none. fresh
// asks for what the directory says now, whatever was known before.
type lookup interface {
	find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error)
}

// lookupNew takes every row for a new resource until somebody knows better: the
// directory, by refusing to create it.
type lookupNew struct{ *lookupEach }

func (l *lookupNew) find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error) {
	if !fresh && record.MatchBy != "id" {
		return nil, nil
	}
	return l.lookupEach.find(ctx, record, fresh)
}

// lookupEach asks the directory row by row.
type lookupEach struct {
	client   *scim.Client
	endpoint scim.Endpoint
	target   *scim.Target // of the match attribute
}

func (l *lookupEach) find(ctx context.Context, record *mapping.Record, _ bool) (*plan.Current, error) {
	if record.MatchBy == "id" {
		return l.byID(ctx, record.Key)
	}
	return l.byKey(ctx, record.Key)
}

func (l *lookupEach) byKey(ctx context.Context, key string) (*plan.Current, error) {
	page, err := l.client.List(ctx, l.endpoint, scim.ListOptions{Filter: scim.Equals(l.target.Path, key), Count: -1})
	if err != nil {
		return nil, err
	}
	return l.choose(page.Resources, key)
}

func (l *lookupEach) byID(ctx context.Context, id string) (*plan.Current, error) {
	resp, err := l.client.Get(ctx, l.endpoint, id, scim.ReadOptions{})
	var failed *scim.Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return current(resp.Resource)
}

func current(resource scim.Resource) (*plan.Current, error) {
	object, err := scim.DecodeObject(resource.Raw)
	if err != nil {
		return nil, fmt.Errorf("the directory's answer cannot be read: %w", err)
	}
	return &plan.Current{ID: resource.ID, Version: resource.Version, Object: object}, nil
}

// ambiguousError says that several resources have the key of a row.
type ambiguousError struct {
	attr  string
	count int
}

func (e *ambiguousError) Error() string {
	return fmt.Sprintf("%d resources of the directory have this %s, and nothing says which one is meant", e.count, e.attr)
}

// filterError says that the directory does not honour the filter of a look-up.
type filterError struct{ attr string }

func (e *filterError) Error() string {
	return fmt.Sprintf("a look-up by %s brought somebody else: the directory does not honour that filter, so that scimbulk cannot tell who is there", e.attr)
}

// choose picks the resource whose key really is the row's: some servers ignore
// the filter and send everybody, and some fold what others tell apart.
func (l *lookupEach) choose(found []scim.Resource, key string) (*plan.Current, error) {
	var hit *plan.Current
	hits := 0
	for _, resource := range found {
		candidate, err := current(resource)
		if err != nil {
			return nil, err
		}
		if scim.Equal(l.target.Leaf(), valueAt(candidate.Object, l.target.Path), key) {
			hit = candidate
			hits++
		}
	}
	switch {
	case hits > 1:
		return nil, &ambiguousError{l.target.Path.Short(), hits}
	case hits == 0 && len(found) > 0:
		return nil, &filterError{l.target.Path.Short()}
	}
	return hit, nil
}

// textIn reads a single-valued path; "" where no text is there.
func textIn(o scim.Object, path scim.Path) string {
	text, _ := valueAt(o, path).(string)
	return text
}

// valueAt reads a single-valued path.
func valueAt(o scim.Object, path scim.Path) any {
	if path.URN != "" {
		_, v, _ := scim.Member(o, path.URN)
		o, _ = v.(scim.Object)
	}
	_, v, _ := scim.Member(o, path.Attr)
	if path.Sub != "" {
		inner, _ := v.(scim.Object)
		_, v, _ = scim.Member(inner, path.Sub)
	}
	return v
}
