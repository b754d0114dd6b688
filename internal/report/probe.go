package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"scimbulk/internal/scim"
)

// Probe is what a directory was found to be like.
type Probe struct {
	Target   string         `json:"target"`
	Provider string         `json:"provider"`
	Requests int64          `json:"requests"`
	Findings []scim.Finding `json:"findings"`
	// Flags are what belongs on the command line because of the findings.
	Flags []string `json:"flags"`
	Error string   `json:"error,omitempty"`
}

// NewProbe gathers the flags that follow from the findings.
func NewProbe(target, provider string, requests int64, findings []scim.Finding, err error) *Probe {
	p := &Probe{Target: target, Provider: provider, Requests: requests, Findings: findings, Flags: []string{}}
	for _, f := range findings {
		if f.Flag != "" && !slices.Contains(p.Flags, f.Flag) {
			p.Flags = append(p.Flags, f.Flag)
		}
	}
	if err != nil {
		p.Error = err.Error()
	}
	return p
}

// WriteJSON prints the probe for a program.
func (p *Probe) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(p)
}

// questionWidth fits the longest question.
const questionWidth = 40

// WriteText prints the probe for a person: a line a question, with the answer
// and what follows from it. Traps are marked.
func (p *Probe) WriteText(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "probe of %s (profile %s, %d requests)\n", p.Target, p.Provider, p.Requests)
	section, left := "", 0
	for _, f := range p.Findings {
		if p.Error != "" && f.State == scim.FindingUnknown {
			left++
			continue
		}
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&b, "\n%s\n", section)
		}
		fmt.Fprintf(&b, "%s %-*s%s%s\n", mark(f.State), questionWidth, f.Question, oneLine(f.Answer), follows(f))
	}
	b.WriteString("\n" + p.closing(left) + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// mark is how a state shows at the beginning of a line.
func mark(state string) string {
	switch state {
	case scim.FindingTrap:
		return "!"
	case scim.FindingUnknown:
		return "?"
	}
	return " "
}

func follows(f scim.Finding) string {
	switch {
	case f.Follows != "" && f.Flag != "":
		return "  → " + f.Follows + ": " + f.Flag
	case f.Follows+f.Flag != "":
		return "  → " + f.Follows + f.Flag
	}
	return ""
}

// closing says what to do with all that.
func (p *Probe) closing(left int) string {
	traps := 0
	for _, f := range p.Findings {
		if f.State == scim.FindingTrap {
			traps++
		}
	}
	switch {
	case p.Error != "":
		return fmt.Sprintf("the probe could not be finished; questions left open: %d", left)
	case len(p.Flags) > 0:
		return fmt.Sprintf("traps (!): %d; on the command line: %s", traps, strings.Join(p.Flags, " "))
	}
	return fmt.Sprintf("traps (!): %d; no flags are needed because of them", traps)
}

// oneLine keeps what a server says from breaking the table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
