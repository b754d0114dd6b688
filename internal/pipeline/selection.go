package pipeline

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"scimbulk/internal/scim"
)

// selection is which attributes an export keeps. Directories are asked for them
// (RFC 7644 §3.9) and then checked, since some send all the same.
type selection struct {
	only   []scim.Path // nil: everything
	except []scim.Path
}

func newSelection(attributes, excluded []string) *selection {
	if len(attributes)+len(excluded) == 0 {
		return nil
	}
	return &selection{only: parsePaths(attributes), except: parsePaths(excluded)}
}

func parsePaths(names []string) []scim.Path {
	var paths []scim.Path
	for _, name := range names {
		if path, err := scim.ParsePath(strings.TrimSpace(name)); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// customary are attributes that directories send whatever is asked for: RFC 7643
// §7 has id and schemas, and Genesys Cloud adds the others. That they come is no
// sign that a selection is ignored.
var customary = [...]string{"id", "schemas", "meta", "username", "active"}

// alwaysKept are attributes without which a resource cannot be told from others.
var alwaysKept = [...]string{"id", "schemas"}

// apply takes out of a resource what was not asked for. ignored says that there
// was more of that than directories customarily send.
func (s *selection) apply(text []byte) (kept []byte, ignored bool, err error) {
	out := make([]byte, 0, len(text))
	dropped := false
	out, err = rewriteMembers(out, text, func(name string, value jsontext.Value) (jsontext.Value, error) {
		keep, part, err := s.member("", name, value)
		if err != nil {
			return nil, err
		}
		if keep && len(part) == len(value) {
			return part, nil
		}
		dropped = true
		ignored = ignored || !slices.Contains(customary[:], strings.ToLower(name))
		if !keep {
			return nil, nil
		}
		return part, nil
	})
	if err != nil || !dropped {
		return text, false, err
	}
	return out, ignored, nil
}

// member says whether an attribute is kept, and how much of it.
func (s *selection) member(urn, name string, value jsontext.Value) (keep bool, part jsontext.Value, err error) {
	if urn == "" && slices.Contains(alwaysKept[:], strings.ToLower(name)) {
		return true, value, nil
	}
	if urn == "" && strings.Contains(name, ":") && value.Kind() == '{' {
		return s.extension(name, value)
	}
	if s.only != nil {
		return s.named(urn, name, value)
	}
	for _, p := range s.except {
		switch {
		case !sameName(p, urn, name):
		case p.Sub == "":
			return false, nil, nil
		default:
			value, err = onlyParts(value, func(sub string) bool { return !strings.EqualFold(sub, p.Sub) })
		}
	}
	return true, value, err
}

// named keeps what the selection names: an attribute, or some of its parts.
func (s *selection) named(urn, name string, value jsontext.Value) (bool, jsontext.Value, error) {
	var subs []string
	for _, p := range s.only {
		if !sameName(p, urn, name) {
			continue
		}
		if p.Sub == "" {
			return true, value, nil
		}
		subs = append(subs, strings.ToLower(p.Sub))
	}
	if subs == nil {
		return false, nil, nil
	}
	part, err := onlyParts(value, func(sub string) bool { return slices.Contains(subs, strings.ToLower(sub)) })
	return true, part, err
}

// extension keeps what the selection names of a schema extension.
func (s *selection) extension(urn string, value jsontext.Value) (bool, jsontext.Value, error) {
	whole := func(p scim.Path) bool { return strings.EqualFold(p.String(), urn) }
	if slices.ContainsFunc(s.only, whole) {
		return true, value, nil
	}
	if slices.ContainsFunc(s.except, whole) {
		return false, nil, nil
	}
	out, err := rewriteMembers(nil, value, func(name string, v jsontext.Value) (jsontext.Value, error) {
		keep, part, err := s.member(urn, name, v)
		if !keep {
			return nil, err
		}
		return part, err
	})
	return len(out) > len("{}"), out, err
}

// sameName compares an attribute with a path; the URN of the core schemas may
// be left out (RFC 7644 §3.10).
func sameName(p scim.Path, urn, name string) bool {
	if !strings.EqualFold(p.Attr, name) {
		return false
	}
	core := urn == "" && strings.HasPrefix(strings.ToLower(p.URN), "urn:ietf:params:scim:schemas:core:")
	return core || strings.EqualFold(p.URN, urn)
}

// onlyParts keeps some parts of a complex value, or of each in a list.
func onlyParts(value jsontext.Value, keep func(sub string) bool) (jsontext.Value, error) {
	switch value.Kind() {
	case '{':
		return rewriteMembers(nil, value, func(name string, v jsontext.Value) (jsontext.Value, error) {
			if keep(name) {
				return v, nil
			}
			return nil, nil
		})
	case '[':
		return rewriteElements(value, func(v jsontext.Value) (jsontext.Value, error) { return onlyParts(v, keep) })
	}
	return value, nil
}

// rewriteMembers writes an object again with what change makes of its members, and
// without those of which it makes nothing.
func rewriteMembers(out, text []byte, change func(name string, value jsontext.Value) (jsontext.Value, error)) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	out = append(out, '{')
	for empty := true; dec.PeekKind() == '"'; {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		quoted := name.Clone()
		plain, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return nil, err
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if value, err = change(string(plain), value); err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if !empty {
			out = append(out, ',')
		}
		empty = false
		out = append(append(append(out, quoted...), ':'), value...)
	}
	_, err := dec.ReadToken()
	return append(out, '}'), err
}

// rewriteElements does the same to a list.
func rewriteElements(list jsontext.Value, change func(jsontext.Value) (jsontext.Value, error)) (jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(list), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	out := jsontext.Value{'['}
	for dec.PeekKind() != ']' && dec.PeekKind() != 0 {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if value, err = change(value); err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, value...)
	}
	_, err := dec.ReadToken()
	return append(out, ']'), err
}
