package scim

// The built-in schemas follow RFC 7643 §4 and §8.7, and for the Genesys Cloud
// extension the models of its API documentation.

// quality changes one characteristic of an attribute under construction.
type quality func(*Attribute)

func required(a *Attribute)    { a.Required = true }
func caseExact(a *Attribute)   { a.CaseExact = true }
func readOnly(a *Attribute)    { a.Mutability = "readOnly" }
func immutable(a *Attribute)   { a.Mutability = "immutable" }
func never(a *Attribute)       { a.Mutability, a.Returned = "writeOnly", "never" }
func always(a *Attribute)      { a.Returned = "always" }
func unique(a *Attribute)      { a.Uniqueness = "server" }
func multiValued(a *Attribute) { a.MultiValued = true }

func oneOf(values ...string) quality {
	return func(a *Attribute) { a.CanonicalValues = values }
}

func refersTo(types ...string) quality {
	return func(a *Attribute) { a.Type, a.ReferenceTypes, a.CaseExact = "reference", types, true }
}

func typed(name, typ string, qualities ...quality) Attribute {
	a := Attribute{Name: name, Type: typ, Mutability: "readWrite", Returned: "default", Uniqueness: "none"}
	for _, q := range qualities {
		q(&a)
	}
	return a
}

func text(name string, qualities ...quality) Attribute { return typed(name, "string", qualities...) }
func truth(name string, qualities ...quality) Attribute {
	return typed(name, "boolean", qualities...)
}

func complex(name string, subs []Attribute, qualities ...quality) Attribute {
	a := typed(name, "complex", qualities...)
	a.SubAttributes = subs
	return a
}

// plural is a multi-valued attribute with the default sub-attributes of RFC
// 7643 §2.4.
func plural(name string, value Attribute, types ...string) Attribute {
	return complex(name, []Attribute{value, text("display"), text("type", oneOf(types...)), truth("primary")}, multiValued)
}

func commonAttributes() []Attribute {
	return []Attribute{
		text("id", readOnly, always, caseExact, unique),
		text("externalId", caseExact),
		complex("meta", []Attribute{
			text("resourceType", readOnly, caseExact),
			typed("created", "dateTime", readOnly),
			typed("lastModified", "dateTime", readOnly),
			typed("location", "reference", readOnly),
			text("version", readOnly, caseExact),
		}, readOnly),
		typed("schemas", "reference", readOnly, multiValued, always),
	}
}

func userSchema() Schema {
	return Schema{ID: UserURN, Name: "User", Attributes: []Attribute{
		text("userName", required, unique, always),
		complex("name", []Attribute{
			text("formatted"), text("familyName"), text("givenName"),
			text("middleName"), text("honorificPrefix"), text("honorificSuffix"),
		}),
		text("displayName"), text("nickName"),
		typed("profileUrl", "reference", refersTo("external")),
		text("title"), text("userType"), text("preferredLanguage"), text("locale"), text("timezone"),
		truth("active"),
		text("password", never),
		plural("emails", text("value"), "work", "home", "other"),
		plural("phoneNumbers", text("value"), "work", "home", "mobile", "fax", "pager", "other"),
		plural("ims", text("value"), "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
		plural("photos", typed("value", "reference", refersTo("external")), "photo", "thumbnail"),
		complex("addresses", []Attribute{
			text("formatted"), text("streetAddress"), text("locality"), text("region"),
			text("postalCode"), text("country"), text("type", oneOf("work", "home", "other")), truth("primary"),
		}, multiValued),
		complex("groups", []Attribute{
			text("value", readOnly, caseExact), typed("$ref", "reference", refersTo("User", "Group"), readOnly),
			text("display", readOnly), text("type", readOnly, oneOf("direct", "indirect")),
		}, multiValued, readOnly),
		plural("entitlements", text("value")),
		plural("roles", text("value")),
		plural("x509Certificates", typed("value", "binary", caseExact)),
	}}
}

func groupSchema() Schema {
	return Schema{ID: GroupURN, Name: "Group", Attributes: []Attribute{
		text("displayName", required),
		complex("members", []Attribute{
			text("value", immutable, caseExact),
			typed("$ref", "reference", refersTo("User", "Group"), immutable),
			text("type", immutable, oneOf("User", "Group")),
			text("display", readOnly),
		}, multiValued),
	}}
}

func enterpriseSchema() Schema {
	return Schema{ID: EnterpriseURN, Name: "EnterpriseUser", Attributes: []Attribute{
		text("employeeNumber"), text("costCenter"), text("organization"), text("division"), text("department"),
		complex("manager", []Attribute{
			text("value", caseExact), typed("$ref", "reference", refersTo("User")), text("displayName", readOnly),
		}),
		text("dateHire"), // Genesys Cloud adds it to the enterprise extension
	}}
}

func genesysSchema() Schema {
	skill := []Attribute{text("name", required, caseExact), typed("proficiency", "decimal")}
	return Schema{ID: GenesysURN, Name: "GenesysUser", Attributes: []Attribute{
		complex("routingSkills", skill, multiValued),
		complex("routingLanguages", skill, multiValued),
		complex("externalIds", []Attribute{text("authority", required, caseExact), text("value", required, caseExact)}, multiValued),
	}}
}
