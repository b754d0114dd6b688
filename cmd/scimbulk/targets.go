package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"scimbulk/internal/scim"
)

func newTarget(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "target",
		Short: "Give directories names: add, list, test, remove",
		Long: `target keeps directories by name in a file of the user's config directory, so
that --target NAME says where to go. The file holds addresses and pace, never a
secret: tokens and passwords stay in the environment and in token files.`,
		Example: `  scimbulk target add prod --region us-east-1 --token-file /etc/scimbulk/token
  scimbulk target test prod
  scimbulk export users --target prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{unknownCommand(cmd, args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTargetAdd(s), newTargetList(s), newTargetTest(s), newTargetRemove(s))
	return cmd
}

// targetAddOptions are the flags of target add.
type targetAddOptions struct {
	target  targetOptions
	name    string
	replace bool
}

func newTargetAdd(s streams) *cobra.Command {
	o := &targetAddOptions{}
	cmd := &cobra.Command{
		Use:     "add NAME --url URL | --region REGION",
		Short:   "Name a directory",
		Example: "  scimbulk target add prod --region us-east-1 --token-file /etc/scimbulk/token --workers 3",
		Args:    exactly(1, "one name"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.name = args[0]
			return o.execute(s)
		},
	}
	f := cmd.Flags()
	o.target.timeout = defaultTimeout
	o.target.bindAddress(f)
	bindConfig(f, &o.target.config)
	f.IntVar(&o.target.workers, "workers", 0, "requests under way at a time")
	f.Float64Var(&o.target.rate, "rate", 0, "most `requests` a second")
	f.BoolVar(&o.replace, "replace", false, "write over a target of this name")
	return cmd
}

func (o *targetAddOptions) validate() error {
	var problems []error
	if !targetName.MatchString(o.name) {
		problems = append(problems, usagef("%q: a name begins with a letter and goes on with letters, digits, dots, hyphens and underscores", o.name))
	}
	if o.target.url == "" && o.target.region == "" {
		problems = append(problems, usagef("say where the directory is: --url URL or --region REGION"))
	} else {
		problems = append(problems, o.target.validate()...)
	}
	profile, base, err := o.target.resolve()
	if err == nil {
		_, err = scim.New(scim.Options{BaseURL: base, Profile: profile, InsecureHTTP: true})
	}
	if err != nil && o.target.url+o.target.region != "" {
		problems = append(problems, usageError{err})
	}
	return errors.Join(problems...)
}

func (o *targetAddOptions) execute(s streams) error {
	if err := o.validate(); err != nil {
		return err
	}
	path, c, err := openConfig(o.target.config)
	if err != nil {
		return err
	}
	if _, taken := c.Targets[o.name]; taken && !o.replace {
		return fmt.Errorf("%s has a target %q already: --replace writes over it", path, o.name)
	}
	t := &o.target
	c.Targets[o.name] = namedTarget{
		URL: t.url, Region: t.region, Provider: t.provider,
		TokenFile: absolute(t.tokenFile), TokenURL: t.tokenURL, Workers: t.workers, Rate: t.rate,
	}
	if err := c.save(path); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.err, "%s is in %s; try it: scimbulk target test %s\n", o.name, path, o.name)
	return err
}

func openConfig(given string) (path string, c *config, err error) {
	if path, err = configPath(given); err != nil {
		return "", nil, err
	}
	c, err = loadConfig(path)
	return path, c, err
}

func newTargetList(s streams) *cobra.Command {
	var given string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the named directories",
		Args:  exactly(0, "no arguments"),
		RunE:  func(*cobra.Command, []string) error { return listTargets(s, given, asJSON) },
	}
	bindConfig(cmd.Flags(), &given)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func listTargets(s streams, given string, asJSON bool) error {
	path, c, err := openConfig(given)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(c.Targets)
	}
	if len(c.Targets) == 0 {
		_, err := fmt.Fprintf(s.err, "%s holds no targets yet: scimbulk target add NAME --url URL\n", path)
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tDIRECTORY\tPROVIDER\tWORKERS\tRATE\tTOKEN FROM")
	for _, name := range c.names() {
		t := c.Targets[name]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", name, cmp.Or(t.URL, t.Region), cmp.Or(t.Provider, "by host"),
			numberOr(float64(t.Workers), "default"), numberOr(t.Rate, "adaptive"), cmp.Or(t.TokenFile, cmp.Or(t.TokenURL, "environment")))
	}
	return w.Flush()
}

func numberOr(n float64, zero string) string {
	if n == 0 {
		return zero
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func newTargetTest(s streams) *cobra.Command {
	o := &targetOptions{}
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Ask a named directory for one user",
		Long: `test asks a named directory for one user, which shows whether its address and
the credentials are right. scimbulk probe finds out more.`,
		Args: exactly(1, "one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return o.test(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	bindConfig(f, &o.config)
	f.BoolVar(&o.insecureHTTP, "insecure-http", false, "allow plain http:// to other hosts than this one")
	f.DurationVar(&o.timeout, "timeout", defaultTimeout, "how long a request may take")
	return cmd
}

func (t *targetOptions) test(ctx context.Context, s streams) error {
	if err := t.fillIn(); err != nil {
		return err
	}
	if err := errors.Join(t.validate()...); err != nil {
		return err
	}
	dir, err := t.open()
	if err != nil {
		return fmt.Errorf("target %s: %w", t.name, err)
	}
	defer dir.close()
	page, err := dir.client.List(ctx, scim.Users, scim.ListOptions{Count: 1, Attributes: []string{"userName"}})
	if err != nil {
		return fmt.Errorf("target %s, %s: %w", t.name, dir.name, err)
	}
	people := "answers"
	if page.HasTotal {
		people = fmt.Sprintf("answers and lists %d users", page.TotalResults)
	}
	_, err = fmt.Fprintf(s.out, "%s: %s (%s) %s\n", t.name, dir.name, dir.profile.Title, people)
	return err
}

func newTargetRemove(s streams) *cobra.Command {
	var given string
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Forget the name of a directory",
		Args:  exactly(1, "one name"),
		RunE: func(_ *cobra.Command, args []string) error {
			path, c, err := openConfig(given)
			if err != nil {
				return err
			}
			if _, err := c.find(args[0], path); err != nil {
				return err
			}
			delete(c.Targets, args[0])
			if err := c.save(path); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.err, "%s is no longer in %s\n", args[0], path)
			return err
		},
	}
	bindConfig(cmd.Flags(), &given)
	return cmd
}
