package sandbox

import (
	"strings"
)

const (
	configURN       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	resourceTypeURN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"

	maxBulkOperations = 1000
)

// discovery serves the documents of RFC 7644 §4.
func (s *Sandbox) discovery(q *request) (answer, error) {
	if q.r.Method != "GET" && q.r.Method != "HEAD" {
		return answer{}, notAllowed(q, "GET")
	}
	if s.faults.has("no-discovery") {
		return answer{}, notFound("path", q.r.URL.Path)
	}
	if q.query.Get("filter") != "" {
		return answer{}, refuse(403, "", "%s cannot be filtered", q.path[0])
	}
	switch {
	case s.named(q.path[0], s.configName()) && len(q.path) == 1:
		return s.document(q, s.config(q)), nil
	case s.named(q.path[0], "ResourceTypes"):
		return s.pick(q, s.typeDocuments(q), "name")
	case s.named(q.path[0], "Schemas"):
		docs, err := s.schemaDocuments(q)
		if err != nil {
			return answer{}, err
		}
		return s.pick(q, docs, "id")
	}
	return answer{}, notFound("path", q.r.URL.Path)
}

// configName is the endpoint of the ServiceProviderConfig; an older draft, and
// some servers, had it in the plural.
func (s *Sandbox) configName() string {
	if s.faults.has("plural-discovery") {
		return "ServiceProviderConfigs"
	}
	return "ServiceProviderConfig"
}

// documentVersion is the version of all discovery documents: they change with
// the program only.
const documentVersion = `W/"1"`

func (s *Sandbox) document(q *request, o *object) answer {
	tag := s.documentTag()
	if match := q.r.Header.Get("If-None-Match"); match != "" && matchesTag(match, tag) {
		return answer{status: 304, header: []string{"ETag", tag}}
	}
	return answer{status: 200, header: []string{"Content-Type", scimType, "ETag", tag}, body: appendJSON(nil, o)}
}

func (s *Sandbox) documentTag() string {
	if s.rules.quotedVersion {
		return documentVersion
	}
	return strings.TrimPrefix(documentVersion, "W/")
}

// pick serves the whole list, or the one whose name or id the path gives.
func (s *Sandbox) pick(q *request, docs []*object, by string) (answer, error) {
	if len(q.path) == 1 {
		list := make([]any, len(docs))
		for i, o := range docs {
			list[i] = o
		}
		n := itoa(len(list))
		return s.document(q, newObject(
			member{"schemas", []any{listURN}}, member{"totalResults", n},
			member{"startIndex", number("1")}, member{"itemsPerPage", n}, member{"Resources", list},
		)), nil
	}
	for _, o := range docs {
		if len(q.path) == 2 && strings.EqualFold(o.text(by), q.path[1]) {
			return s.document(q, o), nil
		}
	}
	return answer{}, notFound(q.path[0], q.path[1])
}

func (s *Sandbox) documentMeta(q *request, kind, path string) *object {
	origin := q.site.origin
	if s.rules.relative {
		origin, path = "", strings.ToLower(path)
	}
	return newObject(member{"resourceType", kind}, member{"location", origin + q.site.base + path})
}

func (s *Sandbox) typeDocuments(q *request) []*object {
	var docs []*object
	for _, t := range []*resourceType{s.rules.user, s.rules.group} {
		o := newObject(
			member{"schemas", []any{resourceTypeURN}}, member{"id", t.name}, member{"name", t.name},
			member{"endpoint", "/" + t.endpoint}, member{"description", t.core.Name + " resources"}, member{"schema", t.core.ID},
		)
		var extensions []any
		for _, e := range t.extensions {
			extensions = append(extensions, newObject(member{"schema", e.ID}, member{"required", false}))
		}
		o.set("schemaExtensions", extensions)
		o.set("meta", s.documentMeta(q, "ResourceType", "/ResourceTypes/"+t.name))
		docs = append(docs, o)
	}
	for _, sc := range s.rules.fixed {
		docs = append(docs, s.fixedType(q, sc))
	}
	return docs
}

// fixedType describes the resource type of a discovery document.
func (s *Sandbox) fixedType(q *request, sc *schema) *object {
	name := sc.ID[strings.LastIndexByte(sc.ID, ':')+1:]
	endpoint := name + "s"
	if sc.ID == configURN {
		endpoint = s.configName()
	}
	return newObject(
		member{"schemas", []any{resourceTypeURN}}, member{"id", name}, member{"name", name},
		member{"endpoint", "/" + endpoint}, member{"description", sc.Name + " resources"}, member{"schema", sc.ID},
		member{"meta", s.documentMeta(q, "ResourceType", "/ResourceTypes/"+name)},
	)
}

func (s *Sandbox) schemaDocuments(q *request) ([]*object, error) {
	list := append([]*schema{s.rules.user.core, s.rules.group.core}, s.rules.user.extensions...)
	list = append(list, s.rules.fixed...)
	var docs []*object
	for _, sc := range list {
		o, err := parseObject(sc.raw)
		if err != nil {
			return nil, err
		}
		if sc == s.rules.user.core && !s.rules.user.uniqueKey {
			disclaimUniqueness(o, s.rules.user.key)
		}
		o.set("meta", s.documentMeta(q, "Schema", "/Schemas/"+sc.ID))
		docs = append(docs, o)
	}
	return docs, nil
}

// disclaimUniqueness has a schema say that the directory does not keep an
// attribute unique: a directory that takes any number of one userName must not
// promise otherwise (RFC 7643 §7).
func disclaimUniqueness(schema *object, name string) {
	for _, v := range schema.list("attributes") {
		if attr, ok := v.(*object); ok && attr.text("name") == name {
			attr.set("uniqueness", "none")
		}
	}
}

func supported(yes bool, more ...member) *object {
	return newObject(append([]member{{"supported", yes}}, more...)...)
}

// configVersion is the ETag as meta.version has it in this dialect.
func (s *Sandbox) configVersion() string {
	if s.rules.quotedVersion {
		return s.documentTag()
	}
	return strings.Trim(s.documentTag(), `"`)
}

// config is the ServiceProviderConfig (RFC 7643 §5, RFC 9865 §4).
func (s *Sandbox) config(q *request) *object {
	full := s.rules.name == "rfc"
	o := newObject(
		member{"schemas", []any{configURN}},
		member{"patch", supported(s.faults.word("no-patch") != "said")},
		member{"bulk", supported(full, member{"maxOperations", itoa(s.maxBulkOperations())}, member{"maxPayloadSize", itoa(s.maxBulkPayload())})},
		member{"filter", supported(true, member{"maxResults", itoa(s.rules.pageCap)})},
		member{"changePassword", supported(true)},
		member{"sort", supported(full)},
		member{"etag", supported(true)},
	)
	if full {
		o.set("pagination", newObject(
			member{"cursor", true}, member{"index", true}, member{"defaultPaginationMethod", "index"},
			member{"defaultPageSize", itoa(s.rules.pageSize)}, member{"maxPageSize", itoa(s.rules.pageCap)},
			member{"cursorTimeout", itoa(int(cursorTimeout.Seconds()))},
		))
	}
	o.set("authenticationSchemes", []any{newObject(
		member{"type", "oauthbearertoken"}, member{"name", "OAuth bearer token"},
		member{"description", "Bearer token; /oauth/token issues them for client credentials."}, member{"primary", true},
	)})
	meta := s.documentMeta(q, "ServiceProviderConfig", "/"+s.configName())
	meta.set("version", s.configVersion())
	o.set("meta", meta)
	if s.faults.has("bare-config") {
		for _, name := range []string{"bulk", "filter"} {
			o.set(name, supported(o.child(name).get("supported") == true))
		}
		o.del("pagination")
	}
	return o
}
