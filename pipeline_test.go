package scimbulk_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestConservation: every row of the input ends in exactly one outcome, and
// rows read equal the sum of the outcomes, in the summary and in the files.
func TestConservation(t *testing.T) {
	dir := workshop(t)
	write(t, filepath.Join(dir, "faulty.csv"), faultyRows)
	for _, c := range []struct {
		name    string
		file    string
		rows    int64
		args    []string
		code    int
		rejects string
	}{
		{"new hires", "samples/new_hires.csv", 25, []string{"-m", "samples/new_hires.mapping.yaml"}, 3, "rejects.csv"},
		{"change set", "samples/change_set.csv", 7, []string{"-m", "samples/change_set.mapping.yaml", "--yes"}, 0, ""},
		{"semicolons", "samples/contractors.csv", 4, nil, 0, ""},
		{"resources", "samples/apprentices.jsonl", 3, nil, 0, ""},
		{"faults of all kinds", "faulty.csv", 11, nil, 3, "rejects.csv"},
		{"duplicates applied", "faulty.csv", 11, []string{"--on-duplicate", "apply"}, 3, "rejects.csv"},
		{"no duplicate taken", "faulty.csv", 11, []string{"--on-duplicate", "reject-all"}, 3, "rejects.csv"},
		{"create only", "samples/new_hires.csv", 25, []string{"-m", "samples/new_hires.mapping.yaml", "--op", "create"}, 3, "rejects.csv"},
		{"people who are not there", "faulty.csv", 11, []string{"--op", "patch", "--sandbox=empty"}, 3, "rejects.csv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := filepath.Join(dir, "runs", c.name)
			args := append([]string{"import", c.file, "--sandbox", "--run-dir", run}, c.args...)
			wants(t, c.code, dir, args...)
			checkConserved(t, run, c.rows)
			rejected := readSummary(t, run).Rows["rejected"]
			if c.rejects == "" != (rejected == 0) {
				t.Errorf("%d rows were rejected, rejects are expected in %q", rejected, c.rejects)
			}
			if c.rejects != "" && int64(len(table(t, filepath.Join(run, c.rejects)))) != rejected {
				t.Errorf("%s holds %d rows, the summary says %d", c.rejects, len(table(t, filepath.Join(run, c.rejects))), rejected)
			}
		})
	}
}

const faultyRows = `userName,displayName,active
one@example.com,One,true
two@example.com
three@example.com,Three,true,one too many
ONE@example.com,One again,true
four@example.com,Four,perhaps
,nobody,true
five@example.com,"Five
in two lines",false
one@example.com,One,true
six@example.com,,
"seven@example.com",Seven,true
eight@example.com,#N/A,true
`

// checkConserved compares the summary with the results, line by line.
func checkConserved(t *testing.T, run string, read int64) {
	t.Helper()
	s := readSummary(t, run)
	if s.Rows["read"] != read {
		t.Errorf("%d rows read, the file has %d", s.Rows["read"], read)
	}
	var sum int64
	counts := map[string]int64{}
	for name, n := range s.Rows {
		if name != "read" {
			sum += n
		}
		if name != "read" && name != "pending" && n > 0 {
			counts[name] = n
		}
	}
	if sum != s.Rows["read"] {
		t.Errorf("%d rows read, the outcomes are %d: %v", s.Rows["read"], sum, s.Rows)
	}
	listed, lines := map[string]int64{}, map[string]int{}
	for _, row := range table(t, filepath.Join(run, "results.csv")) {
		listed[row["outcome"]]++
		if lines[row["line"]]++; lines[row["line"]] > 1 {
			t.Errorf("line %s has %d outcomes in results.csv", row["line"], lines[row["line"]])
		}
	}
	if !maps.Equal(counts, listed) {
		t.Errorf("the summary says %v, results.csv lists %v", counts, listed)
	}
}

// crowd writes an input of n people, half of whom are in the directory already,
// with another title.
func crowd(t *testing.T, dir string, s *served, n int) string {
	t.Helper()
	var all, half strings.Builder
	fmt.Fprintln(&all, "userName,displayName,title")
	fmt.Fprintln(&half, "userName,title")
	for i := range n {
		fmt.Fprintf(&all, "person%05d@example.com,Person %d,New\n", i, i)
		if i%2 == 1 {
			fmt.Fprintf(&half, "person%05d@example.com,Old\n", i)
		}
	}
	write(t, filepath.Join(dir, "half.csv"), half.String())
	wants(t, 0, dir, "import", "half.csv", "--url", s.url, "--quiet", "--workers", "64")
	path := filepath.Join(dir, "people.csv")
	write(t, path, all.String())
	return path
}

// checkOnce sees that the run over a crowd came to the same as one that nobody
// disturbed: every row one true outcome, every person created or changed once.
func checkOnce(t *testing.T, dir, run string, s *served, n int) {
	t.Helper()
	checkConserved(t, run, int64(n))
	rows := readSummary(t, run).Rows
	if rows["created"] != int64(n/2) || rows["updated"] != int64(n/2) {
		t.Errorf("outcomes %v, want %d created and as many updated", rows, n/2)
	}
	for _, op := range []string{"create", "patch", "replace"} {
		for key, times := range s.commits(t, op) {
			if times > 1 {
				t.Errorf("%s: %d commits of %s, want one", key, times, op)
			}
		}
	}
	if created := len(s.commits(t, "create")); created != n {
		t.Errorf("%d people were created, want %d", created, n)
	}
	wants(t, 0, dir, "export", "users", "--url", s.url, "--out", "after.jsonl", "--quiet")
	people := resources(t, filepath.Join(dir, "after.jsonl"))
	if len(people) != n {
		t.Errorf("the directory holds %d people, want %d", len(people), n)
	}
	for _, p := range people {
		if p["title"] != "New" {
			t.Errorf("%v has the title %v, want New", p["userName"], p["title"])
		}
	}
}

// TestKilledAndResumed kills an import and its resumptions without warning. Its
// long form is make torture.
func TestKilledAndResumed(t *testing.T) {
	const n, kills, rowsBetween = 600, 3, 70
	plain, small := []string{"--no-bulk"}, []string{"--latency", "15ms", "--fault", "bulk-max-operations=25"}
	for _, c := range []struct {
		name  string
		fault []string
		args  []string
	}{
		{"on a good day", nil, plain},
		{"while connections break after the commit", []string{"--fault", "reset-after-commit=0.03"}, plain},
		{"where a second create would succeed", []string{"--fault", "non-unique"}, plain},
		{"in bulk", small, nil},
		{"in bulk, while connections break after the commit", slices.Concat(small, []string{"--fault", "reset-after-commit=0.1"}), nil},
		{"in bulk, while results get lost", slices.Concat(small, []string{"--fault", "bulk-omits=0.03", "--fault", "bulk-5xx-after=0.03", "--fault", "bulk-takes=18"}), nil},
		{"in bulk, where a second create would succeed", slices.Concat(small, []string{"--fault", "non-unique"}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serveSandbox(t, append([]string{"--data", filepath.Join(dir, "directory"), "--latency", "5ms"}, c.fault...)...)
			input, run := crowd(t, dir, s, n), filepath.Join(dir, "run")
			p := start(t, dir, append([]string{"import", input, "--url", s.url, "--workers", "4", "--settle", "200ms", "--run-dir", run}, c.args...)...)
			killAndResume(t, p, dir, run, kills, rowsBetween)
			checkOnce(t, dir, run, s, n)
		})
	}
}

// TestInterruptedAndResumed: the first Ctrl-C finishes the rows in hand, the
// second breaks them off. Either way the summary is there, and resume goes on.
func TestInterruptedAndResumed(t *testing.T) {
	const n = 500
	for _, c := range []struct {
		name    string
		signals int
	}{
		{"once", 1},
		{"twice", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serveSandbox(t, "--latency", "5ms", "--fault", "bulk-max-operations=25")
			input, run := crowd(t, dir, s, n), filepath.Join(dir, "run")
			results := filepath.Join(run, "results.csv")
			p := start(t, dir, "import", input, "--url", s.url, "--workers", "4", "--settle", "200ms", "--run-dir", run)
			p.until(t, "100 rows had an outcome", func() bool { return newlines(results) > 100 })
			for range c.signals {
				if err := p.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
			if code := p.end(t); code != 130 {
				t.Fatalf("interrupted: exit code %d, want 130\n%s", code, p.talk.String())
			}
			if want := "go on with: scimbulk resume " + run; !strings.Contains(p.talk.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, p.talk.String())
			}
			checkConserved(t, run, n)
			if pending := readSummary(t, run).Rows["pending"]; pending == 0 {
				t.Error("no row is pending: nothing was interrupted")
			}
			wants(t, 0, dir, "resume", run)
			checkOnce(t, dir, run, s, n)
		})
	}
}

// TestDryRunEqualsRun: a plan sends no write, and announces those that the run
// sends.
func TestDryRunEqualsRun(t *testing.T) {
	dir := workshop(t)
	write(t, filepath.Join(dir, "faulty.csv"), faultyRows)
	s := serveSandbox(t, "--seed", "50")
	for _, c := range []struct {
		name string
		code int
		args []string
		none bool // there is nothing to write
	}{
		{"new hires", 3, []string{"samples/new_hires.csv", "-m", "samples/new_hires.mapping.yaml"}, false},
		{"new hires again", 3, []string{"samples/new_hires.csv", "-m", "samples/new_hires.mapping.yaml"}, true},
		{"change set", 0, []string{"samples/change_set.csv", "-m", "samples/change_set.mapping.yaml", "--yes"}, false},
		{"change set again", 0, []string{"samples/change_set.csv", "-m", "samples/change_set.mapping.yaml", "--yes"}, true},
		{"duplicates applied", 3, []string{"faulty.csv", "--on-duplicate", "apply"}, false},
		{"resources", 0, []string{"samples/apprentices.jsonl"}, false},
		{"replaced", 0, []string{"samples/contractors.csv", "--op", "upsert"}, false},
		{"replaced for good", 0, []string{"replace.csv", "--op", "replace"}, false},
		{"deactivated", 0, []string{"samples/contractors.csv", "--op", "deactivate", "--yes"}, false},
		{"deleted", 0, []string{"samples/contractors.csv", "--op", "delete", "--yes"}, false},
		{"deleted again", 0, []string{"samples/contractors.csv", "--op", "delete", "--yes"}, true},
	} {
		write(t, filepath.Join(dir, "replace.csv"), "userName,title\next.minh.tran,Master builder\n")
		t.Run(c.name, func(t *testing.T) {
			before := len(s.events(t))
			planned := wants(t, c.code, dir, append([]string{"plan", "--json", "--url", s.url}, c.args...)...)
			if sent := s.writes(t, before); len(sent) > 0 {
				t.Errorf("the plan sent writes: %v", sent)
			}
			if len(s.events(t)) == before {
				t.Error("the plan asked the directory nothing: the audit log cannot be right")
			}
			plan := parseSummary(t, []byte(planned.out))
			before = len(s.events(t))
			ran := wants(t, c.code, dir, append([]string{"import", "--json", "--url", s.url}, c.args...)...)
			run := parseSummary(t, []byte(ran.out))
			sent := s.writes(t, before)
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				if plan.Writes[method] != sent[method] {
					t.Errorf("%s: %d announced, %d sent", method, plan.Writes[method], sent[method])
				}
			}
			if !maps.Equal(plan.Rows, run.Rows) {
				t.Errorf("planned %v, done %v", plan.Rows, run.Rows)
			}
			if (len(sent) == 0) != c.none {
				t.Errorf("writes sent: %v, none expected: %v", sent, c.none)
			}
		})
	}
}

// TestExportedFilesChangeNothing: what was exported can be imported, and is as
// the directory is.
func TestExportedFilesChangeNothing(t *testing.T) {
	dir := workshop(t)
	s := serveSandbox(t, "--seed", "250")
	wants(t, 3, dir, "import", "samples/new_hires.csv", "-m", "samples/new_hires.mapping.yaml", "--url", s.url)
	for _, c := range []struct {
		kind, file string
		args       []string
		rows       int64
	}{
		{"users", "users.csv", nil, 273},
		{"users", "users.jsonl", nil, 273},
		{"users", "packed.csv.gz", nil, 273},
		{"groups", "groups.jsonl", []string{"--resource", "Group"}, 12},
	} {
		t.Run(c.file, func(t *testing.T) {
			wants(t, 0, dir, "export", c.kind, "--url", s.url, "--out", c.file)
			before := len(s.events(t))
			got := wants(t, 0, dir, append([]string{"import", c.file, "--url", s.url, "--json"}, c.args...)...)
			if sent := s.writes(t, before); len(sent) > 0 {
				t.Errorf("the import of %s sent %v", c.file, sent)
			}
			rows := parseSummary(t, []byte(got.out)).Rows
			if rows["read"] != c.rows || rows["unchanged"] != c.rows {
				t.Errorf("%d rows read and %d unchanged, want %d of both", rows["read"], rows["unchanged"], c.rows)
			}
		})
	}
}

// TestManagersAreThePeopleNamed: a name becomes the id of who has it, before or
// after in the file.
func TestManagersAreThePeopleNamed(t *testing.T) {
	dir := workshop(t)
	wants(t, 3, dir, "import", "samples/new_hires.csv", "-m", "samples/new_hires.mapping.yaml", "--sandbox")
	wants(t, 0, dir, "export", "users", "--sandbox", "--out", "people.jsonl")
	people := resources(t, filepath.Join(dir, "people.jsonl"))
	names := map[string]string{} // by id
	for _, p := range people {
		names[at("id")(p)] = at("userName")(p)
	}
	managers := map[string]string{} // userName to userName
	for _, p := range people {
		managers[at("userName")(p)] = names[at(enterprise, "manager", "value")(p)]
	}
	named := 0
	for _, row := range table(t, filepath.Join(dir, "samples", "new_hires.csv")) {
		who := strings.ToLower(row["Work Email"])
		got, there := managers[who]
		if there && got != row["Manager Email"] {
			t.Errorf("the manager of %s is %q, the file says %q", who, got, row["Manager Email"])
		}
		if there && got != "" {
			named++
		}
	}
	if named < 20 {
		t.Errorf("%d people have a manager, want more than 20: the test looks at nothing", named)
	}
}

// entraFile is Microsoft's sample of workers, which is no part of the
// repository.
const entraFile = "../shared/data/entra-1000-workers.csv"

func entraWorkers(t *testing.T) (path string, rows []map[string]string) {
	t.Helper()
	path, err := filepath.Abs(entraFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: it is Microsoft's sample file of 1,000 workers", entraFile)
	}
	return path, table(t, path)
}

func TestEntraWorkers(t *testing.T) {
	input, workers := entraWorkers(t)
	dir := workshop(t)
	mapping := []string{"-m", "samples/entra_workers.mapping.yaml", "--url"}
	s := serveSandbox(t)
	importIt := func(run string, args ...string) summary {
		args = append(append([]string{"import", input, "--run-dir", filepath.Join(dir, run), "--json"}, mapping...), args...)
		return parseSummary(t, []byte(wants(t, 3, dir, args...).out))
	}
	first := importIt("first", s.url)
	if r := first.Rows; r["read"] != 1000 || r["created"] != 624 || r["rejected"] != 376 {
		t.Errorf("read %d, created %d, rejected %d; want 1000, 624, 376", r["read"], r["created"], r["rejected"])
	}
	checkConserved(t, filepath.Join(dir, "first"), 1000)
	checkDuplicates(t, filepath.Join(dir, "first"), workers)

	before := len(s.events(t))
	if again := importIt("again", s.url).Rows; again["unchanged"] != 624 || again["rejected"] != 376 {
		t.Errorf("imported again: %v, want 624 unchanged and 376 rejected", again)
	}
	wants(t, 0, dir, "export", "users", "--url", s.url, "--out", "users.csv")
	if n := len(table(t, filepath.Join(dir, "users.csv"))); n != 624 {
		t.Errorf("the export holds %d people, want 624", n)
	}
	wants(t, 0, dir, "import", "users.csv", "--url", s.url)
	if sent := s.writes(t, before); len(sent) > 0 {
		t.Errorf("imported twice, exported and imported back: sent %v, want no write", sent)
	}
}

// checkDuplicates sees that every reject is a duplicate which names the line of
// the first row with its key.
func checkDuplicates(t *testing.T, run string, workers []map[string]string) {
	t.Helper()
	firstLine := map[string]int{}
	for i, w := range workers {
		if _, known := firstLine[w["UserID"]]; !known {
			firstLine[w["UserID"]] = i + 2
		}
	}
	rejects := table(t, filepath.Join(run, "rejects.csv"))
	if len(rejects) != 376 {
		t.Errorf("rejects.csv holds %d rows, want 376", len(rejects))
	}
	for _, r := range rejects {
		want := fmt.Sprintf("line %d ", firstLine[r["UserID"]])
		if r["_class"] != "duplicate" || !strings.Contains(r["_error"], want) {
			t.Errorf("line %s: class %q, %q; want duplicate and %q", r["_line"], r["_class"], r["_error"], want)
		}
	}
}

func TestEntraWorkersApplied(t *testing.T) {
	input, workers := entraWorkers(t)
	dir := workshop(t)
	run := filepath.Join(dir, "run")
	wants(t, 0, dir, "import", input, "-m", "samples/entra_workers.mapping.yaml", "--sandbox", "--on-duplicate", "apply", "--run-dir", run)
	checkConserved(t, run, 1000)
	if r := readSummary(t, run).Rows; r["created"] != 624 || r["updated"]+r["unchanged"] != 376 {
		t.Errorf("created %d, updated %d, unchanged %d; want 624, and 376 of the others", r["created"], r["updated"], r["unchanged"])
	}
	wants(t, 0, dir, "export", "users", "--sandbox", "--out", "people.jsonl")
	people := resources(t, filepath.Join(dir, "people.jsonl"))
	if len(people) != 624 {
		t.Errorf("the directory holds %d people, want 624", len(people))
	}
	last := lastValues(workers)
	for _, p := range people {
		key := fmt.Sprint(p["userName"])
		for column, get := range entraColumns {
			if got, want := get(p), last[key][column]; got != want {
				t.Errorf("%s: %s is %q, the last value in the file is %q", key, column, got, want)
			}
		}
	}
	columns := slices.Sorted(maps.Keys(entraColumns))
	if mapped := mappedColumns(t, filepath.Join(dir, "samples", "entra_workers.mapping.yaml"), workers[0]); !slices.Equal(columns, mapped) {
		t.Errorf("the test looks at %v, the mapping names %v", columns, mapped)
	}
}

// lastValues are the last values that are not blank, by key and column.
func lastValues(workers []map[string]string) map[string]map[string]string {
	last := map[string]map[string]string{}
	for _, w := range workers {
		key := w["UserID"]
		if last[key] == nil {
			last[key] = map[string]string{}
		}
		for column, cell := range w {
			if strings.TrimSpace(cell) != "" {
				last[key][column] = cell
			}
		}
	}
	return last
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// entraColumns reads each mapped column back from a resource.
var entraColumns = map[string]func(map[string]any) string{
	"UserID":        at("userName"),
	"WorkerID":      at("externalId"),
	"FullName":      at("displayName"),
	"FirstName":     at("name", "givenName"),
	"LastName":      at("name", "familyName"),
	"WorkerType":    at("userType"),
	"JobTitle":      at("title"),
	"OfficePhone":   at("phoneNumbers", "work", "value"),
	"StreetAddress": at("addresses", "work", "streetAddress"),
	"City":          at("addresses", "work", "locality"),
	"ZipCode":       at("addresses", "work", "postalCode"),
	"CountryCode":   at("addresses", "work", "country"),
	"Department":    at(enterprise, "department"),
	"Division":      at(enterprise, "division"),
	"CostCenter":    at(enterprise, "costCenter"),
	"Company":       at(enterprise, "organization"),
	"WorkerStatus": func(o map[string]any) string {
		if o["active"] == true {
			return "Active"
		}
		return "Inactive"
	},
}

// at reads a value by its path; a member of a list is named by its type.
func at(path ...string) func(map[string]any) string {
	return func(o map[string]any) string {
		var v any = o
		for _, name := range path {
			switch here := v.(type) {
			case map[string]any:
				v = here[name]
			case []any:
				v = ofType(here, name)
			default:
				return ""
			}
		}
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
}

func ofType(list []any, name string) any {
	for _, e := range list {
		if o, ok := e.(map[string]any); ok && o["type"] == name {
			return o
		}
	}
	return nil
}

// mappedColumns are the columns of the header that a mapping file names, as a
// reader would find them.
func mappedColumns(t *testing.T, path string, row map[string]string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		at := strings.LastIndex(line, ": ")
		if at < 0 {
			continue
		}
		column := strings.TrimSpace(line[at+2:])
		if _, known := row[column]; known && !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	slices.Sort(columns)
	return columns
}
