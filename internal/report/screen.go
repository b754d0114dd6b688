package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
)

// shownChanges is how many changes a plan shows on the terminal; all of them
// are in the plan file.
const shownChanges = 200

// Signs and colours of the changes.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	plainC = "\x1b[0m"
)

// groupKind is a kind of change: what it is called, and how it is marked.
type groupKind struct {
	action             plan.Action
	verb, mark, colour string
}

// groupKinds are in the order in which people read them: what takes something
// away comes last, where a terminal shows it still.
func groupKinds() []groupKind {
	return []groupKind{
		{plan.ActSkip, "Skip", "=", ""},
		{plan.ActCreate, "Create", "+", green},
		{plan.ActUpdate, "Update", "~", yellow},
		{plan.ActReplace, "Replace", "~", yellow},
		{plan.ActDeactivate, "Deactivate", "~", yellow},
		{plan.ActDelete, "Delete", "-", red},
	}
}

// group counts the changes of a kind and keeps the first of them, as text.
type group struct {
	groupKind
	n     int64
	texts []string
	lines []int64 // of their rows
}

func (g *group) add(line int64, text string) {
	g.texts, g.lines = append(g.texts, text), append(g.lines, line)
}

// reviewScreen gathers what a plan shows, group by group. It holds a bounded number
// of changes, however long the plan is.
type reviewScreen struct {
	groups []*group
	colour bool
}

func newReviewScreen(colour bool) *reviewScreen {
	s := &reviewScreen{colour: colour}
	for _, kind := range groupKinds() {
		s.groups = append(s.groups, &group{groupKind: kind})
	}
	return s
}

// count counts a decision. It returns its group if the decision is to be kept,
// else nil.
func (s *reviewScreen) count(action plan.Action) *group {
	for _, g := range s.groups {
		if g.action != action {
			continue
		}
		if g.n++; len(g.texts) < shownChanges {
			return g
		}
	}
	return nil
}

// goOn adds to a change that is kept what a further step of its row does.
func (s *reviewScreen) goOn(c *shownChange) {
	for _, g := range s.groups {
		if at := slices.Index(g.lines, c.Line); g.action == c.Action && at >= 0 {
			g.texts[at] += s.steps(c)
		}
	}
}

// shownChange is a decision as people are shown it.
type shownChange struct {
	Action plan.Action
	Key    string
	Line   int64
	Place  string // where in the input the change comes from
	Lines  []attributeLine
	Notes  []string
}

// Sign is the mark of the change's kind.
func (c *shownChange) Sign() string {
	for _, kind := range groupKinds() {
		if kind.action == c.Action {
			return kind.mark
		}
	}
	return ""
}

func newShownChange(result *pipeline.Result, action plan.Action) *shownChange {
	c := &shownChange{
		Action: action, Key: harmless(cutTo(result.Key, longestKey)), Line: result.Row.Line, Place: fmt.Sprintf("line %d", result.Row.Line),
		Lines: attributeLines(result.Change.Differences, result.Names),
	}
	if result.Leaver {
		c.Place = "not in the file"
	}
	if result.Second != nil {
		c.Lines = append(c.Lines, attributeLines(result.Second.Differences, result.Names)...)
	}
	c.Lines = append(c.Lines, groupLines("+", result.Joins)...)
	c.Lines = append(c.Lines, groupLines("-", result.Leaves)...)
	for _, said := range result.Said() {
		c.Notes = append(c.Notes, harmless(said))
	}
	return c
}

// groupLines names the groups that a person joins or leaves, if there are any.
func groupLines(mark string, names []string) []attributeLine {
	if len(names) == 0 {
		return nil
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(shortened(name))
	}
	return []attributeLine{{mark, "groups", strings.Join(quoted, ", ")}}
}

// text writes a change: a line that says who, then what becomes of each
// attribute. The values of a new resource stand close together, since there is
// nothing to compare them with.
func (s *reviewScreen) text(g *group, c *shownChange) string {
	var b strings.Builder
	b.WriteString("  " + s.paint(g.colour, g.mark+" "+c.Key) + " (" + c.Place + ")")
	if c.Action == plan.ActSkip {
		b.WriteString(": " + strings.Join(c.Notes, "; ") + "\n")
		return b.String()
	}
	return b.String() + "\n" + s.steps(c)
}

// steps writes what becomes of each attribute, and what there is to say of it.
func (s *reviewScreen) steps(c *shownChange) string {
	var b strings.Builder
	if c.Action == plan.ActCreate {
		b.WriteString(packed(c.Lines))
	} else {
		writeLines(&b, "      ", c.Lines, s.paint)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "      %s %s\n", s.paint(red, "!"), note)
	}
	return b.String()
}

func (s *reviewScreen) paint(colour, text string) string { return painted(s.colour, colour, text) }

// painted puts a colour around a text where there is one, and where the terminal
// takes it.
func painted(takes bool, colour, text string) string {
	if !takes || colour == "" {
		return text
	}
	return colour + text + plainC
}

// writeLines writes what becomes of each attribute, a line each.
func writeLines(b *strings.Builder, indent string, lines []attributeLine, paint func(colour, text string) string) {
	for _, l := range lines {
		colour := map[string]string{"+": green, "-": red, "~": yellow}[l.Mark]
		fmt.Fprintf(b, "%s%s %s: %s\n", indent, paint(colour, cmp.Or(l.Mark, " ")), l.Path, l.Text)
	}
}

// packedWidth is how long a line of packed values may become.
const packedWidth = 100

// packed writes values one after the other, and never breaks one apart.
func packed(lines []attributeLine) string {
	var b strings.Builder
	const indent = "      "
	at := 0
	for i, l := range lines {
		piece := l.Path + ": " + l.Text
		if i < len(lines)-1 {
			piece += ","
		}
		width := len([]rune(piece))
		switch {
		case at == 0:
			b.WriteString(indent)
			at = len(indent)
		case at+1+width > packedWidth:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(piece)
		at += width
	}
	if at > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// write prints the groups. Where there are more changes than are shown, each
// group gets its share, so that a few deletions are not hidden behind a
// thousand updates.
func (s *reviewScreen) write(b *strings.Builder, noun string) {
	shares := s.shares()
	for i, g := range s.groups {
		if g.n == 0 {
			continue
		}
		fmt.Fprintf(b, "%s %s:\n", s.paint(g.colour, g.verb), countText(g.n, noun))
		for _, text := range g.texts[:shares[i]] {
			b.WriteString(text)
		}
		if more := g.n - int64(shares[i]); more > 0 {
			fmt.Fprintf(b, "  … and %d more\n", more)
		}
		b.WriteString("\n")
	}
}

// shares divides the changes that are shown among the groups: small groups are
// shown whole, and the others get the same of what is left.
func (s *reviewScreen) shares() []int {
	shares := make([]int, len(s.groups))
	order := make([]int, len(s.groups))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(s.groups[a].texts), len(s.groups[b].texts)) })
	left := shownChanges
	for i, at := range order {
		shares[at] = min(len(s.groups[at].texts), left/(len(order)-i))
		left -= shares[at]
	}
	return shares
}

func countText(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
