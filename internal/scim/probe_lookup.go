package scim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// Where a look-up cannot be trusted, the directory is read instead.
	readInstead  = "look people up in a reading of the whole directory"
	lookupFlag   = "--lookup directory"
	userNameAttr = "userName"
)

// textMember reads a member that is text, "" where it is not there.
func textMember(r Resource, attr string) string {
	o, err := DecodeObject(r.Raw)
	if err != nil {
		return ""
	}
	_, v, _ := Member(o, attr)
	text, _ := v.(string)
	return text
}

// isInactive tells that a user says so of itself.
func isInactive(r Resource) bool {
	o, err := DecodeObject(r.Raw)
	if err != nil {
		return false
	}
	_, v, _ := Member(o, "active")
	return v == false
}

// lookUp finds users by userName: how many came, and how many of them are meant.
func (p *prober) lookUp(ctx context.Context, name string) (came, meant int, err error) {
	page, err := p.list(ctx, Users, ListOptions{Filter: Equals(Path{Attr: userNameAttr}, name), Count: -1})
	if err != nil {
		return 0, 0, err
	}
	for _, r := range page.Resources {
		if strings.EqualFold(textMember(r, userNameAttr), name) {
			meant++
		}
	}
	return len(page.Resources), meant, nil
}

// refusedBriefly leaves out what the server says, which may repeat the name.
func refusedBriefly(err error) string {
	var fault *Error
	if errors.As(err, &fault) && fault.Status >= 300 && !fault.HTML {
		return "refused: " + fault.statusText()
	}
	return refused(err)
}

// stranger is a name that nobody has.
func stranger(middle string) string { return "nobody" + middle + rand.Text() + "@example.invalid" }

// askFilter asks whether look-ups can be relied on; if not, nothing can be told
// by them.
func (p *prober) askFilter(ctx context.Context) {
	p.tryFilter(ctx)
	if p.found["filter"].State == FindingTrap {
		p.leaveOpen("the filter cannot be relied on", "filter-case", "filter-quotes", "inactive-listed", "inactive-lookup")
	}
}

// tryFilter looks for somebody who is there, and for somebody who is not.
func (p *prober) tryFilter(ctx context.Context) {
	came, _, err := p.lookUp(ctx, stranger("-"))
	switch {
	case err != nil:
		p.trap("filter", refusedBriefly(err), readInstead, lookupFlag)
		return
	case came > 0:
		p.trap("filter", fmt.Sprintf("no: it finds %d people for a name that nobody has", came), readInstead, lookupFlag)
		return
	}
	name := p.knownName()
	if name == "" {
		return
	}
	came, meant, err := p.lookUp(ctx, name)
	switch {
	case err != nil:
		p.trap("filter", refusedBriefly(err), readInstead, lookupFlag)
	case meant == 0 && came > 0:
		p.trap("filter", "no: it brings somebody else", readInstead, lookupFlag)
	case meant == 0:
		p.trap("filter", "no: it does not find somebody who is there", readInstead, lookupFlag)
	case meant > 1:
		p.trap("filter", fmt.Sprintf("yes, but %d people have one userName", meant), "rows for them are rejected: match them by another attribute", "--match externalId")
	default:
		p.filtering = true
		p.fine("filter", "yes")
		p.askCase(ctx, name)
	}
	p.askQuotes(ctx)
}

// knownName is the userName of somebody whom a look-up should find, by
// preference one who is active and whose name needs no escaping.
func (p *prober) knownName() string {
	var name string
	for _, r := range p.people {
		text := textMember(r, userNameAttr)
		if text == "" || name != "" && (isInactive(r) || strings.ContainsAny(text, `'"\`)) {
			continue
		}
		name = text
		if !isInactive(r) && !strings.ContainsAny(text, `'"\`) {
			break
		}
	}
	return name
}

// askCase looks for the same person in another case: uniqueness of userName
// does not mind it (RFC 7643 §4.1.1).
func (p *prober) askCase(ctx context.Context, name string) {
	other := strings.ToUpper(name)
	if other == name {
		other = strings.ToLower(name)
	}
	if other == name {
		p.unknown("filter-case", "the name has no letters")
		return
	}
	_, meant, err := p.lookUp(ctx, other)
	switch {
	case err != nil:
		p.trap("filter-case", refusedBriefly(err), readInstead, lookupFlag)
	case meant == 0:
		p.trap("filter-case", "no: userName in another case is not found", readInstead, lookupFlag)
	default:
		p.fine("filter-case", "yes")
	}
}

// askQuotes looks for a name with quotes in it: of somebody who is there, if
// there is one.
func (p *prober) askQuotes(ctx context.Context) {
	name, there := stranger(`'s "own\ `), 0
	for _, r := range p.people {
		if text := textMember(r, userNameAttr); strings.ContainsAny(text, `'"\`) {
			name, there = text, 1
			break
		}
	}
	came, meant, err := p.lookUp(ctx, name)
	switch {
	case err != nil:
		p.trap("filter-quotes", refusedBriefly(err), readInstead, lookupFlag)
	case came > 0 && there == 0 || meant < there:
		p.trap("filter-quotes", "no: it finds the wrong people", readInstead, lookupFlag)
	case there == 0:
		p.fine("filter-quotes", "yes: no error, and nobody here has one in the name")
	default:
		p.fine("filter-quotes", "yes")
	}
}

// askInactive compares the listing with the inactive people whom a filter finds.
func (p *prober) askInactive(ctx context.Context) {
	if slices.ContainsFunc(p.people, isInactive) {
		p.fine("inactive-listed", "yes")
	}
	if !p.filtering {
		return
	}
	page, err := p.list(ctx, Users, ListOptions{Filter: "active eq false", Count: orderPage})
	var asleep []Resource
	if err == nil {
		asleep = slices.DeleteFunc(page.Resources, func(r Resource) bool { return !isInactive(r) })
	}
	if len(asleep) == 0 {
		p.noInactive(err)
		return
	}
	if _, answered := p.found["inactive-listed"]; !answered {
		p.askHidden(ctx, page.TotalResults)
	}
	_, meant, err := p.lookUp(ctx, textMember(asleep[0], userNameAttr))
	switch {
	case err != nil:
		p.unknown("inactive-lookup", refusedBriefly(err))
	case meant == 0:
		p.trapUnless(!p.c.profile.LookupsSeeInactive, "inactive-lookup", "no",
			"a create for one of them is refused as taken: "+readInstead, lookupFlag)
	default:
		p.fine("inactive-lookup", "yes")
	}
}

func (p *prober) noInactive(err error) {
	answer := "nobody is inactive"
	if err != nil {
		answer = "active eq false is " + refusedBriefly(err)
	}
	p.leaveOpen(answer, "inactive-listed", "inactive-lookup")
}

// askHidden settles by the totals what the pages do not show.
func (p *prober) askHidden(ctx context.Context, inactive int) {
	page, err := p.list(ctx, Users, ListOptions{Filter: "active eq true", Count: 1})
	switch {
	case err != nil || p.total < 0 || !page.HasTotal:
		p.unknown("inactive-listed", "the totals do not tell")
	case page.TotalResults+inactive == p.total:
		p.fine("inactive-listed", "yes")
	case page.TotalResults == p.total:
		p.trapUnless(p.c.profile.InactiveFilter != "", "inactive-listed", fmt.Sprintf("no: %d are left out", inactive),
			"a second export with --filter 'active eq false' brings them", "")
	default:
		p.unknown("inactive-listed", "the totals do not add up")
	}
}
