package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// workers is Microsoft's sample file for API-driven provisioning, which is not
// part of the repository.
var workers = filepath.Join("..", "..", "..", "shared", "data", "entra-1000-workers.csv")

// TestInitImports says that a mapping which init wrote imports a real file with
// no edit, references to managers included: 624 people, of whom 393 have a
// manager in the file.
func TestInitImports(t *testing.T) {
	if _, err := os.Stat(workers); err != nil {
		t.Skip("the file of workers is not here: ", err)
	}
	dir := t.TempDir()
	written, box, runs := filepath.Join(dir, "m.yaml"), filepath.Join(dir, "box"), filepath.Join(dir, "run")
	inProcess(t, exitDone, "mapping", "init", workers, "--out", written)
	inProcess(t, exitFailed, "mapping", "init", workers, "--out", written)
	checked, _ := inProcess(t, exitDone, "mapping", "check", workers, "-m", written)
	if want := "rows that have the userName of an earlier one: 376"; !strings.Contains(checked, want) {
		t.Errorf("no %q in:\n%s", want, checked)
	}

	stdout, _ := inProcess(t, exitIncomplete, "import", workers, "-m", written, "--sandbox="+box, "--run-dir", runs)
	for _, want := range []string{"created  624", "rejected  376", "376 × duplicate"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	checkManagers(t, box)

	text, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	strict := filepath.Join(dir, "strict.yaml")
	if err := os.WriteFile(strict, bytes.ReplaceAll(text, []byte("on-missing: skip"), []byte("on-missing: reject")), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ = inProcess(t, exitIncomplete, "plan", workers, "-m", strict, "--sandbox="+filepath.Join(dir, "empty"), "--run-dir", runs+"2")
	if !strings.Contains(stdout, "1000 rejected") || strings.Contains(stdout, "to create") || !strings.Contains(stdout, "! reference, 624 rows") {
		t.Errorf("not all are rejected:\n%s", stdout[max(0, len(stdout)-2000):])
	}
	if !strings.Contains(stdout, "warning: ") || !strings.Contains(stdout, "neither in the directory nor in the file") {
		t.Errorf("no warning of names that nobody has:\n%s", stdout[max(0, len(stdout)-2000):])
	}
}

// checkManagers compares every manager with what the file says.
func checkManagers(t *testing.T, box string) {
	t.Helper()
	file, err := os.Open(workers)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	managerOf := map[string]string{}
	for _, row := range table(t, file) {
		if _, again := managerOf[row["WorkerID"]]; !again {
			managerOf[row["WorkerID"]] = row["ManagerID"]
		}
	}
	stdout, _ := inProcess(t, exitDone, "export", "users", "--sandbox="+box, "--out", "-", "--quiet", "--run-dir", filepath.Join(t.TempDir(), "export"))
	people := table(t, strings.NewReader(stdout))
	idOf := map[string]string{}
	for _, p := range people {
		idOf[p["externalId"]] = p["id"]
	}
	managed := 0
	for _, p := range people {
		if want := idOf[managerOf[p["externalId"]]]; p["enterprise:manager.value"] != want {
			t.Errorf("%s has the manager %q, want %q", p["userName"], p["enterprise:manager.value"], want)
		} else if want != "" {
			managed++
		}
	}
	if len(people) != 624 || managed != 393 {
		t.Errorf("%d people, %d with a manager", len(people), managed)
	}
}

func table(t *testing.T, in interface{ Read([]byte) (int, error) }) []map[string]string {
	t.Helper()
	lines, err := csv.NewReader(in).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%d lines: %v", len(lines), err)
	}
	var list []map[string]string
	for _, cells := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = cells[i]
		}
		list = append(list, row)
	}
	return list
}

// inProcess runs a command and returns what it prints.
func inProcess(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	if got := run(context.Background(), args, streams{in: strings.NewReader(""), out: &out, err: &talk}); got != want {
		t.Fatalf("scimbulk %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), talk.String())
	}
	return out.String(), talk.String()
}
