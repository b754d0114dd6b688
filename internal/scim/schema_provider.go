package scim

import "slices"

// Schema is what the provider keeps of a resource as far as it is known without
// asking a directory: the RFC's own schemas, or those of the provider's
// documentation. It returns nil for a resource that is neither User nor Group.
func (p Profile) Schema(resource string) *ResourceSchema {
	rs := Builtin(resource)
	if rs == nil || rs.Resource == "Group" {
		return rs
	}
	if p.Name != "genesys" {
		rs.Extensions = slices.DeleteFunc(rs.Extensions, func(s Schema) bool { return s.ID == GenesysURN })
		drop(rs.Schema(EnterpriseURN), "dateHire") // Genesys Cloud's own addition
		return rs
	}
	keep(&rs.Core, "schemas", "id", "externalId", "meta", "userName", "displayName", "password",
		"title", "active", "phoneNumbers", "emails", "groups", "roles")
	keep(rs.Schema(EnterpriseURN), "division", "department", "manager", "employeeNumber", "dateHire")
	// The values of the models Scimemail and Scimphonenumber; the e-mail address
	// of type other is the userName, and read-only.
	setTypes(&rs.Core, "emails", "work")
	setTypes(&rs.Core, "phoneNumbers", "work", "work2", "work3", "work4", "home", "mobile", "other")
	return rs
}

func drop(s *Schema, name string) {
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a Attribute) bool { return a.Name == name })
}

func keep(s *Schema, names ...string) {
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a Attribute) bool { return !slices.Contains(names, a.Name) })
}

// setTypes says which values the type of a multi-valued attribute can have.
func setTypes(s *Schema, name string, types ...string) {
	if typ := s.Attribute(name).Sub("type"); typ != nil {
		typ.CanonicalValues = types
	}
}
