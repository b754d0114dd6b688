package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Finding is a question put to a directory, what came of it, and what follows.
// It names no person.
type Finding struct {
	Name     string `json:"name"`
	Section  string `json:"section"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
	State    string `json:"state"`
	Follows  string `json:"follows,omitzero"`
	// Flag is what belongs on the command line because of it, "" for nothing.
	Flag string `json:"flag,omitzero"`
}

// The states of a finding.
const (
	FindingOK      = "ok"      // as the RFC would have it
	FindingNote    = "note"    // worth knowing, and nothing is wrong
	FindingTrap    = "trap"    // a client that trusted the directory would be wrong
	FindingUnknown = "unknown" // could not be told
)

// question is what a probe asks. The list is the order of a report.
type question struct{ name, section, text string }

func questions() []question {
	const says, reading, looking, versions, limits = "says of itself", "reading", "looking up", "versions", "limits"
	return []question{
		{"config", says, "ServiceProviderConfig"},
		{"patch", says, "PATCH"},
		{"bulk", says, "bulk"},
		{"filters", says, "filter"},
		{"sorts", says, "sort"},
		{"etags", says, "ETags"},
		{"pagination", says, "pagination"},
		{"auth", says, "authentication"},
		{"types", says, "ResourceTypes"},
		{"schemas", says, "Schemas"},
		{"users", reading, "users can be listed"},
		{"page-cap", reading, "most users in a page"},
		{"page-tie", reading, "pages of 100 with all attributes"},
		{"count", reading, "count is honoured"},
		{"short-pages", reading, "pages are full"},
		{"start-index", reading, "startIndex is honoured"},
		{"order", reading, "the order is stable"},
		{"total", reading, "totalResults is plausible"},
		{"past-end", reading, "nothing after the end"},
		{"count-zero", reading, "count=0 sends the total alone"},
		{"counters", reading, "startIndex and itemsPerPage are right"},
		{"sort", reading, "sortBy is honoured"},
		{"cursor", reading, "pages by cursor"},
		{"attributes", reading, "attributes is honoured"},
		{"attributes-urn", reading, "attributes takes URNs"},
		{"inactive-listed", reading, "inactive people are listed"},
		{"groups", reading, "groups without a filter"},
		{"filter", looking, "the userName filter is honoured"},
		{"filter-case", looking, "it disregards case"},
		{"filter-quotes", looking, "it survives quotes"},
		{"inactive-lookup", looking, "it finds inactive people"},
		{"etag", versions, "ETag"},
		{"etag-meta", versions, "ETag equals meta.version"},
		{"not-modified", versions, "If-None-Match gets 304"},
		{"content-type", limits, "answers are labelled as JSON"},
		{"rate-headers", limits, "quota headers"},
		{"retry-after", limits, "Retry-After"},
	}
}

// prober asks one directory.
type prober struct {
	c     *Client
	watch *headerWatch
	found map[string]Finding

	config    Object // what ServiceProviderConfig says, nil for nothing
	total     int    // as the first listing claims it, -1 where it does not
	first     *Page  // the first listing, with all attributes
	people    []Resource
	unstable  bool   // the order
	noStart   bool   // startIndex is ignored
	filtering bool   // the filter can be relied on
	tooLarge  int    // 429s for a page, which are no plea to wait
	why       string // what is left open is left open because of it
}

// Probe finds out what the directory says of itself and what it really does. It
// sends a few dozen reads and nothing else. While it runs, nothing else may be
// asked of the client. An error means that users cannot be listed; the findings
// up to there come with it.
func (c *Client) Probe(ctx context.Context) ([]Finding, error) {
	p := &prober{c: c, found: map[string]Finding{}, total: -1, watch: &headerWatch{next: c.http.Transport}}
	own := c.http
	defer func() { c.http = own }()
	watched := *own
	watched.Transport = p.watch
	c.http = &watched
	err := p.ask(ctx)
	if len(p.watch.statuses) > 0 {
		p.askLimits()
	}
	return p.report(), err
}

func (p *prober) ask(ctx context.Context) error {
	if err := p.askDiscovery(ctx); err != nil {
		p.why = "not asked: the directory does not answer"
		if httpStatus(err) == http.StatusUnauthorized {
			p.why = "not asked: the credentials are not accepted"
		}
		return err
	}
	if err := p.askUsers(ctx); err != nil {
		p.why = "not asked: users cannot be listed"
		return err
	}
	for _, step := range []func(context.Context){
		p.askPageCap, p.askOrder, p.askPages, p.askEnd, p.askCountZero, p.askSort, p.askCursor, p.askAttributes, p.askGroups,
		p.askFilter, p.askInactive, p.askVersions,
	} {
		if err := ctx.Err(); err != nil {
			p.why = "not asked: interrupted"
			return err
		}
		step(ctx)
	}
	p.why = "too few people came to tell"
	return nil
}

// report lists a finding for every question; what was not answered is unknown.
func (p *prober) report() []Finding {
	var all []Finding
	for _, q := range questions() {
		f, answered := p.found[q.name]
		if !answered {
			f = Finding{State: FindingUnknown, Answer: p.why}
		}
		f.Name, f.Section, f.Question = q.name, q.section, q.text
		all = append(all, f)
	}
	return all
}

// The verbs that answer a question.

func (p *prober) fine(name, answer string) {
	p.found[name] = Finding{State: FindingOK, Answer: answer}
}

func (p *prober) note(name, answer, follows string) {
	p.found[name] = Finding{State: FindingNote, Answer: answer, Follows: follows}
}

func (p *prober) trap(name, answer, follows, flag string) {
	p.found[name] = Finding{State: FindingTrap, Answer: answer, Follows: follows, Flag: flag}
}

func (p *prober) unknown(name, answer string) {
	p.found[name] = Finding{State: FindingUnknown, Answer: answer}
}

// leaveOpen answers the questions that have no answer yet.
func (p *prober) leaveOpen(reason string, names ...string) {
	for _, name := range names {
		if _, answered := p.found[name]; !answered {
			p.unknown(name, reason)
		}
	}
}

// trapUnless is a trap that the profile in use already allows for.
func (p *prober) trapUnless(known bool, name, answer, follows, flag string) {
	if known {
		p.note(name, answer, p.c.profile.Title+" is known for it")
		return
	}
	p.trap(name, answer, follows, flag)
}

// list reads a page below the base URL, whatever the profile says. A 429 for a
// large page is an answer, and not a plea to wait.
func (p *prober) list(ctx context.Context, e Endpoint, q ListOptions) (*Page, error) {
	k, err := p.c.listCall(e, q)
	if err != nil {
		return nil, err
	}
	k.base, k.oversized = "", q.Count >= fullPage
	return p.c.page(ctx, k)
}

// users reads a page of users.
func (p *prober) users(ctx context.Context, start, count int) (*Page, error) {
	return p.list(ctx, Users, ListOptions{StartIndex: start, Count: count})
}

// plenty tells that the directory holds more than n users, as far as is known.
func (p *prober) plenty(n int) bool { return max(p.total, len(p.people), len(p.first.Resources)) > n }

func (p *prober) askUsers(ctx context.Context) error {
	page, err := p.list(ctx, Users, ListOptions{Count: -1})
	if err != nil {
		p.trap("users", refused(err), "nothing else can be found out, or done", "")
		return err
	}
	p.first, p.people = page, page.Resources
	total := "no total"
	if page.HasTotal {
		p.total = page.TotalResults
		total = fmt.Sprintf("%d in all", page.TotalResults)
	}
	answer := fmt.Sprintf("yes: %s, %d in a page when no size is asked for", total, len(page.Resources))
	if len(page.Resources) == 0 {
		p.note("users", "yes, but there are none", "most questions need people: probe again when there are some")
		return nil
	}
	p.fine("users", answer)
	return nil
}

// refused is an error as an answer: its status and what the server says.
func refused(err error) string {
	var fault *Error
	switch {
	case !errors.As(err, &fault):
		return err.Error()
	case fault.Status < 300 || fault.HTML:
		return fault.what()
	}
	return "refused: " + fault.what()
}

func httpStatus(err error) int {
	var fault *Error
	if errors.As(err, &fault) {
		return fault.Status
	}
	return 0
}

func ids(list []Resource) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.ID)
	}
	return all
}

// shared counts the resources that two lists have in common.
func shared(a, b []Resource) int {
	n := 0
	known := ids(a)
	for _, id := range ids(b) {
		if slices.Contains(known, id) {
			n++
		}
	}
	return n
}
