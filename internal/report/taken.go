package report

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Taken is how many values a plan takes away from the lists of an attribute, such
// as the roles of people, and from how many resources.
type Taken struct {
	Attribute string `json:"attribute"`
	Values    int64  `json:"values"`
	Resources int64  `json:"resources"`
}

// taken counts what changes take away.
type taken struct{ lists []*Taken }

func (t *taken) add(differences []plan.Difference) {
	var counted []string // in this change
	for _, d := range differences {
		gone := valuesGone(d)
		if gone == 0 {
			continue
		}
		list := t.of(listOf(d.Path))
		list.Values += gone
		if !slices.Contains(counted, list.Attribute) {
			counted = append(counted, list.Attribute)
			list.Resources++
		}
	}
}

func (t *taken) of(attribute string) *Taken {
	at := slices.IndexFunc(t.lists, func(l *Taken) bool { return l.Attribute == attribute })
	if at < 0 {
		at = len(t.lists)
		t.lists = append(t.lists, &Taken{Attribute: attribute})
	}
	return t.lists[at]
}

// mostFirst are the lists, those that lose most first.
func (t *taken) mostFirst() []*Taken {
	slices.SortFunc(t.lists, func(a, b *Taken) int {
		return cmp.Or(-cmp.Compare(a.Values, b.Values), cmp.Compare(a.Attribute, b.Attribute))
	})
	return t.lists
}

// listOf is the attribute of a path that may single a value out.
func listOf(path string) string {
	name, _, _ := strings.Cut(path, "[")
	return name
}

// valuesGone is how many values of a list a difference takes away.
func valuesGone(d plan.Difference) (n int64) {
	old, list := d.Old.([]any)
	if !list {
		if one := strings.Contains(d.Path, "["); one && !scim.Unassigned(d.Old) && scim.Unassigned(d.New) {
			return 1
		}
		return 0
	}
	now, _ := d.New.([]any)
	for _, v := range old {
		if !slices.ContainsFunc(now, func(w any) bool { return isSame(v, w) }) && !isReplaced(v, old, now) {
			n++
		}
	}
	return n
}

// isSame says whether a value is another, in whatever clothes.
func isSame(was, now any) bool {
	text := textOf(was, "value")
	return text != "" && text == textOf(now, "value") || reflect.DeepEqual(was, now)
}

// isReplaced says whether another value stands for one now, as the only one of its
// type before and after: a new telephone number at work takes nothing away. Roles
// may have one type, all of them.
func isReplaced(was any, old, now []any) bool {
	kind := textOf(was, "type")
	return kind != "" && ofType(old, kind) == 1 && ofType(now, kind) == 1
}

func ofType(list []any, kind string) (n int) {
	for _, v := range list {
		if textOf(v, "type") == kind {
			n++
		}
	}
	return n
}

// textOf is a part of a value, "" where it has none.
func textOf(value any, part string) string {
	o, _ := value.(scim.Object)
	text, _ := o[part].(string)
	return text
}

// takenText names the lists that lose values, "" for none.
func takenText(lists []*Taken, noun string) string {
	if len(lists) == 0 {
		return ""
	}
	parts := make([]string, len(lists))
	for i, l := range lists {
		parts[i] = fmt.Sprintf("%d of %s (%s)", l.Values, l.Attribute, countText(l.Resources, noun))
	}
	return "values taken away: " + strings.Join(parts, ", ")
}
