package mapping

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"scimbulk/internal/scim"
)

// Text is the mapping file: every line that counts, what was left out as
// comments, and no value of a person.
func (d *Draft) Text() []byte {
	c := d.choose()
	w := &draftWriter{chooser: c}
	w.head()
	w.attributes()
	w.rest()
	return []byte(w.b.String())
}

type draftWriter struct {
	*chooser
	b strings.Builder
}

func (w *draftWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.b, format+"\n", args...)
}

func (w *draftWriter) head() {
	name := filepath.Base(w.o.Input)
	w.line("# %s as %s resources: %s, %s.", oneLine(name), w.resource, rowCount(w.rows), columnCount(len(w.header)))
	if w.faulty > 0 {
		w.line("# What could not be read is not counted below: %s.", rowCount(w.faulty))
	}
	w.line("# Written by scimbulk mapping init; everything in it may be changed. What stands")
	w.line("# behind # is not mapped. See what the rows become, and then what would change:")
	w.line("#   scimbulk mapping check %s -m THIS_FILE", oneLine(name))
	w.line("#   scimbulk plan %s -m THIS_FILE", oneLine(name))
	w.line("")
	w.line("resource: %s", w.resource)
	if w.resource == "Group" {
		w.line("match: displayName")
	} else {
		w.line("match: userName")
	}
	if w.op != "" {
		w.line("op: {column: %s, default: upsert}", yamlText(w.op))
	}
	for i, f := range w.columns {
		if w.op == "" && !w.used[i] && w.nameable(i) && f.areOps() {
			w.line("# The values of %s are operations. To carry them out:", oneLine(shown(f.header)))
			w.line("# op: {column: %s, default: upsert}", yamlText(f.header))
			w.used[i] = true
		}
	}
	if w.needsRegion() {
		w.line("# region: %s   # the country of the telephone numbers that do not begin with +", w.likelyRegion())
	}
	w.line("")
}

func columnCount(n int) string {
	if n == 1 {
		return "1 column"
	}
	return fmt.Sprintf("%d columns", n)
}

// needsRegion says whether telephone numbers are without their country.
func (w *draftWriter) needsRegion() bool {
	for _, ch := range w.choices {
		if f := w.columnOf(ch); f != nil && len(ch.details) > 0 && ch.details[0] == "transform: phone" && f.international < f.filled {
			return true
		}
	}
	return false
}

// likelyRegion is the country where all rows are, if they are in one, or an
// example.
func (w *draftWriter) likelyRegion() string {
	for i, f := range w.columns {
		k, _ := knownHeader(f.header)
		if words := f.sortedWords(); k.path == `addresses[type eq "work"].country` && w.used[i] && len(words) == 1 {
			if _, known := regionOf(words[0]); known {
				return strings.ToUpper(words[0])
			}
		}
	}
	return "US"
}

func (w *draftWriter) columnOf(ch choice) *facts {
	if ch.column < 0 {
		return nil
	}
	return w.columns[ch.column]
}

// attributes writes the lines that count, between those that could.
func (w *draftWriter) attributes() {
	w.line("attributes:")
	for _, ch := range w.choices {
		if ch.path == "PATH" || ch.off && ch.column < 0 && ch.path != "userName" {
			continue
		}
		w.choice(ch)
	}
}

func (w *draftWriter) choice(ch choice) {
	if ch.why != "" {
		w.comment(ch.why)
	}
	text := yamlKey(ch.path) + ": " + w.source(ch)
	if ch.off {
		text = "# " + text
	}
	if f := w.columnOf(ch); f != nil {
		text = fmt.Sprintf("%-68s # %s", text, f)
	}
	w.line("  %s", text)
}

// comment breaks a text into lines.
func (w *draftWriter) comment(text string) {
	const width = 76
	line := "  #"
	for _, word := range strings.Fields(oneLine(text)) {
		if len(line)+1+len(word) > width && line != "  #" {
			w.line("%s", line)
			line = "  #"
		}
		line += " " + word
	}
	w.line("%s", line)
}

// source is what stands behind the path.
func (w *draftWriter) source(ch choice) string {
	if ch.expr != "" {
		return "'=" + strings.ReplaceAll(ch.expr, "'", "''") + "'"
	}
	if ch.column < 0 {
		return "COLUMN"
	}
	name := w.header[ch.column]
	if len(ch.details) == 0 && !strings.HasPrefix(name, "=") {
		return yamlText(name)
	}
	return "{" + strings.Join(append([]string{"column: " + yamlText(name)}, ch.details...), ", ") + "}"
}

// rest names the columns to which nothing was found.
func (w *draftWriter) rest() {
	var lines []string
	for _, ch := range w.choices {
		if ch.path == "PATH" {
			lines = append(lines, fmt.Sprintf("  # %s: %s", oneLine(shown(w.header[ch.column])), oneLine(ch.why)))
		}
	}
	for i, used := range w.used {
		if !used {
			lines = append(lines, fmt.Sprintf("  # %-66s # %s", "PATH: "+yamlText(w.header[i]), w.columns[i]))
		}
	}
	if len(w.readOnly) > 0 {
		w.line("")
		w.comment("The directory decides these itself: " + strings.Join(w.readOnly, ", "))
	}
	if lines == nil {
		return
	}
	w.line("")
	w.line("  # No attribute was found for these. To map one, put the path in front of it:")
	for _, l := range lines {
		w.line("%s", l)
	}
}

var (
	plainKey  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:$-]*(\[[A-Za-z]+ eq "[A-Za-z0-9_-]+"\](\.[A-Za-z$]+)?)?$`)
	plainText = regexp.MustCompile(`^\p{L}[\p{L}\p{N}_./()+ -]*$`)
)

// yamlKey writes an attribute path as a key.
func yamlKey(path string) string {
	if plainKey.MatchString(path) && !strings.HasSuffix(path, ":") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", "''") + "'"
}

// yamlText writes a text as YAML, in quotes where it needs them.
func yamlText(s string) string {
	if plainText.MatchString(s) && !strings.HasSuffix(s, " ") && !isYAMLWord(s) {
		return s
	}
	quoted, err := scim.Encode(s)
	if err != nil {
		quoted, _ = scim.Encode(strings.ToValidUTF8(s, "?"))
	}
	return escaped(string(quoted))
}

// escaped writes what YAML does not let stand in a text as \u or \U.
func escaped(quoted string) string {
	var b strings.Builder
	for _, r := range quoted {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 1<<16:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// isYAMLWord knows the words that some YAML takes for something else than text.
func isYAMLWord(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "y", "n", "on", "off", "null":
		return true
	}
	return false
}

// oneLine keeps a text from ending a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
