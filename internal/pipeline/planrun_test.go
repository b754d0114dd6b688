package pipeline_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"scimbulk/internal/journal"
	"scimbulk/internal/mapping"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// TestPlanIsTheRun draws directories, files and policies: the writes that the
// import sends are those that the plan has announced, by key, method and body,
// and the plan sends none.
func TestPlanIsTheRun(t *testing.T) {
	for _, dialect := range []string{"rfc", "genesys"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rapid.Check(t, func(rt *rapid.T) {
				c := drawCase(rt, dialect)
				b, err := newRehearsal(filepath.Join(dir, "case"), c)
				if err != nil {
					rt.Fatal(err)
				}
				defer b.close()
				if err := b.check(); err != nil {
					rt.Fatalf("%v\n%s", err, c)
				}
			})
		})
	}
}

// rehearsed is a directory, an input and how it is imported.
type rehearsed struct {
	dialect   string
	there     [][]string // people who are there, as rows of the input
	header    []string
	rows      [][]string
	match     string
	onMissing string
	list      string // mode of the list
	existing  string
	unmapped  string
	duplicate string
	lookup    string
	workers   int
	noPatch   bool
}

func (c *rehearsed) String() string {
	return fmt.Sprintf("%s match=%s on-missing=%s mode=%q on-existing=%s unmapped=%s on-duplicate=%s lookup=%s workers=%d no-patch=%v\nthere:\n%sinput:\n%s",
		c.dialect, c.match, c.onMissing, c.list, c.existing, c.unmapped, c.duplicate, c.lookup, c.workers, c.noPatch,
		c.text(c.there), c.text(c.rows))
}

func (c *rehearsed) text(rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.WriteAll(append([][]string{c.header}, rows...)) // into memory
	return b.String()
}

// drawCase draws people from a small pool, so that rows meet each other and the
// directory.
func drawCase(rt *rapid.T, dialect string) *rehearsed {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(rt, label) }
	c := &rehearsed{
		dialect: dialect, match: pick("match", "userName", "userName", "externalId"), onMissing: pick("on-missing", "skip", "reject", "keep"),
		list: pick("mode", "", "replace"), existing: pick("on-existing", plan.ExistingReject, plan.ExistingSkip, plan.ExistingUpdate),
		unmapped:  pick("unmapped", plan.UnmappedKeep, plan.UnmappedClear),
		duplicate: pick("on-duplicate", pipeline.DuplicateReject, pipeline.DuplicateRejectAll, pipeline.DuplicateApply, pipeline.DuplicateApply),
		lookup:    pick("lookup", pipeline.LookupAuto, pipeline.LookupEach, pipeline.LookupDirectory),
		workers:   rapid.SampledFrom([]int{1, 4}).Draw(rt, "workers"), noPatch: dialect == "rfc" && rapid.IntRange(0, 4).Draw(rt, "no-patch") == 0,
		header: []string{"op", "userName", "externalId", "displayName", "title", "active", "mail", "phone", "list", "department", "boss"},
	}
	row := func(label string, n int, op string) []string {
		name := fmt.Sprintf("p%d@example.com", n)
		if rapid.IntRange(0, 5).Draw(rt, label+" spelt") == 0 {
			name = strings.ToUpper(name[:1]) + name[1:]
		}
		boss := fmt.Sprintf("p%d@example.com", rapid.IntRange(0, 5).Draw(rt, label+" boss"))
		return []string{
			op, name, fmt.Sprintf("x%d", n), pick(label+" displayName", "Ann", "Bob"), pick(label+" title", "", "#N/A", "Clerk", "clerk", "Head"),
			pick(label+" active", "", "true", "true", "false"), pick(label+" mail", "", "#N/A", "a@example.com", "b@example.com"),
			pick(label+" phone", "", "#N/A", "+493012345678", "tel:+493012345678"), pick(label+" list", "", "#N/A", "a", "a|b", "c"),
			pick(label+" department", "", "#N/A", "IT"), pick(label+" boss is", "", "", "#N/A", boss, boss, "nobody@example.com"),
		}
	}
	for _, n := range slices.Sorted(maps.Keys(rapid.MapOf(rapid.IntRange(0, 5), rapid.Just(true)).Draw(rt, "there"))) {
		there := row(fmt.Sprintf("there %d", n), n, "create")
		there[10] = ""
		c.there = append(c.there, there)
	}
	if dialect == "genesys" && c.onMissing == "keep" { // it refuses a manager who is not there, which nobody can foresee
		c.onMissing = "skip"
	}
	ops := plan.Ops()
	for i := range rapid.IntRange(1, 10).Draw(rt, "rows") {
		c.rows = append(c.rows, row(fmt.Sprint(i), rapid.IntRange(0, 5).Draw(rt, fmt.Sprint(i, " who")), rapid.SampledFrom(ops).Draw(rt, fmt.Sprint(i, " op"))))
	}
	return c
}

func (c *rehearsed) mapping() string {
	list := "  roles: {column: list, split: \"|\", mode: " + c.list + "}\n"
	if c.list == "" {
		list = "  roles: {column: list, split: \"|\"}\n"
	}
	if c.dialect == "genesys" { // its roles must exist, and so must its skills
		list = ""
	}
	return "match: " + c.match + "\nop: op\nattributes:\n  userName: userName\n  externalId: externalId\n  displayName: displayName\n  title: title\n  active: active\n" +
		"  emails[type eq \"work\"].value: mail\n  phoneNumbers[type eq \"work\"].value: phone\n" + list +
		"  enterprise:department: department\n  enterprise:manager: {column: boss, ref: User.userName, on-missing: " + c.onMissing + "}\n"
}

// rehearsal is a case on its way.
type rehearsal struct {
	*rehearsed
	dir    string
	box    *sandbox.Sandbox
	wire   *wire
	client *scim.Client
	schema *scim.ResourceSchema
	runs   int
}

func newRehearsal(dir string, c *rehearsed) (*rehearsal, error) {
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	b := &rehearsal{rehearsed: c, dir: dir}
	var err error
	if b.box, err = sandbox.New(sandbox.Options{Dialect: c.dialect}); err != nil {
		return nil, err
	}
	profile, err := scim.ProfileByName(c.dialect)
	if err != nil {
		return nil, err
	}
	profile.Rate = 0
	b.wire = &wire{next: b.box.Transport(), keys: map[string]string{}, match: c.match}
	b.client, err = scim.New(scim.Options{
		BaseURL: "http://127.0.0.1" + b.box.BasePath(), Transport: b.wire, Profile: profile, Workers: 4,
	})
	if err != nil {
		return nil, err
	}
	docs, err := b.client.Schemas(context.Background())
	if err != nil {
		return nil, err
	}
	served, err := scim.ParseSchemas(docs)
	b.schema = scim.NewResourceSchema("User", served)
	return b, err
}

func (b *rehearsal) close() {
	b.client.Close()
	_ = b.box.Close() // in memory
}

// check fills the directory, plans, and runs. What is read back after each write
// is as it was meant.
func (b *rehearsal) check() error {
	if _, _, err := b.run(b.text(b.there), false, func(im *pipeline.Import) { im.OnDuplicate = pipeline.DuplicateApply }); err != nil {
		return fmt.Errorf("filling the directory: %w", err)
	}
	b.wire.take()
	planned, foreseen, err := b.run(b.text(b.rows), true, nil)
	if err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	if sent := b.wire.take(); len(sent) > 0 {
		return fmt.Errorf("the plan sent %v", sent)
	}
	done, totals, err := b.run(b.text(b.rows), false, nil)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	sent := b.wire.take()
	if at := slices.IndexFunc(sent, func(s request) bool { return s.status >= 300 }); at >= 0 {
		if b.dialect == "genesys" && foreseen.Counts[pipeline.Deleted] > 0 {
			return nil // it refuses a manager who has been deleted by then: nobody can foresee who is first
		}
		return fmt.Errorf("refused with %d: %s", sent[at].status, sent[at].text)
	}
	if b.clearsWhatWasAdded(planned) {
		return nil
	}
	if diff := cmp.Diff(b.announced(planned, done), b.inOrder(sent)); diff != "" {
		return fmt.Errorf("announced (-) and sent (+): %s", diff)
	}
	for _, r := range done {
		if strings.Contains(r.Detail, "taken over") || strings.Contains(r.Detail, "read back") {
			return fmt.Errorf("line %d: %s", r.Row.Line, r.Detail)
		}
	}
	var n int64
	for _, times := range foreseen.Writes {
		n += times
	}
	if n != int64(len(sent)) {
		return fmt.Errorf("the plan counts %v, %d writes were sent", foreseen.Writes, len(sent))
	}
	if diff := cmp.Diff(foreseen.Counts, totals.Counts); diff != "" {
		return fmt.Errorf("outcomes planned (-) and come to (+): %s", diff)
	}
	return nil
}

// clearsWhatWasAdded says whether a row replaces whom another has created, and
// clears what it does not name. Genesys Cloud adds an e-mail address to whom it
// creates, which no plan foresees.
func (b *rehearsal) clearsWhatWasAdded(planned []*pipeline.Result) bool {
	if b.dialect != "genesys" || b.unmapped != plan.UnmappedClear {
		return false
	}
	created := map[string]bool{}
	for _, r := range planned {
		if r.Outcome == pipeline.Created {
			created[strings.ToLower(r.Key)] = true
		}
	}
	return slices.ContainsFunc(planned, func(r *pipeline.Result) bool {
		return r.Op == plan.Replace && created[strings.ToLower(r.Key)]
	})
}

func (b *rehearsal) run(text string, dry bool, change func(*pipeline.Import)) ([]*pipeline.Result, *pipeline.Totals, error) {
	b.runs++
	name := filepath.Join(b.dir, fmt.Sprintf("in%d.csv", b.runs))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	file, err := mapping.Parse("m.yaml", []byte(b.mapping()))
	if err != nil {
		return nil, nil, err
	}
	m, err := file.Compile(b.header, false, mapping.Options{Schema: func(string) *scim.ResourceSchema { return b.schema }})
	if err != nil {
		return nil, nil, err
	}
	recorded := &results{}
	im := &pipeline.Import{
		Open:    func() (*rows.Reader, error) { return rows.Open(name, rows.Options{}) },
		Mapping: m, Client: b.client, Profile: b.client.Profile(), Resource: "User", DryRun: dry,
		Rules:   plan.Rules{Schema: b.schema, OnExisting: b.existing, Unmapped: b.unmapped, NoPatch: b.noPatch, Explain: dry},
		Workers: b.workers, OnDuplicate: b.duplicate, Lookup: b.lookup, MaxErrors: pipeline.NoLimit, MaxDeletes: pipeline.NoLimit,
		Settle: time.Second, Verify: pipeline.VerifyAll, Name: "run", Recorder: recorded, Meter: &pipeline.Meter{},
	}
	if change != nil {
		change(im)
	}
	if !dry {
		log, err := journal.Create(filepath.Join(b.dir, fmt.Sprintf("run%d", b.runs)), journal.Header{Run: "run", Command: "import"})
		if err != nil {
			return nil, nil, err
		}
		defer log.Close()
		im.Log = log
	}
	ctx := context.Background()
	survey, err := im.Survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := im.Resolve(ctx, survey); err != nil {
		return nil, nil, err
	}
	totals, err := im.Run(ctx, ctx, survey)
	if err == nil {
		err = totals.Cause
	}
	return recorded.steps, totals, err
}

// announced are the writes of a plan by key, with the ids that the run has given
// to what the plan could only promise.
func (b *rehearsal) announced(planned, done []*pipeline.Result) map[string][]string {
	ids := []string{}
	for _, r := range done {
		ids = append(ids, fmt.Sprintf("(the id of line %d)", r.Row.Line), r.ID)
	}
	real := strings.NewReplacer(ids...)
	writes := map[string][]string{}
	add := func(r *pipeline.Result, c *plan.Change) {
		if method := methodOf(c); method != "" {
			key := strings.ToLower(r.Key)
			writes[key] = append(writes[key], b.seen(writes[key], method+" "+real.Replace(canonical(bodyOf(c)))))
		}
	}
	for _, r := range planned {
		if !r.Begun {
			add(r, &r.Change)
		}
		if r.Second != nil {
			add(r, r.Second)
		}
	}
	return writes
}

// seen is what is compared of the writes of a key. Genesys Cloud adds values of
// its own to what it stores: nobody can foresee how a resource is changed that
// the run itself has made or replaced, only that it is. Which schemas a
// resource claims is the directory's business too.
func (b *rehearsal) seen(before []string, write string) string {
	method, body, _ := strings.Cut(write, " ")
	made := slices.ContainsFunc(before, func(w string) bool {
		return strings.HasPrefix(w, http.MethodPost) || strings.HasPrefix(w, http.MethodPut)
	})
	if b.dialect == "genesys" && (made || method == http.MethodPut) {
		return method
	}
	if o, err := scim.DecodeObject([]byte(body)); err == nil && method == http.MethodPut {
		delete(o, "schemas")
		bare, _ := scim.Encode(o) // decoded just now
		return method + " " + string(bare)
	}
	return write
}

func methodOf(c *plan.Change) string {
	switch {
	case !c.Action.Writes():
		return ""
	case c.Action == plan.ActCreate:
		return http.MethodPost
	case c.Action == plan.ActDelete:
		return http.MethodDelete
	case c.Body != nil:
		return http.MethodPut
	}
	return http.MethodPatch
}

func bodyOf(c *plan.Change) []byte {
	var raw []byte
	switch {
	case c.Body != nil:
		raw, _ = scim.Encode(c.Body) // of our own making
	case c.Patch != nil:
		raw, _ = scim.EncodePatch(c.Patch)
	}
	return raw
}

// canonical is a body with its members in order.
func canonical(raw []byte) string {
	o, err := scim.DecodeObject(raw)
	if err != nil {
		return string(raw)
	}
	sorted, err := scim.Encode(o)
	if err != nil {
		return string(raw)
	}
	return string(sorted)
}

// inOrder are the requests of each key.
func (b *rehearsal) inOrder(sent []request) map[string][]string {
	writes := map[string][]string{}
	for _, s := range sent {
		writes[s.key] = append(writes[s.key], b.seen(writes[s.key], s.text))
	}
	return writes
}

// request is a write as it was sent.
type request struct {
	key, text string
	status    int
}

// wire notes the writes that pass, by the key of whom they change.
type wire struct {
	next  http.RoundTripper
	match string

	mu   sync.Mutex
	keys map[string]string // by id
	sent []request
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return w.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.mu.Lock()
	at := len(w.sent)
	w.sent = append(w.sent, request{text: r.Method + " " + canonical(body)})
	w.mu.Unlock()
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[at].status, w.sent[at].key = resp.StatusCode, w.keys[path.Base(r.URL.Path)]
	if r.Method == http.MethodPost {
		w.sent[at].key = w.keyOf(body)
		if o, decodeErr := scim.DecodeObject(answer); decodeErr == nil {
			id, _ := o["id"].(string)
			w.keys[id] = w.sent[at].key
		}
	}
	return resp, err
}

func (w *wire) keyOf(body []byte) string {
	o, err := scim.DecodeObject(body)
	if err != nil {
		return ""
	}
	key, _ := o[w.match].(string)
	return strings.ToLower(key)
}

// take hands the writes over and begins anew.
func (w *wire) take() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.sent
	w.sent = nil
	return sent
}
