package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// importCost compares an import with the bare loop, and with what is otherwise
// scripted.
func importCost(ctx context.Context, b *bench) (*section, error) {
	in, err := b.input(b.rows, oneTitle)
	if err != nil {
		return nil, err
	}
	bodies, err := b.bodies(ctx, in)
	if err != nil {
		return nil, err
	}
	var bulk, single compared
	var curl ratios
	for range b.rounds {
		bare, err := b.loopOnce(ctx, bodies)
		if err != nil {
			return nil, err
		}
		ours, err := b.importOnce(ctx, in)
		if err != nil {
			return nil, err
		}
		bulk.add(ours, bare)
		scripted, err := b.curlOnce(ctx, bodies, b.curlRows)
		if err != nil {
			return nil, err
		}
		perRow := func(d time.Duration, n int) float64 { return float64(d) / float64(n) }
		curl = append(curl, perRow(scripted.wall, b.curlRows)/perRow(ours.wall, b.rows))
		if ours, err = b.importOnce(ctx, in, "--no-bulk"); err != nil {
			return nil, err
		}
		single.add(ours, bare)
	}
	b.atMost("CPU of an import over that of the bare loop", bulk.cpu.median(), 3)
	b.atMost("CPU of an import with --no-bulk over that of the bare loop", single.cpu.median(), 6)
	s := &section{
		title:   "Import",
		command: fmt.Sprintf("scimbulk import people.csv -m people.mapping.yaml   # %s rows of 12 columns, checkpoint and results on", number(b.rows)),
		note: `The bare loop posts the same bodies, made beforehand, with net/http and 16 workers, and does
nothing else. An import sends them in bulk requests where the directory takes those, as the
sandbox does; with --no-bulk it sends what the loop sends, a request a row. Client and sandbox
share the processors.`,
		head: []string{"figure", "in bulk: median (least to greatest)", "`--no-bulk`"},
	}
	s.add("CPU a created row ÷ the bare loop's", bulk.cpu.String(), single.cpu.String())
	s.add("rows a second ÷ the bare loop's", bulk.rate.String(), single.rate.String())
	s.add(fmt.Sprintf("rows a second ÷ those of `xargs -P16 curl` (%s rows)", number(b.curlRows)), curl.String(), "")
	return s, nil
}

// compared are an import's figures over those of the bare loop.
type compared struct{ cpu, rate ratios }

func (c *compared) add(ours, bare *usage) {
	c.cpu = append(c.cpu, float64(ours.cpu)/float64(bare.cpu))
	c.rate = append(c.rate, float64(bare.wall)/float64(ours.wall))
}

// importOnce imports a file into a new directory.
func (b *bench) importOnce(ctx context.Context, in *input, flags ...string) (*usage, error) {
	s, err := b.sandbox(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return b.importInto(ctx, s, in, flags...)
}

func (b *bench) importInto(ctx context.Context, s *sandbox, in *input, flags ...string) (*usage, error) {
	dir, err := b.fresh("run-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{"import", in.file, "-m", in.mapping, "--run-dir", filepath.Join(dir, "run"), "--progress", "none", "--json", "--yes"}
	return b.scimbulk(ctx, s, append(args, flags...)...)
}

func (b *bench) loopOnce(ctx context.Context, bodies string) (*usage, error) {
	s, err := b.sandbox(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.run(ctx, nil, self, "loop", "--url", s.url, "--bodies", bodies)
}

// curlOnce posts the first n bodies by the script that many write.
func (b *bench) curlOnce(ctx context.Context, bodies string, n int) (*usage, error) {
	if _, err := exec.LookPath("curl"); err != nil {
		return nil, fmt.Errorf("this part needs curl and xargs: %w", err)
	}
	s, err := b.sandbox(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	script := fmt.Sprintf(`head -n %d %s | tr '\n' '\0' | xargs -0 -P16 -I BODY curl -sS -o /dev/null -X POST -H 'Authorization: Bearer %s' -H 'Content-Type: application/scim+json' --data-binary BODY %s/Users`,
		n, bodies, token, s.url)
	return b.run(ctx, nil, "sh", "-c", script)
}
