package main

import (
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// rules are what the flags and the provider say of every row.
func (r *importRun) rules() plan.Rules {
	rules := plan.Rules{Schema: r.schema, OnExisting: r.onExisting, Unmapped: r.unmapped, Explain: r.dryRun}
	limitTo(r.dir.profile, r.resourceType(), &rules)
	return rules
}

// limitTo puts into the rules for resources of a type what the provider cannot
// do with them.
func limitTo(profile scim.Profile, resource string, rules *plan.Rules) {
	rules.NoPatch = !profile.Patch
	if resource != "Group" {
		return
	}
	if !profile.CanCreateGroups {
		rules.NoCreate = profile.Title + " cannot create groups over SCIM: create it there first, then its members and externalId can be changed"
	}
	if !profile.CanDeleteGroups {
		rules.NoDelete = profile.Title + " cannot delete groups over SCIM: delete it there"
	}
}
