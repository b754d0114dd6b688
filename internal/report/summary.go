package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
)

// Summary is summary.json: what a run was and what it did, all its sessions
// together.
type Summary struct {
	Command  string         `json:"command"`
	Run      string         `json:"run"`
	Target   string         `json:"target"`
	Provider string         `json:"provider"`
	Input    *Input         `json:"input,omitempty"`
	Started  time.Time      `json:"started"`
	Seconds  float64        `json:"seconds"`
	Rows     Rows           `json:"rows"`
	Absent   *AbsentPeople  `json:"absent,omitempty"`
	Requests Requests       `json:"requests"`
	Writes   *Writes        `json:"writes,omitempty"`     // that a plan announces
	Reads    int64          `json:"reads,omitempty"`      // that the import would send beside them
	Taken    []*Taken       `json:"taken_away,omitempty"` // by a plan, from lists
	Expected *Expected      `json:"expected,omitempty"`   // of a plan that writes
	Lookup   string         `json:"lookup,omitempty"`
	Bulk     string         `json:"bulk,omitempty"`
	Warnings []string       `json:"warnings"`
	Files    []ManifestFile `json:"files,omitempty"` // of an export
	Grade    string         `json:"grade,omitempty"` // of an export's completeness
	Error    string         `json:"error,omitempty"`
	Exit     int            `json:"exit"`

	// Told are warnings that people have read before, and need not read twice.
	Told []string `json:"-"`
}

// Input is the file that a run read.
type Input struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// InputOf describes the file of a digest, nil for none.
func InputOf(d *journal.Digest) *Input {
	if d == nil {
		return nil
	}
	return &Input{Path: d.Path, SHA256: d.SHA256, Bytes: d.Bytes}
}

// Rows are the outcomes. Read is their sum.
type Rows struct {
	Read        int64 `json:"read"`
	Created     int64 `json:"created"`
	Updated     int64 `json:"updated"`
	Replaced    int64 `json:"replaced"`
	Deleted     int64 `json:"deleted"`
	Deactivated int64 `json:"deactivated"`
	Unchanged   int64 `json:"unchanged"`
	Skipped     int64 `json:"skipped"`
	Rejected    int64 `json:"rejected"`
	Unknown     int64 `json:"unknown"`
	Pending     int64 `json:"pending"`
}

// AbsentPeople are the people whom the input does not hold: they are no rows. A
// plan counts those whom the import would turn inactive as deactivated.
type AbsentPeople struct {
	Mode        string `json:"mode"` // report or deactivate
	Found       int64  `json:"found"`
	Deactivated int64  `json:"deactivated"`
	Unchanged   int64  `json:"unchanged"` // inactive by then
	Skipped     int64  `json:"skipped"`   // gone by then, or not selected any more
	Protected   int64  `json:"protected"`
	Rejected    int64  `json:"rejected"`
	Unknown     int64  `json:"unknown"`
	Pending     int64  `json:"pending"`
	Unnamed     int64  `json:"unnamed"` // not among those found: they lack the attribute that rows are matched by
}

func absentPeople(t *pipeline.AbsentTotals) *AbsentPeople {
	if t == nil {
		return nil
	}
	c := t.Counts
	return &AbsentPeople{
		Mode: t.Mode, Found: t.Found, Deactivated: c[pipeline.Deactivated], Unchanged: c[pipeline.Unchanged],
		Skipped: c[pipeline.Skipped], Protected: t.Kept, Rejected: c[pipeline.Rejected], Unknown: c[pipeline.Unknown],
		Pending: t.Pending, Unnamed: t.Unnamed,
	}
}

// text says it in a line; deactivated is the word for who is turned inactive,
// and dir the run's directory.
func (a *AbsentPeople) text(deactivated, dir string) string {
	if a.Found == 0 {
		return "every active person is in the file"
	}
	text := fmt.Sprintf("%d active people are not in the file", a.Found)
	if a.Found == 1 {
		text = "1 active person is not in the file"
	}
	if a.Mode == pipeline.AbsentDeactivate {
		text += ": " + counted(named{deactivated, a.Deactivated}, named{"protected", a.Protected}, named{"inactive by now", a.Unchanged},
			named{"skipped", a.Skipped}, named{"rejected", a.Rejected}, named{"unknown", a.Unknown}, named{"pending", a.Pending})
	}
	if a.Unnamed > 0 {
		text += fmt.Sprintf(" (%d more lack the attribute that rows are matched by, and count as nobody's)", a.Unnamed)
	}
	return text + "; listed in " + filepath.Join(dir, AbsentFile)
}

// Requests are those that went over the wire.
type Requests struct {
	GET       int64 `json:"GET"`
	POST      int64 `json:"POST"`
	PUT       int64 `json:"PUT"`
	PATCH     int64 `json:"PATCH"`
	DELETE    int64 `json:"DELETE"`
	Total     int64 `json:"total"`
	Retried   int64 `json:"retried"`
	Throttled int64 `json:"throttled"`
}

// Writes are the requests that a plan announces.
type Writes struct {
	POST   int64 `json:"POST"`
	PUT    int64 `json:"PUT"`
	PATCH  int64 `json:"PATCH"`
	DELETE int64 `json:"DELETE"`
	Total  int64 `json:"total"`
}

// SetTotals fills in what a run has counted.
func (s *Summary) SetTotals(t *pipeline.Totals) {
	c := t.Counts
	s.Rows = Rows{
		Read: t.Rows, Created: c[pipeline.Created], Updated: c[pipeline.Updated], Replaced: c[pipeline.Replaced],
		Deleted: c[pipeline.Deleted], Deactivated: c[pipeline.Deactivated], Unchanged: c[pipeline.Unchanged],
		Skipped: c[pipeline.Skipped], Rejected: c[pipeline.Rejected], Unknown: c[pipeline.Unknown], Pending: t.Pending,
	}
	q := t.Requests
	s.Requests = Requests{
		GET: q.GET, POST: q.POST, PUT: q.PUT, PATCH: q.PATCH, DELETE: q.DELETE,
		Total: q.GET + q.POST + q.PUT + q.PATCH + q.DELETE, Retried: q.Retried, Throttled: q.Throttled,
	}
	s.Absent = absentPeople(t.Absent)
	s.Warnings = append(s.Warnings, t.Warnings...)
}

// SetWrites fills in what a plan announces, by method.
func (s *Summary) SetWrites(writes map[string]int64) {
	w := &Writes{POST: writes["POST"], PUT: writes["PUT"], PATCH: writes["PATCH"], DELETE: writes["DELETE"]}
	w.Total = w.POST + w.PUT + w.PATCH + w.DELETE
	s.Writes = w
}

// Encode is the summary as JSON, for people and programs alike.
func (s *Summary) Encode() ([]byte, error) {
	if s.Warnings == nil {
		s.Warnings = []string{}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// Save writes summary.json into a run's directory.
func (s *Summary) Save(dir string) error {
	b, err := s.Encode()
	if err != nil {
		return err
	}
	return writeAside(filepath.Join(dir, SummaryFile), b)
}

func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// named is a number and what it counts.
type named struct {
	name string
	n    int64
}

// counted lists the numbers that are not zero.
func counted(all ...named) string {
	var parts []string
	for _, c := range all {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.name))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// outcomes lists the outcomes in the order in which people read them.
func (r *Rows) outcomes() []named {
	return []named{
		{"created", r.Created}, {"updated", r.Updated}, {"replaced", r.Replaced}, {"deactivated", r.Deactivated},
		{"deleted", r.Deleted}, {"unchanged", r.Unchanged}, {"skipped", r.Skipped}, {"rejected", r.Rejected},
		{"unknown", r.Unknown}, {"pending", r.Pending},
	}
}

// WriteText prints the summary for a person: what happened, why rows were
// rejected, and where to go on.
func (s *Summary) WriteText(out io.Writer, files *Files) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s into %s (%.1fs)\n", s.Command, rowsText(s.Rows.Read), s.Target, s.Seconds)
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, o := range s.Rows.outcomes() {
		if o.n > 0 {
			fmt.Fprintf(tw, "  %s\t%d\t\n", o.name, o.n)
		}
	}
	tw.Flush()
	if s.Absent != nil {
		fmt.Fprintf(&b, "absent: %s\n", s.Absent.text("deactivated", s.Run))
	}
	writeRequests(&b, &s.Requests)
	if s.Lookup != "" {
		fmt.Fprintf(&b, "%s\n", s.Lookup)
	}
	if s.Bulk != "" {
		fmt.Fprintf(&b, "%s\n", s.Bulk)
	}
	for _, w := range s.Warnings {
		if !slices.Contains(s.Told, w) {
			fmt.Fprintf(&b, "warning: %s\n", w)
		}
	}
	if files != nil && s.Rows.Rejected > 0 {
		writeReasons(&b, files)
	}
	if files != nil {
		fmt.Fprintf(&b, "every row's outcome: %s\n", files.ResultsPath())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeRequests(b *strings.Builder, q *Requests) {
	fmt.Fprintf(b, "requests: %d", q.Total)
	if q.Total > 0 {
		fmt.Fprintf(b, " (%s)", counted(named{"GET", q.GET}, named{"POST", q.POST}, named{"PUT", q.PUT}, named{"PATCH", q.PATCH}, named{"DELETE", q.DELETE}))
	}
	if q.Retried > 0 || q.Throttled > 0 {
		fmt.Fprintf(b, ", %d sent again, %d answered with 429", q.Retried, q.Throttled)
	}
	b.WriteByte('\n')
}

func writeReasons(b *strings.Builder, files *Files) {
	b.WriteString("why rows were rejected:\n")
	shown, others := firstReasons(files.Reasons.Commonest())
	for _, r := range shown {
		fmt.Fprintf(b, "  %6d × %s: %s\n", r.Rows, r.Class, r.shown())
	}
	if others != "" {
		fmt.Fprintf(b, "  %s\n", others)
	}
	writeWhere(b, files)
}

// writeWhere says where the rejects are, and what to do with them.
func writeWhere(b *strings.Builder, files *Files) {
	if files.Changes {
		fmt.Fprintf(b, "the changes are kept in %s; make a new plan for what is still wanted of them\n", files.RejectsPath())
		return
	}
	fmt.Fprintf(b, "mend them in %s and import that file\n", files.RejectsPath())
}
