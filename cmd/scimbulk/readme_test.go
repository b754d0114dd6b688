package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// home is the checkout that the README's output was taken from.
const home = "/home/me/scimbulk"

// TestReadme runs the console blocks of the README that are marked to be run,
// in order, in a folder with the samples, and compares what they print with
// what the README says. "…" stands for any lines, at the end of a line for its
// rest.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := consoleBlocks(t, string(text))
	if len(blocks) < 4 {
		t.Fatalf("the README has %d blocks to run", len(blocks))
	}
	dir := readmeFolder(t)
	for _, b := range blocks {
		for i, c := range b.commands {
			want := 0
			if i == len(b.commands)-1 {
				want = b.exit
			}
			out, code := runLine(t, dir, c.line)
			if code != want {
				t.Fatalf("%s\nexit code %d, want %d\n%s", c.line, code, want, out)
			}
			if missing := follow(plain(out, dir), c.output); missing != "" {
				t.Errorf("$ %s\nthe README shows the line\n%s\nbut it prints\n%s", c.line, missing, plain(out, dir))
			}
		}
	}
}

// TestReadmeMapping carries out the mapping that the README explains.
func TestReadmeMapping(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	mapping, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README shows no mapping")
	}
	dir := readmeFolder(t)
	people := "Status,Work Email,First Name,Last Name,Job Title,Roles,Department,Skills,Manager Email\n" +
		"Here,Ada@example.com,Ada,Nwosu,,agent|lead,Support,Service:3,\n" +
		"Here,Tom@example.com,Tom,Zajac,,,Support,,nobody@example.com\n"
	for name, content := range map[string]string{"mapping.yaml": mapping, "people.csv": people} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, code := runLine(t, dir, "bin/scimbulk plan people.csv -m mapping.yaml --sandbox --provider genesys")
	if code != 3 { // Tom's manager is nowhere
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, want := range []string{
		"1 to create, 1 rejected", "nobody@example.com",
		`userName: "Ada@example.com"`, `displayName: "Ada Nwosu"`, `title: "Staff"`, `emails[type eq "work"].value: "ada@example.com"`,
		`enterprise:division: "Home"`, `enterprise:department: "Support"`, `[name eq "Service"].proficiency: 3`, `roles: "lead"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not show %s:\n%s", want, out)
		}
	}
}

func TestReadmeComparisonBites(t *testing.T) {
	const out = "first\nsecond: 2 rows\nthird\n"
	for _, c := range []struct {
		name, shown, missing string
	}{
		{"all of it", "first\nsecond: 2 rows\nthird\n", ""},
		{"some of it", "…\nthird\n", ""},
		{"the beginning of a line", "…\nsecond: …\n…\n", ""},
		{"another number", "first\nsecond: 3 rows\n", "second: 3 rows"},
		{"another order", "third\nfirst\n", "third"},
		{"a line left out without a sign", "first\nthird\n", "third"},
		{"the end left out without a sign", "first\n", "(nothing more)"},
		{"too much", "first\nsecond: 2 rows\nthird\nfourth\n", "fourth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := follow(out, strings.Split(strings.TrimSuffix(c.shown, "\n"), "\n")); got != c.missing {
				t.Errorf("missing is %q, want %q", got, c.missing)
			}
		})
	}
}

type consoleBlock struct {
	exit     int
	commands []consoleCommand
}

type consoleCommand struct {
	line   string
	output []string
}

var runnable = regexp.MustCompile("(?s)<!-- run(?:: exit (\\d+))? -->\n```console\n(.*?)```")

func consoleBlocks(t *testing.T, text string) []consoleBlock {
	t.Helper()
	if marks, blocks := strings.Count(text, "<!-- run"), len(runnable.FindAllString(text, -1)); marks != blocks {
		t.Fatalf("%d marks to run something, %d console blocks after them", marks, blocks)
	}
	var blocks []consoleBlock
	for _, m := range runnable.FindAllStringSubmatch(text, -1) {
		var b consoleBlock
		b.exit, _ = strconv.Atoi(m[1]) // none is 0
		for line := range strings.Lines(m[2]) {
			line = strings.TrimSuffix(line, "\n")
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				b.commands = append(b.commands, consoleCommand{line: command})
			} else if last := len(b.commands) - 1; last >= 0 {
				b.commands[last].output = append(b.commands[last].output, line)
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// readmeFolder is like a checkout after make build.
func readmeFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "samples"), os.DirFS(filepath.Join("..", "..", "samples"))); err != nil {
		t.Fatal(err)
	}
	binary, err := exec.LookPath("scimbulk") // as TestMain has put it there
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "bin"), 0o700)
	}
	if err == nil {
		err = os.Symlink(binary, filepath.Join(dir, "bin", "scimbulk"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func runLine(t *testing.T, dir, line string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}
	b, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(b), failed.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b), 0
}

var seconds = regexp.MustCompile(`\(\d+\.\ds`)

// plain takes out what is another one each time: the folder and the time.
func plain(out, dir string) string {
	return seconds.ReplaceAllString(strings.ReplaceAll(out, dir, home), "(0.0s")
}

// follow compares an output with the lines shown of it. It returns the first
// line that is not there, "" when all are.
func follow(out string, shown []string) string {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	gap := false
	for _, want := range shown {
		if want == "…" {
			gap = true
			continue
		}
		at := 0
		for gap && at < len(lines) && !matches(lines[at], want) {
			at++
		}
		if at >= len(lines) || !matches(lines[at], want) {
			return want
		}
		lines, gap = lines[at+1:], false
	}
	if !gap && len(shown) > 0 && len(lines) > 0 {
		return "(nothing more)"
	}
	return ""
}

func matches(line, want string) bool {
	if start, open := strings.CutSuffix(want, "…"); open {
		return strings.HasPrefix(line, start)
	}
	return line == want
}
