package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long a program may take to stop before it is killed. Nothing it writes is kept, so it is short.
const grace = 2 * time.Second

// A Command is a program to start.
type Command struct {
	// Name of the process and of its log.
	Name string
	Path string
	Args []string
	// Env is added to this process's own.
	Env []string
	Dir string
}

// Process is a running program.
type Process struct {
	Command

	cmd  *exec.Cmd
	log  string
	done chan struct{}
	mu   sync.Mutex
	// ended is set where somebody asked the process to stop: its end is then no failure.
	ended bool
}

// supervisor starts programs, keeps their logs, and leaves none behind.
type supervisor struct {
	logs      string
	starts    chan func()
	mu        sync.Mutex
	processes []*Process
}

func newSupervisor(logs string) *supervisor {
	s := &supervisor{logs: logs, starts: make(chan func())}
	// A child's parent, to the kernel, is the thread that forked it. All children are started from one thread that lives
	// as long as this process, so that they die with the process (Pdeathsig) and not with some thread of the runtime.
	go func() {
		runtime.LockOSThread()
		for start := range s.starts {
			start()
		}
	}()
	return s
}

// start runs a program until it is stopped. Its output goes to <logs>/<name>.log, after what an earlier process of that
// name wrote.
func (s *supervisor) start(c Command) (*Process, error) {
	path := filepath.Join(s.logs, c.Name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The path is our own.
	if err != nil {
		return nil, fmt.Errorf("cannot keep the log of %s: %w", c.Name, err)
	}
	defer log.Close() //nolint:errcheck // The child has its own descriptor.

	cmd := exec.Command(c.Path, c.Args...) //nolint:gosec // The programs are ours.
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	// A group of its own, so that Ctrl-C reaches this process alone and the order of stopping is ours.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	s.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Name, err)
	}
	p := &Process{Command: c, cmd: cmd, log: path, done: make(chan struct{})}
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait() // How it ended is read from ProcessState.
		close(p.done)
	}()
	return p, nil
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends the process and waits until it is gone.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

func (p *Process) end(how syscall.Signal) {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	_ = syscall.Kill(-p.PID(), how) // Gone already: nothing to do.
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		<-p.done
	}
}

// died says why a process that nobody stopped is gone.
func (p *Process) died() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	return fmt.Errorf("%s ended by itself (%s); its last words:\n%s", p.Name, p.cmd.ProcessState, p.Tail(15))
}

// Tail is the end of the process's log.
func (p *Process) Tail(lines int) string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(string(bytes.TrimSpace(raw)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// health reports the processes that ended by themselves.
func (s *supervisor) health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.died())
	}
	return errors.Join(errs...)
}

// stopAll ends every process, the youngest first.
func (s *supervisor) stopAll() {
	s.mu.Lock()
	processes := append([]*Process(nil), s.processes...)
	s.mu.Unlock()
	for _, processe := range slices.Backward(processes) {
		// State is thrown away, so nobody needs the seconds an orderly shutdown takes.
		processe.Kill()
	}
}

// run runs a program to its end and returns what it said.
func (s *supervisor) run(ctx context.Context, c Command) (string, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...) //nolint:gosec // The programs are ours.
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir = c.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w", c.Name, err)
	}
	return string(out), nil
}

// ports returns free ports of the loopback device. All are held until all are known, so no two are the same; another
// program could take one before it is used, which a run notices and says.
func ports(n int) ([]int, error) {
	out := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer l.Close()                                 //nolint:errcheck,gocritic // Held until all ports are known.
		out = append(out, l.Addr().(*net.TCPAddr).Port) //nolint:errcheck,forcetypeassert // What tcp listens on.
	}
	return out, nil
}
