package scimbulk_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "scimbulk"

// rooms are the packages of the house, by floor: a package imports from floors
// below its own and never from its own or from above.
var rooms = map[string]int{
	"cmd/scimbulk":      4,
	"internal/report":   3,
	"internal/pipeline": 2,
	"internal/plan":     1,
	"internal/mapping":  1,
	"internal/journal":  1,
	"internal/scim":     0,
	"internal/rows":     0,
}

// sandbox imports nothing of ours, and nothing but the command and the tests
// imports it: client and directory check each other only as long as they share
// no code.
const sandboxRoom = "internal/sandbox"

// outhouses run the binary from outside, to torture it and to time it. They
// import nothing of ours, so that they judge it by what users see.
var outhouses = []string{"bench", "torture"}

// imported is one import of one of our packages by a file of the module.
type imported struct {
	file string // slash-separated, from the root
	of   string // the package, from the root
}

func (i imported) String() string { return i.file + " imports " + i.of }

func TestImportsPointDown(t *testing.T) {
	imports, packages := ourImports(t, ".")
	if len(packages) < len(rooms)+1 || len(imports) < len(rooms) {
		t.Fatalf("found only the packages %v and %d imports between them: the reader of imports is broken", packages, len(imports))
	}
	for _, v := range violations(imports) {
		t.Error(v)
	}
	for _, p := range packages {
		if _, known := rooms[p]; !known && p != sandboxRoom && p != "." && !slices.Contains(outhouses, p) {
			t.Errorf("the package %s has no place in the house: split a room, do not add a floor", p)
		}
	}
}

func TestHouseRulesBite(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  string
		of    string
		wrong bool
	}{
		{"down a floor", "internal/pipeline/run.go", "internal/plan", false},
		{"down all floors", "cmd/scimbulk/main.go", "internal/rows", false},
		{"up a floor", "internal/plan/plan.go", "internal/pipeline", true},
		{"up to the command", "internal/report/report.go", "cmd/scimbulk", true},
		{"sideways", "internal/plan/plan.go", "internal/mapping", true},
		{"sideways at the bottom", "internal/scim/client.go", "internal/rows", true},
		{"up in a test", "internal/scim/client_test.go", "internal/pipeline", true},
		{"itself in an outer test", "internal/scim/client_test.go", "internal/scim", false},
		{"the sandbox by the command", "cmd/scimbulk/sandbox.go", sandboxRoom, false},
		{"the sandbox by a test", "internal/scim/client_test.go", sandboxRoom, false},
		{"the product by a bench", "bench/import.go", "internal/rows", true},
		{"the product by a torture", "torture/checker.go", "internal/journal", true},
		{"the sandbox by the client", "internal/scim/client.go", sandboxRoom, true},
		{"the client by the sandbox", "internal/sandbox/write.go", "internal/scim", true},
		{"the client by a test of the sandbox", "internal/sandbox/write_test.go", "internal/scim", true},
		{"a room that is not there", "internal/plan/plan.go", "internal/utils", true},
		{"a room at the root", "house_test.go", "internal/pipeline", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := violations([]imported{{c.from, c.of}})
			if (len(got) > 0) != c.wrong {
				t.Errorf("%s importing %s: violations %q, want some: %v", c.from, c.of, got, c.wrong)
			}
		})
	}
}

// violations are the imports that the house forbids.
func violations(imports []imported) []string {
	var found []string
	for _, i := range imports {
		if why := forbidden(i); why != "" {
			found = append(found, fmt.Sprintf("%v: %s", i, why))
		}
	}
	return found
}

func forbidden(i imported) string {
	from, isTest := path.Dir(i.file), strings.HasSuffix(i.file, "_test.go")
	floor, known := rooms[from]
	below, inHouse := rooms[i.of]
	switch {
	case isTest && (i.of == from || from == "."):
		return ""
	case slices.Contains(outhouses, from):
		return "the outhouses see the binary alone"
	case from == sandboxRoom:
		return "the sandbox imports nothing of ours"
	case i.of == sandboxRoom && (isTest || from == "cmd/scimbulk"):
		return ""
	case i.of == sandboxRoom:
		return "nothing but the command and tests imports the sandbox"
	case !known || !inHouse:
		return "that is no room of the house"
	case below >= floor:
		return "imports point down"
	}
	return ""
}

// ourImports reads the imports of every Go file below dir, whatever system it
// is built for, and the folders that hold one.
func ourImports(t *testing.T, dir string) (imports []imported, packages []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || name != dir && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		file := filepath.ToSlash(name)
		if p := path.Dir(file); !slices.Contains(packages, p) {
			packages = append(packages, p)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if of, ours := strings.CutPrefix(p, module+"/"); ours {
				imports = append(imports, imported{file, of})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports, packages
}
