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
	absent        []result // of absent.csv
	summary       summary
	log           *checkpoint
	quiet         *effort // of a clean run of the same job; nil where that is not compared
	bulk          bool    // writes travelled in bulk requests
	resumes       int
	doubts        int      // rows that were in doubt when a process died
	seen          []string // violations that were seen on the way
	allowUnknown  bool
}

// read reads the files of the run. One that cannot be read is a violation.
func (ev *evidence) read(run string) {
	var problems [4]error
	if ev.job.leavers != nil {
		ev.absent, problems[3] = readResults(filepath.Join(run, "absent.csv"))
	}
	ev.results, problems[0] = readResults(filepath.Join(run, "results.csv"))
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

// An event is a line of the audit file: a request, or a change that was made.
type event struct {
	Kind, Method, Path, Query, Op, Resource, ID, Key string
	Status                                           int
}

// readAudit reads the audit file. A line that is torn is no line: the server
// was killed while it wrote.
func readAudit(path string) ([]event, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var events []event
	for line := range bytes.Lines(data) {
		var e event
		if json.Unmarshal(line, &e) == nil {
			events = append(events, e)
		}
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
	intents  map[int]bool    // lines with an intent that was not taken back
	keys     map[uint64]bool // hashes of the keys of all intents
	outcomes map[int]string
	finished bool
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
	c := &checkpoint{text: text, intents: map[int]bool{}, keys: map[uint64]bool{}, outcomes: map[int]string{}}
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
	}
	if err := json.Unmarshal(body, &record); err != nil {
		return err
	}
	c.finished = record.Kind == "end" && record.Finished
	switch record.Kind {
	case "header":
		c.run = record.Run
	case "intent", "void", "done":
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
	case "intent":
		c.intents[line] = true
		hash, _ := cells[1].(string)
		key, err := strconv.ParseUint(hash, 16, 64)
		c.keys[key] = true
		return err
	case "done":
		if outcome, isText := cells[1].(string); isText && c.outcomes[line] == "" {
			c.outcomes[line] = outcome
		}
	}
	return nil
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
	sum := sha256.Sum256([]byte(c.run + "\x00" + strings.ToLower(key)))
	return binary.BigEndian.Uint64(sum[:8])
}

// ahead says what the directory has done without an intent in the log. It must
// be given an audit that was read before the log.
func (c *checkpoint) ahead(audit []event) []string {
	var found []string
	for _, e := range audit {
		intended := c.keys[c.keyHash(e.Key)] || c.keys[c.keyHash(e.ID)] // by id: those whom the input does not hold
		if e.Kind == "commit" && e.Resource == "User" && !intended {
			found = append(found, fmt.Sprintf("the directory did a %s of %s, and the log has no intent of it", e.Op, e.Key))
		}
	}
	return found
}

// unwritten says which outcomes are in the log and not in results.csv.
func (c *checkpoint) unwritten(results []byte) []string {
	var found []string
	lines := map[string]bool{}
	for line := range bytes.Lines(results) {
		number, _, _ := bytes.Cut(line, []byte(","))
		lines[string(number)] = true
	}
	for line, outcome := range c.outcomes {
		if !lines[strconv.Itoa(line)] {
			found = append(found, fmt.Sprintf("line %d is %s in the log and not in results.csv", line, outcome))
		}
	}
	slices.Sort(found)
	return found
}

// effort is how many requests a run took.
type effort struct {
	writes   int
	lookups  int // reads that name a resource
	startup  int // of these, those before the first write
	listings int // reads that name nobody
	failed   int // writes without a good or a definite answer
	repelled int // other requests that the sandbox's faults struck
}

// effortOf counts the requests of a run.
func effortOf(audit []event) effort {
	var e effort
	for _, r := range audit {
		if r.Kind != "request" {
			continue
		}
		switch write := r.Method != "GET"; {
		case r.Status == 429 || r.Status == 502 || !write && (r.Status == 0 || r.Status > 499):
			e.repelled++
		case write && (r.Status == 0 || r.Status > 499):
			e.failed += rowsOf(r)
		}
		switch {
		case r.Method != "GET":
			e.writes++
		case namesSomebody(r):
			e.lookups++
			if e.writes == 0 {
				e.startup++
			}
		default:
			e.listings++
		}
	}
	return e
}

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
