package scim

import (
	"fmt"
	"strings"
)

// Schema URNs that every part of scimbulk may name (RFC 7643 §8.7 and the
// Genesys Cloud user extension).
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	GenesysURN    = "urn:ietf:params:scim:schemas:extension:genesys:purecloud:2.0:User"
	PatchOpURN    = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// abbreviations are the short forms that mapping files and headers may use.
var abbreviations = [...]struct{ short, urn string }{
	{"enterprise", EnterpriseURN},
	{"genesys", GenesysURN},
}

// Path is an attribute path of RFC 7644 §3.10 or, with a filter, §3.5.2.
type Path struct {
	URN    string // "" where the core schema is meant
	Attr   string
	Filter Filter // nil without a value filter
	Sub    string // "" without a sub-attribute
}

// SyntaxError says where a path or a filter stops making sense.
type SyntaxError struct {
	Input   string
	Offset  int // in bytes
	Message string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at character %d of %q", e.Message, len([]rune(e.Input[:e.Offset]))+1, e.Input)
}

// ParsePath reads a path. The abbreviations enterprise: and genesys: stand for
// their URNs. Names keep the spelling they came with.
func ParsePath(s string) (Path, error) {
	p := &parser{in: s}
	path, err := p.path()
	if err != nil {
		return Path{}, err
	}
	if p.pos < len(p.in) {
		return Path{}, p.fail("unexpected text")
	}
	return path, nil
}

// String is the path in full, as it may stand in a PATCH request.
func (p Path) String() string {
	if p.URN == "" {
		return p.local()
	}
	return p.URN + ":" + p.local()
}

// Short is the path with the abbreviation of its URN, as people write it in
// mapping files and read it in column headers.
func (p Path) Short() string {
	for _, a := range abbreviations {
		if strings.EqualFold(p.URN, a.urn) {
			return a.short + ":" + p.local()
		}
	}
	return p.String()
}

func (p Path) local() string {
	var b strings.Builder
	b.WriteString(p.Attr)
	if p.Filter != nil {
		b.WriteString("[" + p.Filter.String() + "]")
	}
	if p.Sub != "" {
		b.WriteString("." + p.Sub)
	}
	return b.String()
}

// path reads [URN ":"] attribute ["[" filter "]"] ["." sub-attribute].
func (p *parser) path() (Path, error) {
	urn, err := p.urn()
	if err != nil {
		return Path{}, err
	}
	path := Path{URN: urn}
	if path.Attr, err = p.name(); err != nil {
		return Path{}, err
	}
	if p.take("[") {
		if path.Filter, err = p.disjunction(true); err != nil {
			return Path{}, err
		}
		p.space()
		if !p.take("]") {
			return Path{}, p.fail("expected ]")
		}
	}
	if p.take(".") {
		path.Sub, err = p.name()
	}
	return path, err
}

// urn takes the prefix up to the last colon before any filter: a URN holds
// colons and dots of its own ("2.0"), so that neither the first colon nor the
// first dot ends it.
func (p *parser) urn() (string, error) {
	rest := p.in[p.pos:]
	if end := strings.IndexAny(rest, "[ ()\""); end >= 0 {
		rest = rest[:end]
	}
	colon := strings.LastIndexByte(rest, ':')
	if colon < 0 {
		return "", nil
	}
	prefix := rest[:colon]
	for _, a := range abbreviations {
		if strings.EqualFold(prefix, a.short) {
			prefix = a.urn
		}
	}
	if len(prefix) < 4 || !strings.EqualFold(prefix[:4], "urn:") {
		return "", p.fail(fmt.Sprintf("unknown prefix %q (urn:…, enterprise: and genesys: are known)", prefix+":"))
	}
	p.pos += colon + 1
	if strings.EqualFold(prefix, UserURN) || strings.EqualFold(prefix, GroupURN) {
		return "", nil
	}
	return prefix, nil
}
