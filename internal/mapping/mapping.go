// Package mapping translates a row to the resource it describes. What the
// resource changes in the directory, and how a name becomes the id it belongs
// to, is left to others.
package mapping

import (
	"slices"

	"scimbulk/internal/scim"
)

// Options are what a mapping is compiled with beside the file.
type Options struct {
	// Resource, Match and Op are flag values. "" is not given: then the file's
	// own values apply, then User, userName (displayName for groups), upsert.
	Resource, Match, Op string
	// ClearToken removes an attribute. "" is not given: then the file's own
	// applies, then #N/A.
	ClearToken string
	// Schema gives the schema of a resource type; nil is the built-in one.
	Schema func(resource string) *scim.ResourceSchema
	// Input is the name of the input in messages.
	Input string
}

// DefaultClearToken removes an attribute where neither flag nor file says
// another.
const DefaultClearToken = "#N/A"

// ops are the operations that a row can ask for.
var ops = [...]string{"upsert", "create", "patch", "replace", "delete", "deactivate"}

// Mapping is a mapping compiled against a header. It is safe for concurrent
// use; each goroutine maps with its own [Mapper].
type Mapping struct {
	input    string
	resource string
	schema   *scim.ResourceSchema
	header   []string
	nested   bool
	clear    string
	fields   []field
	match    int // the field by which rows are matched, -1 when nested
	matchBy  *scim.Target
	defOp    string
	op       *field  // nil when no row carries its own
	clean    []int   // columns that fields read, each once
	shared   []input // columns that expressions read
	coded    []int   // columns whose cells become text as they are
	unmapped []string
	readOnly []string
	notes    []string
}

// input is a column as expressions see it.
type input struct {
	column int
	key    string
}

// Resource is the resource type that rows describe: User or Group.
func (m *Mapping) Resource() string { return m.resource }

// Schema is what the rows were mapped against: that of the directory, or the
// built-in one.
func (m *Mapping) Schema() *scim.ResourceSchema { return m.schema }

// Match is the path of the attribute by which rows are matched with resources,
// in full: userName, id, externalId, …
func (m *Mapping) Match() string { return m.matchBy.Path.String() }

// MatchTarget is what the schema says of that attribute.
func (m *Mapping) MatchTarget() *scim.Target { return m.matchBy }

// Unmapped are the columns that map to nothing.
func (m *Mapping) Unmapped() []string { return slices.Clone(m.unmapped) }

// ReadOnly are the columns that are known and not sent: the directory decides
// their values.
func (m *Mapping) ReadOnly() []string { return slices.Clone(m.readOnly) }

// Notes are what the mapping has decided by itself and is worth a line.
func (m *Mapping) Notes() []string { return slices.Clone(m.notes) }

// HasOps says whether rows carry their own operation.
func (m *Mapping) HasOps() bool { return m.op != nil }

// HasRefs says whether rows name other resources.
func (m *Mapping) HasRefs() bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.ref != nil })
}

// HasPassword says whether a secret is mapped. With whole resources as input
// it cannot be told before they are read.
func (m *Mapping) HasPassword() bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.secret })
}

// Record is what one row asks for.
type Record struct {
	Number, Line int64
	Op           string // upsert, create, patch, replace, delete or deactivate
	MatchBy      string // as [Mapping.Match]
	Key          string // the match value as text
	KeyFold      string // the same for equal keys: NFC, and lower case unless the attribute is caseExact
	Assignments  []scim.Assignment
	Refs         []Ref
	Warnings     []string
}

// Ref is an attribute whose values are names of other resources, to be turned
// into ids.
type Ref struct {
	Target    *scim.Target
	Mode      scim.Mode
	Resource  string   // User or Group
	By        string   // the attribute that the names are values of, such as userName
	Names     []string // as the row has them
	OnMissing string   // skip, reject or keep
	Column    string   // for messages

	// Memberships: the names are the groups that the user is to be in. They are
	// written at the groups; see RFC 7643 §4.1.2.
	Memberships bool
}
