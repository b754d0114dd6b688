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
	key := harmless(cutTo(d.Key, longestKey))
	switch d.Kind {
	case pipeline.Came:
		b.WriteString(t.paint(green, "+ "+key) + held(d) + "\n")
	case pipeline.Went:
		b.WriteString(t.paint(red, "- "+key) + held(d) + "\n")
	default:
		b.WriteString(t.paint(yellow, "~ "+key) + "\n")
		writeLines(&b, "    ", attributeLines(d.Differences, nil), t.paint)
	}
	_, err := io.WriteString(t.Out, b.String())
	return err
}

// Flush has nothing to do.
func (t *DiffText) Flush() error { return nil }

func (t *DiffText) paint(colour, text string) string { return painted(t.Colour, colour, text) }

// heldShown is how many attributes of somebody who came or went are shown.
const heldShown = 4

// held says in a few words who came or went.
func held(d *pipeline.Delta) string {
	var parts []string
	for _, l := range attributeLines(d.Differences, nil) {
		if l.Text == strconv.Quote(d.Key) {
			continue
		}
		if len(parts) == heldShown {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, l.Path+": "+l.Text)
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, ", ")
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
			old, now = "", hiddenText
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
	case action == plan.ActDelete && d.ID == "":
		c.Refused["nobody is deleted by name alone, and the old file has no ids"]++
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

// ExportedFile finds what the manifest beside a file says of it; nil where there
// is none, or none of this file.
func ExportedFile(path string) (*Manifest, *ManifestFile) {
	for _, at := range []string{path + ".manifest.json", filepath.Join(filepath.Dir(path), "manifest.json")} {
		text, err := os.ReadFile(at)
		if err != nil {
			continue
		}
		var m Manifest
		if json.Unmarshal(text, &m) != nil {
			continue
		}
		for i := range m.Files {
			if f := &m.Files[i]; f.Path == filepath.Base(path) {
				return &m, f
			}
		}
	}
	return nil, nil
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
