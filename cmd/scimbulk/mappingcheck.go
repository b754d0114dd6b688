package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// mappingCheckOptions are the flags of mapping check.
type mappingCheckOptions struct {
	fileOptions
	mapping string
	match   string
	op      string
	rows    int
	json    bool
}

func newMappingCheck(s streams) *cobra.Command {
	o := &mappingCheckOptions{}
	cmd := &cobra.Command{
		Use:   "check FILE -m MAPPING",
		Short: "Report every fault of a mapping, and show what rows become",
		Long: `check reads FILE through a mapping, whole, and sends nothing. Faults of the
mapping are reported all at once, with their places; exit code 1. Else the first
rows are shown as the SCIM resources that they become, and the rows that cannot
be used are counted, the first of them shown; exit code 3 if there are any.

References are shown as the names that an import looks up, secrets not at all.
Without -m, the mapping is that which an import makes of the header.`,
		Example: `  scimbulk mapping check new_hires.csv -m new_hires.mapping.yaml
  scimbulk mapping check workers.csv --rows 10 --provider genesys`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input = args[0]
			return o.execute(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	o.bind(f)
	f.StringVarP(&o.mapping, "mapping", "m", "", "mapping `file` (default: headers that are SCIM paths or well known)")
	f.StringVar(&o.match, "match", "", "`attribute` that says who a row is (default: userName, displayName for groups)")
	f.StringVar(&o.op, "op", "", strings.Join(plan.Ops(), ", ")+" (default: the mapping's, else upsert)")
	f.IntVar(&o.rows, "rows", 3, "show the first `N` rows")
	f.BoolVar(&o.json, "json", false, "print what was found as JSON")
	return cmd
}

// mappingCheck is what a check finds, and its JSON.
type mappingCheck struct {
	File     string      `json:"file"`
	Resource string      `json:"resource"`
	Match    string      `json:"match"`
	Rows     int64       `json:"rows"`
	Faulty   int64       `json:"faulty"`
	Shown    []shownRow  `json:"shown"`
	Faults   []rowFault  `json:"faults"` // the first of them
	Notes    []string    `json:"notes"`
	rules    *plan.Rules // how a row becomes a body
}

// shownRow is a row as what it becomes.
type shownRow struct {
	Line int64          `json:"line"`
	Op   string         `json:"op"`
	Key  string         `json:"key"`
	Body jsontext.Value `json:"body,omitempty"`
}

type rowFault struct {
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
}

// shownFaults is how many faulty rows are shown; the others are counted.
const shownFaults = 5

func (o *mappingCheckOptions) execute(ctx context.Context, s streams) error {
	problems := o.validate()
	if o.rows < 0 {
		problems = append(problems, usagef("--rows %d: give a number of rows", o.rows))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	in, release, err := o.open(s, func(format string, args ...any) { fmt.Fprintf(s.err, format+"\n", args...) })
	if err != nil {
		return err
	}
	defer release()
	m, schema, err := o.compile(ctx, in)
	if err != nil {
		return err
	}
	check := &mappingCheck{
		File: o.name(), Resource: m.Resource(), Match: m.MatchTarget().Path.Short(), Shown: []shownRow{}, Faults: []rowFault{},
		Notes: notesOf(m), rules: &plan.Rules{Schema: schema},
	}
	if err := check.read(ctx, in, m, o.rows); err != nil {
		return err
	}
	if err := check.write(s.out, o.json); err != nil {
		return err
	}
	if check.Faulty > 0 {
		return exitError{code: exitIncomplete}
	}
	return nil
}

// compile checks the mapping against the header, and against what the directory
// or the provider keeps.
func (o *mappingCheckOptions) compile(ctx context.Context, in *rows.Reader) (*mapping.Mapping, *scim.ResourceSchema, error) {
	file := mapping.Auto(in.Header(), in.Schemas(), o.resource)
	if o.mapping != "" {
		var err error
		if file, err = mapping.Load(o.mapping); err != nil {
			return nil, nil, err
		}
	} else if err := o.needsMapping(in); err != nil && !in.Nested() {
		return nil, nil, err
	}
	ask := func(resource string) (*scim.ResourceSchema, error) { return scim.Builtin(resource), nil }
	if o.namesTarget() || o.target.provider != "" {
		schemas, _, closeDir, err := o.schemas(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer closeDir()
		ask = schemas
	}
	var failed error
	m, err := file.Compile(in.Header(), in.Nested(), mapping.Options{
		Resource: o.resource, Match: o.match, Op: o.op, Input: o.name(),
		Schema: func(resource string) *scim.ResourceSchema {
			schema, err := ask(resource)
			failed = errors.Join(failed, err)
			return schema
		},
	})
	if failed != nil {
		return nil, nil, failed
	}
	if err != nil {
		return nil, nil, err
	}
	return m, m.Schema(), nil
}

// notesOf are what a mapping says of the columns.
func notesOf(m *mapping.Mapping) []string {
	notes := []string{}
	if columns := m.Unmapped(); len(columns) > 0 {
		notes = append(notes, "columns that map to nothing: "+strings.Join(columns, ", "))
	}
	if columns := m.ReadOnly(); len(columns) > 0 {
		notes = append(notes, "columns that the directory decides itself, not sent: "+strings.Join(columns, ", "))
	}
	return append(notes, m.Notes()...)
}

// read maps every row and keeps the first ones. Of the others it holds eight
// bytes each, to count those that share a key.
func (c *mappingCheck) read(ctx context.Context, in *rows.Reader, m *mapping.Mapping, show int) error {
	mapper, seed := m.NewMapper(), maphash.MakeSeed()
	var keys []uint64
	for row, err := range in.Rows(ctx) {
		if err != nil {
			return err
		}
		c.Rows++
		if row.Blank() {
			continue
		}
		record, err := mapper.Map(&row)
		if err != nil {
			c.fault(row.Line, err)
			continue
		}
		keys = append(keys, maphash.String(seed, record.KeyFold))
		if len(c.Shown) < show {
			if err := c.show(record); err != nil {
				return err
			}
		}
	}
	c.Notes = append(c.Notes, mapper.Findings()...)
	slices.Sort(keys)
	if n := len(keys) - len(slices.Compact(keys)); n > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("rows that have the %s of an earlier one: %d (--on-duplicate says what becomes of them)", c.Match, n))
	}
	return ctx.Err()
}

func (c *mappingCheck) fault(line int64, err error) {
	c.Faulty++
	if len(c.Faults) == shownFaults {
		return
	}
	reason := err.Error()
	if e, ok := errors.AsType[*mapping.RowError](err); ok {
		reason = e.Reason()
	}
	c.Faults = append(c.Faults, rowFault{line, reason})
}

// show makes the resource that a row would create. What cannot be created is a
// fault of the row, unless the row changes or removes what is there.
func (c *mappingCheck) show(record *mapping.Record) error {
	row := shownRow{Line: record.Line, Op: record.Op, Key: record.Key}
	if record.Op != string(plan.Delete) && record.Op != string(plan.Deactivate) {
		change := c.rules.Decide(plan.Wish{Op: plan.Create, Assignments: showable(record)}, nil)
		if change.Action == plan.ActReject {
			c.fault(record.Line, errors.New(change.Reason))
			return nil
		}
		body, err := scim.Encode(change.Body)
		if err != nil {
			return err
		}
		row.Body = jsontext.Value(body)
	}
	c.Shown = append(c.Shown, row)
	return nil
}

// showable are the assignments of a record without its secrets, and with its
// references as names.
func showable(record *mapping.Record) []scim.Assignment {
	var list []scim.Assignment
	for _, a := range record.Assignments {
		if leaf := a.Target.Leaf(); strings.EqualFold(leaf.Returned, "never") || strings.EqualFold(a.Target.Attr.Name, "password") {
			a.Value = "(a secret, not shown)"
		}
		if a.Mode != scim.Clear {
			list = append(list, a)
		}
	}
	for _, ref := range record.Refs {
		list = append(list, named(ref))
	}
	return list
}

func named(ref mapping.Ref) scim.Assignment {
	names := make([]any, len(ref.Names))
	for i, name := range ref.Names {
		names[i] = fmt.Sprintf("(id of the %s whose %s is %s)", ref.Resource, ref.By, name)
	}
	if !ref.Target.List() {
		return scim.Assignment{Target: ref.Target, Value: names[0]}
	}
	for i, name := range names {
		names[i] = scim.Object{"value": name}
	}
	return scim.Assignment{Target: ref.Target, Mode: ref.Mode, Value: names}
}

func (c *mappingCheck) write(out io.Writer, asJSON bool) error {
	if asJSON {
		text, err := json.Marshal(c, jsontext.WithIndent("  "))
		if err == nil {
			_, err = out.Write(append(text, '\n'))
		}
		return err
	}
	var b strings.Builder
	for _, row := range c.Shown {
		fmt.Fprintf(&b, "line %d: %s, matched by %s %q\n", row.Line, row.Op, c.Match, row.Key)
		if row.Body == nil {
			continue
		}
		if err := row.Body.Indent(jsontext.WithIndent("  ")); err != nil {
			return err
		}
		b.Write(row.Body)
		b.WriteString("\n")
	}
	for _, n := range c.Notes {
		fmt.Fprintln(&b, n)
	}
	c.writeFaults(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

func (c *mappingCheck) writeFaults(b *strings.Builder) {
	rows := "rows"
	if c.Rows == 1 {
		rows = "row"
	}
	fmt.Fprintf(b, "%d %s of %s as %s resources: ", c.Rows, rows, c.File, c.Resource)
	if c.Faulty == 0 {
		b.WriteString("all can be used\n")
		return
	}
	fmt.Fprintf(b, "%d can be used, %d cannot\n", c.Rows-c.Faulty, c.Faulty)
	for _, f := range c.Faults {
		fmt.Fprintf(b, "  line %d: %s\n", f.Line, f.Reason)
	}
	if more := c.Faulty - int64(len(c.Faults)); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}
