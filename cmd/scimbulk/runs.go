package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scimbulk/internal/journal"
	"scimbulk/internal/report"
)

// runsOptions are the flags of runs and of runs prune.
type runsOptions struct {
	dir        string
	json       bool
	olderThan  string
	unfinished bool
	yes        bool
}

func newRuns(s streams) *cobra.Command {
	o := &runsOptions{}
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List runs and what became of them",
		Long: `runs lists the runs of a folder, the latest first: how far each has come, and the
command that goes on with it. A run is finished, running, interrupted (also by a
limit or by being killed) or failed.`,
		Example: `  scimbulk runs
  scimbulk runs --json
  scimbulk runs prune --older-than 30d`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{unknownCommand(cmd, args[0])}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return o.list(s) },
	}
	o.bindDir(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "as JSON")
	cmd.AddCommand(newRunsPrune(s))
	return cmd
}

func (o *runsOptions) bindDir(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "dir", runsFolder, "`folder` of the runs")
}

func (o *runsOptions) list(s streams) error {
	runs, err := report.ListRuns(o.dir)
	if err != nil {
		return err
	}
	if o.json {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(runs)
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintf(s.err, "there are no runs in %s\n", o.dir)
		return err
	}
	return report.WriteRuns(s.out, runs)
}

func newRunsPrune(s streams) *cobra.Command {
	o := &runsOptions{}
	cmd := &cobra.Command{
		Use:   "prune --older-than AGE",
		Short: "Delete the directories of old runs",
		Long: `prune deletes the directories of finished runs that have not been at work for
some time, with their logs, results and undo files. Runs that could still be
resumed stay, unless --unfinished is given; a run that is at work always stays.`,
		Example: `  scimbulk runs prune --older-than 30d
  scimbulk runs prune --older-than 12w --unfinished --yes`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return o.prune(s) },
	}
	o.bindDir(cmd)
	cmd.Flags().StringVar(&o.olderThan, "older-than", "", "the least `AGE`: 30d, 12w, 36h")
	cmd.Flags().BoolVar(&o.unfinished, "unfinished", false, "also runs that were interrupted or have failed")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

// parseAge reads a duration, also in days and weeks.
func parseAge(text string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseUint(number, 10, 16); ok && err == nil {
			return time.Duration(n) * length, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, usagef("--older-than %q: give an age such as 30d, 12w or 36h", text)
	}
	return age, nil
}

// prunable picks the runs that may go.
func prunable(runs []report.Run, now time.Time, age time.Duration, unfinished bool) (old []report.Run) {
	for _, r := range runs {
		if r.State == report.RunRunning || r.Unfinished() && !unfinished || now.Sub(r.Modified) < age {
			continue
		}
		old = append(old, r)
	}
	return old
}

func (o *runsOptions) prune(s streams) error {
	if o.olderThan == "" {
		return usagef("say how old a run must be to go: scimbulk runs prune --older-than 30d")
	}
	age, err := parseAge(o.olderThan)
	if err != nil {
		return err
	}
	runs, err := report.ListRuns(o.dir)
	if err != nil {
		return err
	}
	old := prunable(runs, time.Now(), age, o.unfinished)
	if len(old) == 0 {
		_, err := fmt.Fprintf(s.err, "nothing to delete: of %d runs in %s none is that old and may go\n", len(runs), o.dir)
		return err
	}
	if agreed, err := o.agreed(s, old); err != nil || !agreed {
		return err
	}
	return remove(s, old)
}

// agreed asks before anything is deleted.
func (o *runsOptions) agreed(s streams, old []report.Run) (bool, error) {
	if o.yes {
		return true, nil
	}
	question := fmt.Sprintf("%d runs would be deleted, from %s to %s", len(old), old[len(old)-1].Name, old[0].Name)
	if !terminal(s.in) {
		return false, usagef("%s: say --yes if that is meant", question)
	}
	fmt.Fprintf(s.err, "%s. Go on? [y/N] ", question)
	answer, _ := bufio.NewReader(s.in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		fmt.Fprintln(s.err, "nothing has been deleted")
		return false, nil
	}
	return true, nil
}

// remove deletes the runs that nobody has gone on with in the meantime.
func remove(s streams, old []report.Run) error {
	for _, r := range old {
		running, err := journal.Running(r.Path)
		if err != nil {
			return err
		}
		if running {
			fmt.Fprintf(s.err, "%s is at work and stays\n", r.Name)
			continue
		}
		if err := os.RemoveAll(r.Path); err != nil {
			return errors.Join(fmt.Errorf("deleting %s", r.Path), err)
		}
		if _, err := fmt.Fprintln(s.out, "deleted", r.Name); err != nil {
			return err
		}
	}
	return nil
}
