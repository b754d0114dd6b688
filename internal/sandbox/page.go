package sandbox

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list serves a query over one type of resources.
func (s *Sandbox) list(q *request, t *resourceType, in params) (answer, error) {
	if err := s.twistFilter(in); err != nil {
		return answer{}, err
	}
	l, err := s.rules.parseListing(s.filterScope(t), t, in)
	if err != nil {
		return answer{}, err
	}
	if s.rules.checkList != nil {
		if err := s.rules.checkList(q, t, l); err != nil {
			return answer{}, err
		}
	}
	s.twistListing(t, l)
	pg := s.dir.page(t, l)
	if err := s.refusePage(pg); err != nil {
		return answer{}, err
	}
	return answer{status: 200, header: []string{"Content-Type", scimType}, body: s.renderPage(q, l, pg)}, nil
}

// twistFilter applies the faults that concern a filter's text.
func (s *Sandbox) twistFilter(in params) error {
	if err := s.checkProjection(in); err != nil {
		return err
	}
	if s.faults.has("double-decode") {
		in["filter"] = formText(in["filter"])
	}
	if s.faults.has("empty-filter") && in["filter"] != "" {
		in["filter"] = `id eq "none"`
	}
	word := s.faults.word("quote-in-filter")
	if word == "" || !strings.ContainsAny(in["filter"], `\'`) {
		return nil
	}
	if word == "empty" {
		in["filter"] = `id eq "none"`
		return nil
	}
	status, _ := strconv.Atoi(word)
	return refuse(status, "", "syntax error in the filter")
}

func (s *Sandbox) checkProjection(in params) error {
	if s.faults.has("urn-attributes-error") && strings.Contains(in["attributes"]+in["excludedattributes"], "urn:") {
		return badValue("attributes: unknown attribute")
	}
	return nil
}

// twistedScope looks up other attributes than a filter names.
type twistedScope struct {
	scope
	t         *resourceType
	byEmail   bool
	caseExact bool
}

func (t twistedScope) resolve(text string) (attrRef, bool) {
	ref, ok := t.scope.resolve(text)
	if !ok || ref.urn != "" || ref.attr == nil || ref.attr.Name != t.t.key {
		return ref, ok
	}
	if emails := t.t.attribute("emails"); t.byEmail && emails != nil {
		return attrRef{attr: emails, sub: emails.sub("value")}, true
	}
	if t.caseExact {
		exact := *ref.attr
		exact.CaseExact = true
		ref.attr = &exact
	}
	return ref, true
}

// filterScope is where the names in a filter are looked up.
func (s *Sandbox) filterScope(t *resourceType) scope {
	var sc scope = t
	if s.rules.scope != nil {
		sc = s.rules.scope(t)
	}
	byEmail, exact := s.faults.has("lookup-by-email"), s.faults.has("case-sensitive-lookup")
	if byEmail || exact {
		return twistedScope{sc, t, byEmail, exact}
	}
	return sc
}

// twistListing applies the faults that concern what is asked for.
func (s *Sandbox) twistListing(t *resourceType, l *listing) {
	f := s.faults
	if f.has("ignore-filter") {
		l.filter, l.filterText = nil, ""
	}
	if f.has("hidden-inactive") && t == s.rules.user && !mentionsActive(l.filter) {
		yes := true
		l.active = &yes
	}
	if f.has("ignore-start-index") {
		l.start = 1
	}
	if n := f.number("overlap-pages"); n > 0 && l.start > 1 {
		l.start = max(1, l.start-n)
	}
	if f.has("ignore-count") {
		l.count = min(20, s.rules.pageCap)
	}
	if f.has("count-zero-all") && l.count == 0 {
		l.count = s.rules.pageSize
	}
	if f.has("ignore-attributes") {
		l.proj = projection{}
	}
}

// mentionsActive says whether a filter asks for a state by itself.
func mentionsActive(x expr) bool {
	switch x := x.(type) {
	case andExpr:
		return mentionsActive(x.left) || mentionsActive(x.right)
	case orExpr:
		return mentionsActive(x.left) || mentionsActive(x.right)
	case notExpr:
		return mentionsActive(x.x)
	case comparison:
		return x.ref.urn == "" && x.ref.attr != nil && x.ref.attr.Name == "active"
	}
	return false
}

// page is a part of a listing.
type page struct {
	total int
	start int
	views []view
	next  string // cursor of the next page
}

func (d *directory) page(t *resourceType, l *listing) page {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.collection(t)
	found := d.twistHits(d.find(c, l))
	pg := page{total: found.len(), start: l.begin(found) + 1}
	if d.faults.has("wrap-pages") && pg.start > pg.total {
		pg.start = 1
	}
	end := min(pg.start-1+l.count, found.len())
	if short := d.faults.number("short-pages"); short > 0 && end > pg.start {
		end = max(end-short, pg.start)
	}
	for i := pg.start - 1; i < end; i++ {
		if d.losesRow(found.at(i)) {
			continue
		}
		pg.views = append(pg.views, d.look(c, found.at(i).rev, l.proj))
	}
	pg.next = l.following(found, max(end, 0))
	return pg
}

// losesRow applies the faults that take a resource out of a page.
func (d *directory) losesRow(e *entry) bool {
	every := d.faults.number("hide-rows")
	return every > 0 && e.slot%every == every-1 || d.faults.hit("lose-rows")
}

// twistHits applies the faults that concern what is found, and in which order.
func (d *directory) twistHits(found hits) hits {
	lag := d.faults.duration("late-visibility")
	shuffle, swap := d.faults.has("unstable-order"), d.faults.hit("swap-neighbours")
	if lag == 0 && !shuffle && !swap {
		return found
	}
	now := time.Now()
	list := make(entryHits, 0, found.len())
	for i := range found.len() {
		if e := found.at(i); lag == 0 || now.Sub(e.rev.created) >= lag {
			list = append(list, e)
		}
	}
	if shuffle {
		seed := uint64(d.faults.draw("unstable-order", 1<<30))
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	if swap && len(list) > 1 {
		i := d.faults.draw("swap-neighbours", len(list)-1)
		list[i], list[i+1] = list[i+1], list[i]
	}
	return list
}

// refusePage applies the faults that make an error of a page.
func (s *Sandbox) refusePage(pg page) error {
	if s.faults.has("many-results-500") && pg.total > 100 {
		return refuse(500, "tooMany", "more than 100 results")
	}
	poisoned := func(v view) bool { return strings.Contains(v.rev.key, "%") }
	if s.faults.has("percent-poison") && slices.ContainsFunc(pg.views, poisoned) {
		return badValue("a value on this page cannot be decoded")
	}
	return nil
}

func (s *Sandbox) renderPage(q *request, l *listing, pg page) []byte {
	b := make([]byte, 0, 256+1280*len(pg.views))
	b = append(b, `{"schemas":["`+listURN+`"],"totalResults":`...)
	b = strconv.AppendInt(b, int64(s.shownTotal(pg)), 10)
	if l.cursor == nil {
		b = append(b, `,"startIndex":`+s.shownStart(pg)...)
	}
	b = append(b, `,"itemsPerPage":`...)
	items := len(pg.views)
	if s.faults.has("echo-items-per-page") {
		items = l.count
	}
	b = strconv.AppendInt(b, int64(items), 10)
	if pg.next != "" {
		b = append(b, `,"nextCursor":"`+pg.next+`"`...)
	}
	if word := s.faults.word("null-resources"); word != "" && len(pg.views) == 0 {
		if word == "null" {
			b = append(b, `,"Resources":null`...)
		}
		return append(b, '}')
	}
	b = append(b, `,"Resources":[`...)
	for i, v := range pg.views {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.rules.render(b, v, q.site, l.proj)
	}
	return append(b, "]}"...)
}

func (s *Sandbox) shownTotal(pg page) int {
	total := pg.total
	if most := s.faults.number("capped-total"); most > 0 {
		total = min(total, most)
	}
	total = max(total-s.faults.number("short-total"), 0)
	if s.faults.has("total-is-page") {
		total = len(pg.views)
	}
	return total
}

func (s *Sandbox) shownStart(pg page) string {
	if word := s.faults.word("odd-start-index"); word != "" {
		return word
	}
	return strconv.Itoa(pg.start)
}
