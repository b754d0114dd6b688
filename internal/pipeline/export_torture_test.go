package pipeline_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

var (
	exportRuns  = flag.Int("export-runs", unlessLong(2, 20), "randomised exports of each scenario")
	exportTotal = flag.Int("export-total", 0, "randomised exports in all, in place of -export-runs")
	exportSeed  = flag.Uint64("export-seed", 1, "seed of the first of them")
	exportTable = flag.String("export-table", "", "write the table of scenarios into this page, between its marks")
)

// tortures are directories that misbehave, each while people come, go and
// change: with a chance for each before every page.
var tortures = []struct {
	name    string
	dialect string
	faults  []string
	churn   churn
	limit   bool // no client can tell, so that a false A is shown and not a violation
}{
	{name: "quiet"},
	{name: "quiet, genesys", dialect: "genesys"},
	{name: "people leave", churn: churn{leave: 0.3}},
	{name: "people come", churn: churn{come: 0.3}},
	{name: "as many come as leave", churn: churn{swap: 0.3}},
	{name: "people change", churn: churn{edit: 0.5}},
	{name: "all of it", churn: churn{leave: 0.1, come: 0.1, swap: 0.2, edit: 0.2}},
	{name: "all of it, genesys", dialect: "genesys", churn: churn{leave: 0.1, come: 0.1, swap: 0.2, edit: 0.2}},
	{name: "unstable order", faults: []string{"unstable-order"}, churn: churn{swap: 0.3}},
	{name: "unstable order, quiet", faults: []string{"unstable-order"}},
	{name: "neighbours change places", faults: []string{"swap-neighbours=0.2"}, churn: churn{swap: 0.3}},
	{name: "neighbours change places, unsorted", faults: []string{"swap-neighbours=0.3", "ignore-sort"}, churn: churn{swap: 0.3}},
	{name: "sortBy ignored", faults: []string{"ignore-sort"}, churn: churn{swap: 0.3, leave: 0.1}},
	{name: "rows hidden", faults: []string{"hide-rows=7"}},
	{name: "rows hidden, people come", faults: []string{"hide-rows=9"}, churn: churn{come: 0.3, swap: 0.3}},
	{name: "rows lost from pages", faults: []string{"lose-rows=0.02"}, churn: churn{swap: 0.2}},
	{name: "total too small", faults: []string{"short-total=3"}, churn: churn{swap: 0.2}},
	{name: "total capped", faults: []string{"capped-total=11"}, churn: churn{swap: 0.2}},
	{name: "total is the page's", faults: []string{"total-is-page"}, churn: churn{swap: 0.2}},
	{name: "pages come short", faults: []string{"short-pages=2"}, churn: churn{swap: 0.2, leave: 0.1}},
	{name: "pages overlap", faults: []string{"overlap-pages=1"}, churn: churn{swap: 0.2}},
	{name: "past the end, the first page", faults: []string{"wrap-pages"}, churn: churn{leave: 0.3}},
	{name: "count ignored", faults: []string{"ignore-count"}, churn: churn{swap: 0.2}},
	{name: "startIndex ignored: by cursor", faults: []string{"ignore-start-index"}, churn: churn{swap: 0.2, edit: 0.1}},
	{name: "startIndex ignored, unstable: by cursor", faults: []string{"ignore-start-index", "unstable-order"}, churn: churn{swap: 0.3}},
	{name: "startIndex ignored, no cursors: by name", faults: []string{"ignore-start-index", "no-cursor"}, churn: churn{swap: 0.2}},
	{name: "startIndex ignored, total is the page's", faults: []string{"ignore-start-index", "no-cursor", "total-is-page"}, churn: churn{swap: 0.2}},
	{name: "inactive people hidden", faults: []string{"hidden-inactive"}, churn: churn{swap: 0.1}},
	{name: "new people seen late", faults: []string{"late-visibility=1h"}, churn: churn{swap: 0.3}},
	{name: "filters ignored", faults: []string{"ignore-filter"}, churn: churn{swap: 0.3}},
	{name: "answers cut off, throttled", faults: []string{"truncate=0.05", "throttle=0.05", "html-error=0.02"}, churn: churn{swap: 0.2}},
	{name: hiddenAndUncounted, faults: []string{"hide-rows=5", "short-total=1"}, limit: true},
	{name: "attributes ignored", faults: []string{"ignore-attributes"}, churn: churn{swap: 0.2}},
}

// hiddenAndUncounted is a directory that hides some resources from all pages, and
// leaves one out of its total. Where one is hidden, at the end of the order, it is
// for clients as if that were not there.
const hiddenAndUncounted = "total too small, rows hidden: *a known limit*"

// churn is how likely it is, before a page, that somebody leaves, comes, leaves
// while another comes, or is changed.
type churn struct{ leave, come, swap, edit float64 }

// TestNoExportIsFalselyProven exports directories that change and misbehave, and
// compares the grade with what the directory knows to be true: in an export of
// grade A there is everybody who was there all the time and was not touched,
// once, and nobody is in any export twice.
//
// The table in docs/export.md is what make torture-export writes.
func TestNoExportIsFalselyProven(t *testing.T) {
	t.Parallel()
	var table []tally
	runs := max(*exportRuns, (*exportTotal+len(tortures)-1)/len(tortures))
	for i, tc := range tortures {
		sum := tally{name: tc.name, limit: tc.limit}
		for n := range runs {
			seed := *exportSeed + uint64(n*len(tortures)+i)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))) // the made-up people are of 2024
				d := newTorture(t, seed, tc.dialect, tc.faults, tc.churn)
				sum.add(t, seed, d.export(t))
			})
		}
		table = append(table, sum)
	}
	for _, sum := range table {
		t.Log(sum)
	}
	if *exportTable != "" {
		writeTortureTable(t, *exportTable, table)
	}
}

// verdict is what became of one export.
type verdict struct {
	grade            string
	people           int
	missing, doubled int // untouched ones
	twice            int // of all
	reasons          []string
}

type tally struct {
	name          string
	limit         bool
	runs, missing int // missing: exports of grade B that lack somebody
	lackingA      int
	lackingC      int
	violations    int
	grades        map[string]int
}

func (y *tally) add(t *testing.T, seed uint64, v verdict) {
	if y.grades == nil {
		y.grades = map[string]int{}
	}
	y.runs++
	y.grades[v.grade]++
	if v.missing > 0 && v.grade == pipeline.GradeB {
		y.missing++
	}
	if v.missing > 0 && v.grade == pipeline.GradeA {
		y.lackingA++
	}
	if v.missing > 0 && v.grade == pipeline.GradeC {
		y.lackingC++
	}
	falselyProven := v.grade == pipeline.GradeA && (v.doubled > 0 || v.missing > 0 && !y.limit)
	if falselyProven || v.twice > 0 {
		y.violations++
		t.Errorf("%s, seed %d: grade %s with %d missing, %d doubled, %d twice of %d: %q", y.name, seed, v.grade, v.missing, v.doubled, v.twice, v.people, v.reasons)
	}
}

func (y tally) String() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d |", y.name, y.runs,
		y.grades[pipeline.GradeA], y.grades[pipeline.GradeB], y.grades[pipeline.GradeC], y.lackingA, y.missing, y.lackingC, y.violations)
}

// writeTortureTable puts the table between the marks of a page.
func writeTortureTable(t *testing.T, path string, table []tally) {
	const begin, end = "<!-- torture -->\n", "<!-- /torture -->"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for the table", path)
	}
	var b strings.Builder
	b.WriteString(head + begin + "| scenario | runs | A | B | C | A that lack somebody | B that lack somebody | C that lack somebody | violations |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	all := tally{name: "**all**", grades: map[string]int{}}
	for _, y := range table {
		b.WriteString(y.String() + "\n")
		all.runs, all.missing, all.violations = all.runs+y.runs, all.missing+y.missing, all.violations+y.violations
		all.lackingA, all.lackingC = all.lackingA+y.lackingA, all.lackingC+y.lackingC
		for g, n := range y.grades {
			all.grades[g] += n
		}
	}
	b.WriteString(all.String() + "\n" + end + tail)
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// torture is a directory that changes while it is read. It knows who is in it.
type torture struct {
	box   *sandbox.Sandbox
	churn churn

	mu      sync.Mutex
	rng     *rand.Rand
	there   []string // ids
	touched map[string]bool
	made    int
	busy    bool // an export is under way
	genesys bool
}

func newTorture(t *testing.T, seed uint64, dialect string, faults []string, c churn) *torture {
	rng := rand.New(rand.NewPCG(seed, 7))
	box, err := sandbox.New(sandbox.Options{
		Dialect: dialect, Seed: rng.IntN(120), PageCap: 2 + rng.IntN(24), Faults: faults, FaultSeed: int64(seed),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	d := &torture{box: box, churn: c, rng: rng, touched: map[string]bool{}, genesys: dialect == "genesys"}
	d.there = d.everybody(t, seed, dialect)
	return d
}

// everybody asks a twin of the directory that does not misbehave.
func (d *torture) everybody(t *testing.T, seed uint64, dialect string) (ids []string) {
	rng := rand.New(rand.NewPCG(seed, 7))
	twin, err := sandbox.New(sandbox.Options{Dialect: dialect, Seed: rng.IntN(120)})
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	for _, filter := range []string{"active eq true", "active eq false"} {
		for at := 1; ; {
			url := fmt.Sprintf("http://box%s/Users?filter=%s&startIndex=%d&attributes=id", twin.BasePath(), strings.ReplaceAll(filter, " ", "%20"), at)
			page := struct{ Resources []struct{ ID string } }{}
			if err := json.Unmarshal(ask(t, twin.Transport(), http.MethodGet, url, ""), &page, json.MatchCaseInsensitiveNames(true)); err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Resources {
				ids = append(ids, r.ID)
			}
			if at += len(page.Resources); len(page.Resources) == 0 {
				break
			}
		}
	}
	return ids
}

func ask(t *testing.T, via http.RoundTripper, method, url, body string) []byte {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/scim+json")
	answer, err := via.RoundTrip(request)
	if err != nil {
		return nil // a fault struck: what was asked for may have been done
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil
	}
	return text
}

// RoundTrip changes the directory now and then before it passes a request on.
func (d *torture) RoundTrip(request *http.Request) (*http.Response, error) {
	d.mu.Lock()
	if d.busy && strings.Contains(strings.ToLower(request.URL.Path), "/users") {
		d.stir()
	}
	d.mu.Unlock()
	return d.box.Transport().RoundTrip(request)
}

func (d *torture) stir() {
	if d.rng.Float64() < d.churn.leave {
		d.leave()
	}
	if d.rng.Float64() < d.churn.come {
		d.come()
	}
	if d.rng.Float64() < d.churn.swap {
		d.leave()
		d.come()
	}
	if d.rng.Float64() < d.churn.edit {
		d.edit()
	}
}

func (d *torture) do(method, path, body string) {
	request, err := http.NewRequest(method, "http://box"+d.box.BasePath()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/scim+json")
	answer, err := d.box.Transport().RoundTrip(request)
	if err == nil {
		answer.Body.Close()
	}
}

// pick is somebody who was there in the beginning, likelier an early than a
// late one: what goes before the place where an export reads moves everybody
// behind it.
func (d *torture) pick() int { return d.rng.IntN(1 + d.rng.IntN(len(d.there))) }

func (d *torture) leave() {
	if len(d.there) == 0 {
		return
	}
	i := d.pick()
	id := d.there[i]
	d.touched[id] = true
	d.there = append(d.there[:i:i], d.there[i+1:]...)
	d.do(http.MethodDelete, "/Users/"+id, "")
}

func (d *torture) come() {
	d.made++
	name := fmt.Sprintf("%c%d@new.example.com", 'a'+d.rng.IntN(26), d.made)
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"displayName":"New","emails":[{"value":%q,"type":"work"}]}`, name, name)
	d.do(http.MethodPost, "/Users", body)
}

// edit renames somebody, gives them a title, or turns them on or off.
func (d *torture) edit() {
	if len(d.there) == 0 {
		return
	}
	id := d.there[d.pick()]
	d.touched[id] = true
	op := [...]string{
		`{"op":"replace","path":"title","value":"Changed"}`,
		fmt.Sprintf(`{"op":"replace","path":"userName","value":"%c-%d@renamed.example.com"}`, 'a'+d.rng.IntN(26), d.rng.IntN(1e6)),
		`{"op":"replace","path":"active","value":false}`,
		`{"op":"replace","path":"active","value":true}`,
	}[d.rng.IntN(4)]
	d.do(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+op+`]}`)
}

// export reads the directory into a file and looks who is in it.
func (d *torture) export(t *testing.T) verdict {
	profile := scim.Profiles()[0]
	if d.genesys {
		profile = scim.Profiles()[1]
	}
	profile.Rate = 0
	client, err := scim.New(scim.Options{BaseURL: "http://127.0.0.1" + d.box.BasePath(), Transport: d, Profile: profile, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	was := append([]string(nil), d.there...)
	e := &pipeline.Export{
		Client: client, Profile: profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude,
		Workers: 1 + d.rng.IntN(8), Meter: &pipeline.Meter{}, Thorough: true, Config: d.config(t, client),
	}
	if d.rng.IntN(3) == 0 {
		e.Attributes = []string{"userName", "name.givenName"}
	}
	d.busy = true
	out := &bytes.Buffer{}
	dump, err := e.WriteTo(t.Context(), t.Context(), pipeline.File{Path: "-", Format: pipeline.FormatJSONL, Schema: scim.Builtin("User"), Stdout: out}, nil)
	d.mu.Lock()
	d.busy = false
	d.mu.Unlock()
	if err != nil {
		return verdict{grade: pipeline.GradeC, people: len(was), missing: len(was), reasons: []string{err.Error()}} // it said so
	}
	v := verdict{grade: dump.Listing.Grade, people: len(was), reasons: dump.Listing.Reasons}
	seen := map[string]int{}
	for line := range bytes.Lines(out.Bytes()) {
		r, err := scim.ParseResource(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.ID]++; seen[r.ID] > 1 {
			v.twice++
		}
	}
	for _, id := range was {
		switch {
		case d.touched[id]:
		case seen[id] == 0:
			v.missing++
		case seen[id] > 1:
			v.doubled++
		}
	}
	return v
}

func (d *torture) config(t *testing.T, client *scim.Client) pipeline.Config {
	resp, err := client.ServiceProviderConfig(context.Background(), "")
	if err != nil {
		return pipeline.Config{}
	}
	said, err := scim.DecodeObject(resp.Resource.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.ReadConfig(said)
}
