package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"scimbulk/internal/scim"
)

// streams are what a command reads and writes: out is data, err is talk.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// terminal says whether a stream is a terminal.
func terminal(stream any) bool {
	if t, ok := stream.(*talk); ok {
		return !t.json && terminal(t.out)
	}
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// usageError is a command line that cannot be carried out.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run carries out a command line and returns its exit code.
func run(ctx context.Context, args []string, s streams) int {
	said := &talk{out: s.err}
	defer said.Flush()
	s.err = said
	root := newRoot(s)
	format := root.PersistentFlags().String("log-format", logText, "what is said on standard error: text, or json (an object a line)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return said.speak(*format) }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		complain(s.err, err)
	}
	return exitCode(err)
}

// complaint begins the line of an error.
const complaint = "scimbulk: "

// complain prints an error once, with the hint that goes with it.
func complain(out io.Writer, err error) {
	var quiet exitError
	if errors.As(err, &quiet) && quiet.error == nil {
		return
	}
	fmt.Fprintf(out, complaint+"%v\n", sayOnce(err))
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(out, "try: scimbulk help")
		return
	}
	advise(out, err)
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "scimbulk",
		Short: "The bulk loader for SCIM 2.0 directories",
		Long: `scimbulk imports people and groups from CSV and JSONL files into a SCIM 2.0
directory, shows beforehand what an import would change, and exports the
directory into files. Genesys Cloud is the first provider it knows; any SCIM 2.0
server is the second. Without one, --sandbox is a directory to try things on.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{unknownCommand(cmd, args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(
		newImport(s), newPlan(s), newApply(s), newUndo(s), newPatch(s), newExport(s), newDiff(s), newResume(s), newRuns(s),
		newGet(s), newProbe(s), newMapping(s), newTarget(s), newSandbox(s), newVersion(s),
	)
	root.SetUsageTemplate(root.UsageTemplate() + exitHelp)
	return root
}

// flagError names the flag that a misspelt one most likely means.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := scim.Nearest(unknown.GetSpecifiedName(), names); near != "" {
		return usagef("%w (did you mean --%s?)", err, near)
	}
	return usageError{err}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q (did you mean %s?)", name, strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", name)
}

// exactly is cobra.ExactArgs with a message that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if f := cmd.Flags().Lookup("sandbox"); f != nil && f.Changed && f.Value.String() == f.NoOptDefVal && len(args) == n+1 {
			return usagef("%s takes %s: is --sandbox=%s meant?", cmd.CommandPath(), what, likelyFolder(args))
		}
		return usagef("%s takes %s: %s", cmd.CommandPath(), what, cmd.UseLine())
	}
}

// likelyFolder is the last of some arguments that is no file.
func likelyFolder(args []string) string {
	for _, arg := range slices.Backward(args) {
		if info, err := os.Stat(arg); err != nil || info.IsDir() {
			return arg
		}
	}
	return args[len(args)-1]
}
