package report

import (
	"bufio"
	_ "embed"
	"errors"
	"html/template"
	"io"
	"time"

	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
)

// pageChanges is how many changes of each kind a page shows: browsers cope with
// so many, and nobody reads more of them.
const pageChanges = 10_000

//go:embed page.html
var pageText string

// page is a plan as one HTML page that needs nothing else. What it shows of
// changes lies in files until the totals, which come first, are known.
type page struct {
	path, dir string
	text      *template.Template
	parts     map[plan.Action]*part
}

// part is a group of changes, as HTML.
type part struct {
	n    int64
	file *rows.Scratch // nil while there is nothing in it
	out  *bufio.Writer
}

func newPage(path, dir string) *page {
	p := &page{path: path, dir: dir, parts: map[plan.Action]*part{}}
	p.text = template.Must(template.New("page").Parse(pageText))
	for _, kind := range groupKinds() {
		p.parts[kind.action] = &part{}
	}
	return p
}

// count counts a decision, and says whether the page shows it.
func (p *page) count(action plan.Action) bool {
	if p == nil || p.parts[action] == nil {
		return false
	}
	p.parts[action].n++
	return p.parts[action].n <= pageChanges
}

func (p *page) add(c *shownChange) error {
	to := p.parts[c.Action]
	if to.file == nil {
		file, err := rows.NewScratch(p.dir)
		if err != nil {
			return err
		}
		to.file, to.out = file, bufio.NewWriter(file)
	}
	return p.text.ExecuteTemplate(to.out, "change", c)
}

// goOn shows a further step of a row, where there is room.
func (p *page) goOn(c *shownChange) error {
	if p == nil || p.parts[c.Action] == nil || p.parts[c.Action].n > pageChanges {
		return nil
	}
	return p.add(c)
}

// pageGroup is the heading of a group.
type pageGroup struct {
	Verb, Mark string
	Count      string
	More       int64
}

// pageTotals are what stands above the changes, and the rejects below them.
type pageTotals struct {
	*Summary
	Created   time.Time
	Totals    []string
	Rejects   []pageClass
	Rejected  string
	Unchanged string
	PlanFile  string
	Bound     int
}

type pageClass struct {
	Name, Rows string
	Reasons    []pageReason
	Others     string
}

type pageReason struct{ Where, Text string }

// save writes the page in its place, whole or not at all.
func (p *page) save(r *Review, s *Summary) error {
	defer p.discard()
	return rewrite(p.path, func(out io.Writer) error {
		totals := p.totals(r, s)
		err := p.text.ExecuteTemplate(out, "head", totals)
		for _, kind := range groupKinds() {
			err = errors.Join(err, p.group(out, kind, r.noun()))
		}
		return errors.Join(err, p.text.ExecuteTemplate(out, "foot", totals))
	})
}

func (p *page) group(out io.Writer, kind groupKind, noun string) error {
	from := p.parts[kind.action]
	if from.n == 0 {
		return nil
	}
	heading := pageGroup{Verb: kind.verb, Mark: kind.mark, Count: countText(from.n, noun), More: max(0, from.n-pageChanges)}
	if err := p.text.ExecuteTemplate(out, "group", heading); err != nil {
		return err
	}
	if err := from.out.Flush(); err != nil {
		return err
	}
	if _, err := from.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(out, from.file); err != nil {
		return err
	}
	return p.text.ExecuteTemplate(out, "end", heading)
}

func (p *page) totals(r *Review, s *Summary) *pageTotals {
	t := &pageTotals{Summary: s, Created: r.header.Created, Totals: r.totals(s), PlanFile: r.Path(), Bound: pageChanges}
	if s.Rows.Rejected > 0 {
		t.Rejected = rowsText(s.Rows.Rejected)
	}
	if s.Rows.Unchanged > 0 {
		t.Unchanged = rowsText(s.Rows.Unchanged)
	}
	for _, class := range r.Files.Reasons.Classes() {
		c := pageClass{Name: class.Name, Rows: rowsText(class.Rows)}
		shown, others := firstReasons(class.Reasons)
		for _, reason := range shown {
			c.Reasons = append(c.Reasons, pageReason{reason.where(), reason.shown()})
		}
		c.Others = others
		t.Rejects = append(t.Rejects, c)
	}
	return t
}

// discard lets go of the parts.
func (p *page) discard() {
	for _, part := range p.parts {
		if part.file != nil {
			_ = part.file.Discard() // nobody misses it
		}
	}
}
