package report

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// Review takes the decisions of a dry run: it gathers what people are shown of
// them, saves them as a plan file, and writes the rejects beside it. It is not
// safe for concurrent use.
type Review struct {
	Files   *Files
	Secrets bool // are to be saved
	header  PlanHeader
	screen  *reviewScreen
	page    *page // nil where nobody wants one
	ignored ignored
	taken   taken
	mixed   bool // there are changes of groups among those of people
	file    *os.File
	out     *bufio.Writer
}

// ReviewOptions say what is made of a plan beside its file.
type ReviewOptions struct {
	Colour  bool
	Secrets bool         // are saved in the plan file; they are never shown
	Page    string       // path of an HTML page, "" for none
	Profile scim.Profile // what the directory is known to do
}

// NewReview starts a plan in a run's directory.
func NewReview(dir string, header PlanHeader, files *Files, o ReviewOptions) (*Review, error) {
	file, err := privateFile(filepath.Join(dir, PlanFile))
	if err != nil {
		return nil, err
	}
	r := &Review{
		Files: files, Secrets: o.Secrets, header: header, screen: newReviewScreen(o.Colour), file: file, out: bufio.NewWriter(file),
		ignored: ignored{profile: o.Profile},
	}
	if o.Page != "" {
		r.page = newPage(o.Page, dir)
	}
	return r, r.writeLine(header)
}

// Path is where the plan file is.
func (r *Review) Path() string { return r.file.Name() }

// Record takes one decision.
func (r *Review) Record(result *pipeline.Result) error {
	if result.Outcome == pipeline.Rejected && !result.Leaver {
		r.Files.Reasons.Add(result.Row.Line, result.Key, result.Class, result.Text())
		return r.Files.reject(result)
	}
	if result.Begun {
		return r.goOn(result)
	}
	if err := r.show(result); err != nil {
		return err
	}
	if result.Leaver {
		if err := r.Files.recordAbsent(result); err != nil {
			return err
		}
	}
	if !result.Change.Action.Writes() {
		return nil
	}
	if err := r.writeChange(result, &result.Change); err != nil || result.Second == nil {
		return err
	}
	return r.writeChange(result, result.Second)
}

// writeChange saves a step of a row.
func (r *Review) writeChange(result *pipeline.Result, c *plan.Change) error {
	r.ignored.add(c.Differences)
	r.taken.add(c.Differences)
	line := plan.NewLine(result.Row.Line, cmp.Or(result.Resource, r.header.Resource), result.Key, c, r.Secrets)
	line.Absent = result.Leaver
	if line.Op != plan.ActCreate && c != result.Second {
		line.Seen, line.Partial = result.Seen, result.Partial
	}
	return r.writeLine(line)
}

// Early takes the first step of a row whose outcome comes after its second one.
func (r *Review) Early(result *pipeline.Result) error {
	if !result.Change.Action.Writes() {
		return nil // the second step is all that there is
	}
	if err := r.show(result); err != nil {
		return err
	}
	return r.writeChange(result, &result.Change)
}

// goOn adds what the second step of a row does to what Early has shown.
func (r *Review) goOn(result *pipeline.Result) error {
	c := newShownChange(result, result.Change.Action)
	r.screen.goOn(c)
	if result.Second == nil {
		return nil
	}
	if err := r.page.goOn(c); err != nil {
		return err
	}
	return r.writeChange(result, result.Second)
}

// Keep takes a change that belongs to several rows: that of a group which their
// people join or leave. Their own lines have shown it.
func (r *Review) Keep(line *plan.Line) error { return r.writeLine(line) }

// show keeps what people are shown of a decision. Most rows of a long plan are
// counted and no more.
func (r *Review) show(result *pipeline.Result) error {
	action := result.Change.Action
	if len(result.Joins)+len(result.Leaves) > 0 && action == plan.ActNothing {
		action = plan.ActUpdate
	}
	other := result.Resource != "" && result.Resource != r.header.Resource
	r.mixed = r.mixed || other
	kept, paged := r.screen.count(action), r.page.count(action)
	if kept == nil && !paged {
		return nil
	}
	c := newShownChange(result, action)
	if other {
		c.Place = strings.ToLower(result.Resource) + ", " + c.Place
	}
	if kept != nil {
		kept.add(c.Line, r.screen.text(kept, c))
	}
	if paged {
		return r.page.add(c)
	}
	return nil
}

func (r *Review) writeLine(v any) error {
	b, err := scim.Encode(v)
	if err != nil {
		return err
	}
	if _, err := r.out.Write(b); err != nil {
		return err
	}
	return r.out.WriteByte('\n')
}

// Flush hands everything to the operating system.
func (r *Review) Flush() error { return errors.Join(r.out.Flush(), r.Files.Flush()) }

// Close makes the plan file durable.
func (r *Review) Close() error {
	return errors.Join(r.Flush(), r.file.Sync(), r.file.Close())
}

// Warnings are what the plan itself shows to be wary of.
func (r *Review) Warnings() []string { return r.ignored.warnings() }

// Taken is what the plan takes away from lists, those that lose most first.
func (r *Review) Taken() []*Taken { return r.taken.mostFirst() }

// WriteText prints the plan for a person: what changes, group by group, and
// what it comes to.
func (r *Review) WriteText(out io.Writer, s *Summary) error {
	var b strings.Builder
	r.screen.write(&b, r.noun())
	r.writeUnchanged(&b, s)
	r.writeRejects(&b, s)
	for _, line := range r.totals(s) {
		b.WriteString(line + "\n")
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "%s: %s\n", r.screen.paint(yellow, "warning"), harmless(warning))
	}
	if s.Rows.Rejected > 0 {
		writeWhere(&b, r.Files)
	}
	fmt.Fprintf(&b, "the whole change set: %s\n", r.Path())
	if r.page != nil {
		fmt.Fprintf(&b, "as a page: %s\n", r.page.path)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// noun is what the rows describe.
func (r *Review) noun() string {
	if r.header.Resource == "" || r.mixed {
		return "resource"
	}
	return strings.ToLower(r.header.Resource)
}

func (r *Review) writeUnchanged(b *strings.Builder, s *Summary) {
	if n := s.Rows.Unchanged; n > 0 {
		fmt.Fprintf(b, "= %s: the directory has all of it already\n\n", countText(n, "row")+" unchanged")
	}
}

// writeRejects says which rows cannot be carried out, and why.
func (r *Review) writeRejects(b *strings.Builder, s *Summary) {
	if s.Rows.Rejected == 0 {
		return
	}
	fmt.Fprintf(b, "%s %s:\n", r.screen.paint(red, "Reject"), rowsText(s.Rows.Rejected))
	for _, class := range r.Files.Reasons.Classes() {
		fmt.Fprintf(b, "  %s %s\n", r.screen.paint(red, "! "+class.Name+","), rowsText(class.Rows))
		shown, others := firstReasons(class.Reasons)
		for _, reason := range shown {
			fmt.Fprintf(b, "      %s: %s\n", reason.where(), reason.shown())
		}
		if others != "" {
			fmt.Fprintf(b, "      %s\n", others)
		}
	}
	b.WriteString("\n")
}

// totals are what the plan comes to, a line each.
func (r *Review) totals(s *Summary) []string {
	n, w, who := s.Rows, s.Writes, "The import"
	if r.Files.Changes {
		who = "Applying it"
	}
	lines := []string{fmt.Sprintf("Plan for %s, %s: %s.", s.Target, rowsText(n.Read), counted(
		named{"to create", n.Created}, named{"to update", n.Updated}, named{"to replace", n.Replaced},
		named{"to deactivate", n.Deactivated}, named{"to delete", n.Deleted}, named{"unchanged", n.Unchanged},
		named{"skipped", n.Skipped}, named{"rejected", n.Rejected}, named{"not looked at", n.Pending}))}
	if w.Total == 0 {
		lines = append(lines, who+" would change nothing.")
	} else {
		lines = append(lines, fmt.Sprintf("%s would send %s (%s) and about %s. Nothing has been changed.",
			who, countText(w.Total, "write"), counted(named{"POST", w.POST}, named{"PUT", w.PUT}, named{"PATCH", w.PATCH}, named{"DELETE", w.DELETE}), countText(s.Reads, "read")))
	}
	if text := takenText(r.Taken(), r.noun()); text != "" {
		lines = append(lines, text)
	}
	if s.Expected != nil {
		lines = append(lines, "Expected duration: "+s.Expected.String())
	}
	if s.Absent != nil {
		lines = append(lines, "absent: "+s.Absent.text("to deactivate", s.Run))
	}
	if s.Lookup != "" {
		lines = append(lines, s.Lookup)
	}
	if s.Bulk != "" {
		lines = append(lines, s.Bulk)
	}
	return lines
}

// SavePage writes the HTML page, where one is wanted.
func (r *Review) SavePage(s *Summary) error {
	if r.page == nil {
		return nil
	}
	return r.page.save(r, s)
}
