package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A build is the program as it stands, or with edits that the compiler sees and
// the tree does not (go build -overlay): kill points, or a defect put in on
// purpose. An ordinary build holds nothing of them.
type build struct {
	name  string
	edits []edit
	added map[string]string // whole files, by path from the root
}

// An edit changes one place of a function of the program. A place that is no
// longer there, or there twice, is an error: the edit must follow the code. It
// need not follow a function that moves to another file of its package.
type edit struct {
	folder   string // of the package, from the root
	function string // the text after "func " that begins the function
	old      string
	new      string
	needs    string // a package that the edit has to import; "" is none
}

// root is the folder of the module.
func root() (string, error) { return filepath.Abs("..") }

// compile builds the program into dir.
func (b *build) compile(dir string) (string, error) {
	top, err := root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "scimbulk-"+b.name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	args := []string{"build", "-trimpath", "-o", binary}
	if len(b.edits) > 0 {
		overlay, err := b.overlay(top, filepath.Join(dir, b.name))
		if err != nil {
			return "", fmt.Errorf("the build %s: %w", b.name, err)
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, "./cmd/scimbulk")...)
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the build %s: %w\n%s", b.name, err, out)
	}
	return binary, nil
}

// overlay writes the edited files and the list that go build reads.
func (b *build) overlay(top, dir string) (string, error) {
	contents, err := b.edited(top)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range contents {
		aside := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(aside, []byte(text), 0o600)); err != nil {
			return "", err
		}
		replace[filepath.Join(top, filepath.FromSlash(file))] = aside
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

// edited are the files that the build has in place of those of the tree, by path
// from the root.
func (b *build) edited(top string) (map[string]string, error) {
	contents := map[string]string{}
	var problems []error
	for _, e := range b.edits {
		if err := e.within(top, contents); err != nil {
			problems = append(problems, fmt.Errorf("%s: func %s: %w", e.folder, e.function, err))
		}
	}
	maps.Copy(contents, b.added)
	return contents, errors.Join(problems...)
}

// within makes the edit in the file that has its function.
func (e *edit) within(top string, contents map[string]string) error {
	paths, err := filepath.Glob(filepath.Join(top, filepath.FromSlash(e.folder), "*.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		file := e.folder + "/" + filepath.Base(path)
		text, read := contents[file]
		if !read {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(data)
		}
		if strings.HasSuffix(file, "_test.go") || !strings.Contains(text, "\nfunc "+e.function) {
			continue
		}
		contents[file], err = e.apply(text)
		return err
	}
	return errors.New("it is not there any more")
}

// apply makes the edit in the text of a file.
func (e *edit) apply(text string) (string, error) {
	from := strings.Index(text, "\nfunc "+e.function)
	if from < 0 {
		return text, errors.New("it is not there any more")
	}
	to := len(text)
	if end := strings.Index(text[from:], "\n}\n"); end >= 0 {
		to = from + end
	}
	body := text[from:to]
	if n := strings.Count(body, e.old); n != 1 {
		return text, fmt.Errorf("the text %q is there %d times, not once", e.old, n)
	}
	text = text[:from] + strings.Replace(body, e.old, e.new, 1) + text[to:]
	return e.imported(text)
}

// imported adds what the edit needs to the imports of a file.
func (e *edit) imported(text string) (string, error) {
	const begin = "import (\n"
	line := begin + "\t" + strconv.Quote(e.needs) + "\n"
	switch {
	case e.needs == "" || strings.Contains(text, line):
		return text, nil
	case strings.Count(text, begin) != 1:
		return text, errors.New("its file has no list of imports")
	}
	return strings.Replace(text, begin, line, 1), nil
}

// workshop holds the programs that the tests share, each built once.
var workshop struct {
	mu    sync.Mutex
	dir   string
	built map[string]func() (string, error)
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(workshop.dir)
	os.Exit(code)
}

// program builds a program unless that is done already.
func program(t *testing.T, b *build) string {
	t.Helper()
	path, err := onceBuilt(b)()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func onceBuilt(b *build) func() (string, error) {
	workshop.mu.Lock()
	defer workshop.mu.Unlock()
	if workshop.built == nil {
		workshop.built = map[string]func() (string, error){}
	}
	if once := workshop.built[b.name]; once != nil {
		return once
	}
	if workshop.dir == "" {
		dir, err := os.MkdirTemp("", "torture-build")
		if err != nil {
			return func() (string, error) { return "", err }
		}
		workshop.dir = dir
	}
	once := sync.OnceValues(func() (string, error) { return b.compile(workshop.dir) })
	workshop.built[b.name] = once
	return once
}

// stock is the program as everybody gets it.
func stock() *build { return &build{name: "stock"} }

func TestEditsThatDoNotFitAreErrors(t *testing.T) {
	const text = "package p\n\nimport (\n\t\"os\"\n)\n\nfunc a() {\n\tx()\n}\n\nfunc b() {\n\tx()\n\ty()\n\ty()\n}\n"
	for _, c := range []struct {
		name string
		edit edit
		want string
	}{
		{"in its function alone", edit{function: "b()", old: "x()", new: "z()"}, strings.Replace(text, "x()\n\ty()", "z()\n\ty()", 1)},
		{"with an import", edit{function: "a()", old: "x()", new: "z()", needs: "io"},
			strings.Replace(strings.Replace(text, "x()", "z()", 1), "(\n\t\"os\"", "(\n\t\"io\"\n\t\"os\"", 1)},
		{"no such function", edit{function: "c()", old: "x()", new: "z()"}, ""},
		{"no such text", edit{function: "a()", old: "y()", new: "z()"}, ""},
		{"the text twice", edit{function: "b()", old: "y()", new: "z()"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.edit.apply(text)
			if (err != nil) != (c.want == "") {
				t.Fatalf("error %v", err)
			}
			if err == nil && !bytes.Equal([]byte(got), []byte(c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
