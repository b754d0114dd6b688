package sandbox

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultInfo describes a fault for the help text.
type FaultInfo struct {
	Name  string
	Value string // what stands after "=": P, N, DURATION, a list of words, or nothing
	Help  string // one line
}

// The kinds of values. A P is a probability from 0 to 1.
const (
	chance    = "P"
	count     = "N"
	lapse     = "DURATION"
	lateValue = "P[:DURATION]"
)

// Faults lists every fault by name, in the order of the help text.
func Faults() []FaultInfo {
	return []FaultInfo{
		// The connection and the server behind it.
		{"throttle", chance, "answer 429 although there is no quota, or quota left"},
		{"locked", chance, "answer 423 with Retry-After"},
		{"retry-after", "fraction|date|zero|none|short|epoch|iso|ms", "the form that Retry-After takes; short names less time than it takes"},
		{"no-quota-headers", "", "leave the quota headers out"},
		{"quota-headers", "epoch|iso|okta|ietf", "the form of the quota headers: reset as epoch seconds or ISO 8601, X-Rate-Limit-*, or RateLimit"},
		{"5xx-before-commit", chance, "answer a write with 500 or 503, change nothing"},
		{"5xx-after-commit", chance, "carry a write out, then answer 500 or 503"},
		{"reset-before-commit", chance, "reset the connection of a write, change nothing"},
		{"reset-after-commit", chance, "carry a write out, then reset the connection"},
		{"hang-then-commit", lateValue, "never answer a write; carry it out when the client has gone, or after DURATION"},
		{"truncate", chance, "end the connection in the middle of the body"},
		{"html-error", chance, "answer 502 with a page of HTML, before anything is done"},
		{"die-after", count, "reset every connection from request N+1 on"},
		{"drop-on-filter", "", "reset the connection when a filter uses co, sw or ew"},

		// Looking up.
		{"ignore-filter", "", "list everybody, whatever the filter"},
		{"empty-filter", "", "list nobody, whatever the filter"},
		{"case-sensitive-lookup", "", "compare the case of userName and displayName in filters, though not for uniqueness"},
		{"lookup-by-email", "", "a filter on userName searches the e-mail addresses"},
		{"quote-in-filter", "400|500|empty", "what a filter with a quote or backslash in its value gets"},
		{"double-decode", "", "decode + and % in a filter once more"},
		{"hidden-inactive", "", "listings and look-ups see active users only, unless the filter is active eq false"},
		{"late-visibility", lapse, "listings and look-ups see a new resource only after DURATION"},
		{"ignore-attributes", "", "send all attributes, whatever attributes and excludedAttributes say"},
		{"urn-attributes-error", "", "answer 400 when a URN stands in attributes or excludedAttributes"},

		// Paging.
		{"short-pages", count, "a page holds N resources fewer than it could, one at least"},
		{"capped-total", count, "totalResults is never above N"},
		{"total-is-page", "", "totalResults is the number of resources in the page"},
		{"ignore-start-index", "", "every page is the first"},
		{"ignore-count", "", "a page holds 20 resources, whatever count says"},
		{"wrap-pages", "", "a start past the end gives the first page again"},
		{"echo-items-per-page", "", "itemsPerPage is the count that was asked for"},
		{"odd-start-index", "0|-5|null", "the startIndex that answers carry"},
		{"null-resources", "null|absent", "how an empty page shows Resources"},
		{"count-zero-all", "", "count=0 returns a full page"},
		{"unstable-order", "", "every listing comes in another order"},
		{"swap-neighbours", chance, "two neighbours of a listing change places for one page"},
		{"ignore-sort", "", "sortBy is not looked at"},
		{"no-cursor", "", "cursor is not looked at (RFC 9865 is not known)"},
		{"overlap-pages", count, "every page but the first begins N resources too early"},
		{"short-total", count, "totalResults is N less than there are"},
		{"hide-rows", count, "every Nth resource is on no page, though totalResults counts it"},
		{"lose-rows", chance, "a resource drops out of a page, though totalResults counts it"},
		{"many-results-500", "", "a listing of more than 100 results gets 500 with scimType tooMany"},

		// Writing.
		{"no-effect", chance, "answer a write as if it were done, change nothing"},
		{"no-patch", "said|405|501", "there is no PATCH: as ServiceProviderConfig says, or 405 or 501 although it says otherwise"},
		{"deaf-paths", "", "PATCH takes name, enterprise and value-filter paths for good and does nothing"},
		{"error-but-applied", chance, "carry a PATCH out, then answer 500 with detail conflict"},
		{"percent-poison", "", "a userName with % is created, answered with 400, and every page that holds it is 400"},
		{"non-unique", "", "take any number of resources with one userName"},
		{"race-duplicates", "", "uniqueness is checked when a request arrives, so parallel creates all succeed"},
		{"revive-deleted", "", "a deleted user is kept; creating the userName again brings the same id back"},
		{"keep-deleted-keys", "", "the userName of a deleted user stays taken"},
		{"adopt-existing", "", "POST of a userName that is there answers 200 with that user, changed"},
		{"inactive-deletes", "", "setting active to false deletes the user"},
		{"normalise", "", "e-mail addresses become lower-case and get primary, userName becomes lower-case, one e-mail is kept"},
		{"put-merges", "", "PUT leaves alone what it does not name"},
		{"add-replaces", "", "PATCH add to a multi-valued attribute replaces its values"},
		{"pathless-drops", "", "PATCH without a path loses the sub-attributes that it does not name"},
		{"pathless-appends", "", "PATCH replace without a path adds to multi-valued attributes"},
		{"keep-string-booleans", "", "active may be any text, is kept as it came and counts as true"},
		{"string-booleans", "", "\"True\" and \"False\" are taken for booleans"},
		{"remove-value-wipes", "", "PATCH remove with path members and a value removes all members"},
		{"members-filter-noop", "", "PATCH remove of members[value eq ...] removes nobody"},
		{"replace-members-merges", "", "PATCH replace of members adds to them"},
		{"member-limit", count, "more than N members in one operation get 400"},
		{"hide-members", "", "groups always show members as an empty list"},
		{"empty-members-break", "", "a group created with members [] refuses members for ever"},

		// Versions, errors, bodies.
		{"stale-etag", chance, "the ETag and version in an answer are those of the revision before"},
		{"etag-differs", "", "the ETag header is a hash of the body and no meta.version"},
		{"ignore-if-match", "", "If-Match is not looked at"},
		{"ignore-if-match-delete", "", "If-Match is not looked at by DELETE"},
		{"no-location", "", "201 without Location"},
		{"text-plain", "", "answers are labelled text/plain"},
		{"empty-201", "", "201 without a body"},
		{"patch-204", "", "PATCH answers 204 without a body"},
		{"delete-200", "", "DELETE answers 200 with a body"},
		{"error-status", "number|object|absent", "the form of status in error bodies"},
		{"detail-array", "", "detail in error bodies is an array"},
		{"html-bad-json", "", "a body that is no JSON gets 400 with a page of HTML"},
		{"plain-409", "", "409 carries neither schemas nor scimType"},
		{"uniqueness-400", "", "a userName that is taken gets 400 instead of 409"},
		{"odd-401", "text|bare|200", "401 as text/plain, without WWW-Authenticate, or as 200 with an error status"},

		// Discovery and bulk.
		{"no-discovery", "", "ServiceProviderConfig, ResourceTypes and Schemas are 404"},
		{"plural-discovery", "", "ServiceProviderConfig is served as ServiceProviderConfigs only"},
		{"bare-config", "", "ServiceProviderConfig names no limits"},
		{"bulk-last-reference", "", "/Bulk resolves only the last bulkId reference of an operation"},
		{"bulk-shuffle", "", "/Bulk returns its results in another order"},
		{"bulk-over-400", "", "/Bulk over its limits gets 400 instead of 413"},
		{"bulk-lower-case", "", "/Bulk carries out a method in lower case and reports 400 for it"},
		{"bulk-refused", "400|403|404|501", "/Bulk is announced, and every request to it refused"},
		{"bulk-max-operations", count, "maxOperations of /Bulk"},
		{"bulk-max-payload", count, "maxPayloadSize of /Bulk, in bytes"},
		{"bulk-takes", count, "/Bulk takes N operations, whatever it announces"},
		{"bulk-counts-operations", "", "every operation of /Bulk counts against the rate limit"},
		{"bulk-omits", chance, "/Bulk leaves an operation out of its answer"},
		{"bulk-anonymous", "", "/Bulk names neither bulkId nor location in its answer"},
		{"bulk-5xx-before", chance, "/Bulk reports 500 for an operation that it has not carried out"},
		{"bulk-5xx-after", chance, "/Bulk carries an operation out and reports 500 for it"},
		{"bulk-throttles", chance, "/Bulk reports 429 for an operation that it has not carried out"},
	}
}

// faultSet is the faults that are on. It is safe for concurrent use.
type faultSet struct {
	on map[string]*fault
}

type fault struct {
	info  FaultInfo
	p     float64
	n     int
	after time.Duration
	word  string

	mu  sync.Mutex
	rng *rand.Rand
}

// newFaults reads NAME[=VALUE] entries and reports all that are wrong.
func newFaults(list []string, seed int64) (*faultSet, []error) {
	set := &faultSet{on: map[string]*fault{}}
	var problems []error
	for _, text := range list {
		f, err := parseFault(text)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		h := fnv.New64a()
		h.Write([]byte(f.info.Name))
		f.rng = rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
		set.on[f.info.Name] = f
	}
	return set, problems
}

func parseFault(text string) (*fault, error) {
	name, value, hasValue := strings.Cut(text, "=")
	all := Faults()
	i := slices.IndexFunc(all, func(f FaultInfo) bool { return f.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("--fault %s: there is no fault of that name; the nearest is %s", text, nearestFault(name))
	}
	f := &fault{info: all[i]}
	if f.info.Value == "" && hasValue {
		return nil, fmt.Errorf("--fault %s: %s takes no value", text, name)
	}
	if !f.parse(value) {
		return nil, fmt.Errorf("--fault %s: %s needs a value, %s", text, name, f.form())
	}
	return f, nil
}

// form says which values a fault takes.
func (f *fault) form() string {
	switch f.info.Value {
	case chance:
		return "a probability from 0 to 1: " + f.info.Name + "=0.05"
	case lateValue:
		return "a probability from 0 to 1, and a duration if you like: " + f.info.Name + "=0.05:2s"
	case count:
		return "a whole number from 1: " + f.info.Name + "=10"
	case lapse:
		return "a duration: " + f.info.Name + "=500ms"
	}
	return "one of " + strings.ReplaceAll(f.info.Value, "|", ", ")
}

func (f *fault) parse(value string) bool {
	var err error
	switch f.info.Value {
	case "":
	case chance:
		return f.parseChance(value)
	case lateValue:
		p, after, late := strings.Cut(value, ":")
		if late {
			if f.after, err = time.ParseDuration(after); err != nil || f.after <= 0 {
				return false
			}
		}
		return f.parseChance(p)
	case count:
		f.n, err = strconv.Atoi(value)
		return err == nil && f.n > 0
	case lapse:
		f.after, err = time.ParseDuration(value)
		return err == nil && f.after > 0
	default:
		f.word = value
		return slices.Contains(strings.Split(f.info.Value, "|"), value)
	}
	return true
}

func (f *fault) parseChance(value string) bool {
	var err error
	f.p, err = strconv.ParseFloat(value, 64)
	return err == nil && f.p >= 0 && f.p <= 1
}

// has says whether a fault is on; of one with a probability use hit.
func (s *faultSet) has(name string) bool { return s.on[name] != nil }

// hit draws: the n-th draw for a fault depends on the seed alone.
func (s *faultSet) hit(name string) bool {
	f := s.on[name]
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.Float64() < f.p
}

// draw is a number below n from the fault's own source.
func (s *faultSet) draw(name string, n int) int {
	f := s.on[name]
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

// number is a fault's N, or 0 when it is off.
func (s *faultSet) number(name string) int {
	if f := s.on[name]; f != nil {
		return f.n
	}
	return 0
}

func (s *faultSet) duration(name string) time.Duration {
	if f := s.on[name]; f != nil {
		return f.after
	}
	return 0
}

// word is a fault's chosen word, or "" when it is off.
func (s *faultSet) word(name string) string {
	if f := s.on[name]; f != nil {
		return f.word
	}
	return ""
}

// nearestFault is the name that takes the fewest edits.
func nearestFault(name string) string {
	best, least := "", -1
	for _, f := range Faults() {
		if d := distance(name, f.Name); least < 0 || d < least {
			best, least = f.Name, d
		}
	}
	return best
}

// distance counts the insertions, deletions and substitutions from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
