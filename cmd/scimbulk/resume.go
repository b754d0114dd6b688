package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/report"
)

// args is the command line that makes the same run from any folder.
func (r *importRun) args() []string {
	fresh, given := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	(&importOptions{kind: r.kind}).bindAll(fresh)
	o := &importOptions{kind: r.kind}
	o.bindAll(given)
	*o = *r.importOptions // the flags read their values from here
	o.mapping = absolute(o.mapping)
	args := append([]string{r.command(), absolute(o.input)}, keptFlags(given, fresh)...)
	return append(args, o.target.args()...)
}

func newResume(s streams) *cobra.Command {
	session := &importOptions{}
	cmd := &cobra.Command{
		Use:   "resume [RUN]",
		Short: "Go on with an interrupted run",
		Long: `resume goes on where a run was interrupted, by whatever means. RUN is the run's
directory, or latest (the default). Rows that have their outcome are not done
again; rows that were in hand are looked up first. The input, the mapping and
the target must be the same as they were.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("scimbulk resume takes one run at most: scimbulk resume [RUN]")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run := "latest"
			if len(args) > 0 {
				run = args[0]
			}
			return resume(cmd.Context(), s, run, cmd.Flags(), session)
		},
	}
	f := cmd.Flags()
	session.run.bind(f)
	f.StringVar(&session.target.tokenFile, "token-file", "", "`file` with the bearer token (else SCIMBULK_TOKEN)")
	f.IntVar(&session.target.workers, "workers", 0, "requests under way at a time (default: as the run began)")
	f.Float64Var(&session.target.rate, "rate", 0, "most `requests` a second (default: as the run began)")
	f.DurationVar(&session.maxDuration, "max-duration", 0, "stop after this time, resumable")
	f.StringVar(&session.maxErrors, "max-errors", "", "stop when more than `N` rows, or N% of them, are rejected in all (default: as the run began)")
	f.StringVar(&session.maxDeletes, "max-deletes", "", "delete or deactivate no more than `N` people in all, or N% of the rows (default: as the run began)")
	f.Lookup("run-dir").Hidden = true
	return cmd
}

func resume(ctx context.Context, s streams, run string, changed *pflag.FlagSet, session *importOptions) error {
	dir := run
	if run == "latest" {
		var err error
		if dir, err = latestRun(); err != nil {
			return err
		}
	}
	dir = absolute(dir)
	log, state, err := journal.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds no %s: nothing was begun there", dir, journal.FileName)
	}
	if err != nil {
		return err
	}
	if state.Finished {
		return errors.Join(log.Close(), finished(s, dir, state.Exit, session.run.json))
	}
	if state.Header.Args, err = restoreFilters(dir, state.Header.Run, state.Header.Args); err != nil {
		return errors.Join(err, log.Close())
	}
	if state.Header.Command == "export" {
		return resumeExport(ctx, s, dir, log, state, session, changed)
	}
	o, err := optionsOf(state.Header, session, changed)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	r := &importRun{importOptions: o, s: s, meter: &pipeline.Meter{}, runDir: dir, log: log, state: state}
	return r.execute(ctx)
}

// finished tells that there is nothing to resume, and ends as that run did.
func finished(s streams, dir string, code int, asJSON bool) error {
	summary := filepath.Join(dir, report.SummaryFile)
	fmt.Fprintf(s.err, "%s is finished: its summary is in %s\n", filepath.Base(dir), summary)
	if asJSON {
		b, err := os.ReadFile(summary)
		if err == nil {
			_, err = s.out.Write(b)
		}
		if err != nil {
			return err
		}
	}
	return exitWith(code)
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError{code: code}
}

// optionsOf reads the options of a run from its log; what this session says of
// pace, progress and credentials goes before.
func optionsOf(h journal.Header, session *importOptions, changed *pflag.FlagSet) (*importOptions, error) {
	o := &importOptions{}
	switch h.Command {
	case kindApply:
		o.kind = kindApply
	case commandPatch:
		o.chosen = true
	}
	flags := pflag.NewFlagSet("resume", pflag.ContinueOnError)
	o.bindAll(flags)
	if len(h.Args) < 2 || h.Command != "import" && h.Command != commandPatch && h.Command != kindApply {
		return nil, fmt.Errorf("this is the log of %s %s, which this version cannot go on with", h.Command, strconv.Quote(h.Run))
	}
	if err := flags.Parse(h.Args[2:]); err != nil {
		return nil, fmt.Errorf("the command line in the log cannot be read: %w", err)
	}
	o.input, o.run = h.Args[1], session.run
	takeOver(&o.target, session, changed)
	changed.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "max-duration":
			o.maxDuration = session.maxDuration
		case "max-errors":
			o.maxErrors = session.maxErrors
		case "max-deletes":
			o.maxDeletes = session.maxDeletes
		}
	})
	return o, nil
}

// takeOver sets what this session says of pace and credentials.
func takeOver(t *targetOptions, session *importOptions, changed *pflag.FlagSet) {
	changed.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "token-file":
			t.tokenFile = session.target.tokenFile
		case "workers":
			t.workers = session.target.workers
		case "rate":
			t.rate = session.target.rate
		}
	})
}

// unchanged refuses to go on with a run whose input, mapping or target is not
// what it was.
func (r *importRun) unchanged() error {
	err := unchanged(r.state.Header, r.header)
	r.header.Started = r.state.Header.Started
	return err
}

func unchanged(was, is journal.Header) error {
	var problems []error
	differ := func(what string, a, b *journal.Digest) {
		switch {
		case a == nil && b == nil:
		case b != nil && a == nil, b == nil:
			problems = append(problems, fmt.Errorf("the run was begun with another %s", what))
		case a.SHA256 != b.SHA256:
			problems = append(problems, fmt.Errorf("the %s %s has changed since the run began: bring the old one back, or start a new run", what, b.Path))
		}
	}
	differ("input", was.Input, is.Input)
	differ("mapping", was.Mapping, is.Mapping)
	if was.Target != is.Target || was.Provider != is.Provider {
		problems = append(problems, fmt.Errorf("the run was begun against %s (%s), not %s (%s)", was.Target, was.Provider, is.Target, is.Provider))
	}
	return errors.Join(problems...)
}
