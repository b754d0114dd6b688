package pipeline

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"scimbulk/internal/scim"
)

// What an export does with inactive people.
const (
	InactiveInclude = "include"
	InactiveExclude = "exclude"
	InactiveOnly    = "only"
)

// Export reads all resources of one type.
type Export struct {
	Client             *scim.Client
	Profile            scim.Profile
	Endpoint           scim.Endpoint
	Filter             string
	Attributes         []string
	ExcludedAttributes []string
	Inactive           string
	PageSize           int // 0: the provider's own, and more where that is worth it
	Workers            int
	Meter              *Meter
	Layout             Layout // of a CSV file; nil: one column a path

	// Thorough: the pages are sorted where the directory can, what changed
	// meanwhile is read again, and people whom the listing hides are looked
	// for. Without it, a listing costs no more requests than it must.
	Thorough bool
	// Config is what the directory says it can do.
	Config Config
	// Pages is where a thorough export keeps what it has read; nil: in a
	// temporary file.
	Pages *Pages
	// Note is called when pages are kept up to a mark. It may be nil.
	Note func(Mark) error

	ahead *aheadPage
}

// Config is what a ServiceProviderConfig says of listings (RFC 7643 §5, RFC 9865
// §4).
type Config struct {
	Sort        bool // sortBy is supported
	CursorsOnly bool // pages are to be had by cursor, and not by index
	MaxPage     int  // resources in a page; 0 is unknown
}

// ReadConfig finds in a ServiceProviderConfig what it says of listings. What is
// not there, or not as it should be, is not said.
func ReadConfig(said scim.Object) Config {
	in := func(name, part string) any {
		_, v, _ := scim.Member(said, name)
		o, _ := v.(scim.Object)
		_, v, _ = scim.Member(o, part)
		return v
	}
	c := Config{Sort: in("sort", "supported") == true}
	c.CursorsOnly = in("pagination", "cursor") == true && in("pagination", "index") == false
	for _, v := range []any{in("pagination", "maxPageSize"), in("filter", "maxResults")} {
		text, _ := v.(scim.Number)
		if n, err := strconv.Atoi(string(text)); err == nil && n > 0 {
			c.MaxPage = n
			break
		}
	}
	return c
}

// Run reads the directory and hands each resource to emit once, in the order of
// its pages, from one goroutine. The resource is emit's to keep.
func (e *Export) Run(ctx context.Context, emit func(scim.Resource) error) (*Listing, error) {
	pages, err := NewPages("")
	if err != nil {
		return nil, err
	}
	defer pages.Close() // nobody misses it
	x := newListing(e, pages)
	x.emit = emit
	return x.run(ctx, ctx)
}

// Look reads the directory and shows each resource to see, in each version that
// was read.
func (e *Export) Look(ctx context.Context, see See) (*Listing, error) {
	pages, err := NewPages("")
	if err != nil {
		return nil, err
	}
	defer pages.Close() // nobody misses it
	x := newListing(e, pages)
	x.see = see
	return x.run(ctx, ctx)
}

// filters are the listings that make up the export: some providers list their
// inactive people apart.
func (e *Export) filters() []string {
	if e.Profile.InactiveFilter == "" || e.Endpoint != scim.Users {
		return []string{e.Filter}
	}
	inactive := both(e.Filter, e.Profile.InactiveFilter)
	switch e.Inactive {
	case InactiveExclude:
		return []string{e.Filter}
	case InactiveOnly:
		return []string{inactive}
	}
	return []string{e.Filter, inactive}
}

// both is a filter for what two filters find.
func both(a, b string) string {
	if a == "" {
		return b
	}
	return "(" + a + ") and " + b
}

// firstPageSize is what the first page is asked for, and mostPageSize how much
// that may grow.
func (e *Export) firstPageSize() int {
	count := e.PageSize
	if count <= 0 {
		count = e.Profile.PageSizeFor(e.Endpoint, e.Attributes, e.ExcludedAttributes)
		if e.Config.MaxPage > 0 {
			count = min(count, e.Config.MaxPage)
		}
	}
	if e.Profile.MaxPageSize > 0 {
		count = min(count, e.Profile.MaxPageSize)
	}
	return count
}

func (e *Export) mostPageSize() int {
	most := largestPage
	if e.Config.MaxPage > 0 {
		most = min(most, e.Config.MaxPage)
	}
	if e.Profile.MaxPageSize > 0 {
		most = min(most, e.Profile.MaxPageSize)
	}
	if e.PageSize > 0 || !e.Thorough || e.Profile.Oversized(e.Endpoint, most, e.Attributes, e.ExcludedAttributes) {
		return 0
	}
	return most
}

// options ask for the first page.
func (e *Export) options() scim.ListOptions {
	return scim.ListOptions{
		Filter: e.Filter, StartIndex: 1, Count: e.firstPageSize(), Attributes: e.asked(""), ExcludedAttributes: e.ExcludedAttributes,
	}
}

// asked are the attributes to ask for: those of the export, and what it has to
// see of each resource itself.
func (e *Export) asked(sortBy string) []string {
	if len(e.Attributes) == 0 {
		return nil
	}
	asked := slices.Clone(e.Attributes)
	add := func(name string) {
		if !namesPath(asked, name) {
			asked = append(asked, name)
		}
	}
	if e.Inactive != InactiveInclude && e.Endpoint == scim.Users {
		add("active")
	}
	if sortBy != "" && sortBy != sortByID {
		add(sortBy)
	}
	return asked
}

func namesPath(names []string, path string) bool {
	whole, _, _ := strings.Cut(path, ".")
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.TrimSpace(name)
		return strings.EqualFold(name, path) || strings.EqualFold(name, whole)
	})
}

// Listing is what an export has found, and how whole it is.
type Listing struct {
	Claimed  int64    `json:"claimed"`  // what the directory says it holds, after the last page
	Read     int64    `json:"read"`     // distinct resources
	Repeated int64    `json:"repeated"` // resources that came again where pages do not overlap
	Newer    int64    `json:"newer"`    // resources that were changed meanwhile, and read again
	Pages    int64    `json:"pages"`
	Grade    string   `json:"grade"`   // A, B or C
	Reasons  []string `json:"reasons"` // for the grade
	Gaps     []string `json:"gaps,omitempty"`
	Cursor   bool     `json:"cursor,omitempty"` // the pages were read one after the other, by cursor
}

// Whole says whether the listing has no gaps that are known of.
func (l *Listing) Whole() bool { return len(l.Gaps) == 0 }

// IncompleteError says that an export has gaps.
type IncompleteError struct{ Gaps []string }

func (e *IncompleteError) Error() string {
	return "the export is incomplete: " + strings.Join(e.Gaps, "; ")
}
