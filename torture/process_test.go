package torture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long the harness waits for something that must happen. It is
// used up only where it does not happen at all.
const patience = 5 * time.Minute

// token is the bearer token that the sandbox process asks for by default.
const token = "sandbox"

// A process is a command under way.
type process struct {
	cmd   *exec.Cmd
	talk  bytes.Buffer // its standard error; to be read after ended
	ended chan struct{}
	err   error // once ended is closed
}

// launch starts a program in a folder. It sees nothing of the environment that
// could name another directory.
func launch(program, dir string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, homeFolder), "TMPDIR=" + filepath.Join(dir, tempFolder), "SCIMBULK_TOKEN=" + token,
	}, env...)
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, &p.talk
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process without warning and waits until it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// code is the exit code of a process that has ended, -1 where a signal ended
// it.
func (p *process) code() int {
	var failed *exec.ExitError
	switch {
	case p.err == nil:
		return 0
	case errors.As(p.err, &failed):
		return failed.ExitCode()
	}
	return -1
}

// wait lets the process end by itself.
func (p *process) wait() (code int, err error) {
	select {
	case <-p.ended:
		return p.code(), nil
	case <-time.After(patience):
		p.kill()
		return -1, fmt.Errorf("%s does not end\n%s", strings.Join(p.cmd.Args, " "), p.talk.String())
	}
}

// A server is the sandbox process. It can be killed and started again on its
// data, at the same address.
type server struct {
	program string
	dir     string
	args    []string
	addr    string
	url     string // base URL, once started
	p       *process
}

func newServer(program, dir string, args ...string) *server {
	return &server{program: program, dir: dir, args: args, addr: somePort()}
}

// somePort is below those that the system hands out for outgoing connections: a
// client that knocks at a free one of those can meet itself. It is left to
// chance, and not to the seed: trials side by side must not meet.
func somePort() string { return fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) }

// start returns once the server takes requests.
func (s *server) start() error {
	args := append([]string{"sandbox", "--addr", s.addr}, s.args...)
	p := &process{cmd: exec.Command(s.program, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stderr = s.dir, &p.talk
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err != nil {
		p.kill()
		return fmt.Errorf("the sandbox did not start: %s", p.talk.String())
	}
	s.p, s.url = p, strings.TrimSpace(line)
	return nil
}

// startAnywhere looks for a port that is free.
func (s *server) startAnywhere() error {
	var err error
	for range 20 {
		if err = s.start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
		s.addr = somePort()
	}
	return err
}

// restart kills the server and starts it again after a while.
func (s *server) restart(pause time.Duration) error {
	s.p.kill()
	<-time.After(pause)
	return s.start()
}

// stop ends the server in order.
func (s *server) stop() error {
	if s.p == nil {
		return nil
	}
	s.p.cmd.Process.Signal(syscall.SIGTERM)
	code, err := s.p.wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("the sandbox ended with %d\n%s", code, s.p.talk.String())
	}
	return err
}
