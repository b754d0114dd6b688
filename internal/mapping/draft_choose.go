package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// headerHas says whether a header holds one of some words.
func headerHas(header string, words ...string) bool {
	name := plainHeader(header)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// isManagerHeader knows a column that names somebody's manager, in the
// languages of common HR systems.
func isManagerHeader(header string) bool {
	return headerHas(header, "manager", "supervisor", "reportsto", "reportingto", "lineleader", "teamlead", "boss", "vorgesetzt", "superior", "responsable")
}

// isStatusHeader knows a column that says whether somebody is still there.
func isStatusHeader(header string) bool {
	k, _ := knownHeader(header)
	return k.path == "active" || headerHas(header, "workerstatus", "employmentstatus", "employeestatus", "userstatus", "accountstatus", "hrstatus", "personstatus", "mitarbeiterstatus", "beschäftigungsstatus") ||
		slices.Contains([]string{"status", "statut", "statutemploi", "statutdelemployé"}, plainHeader(header))
}

// isGone and isThere know the words of a status column. Words that are in
// neither list leave the account as it is.
func isGone(word string) bool {
	if b, ok := parseBoolean(word); ok {
		return !b
	}
	return slices.Contains([]string{"terminated", "ausgeschieden", "left", "leaver", "former", "resigned", "retired", "suspended", "deactivated", "deleted", "departed", "separated", "dismissed", "withdrawn", "ended", "blocked", "deceased", "ausgetreten", "gekündigt", "gesperrt", "parti", "sorti", "démissionnaire", "licencié", "retraité"}, word)
}

func isThere(word string) bool {
	if b, ok := parseBoolean(word); ok {
		return b
	}
	return slices.Contains([]string{"current", "employed", "hired", "working", "on leave", "leave", "on-leave", "permanent", "probation", "notice", "new hire", "new", "rehired", "beschäftigt", "beurlaubt", "elternzeit", "en poste", "en congé", "présent"}, word)
}

// chooseActive makes active of a status column, and never an operation: what
// becomes of people is for whoever runs the import to say.
func (c *chooser) chooseActive() {
	for i, f := range c.columns {
		if c.used[i] || !isStatusHeader(f.header) || c.taken["active"] {
			continue
		}
		k, _ := knownHeader(f.header)
		switch {
		case f.all(f.booleans) && !k.negate:
			c.add(choice{path: "active", column: i})
		case f.words != nil && f.filled > 0:
			c.activeByWords(i, k.negate)
		default:
			c.add(choice{path: "active", column: i, off: true, why: fmt.Sprintf("Which values of %s mean that somebody is active?", shown(f.header))})
		}
	}
}

// activeByWords writes an expression over the words that are known. Only words
// of the lists above come into the file, so that it shows nothing of a person.
func (c *chooser) activeByWords(i int, negate bool) {
	var there, gone []string
	unknown := 0
	for _, w := range c.columns[i].sortedWords() {
		switch {
		case isThere(w) != negate && (isThere(w) || isGone(w)):
			there = append(there, w)
		case isThere(w) || isGone(w):
			gone = append(gone, w)
		default:
			unknown++
		}
	}
	ch := choice{path: "active", column: i}
	value := "lower(" + c.identifier(i) + ")"
	if there != nil {
		ch.expr = value + " in " + quotedList(there) + " ? true : "
	}
	if gone != nil {
		ch.expr += value + " in " + quotedList(gone) + " ? false : "
	}
	switch {
	case ch.expr == "":
		ch.off, ch.why = true, "None of its values is a word for active or inactive, say which are:"
		ch.expr = value + ` in ["active"] ? true : `
	case unknown > 0:
		ch.why = fmt.Sprintf("%d of its values %s neither; they leave the account as it is:", unknown, isOrAre(unknown))
	}
	ch.expr += "nil"
	c.used[i] = true
	c.add(ch)
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func quotedList(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = fmt.Sprintf("%q", w)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// identifier is a column as expressions know it.
func (c *chooser) identifier(i int) string {
	name := identifiers(c.header)[i]
	program, _ := newExpressions(c.header).compile(name)
	if name == "" || program == nil || !isASCII(name) {
		return fmt.Sprintf("row[%q]", c.header[i])
	}
	return name
}

const manager = "enterprise:manager"

// chooseManager finds the column that names people's managers, and by what.
func (c *chooser) chooseManager() {
	for i, f := range c.columns {
		if c.used[i] || f.filled == 0 || !isManagerHeader(f.header) {
			continue
		}
		at, share := c.whose(i)
		switch {
		case c.taken[manager]:
		case c.resolve(c.o.Schema, manager) == nil:
			c.add(choice{path: manager, column: i, off: true, why: c.lacks(manager)})
		case at >= 0 && share >= 0.1:
			c.reference(i, at, share)
		case f.most(f.emails):
			c.add(choice{path: manager, column: i, details: []string{"ref: User.userName", "on-missing: skip"},
				why: "E-mail addresses of managers, looked up as user names in the directory:"})
		default:
			c.add(choice{path: manager, column: i, off: true, details: []string{"ref: User.userName", "on-missing: skip"},
				why: "Its values are in no other column: are they user names of the directory?"})
		}
	}
}

// whose finds the column of which the values of another are values: the one
// that holds most of them and tells people apart.
func (c *chooser) whose(i int) (at int, share float64) {
	at = -1
	for j, f := range c.columns {
		if i == j || !f.tellsApart() || f.secret || isManagerHeader(f.header) || !c.nameable(j) {
			continue
		}
		if s := c.columns[i].values.within(&f.values); s > share {
			at, share = j, s
		}
	}
	return at, share
}

// reference maps the manager by the attribute to which the other column is
// mapped: userName if it is, else externalId.
func (c *chooser) reference(i, at int, share float64) {
	ch := choice{path: manager, column: i, details: []string{"ref: User.externalId", "on-missing: skip"}}
	ch.why = fmt.Sprintf("%.0f%% of its values are values of %s; who has no manager in the file or the directory gets none (on-missing: reject refuses such rows):", 100*share, shown(c.header[at]))
	c.pickKey()
	switch mapped := c.pathOf(at); {
	case mapped == "userName":
		ch.details[0] = "ref: User.userName"
	case mapped == "externalId":
	case strings.HasPrefix(mapped, "emails["):
		ch.details[0] = "ref: " + yamlText("User."+mapped)
	case headerHas(c.header[at], "name") || mapped == "displayName" || c.columns[at].most(c.columns[at].spaced):
		ch.off, ch.details[0] = true, "ref: User.displayName"
		ch.why = fmt.Sprintf("Its values are those of %s, and names can be those of two people:", shown(c.header[at]))
	case !c.keeps("externalId"):
		ch.off, ch.why = true, fmt.Sprintf("Its values are those of %s, which would have to be the userName or the externalId:", shown(c.header[at]))
	default:
		c.add(choice{path: "externalId", column: at, why: "By it managers are found:"})
	}
	c.add(ch)
}

// pathOf is the path to which a column is mapped, "" when it is to none.
func (c *chooser) pathOf(column int) string {
	if column == c.key {
		return "userName"
	}
	for _, ch := range c.choices {
		if ch.column == column && !ch.off && (slices.Contains([]string{"userName", "externalId", "displayName"}, ch.path) || strings.HasPrefix(ch.path, "emails[")) {
			return ch.path
		}
	}
	return ""
}

// likelyReferences names columns whose values are another's though their names
// do not say what they are to each other.
func (c *chooser) likelyReferences() {
	for i, f := range c.columns {
		if c.used[i] || f.filled == 0 || f.tellsApart() || c.taken[manager] || c.resolve(c.o.Schema, manager) == nil {
			continue
		}
		n, _ := f.values.distinct()
		if at, share := c.whose(i); n > 1 && at >= 0 && share >= 0.9 && c.pathOf(at) != "" {
			c.add(choice{path: manager, column: i, off: true, details: []string{"ref: " + yamlText("User."+c.pathOf(at)), "on-missing: skip"},
				why: fmt.Sprintf("Its values are those of %s: does it name people's managers?", shown(c.header[at]))})
		}
	}
}

// byCells gives paths to columns whose cells are telling and whose names are not.
func (c *chooser) byCells() {
	for i, f := range c.columns {
		if c.used[i] || f.filled == 0 {
			continue
		}
		if path := c.likelyPath(f); path != "" {
			c.take(path, i)
		}
	}
}

func (c *chooser) likelyPath(f *facts) string {
	private := headerHas(f.header, "private", "personal", "home")
	var paths []string
	switch {
	case isManagerHeader(f.header):
	case f.most(f.emails) && private:
		paths = []string{`emails[type eq "home"].value`}
	case f.most(f.emails):
		paths = []string{`emails[type eq "work"].value`, `emails[type eq "other"].value`}
	case f.most(f.phones) && len(f.dates) == 0 && headerHas(f.header, "mobile", "cell", "handy", "mobil"):
		paths = []string{`phoneNumbers[type eq "mobile"].value`}
	case f.most(f.phones) && len(f.dates) == 0 && headerHas(f.header, "phone", "tel", "fon", "extension"):
		paths = []string{`phoneNumbers[type eq "work"].value`, `phoneNumbers[type eq "other"].value`}
	case len(f.dates) > 0 && headerHas(f.header, "hire", "start", "joined", "joining", "entry", "eintritt"):
		paths = []string{"enterprise:dateHire"}
	case plainHeader(f.header) == "service": // as French exports call a department
		paths = []string{"enterprise:department"}
	case headerHas(f.header, "skill"):
		paths = []string{"genesys:routingSkills"}
	case headerHas(f.header, "skilllanguage", "routinglanguage", "spokenlanguage"):
		paths = []string{"genesys:routingLanguages"}
	}
	for _, path := range paths {
		if !c.taken[strings.ToLower(path)] {
			return path
		}
	}
	return ""
}

// chooseKey maps the user name, by which rows are matched.
func (c *chooser) chooseKey() {
	c.pickKey()
	if c.key < 0 || c.taken["username"] {
		c.explainKey()
		return
	}
	c.add(choice{path: "userName", column: c.key})
	c.explainKey()
}

// nameable says whether a mapping can name the column.
func (c *chooser) nameable(i int) bool {
	_, fault := findColumn(c.header, c.header[i])
	return fault == nil && c.header[i] != "" && !strings.HasPrefix(c.header[i], "_")
}

// pickKey settles which column tells people apart.
func (c *chooser) pickKey() {
	if c.key >= 0 {
		return
	}
	best := 0
	for i := range c.columns {
		if score := c.keyScore(i); score > best {
			c.key, best = i, score
		}
	}
}

// hasKey says whether the cells of any column look like user names.
func (c *chooser) hasKey() bool {
	for i := range c.columns {
		if c.keyScore(i) > 0 {
			return true
		}
	}
	return false
}

// keyScore is how much a column looks like user names: what is mapped to
// userName already, then e-mail addresses, then what is called a user or an
// account, then any number of an employee.
func (c *chooser) keyScore(i int) int {
	f := c.columns[i]
	for _, ch := range c.choices {
		if ch.column == i && ch.path == "userName" && !ch.off {
			return 1000
		}
	}
	if f.secret || f.filled == 0 || f.spaced*20 > f.filled || isManagerHeader(f.header) || !f.tellsApart() || !c.nameable(i) {
		return 0
	}
	score := 0
	switch {
	case f.most(f.emails) && headerHas(f.header, "private", "personal", "home", "second", "alternate", "recovery", "other"):
		score = 40
	case f.most(f.emails):
		score = 80
	case headerHas(f.header, "username", "userid", "login", "logon", "account", "samaccountname", "uid"):
		score = 70
	case headerHas(f.header, "user"):
		score = 60
	case headerHas(f.header, "employeeid", "employeenumber", "workerid", "staffid", "personnelnumber", "personid", "empid", "personalnummer"):
		score = 30
	}
	return score
}

// explainKey says why rows are matched by what they are.
func (c *chooser) explainKey() {
	i := slices.IndexFunc(c.choices, func(ch choice) bool { return ch.path == "userName" && !ch.off })
	if i < 0 {
		why := "No column looks like user names. Name the one that tells people apart"
		if slices.ContainsFunc(c.header, func(h string) bool { return strings.EqualFold(h, "displayName") }) {
			why += ", or draft it with --resource Group if the rows are groups"
		}
		c.choices = append(c.choices, choice{path: "userName", column: -1, off: true, why: why + ":"})
		return
	}
	ch := &c.choices[i]
	f := c.columns[ch.column]
	n, exact := f.values.distinct()
	count := grouped(n)
	if !exact {
		count = "about " + grouped(roughly(n))
	}
	what := "its name says so"
	if f.most(f.emails) {
		what = "its values are e-mail addresses"
	} else if headerHas(f.header, "employee", "worker", "staff", "person", "emp") {
		what = "it is the only column that tells people apart"
	}
	ch.why = fmt.Sprintf("Who a row is. %s was chosen: %s, and %s of %s have %s different values.", shown(f.header), what, grouped(f.filled), rowCount(f.rows), count)
	if exact && n < f.filled {
		ch.why += fmt.Sprintf(" Of rows that repeat one (%s), --on-duplicate says what becomes.", grouped(f.filled-n))
	}
}

// chooseDisplayName joins first and last name where no column has both.
func (c *chooser) chooseDisplayName() {
	if !c.keeps("displayName") {
		return
	}
	first, last := -1, -1
	for i, h := range c.header {
		switch k, _ := knownHeader(h); {
		case c.columns[i].filled == 0 || !c.nameable(i):
		case k.path == "name.givenName" || strings.EqualFold(h, "name.givenName"):
			first = i
		case k.path == "name.familyName" || strings.EqualFold(h, "name.familyName"):
			last = i
		}
	}
	if first >= 0 && last >= 0 {
		c.choices = append(c.choices, choice{path: "displayName", column: -1, expr: fmt.Sprintf(`trim(%s + " " + %s)`, c.identifier(first), c.identifier(last))})
		c.taken["displayname"] = true
	}
}
