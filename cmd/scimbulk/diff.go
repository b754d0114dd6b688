package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
	"scimbulk/internal/scim"
)

// liveName stands for the directory in the place of a file.
const liveName = "live"

// Formats of a comparison.
const (
	diffText = "text"
	diffCSV  = "csv"
)

// diffOptions are the flags of diff.
type diffOptions struct {
	target targetOptions

	old, new  string
	resource  string
	match     string
	format    string
	out       string
	plan      string
	went      string
	only, but []string
	all       bool
	detailed  bool
	json      bool
	quiet     bool
	progress  string
	aimed     bool // the command line names a directory
}

func newDiff(s streams) *cobra.Command {
	o := &diffOptions{}
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "Compare two exports, or an export and the live directory",
		Long: `diff says who came (+), who went (-) and what changed (~) from OLD to NEW. Both
are files that export has written (users, groups or memberships; CSV or JSONL,
also packed), or folders of export all. The word live stands for the directory
itself; without NEW, OLD is compared with it. - is standard input.

Resources are the same where their ids are, else where userName (displayName for
groups) is; --match goes by another attribute alone. Values are compared by what
they mean: names have no case, lists no order. Not compared are passwords, what
the directory decides itself (meta, groups), and attributes that one of the files
does not have: those are named.

--plan FILE saves the change set that makes OLD into NEW, for scimbulk apply to
carry out in a directory that is still as OLD says. To take the directory back to
an earlier export, it is the directory that is old:

  scimbulk diff live monday.csv --plan back.jsonl --target prod

Membership files need no change set: --out FILE.csv is a membership file itself,
which scimbulk import carries out.`,
		Example: `  scimbulk diff monday.csv tuesday.csv
  scimbulk diff monday.csv --target prod --detailed-exitcode
  scimbulk diff monday.jsonl tuesday.csv.gz --out changes.csv
  scimbulk diff live monday.csv --sandbox --plan back.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return usagef("%s takes one or two files: %s", cmd.CommandPath(), cmd.UseLine())
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.old, o.new = args[0], liveName
			if len(args) == 2 {
				o.new = args[1]
			}
			for _, name := range []string{"url", "region", "sandbox", "target"} {
				o.aimed = o.aimed || cmd.Flags().Changed(name)
			}
			return o.execute(cmd.Context(), s)
		},
	}
	o.bind(cmd.Flags())
	return cmd
}

func (o *diffOptions) bind(f *pflag.FlagSet) {
	o.target.bind(f)
	f.StringVar(&o.resource, "resource", "", "User or Group (default: by the columns)")
	f.StringVar(&o.match, "match", "", "match by this `attribute` alone, whatever the ids are (default: id, then userName or displayName)")
	f.StringVar(&o.format, "format", "", "text or csv (default: by the extension of --out, else text)")
	f.StringVarP(&o.out, "out", "o", "-", "write the differences to `FILE`; - is standard output")
	f.StringVar(&o.plan, "plan", "", "save the change set that makes OLD into NEW in `FILE`, for scimbulk apply")
	f.StringVar(&o.went, "went", pipeline.WentDelete, "what the change set does with who went: delete, deactivate or keep")
	f.Var(pathList{&o.only}, "attributes", "compare these `paths` alone, comma-separated")
	f.Var(pathList{&o.but}, "exclude-attributes", "do not compare these `paths`, comma-separated")
	f.BoolVar(&o.all, "all-attributes", false, "an attribute that a file does not have is one that nobody had, and is compared")
	f.BoolVar(&o.detailed, "detailed-exitcode", false, "exit 2 when there are differences")
	f.BoolVar(&o.json, "json", false, "print what it came to as JSON, and nothing else, on standard output")
	f.BoolVar(&o.quiet, "quiet", false, "no progress, no notes: differences and errors alone")
	f.StringVar(&o.progress, "progress", report.ProgressAuto, "auto, bar, plain or none")
}

func (o *diffOptions) live() bool { return o.old == liveName || o.new == liveName }

// needsDirectory says whether the comparison asks a directory, be it for its
// schemas alone.
func (o *diffOptions) needsDirectory() bool { return o.live() || o.plan != "" || o.aimed }

func (o *diffOptions) validate() error {
	var problems []error
	if o.needsDirectory() {
		problems = o.target.validate()
	}
	problems = oneOf(problems, "--resource", o.resource, "", "User", "Group")
	problems = oneOf(problems, "--format", o.format, "", diffText, diffCSV)
	problems = oneOf(problems, "--went", o.went, pipeline.WentDelete, pipeline.WentDeactivate, pipeline.WentKeep)
	problems = append(problems, (&runOptions{progress: o.progress}).validate()...)
	if o.old == o.new && (o.old == liveName || o.old == "-") {
		problems = append(problems, usagef("%s cannot be compared with itself", o.old))
	}
	if o.plan != "" && o.new == liveName && o.old != liveName {
		problems = append(problems, usagef("the change set makes OLD into NEW, which the directory is already; to take it back to %s: scimbulk diff live %[1]s --plan %s", o.old, o.plan))
	}
	if o.went != pipeline.WentDelete && o.plan == "" {
		problems = append(problems, usagef("--went goes with --plan"))
	}
	if o.plan == "-" {
		problems = append(problems, usagef("--plan takes a file: scimbulk apply puts a mark beside it"))
	}
	for _, path := range []string{o.out, o.plan} {
		if path != "" && path != "-" && (path == o.old || path == o.new) {
			problems = append(problems, usagef("%s is one of the files to compare: write to another", path))
		}
	}
	if o.json && o.out == "-" && o.format == diffCSV {
		problems = append(problems, usagef("--json and --format csv would both write to standard output: name a file with --out"))
	}
	return errors.Join(problems...)
}

// checkNames sees that a directory is not named as if it were a file.
func (o *diffOptions) checkNames() error {
	for _, name := range []string{o.old, o.new} {
		if !strings.HasPrefix(name, "https://") && !strings.HasPrefix(name, "http://") {
			continue
		}
		old, newer := o.old, o.new
		if old == name {
			old = liveName
		} else {
			newer = liveName
		}
		return usagef("%s is the address of a directory, whose place is --url: scimbulk diff %s %s --url %[1]s", name, old, newer)
	}
	return nil
}

// pair is two states of one kind of resources, by the paths of their files.
type pair struct{ old, new string }

// diffRun is a comparison under way.
type diffRun struct {
	*diffOptions
	s    streams
	dir  *directory // nil where nobody asks one
	sink *diffSink
	kept []string // copies of what is no file, gone at the end

	filter string // by which the live directory is read
	exit   int
}

func (o *diffOptions) execute(ctx context.Context, s streams) (err error) {
	if err := o.checkNames(); err != nil {
		return err
	}
	if o.needsDirectory() {
		if err := o.target.fillIn(); err != nil {
			return err
		}
		if o.live() && o.target.url == "" && o.target.region == "" && o.target.sandbox == "" {
			return usagef("diff takes two files, or one and the directory to compare it with: name it with --url, --region, --target or --sandbox")
		}
	}
	if err := o.validate(); err != nil {
		return err
	}
	for _, path := range []string{o.out, o.plan} {
		if err := checkOut("--out", path); err != nil {
			return err
		}
	}
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM) // there is nothing to drain
	defer release()
	r := &diffRun{diffOptions: o, s: s}
	defer func() { err = errors.Join(err, r.close()) }()
	if o.needsDirectory() {
		if r.dir, err = o.target.open(); err != nil {
			return err
		}
	}
	if err = r.run(ctx); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: no file was written", pipeline.ErrInterrupted)
	}
	return err
}

func (r *diffRun) close() error {
	var err error
	if r.dir != nil {
		err = r.dir.close()
	}
	for _, path := range r.kept {
		if removed := os.Remove(path); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

func (r *diffRun) run(ctx context.Context) error {
	pairs, err := r.pairs()
	if err != nil {
		return err
	}
	if r.sink, err = newDiffSink(r.diffOptions, r.s); err != nil {
		return err
	}
	defer r.sink.discard()
	for _, p := range pairs {
		if err := r.compare(ctx, p); err != nil {
			return err
		}
	}
	if err := r.sink.finish(); err != nil {
		return err
	}
	if r.exit != exitDone {
		return exitError{code: r.exit}
	}
	return nil
}

// pairs are the files to compare. Of two folders these are users and groups,
// which hold their members.
func (r *diffRun) pairs() ([]pair, error) {
	old, oldFolder := folder(r.old)
	newer, newFolder := folder(r.new)
	switch {
	case !oldFolder && !newFolder:
		return []pair{{r.old, r.new}}, nil
	case !(oldFolder || r.old == liveName) || !(newFolder || r.new == liveName):
		return nil, usagef("%s and %s: compare two folders, or two files", r.old, r.new)
	case r.plan != "":
		return nil, usagef("a change set is of users or of groups: compare the files of the folders one by one")
	}
	var pairs []pair
	for _, kind := range []string{"users", "groups"} {
		p := pair{liveName, liveName}
		var err error
		if oldFolder {
			p.old, err = exportIn(old, kind)
		}
		if newFolder && err == nil {
			p.new, err = exportIn(newer, kind)
		}
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

func folder(path string) (string, bool) {
	if path == liveName || path == "-" {
		return path, false
	}
	info, err := os.Stat(path)
	return path, err == nil && info.IsDir()
}

// exportIn finds a file of export all.
func exportIn(folder, kind string) (string, error) {
	var found []string
	for _, pattern := range []string{".csv", ".jsonl", ".csv.gz", ".jsonl.gz", ".csv.zst", ".jsonl.zst"} {
		path := filepath.Join(folder, kind+pattern)
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s holds no %s.csv or %[2]s.jsonl: it is no folder of scimbulk export all", folder, kind)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s holds several: %s; name the one that is meant", folder, strings.Join(found, ", "))
}

func (r *diffRun) note(format string, args ...any) {
	if !r.quiet {
		fmt.Fprintf(r.s.err, format+"\n", args...)
	}
}

// paths reads --attributes and --exclude-attributes.
func (r *diffRun) paths(names []string, schema *scim.ResourceSchema) ([]scim.Path, error) {
	var paths []scim.Path
	var problems []error
	for _, name := range names {
		path, err := scim.ParsePath(strings.TrimSpace(name))
		if err == nil {
			_, err = schema.Resolve(path)
		}
		if err != nil {
			problems = append(problems, usageError{err})
		}
		paths = append(paths, path)
	}
	return paths, errors.Join(problems...)
}
