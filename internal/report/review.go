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
	"unicode/utf8"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// shownChanges is how many changes a plan shows on the terminal; all of them
// are in the plan file.
const shownChanges = 200

// Review takes the decisions of a dry run: it shows them, saves them as a plan
// file, and writes the rejects beside it. It is not safe for concurrent use.
type Review struct {
	Files   *Files
	Secrets bool // are to be saved
	header  PlanHeader
	shown   int
	hidden  int64
	screen  io.Writer
	colour  bool
	file    *os.File
	out     *bufio.Writer
}

// NewReview starts a plan in a run's directory. Changes are shown on screen
// unless it is nil.
func NewReview(dir string, header PlanHeader, files *Files, screen io.Writer, colour bool) (*Review, error) {
	file, err := privateFile(filepath.Join(dir, PlanFile))
	if err != nil {
		return nil, err
	}
	r := &Review{Files: files, header: header, screen: screen, colour: colour, file: file, out: bufio.NewWriter(file)}
	return r, r.writeLine(header)
}

// Path is where the plan file is.
func (r *Review) Path() string { return r.file.Name() }

// Record takes one decision.
func (r *Review) Record(result *pipeline.Result) error {
	if err := r.show(result); err != nil {
		return err
	}
	if result.Leaver {
		if err := r.Files.recordAbsent(result); err != nil || result.Outcome == pipeline.Rejected {
			return err
		}
	}
	if result.Outcome == pipeline.Rejected {
		r.Files.Reasons.Add(result.Class, result.Detail)
		return r.Files.reject(result)
	}
	if !result.Change.Action.Writes() {
		return nil
	}
	resource := cmp.Or(result.Resource, r.header.Resource)
	line := plan.NewLine(result.Row.Line, resource, result.Key, &result.Change, r.Secrets)
	line.Absent = result.Leaver
	if line.Op != plan.ActCreate {
		line.Seen, line.Partial = result.Seen, result.Partial
	}
	if err := r.writeLine(line); err != nil || result.Second == nil {
		return err
	}
	return r.writeLine(plan.NewLine(result.Row.Line, resource, result.Key, result.Second, r.Secrets))
}

// Keep takes a change that belongs to several rows: that of a group which their
// people join or leave. Their own lines have shown it.
func (r *Review) Keep(line *plan.Line) error { return r.writeLine(line) }

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

// Signs and colours of the changes.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	plainC = "\x1b[0m"
)

func sign(a plan.Action) (mark, colour string) {
	switch a {
	case plan.ActCreate:
		return "+", green
	case plan.ActDelete:
		return "-", red
	case plan.ActReject:
		return "!", red
	case plan.ActSkip:
		return "=", ""
	}
	return "~", yellow
}

// show prints a line for a row that changes something or cannot.
func (r *Review) show(result *pipeline.Result) error {
	c := &result.Change
	groups := groupsText(result)
	if r.screen == nil || c.Action == plan.ActNothing && groups == "" {
		return nil
	}
	if r.shown++; r.shown > shownChanges {
		r.hidden++
		return nil
	}
	action := c.Action
	if action == plan.ActNothing {
		action = plan.ActUpdate
	}
	mark, colour := sign(action)
	where := fmt.Sprintf("line %-5d", result.Row.Line)
	if result.Leaver {
		where = fmt.Sprintf("%-10s", "absent")
	}
	text := fmt.Sprintf("%s %-10s %s %s", mark, action, where, result.Key)
	if details := r.details(result); details != "" {
		text += "  " + details
	}
	if groups != "" {
		text += "  groups " + groups
	}
	if r.colour && colour != "" {
		text = colour + text + plainC
	}
	_, err := fmt.Fprintln(r.screen, text)
	return err
}

// groupsText names the groups that the person of a row joins and leaves.
func groupsText(result *pipeline.Result) string {
	var parts []string
	for _, name := range result.Joins {
		parts = append(parts, "+"+valueText(name))
	}
	for _, name := range result.Leaves {
		parts = append(parts, "-"+valueText(name))
	}
	return strings.Join(parts, " ")
}

func (r *Review) details(result *pipeline.Result) string {
	if result.Detail != "" {
		detail, _, _ := strings.Cut(result.Detail, "\n")
		if result.Class != "" {
			detail = result.Class + ": " + detail
		}
		return detail
	}
	parts := make([]string, len(result.Change.Differences))
	for i, d := range result.Change.Differences {
		parts[i] = differenceText(d)
	}
	return strings.Join(parts, ", ")
}

func differenceText(d plan.Difference) string {
	switch {
	case d.Secret:
		return d.Path + " (secret)"
	case d.Old == nil:
		return d.Path + " " + valueText(d.New)
	case d.New == nil:
		return d.Path + " " + valueText(d.Old) + " → nothing"
	}
	return d.Path + " " + valueText(d.Old) + " → " + valueText(d.New)
}

// longestValue is how many characters of a value the terminal shows.
const longestValue = 40

func valueText(v any) string {
	text := brief(v)
	if utf8.RuneCountInString(text) > longestValue {
		text = string([]rune(text)[:longestValue-1]) + "…"
	}
	return text
}

// brief writes the values of a list, or of a complex attribute that has a
// value, without their wrapping.
func brief(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = brief(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case scim.Object:
		if value, ok := v["value"]; ok {
			if typ, ok := v["type"].(string); ok {
				return typ + ": " + brief(value)
			}
			return brief(value)
		}
	}
	b, err := scim.Encode(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// WriteTotals prints what the plan comes to.
func (r *Review) WriteTotals(out io.Writer, s *Summary) error {
	var b strings.Builder
	if r.hidden > 0 {
		fmt.Fprintf(&b, "… and %d more\n", r.hidden)
	}
	n, w, who := s.Rows, s.Writes, "The import"
	if r.Files.Changes {
		who = "Applying it"
	}
	fmt.Fprintf(&b, "\nPlan for %s, %s: %s.\n", s.Target, rowsText(n.Read), counted(
		named{"to create", n.Created}, named{"to update", n.Updated}, named{"to replace", n.Replaced},
		named{"to deactivate", n.Deactivated}, named{"to delete", n.Deleted}, named{"unchanged", n.Unchanged},
		named{"skipped", n.Skipped}, named{"rejected", n.Rejected}, named{"not looked at", n.Pending}))
	if w.Total == 0 {
		fmt.Fprintf(&b, "%s would change nothing.\n", who)
	} else {
		fmt.Fprintf(&b, "%s would send %d writes (%s) and about %d reads. Nothing has been changed.\n",
			who, w.Total, counted(named{"POST", w.POST}, named{"PUT", w.PUT}, named{"PATCH", w.PATCH}, named{"DELETE", w.DELETE}), s.Requests.GET)
	}
	if s.Absent != nil {
		fmt.Fprintf(&b, "absent: %s\n", s.Absent.text("to deactivate", s.Run))
	}
	if s.Lookup != "" {
		fmt.Fprintf(&b, "%s\n", s.Lookup)
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	if n.Rejected > 0 {
		writeReasons(&b, r.Files)
	}
	fmt.Fprintf(&b, "the change set: %s\n", r.Path())
	_, err := io.WriteString(out, b.String())
	return err
}
