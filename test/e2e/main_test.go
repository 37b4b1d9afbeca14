// Package e2e proves the product on the real control plane: one command builds the programs, starts them, plays the
// scenarios in both worlds, and takes everything down again.
//
//	go test -C test/e2e -count=1 -timeout 90m -v .                     # everything
//	FHP_E2E_PART=fast go test -C test/e2e -count=1 -timeout 90m -v .   # scenarios 1 to 5
//
// docs/development/testing.md says what each scenario proves and what a run costs.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/cloud"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/plane"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// The environment variables that steer a run.
const (
	// envPart is "fast" (scenarios 1 to 5) or "all" (default).
	envPart = "FHP_E2E_PART"
	// envOnly names scenarios by the beginning of their names, separated by commas: "6,8 CloudNativePG". The first, which
	// the others need, always runs. Choose a world with -run TestClaims or -run TestNamespaced.
	envOnly = "FHP_E2E_ONLY"
	// envBuildLimit bounds the time spent building what the cache lacks, "40m". A run that exceeds it, or would, says so
	// and what did not run, and is no failure: the next one goes on where this one stopped. Default: no bound.
	envBuildLimit = "FHP_E2E_BUILD_LIMIT"
	// envLimit bounds the time of the scenarios. Default: 45m.
	envLimit = "FHP_E2E_LIMIT"
	// envKeep leaves the control plane running after the scenarios until Ctrl-C, with the claims as they are: choose a
	// world with -run.
	envKeep = "FHP_E2E_KEEP"
)

// suite is what the scenarios share. Tests of one package can only share through a variable; it is set once, before
// the first of them.
var suite struct {
	ctx   context.Context
	plane *plane.Plane
	cloud *cloud.Cloud
	fast  bool
	only  []string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	suite.fast = os.Getenv(envPart) == "fast"
	for part := range strings.SplitSeq(os.Getenv(envOnly), ",") {
		if part = strings.TrimSpace(part); part != "" {
			suite.only = append(suite.only, part)
		}
	}

	unlock, err := alone(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer unlock()
	if built, code := build(ctx); !built {
		results.print(os.Stderr)
		return code
	}
	limit, err := duration(envLimit, 45*time.Minute)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	repository, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	suite.plane, err = plane.Up(ctx, plane.Options{Repository: repository, Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		results.print(os.Stderr)
		return 1
	}
	listener, err := suite.plane.PluginListener()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		suite.plane.Down(true)
		return 1
	}
	defer cloud.ServePlugin(listener).Close()
	suite.cloud = cloud.New(suite.plane.Admin, suite.plane.As)
	if listener, err = suite.plane.StatusListener(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		suite.plane.Down(true)
		return 1
	}
	defer suite.cloud.ServeInstances(listener).Close()
	suite.cloud.Run(ctx)
	suite.ctx = ctx //nolint:fatcontext // The suite has one, made once.

	// A panic of the test runner and Ctrl-C both end here; nothing is left running.
	code := 1
	defer func() { suite.plane.Down(code != 0) }()
	code = m.Run()
	if ctx.Err() != nil {
		fmt.Fprintf(os.Stderr, "stopped: %v\n", context.Cause(ctx))
		code = 1
	}
	for _, failure := range suite.cloud.Failures() {
		fmt.Fprintln(os.Stderr, "the played cloud could not:", failure)
	}
	results.print(os.Stderr)
	if os.Getenv(envKeep) != "" {
		suite.plane.Sayf("kept running (%s); Ctrl-C ends it", envKeep)
		<-ctx.Done()
	}
	return code
}

// build makes what the cache lacks. The second value is the exit code where it does not.
func build(ctx context.Context) (bool, int) {
	limit, err := duration(envBuildLimit, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false, 1
	}
	if limit == 0 {
		return true, 0 // plane.Up builds, for as long as it takes.
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	plan, err := recipe.Plan(plane.Tools()...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false, 1
	}
	if plan != "" {
		fmt.Fprintln(os.Stderr, plan)
	}
	for _, name := range plane.Tools() {
		if _, err := recipe.Make(ctx, name, os.Stderr); err != nil {
			if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				fmt.Fprintf(os.Stderr, "NOT RUN: the control plane could not be built within %s on %d CPUs. No scenario ran. What is "+
					"compiled is kept, the next run goes on from there; to build it by itself: go run -C test/tools ./build %s\n",
					limit, runtime.NumCPU(), strings.Join(plane.Tools(), " "))
				return false, 0
			}
			fmt.Fprintln(os.Stderr, err)
			return false, 1
		}
	}
	return true, 0
}

// alone waits until no other run is on this machine: two control planes at once would measure each other.
func alone(ctx context.Context) (unlock func(), err error) {
	dir, err := recipe.CacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "run.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the machine: %w", err)
	}
	for told := false; ; told = true {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !told {
			fmt.Fprintln(os.Stderr, "another run is on this machine; waiting for it to end")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped while waiting for another run: %w", ctx.Err())
		case <-time.After(2 * time.Second):
		}
	}
}

func duration(variable string, otherwise time.Duration) (time.Duration, error) {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", variable, err)
	}
	return d, nil
}

// board keeps what ran and what did not, so that a run never passes over something in silence.
type board struct {
	mu    sync.Mutex
	lines []string
}

var results board

func (b *board) notef(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

func (b *board) print(w *os.File) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintln(w, "scenarios:")
	if len(b.lines) == 0 {
		fmt.Fprintln(w, "  NOT RUN  every one: the control plane is not up")
	}
	for _, line := range b.lines {
		fmt.Fprintln(w, "  "+line)
	}
}
