package report

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/scim"
)

func probed() []scim.Finding {
	return []scim.Finding{
		{Name: "patch", Section: "says of itself", Question: "PATCH", Answer: "yes", State: scim.FindingOK},
		{Name: "filter", Section: "looking up", Question: "the userName filter is honoured", Answer: "no", State: scim.FindingTrap, Follows: "read it all", Flag: "--lookup directory"},
		{Name: "filter-quotes", Section: "looking up", Question: "it survives quotes", Answer: "refused:\n 500 <p>", State: scim.FindingTrap, Follows: "read it all", Flag: "--lookup directory"},
		{Name: "filter-case", Section: "looking up", Question: "it disregards case", Answer: "nobody is there", State: scim.FindingUnknown},
		{Name: "page-cap", Section: "looking up", Question: "pages", Answer: "50", State: scim.FindingOK, Flag: "--page-size 50"},
	}
}

func TestProbeAsText(t *testing.T) {
	var b strings.Builder
	if err := NewProbe("https://example.com/scim/v2", "rfc", 26, probed(), nil).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `probe of https://example.com/scim/v2 (profile rfc, 26 requests)

says of itself
  PATCH                                   yes

looking up
! the userName filter is honoured         no  → read it all: --lookup directory
! it survives quotes                      refused: 500 <p>  → read it all: --lookup directory
? it disregards case                      nobody is there
  pages                                   50  → --page-size 50

traps (!): 2; on the command line: --lookup directory --page-size 50
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProbeAsJSON(t *testing.T) {
	var b strings.Builder
	if err := NewProbe("t", "rfc", 3, probed(), errors.New("broken off")).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got Probe
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	want := Probe{Target: "t", Provider: "rfc", Requests: 3, Findings: probed(), Flags: []string{"--lookup directory", "--page-size 50"}, Error: "broken off"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(b.String(), `\u003c`) {
		t.Error("markup is escaped: a person reads this too")
	}
}

func TestProbeThatWasBrokenOff(t *testing.T) {
	var b strings.Builder
	if err := NewProbe("t", "rfc", 1, probed(), errors.New("401")).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.HasSuffix(text, "\nthe probe could not be finished; questions left open: 1\n") || strings.Contains(text, "it disregards case") {
		t.Errorf("it says %q", text)
	}
}
