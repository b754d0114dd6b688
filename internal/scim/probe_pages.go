package scim

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	hugePage  = 1000 // more than any directory is known to grant
	fullPage  = 100  // what most directories grant
	smallPage = 3
	orderPage = 10

	// A 429 that comes so often in a row is for the size of the page.
	largeTries = 3
)

// askPageCap asks for more than a page can hold, with few attributes and with
// all of them.
func (p *prober) askPageCap(ctx context.Context) {
	lean := ListOptions{Count: hugePage, Attributes: []string{"userName", "active"}}
	page, err := p.large(ctx, lean)
	if err != nil {
		p.unknown("page-cap", refused(err))
		return
	}
	if len(page.Resources) > len(p.people) {
		p.people = page.Resources
	}
	n := len(page.Resources)
	switch {
	case n >= hugePage:
		p.fine("page-cap", fmt.Sprintf("%d or more", n))
	case p.total > n || n > 0 && n < len(p.first.Resources):
		p.found["page-cap"] = Finding{State: FindingOK, Answer: fmt.Sprint(n) + p.pageSizeDoubt(n), Flag: p.pageSizeFlag(n)}
	case n > 0:
		p.unknown("page-cap", fmt.Sprintf("%d or more: all came in one page", n))
	}
	p.askPageTie(ctx)
}

// pageSizeDoubt tells where the configuration promises larger pages (RFC 9865
// §4, or as most read RFC 7643 §5).
func (p *prober) pageSizeDoubt(n int) string {
	for _, limit := range [][2]string{{"pagination", "maxPageSize"}, {"filter", "maxResults"}} {
		_, v, _ := Member(p.part(limit[0]), limit[1])
		text, _ := v.(Number)
		if claimed, err := strconv.Atoi(string(text)); err == nil && claimed > n {
			return fmt.Sprintf(", although %s.%s is %d", limit[0], limit[1], claimed)
		}
	}
	return ""
}

// large reads a large page, and tells a refusal of its size from one of the
// moment by asking again.
func (p *prober) large(ctx context.Context, q ListOptions) (page *Page, err error) {
	for range largeTries {
		if page, err = p.list(ctx, Users, q); httpStatus(err) != http.StatusTooManyRequests {
			break
		}
		p.tooLarge++
	}
	return page, err
}

// pageSizeFlag is the flag for pages of another size than the profile's own.
func (p *prober) pageSizeFlag(n int) string {
	if n == 0 || n == p.c.profile.PageSize || n == p.c.profile.LeanPageSize {
		return ""
	}
	return fmt.Sprintf("--page-size %d", n)
}

func (p *prober) askPageTie(ctx context.Context) {
	_, err := p.large(ctx, ListOptions{Count: fullPage})
	switch status := httpStatus(err); {
	case err == nil:
		p.fine("page-tie", "yes")
	case status == http.StatusTooManyRequests:
		p.trapUnless(p.c.profile.Oversized(Users, fullPage, nil, nil), "page-tie", "no: "+refused(err),
			"large pages need --attributes, as with Genesys Cloud", "--provider genesys")
	default:
		p.trap("page-tie", "no: "+refused(err), "large pages need --attributes", "")
	}
}

// askOrder reads a page twice.
func (p *prober) askOrder(ctx context.Context) {
	a, errA := p.users(ctx, 1, orderPage)
	b, errB := p.users(ctx, 1, orderPage)
	switch {
	case errA != nil || errB != nil || len(a.Resources) < 2:
		return
	case slices.Equal(ids(a.Resources), ids(b.Resources)):
		p.fine("order", "yes")
	default:
		p.unstable = true
		p.trap("order", "no: the same page came with other people, or in another order",
			"an export may miss people and says so; page by cursor or narrow it with --filter", "")
	}
}

// askPages reads two small pages in a row.
func (p *prober) askPages(ctx context.Context) {
	a, err := p.users(ctx, 1, smallPage)
	if err != nil || len(a.Resources) == 0 {
		return
	}
	n := len(a.Resources)
	if n > smallPage {
		p.trap("count", fmt.Sprintf("no: %d asked for, %d came", smallPage, n), "pages are counted by what they hold", "")
	} else if p.plenty(smallPage) {
		p.fine("count", "yes")
	}
	if n < smallPage && p.plenty(smallPage) {
		p.trap("short-pages", fmt.Sprintf("no: %d asked for, %d came, and there are more", smallPage, n),
			"a short page is not the last one; scimbulk reads on", "")
	} else if p.plenty(smallPage) {
		p.fine("short-pages", "yes")
	}
	if p.plenty(n) {
		p.askNextPage(ctx, a)
	}
}

func (p *prober) askNextPage(ctx context.Context, a *Page) {
	start := 1 + len(a.Resources)
	b, err := p.users(ctx, start, smallPage)
	const gaps = "only the first page can be read: an export says that it has gaps"
	switch {
	case err != nil:
		p.trap("start-index", refused(err), gaps, "")
	case len(b.Resources) == 0:
		p.trap("start-index", "no: the second page is empty", gaps, "")
	case slices.Equal(ids(a.Resources), ids(b.Resources)):
		p.noStart = true
		p.trap("start-index", "no: every page is the first one", gaps, "")
	case shared(a.Resources, b.Resources) == 0:
		p.fine("start-index", "yes")
	case p.unstable:
		p.unknown("start-index", "the order is not stable, so that pages overlap")
	default:
		p.trap("start-index", "no: the second page repeats some of the first", gaps, "")
	}
	if err == nil {
		p.checkCounters(b, start)
	}
}

// checkCounters compares what a page says of itself with what it is.
func (p *prober) checkCounters(page *Page, start int) {
	if _, judged := p.found["counters"]; judged && p.found["counters"].State == FindingTrap {
		return
	}
	const follows = "scimbulk goes by what it receives"
	switch n := len(page.Resources); {
	case page.ItemsPerPage != n:
		p.trap("counters", fmt.Sprintf("no: itemsPerPage is %d on a page of %d", page.ItemsPerPage, n), follows, "")
	case page.StartIndex != start && !p.noStart:
		p.trap("counters", fmt.Sprintf("no: startIndex is %d on a page that starts at %d", page.StartIndex, start), follows, "")
	default:
		p.fine("counters", "yes")
	}
}

// askEnd asks for what comes after the last user, as the total has it.
func (p *prober) askEnd(ctx context.Context) {
	if p.total < 0 {
		p.trap("total", "no total is given", "progress cannot be foretold, nor completeness proven", "")
		return
	}
	if len(p.people) == 0 {
		return
	}
	page, err := p.users(ctx, p.total+1, smallPage)
	switch {
	case err != nil:
		p.trap("past-end", refused(err), "scimbulk stops at the total", "")
	case len(page.Resources) == 0:
		p.fine("past-end", "yes")
		p.checkTotal(0)
		p.checkCounters(page, page.StartIndex)
	case p.noStart:
		p.unknown("past-end", "startIndex is ignored")
		p.checkTotal(0)
	case shared(p.people[:min(smallPage, len(p.people))], page.Resources) == len(page.Resources):
		p.trap("past-end", "no: the first page comes again", "scimbulk stops when a page brings nothing new", "")
		p.checkTotal(0)
	default:
		p.checkTotal(len(page.Resources))
	}
}

// checkTotal compares the total with what has come, and with what comes after.
func (p *prober) checkTotal(after int) {
	const follows = "scimbulk reads on until a page brings nothing new"
	switch {
	case after > 0:
		p.trap("total", fmt.Sprintf("no: it says %d, and more come after them", p.total), follows, "")
	case len(p.people) > p.total:
		p.trap("total", fmt.Sprintf("no: it says %d, and %d came", p.total, len(p.people)), follows, "")
	default:
		p.fine("total", "yes")
	}
}

func (p *prober) askCountZero(ctx context.Context) {
	page, err := p.list(ctx, Users, ListOptions{Count: 0})
	switch {
	case err != nil:
		p.note("count-zero", refused(err), "")
	case len(page.Resources) > 0:
		p.trap("count-zero", fmt.Sprintf("no: %d users came", len(page.Resources)), "the total costs a page", "")
	case len(p.people) > 0:
		p.fine("count-zero", "yes")
	}
}

// askSort compares a sorted page with a plain one.
func (p *prober) askSort(ctx context.Context) {
	page, err := p.list(ctx, Users, ListOptions{SortBy: "userName", Count: orderPage})
	claimed, _ := p.says("sort")
	switch {
	case err != nil:
		p.trapUnlessSaid(claimed, "sort", refused(err))
	case len(page.Resources) < smallPage:
	case !inOrder(page.Resources):
		p.trapUnlessSaid(claimed, "sort", "no")
	case inOrder(p.people[:min(orderPage, len(p.people))]):
		p.unknown("sort", "the people come in that order anyhow")
	default:
		p.fine("sort", "yes")
	}
}

// trapUnlessSaid is a trap where the directory claims the opposite.
func (p *prober) trapUnlessSaid(claimed bool, name, answer string) {
	if claimed {
		p.trap(name, answer+", although it says so", "scimbulk does not rely on it", "")
		return
	}
	p.note(name, answer, "")
}

func inOrder(list []Resource) bool {
	return slices.IsSortedFunc(list, func(a, b Resource) int {
		return strings.Compare(strings.ToLower(textMember(a, "userName")), strings.ToLower(textMember(b, "userName")))
	})
}

// askCursor follows a cursor one page far (RFC 9865).
func (p *prober) askCursor(ctx context.Context) {
	start := ""
	claimed := false
	if _, v, _ := Member(p.part("pagination"), "cursor"); v == true {
		claimed = true
	}
	a, err := p.list(ctx, Users, ListOptions{Cursor: &start, Count: smallPage})
	switch {
	case err != nil:
		p.trapUnlessSaid(claimed, "cursor", refused(err))
		return
	case a.NextCursor == "" && p.plenty(smallPage):
		p.trapUnlessSaid(claimed, "cursor", "no")
		return
	case a.NextCursor == "":
		return
	}
	b, err := p.list(ctx, Users, ListOptions{Cursor: &a.NextCursor, Count: smallPage})
	switch {
	case err != nil:
		p.trap("cursor", "no: the second page is "+refused(err), "", "")
	case shared(a.Resources, b.Resources) > 0:
		p.trap("cursor", "no: the second page repeats some of the first", "", "")
	default:
		p.fine("cursor", "yes")
	}
}

// askAttributes looks for attributes that were not asked for.
func (p *prober) askAttributes(ctx context.Context) {
	page, err := p.list(ctx, Users, ListOptions{Count: 1, Attributes: []string{"userName"}})
	switch {
	case err != nil:
		p.trap("attributes", refused(err), "leave --attributes out", "")
	case len(page.Resources) == 0 || len(extras(p.first.Resources)) == 0:
	case len(extras(page.Resources)) > 0:
		p.trap("attributes", "no: "+strings.Join(extras(page.Resources), ", ")+" came as well", "--attributes saves nothing", "")
	default:
		p.fine("attributes", "yes")
	}
	_, err = p.list(ctx, Users, ListOptions{Count: 1, Attributes: []string{EnterpriseURN + ":department"}})
	if err != nil {
		p.trap("attributes-urn", refused(err), "name no attribute of an extension in --attributes", "")
		return
	}
	p.fine("attributes-urn", "yes")
}

// extras are the members that a resource need not have when userName alone was
// asked for; Genesys adds active to those that every answer has.
func extras(list []Resource) []string {
	var names []string
	for _, r := range list {
		o, err := DecodeObject(r.Raw)
		if err != nil {
			continue
		}
		for name := range o {
			due := slices.Contains([]string{"id", "username", "meta", "schemas", "active"}, strings.ToLower(name))
			if !due && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// askGroups lists groups without a filter, below the base URL and, where that
// is refused, below the base without its version.
func (p *prober) askGroups(ctx context.Context) {
	page, err := p.list(ctx, Groups, ListOptions{Count: smallPage})
	if err == nil {
		answer := "yes"
		if page.HasTotal {
			answer = fmt.Sprintf("yes: %d in all", page.TotalResults)
		}
		p.fine("groups", answer)
		return
	}
	reason := refused(err)
	k, callErr := p.c.listCall(Groups, ListOptions{Count: smallPage})
	suffix := genesysProfile().FilteredBase
	if status := httpStatus(err); callErr != nil || status != http.StatusBadRequest || !strings.HasSuffix(strings.ToLower(p.c.base), suffix) {
		p.trap("groups", reason, "groups cannot be exported", "")
		return
	}
	k.base = p.c.base[:len(p.c.base)-len(suffix)]
	if _, err = p.c.page(ctx, k); err != nil {
		p.trap("groups", reason, "groups cannot be exported", "")
		return
	}
	p.trapUnless(p.c.profile.GroupsNeedFilter, "groups", "not here, but below the base URL without "+suffix,
		"this is how Genesys Cloud does it", "--provider genesys")
}
