package scim

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// askDiscovery reads what the directory says of itself. An error means that
// nothing else is worth asking.
func (p *prober) askDiscovery(ctx context.Context) error {
	resp, err := p.c.ServiceProviderConfig(ctx, "")
	if err == nil {
		p.config, err = DecodeObject(resp.Resource.Raw)
	}
	switch status := httpStatus(err); {
	case err != nil && (status == 0 || status == http.StatusUnauthorized):
		p.trap("config", refused(err), "nothing can be found out, or done", "")
		return err
	case err != nil:
		p.note("config", refused(err), "nothing is taken for granted because of it")
	case p.watch.statuses[http.StatusNotFound] > 0:
		p.trap("config", "under the plural name alone (RFC 7644 erratum 4978)", "scimbulk asks for both", "")
	default:
		p.fine("config", "yes")
	}
	p.readConfig()
	types, err := p.c.ResourceTypes(ctx)
	p.listDocuments("types", types, err, "name")
	schemas, err := p.c.Schemas(ctx)
	p.listDocuments("schemas", schemas, err, "id")
	return nil
}

// readConfig reports the features that are named, and those that are not.
func (p *prober) readConfig() {
	for name, member := range map[string]string{"patch": "patch", "bulk": "bulk", "filters": "filter", "sorts": "sort", "etags": "etag"} {
		yes, said := p.says(member)
		switch {
		case !said:
			p.note(name, "not said", "")
		case yes:
			p.fine(name, "yes"+p.limitsOf(member))
		case name == "patch":
			p.trap(name, "no", "changes have to be sent as whole resources", "--op replace")
		default:
			p.note(name, "no", "")
		}
	}
	p.note("pagination", p.pagination(), "")
	p.note("auth", p.schemes(), "")
}

// says tells whether the configuration names a feature, and how.
func (p *prober) says(member string) (yes, said bool) {
	feature := p.part(member)
	_, v, _ := Member(feature, "supported")
	yes, said = v.(bool)
	return yes, said
}

func (p *prober) part(member string) Object {
	_, v, _ := Member(p.config, member)
	o, _ := v.(Object)
	return o
}

// limitsOf lists the limits that stand beside a feature.
func (p *prober) limitsOf(member string) string {
	var limits []string
	feature := p.part(member)
	for _, name := range []string{"maxOperations", "maxPayloadSize", "maxResults"} {
		if _, v, ok := Member(feature, name); ok {
			limits = append(limits, fmt.Sprintf("%s %v", name, v))
		}
	}
	if len(limits) == 0 {
		return ""
	}
	return " (" + strings.Join(limits, ", ") + ")"
}

// pagination is what RFC 9865 §4 adds to the configuration.
func (p *prober) pagination() string {
	o := p.part("pagination")
	if o == nil {
		return "not said: by index"
	}
	var ways []string
	for _, way := range []string{"cursor", "index"} {
		if _, v, _ := Member(o, way); v == true {
			ways = append(ways, way)
		}
	}
	text := "by " + strings.Join(ways, " and ")
	if _, v, ok := Member(o, "maxPageSize"); ok {
		text += fmt.Sprintf(", pages of %v at most", v)
	}
	return text
}

func (p *prober) schemes() string {
	_, v, _ := Member(p.config, "authenticationSchemes")
	var names []string
	for _, e := range elements(v) {
		o, _ := e.(Object)
		if _, kind, _ := Member(o, "type"); kind != nil {
			names = append(names, fmt.Sprint(kind))
		}
	}
	if len(names) == 0 {
		return "not said"
	}
	return strings.Join(names, ", ")
}

// listDocuments reports a discovery listing by the names of what is in it.
func (p *prober) listDocuments(name string, docs []jsontext.Value, err error, by string) {
	if err != nil {
		p.note(name, refused(err), "the built-in ones are used")
		return
	}
	var names []string
	for _, doc := range docs {
		if o, err := DecodeObject(doc); err == nil {
			_, v, _ := Member(o, by)
			names = append(names, fmt.Sprint(v))
		}
	}
	if name == "schemas" {
		p.noteSchemas(names)
		return
	}
	p.fine(name, strings.Join(names, ", "))
}

// noteSchemas reports the schemas; that of a provider tells who it is.
func (p *prober) noteSchemas(urns []string) {
	answer := fmt.Sprintf("%d", len(urns))
	for _, urn := range urns {
		if strings.EqualFold(urn, GenesysURN) && p.c.profile.Name != genesysProfile().Name {
			p.trap("schemas", answer+", among them Genesys Cloud's", "the directory keeps Genesys Cloud's rules, and the profile in use is "+p.c.profile.Name, "--provider genesys")
			return
		}
	}
	p.fine("schemas", answer)
}
