package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"scimbulk/internal/mapping"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// openInput opens the file for its header. Standard input is kept in the run's
// directory first, since it is read twice.
func (r *importRun) openInput() (err error) {
	if r.kind != "" {
		return r.openPlan()
	}
	r.read = rows.Options{
		Format: rows.Format(r.format), Encoding: r.encoding, SkipRows: r.skipRows, MaxRows: r.maxRows,
	}
	for _, c := range strings.ReplaceAll(r.delimiter, `\t`, "\t") {
		r.read.Delimiter = c
	}
	if r.importOptions.input == "-" {
		if err := r.keepStdin(); err != nil {
			return err
		}
	}
	if r.input, err = rows.Open(r.importOptions.input, r.read); err != nil {
		return err
	}
	for _, n := range r.input.Notes() {
		r.note("%s: %s", r.importOptions.input, n)
	}
	return nil
}

func (r *importRun) keepStdin() (err error) {
	if r.runDir, err = newRunDir(r.run.dir, r.command()); err != nil {
		return err
	}
	kept := filepath.Join(r.runDir, "stdin")
	if err := copyInput(r.s.in, kept); err != nil {
		return fmt.Errorf("keeping standard input for a later resume: %w", err)
	}
	r.importOptions.input, r.read.Name = kept, "stdin"
	return nil
}

// compile turns the mapping, or the header alone, into a translation, against
// the schema of the directory. All faults come together.
func (r *importRun) compile(ctx context.Context) error {
	if r.kind != "" {
		return r.compilePlan(ctx)
	}
	if known, err := r.readMembers(); known {
		return err
	}
	var file *mapping.File
	var err error
	if r.importOptions.mapping != "" {
		file, err = mapping.Load(r.importOptions.mapping)
	} else {
		file = mapping.Auto(r.input.Header(), r.input.Schemas(), r.resource)
	}
	if err != nil {
		return err
	}
	var failed error
	schema := func(resource string) *scim.ResourceSchema {
		served, err := r.dir.schema(ctx, resource)
		if failed == nil { // the second time says the same
			failed = err
		}
		return served
	}
	r.mapping, err = file.Compile(r.input.Header(), r.input.Nested(), mapping.Options{
		Resource: r.resource, Match: r.match, Op: r.op, ClearToken: r.clearToken, Schema: schema,
		Input: cmp.Or(r.read.Name, filepath.Base(r.importOptions.input)),
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	r.schema = r.mapping.Schema() // of the rows: references may have asked for others
	r.noteMapping()
	if r.out != "" && r.mapping.HasPassword() && !r.includeSecrets {
		return usagef("a password is mapped, and a saved plan does not hold it: plan without --out, or say --include-secrets and keep the plan like a password")
	}
	return nil
}

// withGuesses adds to columns what they may mean, where no mapping file says what
// is meant.
func (r *importRun) withGuesses(columns []string) []string {
	guessed := slices.Clone(columns)
	for i, column := range columns {
		if path := r.mapping.Likely(column); path != "" && r.importOptions.mapping == "" {
			guessed[i] += " (did you mean " + path + "?)"
		}
	}
	return guessed
}

func (r *importRun) noteMapping() {
	if columns := r.mapping.Unmapped(); len(columns) > 0 {
		r.note("columns that map to nothing: %s", strings.Join(r.withGuesses(columns), ", "))
	}
	if columns := r.mapping.ReadOnly(); len(columns) > 0 {
		r.note("columns that the directory decides itself, not sent: %s", strings.Join(columns, ", "))
	}
	for _, n := range r.mapping.Notes() {
		r.note("%s", n)
	}
	if rules := r.rules(); rules.NoCreate != "" || rules.NoDelete != "" {
		r.note("%s neither creates nor deletes groups over SCIM: rows that need it will be rejected", r.dir.profile.Title)
	}
	r.settleDuplicates(r.mapping.HasOps())
}
