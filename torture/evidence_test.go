package torture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// evidence is all that a run has left behind, in files and in the directory.
type evidence struct {
	job           *job
	before, after *census
	audit         []event
	served        int // times that the sandbox was killed: its last lines may be missing
	results       []result
	absent        []result         // of absent.csv
	rejects       map[int][]string // classes in rejects.csv, by line
	summary       summary
	code          int // exit code of the last session
	log           *checkpoint
	kept          map[string][]byte // what was learned of the directory, kept for later runs
	quiet         *effort           // of a clean run of the same job; nil where that is not compared
	bulk          bool              // writes travelled in bulk requests
	resumes       int
	doubts        int      // rows that were in doubt when a process died
	waiting       int      // rows that waited for their groups when it died
	seen          []string // violations that were seen on the way
	allowUnknown  bool
}

// read reads the files of the run. One that cannot be read is a violation.
func (ev *evidence) read(run string) {
	var problems [5]error
	if ev.job.leavers != nil {
		ev.absent, problems[3] = readResults(filepath.Join(run, "absent.csv"))
	}
	ev.rejects, problems[4] = readRejects(filepath.Join(run, "rejects.csv"))
	ev.results, problems[0] = readResults(filepath.Join(run, "results.csv"))
	if ev.job.byID {
		ev.nameResults()
	}
	ev.summary, problems[1] = readSummary(filepath.Join(run, "summary.json"))
	ev.log, problems[2] = readCheckpoint(run)
	if ev.log == nil {
		ev.log = &checkpoint{}
		problems[2] = errors.Join(problems[2], errors.New("there is no checkpoint.log"))
	}
	for _, err := range problems {
		if err != nil {
			ev.seen = append(ev.seen, err.Error())
		}
	}
}

// nameResults puts the names of people in the place of their ids, for a job whose
// rows are known by id.
func (ev *evidence) nameResults() {
	names := map[string]string{}
	for name, ids := range ev.before.ids {
		if user, ok := strings.CutPrefix(name, "user "); ok && len(ids) == 1 {
			names[ids[0]] = user
		}
	}
	for i := range ev.results {
		if name, known := names[ev.results[i].key]; known {
			ev.results[i].key = name
		}
	}
}

// An event is a line of the audit file: a request, or a change that was made.
type event struct {
	Kind, Method, Path, Query, Op, Resource, ID, Key string
	Status                                           int
}

// tornLine is what a server that was killed while it wrote leaves behind.
const tornLine = "torn"

// readAudit reads the audit file. A line that cannot be read is an event of a kind
// of its own.
func readAudit(path string) ([]event, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var events []event
	for line := range bytes.Lines(data) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			e = event{Kind: tornLine}
		}
		events = append(events, e)
	}
	return events, nil
}

// A result is a line of results.csv.
type result struct {
	line                   int
	key, outcome, id, note string
	attempts               int
}

func readResults(path string) ([]result, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.FieldsPerRecord = -1
	records, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) == 0 || strings.Join(records[0], ",") != "line,key,op,outcome,id,status,scim_type,detail,attempts,correlation_id" {
		return nil, fmt.Errorf("%s has another header", path)
	}
	var results []result
	for _, r := range records[1:] {
		if len(r) != 10 {
			return results, fmt.Errorf("%s: a line of %d cells: %q", path, len(r), r)
		}
		line, err := strconv.Atoi(r[0])
		if err != nil {
			return results, fmt.Errorf("%s: line %q", path, r[0])
		}
		attempts, _ := strconv.Atoi(r[8])
		results = append(results, result{line, r[1], r[3], r[4], r[7], attempts})
	}
	return results, nil
}

// readRejects reads the classes in rejects.csv, by the line of the row. There is
// no such file where nothing was rejected.
func readRejects(path string) (map[int][]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord = -1
	records, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rejects := map[int][]string{}
	for i, r := range records {
		at := len(r) - 3
		if i == 0 {
			if at < 0 || strings.Join(r[at:], ",") != "_line,_class,_error" {
				return nil, fmt.Errorf("%s has another header: %q", path, r)
			}
			continue
		}
		line, err := strconv.Atoi(r[at])
		if err != nil || len(r) != len(records[0]) {
			return rejects, fmt.Errorf("%s: the line %q", path, r)
		}
		rejects[line] = append(rejects[line], r[at+1])
	}
	return rejects, nil
}

// summary is what the checker reads of summary.json.
type summary struct {
	Rows map[string]int
	Exit int
}

func readSummary(path string) (s summary, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// A checkpoint is a checkpoint log as docs/checkpoint.md describes it.
type checkpoint struct {
	run      string
	text     []byte
	intents  map[int]bool    // lines with an intent, even if it was taken back
	open     map[[2]int]int  // intents by line and step, without those that were taken back
	keys     map[uint64]bool // hashes of the keys of all intents
	outcomes map[int]string
	classes  map[int]string // of outcomes
	steps    map[int]bool   // lines that have come to something, and wait for more
	ended    bool           // the last session ended in order
	exit     int            // of that session
	finished bool
}

func newCheckpoint(text []byte) *checkpoint {
	return &checkpoint{
		text: text, intents: map[int]bool{}, keys: map[uint64]bool{}, outcomes: map[int]string{}, classes: map[int]string{}, steps: map[int]bool{},
		open: map[[2]int]int{},
	}
}

// readCheckpoint reads a log; nil if there is none. Only the last line may be
// torn.
func readCheckpoint(dir string) (*checkpoint, error) {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := newCheckpoint(text)
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if err := c.take(line); err != nil {
			return nil, fmt.Errorf("checkpoint.log, record %d: %w", number, err)
		}
	}
	return c, nil
}

func (c *checkpoint) take(line []byte) error {
	if len(line) < 10 || line[8] != ' ' {
		return errors.New("no checksum")
	}
	body := line[9 : len(line)-1]
	if sum := fmt.Sprintf("%08x", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))); sum != string(line[:8]) {
		return fmt.Errorf("checksum %s, not %s", sum, line[:8])
	}
	var record struct {
		Kind, Run string
		Rows      [][]any
		Finished  bool
		Exit      int
	}
	if err := json.Unmarshal(body, &record); err != nil {
		return err
	}
	c.ended = record.Kind == "end"
	c.finished, c.exit = c.ended && record.Finished, record.Exit
	switch record.Kind {
	case "header":
		c.run = record.Run
	case "intent", "void", "step", "done":
		for _, cells := range record.Rows {
			if err := c.takeRow(record.Kind, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checkpoint) takeRow(kind string, cells []any) error {
	at, ok := cells[0].(float64)
	if !ok || len(cells) < 2 {
		return fmt.Errorf("the row %v of a record %s", cells, kind)
	}
	line := int(at)
	switch kind {
	case "void":
		c.open[[2]int{line, stepIn(cells, 1)}]--
	case "intent":
		c.open[[2]int{line, stepIn(cells, 4)}]++
		c.intents[line] = true
		hash, _ := cells[1].(string)
		key, err := strconv.ParseUint(hash, 16, 64)
		c.keys[key] = true
		return err
	case "step": // it ends the intents so far
		c.steps[line] = true
		delete(c.intents, line)
		c.close(line)
	case "done":
		outcome, isText := cells[1].(string)
		if !isText || c.outcomes[line] != "" {
			break
		}
		c.outcomes[line] = outcome
		c.close(line)
		if len(cells) > 3 {
			c.classes[line], _ = cells[3].(string)
		}
	}
	return nil
}

// stepIn is the step in a cell, 0 where there is none.
func stepIn(cells []any, at int) int {
	if at >= len(cells) {
		return 0
	}
	step, _ := cells[at].(float64)
	return int(step)
}

// close ends all intents of a line so far.
func (c *checkpoint) close(line int) {
	maps.DeleteFunc(c.open, func(at [2]int, _ int) bool { return at[0] == line })
}

// underWay counts the intents that have no outcome and were not taken back.
func (c *checkpoint) underWay() int {
	n := 0
	for at, times := range c.open {
		if times > 0 && c.outcomes[at[0]] == "" {
			n++
		}
	}
	return n
}

// waits counts the rows that have come to something and have no outcome yet.
func (c *checkpoint) waits() int {
	n := 0
	for line := range c.steps {
		if c.outcomes[line] == "" {
			n++
		}
	}
	return n
}

// inDoubt counts the rows with an intent and no outcome. One whose intent was
// taken back counts as well: it was in doubt for a while.
func (c *checkpoint) inDoubt() int {
	n := 0
	for line := range c.intents {
		if c.outcomes[line] == "" {
			n++
		}
	}
	return n
}

// keyHash is what the log has in place of a key.
func (c *checkpoint) keyHash(key string) uint64 {
	sum := sha256.Sum256([]byte(c.run + "\x00" + key))
	return binary.BigEndian.Uint64(sum[:8])
}

// ahead says what the directory has done without an intent in the log. It must
// be given an audit that was read before the log, and the ids of all people.
func (c *checkpoint) ahead(audit []event, users []string) []string {
	var found []string
	groups := map[string]bool{} // of which there are intents
	for _, e := range audit {
		if e.Kind != "commit" || groups[e.ID] {
			continue
		}
		if c.intended(e, users) {
			groups[e.ID] = e.Resource == "Group"
		} else {
			found = append(found, fmt.Sprintf("the directory did a %s of %s, and the log has no intent of it", e.Op, e.Key))
		}
	}
	return found
}

// intended says whether there is an intent for a change. Those whom the input does
// not hold have it under their id, a group of a plan under that word and its id,
// and other groups under their id and that of somebody who comes or goes.
func (c *checkpoint) intended(e event, users []string) bool {
	switch {
	case c.keys[c.keyHash(strings.ToLower(e.Key))] || c.keys[c.keyHash(e.ID)] || c.keys[c.keyHash(e.Resource+" "+e.ID)]:
		return true
	case e.Resource != "Group" || e.Op == "create":
		return false
	}
	return slices.ContainsFunc(users, func(user string) bool { return c.keys[c.keyHash(e.ID+" "+user)] })
}

// unwritten says which outcomes are in the log and not in results.csv, or rejected
// and not in rejects.csv.
func (c *checkpoint) unwritten(results []byte, rejected map[string]bool) []string {
	var found []string
	lines := map[string]bool{}
	for line := range bytes.Lines(results) {
		number, _, _ := bytes.Cut(line, []byte(","))
		lines[string(number)] = true
	}
	for line, outcome := range c.outcomes {
		number := strconv.Itoa(line)
		if !lines[number] {
			found = append(found, fmt.Sprintf("line %d is %s in the log and not in results.csv", line, outcome))
		}
		if outcome == "rejected" && !rejected[number] {
			found = append(found, fmt.Sprintf("line %d is %s in the log and not in rejects.csv", line, outcome))
		}
	}
	slices.Sort(found)
	return found
}

// effort is how many requests a run took.
type effort struct {
	writes   int
	members  int // writes that put people into a group, or take them out
	lookups  int // reads that name a resource
	startup  int // of these, those before the first write
	listings int // reads that name nobody
	failed   int // rows of writes without a good or a definite answer
	broken   int // writes of members without one
	repelled int // other requests that the sandbox's faults struck
	bulk     int // of the writes, bulk requests
}

// effortOf counts the requests of a run.
func effortOf(audit []event) effort {
	var e effort
	for _, r := range audit {
		if r.Kind == "request" {
			e.add(r)
		}
	}
	return e
}

func (e *effort) add(r event) {
	read, failed := r.Method == http.MethodGet, r.Status == 0 || r.Status > 499
	switch {
	case r.Status == 429 || r.Status == 502 || read && failed:
		e.repelled++
	case failed && ofGroup(r):
		e.broken++
	case failed:
		e.failed += rowsOf(r)
	}
	switch {
	case !read && ofGroup(r):
		e.members++
	case !read:
		e.writes++
		if strings.HasSuffix(r.Path, "/Bulk") {
			e.bulk++
		}
	case namesSomebody(r):
		e.lookups++
		if e.writes+e.members == 0 {
			e.startup++
		}
	default:
		e.listings++
	}
}

// ofGroup tells what is asked of one group.
func ofGroup(r event) bool { return strings.Contains(strings.ToLower(r.Path), "/groups/") }

// rowsOf is how many rows a write may have been for.
func rowsOf(r event) int {
	if strings.HasSuffix(r.Path, "/Bulk") {
		return mostInBulk
	}
	return 1
}

// namesSomebody tells a look-up from a page of a listing and from discovery.
func namesSomebody(r event) bool {
	path := strings.ToLower(r.Path)
	if at := strings.LastIndex(path, "/"); strings.HasSuffix(path[:at], "/users") || strings.HasSuffix(path[:at], "/groups") {
		return true
	}
	query := strings.ToLower(r.Query)
	return strings.Contains(query, "username") && strings.Contains(query, "filter=") || strings.Contains(query, "filter=displayname") || strings.Contains(query, "filter=id")
}
