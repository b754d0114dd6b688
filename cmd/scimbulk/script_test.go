package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes scimbulk a command of the scripts: the real main, in a process
// of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scimbulk": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup:               copySamples,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"serve":  serve,
			"people": people,
			"lines":  lines,
		},
	})
}

// copySamples gives each script the samples of the repository, in a folder that
// it may write to.
func copySamples(env *testscript.Env) error {
	env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector waits a second at every exit
	return os.CopyFS(filepath.Join(env.WorkDir, "samples"), os.DirFS(filepath.Join("..", "..", "samples")))
}

func condition(name string) (bool, error) {
	if name == "root" { // may read everything
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARGS...
// What it prints is for stdout, stderr and cmp, as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var failed *exec.ExitError
	got := 0
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// serve starts a directory that does not do as it should and sets URL to its
// base: serve html|401|403|read-only|gone. The requests that it gets stand in
// the file requests, one "METHOD /path" a line.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve KIND")
	}
	if args[0] == "gone" {
		ts.Setenv("URL", "http://"+unusedAddress(ts)+"/scim/v2")
		return
	}
	handler, ok := badServers[args[0]]
	if !ok {
		ts.Fatalf("there is no bad server %q", args[0])
	}
	requests, err := os.Create(ts.MkAbs("requests"))
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(requests, r.Method, r.URL.Path)
		handler(w, r)
	}))
	ts.Defer(func() {
		server.Close()
		requests.Close()
	})
	ts.Setenv("URL", server.URL+"/scim/v2")
}

// unusedAddress is one where nothing listens: it was free a moment ago.
func unusedAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

var badServers = map[string]http.HandlerFunc{
	"html": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>Sign in</title><p>Please sign in.")
	},
	"401": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="directory"`)
		scimError(w, http.StatusUnauthorized, "the session is over")
	},
	"403": func(w http.ResponseWriter, _ *http.Request) {
		scimError(w, http.StatusForbidden, "scope directory:read is missing")
	},
	// read-only holds nobody and refuses every write.
	"read-only": func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			scimError(w, http.StatusForbidden, "scope directory:write is missing")
		case strings.HasSuffix(r.URL.Path, "/Users"):
			w.Header().Set("Content-Type", "application/scim+json")
			fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`)
		default:
			scimError(w, http.StatusNotFound, "no discovery here")
		}
	},
}

func scimError(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":%q}`, status, detail)
}

// people writes a CSV file of N people: people N FILE. Every hundredth has a
// value that cannot be.
func people(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: people N FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("userName,displayName,active\n")
	for i := range n {
		active := "true"
		if i%100 == 0 {
			active = "sometimes"
		}
		fmt.Fprintf(&b, "person%05d@example.com,Person %d,%s\n", i, i, active)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
}

// lines checks how many lines of a file hold a text: lines N TEXT FILE.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lines N TEXT FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for line := range strings.Lines(ts.ReadFile(args[2])) {
		if strings.Contains(line, args[1]) {
			got++
		}
	}
	if got != want {
		ts.Fatalf("%d lines of %s hold %q, want %d", got, args[2], args[1], want)
	}
}
