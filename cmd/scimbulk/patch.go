package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/report"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// Files of the run's directory of a patch: whom the filter has selected, and
// what is to become of them. With these it is an import like any other, and is
// resumed like one.
const (
	chosenFile       = "chosen.csv"
	patchMappingFile = "patch.mapping.yaml"
)

const commandPatch = "patch"

// patchOptions are the flags of patch beside those of an import.
type patchOptions struct {
	kind   string
	filter string
	set    []string
	clear  []string
}

func newPatch(s streams) *cobra.Command {
	p := &patchOptions{}
	o := &importOptions{chosen: true}
	cmd := &cobra.Command{
		Use:   "patch users|groups --filter FILTER --set PATH=VALUE",
		Short: "Change everybody whom a filter selects, without a file",
		Long: `patch reads whom a SCIM filter selects, and gives each of them the values of
--set, or takes away those of --clear. It is a run like an import: it can be
shown beforehand (--dry-run), saved as a plan (--out), resumed and undone.

VALUE is converted to what the attribute holds: text, true or false, a number, a
time. Of an attribute with several values, --set adds one beside those that are
there; a path such as 'emails[type eq "work"].value' sets the one that it names.

Who is selected is settled before the first write, and by scimbulk itself:
directories that ignore filters change nothing. 'id pr' selects everybody.`,
		Example: `  scimbulk patch users --filter 'title eq "Agent"' --set title=Advisor --dry-run --sandbox
  scimbulk patch users --filter 'enterprise:department eq "Sales"' --set active=false --region us-east-1
  scimbulk patch groups --filter 'displayName sw "Old "' --clear externalId --url https://example.com/scim/v2`,
		ValidArgs: []string{"users", "groups"},
		Args:      exactly(1, "users or groups"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.kind = args[0]
			return o.patch(cmd.Context(), s, p)
		},
	}
	f := cmd.Flags()
	p.bind(f)
	o.bindPatch(f)
	return cmd
}

func (p *patchOptions) bind(f *pflag.FlagSet) {
	f.StringVar(&p.filter, "filter", "", "SCIM `filter` of whom to change, such as 'title eq \"Agent\"'")
	f.StringArrayVar(&p.set, "set", nil, "give an attribute a value: `PATH=VALUE`; repeatable")
	f.StringArrayVar(&p.clear, "clear", nil, "take away the values of an attribute: `PATH`; repeatable")
}

// bindPatch binds the flags of an import that go without a file.
func (o *importOptions) bindPatch(f *pflag.FlagSet) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.bind(all)
	notHere := map[string]bool{
		"mapping": true, "resource": true, "op": true, "match": true, "on-existing": true, "on-duplicate": true, "lookup": true,
		"unmapped": true, "clear-token": true, "format": true, "delimiter": true, "encoding": true, "skip-rows": true, "max-rows": true,
		"absent": true, "filter": true, "include-secrets": true,
	}
	all.VisitAll(func(flag *pflag.Flag) {
		if !notHere[flag.Name] {
			f.AddFlag(flag)
		}
	})
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would change and write nothing")
}

// resource is the type of what the kind names; "" for another word.
func (p *patchOptions) resource() string {
	switch kindOf(p.kind) {
	case kindUser:
		return "User"
	case kindGroup:
		return "Group"
	}
	return ""
}

func (p *patchOptions) validate() error {
	var problems []error
	if p.resource() == "" {
		problems = append(problems, usagef("patch %q: use one of users, groups", p.kind))
	}
	if p.filter == "" {
		problems = append(problems, usagef("--filter says whom to change: give one, or 'id pr' for everybody"))
	} else if _, err := scim.ParseFilter(p.filter); err != nil {
		problems = append(problems, usagef("--filter: %w", err))
	}
	if len(p.set)+len(p.clear) == 0 {
		problems = append(problems, usagef("nothing to change: give --set PATH=VALUE or --clear PATH"))
	}
	for _, text := range p.set {
		if path, value, ok := cutSet(text); !ok || strings.TrimSpace(path) == "" {
			problems = append(problems, usagef("--set %q: write PATH=VALUE", text))
		} else if value == "" {
			problems = append(problems, usagef("--set %q: no value; --clear %s takes the attribute's away", text, path))
		} else if why := notPatched(path); why != "" {
			problems = append(problems, usagef("--set %q: %s", text, why))
		}
	}
	for _, path := range p.clear {
		if why := notPatched(path); why != "" {
			problems = append(problems, usagef("--clear %q: %s", path, why))
		}
	}
	return errors.Join(problems...)
}

// notPatched says why a path is not for --set or --clear, "" for most.
func notPatched(path string) string {
	switch strings.ToLower(strings.TrimSpace(path)) {
	case "id":
		return "id is read-only: the directory decides it"
	case "groups", "members":
		return "people come into groups, and leave them, by a file with the columns group, user and action"
	}
	return ""
}

// cutSet parts PATH=VALUE. An = in the brackets of a path, or in its quotes, is
// of the path.
func cutSet(text string) (path, value string, found bool) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && depth > 0:
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '=' && depth == 0:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// patch makes the file and the mapping of an import, and carries that out.
func (o *importOptions) patch(ctx context.Context, s streams, p *patchOptions) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	o.resource, o.op, o.match, o.format = p.resource(), string(plan.Patch), "id", string(rows.CSV)
	o.encoding, o.delimiter = "utf-8", ","
	r := &importRun{importOptions: o, s: s, meter: &pipeline.Meter{}, patch: p}
	if err := errors.Join(p.validate(), r.validate()); err != nil {
		return err
	}
	return r.execute(ctx)
}

// choose selects whom to change, and writes down who that is and what is to
// become of them: the input and the mapping of the import that follows.
func (r *importRun) choose(ctx context.Context) (err error) {
	if r.patch == nil {
		return nil
	}
	if err := r.openDirectory(ctx); err != nil {
		return err
	}
	text, err := r.compilePatch(ctx)
	if err != nil {
		return err
	}
	filter, err := scim.ParseFilter(r.patch.filter)
	if err != nil {
		return usagef("--filter: %w", err)
	}
	if err := r.schema.CheckFilter(filter); err != nil {
		return usagef("--filter '%s': %w", filter, err)
	}
	if err := r.checkFilters(); err != nil { // of --protect
		return err
	}
	if r.runDir, err = newRunDir(r.run.dir, r.command()); err != nil {
		return err
	}
	r.importOptions.mapping = filepath.Join(r.runDir, patchMappingFile)
	text = "# for the " + r.patch.kind + " that this filter has selected: " + strings.ReplaceAll(filter.String(), "\n", " ") + "\n" + text
	if err := privateText(r.importOptions.mapping, text); err != nil {
		return err
	}
	return r.readChosen(ctx, filter)
}

// compilePatch makes a mapping of --set and --clear, and checks each of them.
func (r *importRun) compilePatch(ctx context.Context) (text string, err error) {
	if r.schema, err = r.dir.schema(ctx, r.resource); err != nil {
		return "", err
	}
	var problems []error
	for _, set := range r.patch.set {
		_, err := r.compileOne([]string{set}, nil)
		problems = append(problems, patchFault("--set", set, err))
	}
	for _, path := range r.patch.clear {
		_, err := r.compileOne(nil, []string{path})
		problems = append(problems, patchFault("--clear", path, err))
	}
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	text = patchMapping(r.resource, r.patch.set, r.patch.clear)
	if r.mapping, err = r.compileOne(r.patch.set, r.patch.clear); err != nil {
		return "", patchFault("--set", strings.Join(r.patch.set, "' --set '"), err)
	}
	if r.mapping.HasPassword() {
		return "", usagef("--set password: a secret does not belong on a command line; import a file that holds it")
	}
	return text, nil
}

func (r *importRun) compileOne(set, clear []string) (*mapping.Mapping, error) {
	file, err := mapping.Parse("patch", []byte(patchMapping(r.resource, set, clear)))
	if err != nil {
		return nil, err
	}
	return file.Compile(chosenHeader(), false, mapping.Options{Schema: func(resource string) *scim.ResourceSchema {
		if resource == r.resource {
			return r.schema
		}
		return scim.Builtin(resource)
	}})
}

// patchFault says what is wrong with a flag, without the place in a mapping that
// nobody has written.
func patchFault(flag, value string, err error) error {
	if err == nil {
		return nil
	}
	var faults mapping.Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		return usagef("%s '%s': %w", flag, value, err)
	}
	message := faults[0].Message
	if faults[0].Hint != "" {
		message += " (" + faults[0].Hint + ")"
	}
	return usagef("%s '%s': %s", flag, value, message)
}

// chosenHeader are the columns of chosen.csv. The name is for people alone.
func chosenHeader() []string { return []string{"id", "_name"} }

// noValue stands for no value in the mapping of a patch: nobody could mean it
// on a command line, where no text holds a line break by mistake.
const noValue = "\n(no value)\n"

// patchMapping is the mapping that does what --set and --clear say.
func patchMapping(resource string, set, clear []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "resource: %s\nmatch: id\nop: patch\nclear-token: %s\nattributes:\n  id: id\n", resource, quoted(noValue))
	for _, e := range valuesByPath(set) {
		fmt.Fprintf(&b, "  %s: {value: %s}\n", quoted(e.path), strings.Join(e.values, ", "))
	}
	for _, path := range clear {
		fmt.Fprintf(&b, "  %s: {value: %s}\n", quoted(strings.TrimSpace(path)), quoted(noValue))
	}
	return b.String()
}

// setPath is a path of --set with its values, as YAML writes them.
type setPath struct {
	path   string
	values []string
}

// valuesByPath joins the values that several --set give to one path.
func valuesByPath(set []string) []setPath {
	var list []setPath
	for _, text := range set {
		path, value, _ := cutSet(text)
		path = strings.TrimSpace(path)
		at := slices.IndexFunc(list, func(e setPath) bool { return strings.EqualFold(e.path, path) })
		if at < 0 {
			list = append(list, setPath{path: path})
			at = len(list) - 1
		}
		list[at].values = append(list[at].values, quoted(value))
	}
	for i := range list {
		if values := list[i].values; len(values) > 1 {
			list[i].values = []string{"[" + strings.Join(values, ", ") + "]"}
		}
	}
	return list
}

// quoted is a text as YAML and JSON quote it alike.
func quoted(text string) string {
	b, err := scim.Encode(strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil {
		return `""` // not reached: the text is valid
	}
	return string(b)
}

func privateText(path, text string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// readChosen reads whom the filter selects.
func (r *importRun) readChosen(ctx context.Context, filter scim.Filter) error {
	r.importOptions.input = filepath.Join(r.runDir, chosenFile)
	if err := privateText(r.importOptions.input, ""); err != nil {
		return err
	}
	file, err := os.OpenFile(r.importOptions.input, os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := csv.NewWriter(file)
	err = out.Write(chosenHeader())
	progress := report.StartProgress(r.run.progressMode(r.s), r.s.err, r.meter, strings.ToLower(r.resource)+"s")
	begun := time.Now()
	choice, chooseErr := r.pipeline().Choose(ctx, filter, func(id, name string) error { return out.Write([]string{id, name}) })
	progress.Stop()
	out.Flush()
	err = errors.Join(err, chooseErr, out.Error(), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	r.reading = choice.Reading
	r.sayChoice(choice, time.Since(begun))
	return nil
}

// sayChoice tells what the directory made of the filter, where that is worth a
// line.
func (r *importRun) sayChoice(c *pipeline.Choice, took time.Duration) {
	switch {
	case c.Refused != "":
		r.note("the directory does not filter so (%s): all of it was read, in %.1fs", c.Refused, took.Seconds())
	case c.Others > 0:
		r.note("the directory sent %d who do not fit the filter: they are left alone", c.Others)
	}
	if c.Reading.People == 0 {
		r.note("nobody fits the filter")
	}
}
