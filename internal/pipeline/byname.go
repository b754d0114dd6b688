package pipeline

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"unicode"

	"scimbulk/internal/scim"
)

// byName reads a directory of which only the first page of a listing is to be
// had: by the beginnings of names, each so long that one page holds all that
// begin with it. That takes a filter that understands sw.
func (x *listing) byName(ctx context.Context) error {
	p := &partition{listing: x, attr: "userName", letters: map[rune]bool{}}
	if x.Endpoint == scim.Groups {
		p.attr = "displayName"
	}
	for c := 'a'; c <= 'z'; c++ {
		p.letters[c] = true
	}
	for _, c := range "0123456789._-@+' " {
		p.letters[c] = true
	}
	whole, err := p.begin(ctx)
	if err != nil {
		return err
	}
	if !whole {
		x.s.gap("%s, and has neither cursors nor a filter by the beginning of names", errNoStart)
		return nil
	}
	if _, err := p.read(ctx, ""); err != nil {
		return err
	}
	return x.recount(ctx)
}

// partition reads one half of a name after the other.
type partition struct {
	*listing
	attr    string
	letters map[rune]bool // that names have been seen to have
	full    int           // the largest page so far
}

// begin tries whether the filter does what it should: some names begin like the
// first one, and none as no name does.
func (p *partition) begin(ctx context.Context) (bool, error) {
	page, err := p.Client.List(ctx, p.Endpoint, scim.ListOptions{Filter: p.filter, StartIndex: 1, Count: p.size.size(), Attributes: []string{p.attr}})
	if err != nil || len(page.Resources) == 0 {
		return false, err
	}
	for _, r := range page.Resources {
		p.learn(r)
	}
	name := []rune(p.nameOf(page.Resources[0]))
	if len(name) == 0 {
		return false, nil
	}
	for _, try := range []struct {
		prefix string
		finds  bool
	}{{string(name[:1]), true}, {rand.Text(), false}} {
		found, err := p.list(ctx, try.prefix)
		if err != nil {
			return false, unlessRefused(ctx, err)
		}
		if len(found.Resources) > 0 != try.finds || !p.allBegin(found, try.prefix) {
			return false, nil
		}
	}
	return true, nil
}

func (p *partition) nameOf(r scim.Resource) string {
	o, err := scim.DecodeObject(r.Raw)
	if err != nil {
		return ""
	}
	return keyIn(o, p.attr)
}

func (p *partition) allBegin(page *scim.Page, prefix string) bool {
	return !slices.ContainsFunc(page.Resources, func(r scim.Resource) bool {
		return !strings.HasPrefix(strings.ToLower(p.nameOf(r)), strings.ToLower(prefix))
	})
}

func (p *partition) learn(r scim.Resource) {
	for _, c := range p.nameOf(r) {
		p.letters[unicode.ToLower(c)] = true
	}
}

func (p *partition) list(ctx context.Context, prefix string) (*scim.Page, error) {
	q := p.options(1)
	q.SortBy = ""
	if prefix != "" {
		path := scim.Path{Attr: p.attr}
		q.Filter = both(p.filter, scim.Comparison{Path: path, Op: "sw", Value: prefix}.String())
	}
	if q.Attributes != nil && !namesPath(q.Attributes, p.attr) {
		q.Attributes = append(slices.Clone(q.Attributes), p.attr)
	}
	return p.Client.List(ctx, p.Endpoint, q)
}

// longestName keeps a directory that says the same to every question from being
// asked for ever.
const longestName = 64

// read reads all names with a beginning, and says how many there are.
func (p *partition) read(ctx context.Context, prefix string) (total int, err error) {
	if err := p.interrupted(); err != nil {
		return 0, err
	}
	page, err := p.list(ctx, prefix)
	if err != nil {
		return 0, err
	}
	for _, r := range page.Resources {
		p.learn(r)
	}
	total = page.TotalResults
	had := len(page.Resources)
	s, err := p.sheet(1, page)
	if err != nil {
		return 0, err
	}
	if had > 0 {
		p.last = nil
		if err := p.accept(s); err != nil {
			return 0, err
		}
	}
	p.full = max(p.full, had)
	if had < p.full && had >= total || had == 0 || len(prefix) >= longestName {
		return total, nil
	}
	return total, p.split(ctx, prefix, total, had >= total)
}

// split reads the names with a beginning letter by letter. A name that is the
// beginning itself is on the page that was too small, or is missed. The total is
// doubted where it is the size of a page as large as any.
func (p *partition) split(ctx context.Context, prefix string, total int, doubted bool) error {
	sum := 0
	for _, c := range slices.Sorted(maps.Keys(p.letters)) {
		n, err := p.read(ctx, prefix+string(c))
		if err != nil {
			return err
		}
		sum += n
	}
	if rest := total - sum; (rest > 1 || rest < 0) && !doubted {
		p.s.gap("of %d names that begin alike, %d were found letter by letter", total, sum)
	}
	return nil
}
