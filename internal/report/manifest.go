package report

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"scimbulk/internal/pipeline"
)

// Manifest stands beside exported files: what is in them, and how complete it
// is.
type Manifest struct {
	Target   string         `json:"target"`
	Provider string         `json:"provider"`
	Started  time.Time      `json:"started"`
	Seconds  float64        `json:"seconds"`
	Requests int64          `json:"requests"`
	Files    []ManifestFile `json:"files"`
	// Grade is the weakest of the files' grades.
	Grade string `json:"grade"`
	// Selection is what was asked for; nil in manifests of old.
	Selection *Selection `json:"selection,omitempty"`
}

// Selection says what part of a directory an export was to hold: members that
// are empty leave nothing out.
type Selection struct {
	Filter            string   `json:"filter,omitempty"`
	Inactive          string   `json:"inactive"`
	Attributes        []string `json:"attributes,omitempty"`
	ExcludeAttributes []string `json:"exclude_attributes,omitempty"`
	Mapping           bool     `json:"mapping,omitempty"` // the columns are those of an import mapping
}

// AllAttributes says whether no attribute was left out: one that nobody has in
// the file is one that nobody had.
func (s *Selection) AllAttributes() bool {
	return s != nil && len(s.Attributes) == 0 && len(s.ExcludeAttributes) == 0 && !s.Mapping
}

// SamePeople says whether two exports were to hold the same people.
func (s *Selection) SamePeople(other *Selection) bool {
	return s == nil || other == nil || s.Filter == other.Filter && s.Inactive == other.Inactive
}

// ManifestFile is one exported file.
type ManifestFile struct {
	Kind      string   `json:"kind"`
	Path      string   `json:"path"`
	SHA256    string   `json:"sha256"`
	Bytes     int64    `json:"bytes"`
	Resources int64    `json:"resources"`
	Claimed   int64    `json:"claimed"`
	Repeated  int64    `json:"repeated"`
	Grade     string   `json:"grade"`
	Reasons   []string `json:"reasons"`

	gaps []string
}

// KindMembership is the kind of a file of memberships.
const KindMembership = "membership"

// Add describes a file.
func (m *Manifest) Add(kind string, d *pipeline.Dump) {
	l := d.Listing
	f := ManifestFile{
		Kind: kind, Path: filepath.Base(d.Path), SHA256: d.SHA256, Bytes: d.Bytes,
		Resources: d.Resources, Claimed: l.Claimed, Repeated: l.Repeated, Grade: l.Grade, Reasons: l.Reasons, gaps: l.Gaps,
	}
	if kind == KindMembership {
		f.Grade, f.Reasons = m.worst(), []string{"made from the groups of this export"}
	}
	m.Files = append(m.Files, f)
}

// worst is the weakest grade so far; the letters are in order.
func (m *Manifest) worst() string {
	worst := pipeline.GradeA
	for _, f := range m.Files {
		worst = max(worst, f.Grade)
	}
	return worst
}

// Finish closes the manifest after the given number of requests.
func (m *Manifest) Finish(requests int64) {
	m.Seconds, m.Requests = time.Since(m.Started).Seconds(), requests
	m.Grade = m.worst()
}

// Gaps lists why the export is not complete.
func (m *Manifest) Gaps() []string {
	var gaps []string
	for _, f := range m.Files {
		gaps = append(gaps, f.gaps...)
	}
	return gaps
}

// Names lists the files that have been added.
func (m *Manifest) Names() []string {
	var names []string
	for i := range m.Files {
		names = append(names, m.Files[i].name())
	}
	return names
}

// Save writes the manifest.
func (m *Manifest) Save(path string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeAside(path, append(b, '\n'))
}

// WriteText prints the manifest for a person.
func (m *Manifest) WriteText(out io.Writer) {
	fmt.Fprintf(out, "export of %s (%.1fs, %d requests)\n", m.Target, m.Seconds, m.Requests)
	for _, f := range m.Files {
		fmt.Fprintf(out, "  %d %ss in %s\n", f.Resources, f.Kind, f.name())
	}
	fmt.Fprintf(out, "completeness: grade %s\n", m.Grade)
	for _, f := range m.Files {
		for _, reason := range f.Reasons {
			fmt.Fprintf(out, "  %s: %s\n", f.name(), reason)
		}
	}
}

// name is what a person calls the file.
func (f *ManifestFile) name() string {
	if f.Path == "-" {
		return "standard output"
	}
	return f.Path
}
