package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchOp    = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// A person is what the harness puts into a directory and looks for in it.
// Managers are userNames.
type person struct {
	displayName, title, department, manager string
	active                                  bool
}

// A census is everybody in a directory. ids has more than one id for a name
// only where somebody was made twice.
type census struct {
	people map[string]person          // by userName
	ids    map[string][]string        // by userName or displayName of a group, fold "user " or "group " before it
	groups map[string]map[string]bool // userNames of the members, by displayName
}

// A desk speaks to a directory in the plainest way there is.
type desk struct {
	url     string // base URL
	genesys bool
	client  *http.Client
}

// newDesk has connections of its own: those of another desk may lead to a
// server that was at the same address before.
func newDesk(url string) desk {
	return desk{url, strings.Contains(url, "/api/"), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
}

func (d desk) close() { d.client.CloseIdleConnections() }

func (d desk) send(method, path string, body any) (map[string]any, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	var o map[string]any
	return o, json.Unmarshal(text, &o)
}

// add creates people and returns their ids by userName.
func (d desk) add(people map[string]person) (map[string]string, error) {
	type made struct {
		name, id string
		err      error
	}
	names, results := make(chan string), make(chan made)
	var desks sync.WaitGroup
	for range 8 {
		desks.Go(func() {
			for name := range names {
				o, err := d.send(http.MethodPost, "/Users", userOf(name, people[name]))
				results <- made{name, text(o, "id"), err}
			}
		})
	}
	go func() {
		for name := range people {
			names <- name
		}
		close(names)
		desks.Wait()
		close(results)
	}()
	ids := map[string]string{}
	var failed error
	for m := range results {
		if ids[m.name] = m.id; m.err != nil {
			failed = m.err
		}
	}
	return ids, failed
}

func userOf(name string, p person) map[string]any {
	o := map[string]any{
		"schemas": []string{coreUser}, "userName": name, "displayName": p.displayName, "title": p.title, "active": p.active,
	}
	if p.department != "" {
		o["schemas"] = []string{coreUser, enterprise}
		o[enterprise] = map[string]any{"department": p.department}
	}
	return o
}

// addMembers puts people into a group.
func (d desk) addMembers(group string, ids []string) error {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = map[string]any{"value": id}
	}
	_, err := d.send(http.MethodPatch, "/Groups/"+group, map[string]any{
		"schemas":    []string{patchOp},
		"Operations": []any{map[string]any{"op": "add", "path": "members", "value": values}},
	})
	return err
}

// census reads the whole directory.
func (d desk) census() (*census, error) {
	c := &census{people: map[string]person{}, ids: map[string][]string{}, groups: map[string]map[string]bool{}}
	users, err := d.users()
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range users {
		name := text(u, "userName")
		names[text(u, "id")] = name
		c.ids["user "+name] = append(c.ids["user "+name], text(u, "id"))
	}
	for _, u := range users {
		c.people[text(u, "userName")] = personOf(u, names)
	}
	return c, d.readGroups(c, names)
}

func personOf(u map[string]any, names map[string]string) person {
	manager := text(u, enterprise, "manager", "value")
	if name, known := names[manager]; known {
		manager = name
	}
	active, _ := u["active"].(bool)
	return person{text(u, "displayName"), text(u, "title"), text(u, enterprise, "department"), manager, active}
}

func (d desk) users() ([]map[string]any, error) {
	if !d.genesys {
		return d.list("/Users", "", 100)
	}
	active, err := d.list("/Users", "", 25)
	if err != nil {
		return nil, err
	}
	inactive, err := d.list("/Users", "active eq false", 25)
	return append(active, inactive...), err
}

func (d desk) readGroups(c *census, names map[string]string) error {
	base := d
	base.url = strings.TrimSuffix(d.url, "/v2") // the one that lists groups without a filter
	if !d.genesys {
		base = d
	}
	groups, err := base.list("/Groups", "", 25)
	if err != nil {
		return err
	}
	for _, listed := range groups {
		g, err := d.send(http.MethodGet, "/Groups/"+text(listed, "id"), nil)
		if err != nil {
			return err
		}
		name := text(g, "displayName")
		c.ids["group "+name] = append(c.ids["group "+name], text(g, "id"))
		c.groups[name] = map[string]bool{}
		members, _ := g["members"].([]any)
		for _, m := range members {
			if o, ok := m.(map[string]any); ok {
				c.groups[name][names[text(o, "value")]] = true
			}
		}
	}
	return nil
}

// list reads all pages. The directory is at rest, so that they are as the RFC
// has them.
func (d desk) list(path, filter string, count int) ([]map[string]any, error) {
	var all []map[string]any
	for {
		query := url.Values{"startIndex": {fmt.Sprint(len(all) + 1)}, "count": {fmt.Sprint(count)}}
		if filter != "" {
			query.Set("filter", filter)
		}
		page, err := d.send(http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		found, _ := page["Resources"].([]any)
		for _, r := range found {
			if o, ok := r.(map[string]any); ok {
				all = append(all, o)
			}
		}
		if total, _ := page["totalResults"].(float64); len(found) == 0 || len(all) >= int(total) {
			return all, nil
		}
	}
}

// text is a text in an object, "" where there is none.
func text(o map[string]any, path ...string) string {
	var v any = o
	for _, name := range path {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	s, _ := v.(string)
	return s
}
