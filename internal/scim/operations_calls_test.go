package scim_test

import (
	"fmt"
	"strings"

	"scimbulk/internal/scim"
)

// resource makes the calls that users and groups have in common.
type resource struct {
	e    scim.Endpoint
	some func(*stage) scim.Resource // one to work on
}

// call is a call of one operation by one of the clients.
type call = func(*stage, *scim.Client) (int, error)

func (r resource) key() string {
	if r.e == scim.Groups {
		return "displayName"
	}
	return "userName"
}

// version is what a condition says: the current one, any other text as it is.
func version(condition string, r scim.Resource) string {
	if condition == "current" {
		return r.Version
	}
	return condition
}

func (r resource) remove(ifMatch string, unknown bool) call {
	return func(s *stage, c *scim.Client) (int, error) {
		it := r.some(s)
		if unknown {
			it.ID = unknownID
		}
		return statusOf(c.Delete(s.t.Context(), r.e, it.ID, version(ifMatch, it)))
	}
}

func (r resource) read(s *stage, c *scim.Client) (int, error) {
	it := r.some(s)
	resp, err := c.Get(s.t.Context(), r.e, it.ID, scim.ReadOptions{})
	if err == nil && (resp.Resource.ID != it.ID || resp.Resource.Version != it.Version || s.text(resp.Resource, r.key()) == "") {
		err = fmt.Errorf("another resource: %s", resp.Resource.Raw)
	}
	return statusOf(resp, err)
}

func (r resource) readUnknown(s *stage) (int, error) {
	return statusOf(s.client.Get(s.t.Context(), r.e, unknownID, scim.ReadOptions{}))
}

// readings show the parameters of reading one resource; shown and other are
// attributes that it has.
func (r resource) readings(shown, other string) []show {
	read := func(q scim.ReadOptions, has, lacks string) func(*stage) (int, error) {
		return func(s *stage) (int, error) {
			resp, err := s.client.Get(s.t.Context(), r.e, r.some(s).ID, q)
			if err == nil {
				err = holds(resp.Resource, has, lacks)
			}
			return statusOf(resp, err)
		}
	}
	return []show{
		{200, "", "attributes", read(scim.ReadOptions{Attributes: []string{shown, "meta"}}, shown, other)},
		{200, "", "excludedAttributes", read(scim.ReadOptions{ExcludedAttributes: []string{other, "externalId"}}, shown, other)},
		{304, "", "If-None-Match is the version", func(s *stage) (int, error) {
			it := r.some(s)
			return statusOf(s.client.Get(s.t.Context(), r.e, it.ID, scim.ReadOptions{IfNoneMatch: it.Version}))
		}},
		{200, "", "If-None-Match is another version", read(scim.ReadOptions{IfNoneMatch: `"999"`}, shown, "")},
	}
}

// holds says whether a resource has one attribute and lacks another.
func holds(r scim.Resource, has, lacks string) error {
	o, err := scim.DecodeObject(r.Raw)
	if err != nil {
		return err
	}
	_, _, there := scim.Member(o, has)
	_, _, tooMuch := scim.Member(o, lacks)
	if !there || lacks != "" && tooMuch {
		return fmt.Errorf("wanted %s and no %s: %s", has, lacks, r.Raw)
	}
	return nil
}

// list finds one by its key, which both bases allow.
func (r resource) list(s *stage, c *scim.Client) (int, error) {
	it := r.some(s)
	page, err := c.List(s.t.Context(), r.e, scim.ListOptions{Count: -1, Filter: r.byKey(s, it)})
	if err == nil && (len(page.Resources) != 1 || page.Resources[0].ID != it.ID || page.TotalResults != 1) {
		err = fmt.Errorf("the filter found %d of %d", len(page.Resources), page.TotalResults)
	}
	return pageStatus(page, err)
}

func (r resource) byKey(s *stage, it scim.Resource) string {
	return scim.Equals(scim.Path{Attr: r.key()}, s.text(it, r.key()))
}

func pageStatus(page *scim.Page, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return page.Response.Status, nil
}

func (r resource) filtered(filter string, count int) call {
	return func(s *stage, c *scim.Client) (int, error) {
		return pageStatus(c.List(s.t.Context(), r.e, scim.ListOptions{Count: count, Filter: filter}))
	}
}

// listings show the parameters of a list.
func (r resource) listings(shown, other string) []show {
	list := func(q scim.ListOptions, length int, has, lacks string) func(*stage) (int, error) {
		return func(s *stage) (int, error) {
			q.Filter = r.byKey(s, r.some(s))
			page, err := s.client.List(s.t.Context(), r.e, q)
			if err == nil && (len(page.Resources) != length || page.TotalResults != 1) {
				err = fmt.Errorf("%d resources of %d, wanted %d of 1", len(page.Resources), page.TotalResults, length)
			}
			for i := 0; err == nil && i < length; i++ {
				err = holds(page.Resources[i], has, lacks)
			}
			return pageStatus(page, err)
		}
	}
	return []show{
		{200, "", "startIndex and count", list(scim.ListOptions{StartIndex: 1, Count: 25}, 1, shown, "")},
		{200, "", "a startIndex after the end", list(scim.ListOptions{StartIndex: 2, Count: 25}, 0, "", "")},
		{200, "", "count=0: the total alone", list(scim.ListOptions{Count: 0}, 0, "", "")},
		{200, "", "attributes", list(scim.ListOptions{Count: -1, Attributes: []string{shown, "meta"}}, 1, shown, other)},
		{200, "", "excludedAttributes, and a page of 100", list(scim.ListOptions{Count: 100, ExcludedAttributes: lean(r.e, other)}, 1, shown, other)},
		{429, "too.many.requests", "a page of 26 with all attributes", func(s *stage) (int, error) {
			return r.filtered(r.byKey(s, r.some(s)), 26)(s, s.client)
		}},
	}
}

// lean leaves out what ties the page size, and one attribute more.
func lean(e scim.Endpoint, other string) []string {
	if e == scim.Groups {
		return []string{"externalId", other}
	}
	return []string{"externalId", "roles", scim.GenesysURN + ":routingSkills", scim.GenesysURN + ":routingLanguages", other}
}

// inactiveUsers compares the two halves of the directory.
func inactiveUsers(s *stage) (int, error) {
	active, err := s.client.List(s.t.Context(), scim.Users, scim.ListOptions{Count: 25})
	if err != nil {
		return 0, err
	}
	inactive, err := s.client.List(s.t.Context(), scim.Users, scim.ListOptions{Count: 25, Filter: "active eq false"})
	if err == nil && (inactive.TotalResults == 0 || len(active.Resources) != 25 || strings.Contains(string(inactive.Resources[0].Raw), `"active":true`)) {
		err = fmt.Errorf("%d active in a page, %d inactive in all", len(active.Resources), inactive.TotalResults)
	}
	return pageStatus(inactive, err)
}

func patchBody(path, value string) string {
	return fmt.Sprintf(`{"schemas":[%q],"Operations":[{"op":"replace","path":%q,"value":%q}]}`, scim.PatchOpURN, path, value)
}

var (
	titleBody    = patchBody("title", "Boss")
	externalBody = patchBody("externalId", "g-2")
	skillBody    = fmt.Sprintf(`{"schemas":[%q],"Operations":[{"op":"add","path":%q,"value":[{"name":"Sales","proficiency":6}]}]}`,
		scim.PatchOpURN, scim.GenesysURN+":routingSkills")
)

func (r resource) patch(body, ifMatch string, unknown bool) call {
	return func(s *stage, c *scim.Client) (int, error) {
		it := r.some(s)
		if unknown {
			it.ID = unknownID
		}
		return changed(c.Patch(s.t.Context(), r.e, it.ID, []byte(body), version(ifMatch, it)))(it)
	}
}

// changed holds a good answer to a change to a new version of the same thing.
func changed(resp *scim.Response, err error) func(before scim.Resource) (int, error) {
	return func(before scim.Resource) (int, error) {
		if err == nil && (resp.Resource.ID != before.ID || resp.Resource.Version == "") {
			err = fmt.Errorf("not the resource that was changed: %s", resp.Resource.Raw)
		}
		return statusOf(resp, err)
	}
}

// replace puts the resource with some members changed.
func (r resource) replace(with, ifMatch string, unknown bool) call {
	return func(s *stage, c *scim.Client) (int, error) {
		it := r.some(s)
		o, err := scim.DecodeObject(it.Raw)
		if err != nil {
			return 0, err
		}
		changes, err := scim.DecodeObject([]byte(with))
		if err != nil {
			return 0, err
		}
		for name, value := range changes {
			o[name] = value
		}
		body, err := scim.Encode(o)
		if err != nil {
			return 0, err
		}
		if unknown {
			it.ID = unknownID
		}
		return changed(c.Replace(s.t.Context(), r.e, it.ID, body, version(ifMatch, it)))(it)
	}
}

// changes show what PUT and PATCH have in common.
func (r resource) changes(change func(body, ifMatch string, unknown bool) call, body string) []show {
	return []show{
		{200, "", "If-Match is the version", on(change(body, "current", false))},
		{400, "invalidVers", "If-Match is another version", on(change(body, `"999"`, false))},
		{404, "not.found", "nothing has the id", on(change(body, "", true))},
	}
}

func creating(members string) call {
	return func(s *stage, c *scim.Client) (int, error) {
		resp, err := c.Create(s.t.Context(), scim.Users, fmt.Appendf(nil, `{"schemas":[%q],%s}`, scim.UserURN, members))
		if err == nil && (resp.Resource.ID == "" || resp.Resource.Version == "" || strings.Contains(string(resp.Resource.Raw), "password")) {
			err = fmt.Errorf("not a new user: %s", resp.Resource.Raw)
		}
		return statusOf(resp, err)
	}
}

func createNew(s *stage, c *scim.Client) (int, error) { return creating(s.newName())(s, c) }

func createTaken(s *stage) (int, error) {
	return creating(fmt.Sprintf(`"userName":%q,"displayName":"Again"`, s.text(s.user(), "userName")))(s, s.client)
}

func replaceTaken(s *stage) (int, error) {
	u := resource{scim.Users, (*stage).user}
	return u.replace(fmt.Sprintf(`{"userName":%q}`, s.text(s.user(), "userName")), "", false)(s, s.client)
}
