package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// Line is a change as a plan file or an undo file holds it, one a line.
type Line struct {
	Line     int64                 `json:"line"` // of the row that asked for it
	Op       Action                `json:"op"`
	Resource string                `json:"resource"`
	Key      string                `json:"key"`
	ID       string                `json:"id,omitzero"`
	Version  string                `json:"version,omitzero"`
	Before   scim.Object           `json:"before,omitzero"` // by short path
	After    scim.Object           `json:"after,omitzero"`
	Patch    []scim.PatchOperation `json:"patch,omitzero"`
	Body     scim.Object           `json:"body,omitzero"`
	Absent   bool                  `json:"absent,omitzero"` // no row asked for it: the input does not hold whom it is about

	// Seen tells every attribute that the resource had when the change was
	// planned, by a short hash: see [Rules.Fingerprint]. With Partial, what is
	// not in it was not looked at.
	Seen    map[string]string `json:"seen,omitzero"`
	Partial bool              `json:"partial,omitzero"`
	// Withheld are secrets that were left out: the change cannot be carried
	// out without them. Lost are secrets that a write has replaced and that
	// nobody can bring back.
	Withheld []string `json:"withheld,omitzero"`
	Lost     []string `json:"lost,omitzero"`
	// Groups are, in an undo file, those that somebody who was deleted was a
	// member of, by themselves and not by way of another group.
	Groups []GroupRef `json:"groups,omitzero"`
}

// GroupRef names a group.
type GroupRef struct {
	ID   string `json:"value"`
	Name string `json:"display,omitzero"`
}

// groupsOf are the groups that a resource shows itself to be a member of.
func groupsOf(o scim.Object) []GroupRef {
	_, v, _ := scim.Member(o, "groups")
	var groups []GroupRef
	for _, e := range asList(v) {
		group, _ := e.(scim.Object)
		text := func(name string) string {
			_, v, _ := scim.Member(group, name)
			if n, ok := v.(scim.Number); ok { // as the ids of some servers
				return string(n)
			}
			s, _ := v.(string)
			return s
		}
		if id := text("value"); id != "" && !strings.EqualFold(text("type"), "indirect") { // RFC 7643 §4.1.2
			groups = append(groups, GroupRef{ID: id, Name: text("display")})
		}
	}
	return groups
}

// NewLine writes a change down. Secrets are withheld unless they are wanted.
func NewLine(line int64, resource, key string, c *Change, secrets bool) *Line {
	l := &Line{
		Line: line, Op: c.Action, Resource: resource, Key: key, ID: c.ID, Version: c.Version,
		Patch: c.Patch, Body: c.Body,
	}
	if c.Action != ActCreate {
		l.Before, l.After = scim.Object{}, scim.Object{}
	}
	for _, d := range c.Differences {
		switch {
		case d.Secret && !secrets:
			l.withhold(d.Path)
		case !d.Secret && l.Before != nil:
			l.Before[d.Path], l.After[d.Path] = joined(l.Before[d.Path], d.Old), joined(l.After[d.Path], d.New)
		}
	}
	return l
}

// joined puts the values of one path together that went and came one by one, as
// members do.
func joined(had, v any) any {
	list, ok := had.([]any)
	more, okMore := v.([]any)
	switch {
	case ok && okMore:
		return slices.Concat(list, more)
	case v == nil:
		return had
	}
	return v
}

// withhold takes a secret out: a plan file is read by people and kept.
func (l *Line) withhold(path string) {
	l.Withheld = append(l.Withheld, path)
	if l.Body != nil {
		l.Body = maps.Clone(l.Body)
		delete(l.Body, path)
	}
	l.Patch = slices.DeleteFunc(slices.Clone(l.Patch), func(op scim.PatchOperation) bool { return op.Path == path })
}

// ParseLine reads a line of a plan file.
func ParseLine(raw []byte) (*Line, error) {
	o, err := scim.DecodeObject(raw)
	if err != nil {
		return nil, err
	}
	r := &lineReader{o: o}
	l := &Line{
		Op: Action(r.text("op")), Resource: r.text("resource"), Key: r.text("key"), ID: r.text("id"), Version: r.text("version"),
		Before: r.object("before"), After: r.object("after"), Body: r.object("body"), Patch: r.patch(),
		Groups:   groupsOf(o),
		Withheld: r.texts("withheld"), Lost: r.texts("lost"), Partial: o["partial"] == true,
	}
	if seen := r.object("seen"); seen != nil {
		l.Seen = map[string]string{}
		for name, v := range seen {
			l.Seen[name], _ = v.(string)
		}
	}
	if n, ok := o["line"].(scim.Number); ok {
		fmt.Sscan(string(n), &l.Line) // stays 0 where it is no line
	}
	return l, errors.Join(errors.Join(r.faults...), l.check())
}

// check says what keeps a line from being carried out.
func (l *Line) check() error {
	switch {
	case !slices.Contains([]Action{ActCreate, ActUpdate, ActReplace, ActDelete, ActDeactivate}, l.Op):
		return fmt.Errorf("%q is no change that a plan can hold", l.Op)
	case l.Key == "":
		return errors.New("no key")
	case l.Op == ActCreate && l.Body == nil && l.Withheld == nil:
		return errors.New("a create without a body")
	case l.Op == ActDelete && l.ID == "":
		return errors.New("a delete without an id")
	case l.Op != ActCreate && l.Op != ActDelete && l.Body == nil && len(l.Patch) == 0 && l.Withheld == nil:
		return fmt.Errorf("a change (%s) with neither patch nor body", l.Op)
	}
	return nil
}

// lineReader takes members out of a line and keeps what is wrong with them.
type lineReader struct {
	o      scim.Object
	faults []error
}

func (r *lineReader) fault(name, want string) {
	r.faults = append(r.faults, fmt.Errorf("%s is not %s", name, want))
}

func (r *lineReader) text(name string) string {
	text, ok := r.o[name].(string)
	if !ok && r.o[name] != nil {
		r.fault(name, "a text")
	}
	return text
}

func (r *lineReader) object(name string) scim.Object {
	o, ok := r.o[name].(scim.Object)
	if !ok && r.o[name] != nil {
		r.fault(name, "an object")
	}
	return o
}

func (r *lineReader) texts(name string) []string {
	var list []string
	for _, v := range asList(r.o[name]) {
		text, _ := v.(string)
		list = append(list, text)
	}
	return list
}

func (r *lineReader) patch() []scim.PatchOperation {
	var ops []scim.PatchOperation
	for _, v := range asList(r.o["patch"]) {
		o, _ := v.(scim.Object)
		op, _ := o["op"].(string)
		path, _ := o["path"].(string)
		if !slices.Contains([]string{"add", "replace", "remove"}, op) || strings.TrimSpace(path) == "" {
			r.fault("patch", "a list of operations with op and path")
			return nil
		}
		ops = append(ops, scim.PatchOperation{Op: op, Path: path, Value: o["value"]})
	}
	return ops
}
