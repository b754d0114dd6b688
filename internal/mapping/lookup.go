package mapping

import (
	"fmt"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// columnFault is a column that cannot be found.
type columnFault struct{ message, hint string }

// findColumn finds a column by its header: the exact one, else the only one
// that differs in case alone.
func findColumn(header []string, name string) (int, *columnFault) {
	name = strings.TrimSpace(name)
	found := -1
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i, h := range header {
			if !same(h, name) {
				continue
			}
			if found >= 0 {
				return -1, &columnFault{fmt.Sprintf("the header has %q twice, as columns %d and %d", h, found+1, i+1), "give the columns different names"}
			}
			found = i
		}
		if found >= 0 {
			return found, nil
		}
	}
	hint := "the header has " + someOf(header)
	if near := scim.Nearest(name, header); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return -1, &columnFault{fmt.Sprintf("the input has no column %q", name), hint}
}

// someOf lists names, as many as a line holds.
func someOf(names []string) string {
	const most = 8
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	if len(names) == 0 {
		return "no columns"
	}
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
