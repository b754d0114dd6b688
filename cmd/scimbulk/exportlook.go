package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/scim"
)

// look asks the directory for its schemas and, at the same time, for what it can
// do, and for the first page of a new export: a provider that is known to take
// small pages only counts its requests, and one in vain would be too many.
func (x *exportRun) look(ctx context.Context, resource string, e *pipeline.Export) (schema *scim.ResourceSchema, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		schema, err = x.dir.schema(ctx, resource)
		return err
	})
	if x.config == nil {
		x.config = &pipeline.Config{}
		g.Go(func() (err error) {
			*x.config, err = x.dir.listings(ctx)
			return err
		})
		if x.state == nil && x.dir.profile.MaxPageSize == 0 {
			g.Go(func() error { e.Ahead(ctx); return nil })
		}
	}
	return schema, g.Wait()
}

// listings is what the directory says of its listings; nothing where it does not
// say.
func (d *directory) listings(ctx context.Context) (c pipeline.Config, err error) {
	resp, err := d.client.ServiceProviderConfig(ctx, "")
	var failed *scim.Error
	switch {
	case errors.As(err, &failed) && failed.Status >= 200 && failed.Status != http.StatusUnauthorized:
		return c, nil
	case err != nil:
		return c, fmt.Errorf("asking %s what it can do: %w", d.name, err)
	}
	said, err := scim.DecodeObject(resp.Resource.Raw)
	if err != nil {
		return c, nil
	}
	return pipeline.ReadConfig(said), nil
}

// checkPaths sees that the attributes asked for are there: a directory answers
// with nothing for those that it does not know. With all, one that users have
// need not be one of groups.
func (x *exportRun) checkPaths(schema *scim.ResourceSchema) error {
	if x.kind == "all" {
		return nil
	}
	var problems []error
	for _, p := range append(slices.Clone(x.attributes), x.excluded...) {
		path, err := scim.ParsePath(strings.TrimSpace(p))
		if err == nil {
			_, err = schema.Resolve(path)
		}
		if err != nil {
			problems = append(problems, usageError{err})
		}
	}
	return errors.Join(problems...)
}

// reverse turns the import mapping round, and says what of it cannot be.
func (x *exportRun) reverse(resource string, schema *scim.ResourceSchema) (pipeline.Layout, error) {
	file, err := mapping.Load(x.mapping)
	if err != nil {
		return nil, err
	}
	reverse, err := file.Reverse(mapping.Options{Schema: func(name string) *scim.ResourceSchema {
		if name == resource {
			return schema
		}
		return scim.Builtin(name)
	}})
	if err != nil {
		return nil, err
	}
	if reverse.Resource() != resource {
		return nil, fmt.Errorf("%s maps %ss, and %ss are exported", x.mapping, reverse.Resource(), resource)
	}
	if !x.run.quiet {
		for _, note := range reverse.Notes() {
			fmt.Fprintf(x.s.err, "%s: %s\n", x.mapping, note)
		}
	}
	return reverse, nil
}

// fullPaths writes the abbreviations of paths out, as the directory knows them.
func fullPaths(paths []string) []string {
	full := make([]string, len(paths))
	for i, p := range paths {
		full[i] = p
		if path, err := scim.ParsePath(strings.TrimSpace(p)); err == nil {
			full[i] = path.String()
		}
	}
	return full
}
