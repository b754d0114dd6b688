package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"scimbulk/internal/report"
)

// probeAttempts is how often a probe's request is sent at most: a refusal is an
// answer to it.
const probeAttempts = 2

// probeOptions are the flags of probe.
type probeOptions struct {
	target targetOptions
	json   bool
}

func newProbe(s streams) *cobra.Command {
	o := &probeOptions{}
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Find out what a directory can do and where it misleads",
		Long: `probe asks a directory what it says of itself and tries out what it really does:
how large its pages are, whether it honours startIndex, filter, attributes and
sortBy, whether its order is stable and its totals are right, what its versions
and quota headers look like. It sends a few dozen reads and no write, and names
the flags that follow. A line that begins with ! is a trap for a client that
trusts the directory; one with ? could not be told.`,
		Example: `  scimbulk probe --url https://example.com/scim/v2
  scimbulk probe --region us-east-1 --json`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.execute(cmd.Context(), s) },
	}
	o.target.bindReader(cmd.Flags())
	cmd.Flags().BoolVar(&o.json, "json", false, "the findings as JSON")
	return cmd
}

func (o *probeOptions) execute(ctx context.Context, s streams) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	if err := errors.Join(o.target.validate()...); err != nil {
		return err
	}
	o.target.attempts = probeAttempts
	dir, err := o.target.open()
	if err != nil {
		return err
	}
	defer dir.close()
	findings, failed := dir.client.Probe(ctx)
	p := report.NewProbe(dir.name, dir.profile.Name, dir.client.Stats().Total, findings, failed)
	write := p.WriteText
	if o.json {
		write = p.WriteJSON
	}
	return errors.Join(failed, write(s.out))
}
