package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/mapping"
	"scimbulk/internal/scim"
)

// sought is a resource that rows name: by the value of an attribute, by its id,
// or by both.
type sought struct {
	name, fold, id string

	found string // id of the resource that has the name; of the one with id where several have it
	hits  int    // resources that have the name
	there bool   // a resource has the id

	sameName, sameID *sought // the next of those that share it
}

// seek finds resources: one by one, or in one reading of the directory where
// that takes fewer requests or a look-up cannot be trusted. leaf describes the
// attribute that the names are values of.
func (im *Import) seek(ctx context.Context, resource, by string, leaf *scim.Attribute, list []*sought) error {
	k, err := im.newSeeker(resource, by, leaf)
	if err != nil {
		return err
	}
	lookUp := func(ctx context.Context) error { return k.lookUp(ctx, list) }
	read := func(ctx context.Context) error { return k.readFor(ctx, list) }
	return k.seek(ctx, len(list), lookUp, read)
}

// seeker is a search under way.
type seeker struct {
	*Import
	by       string
	endpoint scim.Endpoint
	target   *scim.Target
}

func (im *Import) newSeeker(resource, by string, leaf *scim.Attribute) (*seeker, error) {
	path, err := scim.ParsePath(by)
	if err != nil {
		return nil, err
	}
	return &seeker{Import: im, by: by, endpoint: Endpoint(resource), target: &scim.Target{Path: path, Attr: leaf}}, nil
}

// seek looks for n resources in one of two ways.
func (k *seeker) seek(ctx context.Context, n int, lookUp, read func(context.Context) error) error {
	if n == 0 {
		return nil
	}
	if err := k.choose(ctx, n, lookUp, read); err != nil {
		return fmt.Errorf("looking up the %s that rows name by %s: %w", k.endpoint, k.by, err)
	}
	return nil
}

func (k *seeker) choose(ctx context.Context, n int, lookUp, read func(context.Context) error) error {
	q := scim.ListOptions{Attributes: []string{k.target.Path.String()}, Count: 1}
	page, err := k.Client.List(ctx, k.endpoint, q)
	if err != nil {
		return err
	}
	apart := k.Profile.InactiveFilter != "" && k.endpoint == scim.Users
	if page.HasTotal && page.TotalResults == 0 && len(page.Resources) == 0 && !apart {
		return nil
	}
	pages := page.TotalResults/k.Profile.PageSizeFor(k.endpoint, q.Attributes, nil) + 1
	if apart {
		pages *= 2 // nobody knows how many inactive people there are
	}
	if page.HasTotal && pages < n {
		return read(ctx)
	}
	err = lookUp(ctx)
	var filter *filterError
	if errors.As(err, &filter) {
		return read(ctx)
	}
	return err
}

// readFor looks for resources in a reading of the directory.
func (k *seeker) readFor(ctx context.Context, list []*sought) error {
	byName, byID := make(map[string]*sought, len(list)), map[string]*sought{}
	for _, s := range list {
		s.found, s.hits, s.there = "", 0, false
		if s.name != "" {
			s.sameName, byName[s.fold] = byName[s.fold], s
		}
		if s.id != "" {
			s.sameID, byID[s.id] = byID[s.id], s
		}
	}
	return k.read(ctx, func(id, name string) error {
		for s := byID[id]; s != nil; s = s.sameID {
			s.there = true
		}
		for s := byName[mapping.Fold(k.target.Leaf(), name)]; s != nil; s = s.sameName {
			s.hit(id)
		}
		return nil
	})
}

// read reads the whole directory, its keys alone. visit gets them one by one.
func (k *seeker) read(ctx context.Context, visit func(id, name string) error) error {
	export := &Export{
		Client: k.Client, Profile: k.Profile, Endpoint: k.endpoint, Inactive: InactiveInclude,
		Attributes: []string{k.target.Path.String()}, Workers: k.Workers, Meter: &Meter{},
	}
	listing, err := export.Run(ctx, func(r scim.Resource) error {
		object, err := scim.DecodeObject(r.Raw)
		if err != nil {
			return err
		}
		name := textIn(object, k.target.Path)
		return visit(r.ID, name)
	})
	if err == nil && !listing.Whole() {
		err = &IncompleteError{Gaps: listing.Gaps}
	}
	return err
}

// hit notes a resource that has the name.
func (s *sought) hit(id string) {
	s.hits++
	if s.found == "" || s.found != s.id {
		s.found = id
	}
}

// lookUp asks for each resource.
func (k *seeker) lookUp(ctx context.Context, list []*sought) error {
	each := &lookupEach{client: k.Client, endpoint: k.endpoint, target: k.target}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, k.Workers))
	for _, s := range list {
		g.Go(func() error {
			if err := s.lookUpName(ctx, each); err != nil {
				return err
			}
			return s.lookUpID(ctx, each)
		})
	}
	return g.Wait()
}

func (s *sought) lookUpName(ctx context.Context, each *lookupEach) error {
	if s.name == "" {
		return nil
	}
	have, err := each.byKey(ctx, s.name)
	var ambiguous *ambiguousError
	switch {
	case errors.As(err, &ambiguous):
		s.hits = ambiguous.count
		return nil
	case have != nil:
		s.hit(have.ID)
	}
	return err
}

// lookUpID asks whether the id is there, unless the name has shown it. A
// directory may refuse an id whose form is not its own.
func (s *sought) lookUpID(ctx context.Context, each *lookupEach) error {
	if s.id == "" || s.found == s.id {
		s.there = s.id != ""
		return nil
	}
	have, err := each.byID(ctx, s.id)
	var failed *scim.Error
	if errors.As(err, &failed) && failed.Status == http.StatusBadRequest {
		return nil
	}
	if s.there = have != nil; s.there {
		name := textIn(have.Object, each.target.Path)
		if s.name != "" && mapping.Fold(each.target.Leaf(), name) == s.fold {
			s.found = s.id
		}
	}
	return err
}
