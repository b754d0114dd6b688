package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"

	"scimbulk/internal/pipeline"
)

// flow is how a file is carried out: as resources, or as memberships.
type flow interface {
	Survey(ctx context.Context) (*pipeline.Survey, error)
	Resolve(ctx context.Context, s *pipeline.Survey) error
	Run(take, ctx context.Context, s *pipeline.Survey) (*pipeline.Totals, error)
}

func (r *importRun) flow() flow {
	if r.members == nil {
		return r.pipeline()
	}
	r.members.Import = r.pipeline()
	return r.members
}

// resourceType is what the rows describe.
func (r *importRun) resourceType() string {
	if r.members != nil {
		return "Group"
	}
	return r.mapping.Resource()
}

// readMembers knows a membership file by its header, unless a mapping or a flag
// says that it is something else.
func (r *importRun) readMembers() (known bool, err error) {
	if r.importOptions.mapping != "" || r.resource == "User" || r.input.Nested() {
		return false, nil
	}
	name := cmp.Or(r.read.Name, filepath.Base(r.importOptions.input))
	if r.members = pipeline.NewMemberImport(r.input.Header(), name); r.members == nil {
		return false, nil
	}
	r.note("%s: a membership file, a row for each user of a group", name)
	if columns := r.members.Unmapped(); len(columns) > 0 {
		r.note("columns that map to nothing: %s", strings.Join(columns, ", "))
	}
	r.settleDuplicates(r.members.HasActions())
	return true, r.memberFlags()
}

// memberFlags refuses flags that say what to do with resources.
func (r *importRun) memberFlags() error {
	var problems []error
	if r.op != "" {
		problems = append(problems, usagef("--op %s does not go with a membership file: its column action says add or remove", r.op))
	}
	if r.match != "" {
		problems = append(problems, usagef("--match %s does not go with a membership file: its rows are matched by group and user, by name or by id", r.match))
	}
	return errors.Join(problems...)
}

// settleDuplicates says what to do with several rows for one key where no flag
// does: rows that say themselves what to do are done one after the other.
func (r *importRun) settleDuplicates(rowsHaveOps bool) {
	if r.onDuplicate != "" {
		return
	}
	r.onDuplicate = pipeline.DuplicateReject
	if rowsHaveOps {
		r.onDuplicate = pipeline.DuplicateApply
	}
}
