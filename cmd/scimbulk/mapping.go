package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

func newMapping(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mapping init|check FILE",
		Short: "Write a mapping for a file, or check one",
		Long: `A mapping says which column of a file becomes which attribute. init writes one
from the header and the cells of a file, check shows what a mapping makes of a
file. Neither needs a directory.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{unknownCommand(cmd, args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(newMappingInit(s), newMappingCheck(s))
	return cmd
}

// fileOptions are the flags of a command that reads a file, and needs no
// directory for it.
type fileOptions struct {
	target targetOptions

	input     string
	resource  string
	format    string
	delimiter string
	encoding  string
	skipRows  int
}

func (o *fileOptions) bind(f *pflag.FlagSet) {
	o.target.bindReader(f)
	f.StringVar(&o.resource, "resource", "", "User or Group (default: known by the columns)")
	f.StringVar(&o.format, "format", "", "csv, tsv or jsonl (default: by extension)")
	f.StringVar(&o.delimiter, "delimiter", "", "`character` between cells (default: detected)")
	f.StringVar(&o.encoding, "encoding", "", "`name` of the character encoding (default: detected)")
	f.IntVar(&o.skipRows, "skip-rows", 0, "`lines` before the header")
}

func (o *fileOptions) validate() []error {
	problems := oneOf(nil, "--format", o.format, "", "csv", "tsv", "jsonl")
	problems = oneOf(problems, "--resource", o.resource, "", "User", "Group")
	if len([]rune(o.delimiter)) > 1 && o.delimiter != `\t` {
		problems = append(problems, usagef("--delimiter %q: give one character, or \\t for a tab", o.delimiter))
	}
	return problems
}

// open opens the file. Standard input is kept aside, since it is read twice.
func (o *fileOptions) open(s streams, note func(string, ...any)) (in *rows.Reader, release func(), err error) {
	path, discard := o.input, func() {}
	read := rows.Options{Format: rows.Format(o.format), Encoding: o.encoding, SkipRows: o.skipRows}
	for _, c := range strings.ReplaceAll(o.delimiter, `\t`, "\t") {
		read.Delimiter = c
	}
	if path == "-" {
		aside, err := os.MkdirTemp("", "scimbulk-*")
		if err != nil {
			return nil, nil, err
		}
		discard = func() { os.RemoveAll(aside) }
		path, read.Name = filepath.Join(aside, "stdin"), "stdin"
		if err := copyInput(s.in, path); err != nil {
			discard()
			return nil, nil, err
		}
	}
	if in, err = rows.Open(path, read); err != nil {
		discard()
		return nil, nil, err
	}
	discard() // a killed process leaves nobody's data, where open files may lose their names
	for _, n := range in.Notes() {
		note("%s: %s", o.name(), n)
	}
	return in, func() { in.Close(); discard() }, nil
}

// name is the file in messages.
func (o *fileOptions) name() string {
	if o.input == "-" {
		return "stdin"
	}
	return filepath.Base(o.input)
}

// namesTarget says whether the command line names a directory, whose own
// schemas then count. What the environment names is not asked: a mapping needs
// no directory.
func (o *fileOptions) namesTarget() bool {
	t := &o.target
	return t.url != "" || t.region != "" || t.sandbox != "" || t.name != ""
}

// schemas gives the schema of a resource: that of the directory that is named,
// else that of the provider.
func (o *fileOptions) schemas(ctx context.Context) (schema func(resource string) (*scim.ResourceSchema, error), provider string, release func() error, err error) {
	if !o.namesTarget() {
		profile, err := scim.ProfileByName(cmp.Or(o.target.provider, "rfc"))
		if err != nil {
			return nil, "", nil, usageError{err}
		}
		return func(resource string) (*scim.ResourceSchema, error) { return profile.Schema(resource), nil },
			profile.Title, func() error { return nil }, nil
	}
	if err := o.target.fillIn(); err != nil {
		return nil, "", nil, err
	}
	if err := errors.Join(o.target.validate()...); err != nil {
		return nil, "", nil, err
	}
	dir, err := o.target.open()
	if err != nil {
		return nil, "", nil, err
	}
	return func(resource string) (*scim.ResourceSchema, error) { return dir.schema(ctx, resource) }, "the directory", dir.close, nil
}

// mappingInitOptions are the flags of mapping init.
type mappingInitOptions struct {
	fileOptions
	out   string
	force bool
}

func newMappingInit(s streams) *cobra.Command {
	o := &mappingInitOptions{}
	cmd := &cobra.Command{
		Use:   "init FILE",
		Short: "Write a mapping for a file, from its header and its cells",
		Long: `init reads FILE (CSV or JSONL; - is standard input) and writes a mapping for it
that can be used as it is: known headers and SCIM paths are mapped, a status
column becomes active, a column whose values are those of another becomes a
reference to the manager, and the column that tells people apart becomes the
userName. What was not mapped stands in it as comments, which describe columns
and show no values. A password is never mapped.

No directory is asked unless a flag names one; --provider says whose attributes
are meant.`,
		Example: `  scimbulk mapping init workers.csv --out workers.mapping.yaml
  scimbulk mapping init new_hires.csv --provider genesys`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	o.bind(cmd.Flags())
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "`FILE` to write (default: standard output)")
	cmd.Flags().BoolVar(&o.force, "force", false, "write over a file that is there")
	return cmd
}

func (o *mappingInitOptions) execute(ctx context.Context, s streams) error {
	if err := errors.Join(o.validate()...); err != nil {
		return err
	}
	if err := o.refuseOverwrite(); err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(s.err, format+"\n", args...) }
	in, release, err := o.open(s, note)
	if err != nil {
		return err
	}
	defer release()
	if err := o.needsMapping(in); err != nil {
		return err
	}
	draft, err := o.draft(ctx, in)
	if err != nil {
		return err
	}
	text := draft.Text()
	if err := o.write(text, s.out); err != nil {
		return err
	}
	if o.out != "" && o.out != "-" {
		note("%s written; see what it makes of the rows with: scimbulk mapping check %s -m %s", o.out, o.input, o.out)
	}
	return nil
}

// needsMapping is an error for files that are imported as they are.
func (o *fileOptions) needsMapping(in *rows.Reader) error {
	switch {
	case in.Nested():
		return fmt.Errorf("%s holds whole SCIM resources, which need no mapping: scimbulk plan %s", o.name(), o.input)
	case pipeline.NewMemberImport(in.Header(), o.name()) != nil:
		return fmt.Errorf("%s puts people into groups and takes them out, which needs no mapping: scimbulk plan %s", o.name(), o.input)
	}
	return nil
}

func (o *mappingInitOptions) refuseOverwrite() error {
	if o.out == "" || o.out == "-" || o.force {
		return nil
	}
	if _, err := os.Stat(o.out); err == nil {
		return fmt.Errorf("%s is there already: --force writes over it", o.out)
	}
	return nil
}

func (o *mappingInitOptions) draft(ctx context.Context, in *rows.Reader) (*mapping.Draft, error) {
	resource := cmp.Or(o.resource, mapping.ResourceOf(in.Header(), in.Schemas()))
	schemas, provider, closeDir, err := o.schemas(ctx)
	if err != nil {
		return nil, err
	}
	schema, err := schemas(resource)
	if err = errors.Join(err, closeDir()); err != nil {
		return nil, err
	}
	draft := mapping.NewDraft(in.Header(), mapping.DraftOptions{Input: o.name(), Resource: resource, Provider: provider, Schema: schema})
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		draft.See(&row)
	}
	return draft, ctx.Err()
}

func (o *mappingInitOptions) write(text []byte, stdout io.Writer) error {
	out, err := rows.Create(cmp.Or(o.out, "-"), stdout)
	if err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		out.Discard()
		return err
	}
	return out.Commit()
}
