package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// token is what the sandbox takes where nothing else is said.
const token = "sandbox"

// sandbox is a directory in a process of its own.
type sandbox struct {
	cmd *exec.Cmd
	url string
}

func (b *bench) sandbox(ctx context.Context, flags ...string) (*sandbox, error) {
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"sandbox", "--addr", "127.0.0.1:0"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	return &sandbox{cmd: cmd, url: strings.TrimSpace(line)}, nil
}

func (s *sandbox) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// usage is what a process has cost.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes of resident memory
	out       []byte
}

// run runs a command to its end. Exit codes other than the given ones are
// errors.
func (b *bench) run(ctx context.Context, env []string, name string, args ...string) (*usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = b.folder, append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err, tail(errs.String()))
	}
	u := &usage{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out: out.Bytes()}
	u.peak = peakOf(cmd.ProcessState)
	return u, nil
}

func tail(s string) string {
	const most = 500
	s = strings.TrimSpace(s)
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// scimbulk runs the binary against a sandbox.
func (b *bench) scimbulk(ctx context.Context, s *sandbox, args ...string) (*usage, error) {
	env := []string{"SCIMBULK_TOKEN=" + token, "HOME=" + b.folder, "XDG_STATE_HOME=" + filepath.Join(b.folder, "state")}
	if s != nil {
		args = append(args, "--url", s.url)
	}
	return b.run(ctx, env, b.binary, args...)
}

// summary is what --json prints, as far as it counts here.
type summary struct {
	Rows     map[string]int64 `json:"rows"`
	Requests map[string]int64 `json:"requests"`
}

func (u *usage) summary() (*summary, error) {
	s := &summary{}
	if err := json.Unmarshal(u.out, s); err != nil {
		return nil, fmt.Errorf("reading the summary: %w", err)
	}
	return s, nil
}

// fresh makes a folder of its own.
func (b *bench) fresh(pattern string) (string, error) {
	return os.MkdirTemp(b.folder, pattern)
}

func copyTo(path string, write func(w *bufio.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		f.Close()
		return err
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
