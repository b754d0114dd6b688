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
}

// Add describes a file.
func (m *Manifest) Add(kind string, d *pipeline.Dump) {
	l := d.Listing
	f := ManifestFile{
		Kind: kind, Path: filepath.Base(d.Path), SHA256: d.SHA256, Bytes: d.Bytes,
		Resources: d.Resources, Claimed: l.Claimed, Repeated: l.Repeated, Grade: "B", Reasons: []string{},
	}
	switch {
	case !l.Whole():
		f.Grade, f.Reasons = "C", l.Gaps
	case kind == "membership":
		f.Reasons = append(f.Reasons, "made from the groups of this export")
	default:
		f.Reasons = append(f.Reasons, howWhole(l)...)
	}
	m.Files = append(m.Files, f)
}

// howWhole says what speaks for the completeness of a listing without gaps.
func howWhole(l *pipeline.Listing) []string {
	if len(l.Notes) > 0 {
		return append([]string{"every resource once; the order of the pages is not proven to be stable"}, l.Notes...)
	}
	return []string{"every resource once, totals agree; the order of the pages is not proven to be stable"}
}

// Finish closes the manifest after the given number of requests.
func (m *Manifest) Finish(requests int64) {
	m.Seconds, m.Requests = time.Since(m.Started).Seconds(), requests
	m.Grade = "B"
	if len(m.Gaps()) > 0 {
		m.Grade = "C"
	}
}

// Gaps lists why the export is not complete.
func (m *Manifest) Gaps() []string {
	var gaps []string
	for _, f := range m.Files {
		if f.Grade == "C" {
			gaps = append(gaps, f.Reasons...)
		}
	}
	return gaps
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
