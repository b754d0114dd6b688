package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"scimbulk/internal/sandbox"
)

// sandboxToken is what the sandbox process asks for unless told otherwise.
const sandboxToken = "sandbox"

func newSandbox(s streams) *cobra.Command {
	var o sandbox.Options
	var addr string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve the embedded SCIM directory as a process of its own",
		Long: `sandbox serves a SCIM 2.0 directory on this machine, to rehearse imports and
exports on. The first line on standard output is its base URL. It asks for a
bearer token: the value of SCIMBULK_SANDBOX_TOKEN (default "sandbox"), or one
that its token endpoint /oauth/token gives to the client "sandbox" with the
secret "sandbox".

The client id may say which permissions its tokens are to lack, with dots for
colons: sandbox-without-directory.user.delete, or several with commas between.

Faults for --fault:
` + faultHelp(),
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveSandbox(cmd.Context(), s, addr, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", "127.0.0.1:8484", "`address` to listen on; port 0 picks a free one")
	f.StringVar(&o.Dialect, "dialect", "rfc", "whose rules it keeps: rfc or genesys")
	f.StringVar(&o.Dir, "data", "", "keep the directory in `DIR`")
	f.IntVar(&o.Seed, "seed", 0, "begin with `N` made-up people and N/20 groups")
	f.StringVar(&o.RateLimit, "rate-limit", "", "`N/DURATION[:bucket|window]` requests, answered with 429 beyond that")
	f.IntVar(&o.PageCap, "page-cap", 0, "most `resources` in a page (default: the dialect's)")
	f.DurationVar(&o.TokenTTL, "token-ttl", 0, "how long a token of /oauth/token lasts (default an hour)")
	f.DurationVar(&o.Latency, "latency", 0, "added to every answer")
	f.StringArrayVar(&o.Faults, "fault", nil, "misbehave: `NAME[=VALUE]`, repeatable")
	f.Int64Var(&o.FaultSeed, "fault-seed", 1, "seed of the faults")
	f.StringVar(&o.Me, "me", "", "`userName` of the person whose account the token is of, whom /Me shows (default: nobody's)")
	f.StringVar(&o.Audit, "audit", "", "write every request and every change to `FILE`")
	return cmd
}

func faultHelp() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range sandbox.Faults() {
		usage := f.Name
		if f.Value != "" {
			usage += "=" + f.Value
		}
		fmt.Fprintf(w, "  %s\t%s\n", usage, f.Help)
	}
	w.Flush()
	return b.String()
}

func serveSandbox(ctx context.Context, s streams, addr string, o sandbox.Options) error {
	if o.Token = os.Getenv("SCIMBULK_SANDBOX_TOKEN"); o.Token == "" {
		o.Token = sandboxToken
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return err
		}
	}
	box, err := sandbox.New(o)
	if err != nil {
		return usageError{err}
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, box.Close())
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(s.out, "http://%s%s\n", listener.Addr(), box.BasePath()) // from now on it ends in order
	server := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	}
	return errors.Join(err, box.Close())
}
