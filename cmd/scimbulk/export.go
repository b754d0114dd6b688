package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
	"scimbulk/internal/scim"
)

// exportOptions are the flags of export.
type exportOptions struct {
	target targetOptions
	run    runOptions

	kind        string
	out         string
	format      string
	attributes  []string
	excluded    []string
	filter      string
	inactive    string
	pageSize    string
	mapping     string
	bom         bool
	maxDuration time.Duration
}

func newExport(s streams) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export users|groups|all",
		Short: "Write the directory into files",
		Long: `export reads users or groups page by page, several pages at a time, and writes
them to one file; all writes users, groups and memberships into a directory. A
file is whole or not there, and an export that was interrupted goes on with
scimbulk resume. Every resource stands in it once. The manifest beside it grades
how complete it is:

  A  pages in an order that was checked, each beginning with the resource that the
     one before ended with, and the same totals before and after: everybody who
     was there all the time, unchanged, is in the file once
  B  totals agree, but the order of the pages is not proven
  C  something does not agree; the gaps are listed, and the exit code is 3

The columns of a CSV file are SCIM paths, so that it can be imported again.`,
		Example: `  scimbulk export users --out users.csv --sandbox
  scimbulk export all --out directory --region us-east-1
  scimbulk export users --attributes userName,active --filter 'title pr' --out -`,
		Args:      exactly(1, "one of users, groups, all"),
		ValidArgs: []string{"users", "groups", "all"},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.kind = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	o.bind(cmd.Flags())
	return cmd
}

func (o *exportOptions) bind(f *pflag.FlagSet) {
	o.target.bind(f)
	o.run.bind(f)
	f.StringVarP(&o.out, "out", "o", "", "`PATH` to write to; a directory for all; - is standard output (default: users.csv, groups.csv, directory)")
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the extension of --out, else csv)")
	f.Var(pathList{&o.attributes}, "attributes", "`paths` to ask for, comma-separated (default: all)")
	f.Var(pathList{&o.excluded}, "exclude-attributes", "`paths` to leave out, comma-separated")
	f.StringVarP(&o.mapping, "mapping", "m", "", "an import mapping `file`, turned round: its columns are the file's (CSV only)")
	f.StringVar(&o.filter, "filter", "", "SCIM `filter`, such as 'userType eq \"Employee\"'")
	f.StringVar(&o.inactive, "inactive", pipeline.InactiveInclude, "inactive people: include, exclude or only")
	f.StringVar(&o.pageSize, "page-size", "auto", "`resources` a page, or auto")
	f.DurationVar(&o.maxDuration, "max-duration", 0, "stop after this time, resumable")
	f.BoolVar(&o.bom, "bom", false, "begin a CSV file with a byte order mark, by which Excel knows UTF-8")
}

func (o *exportOptions) validate() error {
	problems := append(o.target.validate(), o.run.validate()...)
	problems = oneOf(problems, "export", o.kind, "users", "groups", "all")
	problems = oneOf(problems, "--format", o.format, "", pipeline.FormatCSV, pipeline.FormatJSONL)
	problems = oneOf(problems, "--inactive", o.inactive, pipeline.InactiveInclude, pipeline.InactiveExclude, pipeline.InactiveOnly)
	if len(o.attributes) > 0 && len(o.excluded) > 0 {
		problems = append(problems, usagef("--attributes and --exclude-attributes do not go together (RFC 7644 section 3.9)"))
	}
	if o.maxDuration < 0 {
		problems = append(problems, usagef("--max-duration takes a time such as 30m"))
	}
	if _, err := o.page(); err != nil {
		problems = append(problems, err)
	}
	if err := o.checkExtension(); err != nil {
		problems = append(problems, err)
	}
	if o.bom && o.fileFormat() != pipeline.FormatCSV {
		problems = append(problems, usagef("--bom goes with CSV files: JSON has none (RFC 8259 section 8.1)"))
	}
	if o.filter != "" {
		if _, err := scim.ParseFilter(o.filter); err != nil {
			problems = append(problems, usagef("--filter: %w", err))
		}
	}
	if o.kind == "all" && o.out == "-" {
		problems = append(problems, usagef("all writes several files, which standard output cannot hold: name a directory with --out"))
	}
	if o.mapping != "" && (o.kind == "all" || o.fileFormat() != pipeline.FormatCSV) {
		problems = append(problems, usagef("--mapping goes with one CSV file: export users or groups"))
	}
	if o.out == "-" && o.run.json {
		problems = append(problems, usagef("--json and --out - would both write to standard output"))
	}
	return errors.Join(problems...)
}

// page is the page size, 0 for auto.
func (o *exportOptions) page() (int, error) {
	if o.pageSize == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(o.pageSize)
	if err != nil || n < 1 {
		return 0, usagef("--page-size %q: give a number of resources, or auto", o.pageSize)
	}
	return n, nil
}

func (o *exportOptions) execute(ctx context.Context, s streams) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	o.fillIn()
	return (&exportRun{exportOptions: o, s: s}).execute(ctx)
}

// fileFormat is the format that is given, else that of the extension of --out.
func (o *exportOptions) fileFormat() string {
	if ext := o.extension(); o.format == "" && (ext == ".jsonl" || ext == ".ndjson") {
		return pipeline.FormatJSONL
	}
	return cmp.Or(o.format, pipeline.FormatCSV)
}

// extension is that of --out, without those of compression.
func (o *exportOptions) extension() string {
	return strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(o.out, ".gz"), ".zst")))
}

// checkExtension refuses a name that promises another format than is written.
func (o *exportOptions) checkExtension() error {
	if o.kind == "all" || o.out == "" || o.out == "-" {
		return nil
	}
	bare := strings.TrimSuffix(o.out, filepath.Ext(o.out))
	switch ext := o.extension(); ext {
	case ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".parquet", ".pdf", ".zip", ".bz2", ".xz":
		return usagef("--out %s: %s files cannot be written; spreadsheet programs open CSV: --out %s.csv --bom", o.out, ext, bare)
	case "", ".csv", ".txt", ".jsonl", ".ndjson":
		return nil
	case ".json":
		if o.format == "" {
			return usagef("--out %s: one JSON document is not written, but one a line: --out %s.jsonl", o.out, bare)
		}
	default:
		if o.format == "" {
			return usagef("--out %s: %s says nothing of the format: add --format csv or --format jsonl", o.out, ext)
		}
	}
	return nil
}

// fillIn settles the output path and the format.
func (o *exportOptions) fillIn() {
	o.format = o.fileFormat()
	if o.out == "" {
		o.out = o.kind + "." + o.format
		if o.kind == "all" {
			o.out = "directory"
		}
	}
}

// selection is what part of the directory is asked for.
func (o *exportOptions) selection() *report.Selection {
	return &report.Selection{
		Filter: o.filter, Inactive: o.inactive, Attributes: o.attributes, ExcludeAttributes: o.excluded, Mapping: o.mapping != "",
	}
}
