package sandbox

import (
	"slices"
	"strings"
)

// view is a resource as it stood at one moment, with what other resources add
// to it. It can be rendered without the directory's lock.
type view struct {
	t       *resourceType
	rev     *revision
	groups  []link
	members []link
}

// link refers to a group or a member.
type link struct {
	id, kind, display string
	way               string // direct or indirect, of a user's group
}

// look takes a view of what p shows; the directory must be locked at least for
// reading. Members that are not shown, which can be very many, cost nothing.
func (d *directory) look(c *collection, rev *revision, p projection) view {
	v := view{t: c.t, rev: rev}
	if len(rev.members) > 0 && p.shows("members") {
		v.members = make([]link, len(rev.members))
		for i, id := range rev.members {
			kind, display := d.describe(id)
			v.members[i] = link{id: id, kind: kind, display: display}
		}
	}
	if c == d.users && p.shows("groups") {
		v.groups = d.groupsOf(rev.id)
	}
	return v
}

// groupsOf lists the groups that hold id, then those that hold these groups.
func (d *directory) groupsOf(id string) []link {
	direct := d.memberOf[id]
	if len(direct) == 0 {
		return nil
	}
	var out []link
	seen := map[string]bool{}
	next := direct
	for way := "direct"; len(next) > 0; way = "indirect" {
		level := next
		next = nil
		for _, gid := range level {
			if seen[gid] {
				continue
			}
			seen[gid] = true
			_, display := d.describe(gid)
			out = append(out, link{id: gid, kind: "Group", display: display, way: way})
			next = append(next, d.memberOf[gid]...)
		}
	}
	return out
}

// site is where a request found the directory, for the addresses in answers.
type site struct {
	origin string // scheme and host
	base   string
}

func (st site) location(d *dialect, t *resourceType, id string) string {
	endpoint := t.endpoint
	if d.relative {
		return st.base + "/" + strings.ToLower(endpoint) + "/" + id
	}
	return st.origin + st.base + "/" + endpoint + "/" + id
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// appendMeta writes the meta attribute, a member after others.
func (d *dialect) appendMeta(dst []byte, v view, st site) []byte {
	dst = append(dst, `,"meta":{"resourceType":"`...)
	dst = append(dst, v.t.name...)
	if !d.shortMeta {
		dst = append(dst, `","created":"`...)
		dst = v.rev.created.AppendFormat(dst, timeLayout)
	}
	dst = append(dst, `","lastModified":"`...)
	dst = v.rev.modified.AppendFormat(dst, timeLayout)
	dst = append(dst, `","location":`...)
	dst = appendString(dst, st.location(d, v.t, v.rev.id))
	dst = append(dst, `,"version":`...)
	dst = appendString(dst, d.version(v.rev))
	return append(dst, '}')
}

// appendLinks writes members or groups, a member after others.
func (d *dialect) appendLinks(dst []byte, name string, list []link, st site) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, `,"`+name+`":[`...)
	for i, l := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.appendLink(dst, l, st)
	}
	return append(dst, ']')
}

func (d *dialect) appendLink(dst []byte, l link, st site) []byte {
	t := d.user
	if l.kind == "Group" {
		t = d.group
	}
	dst = append(dst, `{"value":`...)
	dst = appendString(dst, l.id)
	dst = append(dst, `,"$ref":`...)
	dst = appendString(dst, st.location(d, t, l.id))
	dst = append(dst, `,"type":"`+d.linkType(l)+`"`...)
	if !d.relative {
		dst = append(dst, `,"display":`...)
		dst = appendString(dst, l.display)
	}
	return append(dst, '}')
}

// linkType is a member's kind, or how a user belongs to a group.
func (d *dialect) linkType(l link) string {
	switch {
	case l.way == "" || d.relative:
		return l.kind
	default:
		return l.way
	}
}

// render appends the resource as JSON.
func (d *dialect) render(dst []byte, v view, st site, p projection) []byte {
	if p.selective() {
		return appendJSON(dst, p.apply(d, v.t, d.full(v, st)))
	}
	dst = append(dst, v.rev.doc[:len(v.rev.doc)-1]...)
	if d.hidesMembers && v.t == d.group {
		dst = append(dst, `,"members":[]`...)
	} else {
		dst = d.appendLinks(dst, "members", v.members, st)
	}
	dst = d.appendLinks(dst, "groups", v.groups, st)
	return append(d.appendMeta(dst, v, st), '}')
}

// full is the resource as a tree, with everything in it.
func (d *dialect) full(v view, st site) *object {
	o, err := parseObject(d.render(nil, v, st, projection{}))
	if err != nil {
		panic("sandbox: rendering " + v.rev.id + ": " + err.Error())
	}
	return o
}

// projection is what attributes and excludedAttributes leave (RFC 7644 §3.9).
type projection struct {
	only    bool // attributes was given, even if it names nothing known
	include []attrRef
	exclude []attrRef
}

func (p projection) selective() bool { return p.only || len(p.exclude) > 0 }

// shows says whether any of a top-level attribute can be seen.
func (p projection) shows(name string) bool {
	for _, r := range about(name, p.exclude) {
		if len(r.steps()) == 0 {
			return false
		}
	}
	return !p.only || len(about(name, p.include)) > 0
}

func newProjection(t *resourceType, include, exclude string) projection {
	return projection{only: include != "", include: refs(t, include), exclude: refs(t, exclude)}
}

// refs resolves a comma-separated list; names that mean nothing are passed over.
func refs(t *resourceType, list string) []attrRef {
	var out []attrRef
	for name := range strings.SplitSeq(list, ",") {
		if ref, ok := t.resolve(strings.TrimSpace(name)); ok && name != "" {
			out = append(out, ref)
		}
	}
	return out
}

func (p projection) apply(d *dialect, t *resourceType, o *object) *object {
	out := newObject()
	for _, m := range o.members {
		if d.always(t, m.name) {
			out.members = append(out.members, m)
			continue
		}
		v := m.value
		if p.only {
			v = keep(v, about(m.name, p.include))
		}
		out.set(m.name, cut(v, about(m.name, p.exclude)))
	}
	return out
}

func (d *dialect) always(t *resourceType, name string) bool {
	if slices.Contains(d.alwaysShown, name) {
		return true
	}
	a := t.attribute(name)
	return a != nil && a.Returned == "always"
}

// about picks the references into the top-level member name.
func about(name string, list []attrRef) []attrRef {
	var out []attrRef
	for _, r := range list {
		if r.urn == name || r.urn == "" && r.attr != nil && strings.EqualFold(r.attr.Name, name) {
			out = append(out, r)
		}
	}
	return out
}

// steps is the way from a top-level member to what a reference means.
func (r attrRef) steps() []string {
	var out []string
	if r.urn != "" && r.attr != nil {
		out = append(out, r.attr.Name)
	}
	if r.sub != nil {
		out = append(out, r.sub.Name)
	}
	return out
}

// keep leaves of v what the references mean; nil if that is nothing.
func keep(v any, list []attrRef) any {
	paths := make([][]string, 0, len(list))
	for _, r := range list {
		paths = append(paths, r.steps())
	}
	return keepPaths(v, paths)
}

func keepPaths(v any, paths [][]string) any {
	if len(paths) == 0 {
		return nil
	}
	if slices.ContainsFunc(paths, func(p []string) bool { return len(p) == 0 }) {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e := keepPaths(e, paths); !unassigned(e) {
				out = append(out, e)
			}
		}
		return out
	case *object:
		out := newObject()
		for _, m := range v.members {
			out.set(m.name, keepPaths(m.value, under(paths, m.name)))
		}
		return out
	}
	return nil
}

// under keeps the paths that start with name, without it.
func under(paths [][]string, name string) [][]string {
	var out [][]string
	for _, p := range paths {
		if len(p) > 0 && p[0] == name {
			out = append(out, p[1:])
		}
	}
	return out
}

// cut removes from v what the references mean.
func cut(v any, list []attrRef) any {
	paths := make([][]string, 0, len(list))
	for _, r := range list {
		paths = append(paths, r.steps())
	}
	return cutPaths(v, paths)
}

func cutPaths(v any, paths [][]string) any {
	if len(paths) == 0 {
		return v
	}
	if slices.ContainsFunc(paths, func(p []string) bool { return len(p) == 0 }) {
		return nil
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e := cutPaths(e, paths); !unassigned(e) {
				out = append(out, e)
			}
		}
		return out
	case *object:
		out := newObject()
		for _, m := range v.members {
			out.set(m.name, cutPaths(m.value, under(paths, m.name)))
		}
		return out
	}
	return v
}
