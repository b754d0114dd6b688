package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// newLookup chooses how to find out what is there, and says why.
func (r *run) newLookup(ctx context.Context) (lookup, error) {
	each, err := r.newLookupEach()
	if err != nil {
		return nil, err
	}
	if r.Changes != nil || r.Chosen { // by id, most of them
		return r.eachOrDirectory(each), nil
	}
	if r.Reading != nil {
		return r.readAlready(each), nil
	}
	switch r.Lookup {
	case LookupEach:
		return each, nil
	case LookupNone:
		return &lookupNew{each}, nil
	case LookupDirectory:
		return r.readDirectory(ctx, each, r.directoryExport())
	}
	return r.cheapestLookup(ctx, each)
}

func (im *Import) newLookupEach() (*lookupEach, error) {
	path, err := scim.ParsePath(im.Mapping.Match())
	if err != nil {
		return nil, err
	}
	target, err := im.Rules.Schema.Resolve(path)
	return &lookupEach{client: im.Client, endpoint: Endpoint(im.Resource), target: target}, err
}

// few is a number of rows that is not worth a thought.
const few = 5

// cheapestLookup compares what it would cost, in requests, to look every row
// up, to read the directory once, and to send every row as a create and look up
// only those that are refused.
func (r *run) cheapestLookup(ctx context.Context, each *lookupEach) (lookup, error) {
	n := r.survey.Rows - r.survey.Faulty
	all := r.directoryExport()
	page, err := all.first(ctx)
	if err != nil {
		return nil, err
	}
	apart := r.Profile.InactiveFilter != "" && each.endpoint == scim.Users
	if page.HasTotal && page.TotalResults == 0 && len(page.Resources) == 0 && page.NextCursor == "" && !apart && r.State == nil {
		return &lookupNew{each}, nil
	}
	pages := r.pagesOf(page, apart)
	switch {
	case n <= few || !page.HasTotal:
		return r.eachOrDirectory(each), nil
	case pages <= n/10:
		r.say("the directory is read once: %s for %d rows", pagesText(pages), n)
		return r.readDirectory(ctx, each, all)
	}
	costs := n
	if r.other != nil {
		costs += n / 2 // for a row that creates somebody there is another look-up
	}
	why, err := r.postFirst(ctx, each, min(costs, pages))
	switch {
	case err != nil:
		return nil, err
	case why != "" && !r.DryRun:
		r.say("no look-ups: %s", why)
		return &lookupNew{each}, nil
	case pages < costs:
		r.say("the directory is read once: %s for %d rows", pagesText(pages), n)
		before := r.Client.Stats().GET
		read, err := r.readDirectory(ctx, each, all)
		return r.orUnneeded(read, why, r.Client.Stats().GET-before), err
	}
	r.say("each of %d rows is looked up: the directory has %s", n, pagesText(pages))
	return r.orUnneeded(r.eachOrDirectory(each), why, 0), nil
}

// postFirst says why creates are best sent unseen, "" where they are not. It looks
// a sample of the rows up, where that can show it. most is how many refused creates
// and their look-ups may cost.
func (r *run) postFirst(ctx context.Context, each *lookupEach, most int64) (why string, err error) {
	if !r.mayPostFirst() || len(r.survey.sample.keys) < leastSampled {
		return "", nil
	}
	found, asked, err := r.sample(ctx, each)
	strangers := found == 0 || r.keepsOther()
	if refused := 2 * (r.survey.Rows - r.survey.Faulty) * found / asked; err != nil || refused >= most || !strangers {
		return "", err
	}
	return fmt.Sprintf("of a sample of %d rows the directory holds %d, and it refuses those that it has", asked, found), nil
}

// orUnneeded is the lookup of a dry run; where why is said the import will do
// without it, and without the reads that it has taken to begin with.
func (r *run) orUnneeded(l lookup, why string, reads int64) lookup {
	if why == "" {
		return l
	}
	r.totals.Lookup += "; the import will look nobody up: " + why
	r.unlooked = !r.keepsOther() // it will send creates, and see no clash
	r.foreseen.unseen = true
	r.foreseen.spared.Add(reads)
	return &unneeded{lookup: l, foreseen: &r.foreseen}
}

func (r *run) say(format string, args ...any) { r.totals.Lookup = fmt.Sprintf(format, args...) }

func pagesText(n int64) string {
	if n == 1 {
		return "one page"
	}
	return fmt.Sprintf("about %d pages", n)
}

// pagesOf is how many pages the directory has, of the size that it really
// sends. Where inactive people are listed apart nobody knows how many they are.
func (r *run) pagesOf(first *scim.Page, apart bool) int64 {
	size := max(1, len(first.Resources))
	pages := int64((first.TotalResults + size - 1) / size)
	if apart {
		pages *= 2
	}
	return pages
}

// mayPostFirst says whether a create can be sent without a look-up: all rows
// make what is missing, and the directory refuses what it has. A provider that
// revives deleted accounts would do so unannounced.
func (r *run) mayPostFirst() bool {
	if r.survey.Makes < r.survey.Rows-r.survey.Faulty || r.Mapping.Match() == "id" || r.Profile.RevivesDeleted {
		return false
	}
	return r.keyIsUnique()
}

// keepsOther says whether the directory is known to refuse a row whose other
// identity is somebody else's.
func (r *run) keepsOther() bool { return r.other == nil || r.isUnique(r.other.Path.String()) }

// keyIsUnique says whether the directory is known to refuse a second resource
// with the same key: by its profile, by the schema that it serves, or because
// it has done so.
func (r *run) keyIsUnique() bool {
	return r.sawUnique.Load() || r.isUnique(r.Mapping.Match())
}

// isUnique says whether the directory is known beforehand to keep an attribute
// unique.
func (r *run) isUnique(attr string) bool {
	leaf := leafAt(r.Resource, attr, r.Rules.Schema)
	declared := r.Rules.Schema.Served && (leaf.Uniqueness == "server" || leaf.Uniqueness == "global")
	return declared || r.Profile.MatchIsUnique(r.Resource, attr)
}

// sample looks some rows up, spread over the file.
func (r *run) sample(ctx context.Context, each *lookupEach) (found, asked int64, err error) {
	var hits atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Workers)
	for _, key := range r.survey.sample.keys {
		g.Go(func() error {
			have, err := each.byKey(ctx, key)
			if have != nil {
				hits.Add(1)
			}
			return err
		})
	}
	err = g.Wait()
	return hits.Load(), int64(len(r.survey.sample.keys)), err
}

// sampled keeps the keys of a few rows, spread evenly over a file of unknown
// length: every time there are too many, every second one goes.
type sampled struct {
	keys  []string
	every int64
}

// mostSampled bounds a sample, and leastSampled is what says something.
const (
	mostSampled  = 30
	leastSampled = 4
)

func (s *sampled) add(row int64, key string) {
	s.every = max(s.every, 5)
	if row%s.every != 0 {
		return
	}
	if s.keys = append(s.keys, key); len(s.keys) <= mostSampled {
		return
	}
	s.every *= 2
	half := s.keys[:0]
	for i := 1; i < len(s.keys); i += 2 {
		half = append(half, s.keys[i])
	}
	s.keys = half
}

// eachOrDirectory looks rows up one by one, and reads the directory after all
// where that shows that filters are not honoured.
func (r *run) eachOrDirectory(each *lookupEach) lookup { return &lookupFallback{run: r, each: each} }

type lookupFallback struct {
	*run
	each *lookupEach
	once onceDirectory
}

func (l *lookupFallback) find(ctx context.Context, record *mapping.Record, fresh bool) (*plan.Current, error) {
	if directory := l.once.get(); directory != nil {
		return directory.find(ctx, record, fresh)
	}
	have, err := l.each.find(ctx, record, fresh)
	if !filterFailed(err) {
		return have, err
	}
	directory, err := l.once.read(func() (*lookupDirectory, error) { return l.readDirectory(ctx, l.each, l.directoryExport()) })
	if err != nil {
		return nil, err
	}
	return directory.find(ctx, record, fresh)
}

// filterFailed says whether a look-up failed for what it asked: the directory
// sent somebody else, or some names are too much for its filters.
func filterFailed(err error) bool {
	var filter *filterError
	var failed *scim.Error
	if errors.As(err, &filter) {
		return true
	}
	return errors.As(err, &failed) && (failed.Status == http.StatusBadRequest || failed.Status == http.StatusInternalServerError || failed.Status == http.StatusNotImplemented)
}

// directoryExport reads what a look-up needs to know of every resource.
func (im *Import) directoryExport() *Export {
	return &Export{
		Client: im.Client, Profile: im.Profile, Endpoint: Endpoint(im.Resource), Inactive: InactiveInclude,
		Attributes: im.lookedAt(), Workers: im.Workers, Meter: &Meter{},
	}
}

// lookedAt are the attributes that decisions look at; none for all of them,
// where a replacement sends everything back.
func (im *Import) lookedAt() []string {
	paths := im.Mapping.Attributes()
	if len(paths) == 0 || im.Rules.NoPatch || im.Mapping.MayReplace() {
		return nil
	}
	if im.DryRun { // a plan that has seen all can name what drifts, at no more requests
		if im.Profile.LeanPageSize == 0 {
			return nil
		}
		paths = append(paths, im.Profile.Cheap(Endpoint(im.Resource), im.Rules.Schema)...)
	}
	paths = append(paths, im.Mapping.Match(), "meta")
	if im.Resource == "User" {
		paths = append(paths, "active")
	}
	if im.Chosen {
		paths = append(paths, nameOf(im.Resource))
	}
	for _, f := range im.filters() {
		paths = append(paths, im.Rules.Schema.FilterAttributes(f)...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
