package main

import (
	"strings"

	"scimbulk/internal/scim"
)

// pathList is the value of a flag with SCIM paths, with commas between them. A
// comma or a quote within the brackets of a filter is part of the path.
type pathList struct{ paths *[]string }

func (l pathList) String() string {
	if l.paths == nil {
		return ""
	}
	return strings.Join(*l.paths, ",")
}

func (l pathList) Type() string { return "paths" }

// Set adds paths to those that the flag was given before.
func (l pathList) Set(text string) error {
	if text == "" { // as of a variable that is not set
		return nil
	}
	start, depth, quoted, escaped := 0, 0, false, false
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"' && depth > 0:
			quoted = !quoted
		case c == '[' && !quoted:
			depth++
		case c == ']' && !quoted:
			depth--
		case c == ',' && depth == 0:
			*l.paths = append(*l.paths, text[start:i])
			start = i + 1
		}
	}
	*l.paths = append(*l.paths, text[start:])
	return nil
}

// wholeLists writes the abbreviations of paths out, and asks for all values of a
// list where a filter singles one out: such a path cannot be asked for (RFC 7644
// §3.10).
func wholeLists(paths []string) []string {
	whole := fullPaths(paths)
	for i, p := range whole {
		if path, err := scim.ParsePath(p); err == nil && path.Filter != nil {
			whole[i] = scim.Path{URN: path.URN, Attr: path.Attr}.String()
		}
	}
	return whole
}
