package main

import (
	"context"
	"fmt"
	"strings"

	"scimbulk/internal/scim"
)

// finder turns the name of a resource into its id.
type finder struct {
	dir      *directory
	endpoint scim.Endpoint
	key      string // the attribute that holds the name
}

// find looks the name up; "" where nobody has it. What a directory sends is
// checked, since some ignore the filter and some search another attribute; and
// where look-ups may not see inactive people, those are read once.
func (f *finder) find(ctx context.Context, name string) (string, error) {
	filter := scim.Equals(scim.Path{Attr: f.key}, name)
	page, err := f.dir.client.List(ctx, f.endpoint, scim.ListOptions{Filter: filter, Count: -1, Attributes: []string{f.key}})
	if err != nil {
		return "", err
	}
	id, err := f.choose(page.Resources, name)
	switch p := f.dir.profile; {
	case id != "" || err != nil:
		return id, err
	case len(page.Resources) > 0:
		return f.search(ctx, "", name)
	case f.endpoint == scim.Users && p.InactiveFilter != "" && !p.LookupsSeeInactive:
		return f.search(ctx, p.InactiveFilter, name)
	}
	return "", nil
}

// search reads page after page instead of trusting a look-up.
func (f *finder) search(ctx context.Context, filter, name string) (string, error) {
	var found []scim.Resource
	for r, err := range f.dir.client.All(ctx, f.endpoint, scim.ListOptions{Filter: filter, Attributes: []string{f.key}}) {
		if err != nil {
			return "", fmt.Errorf("looking for %q among all: %w", name, err)
		}
		if strings.EqualFold(textOf(r, f.key), name) {
			found = append(found, r)
		}
	}
	return f.choose(found, name)
}

// choose picks the one that has the name: to the letter, or else whatever the
// case, which neither attribute minds (RFC 7643 §4.1, §4.2).
func (f *finder) choose(found []scim.Resource, name string) (string, error) {
	exact, folded := map[string]bool{}, map[string]bool{}
	var id string
	for _, r := range found {
		switch text := textOf(r, f.key); {
		case text == name:
			exact[r.ID], id = true, r.ID
		case strings.EqualFold(text, name):
			folded[r.ID] = true
		}
	}
	if len(exact) == 0 {
		exact = folded
		for other := range folded {
			id = other
		}
	}
	if len(exact) > 1 {
		return "", fmt.Errorf("%d resources of the directory have the %s %q: name the one that you mean by its id", len(exact), f.key, name)
	}
	return id, nil
}

// textOf reads a member that is text, "" where it is not there.
func textOf(r scim.Resource, attr string) string {
	o, err := scim.DecodeObject(r.Raw)
	if err != nil {
		return ""
	}
	_, v, _ := scim.Member(o, attr)
	text, _ := v.(string)
	return text
}
