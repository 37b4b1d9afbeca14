package recipe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// tick is how often a running build reports that it is alive.
const tick = 15 * time.Second

// Plan says what building these tools would cost, before it is paid. It is empty where everything is cached.
func Plan(names ...string) (string, error) {
	var missing []string
	var cpu time.Duration
	for _, name := range names {
		t, err := Find(name)
		if err != nil {
			return "", err
		}
		cached, err := t.Cached()
		if err != nil {
			return "", err
		}
		if !cached {
			missing = append(missing, t.Name+" "+t.Version)
			cpu += t.Cold
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: not in %s. A build that finds nothing in Go's own caches takes about %d minutes of CPU time in "+
		"all (half of that on two idle cores), up to 9 GB of disk in GOCACHE and GOMODCACHE, and 3 GB of memory to link.",
		strings.Join(missing, ", "), dir, int(cpu.Minutes())), nil
}

// Make returns the path of the tool's binary and builds it first where the cache does not have it. Progress goes to
// log. Two processes that want the same tool at once do not both build it.
func Make(ctx context.Context, name string, log io.Writer) (string, error) {
	t, err := Find(name)
	if err != nil {
		return "", err
	}
	path, err := t.Path()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("cannot make the cache: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	if cached, err := t.Cached(); err != nil || cached {
		return path, err
	}
	if err := t.build(ctx, path, log); err != nil {
		return "", err
	}
	return path, nil
}

// lock waits until this process is the only one that builds into a directory.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // The path is in our own cache.
	if err != nil {
		return nil, fmt.Errorf("cannot lock the cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("cannot lock the cache: %w", err)
	}
	// Closing gives the lock back.
	return func() { _ = f.Close() }, nil
}

func (t Tool) build(ctx context.Context, path string, log io.Writer) error {
	root, err := root()
	if err != nil {
		return err
	}
	unfinished := path + ".unfinished"
	// -v names each package as it is compiled, which is the only progress the go command gives.
	args := []string{
		"build", "-C", filepath.Join(root, t.Module), "-v", "-mod=readonly", "-trimpath", "-p", parallel(),
		"-ldflags", strings.TrimSpace("-s -w " + t.Flags), "-o", unfinished, t.Package,
	}
	// An interrupted build stops at once; what is compiled by then stays in GOCACHE.
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments come from the table above.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", t.Name, err)
	}

	start := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot build %s: %w", t.Name, err)
	}
	var compiled atomic.Int64
	stop := heartbeat(tick, func() {
		_, _ = fmt.Fprintf(log, "  building %s %s: %d packages compiled, %s\n", t.Name, t.Version, compiled.Load(), since(start))
	})
	var tail bytes.Buffer
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, " ") { // Not a package path: a download or an error.
			tail.WriteString(line + "\n")
			continue
		}
		compiled.Add(1)
	}
	err = cmd.Wait()
	stop()
	if err != nil {
		return fmt.Errorf("cannot build %s %s: %w\n%s", t.Name, t.Version, err, last(tail.String(), 40))
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("cannot keep %s: %w", t.Name, err)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	_, _ = fmt.Fprintf(log, "  built %s %s: %d packages compiled, %s, %s of CPU time\n",
		t.Name, t.Version, compiled.Load(), since(start), used.Round(time.Second))
	return nil
}

// parallel bounds the number of compilers, so that the machine stays usable and the linker finds memory.
func parallel() string {
	if p := os.Getenv("FHP_E2E_BUILD_PARALLEL"); p != "" {
		return p
	}
	return "2"
}

// heartbeat calls beat until it is stopped.
func heartbeat(every time.Duration, beat func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				beat()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

func since(start time.Time) time.Duration { return time.Since(start).Round(time.Second) }

func last(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}
