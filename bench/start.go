package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// startUp measures how soon something happens.
func startUp(ctx context.Context, b *bench) (*section, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var help, first ratios
	for range b.starts {
		ours, err := b.run(ctx, nil, b.binary, "--help")
		if err != nil {
			return nil, err
		}
		least, err := b.run(ctx, nil, self, "loop", "--bodies", os.DevNull)
		if err != nil {
			return nil, err
		}
		help = append(help, float64(ours.wall)/float64(least.wall))
	}
	for range b.rounds {
		share, err := b.firstWrite(ctx)
		if err != nil {
			return nil, err
		}
		first = append(first, share)
	}
	b.atMost("the start of --help over that of a small program", help.median(), 10)
	s := &section{title: "Start", command: "scimbulk --help; scimbulk import people.csv -m people.mapping.yaml", head: []string{"figure", "median (least to greatest)"}}
	s.add("`--help` ÷ a Go program that does nothing", help.String())
	s.add("time to the first write ÷ the whole import of "+number(b.rows)+" rows (the file is read once before)", first.String())
	return s, nil
}

// firstWrite is the share of an import that is over when the directory has
// carried out its first write.
func (b *bench) firstWrite(ctx context.Context) (float64, error) {
	in, err := b.input(b.rows, oneTitle)
	if err != nil {
		return 0, err
	}
	audit := filepath.Join(filepath.Dir(in.file), "audit.jsonl")
	dir, err := b.sandbox(ctx, "--audit", audit)
	if err != nil {
		return 0, err
	}
	defer dir.stop()
	begin := time.Now()
	u, err := b.importInto(ctx, dir, in)
	if err != nil {
		return 0, err
	}
	at, err := firstCommit(audit)
	if err != nil {
		return 0, err
	}
	return float64(at.Sub(begin)) / float64(u.wall), nil
}

// firstCommit is when an audit says that something was changed first.
func firstCommit(path string) (time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct {
			Kind string
			T    time.Time
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Kind == "commit" {
			return line.T, err
		}
	}
	return time.Time{}, errors.New("nothing was changed")
}
