package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Differences shows the differences of a comparison, one after the other.
type Differences interface {
	Show(*pipeline.Delta) error
	// Flush hands everything to the writer.
	Flush() error
}

// DiffText shows differences to a person: a line a resource, and below it a line
// an attribute that has changed.
type DiffText struct {
	Out    io.Writer
	Colour bool
}

// Show prints one difference.
func (t *DiffText) Show(d *pipeline.Delta) error {
	var b strings.Builder
	switch d.Kind {
	case pipeline.Came:
		t.line(&b, "+", green, printable(d.Key)+held(d))
	case pipeline.Went:
		t.line(&b, "-", red, printable(d.Key)+held(d))
	default:
		t.line(&b, "~", yellow, printable(d.Key))
		for _, difference := range d.Differences {
			b.WriteString("    " + changeText(difference) + "\n")
		}
	}
	_, err := io.WriteString(t.Out, b.String())
	return err
}

// Flush has nothing to do.
func (t *DiffText) Flush() error { return nil }

func (t *DiffText) line(b *strings.Builder, mark, colour, text string) {
	if t.Colour {
		fmt.Fprintf(b, "%s%s %s%s\n", colour, mark, text, plainC)
		return
	}
	fmt.Fprintf(b, "%s %s\n", mark, text)
}

// heldShown is how many attributes of somebody who came or went are shown.
const heldShown = 4

// held says in a few words who came or went.
func held(d *pipeline.Delta) string {
	var parts []string
	for _, h := range d.Differences {
		if len(parts) == heldShown {
			parts = append(parts, "…")
			break
		}
		if h.New != d.Key {
			parts = append(parts, h.Path+" "+diffValue(h.New, longestHeld))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, ", ")
}

// How many characters of a value are shown: of somebody who came, and of an
// attribute that has changed.
const (
	longestHeld   = 40
	longestChange = 2000
)

// changeText is an attribute that has changed, from old to new.
func changeText(d plan.Difference) string {
	_, gone := d.Old.([]any)
	_, come := d.New.([]any)
	old, now := diffValue(d.Old, longestChange), diffValue(d.New, longestChange)
	switch {
	case d.Secret:
		return d.Path + ": (secret)"
	case d.Old == nil && come:
		return d.Path + ": + " + now
	case d.New == nil && gone:
		return d.Path + ": - " + old
	}
	return d.Path + ": " + old + " → " + now
}

func diffValue(v any, longest int) string {
	if v == nil {
		return "nothing"
	}
	text := diffBrief(v)
	if utf8.RuneCountInString(text) > longest {
		text = string([]rune(text)[:longest-1]) + "…"
	}
	return text
}

// diffBrief writes a value as JSON, and the values of a list without their
// wrapping where they have nothing but a value and a type.
func diffBrief(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = diffBrief(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case scim.Object:
		value, typ := v["value"], v["type"]
		switch {
		case len(v) == 1 && value != nil:
			return diffBrief(value)
		case len(v) == 2 && value != nil && typ != nil:
			return fmt.Sprint(typ) + ": " + diffBrief(value)
		}
	}
	b, err := scim.Encode(v)
	if err != nil {
		return "?"
	}
	return printableJSON(string(b))
}

// printable is a name as a terminal may show it: names come from files and
// directories, and could hold what moves the cursor.
func printable(name string) string {
	if name == "" {
		return `""`
	}
	if strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(name)
	}
	return name
}

// printableJSON escapes what JSON need not escape and a terminal obeys.
func printableJSON(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// DiffCSV writes differences as CSV: a line for who came or went, and one an
// attribute that has changed.
type DiffCSV struct {
	Resource string // of the differences that follow
	csv      *csv.Writer
}

// NewDiffCSV begins a file.
func NewDiffCSV(out io.Writer) (*DiffCSV, error) {
	w := &DiffCSV{csv: csv.NewWriter(out)}
	return w, w.csv.Write([]string{"change", "resource", "key", "id", "attribute", "old", "new", "old_line", "new_line"})
}

// Show writes one difference.
func (w *DiffCSV) Show(d *pipeline.Delta) error {
	if d.Kind != pipeline.Changed {
		return w.write(d, "", "", "")
	}
	for _, difference := range d.Differences {
		old, now := cellOf(difference.Old), cellOf(difference.New)
		if difference.Secret {
			old, now = "", "(secret)"
		}
		if err := w.write(d, difference.Path, old, now); err != nil {
			return err
		}
	}
	return nil
}

func (w *DiffCSV) write(d *pipeline.Delta, attribute, old, now string) error {
	id := d.ID
	if id == "" {
		id = d.NewID
	}
	return w.csv.Write([]string{d.Kind, w.Resource, mapping.Guard(d.Key), mapping.Guard(id), attribute, mapping.Guard(old), mapping.Guard(now), lineText(d.OldLine), lineText(d.NewLine)})
}

func lineText(line int64) string {
	if line == 0 {
		return ""
	}
	return strconv.FormatInt(line, 10)
}

func cellOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := scim.Encode(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// Flush hands everything to the writer.
func (w *DiffCSV) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

// DiffMembers writes the differences of two membership files as a membership
// file that makes the old memberships the new ones.
type DiffMembers struct{ csv *csv.Writer }

// NewDiffMembers begins a file.
func NewDiffMembers(out io.Writer) (*DiffMembers, error) {
	w := &DiffMembers{csv.NewWriter(out)}
	return w, w.csv.Write([]string{"group", "user", "action", "group_id", "user_id"})
}

// Show writes one membership.
func (w *DiffMembers) Show(d *pipeline.Delta) error {
	action := "add"
	if d.Kind == pipeline.Went {
		action = "remove"
	}
	m := d.Members
	return w.csv.Write([]string{mapping.TextCell(m[0]), mapping.TextCell(m[1]), action, m[2], m[3]})
}

// Flush hands everything to the writer.
func (w *DiffMembers) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

// ChangeSet writes the changes of a comparison as a plan file.
type ChangeSet struct {
	Writes  map[plan.Action]int64
	Refused map[string]int64 // changes that the provider cannot make, by why
	Kept    int64            // who went and is to stay

	header PlanHeader
	out    io.Writer
	lines  int64
}

// NewChangeSet begins a plan file.
func NewChangeSet(out io.Writer, header PlanHeader) (*ChangeSet, error) {
	c := &ChangeSet{Writes: map[plan.Action]int64{}, Refused: map[string]int64{}, header: header, out: out}
	return c, c.write(header)
}

// Add writes the change of a difference.
func (c *ChangeSet) Add(d *pipeline.Delta) error {
	switch action := d.Change.Action; {
	case action == plan.ActReject:
		c.Refused[d.Change.Reason]++
		return nil
	case action == plan.ActSkip:
		c.Kept++
		return nil
	case !action.Writes():
		return nil
	}
	c.Writes[d.Change.Action]++
	c.lines++
	line := plan.NewLine(c.lines, c.header.Resource, d.Key, &d.Change, false)
	if line.Key == "" {
		line.Key = d.ID
	}
	if line.Op != plan.ActCreate {
		line.Seen, line.Partial = d.Seen, true
	}
	return c.write(line)
}

func (c *ChangeSet) write(v any) error {
	b, err := scim.Encode(v)
	if err == nil {
		_, err = c.out.Write(append(b, '\n'))
	}
	return err
}

// Total is the number of changes.
func (c *ChangeSet) Total() (n int64) {
	for _, w := range c.Writes {
		n += w
	}
	return n
}

// DiffSummary is what a comparison came to, as --json prints it.
type DiffSummary struct {
	Command     string           `json:"command"`
	Old         string           `json:"old"`
	New         string           `json:"new"`
	Resource    string           `json:"resource"` // User, Group or membership
	Came        int64            `json:"came"`
	Went        int64            `json:"went"`
	Changed     int64            `json:"changed"`
	Unchanged   int64            `json:"unchanged"`
	OtherID     int64            `json:"other_id"` // matched by the match attribute, with another id
	NotCompared []string         `json:"not_compared"`
	Notes       []string         `json:"notes"`
	ChangeSet   string           `json:"change_set,omitempty"` // its path
	Changes     map[string]int64 `json:"changes,omitempty"`    // in it, by op
	Refused     map[string]int64 `json:"refused,omitempty"`    // changes that the provider cannot make, by why
	Kept        int64            `json:"kept,omitempty"`
}

// SetCounts takes over what the comparison has counted.
func (s *DiffSummary) SetCounts(c *pipeline.Compared) {
	s.Came, s.Went, s.Changed, s.Unchanged, s.OtherID = c.Came, c.Went, c.Changed, c.Unchanged, c.Reborn
	s.NotCompared = append([]string{}, c.Left...)
	s.Notes = append(s.Notes, c.Notes...)
}

// SetChanges takes over what is in the change set at path.
func (s *DiffSummary) SetChanges(path string, c *ChangeSet) {
	s.ChangeSet, s.Refused, s.Kept, s.Changes = path, c.Refused, c.Kept, map[string]int64{}
	for action, n := range c.Writes {
		s.Changes[string(action)] = n
	}
}

// WriteText prints the totals, and what came of the change set.
func (s *DiffSummary) WriteText(out io.Writer) error {
	var b strings.Builder
	noun := strings.ToLower(s.Resource) + "s"
	fmt.Fprintf(&b, "%s → %s, %s: %s\n", s.Old, s.New, noun,
		counted(named{"came", s.Came}, named{"went", s.Went}, named{"changed", s.Changed}, named{"unchanged", s.Unchanged}))
	if s.ChangeSet != "" {
		op := func(a plan.Action) int64 { return s.Changes[string(a)] }
		fmt.Fprintf(&b, "the change set: %s (%s); nothing has been changed\n", s.ChangeSet, counted(
			named{"to create", op(plan.ActCreate)}, named{"to update", op(plan.ActUpdate)},
			named{"to deactivate", op(plan.ActDeactivate)}, named{"to delete", op(plan.ActDelete)}))
	}
	for _, why := range slices.Sorted(maps.Keys(s.Refused)) {
		fmt.Fprintf(&b, "  %d not in it: %s\n", s.Refused[why], why)
	}
	if s.Kept > 0 {
		fmt.Fprintf(&b, "  %d who went are kept\n", s.Kept)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// ExportGaps says what the manifest beside an exported file tells of its gaps:
// nothing where it has none, or where there is no manifest.
func ExportGaps(path string) []string {
	for _, at := range []string{path + ".manifest.json", filepath.Join(filepath.Dir(path), "manifest.json")} {
		text, err := os.ReadFile(at)
		if err != nil {
			continue
		}
		var m Manifest
		if json.Unmarshal(text, &m) != nil {
			continue
		}
		for _, f := range m.Files {
			if f.Path == filepath.Base(path) && f.Grade == "C" {
				return f.Reasons
			}
		}
	}
	return nil
}

// WriteDiffs prints comparisons as JSON: one as an object, several as a list.
func WriteDiffs(out io.Writer, all []DiffSummary) error {
	var document any = all
	if len(all) == 1 {
		document = all[0]
	}
	b, err := json.MarshalIndent(document, "", "  ")
	if err == nil {
		_, err = out.Write(append(b, '\n'))
	}
	return err
}
