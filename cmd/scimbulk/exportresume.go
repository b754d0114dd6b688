package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
)

// args is the command line that makes the same export from any folder.
func (x *exportRun) args() []string {
	fresh, given := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	(&exportOptions{}).bind(fresh)
	o := &exportOptions{}
	o.bind(given)
	*o = *x.exportOptions // the flags read their values from here
	o.out, o.mapping = absoluteOut(o.out), absolute(o.mapping)
	args := append([]string{"export", o.kind}, keptFlags(given, fresh)...)
	return append(args, o.target.args()...)
}

func absoluteOut(path string) string {
	if path == "-" {
		return path
	}
	return absolute(path)
}

// resumeExport goes on with an interrupted export.
func resumeExport(ctx context.Context, s streams, dir string, log *journal.Log, state *journal.State, session *importOptions, changed *pflag.FlagSet) error {
	h := state.Header
	o := &exportOptions{}
	flags := pflag.NewFlagSet("resume", pflag.ContinueOnError)
	o.bind(flags)
	err := errors.New("it names no kind of resource")
	if len(h.Args) >= 2 {
		o.kind = h.Args[1]
		err = flags.Parse(h.Args[2:])
	}
	switch {
	case err != nil:
		err = fmt.Errorf("the command line in the log cannot be read: %w", err)
	case o.out == "-":
		err = errors.New("an export to standard output cannot be gone on with: start it anew")
	default:
		o.run, o.maxDuration = session.run, session.maxDuration
		takeOver(&o.target, session, changed)
		err = o.validate()
	}
	if err != nil {
		return errors.Join(err, log.Close())
	}
	o.fillIn()
	x := &exportRun{exportOptions: o, s: s, runDir: dir, log: log, state: state}
	return errors.Join(x.execute(ctx), log.Close())
}

// pageNote is what the log holds of pages that were read.
type pageNote struct {
	Of string `json:"of"`
	pipeline.Mark
}

const notePage = "page"

// keepPages keeps the pages of an export in the run's directory, and takes over
// those of earlier sessions. What goes to standard output cannot be gone on with,
// and is kept nowhere.
func (x *exportRun) keepPages(e *pipeline.Export, resource string) (err error) {
	if x.out == "-" {
		return nil
	}
	marks, err := x.marks(resource)
	if err != nil {
		return err
	}
	if e.Pages, err = pipeline.OpenPages(x.pagesPath(resource), marks); err != nil {
		return err
	}
	x.pages = append(x.pages, e.Pages)
	e.Note = func(m pipeline.Mark) error { return x.log.Note(notePage, pageNote{Of: resource, Mark: m}) }
	return nil
}

func (x *exportRun) pagesPath(resource string) string {
	return filepath.Join(x.runDir, strings.ToLower(resource)+"s.pages")
}

// marks are those of earlier sessions. A session that found less in the file
// than the log had noted began again from there, and so do the marks.
func (x *exportRun) marks(resource string) (marks []pipeline.Mark, err error) {
	if x.state == nil {
		return nil, nil
	}
	for kind, value := range x.state.Notes() {
		var n pageNote
		if kind != notePage {
			continue
		}
		if err := json.Unmarshal(value, &n); err != nil {
			return nil, fmt.Errorf("the log of %s notes a page that cannot be read: %w", filepath.Base(x.runDir), err)
		}
		if n.Of != resource {
			continue
		}
		for len(marks) > 0 && marks[len(marks)-1].Bytes >= n.Bytes {
			marks = marks[:len(marks)-1]
		}
		marks = append(marks, n.Mark)
	}
	return marks, nil
}
